"""A line of a journal as JSON values, without what no journal holds: strangers write lines too."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

LARGEST = 1e30
"""No number of a journal is larger: the squares and ratios of statistics stay finite."""

SMALLEST = 1e-100
"""No number but 0 is nearer to 0: what is divided by it stays finite."""

LONGEST_TEXT = 2**20
"""Characters of the longest text that a journal may hold."""

_MOST_DIGITS = 20  # of a whole number: 64 bits
_WHOLE = 2**63
_SHOWN = 60
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # a surrogate, alone or one of two


def parse(line: str) -> Any:  # noqa: ANN401 - whatever the line holds
    """The value of one line of JSON.

    Raises:
        ValueError: It is no JSON, or holds what no journal holds: a number that is not finite or
            absurd, half of a surrogate pair, a text without end, a field twice, lists in lists
            without end.
    """
    try:
        value = json.loads(
            line,
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_whole,
            object_pairs_hook=_object_once,
        )
    except RecursionError:
        raise ValueError("found lists within lists without end, wanted a record") from None
    if len(line) > LONGEST_TEXT or _HALF_A_PAIR.search(line):
        _require_text(value)
    return value


def _constant(word: str) -> float:
    raise ValueError(f"found the number {word}, wanted a finite one")


def _number(digits: str) -> float:
    value = float(digits)
    if not (value == 0 or SMALLEST <= abs(value) <= LARGEST):
        raise ValueError(
            f"found the number {one_line(digits)}, wanted 0 or {SMALLEST:g} to {LARGEST:g}"
        )
    return value


def _whole(digits: str) -> int:
    value = int(digits) if len(digits) <= _MOST_DIGITS else _WHOLE
    if abs(value) >= _WHOLE:
        raise ValueError(f"found the number {one_line(digits)}, wanted one of 64 bits")
    return value


def _object_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name that stands twice in it would hide a value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"found the field {short(twice)} twice, wanted it once")
    return found


def _require_text(value: object) -> None:
    """Refuses texts that are too long or cannot be written in UTF-8, wherever they stand."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError(
                f"found a text of {len(value)} characters, wanted at most {LONGEST_TEXT}"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("found half of a surrogate pair in a text, wanted Unicode") from None
    elif isinstance(value, Mapping):
        for name, each in value.items():
            _require_text(name)
            _require_text(each)
    elif isinstance(value, list):
        for each in value:
            _require_text(each)


def short(value: object) -> str:
    """A value in an error: one printable line, cut where it is long."""
    if isinstance(value, str):
        return repr(one_line(value))
    if type(value) is float and math.isfinite(value):
        return repr(value)  # as JSON has it, and at once: a journal is asked a million times
    return one_line(json.dumps(value, default=str))


def one_line(text: str) -> str:
    """A text as one printable line, cut where it is long."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * _SHOWN])
    return f"{line[:_SHOWN]}…" if len(line) > _SHOWN else line
