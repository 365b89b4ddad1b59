"""How much a number differs from night to night, by medians: one bad night moves none. Pure."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

NORMAL = 1.4826
"""Standard deviation of a normal distribution ÷ its median absolute deviation."""

LEAST_SPREAD = 0.002
"""Least standard deviation of a night's logarithm: a few equal nights prove no less."""


class Nights(NamedTuple):
    """Where the logarithm of a number lies over some nights.

    Args:
        middle: Its median.
        spread: Standard deviation of one night, by the median absolute deviation.
        n: How many nights.
    """

    middle: float
    spread: float
    n: int


def nights_of(values: Sequence[float]) -> Nights:
    """The nights of at least one positive value each.

    >>> found = nights_of([1.0, 1.0, 1.02, 5.0])
    >>> round(math.exp(found.middle), 3), round(found.spread, 3), found.n
    (1.01, 0.015, 4)
    """
    logs = [math.log(value) for value in values]
    middle = statistics.median(logs)
    return Nights(middle, NORMAL * statistics.median(abs(x - middle) for x in logs), len(logs))


def is_usable(value: float | None) -> bool:
    """Whether a number can be a night's: there, finite and above 0, and so is its logarithm."""
    return value is not None and 0 < value < math.inf
