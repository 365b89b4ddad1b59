"""Whether a line of a journal is what the schema says it is: a journal is evidence, not trusted.

`bench/schema/journal-1.json` is the only source of what a record may hold; here it becomes checks
that run without any library, so that the reader refuses what the schema refuses. Only the words of
JSON Schema that this schema uses are known.
"""

import functools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

LARGEST = 1e30
"""No number of a journal is larger: the squares and ratios of statistics stay finite."""

SMALLEST = 1e-100
"""No number but 0 is nearer to 0: what is divided by it stays finite."""

LONGEST_TEXT = 2**20
"""Characters of the longest text that a journal may hold."""

_MOST_DIGITS = 20  # of a whole number: 64 bits
_WHOLE = 2**63
_SHOWN = 60
_NULL = {"type": "null"}
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # a surrogate, alone or one of two


class Fault(NamedTuple):
    """What is wrong, and where in the line.

    Args:
        path: Names of fields and places in lists.
        text: What was found, and what was wanted.
    """

    path: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        found, _, wanted = self.text.partition(", wanted ")
        at = f" in {'/'.join(self.path)}" if self.path else ""
        return f"{found}{at}, wanted {wanted}"


Check = Callable[[Any], Fault | None]


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
            f"found the number {_line(digits)}, wanted 0 or {SMALLEST:g} to {LARGEST:g}"
        )
    return value


def _whole(digits: str) -> int:
    value = int(digits) if len(digits) <= _MOST_DIGITS else _WHOLE
    if abs(value) >= _WHOLE:
        raise ValueError(f"found the number {_line(digits)}, wanted one of 64 bits")
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


def fault_of(name: str, record: Mapping[str, Any]) -> Fault | None:
    """What is wrong with a record, or None.

    Args:
        name: Its type, such as ``window``; the schema has it.
        record: The parsed line, the field ``record`` included.
    """
    return _checks()[name](record)


@functools.cache
def _checks() -> Mapping[str, Check]:
    text = (files("bench") / "schema" / "journal-1.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    names = [each["$ref"].rpartition("/")[2] for each in schema["oneOf"]]
    return {name: _compiled(schema["$defs"][name], schema["$defs"]) for name in names}


def _compiled(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    """The check that a node of the schema stands for."""
    if "$ref" in node:
        return _compiled(defs[node["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in node:
        return _nullable([each for each in node["anyOf"] if each != _NULL], defs)
    makers = dict.fromkeys(make for word, make in _WORDS.items() if word in node)
    checks = [make(node, defs) for make in makers]
    return checks[0] if len(checks) == 1 else functools.partial(_all, checks)


def _all(checks: Sequence[Check], value: object) -> Fault | None:
    for check in checks:
        if (fault := check(value)) is not None:
            return fault
    return None


def _nullable(nodes: Sequence[Mapping[str, Any]], defs: Mapping[str, Any]) -> Check:
    """The one use of ``anyOf``: something, or null."""
    (node,) = nodes
    check = _compiled(node, defs)
    return lambda value: None if value is None else check(value)


_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "null": ("null", lambda v: v is None),
    "boolean": ("true or false", lambda v: isinstance(v, bool)),
    "string": ("a text", lambda v: isinstance(v, str)),
    "integer": ("a whole number", lambda v: type(v) is int),
    "number": ("a number", lambda v: type(v) is float or type(v) is int),
    "array": ("a list", lambda v: isinstance(v, list)),
    "object": ("an object", lambda v: isinstance(v, dict)),
}


def _type(node: Mapping[str, Any], _: object) -> Check:
    names = [node["type"]] if isinstance(node["type"], str) else node["type"]
    wanted = " or ".join(_TYPES[name][0] for name in names)
    tests = [_TYPES[name][1] for name in names]
    if len(tests) == 1:
        (test,) = tests
        return lambda v: None if test(v) else _fault(v, wanted)
    return lambda v: None if any(test(v) for test in tests) else _fault(v, wanted)


def _enum(node: Mapping[str, Any], _: object) -> Check:
    known = node["enum"] if "enum" in node else [node["const"]]
    wanted = " or ".join(map(str, known)) if len(known) < 3 else f"one of {', '.join(known)}"  # noqa: PLR2004 - two are no list
    return lambda v: None if v in known and not isinstance(v, bool) else _fault(v, wanted)


def _range(node: Mapping[str, Any], _: object) -> Check:
    low, high = node.get("minimum", -math.inf), node.get("maximum", math.inf)
    above = node.get("exclusiveMinimum", -math.inf)
    ends = (("at least", "minimum"), ("more than", "exclusiveMinimum"), ("at most", "maximum"))
    wanted = " and ".join(f"{word} {node[name]}" for word, name in ends if name in node)
    return lambda v: None if low <= v <= high and v > above else _fault(v, wanted)


def _pattern(node: Mapping[str, Any], _: object) -> Check:
    pattern = re.compile(node["pattern"].replace("$", r"\Z"))
    return lambda v: None if pattern.search(v) else _fault(v, f"a text like {node['pattern']}")


def _length(node: Mapping[str, Any], _: object) -> Check:
    least = node.get("minLength", node.get("minItems", 0))
    most = node.get("maxItems", math.inf)
    return lambda v: None if least <= len(v) <= most else _fault(v, f"a length of {least} or more")


def _object(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    fields = {name: _compiled(each, defs) for name, each in node.get("properties", {}).items()}
    others = node.get("additionalProperties", True)
    other = _compiled(others, defs) if isinstance(others, Mapping) else None
    required = node.get("required", ())

    def check(value: Mapping[str, Any]) -> Fault | None:
        for name in required:
            if name not in value:
                return Fault((), f"found no field {name}, wanted one")
        for name, each in value.items():
            known = fields.get(name, other)
            if known is None:
                if others is False:
                    return Fault((), f"found the unknown field {short(name)}, wanted none")
            elif (fault := known(each)) is not None:
                return Fault((_line(name), *fault.path), fault.text)
        return None

    return check


def _list(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    first = [_compiled(each, defs) for each in node.get("prefixItems", ())]
    rest = _compiled(node["items"], defs) if isinstance(node["items"], Mapping) else None

    def check(value: Sequence[Any]) -> Fault | None:
        if rest is None and len(value) > len(first):
            return _fault(value, f"{len(first)} items")
        for place, each in enumerate(value):
            known = first[place] if place < len(first) else rest
            if known is not None and (fault := known(each)) is not None:
                return Fault((str(place), *fault.path), fault.text)
        return None

    return check


def _condition(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    test, yes, no = (_compiled(node[word], defs) for word in ("if", "then", "else"))
    return lambda v: (no if test(v) else yes)(v)


_WORDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Check]] = {
    "type": _type,
    "const": _enum,
    "enum": _enum,
    "minimum": _range,
    "exclusiveMinimum": _range,
    "maximum": _range,
    "pattern": _pattern,
    "minLength": _length,
    "minItems": _length,
    "properties": _object,
    "additionalProperties": _object,
    "items": _list,
    "if": _condition,
}
"""What each word of the schema becomes, in the order in which they are looked at: types first."""


def _fault(value: object, wanted: str) -> Fault:
    return Fault((), f"found {short(value)}, wanted {wanted}")


def short(value: object) -> str:
    """A value in an error: one printable line, cut where it is long."""
    if isinstance(value, str):
        return repr(_line(value))
    return _line(json.dumps(value, default=str))


def _line(text: str) -> str:
    """A text as one printable line, cut where it is long."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * _SHOWN])
    return f"{line[:_SHOWN]}…" if len(line) > _SHOWN else line
