"""The one sentence that goes with each word of the gate."""

import math

from bench.gate.answer import ENERGY, Series
from bench.gate.trimmed import as_ratio
from bench.statistics import Interval

_LARGE = 1e5  # per cent; digits of more than that say nothing


def change(ratio: Interval) -> str:
    """A ratio as a change with its interval.

    >>> change(Interval(1.121, 1.096, 1.147, 18))
    '+12.1 % [+9.6, +14.7]'
    """
    return f"{_percent(ratio.value)} % [{_percent(ratio.low)}, {_percent(ratio.high)}]"


def regressed(series: Series, ratio: Interval, up: float) -> str:
    """Why a series regressed."""
    more = "dearer" if series.quantity == ENERGY else "slower"
    return f"{more} by {change(ratio)}, beyond {_beyond(up)}; {_twice(series)}"


def improved(series: Series, ratio: Interval, down: float) -> str:
    """Why a series improved."""
    less = "cheaper" if series.quantity == ENERGY else "faster"
    return f"{less} by {change(ratio)}, beyond {_beyond(down)}; {_twice(series)}"


def ok(narrow: Interval, down: float, up: float) -> str:
    """Why a series is as it was."""
    low, high = _percent(narrow.low), _percent(narrow.high)
    return f"the 90 % interval, {low} to {high} %, lies within {_margin(down, up)}"


def inconclusive(ratio: Interval, down: float, up: float, needed: int | None) -> str:
    """Why nothing can be said yet, and what would help."""
    if needed is None:
        more = "more pairs will not decide it: make the machine quieter or the margin wider"
    else:
        more = f"about {needed} pairs would decide"
    return f"{change(ratio)} may lie inside or beyond {_margin(down, up)}; {more}"


def _percent(ratio: float) -> str:
    more = 100 * (ratio - 1)
    return f"{more:+.1f}" if more < _LARGE else f"{more:+.1e}"


def _beyond(edge: float) -> str:
    return f"{100 * (as_ratio(edge) - 1):+.2g} %"


def _margin(down: float, up: float) -> str:
    low = "nothing" if math.isinf(down) else _beyond(down)
    return f"{low} to {_beyond(up)}"


def _twice(series: Series) -> str:
    first, fresh = (len(series.log_ratios(stage)) for stage in (1, 2))
    return f"{first} pairs said so, and {fresh} fresh ones again"
