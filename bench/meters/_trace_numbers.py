"""Numbers and times as they are written in a trace, each with its smallest step: pure functions."""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

_INVALID = 9e37  # SCPI's not-a-number is 9.91E+37
_PTD_DATE = re.compile(r"\d\d-\d\d-\d{4} ")
_ISO_DATE = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d")
_OF_DAY = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d\d(?:[.,]\d+)?)")
UNIX_S = (1e9, 4.1e9)
"""From 2001 to 2099, s: a time since 1970 in another unit is far outside."""


class BadLineError(ValueError):
    """A line that gives no sample, with the reason."""


class Number(NamedTuple):
    """A number, and the step in which it is written."""

    value: float
    step: float


class Stamp(NamedTuple):
    """A time, its step, and what it counts from where that is plain: utc, local, or device."""

    seconds: float
    step: float
    clock: str | None


def number(text: str, *, decimal_comma: bool = False) -> Number:
    """A number and the step in which it is written, zeros at its end left out.

    Raises:
        BadLineError: It is none, or stands for an invalid sample.

    >>> number("31.400000")
    Number(value=31.4, step=0.1)
    """
    plain = text.strip()
    if decimal_comma and plain.count(",") == 1:
        plain = plain.replace(",", ".")
    try:
        value, exact = _float(plain), Decimal(plain)
    except (ValueError, InvalidOperation):
        raise BadLineError(f"{plain!r} is no number") from None
    if not math.isfinite(value) or abs(value) > _INVALID:
        raise BadLineError(f"the meter marks it invalid ({plain})")
    exponent = int(exact.normalize().as_tuple().exponent)
    return Number(value, 10.0 ** min(0, exponent))


def is_number(text: str) -> bool:
    """Whether a text is a number, valid or not."""
    try:
        _float(text)
    except ValueError:
        return False
    return True


def _float(text: str) -> float:
    """A number of ASCII digits: Python also takes ``12_5`` for 125, which may be a garbled 12.5."""
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} has more than digits")
    return float(text)


def product(one: Number, other: Number) -> Number:
    """Two numbers multiplied; its step is what the steps of both make of it."""
    step = abs(one.value) * other.step + abs(other.value) * one.step + one.step * other.step
    return Number(one.value * other.value, step)


def stamp(text: str, *, decimal_comma: bool = False) -> Stamp:
    """A time: seconds, ISO 8601, PTDaemon's date, or a time of day.

    Raises:
        BadLineError: It is none of these.

    >>> stamp("06-30-2025 09:15:01.250").seconds - stamp("2025-06-30T09:15:01Z").seconds
    0.25
    """
    text = text.strip()
    digits = re.search(r":\d\d[.,](\d+)", text)
    step = 10.0 ** -len(digits.group(1)) if digits else 1.0
    try:
        if _PTD_DATE.match(text):
            month, day, year, of_day = re.split(r"[- ]", text, maxsplit=3)
            date = datetime.fromisoformat(f"{year}-{month}-{day}T{of_day}")
            return Stamp(_since_1970(date), max(step, 1e-6), "utc")
        if _ISO_DATE.match(text):
            date = datetime.fromisoformat(text)
            clock = "local" if date.tzinfo is None else "utc"
            return Stamp(_since_1970(date), max(step, 1e-6), clock)
    except ValueError:
        raise BadLineError(f"the time {text!r} is no date") from None
    if time_of_day := _OF_DAY.fullmatch(text):
        hours, minutes, seconds = time_of_day.groups(default="0")
        total = int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
        return Stamp(total, step, "device")
    found = number(text, decimal_comma=decimal_comma)
    exponent = int(Decimal(text.replace(",", ".")).as_tuple().exponent)  # a time's zeros are meant
    return Stamp(found.value, 10.0 ** min(0, exponent), None)


def unix_factor(count: float) -> float:
    """Seconds per unit of a time since 1970, by its size: s, ms, µs or ns.

    Raises:
        BadLineError: It is no such time.

    >>> unix_factor(1_751_274_901_250)
    0.001
    """
    for factor in (1.0, 1e-3, 1e-6, 1e-9):
        if UNIX_S[0] <= count * factor < UNIX_S[1]:
            return factor
    raise BadLineError(f"{count:g} is no time since 1970")


def _since_1970(date: datetime) -> float:
    aware = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
