"""Where a series moved to another level: change points by Apache Otava, confirmed and sized.

Otava (E-divisive with a t test, Fleming et al. 2023) is called in process. A window of which no
split has a t test below Otava's first-pass limit has no change point, so Otava is asked only about
series that have such a split: most have none, and a year of 300 cases is looked through in a
second.

Source: Matteson and James 2014 for E-divisive; Fleming et al. 2023, "Hunter", for the windows;
shared/benchmark-tools.md §3.2 for the limits: at p ≤ 1e-5 and 2 % a 5 % step is found after ten
nights, and 0 of 60 calm series has a false one.
"""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.history.noise import Nights, nights_of
from bench.quantities import Absent
from bench.statistics import Interval, t_quantile

P_VALUE = 1e-5
"""Largest p value of a shift."""

MAGNITUDE = 0.02
"""Least shift, as a share."""

WINDOW = 50
"""Nights that are looked at together."""

NIGHTS_AFTER = 3
"""Nights that must lie after a shift before it counts."""

_FIRST_PASS = 10 * P_VALUE  # Otava's limit for what it looks at more closely
_FEWEST = 2 * NIGHTS_AFTER


@dataclass(frozen=True, slots=True)
class Shift:
    """A series moved to another level.

    Args:
        at: Place of the first night at the new level.
        ratio: The new level ÷ the old one.
        p: Of a t test between both levels.
    """

    at: int
    ratio: Interval
    p: float


def unavailable() -> Absent | None:
    """Why shifts cannot be looked for; None if they can."""
    if importlib.util.find_spec("otava") is None:
        return Absent("apache-otava is not installed", "pip install joulebench[trend]")
    return None


def shifts(values: Sequence[float]) -> tuple[Shift, ...]:
    """The confirmed shifts of one segment, in the order of time.

    Args:
        values: Positive, one a night; none of them missing.

    Raises:
        ImportError: apache-otava is not installed.
    """
    if len(values) < _FEWEST or not may_shift(values):
        return ()
    from otava.analysis import compute_change_points

    logs = [math.log(value) for value in values]
    # Otava divides by the mean before: what it is given must not lie around 0
    found, _ = compute_change_points(
        [math.exp(log - logs[0]) for log in logs],
        window_len=WINDOW,
        max_pvalue=P_VALUE,
        min_magnitude=MAGNITUDE,
    )
    points = [each for each in found if len(values) - each.index >= NIGHTS_AFTER]
    edges = [0, *(each.index for each in points), len(values)]
    return tuple(
        Shift(
            point.index,
            _ratio(logs[begin : point.index], logs[point.index : end]),
            point.stats.pvalue,
        )
        for point, begin, end in zip(points, edges, edges[2:], strict=False)
    )


def may_shift(values: Sequence[float]) -> bool:
    """Whether a window of a series has a split that Otava would look at more closely.

    The windows are Otava's own: as long as none of them has a change point, each begins half a
    window after the one before.
    """
    import numpy as np

    series = np.asarray(values, dtype=float)
    for start in range(0, len(series), WINDOW // 2):
        window = series[start : start + WINDOW]
        n = len(window)
        if n < 3:  # noqa: PLR2004 - a t test has no degree of freedom left
            continue
        limit = t_quantile(1 - _FIRST_PASS, n - 2)
        left = np.arange(1, n)
        window = window - window.mean()
        sums = np.cumsum(window)[:-1]
        means, others = sums / left, (window.sum() - sums) / (n - left)
        squares = np.cumsum(window * window)
        inside = squares[:-1] - left * means**2, squares[-1] - squares[:-1] - (n - left) * others**2
        # Otava takes standard deviations of n for those of n - 1
        within = inside[0] * (left - 1) / left + inside[1] * (n - left - 1) / (n - left)
        apart = np.abs(means - others)
        pooled = np.sqrt(np.maximum(within, 0.0) / (n - 2) * (1 / left + 1 / (n - left)))
        # a little below the limit: the sums here are rounded in another order
        if bool((apart >= (1 - 1e-6) * limit * pooled).any() and apart.max() > 0):
            return True
    return False


def levels(values: Sequence[float], found: Sequence[Shift]) -> list[tuple[int, int, Nights]]:
    """The levels of a segment: from, to (not included), and where its nights lie."""
    edges = [0, *(shift.at for shift in found), len(values)]
    return [(begin, end, nights_of(values[begin:end])) for begin, end in pairwise(edges)]


def _ratio(before: Sequence[float], after: Sequence[float]) -> Interval:
    """The ratio of two levels from their logarithms, with the 95 % interval of Welch's t."""
    (mean, square, n), (other, its, m) = _moments(before), _moments(after)
    standard = math.sqrt(square / n + its / m)
    lost = sum((s / k) ** 2 / (k - 1) for s, k in ((square, n), (its, m)) if k > 1)
    degrees = max(standard**4 / lost, 1.0) if lost else 1.0
    half = t_quantile(0.95, degrees) * standard
    value = other - mean
    return Interval(math.exp(value), math.exp(value - half), math.exp(value + half), min(n, m))


def _moments(logs: Sequence[float]) -> tuple[float, float, int]:
    n = len(logs)
    mean = math.fsum(logs) / n
    return mean, math.fsum((x - mean) ** 2 for x in logs) / max(n - 1, 1), n
