"""Energy = time × power: which of the two made a case dearer.

Both come from the same processes. The ratio of the energies is the product of the ratios of time
and power, so the power's is what is left when the time's is taken out; its interval is that of the
pairs' own quotients.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.gate.answer import Decision, Pair
from bench.statistics import Interval, center, t_quantile

_MOSTLY = 2 / 3
"""Least share of the change, in logarithms, that one part makes if it is said to be its work."""

_SPREAD_FROM = 2  # values; one has no spread


@dataclass(frozen=True, slots=True)
class Split:
    """A change of energy as the product of two changes.

    Args:
        time: Head ÷ base of the time.
        power: Head ÷ base of the power: the energy's ratio ÷ the time's, exactly.
        watts: Mean power of base and of head, W.
        mostly: ``time``, ``power`` or ``both``.
    """

    time: Interval
    power: Interval
    watts: tuple[Interval, Interval]
    mostly: str


def split(energy: Decision, time: Decision) -> Split | None:
    """How time and power share a change of energy.

    Returns:
        None if one of them has no ratio, or they are not of the same pairs of processes.
    """
    both = list(zip(energy.series.pairs, time.series.pairs, strict=False))
    if energy.ratio is None or time.ratio is None or len(both) < _SPREAD_FROM:
        return None
    if [p.stage for p in energy.series.pairs] != [p.stage for p in time.series.pairs]:
        return None
    powers = [Pair(e.base / t.base, e.head / t.head, e.stage) for e, t in both]
    if not all(0 < each < math.inf for pair in powers for each in (pair.base, pair.head)):
        return None
    half = _half([pair.log_ratio for pair in powers])
    ratio = energy.ratio.value / time.ratio.value
    power = Interval(ratio, ratio * math.exp(-half), ratio * math.exp(half), len(powers))
    watts = (level([pair.base for pair in powers]), level([pair.head for pair in powers]))
    return Split(time.ratio, power, watts, _mostly(energy.ratio.value, ratio))


def _mostly(energy: float, power: float) -> str:
    """Which part made most of a change of energy; *power* is its ratio, as *energy* is."""
    if energy == 1:
        return "both"
    share = math.log(power) / math.log(energy)
    if share >= _MOSTLY:
        return "power"
    return "time" if share <= 1 - _MOSTLY else "both"


def level(values: Sequence[float]) -> Interval:
    """Where positive values of some processes lie, with a 95 % interval; of one, just itself.

    >>> level([2.0])
    Interval(value=2.0, low=2.0, high=2.0, n=1)
    """
    if len(values) < _SPREAD_FROM:
        return Interval(values[0], values[0], values[0], 1)
    largest = max(values)  # a sum of the largest floats is none
    middle, standard, degrees = center([value / largest for value in values])
    half = t_quantile(0.95, degrees) * standard
    value, low, high = (largest * each for each in (middle, middle - half, middle + half))
    return Interval(value, low, high, len(values))


def _half(logs: Sequence[float]) -> float:
    """Half of the 95 % interval of independent logarithms."""
    _, standard, degrees = center(logs)
    return t_quantile(0.95, degrees) * standard
