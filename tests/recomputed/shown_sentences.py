"""Whether a sentence says what it should: its words exactly, its numbers to the digits promised."""

import math
import re
from collections.abc import Callable

from recompute import Number
from shown_numbers import even_half, ratio, rounds_to, significant
from shown_numbers import number as read

NUMBER = r"[+−]?[0-9][0-9\u202f]*(?:\.[0-9]+)?"
RATIO = r"−?[0-9.\u202f]+ \[[0-9.\u202f]+, [0-9.\u202f]+\]"

Gap = tuple[str, Callable[[str], bool]]
"""The pattern of a gap (no groups in it) with what must hold of the text there."""
Part = str | Gap


def says(shown: str, *parts: Part) -> bool:
    """Whether a text is these words, with the right numbers in between."""
    pattern = "".join(
        re.escape(each) if isinstance(each, str) else f"({each[0]})" for each in parts
    )
    found = re.fullmatch(pattern, shown)
    gaps = [each[1] for each in parts if not isinstance(each, str)]
    return bool(found) and all(
        check(text) for check, text in zip(gaps, found.groups() if found else (), strict=True)
    )


def ending(value: float, unit: float) -> Gap:
    """A gap for a number that ends at the digit of this unit."""
    decimals = max(0, -round(math.log10(unit)))

    def fits(shown: str) -> bool:
        return len(shown.partition(".")[2]) == decimals and rounds_to(shown, value, unit)

    return NUMBER, fits


def signed(value: float, unit: float) -> Gap:
    """The same of a change, with its sign; none where it rounds to zero."""
    _, fits = ending(value, unit)
    return (
        NUMBER,
        lambda shown: shown.startswith("+") == (read(shown) > 0) and fits(shown.removeprefix("+")),
    )


def digits(value: float, count: int) -> Gap:
    """A gap for a number with so many significant digits."""
    return NUMBER, lambda shown: significant(shown, value, count)


def ratio_of(found: Number | None) -> Gap:
    """A gap for ``0.53 [0.51, 0.54]``."""
    return RATIO, lambda shown: ratio(shown, found)


def ratio_unit(found: Number) -> float:
    """What one is in the last digit of a ratio; see docs/recompute.md."""
    half = even_half(found)
    if half <= 1e-9:
        return 1e-3
    wanted = 2 if half >= 0.005 else 3
    wanted = max(wanted, 1 - math.floor(math.log10(found.value)))
    return float(10.0 ** -min(1 - math.floor(math.log10(half)), wanted))


def listed(names: list[str]) -> str:
    """``a, b and c``, and of more than four ``a, b, c, d and 2 more``."""
    if len(names) > 4:
        return f"{', '.join(names[:4])} and {len(names) - 4} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
