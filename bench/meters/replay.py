"""A recorded or scripted power trace as a meter: what it says is known exactly, and not real.

It is used only when named. ``JOULES_REPLAY`` is the path of a trace; without it the trace that
ships with the package is played: a package that steps between 30 W and 60 W, and 5 W of DRAM.
"""

import json
import math
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.quantities import Kind

OPT_IN = True

_SHIPPED = Path(__file__).with_name("replay.json")
_MARGIN = 1.5
_NOTE = "a replayed trace, not this machine's power"
_FIX = f"see {_SHIPPED.name} beside bench/meters/replay.py for an example"


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """Power as a function of time: constant from each step to the next.

    Args:
        steps: Pairs (t_s, watts), ascending from t_s = 0; the last one holds.
        period_s: Time after which the steps begin anew; None if they do not.

    Raises:
        ValueError: The steps do not ascend from 0, a power is negative, or a number is not finite.
    """

    steps: tuple[tuple[float, float], ...]
    period_s: float | None = None

    def __post_init__(self) -> None:
        times = [at for at, _ in self.steps]
        if not times or times[0] != 0 or times != sorted(set(times)):
            raise ValueError(f"found steps at {times} s, wanted times that ascend from 0")
        if not all(math.isfinite(at) and 0 <= watts < math.inf for at, watts in self.steps):
            raise ValueError(f"found {self.steps}, wanted finite seconds and watts of 0 or more")
        if self.period_s is not None and not times[-1] < self.period_s < math.inf:
            raise ValueError(f"found a period of {self.period_s} s, wanted one after {times[-1]} s")

    def energy(self, t0_s: float, t1_s: float) -> float:
        """The exact integral of the power from *t0_s* to *t1_s*, both 0 or more, in J.

        >>> PowerTrace(((0, 10), (2, 30)), period_s=3).energy(1, 4)
        50.0
        """
        return self._since_start(t1_s) - self._since_start(t0_s)

    @property
    def peak_w(self) -> float:
        """The largest power, W."""
        return max(watts for _, watts in self.steps)

    def _since_start(self, t_s: float) -> float:
        if self.period_s is None:
            return self._within(t_s)
        periods, rest = divmod(t_s, self.period_s)
        return periods * self._within(self.period_s) + self._within(rest)

    def _within(self, t_s: float) -> float:
        last = bisect_right(self.steps, t_s, key=lambda step: step[0])
        passed = self.steps[:last]
        ends = [at for at, _ in self.steps[1:last]] + [t_s]
        return math.fsum(watts * (end - at) for (at, watts), end in zip(passed, ends, strict=True))


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Plays the trace that ``JOULES_REPLAY`` names, or the one that ships with the package.

    Raises:
        MeterUnavailable: The file cannot be read, or is no trace.
    """
    return ReplayMeter(Path(environment.get("JOULES_REPLAY") or _SHIPPED))


@dataclass(frozen=True, slots=True)
class _Counter:
    channel: Channel
    trace: PowerTrace
    start_j: float

    def joules(self, elapsed_ns: int) -> float:
        """What the counter shows: the energy at the last tick, in whole steps, wrapped."""
        tick_ns = round(self.channel.update_interval_s * 1e9)
        held_s = elapsed_ns // tick_ns * tick_ns / 1e9
        step = self.channel.resolution
        # A start that is a whole number of steps must not fall below it by rounding.
        counts = math.floor((self.start_j + self.trace.energy(0, held_s)) / step + 1e-9)
        if self.channel.wrap is not None:
            counts %= round(self.channel.wrap / step)
        return counts * step


class ReplayMeter:
    """The counters of one trace file, which begin to count when it is opened.

    Args:
        path: The trace, as JSON.
        clock: Monotonic time in ns.

    Raises:
        MeterUnavailable: The file cannot be read, or is no trace.
    """

    name = "replay"

    def __init__(self, path: Path, *, clock: Clock = time.monotonic_ns) -> None:
        try:
            self._counters = _counters(path.name, json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            fix = "set JOULES_REPLAY to the path of a trace"
            raise MeterUnavailable(f"{path} cannot be read ({error.strerror})", fix) from error
        except ValueError as error:
            raise MeterUnavailable(f"{path}: {error}", _FIX, Status.INVALID) from error
        self._clock, self._began_ns = clock, clock()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the trace."""
        return tuple(counter.channel for counter in self._counters)

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Nothing: a trace with a bad channel is refused as a whole."""
        return ()

    def read(self) -> tuple[Reading, ...]:
        """What each counter shows now."""
        return tuple(self._reading(counter) for counter in self._counters)

    def close(self) -> None:
        """Nothing is held."""

    def _reading(self, counter: _Counter) -> Reading:
        t0 = self._clock()
        joules = counter.joules(t0 - self._began_ns)
        return Reading(counter.channel.id, t0, self._clock(), joules)


def _counters(name: str, document: object) -> tuple[_Counter, ...]:
    """The counters of a trace document.

    Raises:
        ValueError: Something is missing or cannot be; the text says what was found and wanted.
    """
    listed = document.get("channels") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError('found no list "channels", wanted at least one channel in it')
    counters = tuple(_counter(name, index, entry) for index, entry in enumerate(listed))
    ids = [counter.channel.id for counter in counters]
    if len(set(ids)) < len(ids):
        raise ValueError(f"found the channels {', '.join(ids)}, wanted each id once")
    return counters


def _counter(name: str, index: int, entry: Any) -> _Counter:  # noqa: ANN401 - JSON may be anything
    try:
        steps = tuple((float(at), float(watts)) for at, watts in entry["power"])
        trace = PowerTrace(steps, _optional(entry, "period_s"))
        resolution = _positive(entry, "resolution_j")
        wrap = _optional(entry, "wrap_j")
        p_max = _optional(entry, "p_max_w")
        low, high = entry.get("range", (1.0, 1.0))
        channel = Channel(
            id=str(entry["id"]),
            domain=str(entry["domain"]),
            kind=Kind(entry["kind"]),
            boundary=str(entry["boundary"]),
            resolution=resolution,
            update_interval_s=_positive(entry, "update_interval_s"),
            # A counter wraps after a whole number of steps.
            wrap=None if wrap is None else round(wrap / resolution) * resolution,
            p_max_w=_MARGIN * trace.peak_w if p_max is None else p_max,
            origin=f"replay:{name}",
            range=(float(low), float(high)),
            note=_NOTE,
        )
        start_j = float(entry["start_j"])
    except KeyError as error:
        raise ValueError(f"channel {index} has no {error}; wanted it") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"channel {index}: {error}") from error
    if trace.peak_w == 0 or not 0 <= start_j < math.inf:
        raise ValueError(
            f"channel {index}: found a peak of {trace.peak_w:g} W and a start of {start_j:g} J,"
            " wanted a counter that moves, from 0 J or more"
        )
    return _Counter(channel, trace, start_j)


def _positive(entry: Mapping[str, Any], key: str) -> float:
    value = float(entry[key])
    # A tick is a whole number of nanoseconds, so nothing is smaller.
    if not 1e-9 <= value < math.inf:  # noqa: PLR2004 - see above
        raise ValueError(f"found {key} = {value}, wanted a number above 0")
    return value


def _optional(entry: Mapping[str, Any], key: str) -> float | None:
    return None if entry.get(key) is None else _positive(entry, key)
