"""From a line of a trace to a sample in SI units: PTDaemon's log, tables, bare numbers. Pure.

A time stamp marks the end of the interval that a sample is the mean of.
"""

import contextlib
import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mode
from typing import NamedTuple

from bench.meter import MeterUnavailable
from bench.meters._trace_columns import Columns, columns
from bench.meters._trace_numbers import (
    UNIX_S,
    BadLineError,
    Number,
    Stamp,
    is_number,
    number,
    product,
    stamp,
    unix_factor,
)
from bench.meters._trace_wanted import Wanted

_PTDAEMON = re.compile(r"Time,\s*\d\d-\d\d-\d{4} ")
_COMMENT = re.compile(r"\s*(//|;|#(?![A-Za-z]))")  # "#time,power" is a header
_TWO_OR_ONE = re.compile(r"\s*-?\d+,\d+\s*")
_QUANTITY = re.compile(
    r"power|watt|energy|joule|current|(?<![a-z])[mµuk]?wh?(?![a-z])", re.IGNORECASE
)
_TWO = 2
_MANY = 50
PLAIN_LINES = 3
"""Lines that show a form: any one of them may be garbled."""


class Sample(NamedTuple):
    """One sample.

    Args:
        stamp: Its time in s since the clock's epoch; None where the line has no time.
        value: W or J.
        step: Smallest step of the number as it is written, W or J.
        stamp_step: Smallest step of the time as it is written, s.
    """

    stamp: float | None
    value: float
    step: float
    stamp_step: float


@dataclass(frozen=True, slots=True)
class Format:
    """How the lines of a source are read.

    Args:
        what: Its name, for people.
        parse: Gives a line's sample, or None for a line that is none; raises `BadLineError`.
        is_energy: Whether the samples are a running total in J, and not W.
        clock: What the stamps count from; None if the lines have no time.
    """

    what: str
    parse: Callable[[str], Sample | None]
    is_energy: bool
    clock: str | None


def recognise(lines: Sequence[str], wanted: Wanted, *, must: bool = False) -> Format | None:
    """How the *lines* of a source are to be read, from its first ones.

    With *must*, fewer than `PLAIN_LINES` have to do.

    Returns:
        The format, or None if there are too few lines to tell.

    Raises:
        MeterUnavailable: They are of no known form, or may mean several things.
    """
    shown = [line for line in lines if line.strip() and not _COMMENT.match(line)]
    if any(_PTDAEMON.match(line) for line in shown):
        return _ptdaemon(wanted)
    if not shown or (len(shown) < PLAIN_LINES and not must):
        return None
    shown[0] = shown[0].lstrip("\ufeff")  # the mark of Windows' UTF-8
    delimiter = max(",;\t", key=shown[0].count)
    header, *rows = _rows(shown, delimiter) or [[""]]
    bare = [line for line in shown[-_MANY:] if _is_bare(line)]
    if not _is_header(header) and 2 * len(bare) > len(shown[-_MANY:]):
        return _bare(bare, wanted)
    if not rows or (len(rows) < PLAIN_LINES and not must):
        return None
    return _table(columns(header, wanted), header, rows, delimiter, wanted)


def _row(line: str, delimiter: str) -> list[str]:
    """The fields of a line of a table.

    Raises:
        BadLineError: It is garbled: it has a carriage return inside.
    """
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise BadLineError(f"it cannot be split into columns ({error})") from error


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The fields of each line; one that is garbled is left out."""
    found: list[list[str]] = []
    for line in lines:
        with contextlib.suppress(BadLineError):
            found.append(_row(line, delimiter))
    return [row for row in found if row]


def _is_header(fields: Sequence[str]) -> bool:
    """Whether fields are names: none is a number or a time; one alone must name a quantity."""
    for field in fields:
        try:
            stamp(field)
        except BadLineError:
            continue
        return False
    return len(fields) >= _TWO or bool(_QUANTITY.search(fields[0]))


def _ptdaemon(wanted: Wanted) -> Format:
    """``Time,06-30-2025 09:15:01.250,Watts,31.4,Volts,229.8,…[,Ch1,Watts,…]``, in UTC."""
    if wanted.is_energy or wanted.amps is not None or wanted.time is not None:
        raise MeterUnavailable(
            "the lines are PTDaemon's, which hold watts", "give no column; or watts=Ch1"
        )
    channel = None if wanted.watts in {None, "Watts"} else wanted.watts
    factor = 1.0 if wanted.factor is None else wanted.factor

    def parse(line: str) -> Sample | None:
        if not line.startswith("Time,"):
            return None  # its log has messages between
        fields = [field.strip() for field in line.split(",")]
        when = stamp(fields[1])
        if channel is not None and channel not in fields:
            raise BadLineError(f"it has no channel {channel}")
        start = 0 if channel is None else fields.index(channel)
        try:
            text = fields[fields.index("Watts", start) + 1]
        except (ValueError, IndexError):
            raise BadLineError("it has no watts") from None
        watts = number(text)
        if watts.value == -1:
            raise BadLineError("PTDaemon marks it invalid (-1)")
        return Sample(when.seconds, watts.value * factor, watts.step * factor, when.step)

    what = "PTDaemon's lines" + (f", {channel}" if channel else "")
    return Format(what, parse, is_energy=False, clock=wanted.clock or "utc")


def _is_bare(line: str) -> bool:
    """Whether a line is a number, or a time and a number."""
    fields = _split(line)
    if len(fields) > _TWO or not is_number(fields[-1]):
        return False
    try:
        stamp(fields[0])
    except BadLineError:
        return len(fields) == 1  # a number that marks an invalid sample
    return True


def _split(line: str) -> list[str]:
    return [field for field in re.split(r"[\s,;]+", line.strip()) if field] or [""]


def _bare(lines: Sequence[str], wanted: Wanted) -> Format:
    """``31.5``, or ``1.234 31.5`` with the time first."""
    count = mode(len(_split(line)) for line in lines)
    first = next(line for line in lines if len(_split(line)) == count)
    if wanted.amps is not None or wanted.time is not None:
        raise MeterUnavailable(
            f"the lines have no columns with a name (the first is {first.strip()!r})",
            "leave out time=, volts= and amps=; unit= and scale= say what the number is",
        )
    if _TWO_OR_ONE.fullmatch(first):
        raise MeterUnavailable(
            f"the line {first.strip()!r} is one number or two",
            "write a point, or a space between time and power",
        )
    factor = 1.0 if wanted.factor is None else wanted.factor
    clock = None
    if count == _TWO:
        times = [_split(line)[0] for line in lines if len(_split(line)) == _TWO]
        clock = _usual_clock(times, None, wanted)

    def parse(line: str) -> Sample | None:
        if _COMMENT.match(line):
            return None
        fields = _split(line)
        if len(fields) != count:
            raise BadLineError(f"it has {len(fields)} fields, the others have {count}")
        when = stamp(fields[0]) if count == _TWO else None
        return _sample(when, clock, None, number(fields[-1]), factor)

    unit = "J" if wanted.is_energy else "W"
    per = "" if factor == 1 else f"{factor:g} "
    what = f"lines of {'a time and ' if count == _TWO else ''}a number, taken as {per}{unit}"
    return Format(what, parse, bool(wanted.is_energy), clock)


def _table(
    found: Columns,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    delimiter: str,
    wanted: Wanted,
) -> Format:
    """A table with a line of names."""
    comma = delimiter != ","
    names = [name.strip() for name in header]
    clock = None
    if found.time is not None:
        times = [row[found.time] for row in rows[-_MANY:] if len(row) == len(header)]
        clock = _usual_clock(times, found.time_factor, wanted)
    indices = [index for index in (found.time, found.value, found.volts) if isinstance(index, int)]

    def parse(line: str) -> Sample | None:
        fields = _row(line.lstrip("\ufeff"), delimiter)
        if _COMMENT.match(line) or [field.strip() for field in fields] == names:
            return None  # a logger that was started again writes its header again
        if len(fields) <= max(indices):
            raise BadLineError(f"it has {len(fields)} columns, the header has {len(names)}")
        when = None if found.time is None else stamp(fields[found.time], decimal_comma=comma)
        value = number(fields[found.value], decimal_comma=comma)
        factor = found.factor
        if isinstance(found.volts, float):
            factor *= found.volts
        elif isinstance(found.volts, int):
            value = product(value, number(fields[found.volts], decimal_comma=comma))
        return _sample(when, clock, found.time_factor, value, factor)

    return Format(f"a table ({found.names})", parse, found.is_energy, clock)


def _usual_clock(times: Sequence[str], time_factor: float | None, wanted: Wanted) -> str:
    """What the times of a trace count from; one of them may be garbled."""
    found: list[str] = []
    unclear: MeterUnavailable | None = None
    for text in times:
        try:
            found.append(_clock(stamp(text, decimal_comma=True), time_factor, wanted))
        except BadLineError:
            continue
        except MeterUnavailable as error:
            unclear = error
    if found:
        return mode(found)
    raise unclear or MeterUnavailable(
        f"the time {next(iter(times), '')!r} cannot be read",
        "name another column with time=, or write ISO 8601 (2025-06-30T09:15:01.250Z) or seconds",
    )


def _clock(when: Stamp, time_factor: float | None, wanted: Wanted) -> str:
    """What a time stamp counts from.

    Raises:
        MeterUnavailable: It is a date without a zone, and nobody said that it is UTC.
    """
    if wanted.clock is not None:
        return wanted.clock
    if when.clock == "local":
        raise MeterUnavailable(
            "the time stamps are dates without a zone",
            "give clock=utc if they are UTC (or let the logger write a Z); else clock=device, which"
            " places them by the time at which they come",
        )
    if when.clock is not None:
        return when.clock
    if time_factor is not None:
        return "unix" if UNIX_S[0] <= when.seconds * time_factor < UNIX_S[1] else "device"
    try:
        unix_factor(when.seconds)
    except BadLineError:
        return "device"
    return "unix"


def _sample(
    when: Stamp | None,
    clock: str | None,
    time_factor: float | None,
    read: Number,
    factor: float,
) -> Sample:
    value, step = read.value * factor, read.step * factor
    if when is None:
        return Sample(None, value, step, 0.0)
    per_unit = 1.0 if time_factor is None else time_factor
    if when.clock is not None:
        per_unit = 1.0  # it is a date
    elif time_factor is None and clock in {"utc", "unix"}:
        per_unit = unix_factor(when.seconds)
    return Sample(when.seconds * per_unit, value, step, when.step * per_unit)
