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

from bench.journal_line import one_line, short

_NULL = {"type": "null"}


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
    check = checks[0] if len(checks) == 1 else functools.partial(_all, checks)
    return check if _HOLDS_OTHERS & set(node) else _quick(node, check)


_HOLDS_OTHERS = {"properties", "additionalProperties", "items", "if"}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "number": (float, int),
    "array": (list,),
    "object": (dict,),
}


def _quick(node: Mapping[str, Any], check: Check) -> Check:
    """A check that passes the usual value at once: journals hold a million of them."""
    if "enum" in node:
        known = frozenset(node["enum"])
        return lambda v: None if type(v) is str and v in known else check(v)
    if not isinstance(node.get("type"), str) or {"pattern", "minLength", "const"} & set(node):
        return check
    kinds = _KINDS[node["type"]]
    if not {"minimum", "maximum", "exclusiveMinimum"} & set(node):
        return lambda v: None if type(v) in kinds else check(v)
    low, high = node.get("minimum", -math.inf), node.get("maximum", math.inf)
    above = node.get("exclusiveMinimum", -math.inf)
    return lambda v: None if type(v) in kinds and low <= v <= high and v > above else check(v)


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


_SAID: Mapping[str, str] = {
    "null": "null",
    "boolean": "true or false",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
}


def _type(node: Mapping[str, Any], _: object) -> Check:
    names = [node["type"]] if isinstance(node["type"], str) else node["type"]
    wanted = " or ".join(_SAID[name] for name in names)
    kinds = tuple(kind for name in names for kind in _KINDS[name])
    return lambda v: None if type(v) in kinds else _fault(v, wanted)


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
    if not required and others is True:
        return functools.partial(_fields, fields)

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
                return Fault((one_line(name), *fault.path), fault.text)
        return None

    return check


def _fields(fields: Mapping[str, Check], value: Mapping[str, Any]) -> Fault | None:
    """The fault of an object that may have any other field."""
    for name, check in fields.items():
        if name in value and (fault := check(value[name])) is not None:
            return Fault((name, *fault.path), fault.text)
    return None


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
