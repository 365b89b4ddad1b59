"""After how many inferences a training is earned back: pure functions of intervals.

Each result spans what the ends of its parts' intervals allow, so it is as sure as they are, and no
surer. An upper end of infinity says that it may never be earned back.
"""

import itertools
import math

from bench.statistics import Interval


def saved_per_sample(cost: Interval, ratio: Interval) -> Interval:
    """What a variant saves per sample against its baseline; negative where it costs more.

    The baseline's cost is the variant's over their ratio, which was taken in pairs: the difference
    of two rows, measured minutes apart, would be less sure.

    Args:
        cost: Of the variant, per sample, in J or s.
        ratio: Variant ÷ baseline, above 0.

    Raises:
        ValueError: The ratio's interval reaches 0.

    >>> saved_per_sample(Interval(2.0, 2.0, 2.0, 6), Interval(0.5, 0.5, 0.5, 6))
    Interval(value=2.0, low=2.0, high=2.0, n=6)
    """
    if ratio.low <= 0:
        raise ValueError(f"found a ratio from {ratio.low}, wanted one above 0; measure more pairs")
    ends = [
        each * (1 / other - 1)
        for each, other in itertools.product((cost.low, cost.high), (ratio.low, ratio.high))
    ]
    value = cost.value * (1 / ratio.value - 1)
    return Interval(value, min(ends), max(ends), min(cost.n, ratio.n))


def inferences(spent: Interval, saved: Interval) -> Interval | None:
    """After how many samples what was spent is saved; None if nothing can be saved.

    Args:
        spent: On the training, in J or s.
        saved: Per sample, in the same unit.

    >>> inferences(Interval(10.0, 8.0, 12.0, 1), Interval(2.0, 1.0, 4.0, 6))
    Interval(value=5.0, low=2.0, high=12.0, n=1)
    >>> inferences(Interval(10.0, 8.0, 12.0, 1), Interval(2.0, 0.0, 4.0, 6)).high
    inf
    """
    if saved.high <= 0:
        return None
    value = spent.value / saved.value if saved.value > 0 else math.inf
    high = spent.high / saved.low if saved.low > 0 else math.inf
    return Interval(value, spent.low / saved.high, high, min(spent.n, saved.n))


def total(parts: list[Interval]) -> Interval:
    """The sum of what was spent; the bounds add, as nothing says that they are independent.

    >>> total([Interval(1.0, 0.5, 2.0, 1), Interval(2.0, 2.0, 2.0, 1)])
    Interval(value=3.0, low=2.5, high=4.0, n=1)
    """
    value, low, high = (
        math.fsum(ends) for ends in zip(*((p.value, p.low, p.high) for p in parts), strict=True)
    )
    return Interval(value, low, high, 1)
