"""What a meter is: channels that were proved by reading them, and readings of them.

A meter is a file in `bench/meters/` that defines ``open_meter(environment)``. It raises
`MeterUnavailable` with the reason and the fix, or returns an open `Meter` of which every channel
has given a value. Windows, wraps, sums and bounds are pure code over readings: see `window`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from bench.quantities import Absent, Kind

ONLY = " only"
"""What the boundary of a channel ends with that is not all of its kind: one socket of two."""

Clock = Callable[[], int]
"""Monotonic time in nanoseconds, as `time.monotonic_ns` gives it."""


class Status(StrEnum):
    """What became of a reading or of a window; the first four carry energy, the others never do."""

    OK = "ok"
    WRAPPED = "wrapped"  # the counter passed its end; the energy is right
    HELD = "held"  # it held its value longer than when it was probed; the bound is wider
    GAP = "gap"  # a gauge was not read for too long; the bound spans what it may have drawn
    STALE = "stale"
    RESET = "reset"
    INVALID = "invalid"
    TOO_SHORT = "too_short"
    PERMISSION = "permission"
    NOT_SUPPORTED = "not_supported"
    UNAVAILABLE = "unavailable"
    LOST = "lost"
    TIMEOUT = "timeout"
    ERROR = "error"


class MeterUnavailable(Exception):  # noqa: N818 - it is a state of the machine, not a fault
    """A meter that cannot be used here.

    Args:
        reason: What was found.
        fix: What to do, or an empty string where nothing can be done.
        status: Which of the statuses it is.
    """

    def __init__(self, reason: str, fix: str = "", status: Status = Status.UNAVAILABLE) -> None:
        super().__init__(f"{reason}; {fix}" if fix else reason)
        self.absent = Absent(reason, fix)
        self.status = status


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity that a meter reads: a cumulative energy counter (J), or a power gauge (W).

    What an id begins with contains what it goes on with: ``module/vdd_in/vdd_soc`` is inside
    ``module/vdd_in``; see `bench.quantities.contains`.

    Args:
        id: Such as ``cpu/0/package`` or ``gpu/GPU-<uuid>/board``.
        domain: Such as ``package``, ``dram``, ``core``, ``psys``, ``gpu``, ``rail``, ``process``.
        kind: How its joules are obtained.
        boundary: What its joules contain, such as ``cpu-package``.
        resolution: Smallest step that is shown, in *unit*.
        update_interval_s: Longest time for which it was seen to hold its value, s.
        wrap: Modulus of the counter, J; None if it does not wrap.
        p_max_w: Power that the domain cannot exceed, W: tells a wrap from a reset, bounds edges.
        origin: Where it is read, such as ``powercap:intel-rapl:0``.
        range: Factors (low, high) on its joules within which the truth lies.
        note: A formula or a warning that belongs beside its numbers.
        unit: ``J`` for a counter, ``W`` for a gauge.
        averaging_window_s: Time over which a gauge averages, s; 0 if it shows the instant.
        poll_s: Longest time between two readings in a window that loses nothing, s; None where
            only the ends of a window need a reading.
        clock_s: How far its own time stamps may be off ours, s.
    """

    id: str
    domain: str
    kind: Kind
    boundary: str
    resolution: float
    update_interval_s: float
    wrap: float | None
    p_max_w: float
    origin: str
    range: tuple[float, float] = (1.0, 1.0)
    note: str = ""
    unit: Literal["J", "W"] = "J"
    averaging_window_s: float = 0.0
    poll_s: float | None = None
    clock_s: float = 0.0

    @property
    def is_counter(self) -> bool:
        """Whether a device counts it, so that its rise is bounded by the power of the device.

        The CPU time of a process is no such counter: that of a child appears when it has ended.
        """
        return self.unit == "J" and self.domain != "process"

    @property
    def lag_s(self) -> float:
        """How old the oldest part of what is shown may be, s."""
        return self.update_interval_s + self.averaging_window_s


class Reading(NamedTuple):
    """One indication of one channel.

    Args:
        channel: The channel's id.
        t0_ns: Monotonic time just before the read.
        t1_ns: Monotonic time just after it.
        value: What the channel shows, J or W; None unless *status* is ok.
        status: What became of the read.
        reason: Why there is no value, and what to do.
        t_device: The meter's own time stamp, s since any epoch; None if it has no clock.
    """

    channel: str
    t0_ns: int
    t1_ns: int
    value: float | None
    status: Status = Status.OK
    reason: str = ""
    t_device: float | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A channel that exists and cannot be used, or must not be added: with why and what to do."""

    what: str
    status: Status
    reason: str
    fix: str = ""


class Meter(Protocol):
    """An open instrument.

    Four more things are optional. ``prompt = True`` says that a read returns at once: such a
    meter is read in the measuring thread, any other in a thread of its own with a time limit.
    ``capture()`` and ``decode(captured)`` split `read` in two, so that only the first part runs
    next to the window. ``flags()`` gives what spoils a window, such as ``throttled: …``, and
    ``gpus()`` the `bench.guard.GpuState` of each GPU: both are asked at both ends of a window.
    """

    @property
    def name(self) -> str:
        """Its plug-in's name."""
        ...

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that gave a value when it was opened."""
        ...

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """What was found beside them and is left out."""
        ...

    def read(self) -> tuple[Reading, ...]:
        """One reading of each channel, in the order of *channels*.

        A meter with time stamps of its own gives all that is new since the last call.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


OpenMeter = Callable[[Mapping[str, str]], Meter]
"""What ``open_meter`` of a meter's file is: it takes the environment variables."""


class Probe(NamedTuple):
    """What watching a counter showed.

    Args:
        update_interval_s: Longest time between two changes, s.
        changes: How many changes were seen.
        start_joules: The first value, J.
        joules: How much it rose, J.
    """

    update_interval_s: float
    changes: int
    start_joules: float
    joules: float


def probe(
    read: Callable[[], float],
    *,
    longest_s: float,
    changes: int = 20,
    clock: Clock = time.monotonic_ns,
) -> Probe | None:
    """Watches a counter until it has changed *changes* times, or for *longest_s*.

    The longest gap is what counts, not the median: it bounds how stale a reading can be. A change
    lies somewhere between the read before it and the read that shows it, so a gap is taken from
    the start of the one to the end of the other: too long by two reads, and never too short.
    The time before the first change is no full interval and is left out.

    Args:
        read: Gives the counter's value in J.
        longest_s: How long to watch at most, s.
        changes: How many changes are enough.
        clock: Monotonic time in ns.

    Returns:
        What was seen, or None if the counter did not move twice.
    """
    began = previous = clock()
    start = last = read()
    before_change: int | None = None
    longest_gap = seen = 0
    while seen < changes and (now := clock()) - began < longest_s * 1e9:
        value = read()
        if value != last:
            seen += 1
            if before_change is not None:
                longest_gap = max(longest_gap, clock() - before_change)
            before_change, last = previous, value
        previous = now
    if longest_gap == 0:
        return None
    return Probe(longest_gap / 1e9, seen, start, last - start)
