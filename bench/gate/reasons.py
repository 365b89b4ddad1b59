"""Why a series earns its word: the one sentence that goes with each word of the gate."""

import math

from bench.gate.answer import ENERGY, Series
from bench.gate.trimmed import as_ratio
from bench.gate.wording import change
from bench.report.text import signed
from bench.statistics import Interval


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
    low, high = (signed(100 * (end - 1), 1) for end in (narrow.low, narrow.high))
    return f"the 90 % interval, {low} to {high} %, lies within {_margin(down, up)}"


def inconclusive(ratio: Interval, down: float, up: float, needed: int | None) -> str:
    """Why nothing can be said yet, and what would help."""
    if needed is None:
        more = "more pairs will not decide it: make the machine quieter or the margin wider"
    else:
        more = f"about {needed} pairs would decide"
    return f"{change(ratio)} may lie inside or beyond {_margin(down, up)}; {more}"


def _beyond(edge: float) -> str:
    return f"{100 * (as_ratio(edge) - 1):+.2g} %".replace("-", "−")


def _margin(down: float, up: float) -> str:
    low = "nothing" if math.isinf(down) else _beyond(down)
    return f"{low} to {_beyond(up)}"


def _twice(series: Series) -> str:
    first, fresh = (len(series.log_ratios(stage)) for stage in (1, 2))
    return f"{first} pairs said so, and {fresh} fresh ones again"
