"""Warming up until steady: the first calls of a model decide nothing.

A side is run in bursts. It is steady when the median of the last three bursts is that of the three
before them, within 1 % or within the mean spread of three, in time per call and in power (a test
of two windows, as pyperf's for warm-up), and when no temperature rises by more than 0.1 °C/s.
Where that does not happen within ten times the warm-up that was asked for, it is flagged.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from bench import guard
from bench.block import Place, Side, measure_window
from bench.cover import total
from bench.instruments import Instruments
from bench.quantities import Quantity
from bench.record import Window
from bench.schedule import Schedule

NOT_STEADY = "not steady"
"""What the flag of a warm-up begins with that ended before its side was steady."""

STEADY_WITHIN = 0.01
STEADY_C_PER_S = 0.1
_HALF = 3  # bursts on either side of the test
_LONGEST = 10  # times the warm-up that was asked for
_INTERVALS_PER_BURST = 10
_SHOWN_C = 1.0  # thermometers show whole degrees
_LONGEST_BURST_S = 2.0  # a meter that needs more cannot show the power of a burst


def is_steady(values: Sequence[float]) -> bool:
    """Whether the last three of at least six positive values are like the three before them.

    >>> is_steady([9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), is_steady([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    (True, False)
    """
    if len(values) < 2 * _HALF:
        return False
    logs = [math.log(value) for value in values[-2 * _HALF :]]
    before, last = sorted(logs[:_HALF]), sorted(logs[_HALF:])
    spread = (before[-1] - before[0] + last[-1] - last[0]) / 2
    change = abs(before[_HALF // 2] - last[_HALF // 2])
    return change <= max(STEADY_WITHIN, spread)


def warm_up(
    case: str, side: Side, schedule: Schedule, instruments: Instruments, order: int = 0
) -> Window:
    """Runs a side until it is steady.

    The first call is run apart: it is cold and decides nothing.

    Args:
        case: The case's id, for the record.
        side: What is run.
        schedule: How long at least.
        instruments: What is read; the power is tested too where a burst can show it.
        order: The window's number in the case.

    Returns:
        The last burst, as a window whose flags say whether the side was not steady.
    """
    side.loop(1)
    clock = instruments.clock
    intervals = [channel.update_interval_s for channel in instruments.summed]
    burst_s = max(schedule.warmup_s / 5, _INTERVALS_PER_BURST * max(intervals, default=0.0))
    if burst_s > _LONGEST_BURST_S:
        burst_s = schedule.warmup_s / 5
    longest_s = _LONGEST * max(schedule.warmup_s, burst_s)
    place = Place(case, "warmup", 0, order)
    bursts: list[Window] = []
    states: list[guard.State] = []
    calls, began = 1, clock()
    while True:
        bursts.append(_burst(instruments, side, place, calls))
        states.append(instruments.state())
        spent = (clock() - began) / 1e9
        doubts = _doubts(bursts[-2 * _HALF :], states[-2 * _HALF :], instruments)
        if spent >= schedule.warmup_s and (not doubts or spent >= longest_s):
            return replace(bursts[-1], flags=(*bursts[-1].flags, *doubts))
        per_call = bursts[-1].seconds / calls
        calls = max(1, min(10 * calls, math.ceil(burst_s / max(per_call, 1e-9))))


def _burst(instruments: Instruments, side: Side, place: Place, calls: int) -> Window:
    samples = calls * side.samples
    return measure_window(
        instruments, lambda: side.loop(calls), place, calls=calls, samples=samples
    )


def _doubts(
    bursts: Sequence[Window], states: Sequence[guard.State], instruments: Instruments
) -> tuple[str, ...]:
    """Why a side is not known to be steady, as flags; none if it is."""
    if len(bursts) < 2 * _HALF:
        return (f"{NOT_STEADY}: its calls are too long to see it in the warm-up",)
    ids = [channel.id for channel in instruments.summed]
    energies = [total(burst.energy, ids) for burst in bursts]
    watts = [
        energy.value / burst.seconds
        for energy, burst in zip(energies, bursts, strict=True)
        if isinstance(energy, Quantity) and energy.value > 0
    ]
    found = []
    if not is_steady([burst.seconds / burst.calls for burst in bursts]):
        found.append(f"{NOT_STEADY}: the time per call still changed")
    if len(watts) == len(bursts) and not is_steady(watts):
        found.append(f"{NOT_STEADY}: the power still changed")
    if _warms_up(bursts, states):
        found.append(f"{NOT_STEADY}: it still grew warmer")
    return tuple(found)


def _warms_up(bursts: Sequence[Window], states: Sequence[guard.State]) -> bool:
    first, last = states[0].temperature_c, states[-1].temperature_c
    if first is None or last is None:
        return False
    passed_s = (bursts[-1].t1_ns - bursts[0].t1_ns) / 1e9
    return last - first > max(STEADY_C_PER_S * passed_s, _SHOWN_C)
