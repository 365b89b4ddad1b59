"""Numbers and names as text: never more digits than an interval supports, never a false zero.

Rounding follows the rule of the Particle Data Group (PDG 2024, Introduction §5.3): an uncertainty
keeps two digits if they are 10 to 35, else one, and the value ends where its uncertainty ends.
"""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from bench.quantities import Quantity
from bench.statistics import Interval

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"

_PREFIXES = ((1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_TWO_DIGITS_UP_TO = 3.55  # leading digits of an uncertainty that keeps two of them (PDG)
_NO_SPREAD = 1e-9  # relative: below it an interval is a rounding error, not a finding
_MOST_DIGITS = 1e15  # a larger number is no one's: it is shown as a power of ten, not in digits
_FORMULAS = ("=", "+", "-", "@")  # how a formula begins in a spreadsheet
_WILD = 1e6  # an interval that goes from less than 1/_WILD to more than _WILD says nothing
_ENTITIES = {ord(c): f"&#{ord(c)};" for c in "|`*[]~\\#$!"} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}


@dataclass(frozen=True, slots=True)
class Prefix:
    """An engineering prefix that one column keeps.

    Args:
        symbol: Such as ``m``; empty for the unit itself.
        factor: What one prefixed unit is in the unit itself: 1e-3 for ``m``.
    """

    symbol: str
    factor: float


def prefix(values: Iterable[float]) -> Prefix:
    """The prefix that brings the median of *values* between 1 and 1000.

    >>> prefix([0.002, 0.0123, 0.5]).symbol
    'm'
    """
    sizes = [abs(value) for value in values if value]
    typical = statistics.median(sizes) if sizes else 1.0
    for factor, symbol in _PREFIXES:
        if typical >= factor:
            return Prefix(symbol, factor)
    return Prefix(_PREFIXES[-1][1], _PREFIXES[-1][0])


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals, a real minus and thin thousands; negative decimals round.

    >>> fixed(-0.25, 1), fixed(12345.0, -2).replace(THIN, "'")
    ('−0.2', "12'300")
    """
    if abs(value) >= _MOST_DIGITS:
        return f"{value:.1e}".replace("e+", "×10^").replace("-", MINUS)
    rounded = round(value, decimals)
    text = f"{abs(rounded):,.{max(0, decimals)}f}".replace(",", THIN)
    return f"{MINUS}{text}" if rounded < 0 else text


def significant(value: float, digits: int = 3) -> str:
    """A number without interval, to some significant digits, never in powers of ten.

    >>> significant(0.012345), significant(212.4), significant(0)
    ('0.0123', '212', '0')
    """
    return fixed(value, _decimals(value, digits)) if value else "0"


def _decimals(value: float, digits: int) -> int:
    """How many decimals show *value* to *digits* significant digits, after rounding."""
    leading = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    return digits - 1 - leading


def _decimals_of_uncertainty(half: float) -> int:
    """Where a value with this half-width ends, by the rule of the module."""
    exponent = math.floor(math.log10(half))
    return 1 - exponent if half / 10**exponent < _TWO_DIGITS_UP_TO else -exponent


def plus_minus(value: float, half: float) -> str:
    """``value ± half``, both ending at the same digit.

    A value that its uncertainty swallows is shown as a bound, not as zero.

    >>> plus_minus(48.03, 0.91), plus_minus(91.23, 1.42), plus_minus(1234.0, 250.0)
    ('48.0 ± 0.9', '91.2 ± 1.4', '1\u202f230 ± 250')
    >>> plus_minus(0.001, 3.0)
    '< 3.0'
    """
    if half <= abs(value) * _NO_SPREAD:
        return significant(value)
    decimals = _decimals_of_uncertainty(half)
    if round(value, decimals) == 0:
        return f"< {fixed(abs(value) + half, decimals)}"
    return f"{fixed(value, decimals)} ± {fixed(half, decimals)}"


def quantity(value: Quantity, scale: Prefix) -> str:
    """A quantity in the column's prefixed unit; ± is the longer side of its interval."""
    half = max(value.high - value.value, value.value - value.low)
    return plus_minus(value.value / scale.factor, half / scale.factor)


def interval(value: Interval) -> str:
    """A mean with its 95 % interval, as ``value ± half``; ± is the longer side, as one may be cut.

    >>> interval(Interval(2.0, 0.0, 5.0, 6))
    '2.0 ± 3.0'
    """
    return plus_minus(value.value, max(value.high - value.value, value.value - value.low))


def estimate(value: Quantity, scale: Prefix, unit: str = "") -> str:
    """An estimate as the range that it is, rounded outward: ``≈ 0.4–2.1 mJ est.``.

    Args:
        value: The estimate; only its interval is shown.
        scale: The column's prefix.
        unit: Such as ``J``, or nothing where the header holds the unit.
    """
    shown = f" {scale.symbol}{unit}" if unit else ""
    high = _outward(value.high / scale.factor, up=True)
    if value.low <= 0 or value.high >= _MOST_DIGITS * scale.factor:
        return f"< {high}{shown} est."
    return f"≈ {_outward(value.low / scale.factor, up=False)}–{high}{shown} est."


def at_least(value: float) -> str:
    """A positive number to two significant digits, rounded down only: it is no more than the value.

    >>> at_least(0.518), at_least(0.6), at_least(5.0)
    ('0.51', '0.60', '5.0')
    """
    return _outward(value, up=False)


def _outward(value: float, *, up: bool) -> str:
    """Two significant digits, rounded up or down only."""
    if value == 0:
        return "0"
    decimals = 1 - math.floor(math.log10(value))
    whole = value * 10.0**decimals
    near = round(whole)
    # 2.1 is stored as 2.1000000000000001: do not round that up to 2.2
    steps = near if math.isclose(whole, near, rel_tol=1e-9) else int(whole) + up
    return fixed(steps / 10.0**decimals, decimals)


def ratio_decimals(value: Interval) -> int:
    """How many decimals a ratio has: two, three where the interval is narrow, fewer if wide."""
    half = (value.high - value.low) / 2
    if half <= _NO_SPREAD:
        return 3
    most = 1 - math.floor(math.log10(half))  # two digits of the uncertainty
    wanted = 2 if half >= 0.005 else 3  # noqa: PLR2004 - half of the second decimal
    if value.value > 0:
        wanted = max(wanted, 1 - math.floor(math.log10(value.value)))
    return min(most, wanted)


def ratio(value: Interval) -> str:
    """``0.53 [0.51, 0.54]``; an end that is absurd is shown as a bound.

    >>> ratio(Interval(0.526, 0.511, 0.541, 6))
    '0.53 [0.51, 0.54]'
    >>> ratio(Interval(1.0, 1e-90, 1e90, 2)).replace(THIN, "'")
    "1 [< 0.000001, > 1'000'000]"
    """
    if value.low < 1 / _WILD or value.high > _WILD:
        return f"{_bounded(value.value)} [{_bounded(value.low)}, {_bounded(value.high)}]"
    d = ratio_decimals(value)
    return f"{fixed(value.value, d)} [{fixed(value.low, d)}, {fixed(value.high, d)}]"


def _bounded(value: float) -> str:
    """A ratio to one digit, or the bound that it lies beyond."""
    if value < 1 / _WILD:
        return f"< {fixed(1 / _WILD, 6)}"
    return f"> {fixed(_WILD, 0)}" if value > _WILD else significant(value, 1)


def signed(value: float, decimals: int = 1) -> str:
    """A change with its sign; none where it rounds to zero.

    >>> signed(-0.21), signed(0.4), signed(-0.01)
    ('−0.2', '+0.4', '0.0')
    """
    rounded = round(value, decimals)
    return f"+{fixed(value, decimals)}" if rounded > 0 else fixed(value, decimals)


def size(count: int | None) -> str:
    """Bytes as B, KiB, MiB or GiB.

    >>> size(46_871_347), size(900), size(None)
    ('44.7 MiB', '900 B', '—')
    """
    if count is None:
        return "—"
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{significant(count / factor)} {unit}"
    return f"{count} B"


def count(number: int | None) -> str:
    """A count with thin thousands, or a dash."""
    return "—" if number is None else fixed(number, 0)


def plain(text: object) -> str:
    r"""Any value as one printable line: what a terminal cannot be tricked by.

    >>> plain("a\nb\x1b[31m\u202e")
    'a b [31m'
    """
    line = str(text)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    return " ".join(line.split())


def escape(text: object) -> str:
    """Any value as harmless Markdown: no markup, no HTML, no pipe and no line break survives.

    >>> escape("<b>|x")
    '&lt;b&gt;&#124;x'
    """
    return plain(text).translate(_ENTITIES).replace("://", "&#58;//")


def address(name: str) -> str:
    """A file beside the page as the address of a link or image."""
    return escape(name).replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def cell(value: object) -> object:
    """A value for a sheet: a text is one printable line, and no formula that a program would run.

    >>> cell("=1+1"), cell(-1.0)
    ("'=1+1", -1.0)
    """
    if not isinstance(value, str):
        return value
    line = plain(value)
    return f"'{line}" if line.startswith(_FORMULAS) else line


def code(text: object) -> str:
    """Any value as ``<code>``, harmless as well: Markdown is read inside of it too.

    >>> code("![a](b)")
    '<code>&#33;&#91;a&#93;(b)</code>'
    """
    return f"<code>{escape(text)}</code>"


def superscript(number: int) -> str:
    """A footnote's mark.

    >>> superscript(12)
    '¹²'
    """
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
