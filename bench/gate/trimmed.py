"""Tests of log ratios that single disturbed processes do not move, and what many of them may claim.

All are pure functions of numbers. A log ratio is ln(head ÷ base) of a pair of fresh processes: the
unit of replication. Blocks inside a process share its layout, clocks and warmth, and are never
counted as replicates; neighbouring pairs share nothing but the hour, which cancels in the ratio.

Sources: Tukey and McLaughlin 1963 for the t of a trimmed mean with its winsorised spread, Yuen 1974
for its degrees of freedom; Benjamini and Hochberg 1995 for the false discovery rate, Benjamini and
Yekutieli 2001 for why it holds where energy and time of one case rise together.
"""

import math
from collections.abc import Sequence

from bench.statistics import Interval, center, t_quantile

LEAST_PAIRS = 2
"""One log ratio has no spread."""

_LARGEST = 709.0  # of which the exponential is still a float


def chance_above(logs: Sequence[float], edge: float) -> float:
    """One-sided p value of "these log ratios lie above *edge*": small if they do.

    The 20 % at either end are trimmed: one disturbed pair in six, two in twelve decide nothing.
    However small the spread, the p value is at least 2^-n: what a sign test of so many pairs could
    reach. Below it a t only tells of the tails of a normal distribution, and values that a coarse
    counter rounded to the same number would claim certainty.

    Args:
        logs: ln(head ÷ base) of each pair, at least two.
        edge: The largest log ratio that does not count.

    Raises:
        ValueError: Fewer than two log ratios.

    >>> chance_above([0.05] * 6, 0.02)
    0.015625
    >>> chance_above([0.0] * 6, 0.02)
    1.0
    """
    from scipy.special import stdtr

    middle, standard, degrees = _center(logs)
    if standard > 0:
        chance = float(stdtr(degrees, (edge - middle) / standard))
    else:
        chance = 0.0 if middle > edge else 1.0
    return max(chance, 0.5 ** len(logs))


def interval(logs: Sequence[float], confidence: float = 0.95) -> Interval:
    """The ratio head ÷ base with the interval that belongs to `chance_above`.

    Raises:
        ValueError: Fewer than two log ratios.

    >>> interval([0.0, 0.0])
    Interval(value=1.0, low=1.0, high=1.0, n=2)
    """
    middle, standard, degrees = _center(logs)
    half = t_quantile(confidence, degrees) * standard
    low, high = as_ratio(middle - half), as_ratio(middle + half)
    return Interval(as_ratio(middle), low, high, len(logs))


def as_ratio(log: float) -> float:
    """The ratio of a log ratio; infinite where no float is as large: a journal may hold anything.

    >>> as_ratio(0.0), as_ratio(1e4), as_ratio(-1e4)
    (1.0, inf, 0.0)
    """
    return math.exp(log) if log < _LARGEST else math.inf


def discoveries(chances: Sequence[float], q: float) -> tuple[bool, ...]:
    """Which of many p values count, so that on average at most a share *q* of them is false.

    Args:
        chances: All p values of one night and one direction, those of 1 too.
        q: False discovery rate, such as 0.05.

    >>> discoveries([0.01, 0.04, 0.03, 0.005, 1.0], 0.05)
    (True, True, True, True, False)
    """
    if not chances:
        return ()
    from scipy.stats import false_discovery_control

    return tuple(bool(each <= q) for each in false_discovery_control(chances))


def _center(logs: Sequence[float]) -> tuple[float, float, int]:
    if len(logs) < LEAST_PAIRS:
        raise ValueError(f"found {len(logs)} log ratio(s), wanted at least 2; measure more pairs")
    return center(logs, trim_from=0)
