"""Whether a number that is shown is a value, to the digits that docs/recompute.md promises."""

import math
import re
from collections.abc import Iterator
from itertools import groupby

from recompute import Number

PREFIX = {"k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}
NUMBER = r"−?[0-9][0-9.\u202f]*"


def grids(page: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Each table of a page: the line of bold text above it, its header, its rows."""
    above = ""
    for is_table, group in groupby(page.splitlines(), lambda line: line.startswith("|")):
        lines = list(group)
        if not is_table:
            above = next((line for line in reversed(lines) if line.startswith("**")), above)
            continue
        cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
        yield above, cells[0], cells[2:]


def number(text: str) -> float:
    return float(text.replace("\u202f", "").replace("−", "-"))


def digits_of(half: float) -> float:
    """The unit of the last digit of a value with this ±: two digits of 10 to 35, else one."""
    exponent = math.floor(math.log10(half))
    return float(10.0 ** (exponent - (half / 10.0**exponent < 3.55)))


def rounds_to(shown: str, value: float, unit: float) -> bool:
    """Whether it is the multiple of *unit* next to a value; of two that are as near, either."""
    steps = number(shown) / unit
    whole = abs(steps - round(steps)) <= 1e-6
    return whole and abs(number(shown) - value) <= 0.5 * unit * (1 + 1e-9)


def significant(shown: str, value: float, digits: int = 3) -> bool:
    if value == 0:
        return number(shown) == 0
    leading = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    return rounds_to(shown, value, 10.0 ** (leading - digits + 1))


def plus_minus(shown: str, value: float, half: float) -> bool:
    if half <= abs(value) * 1e-9:
        return significant(shown, value)
    unit = digits_of(half)
    if shown.startswith("< "):
        swallowed = abs(value) < 0.5 * unit * (1 + 1e-9)
        return swallowed and rounds_to(shown[2:], abs(value) + half, unit)
    one, _, other = shown.partition(" ± ")
    return rounds_to(one, value, unit) and rounds_to(other, half, unit)


def ratio(shown: str, found: Number | None) -> bool:
    """``A/A 1.00 [0.99, 1.01]``; all three end at the same decimal, two or three of them."""
    numbers = re.findall(NUMBER, shown)
    if found is None or len(numbers) < 3:
        return found is None and shown in {"1", "—"}
    decimals = {len(each.partition(".")[2]) for each in numbers}
    ends = (found.value, found.low or 0.0, found.high or 0.0)
    unit = 10.0 ** -max(decimals)
    half = (ends[2] - ends[1]) / 2
    wanted = min(1 - math.floor(math.log10(half)), 2 if half >= 0.005 else 3) if half > 1e-9 else 3
    fits = max(decimals) >= max(0, wanted)
    return fits and all(
        rounds_to(each, end, unit if wanted >= 0 else 10.0**-wanted)
        for each, end in zip(numbers, ends, strict=True)
    )


def outward(shown: str, found: Number) -> bool:
    """``≈ 29–700 est.`` or ``< 57 est.``: two digits, rounded away from the value."""
    low, high = found.low or 0.0, found.high or 0.0
    numbers = [number(each) for each in re.findall(NUMBER, shown)]
    wanted = [high] if low <= 0 else [low, high]
    if len(numbers) != len(wanted):
        return False
    units = [10.0 ** (math.floor(math.log10(end)) - 1) for end in wanted]
    steps = [each / unit for each, unit in zip(numbers, units, strict=True)]
    if any(abs(each - round(each)) > 1e-6 for each in steps):
        return False
    above = -1e-6 * units[-1] <= numbers[-1] - high <= units[-1] * (1 + 1e-6)
    below = len(wanted) == 1 or -1e-6 <= (low - numbers[0]) / units[0] <= 1 + 1e-6
    return above and below


def scaled(found: Number | None, header: str) -> Number | None:
    """A number in the prefixed unit of its header: ``energy, mJ per image``."""
    if found is None:
        return None
    prefix = re.search(r", (k|m|µ|n|)(?:J|W|s)\b", header)
    assert prefix, header
    factor = PREFIX[prefix[1]]
    low, high = (None if end is None else end / factor for end in (found.low, found.high))
    return Number(found.value / factor, low, high, found.n)


def half(found: Number) -> float:
    """The longer side of an interval."""
    low, high = found.low, found.high
    return 0.0 if low is None or high is None else max(high - found.value, found.value - low)


def even_half(found: Number) -> float:
    return 0.0 if found.low is None or found.high is None else (found.high - found.low) / 2


def absent(shown: str) -> bool:
    return shown.startswith("—")
