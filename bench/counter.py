"""From a counter's readings to joules, with the interval that holds the truth: pure functions.

A counter is refreshed at least every ``u`` seconds, in steps of ``q`` joules, and shows its old
value in between. If ``C(t)`` is the true energy up to ``t``, then a reading of ``v`` that began at
``a`` and ended at ``b`` says

    C(b) >= v      and      C(s) <= v + q      with  s = a - u,

or, if the value has changed since the reading before, s = the start of that reading: a change was
seen, so the value is no older than that. The power is at least 0 and at most ``P_max``, so each
reading bounds C at any time, and the energy from t0 to t1 lies in

    [ L(t1) - U(t0),  U(t1) - L(t0) ],      L(t) = max( v     - P_max·max(0, b - t) )
                                            U(t) = min( v + q + P_max·max(0, t - s) )

With one reading at each end this is [-u·P_max - q, +u·P_max + q] about the difference, the bound
of shared/counters.md §9.4; a counter that was watched until it moved at both ends has a far
tighter one.
"""

import math
from collections.abc import Container, Sequence
from itertools import pairwise
from typing import NamedTuple

from bench.meter import Channel, Reading, Status

MINIMUM_BLOCK_S = 0.5
INTERVALS_PER_BLOCK = 50
STALE_AFTER_INTERVALS = 10
_HOLD_MARGIN = 2.0  # who held longer than probed once may hold longer still
_CLOSELY = 0.25  # of an interval: a tick that was seen more vaguely is not used to interpolate
_PASSING = {Status.ERROR, Status.TIMEOUT}  # such a reading is left out; any other ends its window


class NoEnergyError(Exception):
    """A window without energy, with the status and the reason."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Joules(NamedTuple):
    """Energy of one window: the best value, its interval, and what became of it."""

    value: float
    low: float
    high: float
    status: Status


class _Point(NamedTuple):
    """A reading on the unwrapped scale: joules *v* shown between *a* and *b*, no older than *s*."""

    a: float
    b: float
    v: float
    s: float


def counted(channel: Channel, readings: Sequence[Reading], t0_ns: int, t1_ns: int) -> Joules:
    """Joules of a counter from *t0_ns* to *t1_ns*.

    Args:
        channel: What was read.
        readings: Its readings in order: at least one before the window and one after it.
        t0_ns: Start of the window.
        t1_ns: End of the window.

    Raises:
        NoEnergyError: They do not give the energy; its status and reason say why.
    """
    usable = usable_readings(readings, t0_ns, t1_ns)
    runs = _runs(usable)
    hold_s = _proved_hold_s(channel, usable, runs)
    interval_s = max(channel.update_interval_s, hold_s)
    joules, wraps = _unwrapped(channel, usable, interval_s)
    seconds = (t1_ns - t0_ns) / 1e9
    _require_movement(channel, usable, runs)
    if seconds < channel.update_interval_s:
        raise NoEnergyError(Status.TOO_SHORT, too_short(channel, seconds))
    held = {
        index for run in runs if _surely_s(usable, run) > channel.update_interval_s for index in run
    }
    points = _points(usable, joules, interval_s, held, t0_ns)
    low, high = _bounds(channel, points, seconds)
    value = min(max(_best(points, seconds, channel.update_interval_s), low), high)
    if value <= 0:  # it did not move, or before the window and after it, and not in it
        raise NoEnergyError(Status.TOO_SHORT, too_short(channel, seconds))
    status = Status.WRAPPED if wraps else Status.OK
    return Joules(value, low, high, Status.HELD if held else status)


def usable_readings(readings: Sequence[Reading], t0_ns: int, t1_ns: int) -> list[Reading]:
    """The readings that have a value, of which one lies before the window and one after it.

    Raises:
        NoEnergyError: One of them ends the window, or one of the two is missing.
    """
    for reading in readings:
        if reading.value is None and reading.status not in _PASSING:
            raise NoEnergyError(reading.status, reading.reason)
        if reading.value is not None and not math.isfinite(reading.value):
            reason = f"{reading.channel} showed {reading.value}; see what its own program shows"
            raise NoEnergyError(Status.INVALID, reason)
    usable = [reading for reading in readings if reading.value is not None]
    before = any(reading.t1_ns <= t0_ns for reading in usable)
    after = any(reading.t0_ns >= t1_ns for reading in usable)
    if before and after:
        return usable
    for reading in reversed(readings) if before else readings:
        if reading.value is None:
            raise NoEnergyError(reading.status, reading.reason)
    noun = "reading" if len(usable) == 1 else "readings"
    reason = (
        f"{len(usable)} {noun}, and a window needs one before it and one after it;"
        " was the device there all the time?"
    )
    raise NoEnergyError(Status.INVALID, reason)


def too_short(channel: Channel, seconds: float) -> str:
    """Why a window of *seconds* has no energy, and the length that would do."""
    needed = max(MINIMUM_BLOCK_S, INTERVALS_PER_BLOCK * channel.update_interval_s)
    what = "counter" if channel.unit == "J" else "gauge"
    return (
        f"the window of {seconds:.3g} s is shorter than the {what} can resolve"
        f" (it moves every {channel.update_interval_s:.3g} s in steps of"
        f" {channel.resolution:.3g} {channel.unit}); give it at least {needed:.4g} s"
    )


def _unwrapped(
    channel: Channel, readings: Sequence[Reading], interval_s: float
) -> tuple[list[float], int]:
    """Joules since the first reading at each reading, and how often the counter wrapped."""
    joules, wraps = [0.0], 0
    for before, after in pairwise(readings):
        delta, wrapped = difference(channel, before, after, interval_s)
        joules.append(joules[-1] + delta)
        wraps += wrapped
    return joules, wraps


def difference(
    channel: Channel, before: Reading, after: Reading, interval_s: float
) -> tuple[float, int]:
    """Joules from one reading to the next, and 1 if the counter wrapped between them.

    Raises:
        NoEnergyError: It may have wrapped twice, was reset, or rose by more than it can.
    """
    assert before.value is not None  # noqa: S101 - the others have been left out
    assert after.value is not None  # noqa: S101
    seconds = (after.t1_ns - before.t0_ns) / 1e9
    # A counter may be stale by one interval at the first reading: it then shows more than the gap.
    most = channel.p_max_w * (seconds + interval_s) + channel.resolution
    if channel.wrap is not None and most >= channel.wrap:
        longest = channel.wrap / channel.p_max_w - interval_s
        raise NoEnergyError(
            Status.INVALID,
            f"{seconds:.3g} s passed between two readings, and the counter may wrap every"
            f" {longest:.3g} s at {channel.p_max_w:g} W; read it more often",
        )
    delta = after.value - before.value
    if delta < 0 and channel.wrap is not None and delta + channel.wrap <= most:
        return delta + channel.wrap, 1
    if delta < 0:
        raise NoEnergyError(
            Status.RESET,
            f"the counter went back from {before.value:.6g} J to {after.value:.6g} J;"
            " was the driver reloaded, or the machine suspended?",
        )
    if delta > most:
        raise NoEnergyError(
            Status.INVALID,
            f"the counter rose by {delta:.6g} J in {seconds:.3g} s, more than the"
            f" {channel.p_max_w:g} W that {channel.id} can draw, and is not to be trusted;"
            " was it set anew, or exchanged?",
        )
    return delta, 0


def _runs(readings: Sequence[Reading]) -> list[range]:
    """The indices of the readings, in runs that show the same value."""
    starts = [0]
    starts += [
        i + 1 for i, (one, other) in enumerate(pairwise(readings)) if one.value != other.value
    ]
    return [range(begin, end) for begin, end in pairwise([*starts, len(readings)])]


def _surely_s(readings: Sequence[Reading], run: range) -> float:
    """How long a value was held at least: from the end of its first reading to its last, s."""
    return (readings[run[-1]].t0_ns - readings[run[0]].t1_ns) / 1e9


def _proved_hold_s(channel: Channel, readings: Sequence[Reading], runs: Sequence[range]) -> float:
    """How long the counter may hold a value, s, if it surely held one longer than probed; else 0.

    What is sure reaches from reading to reading; what may be, to the readings around them.
    """
    longest = 0.0
    for run in runs:
        if _surely_s(readings, run) > channel.update_interval_s:
            began_ns = readings[max(0, run[0] - 1)].t0_ns
            ended_ns = readings[min(len(readings) - 1, run[-1] + 1)].t1_ns
            longest = max(longest, (ended_ns - began_ns) / 1e9)
    return _HOLD_MARGIN * longest


def _require_movement(channel: Channel, readings: Sequence[Reading], runs: Sequence[range]) -> None:
    """Refuses a counter that moves no more."""
    still_s = _surely_s(readings, runs[-1])
    if still_s >= STALE_AFTER_INTERVALS * channel.update_interval_s:
        reason = (
            f"the counter stood still for {still_s:.3g} s, though it moved every"
            f" {channel.update_interval_s:.3g} s when it was opened; is the driver alive?"
        )
        raise NoEnergyError(Status.STALE, reason)


def _points(
    readings: Sequence[Reading],
    joules: Sequence[float],
    interval_s: float,
    held: Container[int],
    t0_ns: int,
) -> list[_Point]:
    """The readings in seconds since *t0_ns*, each with how old its value may be.

    A value that was *held* longer than probed may be as old as its first reading, and one that
    was held from the first reading on may be of any age.
    """
    points: list[_Point] = []
    for index, (reading, value) in enumerate(zip(readings, joules, strict=True)):
        a, b = (reading.t0_ns - t0_ns) / 1e9, (reading.t1_ns - t0_ns) / 1e9
        changed = bool(points) and value != points[-1].v
        oldest = -math.inf if index in held else a - interval_s
        if changed:
            oldest = max(oldest, points[-1].a)
        elif points:
            oldest = max(oldest, points[-1].s)  # it was no older then, and time cannot make it so
        points.append(_Point(a, b, value, oldest))
    return points


def _bounds(channel: Channel, points: Sequence[_Point], seconds: float) -> tuple[float, float]:
    """The interval that holds the true energy of the window, by the formula of the module."""

    def least(t: float) -> float:
        return max(point.v - channel.p_max_w * max(0.0, point.b - t) for point in points)

    def most(t: float) -> float:
        step, power = channel.resolution, channel.p_max_w
        return min(point.v + step + power * max(0.0, t - point.s) for point in points)

    factor_low, factor_high = channel.range
    low = max(0.0, least(seconds) - most(0.0)) * factor_low
    return low, max(low, most(seconds) - least(0.0)) * factor_high


def _best(points: Sequence[_Point], seconds: float, interval_s: float) -> float:
    """What was shown at the end less what was shown at the start, each between two readings.

    A tick that was seen closely, some time after the end of the window, shows the energy of one
    interval, of which the part before the end is the window's.
    """
    start = max(index for index, point in enumerate(points) if point.b <= 0)
    end = min(index for index, point in enumerate(points) if point.a >= seconds)
    last = _between(points[end - 1], points[end], seconds)
    for before, after in pairwise(points[end:]):
        if after.v > before.v:
            if after.b - before.a <= _CLOSELY * interval_s:
                late = (before.a + after.b) / 2 - seconds
                share = min(max(1 - late / interval_s, 0.0), 1.0)
                last = before.v + (after.v - before.v) * share
            break
    return last - _between(points[start], points[start + 1], 0.0)


def _between(before: _Point, after: _Point, t: float) -> float:
    """What the counter shows at *t*, on a line from one reading to the next."""
    begin, end = (before.a + before.b) / 2, (after.a + after.b) / 2
    share = (t - begin) / (end - begin) if end > begin else 1.0
    return before.v + (after.v - before.v) * min(max(share, 0.0), 1.0)
