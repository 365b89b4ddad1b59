"""From a power gauge's readings to joules, with the interval that holds the truth: pure functions.

A gauge shows power in steps of ``q``, averaged over ``w`` seconds, and refreshes it every ``u``
seconds; what it shows at a reading is a mean of the power of the last ``u + w`` seconds. So the
power at some moment is bracketed by the readings from that moment until ``u + w`` later:

    P(t) lies between the least and the largest reading near t, less and plus q

near meaning the two readings around t, those up to u + w away, and one more on either side. This
holds for every power that keeps a level for at least u + w and two gaps between readings: a gauge
cannot show what is shorter. Readings must therefore go on for u + w after the window. Where no
reading reaches, or a gap is too long, the power may have been anything from 0 to ``P_max``.

The best value is the trapezoid of the readings, moved back by (u + w) / 2, their mean age.
Source: shared/counters.md §9.4.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from bench.counter import Joules, NoEnergyError, too_short, usable_readings
from bench.meter import Channel, Reading, Status

GAP_INTERVALS = 5
SHORTEST_GAP_S = 0.05


def longest_gap_s(channel: Channel) -> float:
    """The longest time between two readings of a gauge that is no gap, s."""
    period = max(channel.update_interval_s, channel.poll_s or 0.0)
    return max(SHORTEST_GAP_S, GAP_INTERVALS * period)


def integrated(channel: Channel, readings: Sequence[Reading], t0_ns: int, t1_ns: int) -> Joules:
    """Joules of a gauge from *t0_ns* to *t1_ns*.

    Args:
        channel: What was read.
        readings: Its readings in order: at least one before the window and one after it, and so
            many between that no gap is longer than `longest_gap_s`.
        t0_ns: Start of the window.
        t1_ns: End of the window.

    Raises:
        NoEnergyError: They do not give the energy; its status and reason say why.
    """
    usable = usable_readings(readings, t0_ns, t1_ns)
    seconds = (t1_ns - t0_ns) / 1e9
    if seconds < channel.lag_s:
        raise NoEnergyError(Status.TOO_SHORT, too_short(channel, seconds))
    if all(reading.value == 0 for reading in usable):
        reason = (
            f"{channel.id} showed exactly 0 W in {len(usable)} readings, which stands for no value;"
            " is it on, and does its own program show a power?"
        )
        raise NoEnergyError(Status.NOT_SUPPORTED, reason)
    times = [(reading.t0_ns + reading.t1_ns - 2 * t0_ns) / 2e9 for reading in usable]
    watts = [_plausible(channel, reading) for reading in usable]
    # a reading that was put on our clock holds the doubt of its own already
    half_s = max(reading.t1_ns - reading.t0_ns for reading in usable) / 2e9
    doubt = max(channel.clock_s, half_s)
    low, high, gap = _bounds(channel, times, watts, seconds, doubt)
    low, high = low * channel.range[0], high * channel.range[1]
    value = _trapezoid(times, watts, channel.lag_s / 2, seconds)
    return Joules(min(max(value, low), high), low, high, Status.GAP if gap else Status.OK)


def _plausible(channel: Channel, reading: Reading) -> float:
    assert reading.value is not None  # noqa: S101 - the others have been left out
    if not 0 <= reading.value <= channel.p_max_w:
        reason = (
            f"the gauge showed {reading.value:.6g} W, and {channel.id} can draw"
            f" 0 to {channel.p_max_w:g} W, so it is not to be trusted; see its unit and its driver"
        )
        raise NoEnergyError(Status.INVALID, reason)
    return reading.value


def _bounds(
    channel: Channel,
    times: Sequence[float],
    watts: Sequence[float],
    seconds: float,
    doubt: float,
) -> tuple[float, float, bool]:
    """The interval that holds the true energy, and whether a gap is in it.

    Args:
        channel: What was read.
        times: When it was read, s since the start of the window.
        watts: What it showed then.
        seconds: Length of the window.
        doubt: How far the times may be off.
    """
    reach = channel.lag_s + 2 * doubt
    shown = _shown_until(times, longest_gap_s(channel))
    low = high = 0.0
    gap = False
    for index in range(len(times) - 1):
        begin, end = times[index], times[index + 1]
        inside = min(end, seconds) - max(begin, 0.0)
        if inside <= 0:
            continue
        if end - begin > longest_gap_s(channel):
            gap = True
            high += inside * channel.p_max_w
            continue
        # what happened less than its age before readings cease has not been shown
        unseen = min(inside, max(0.0, min(end, seconds) + reach - shown[index]))
        first = max(0, bisect_left(times, begin - 2 * doubt) - 1)
        last = min(len(times) - 1, bisect_right(times, end + reach))
        near = watts[first : last + 1]
        low += (inside - unseen) * max(0.0, min(near) - channel.resolution)
        high += (inside - unseen) * min(channel.p_max_w, max(near) + channel.resolution)
        high += unseen * channel.p_max_w
    return low, high, gap


def _shown_until(times: Sequence[float], longest_gap: float) -> list[float]:
    """For each reading, when the last one was taken before the next gap, or at the end."""
    until = [times[-1]] * len(times)
    for index in range(len(times) - 2, -1, -1):
        gap = times[index + 1] - times[index] > longest_gap
        until[index] = times[index] if gap else until[index + 1]
    return until


def _trapezoid(times: Sequence[float], watts: Sequence[float], age: float, seconds: float) -> float:
    """The integral of the readings from *age* to *seconds* + *age*, the last one held."""

    def power(t: float) -> float:
        after = bisect_left(times, t)
        if after in {0, len(times)}:
            return watts[min(after, len(watts) - 1)]
        span = times[after] - times[after - 1]
        share = (t - times[after - 1]) / span if span else 1.0
        return watts[after - 1] + share * (watts[after] - watts[after - 1])

    inner = [t for t in times if age < t < seconds + age]
    knots = [age, *inner, seconds + age]
    shown = [power(t) for t in knots]
    pairs = zip(knots, knots[1:], shown, shown[1:], strict=False)
    return math.fsum((end - begin) * (one + other) / 2 for begin, end, one, other in pairs)
