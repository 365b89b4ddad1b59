"""Numbers as the pages write them, digit by digit; no rules in here, see `shown_numbers`.

A value is compared as text. As one that lies between two last digits may be rounded either way, it
may be moved by a billionth of itself first.
"""

import math
import re
from collections.abc import Callable

from recompute import Number
from shown_numbers import PREFIX

NUDGES = (1.0, 1 - 1e-9, 1 + 1e-9)
BYTES = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
SPACE = "\u202f"


def fixed(value: float, decimals: int) -> str:
    """With so many decimals, a real minus and thin thousands; negative decimals round."""
    rounded = round(value, decimals)
    whole = f"{abs(rounded):,.{max(0, decimals)}f}".replace(",", SPACE)
    return f"−{whole}" if rounded < 0 else whole


def leading(value: float, digits: int = 3) -> int:
    """The power of ten of the first digit, after rounding to so many."""
    return math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))


def sig(value: float, digits: int = 3) -> str:
    return fixed(value, digits - 1 - leading(value, digits)) if value else "0"


def times(value: float) -> str:
    return f"{sig(value, 2)}×"


def _nudged(shown: str, value: float, write: Callable[[float], str]) -> bool:
    return any(shown == write(value * nudge) for nudge in NUDGES)


def is_fixed(shown: str, value: float, decimals: int) -> bool:
    return _nudged(shown, value, lambda each: fixed(each, decimals))


def is_sig(shown: str, value: float, digits: int = 3) -> bool:
    return _nudged(shown, value, lambda each: sig(each, digits))


def is_times(shown: str, value: float | None) -> bool:
    return shown == "—" if value is None else _nudged(shown, value, times)


def is_count(shown: str, count: float | None) -> bool:
    return shown == ("—" if count is None else fixed(count, 0))


def is_size(shown: str, count: int | None) -> bool:
    """Bytes: ``919 KiB``, ``47 B``."""
    if count is None:
        return shown == "—"
    for unit, factor in BYTES.items():
        if count >= factor:
            return shown.endswith(f" {unit}") and is_sig(shown[: -len(unit) - 1], count / factor)
    return shown == f"{count} B"


def decimals_of(found: Number) -> int:
    """Of a ratio: two, or three if it is narrow; two digits of it, but no more of its half."""
    assert found.low is not None
    assert found.high is not None
    half = (found.high - found.low) / 2
    if half <= 1e-9:
        return 3
    wanted = 2 if half >= 0.005 else 3
    first = math.floor(math.log10(found.value))
    return min(1 - math.floor(math.log10(half)), max(wanted, 1 - first))


def interval(found: Number) -> str:
    """``0.53 [0.51, 0.54]``."""
    decimals = decimals_of(found)
    value, low, high = (fixed(end or 0.0, decimals) for end in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def is_interval(shown: str, found: Number | None) -> bool:
    if found is None:
        return shown == "—"
    decimals = decimals_of(found)
    return _are_ends(shown, found, lambda end: fixed(end, decimals))


def _are_ends(shown: str, found: Number, write: Callable[[float], str]) -> bool:
    """Whether ``value [low, high]`` are the ends of an interval."""
    cut = re.fullmatch(r"([^ ]+) \[([^ ]+), ([^ ]+)\]", shown)
    ends = (found.value, found.low or 0.0, found.high or 0.0)
    return cut is not None and all(
        _nudged(each, end, write) for each, end in zip(cut.groups(), ends, strict=True)
    )


def prefix_of(value: float) -> str:
    """The prefix that brings a value to 1 or above, below 1000; nano for all that is less."""
    ordered = sorted(PREFIX.items(), key=lambda each: -each[1])
    return next((name for name, factor in ordered if abs(value) >= factor), "n")


def prefixed(value: float, unit: str) -> str:
    """``252 ms``."""
    prefix = prefix_of(value)
    return f"{sig(value / PREFIX[prefix])} {prefix}{unit}"


def is_prefixed(shown: str, value: float, unit: str) -> bool:
    return _nudged(shown, value, lambda each: prefixed(each, unit))


def is_span(shown: str, found: Number, unit: str) -> bool:
    """``7.67 [7.26, 8.09] µs``: three digits of each, the prefix of the value."""
    prefix = prefix_of(found.value)
    ends, _, own = shown.rpartition(" ")
    return own == f"{prefix}{unit}" and _are_ends(
        ends, found, lambda end: sig(end / PREFIX[prefix])
    )
