"""What an export is: a pure function from tables to files, or a client that logs into a store.

Every format converts units at its own border, in one place; everything before it is SI. What a
format has no honest place for is left out, each with the reason.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.compare import Table

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class LeftOut(NamedTuple):
    """A case that a format does not take, and why."""

    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a file format makes of some tables.

    Args:
        files: Contents by what is added to the stem of the output file's name: ``""`` is the file
            itself, ``.cases`` stands beside it; of a folder by the stems of the files in it.
            Text is written as UTF-8.
        left_out: Cases that are in no file.
    """

    files: Mapping[str, str | bytes]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format that is files: the same tables give the same bytes.

    Args:
        about: What it is and who reads it, in one line.
        suffix: Ending of the default file, such as ``.junit.xml``, or of the folder.
        render: From tables to contents; it reads no clock, file or environment.
        inside: Ending of the files of a folder, such as ``.json``; empty for what is no folder.
    """

    about: str
    suffix: str
    render: Callable[[Sequence[Table]], Rendered]
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """What was put into a store.

    Args:
        runs: One line for each run, for people.
        left_out: Cases without any number in it.
    """

    runs: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreFormat:
    """A format that is a store of its own client, in a local folder: nothing is sent.

    Args:
        about: What it is and who reads it, in one line.
        suffix: Ending of the default folder, such as ``.mlflow``.
        log: Logs the tables of one journal into the store in a folder; the journal goes with them.
    """

    about: str
    suffix: str
    log: Callable[[Sequence[Table], Path], Logged]


def json_text(value: object) -> str:
    r"""A JSON document in ASCII; a number that is not finite is null: JSON has no word for it.

    >>> json_text({"a": [1.5, float("nan")], "b": "ü"})
    '{\n "a": [\n  1.5,\n  null\n ],\n "b": "\\u00fc"\n}\n'
    """
    return json.dumps(_finite(value), indent=1, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def xml_text(value: object) -> str:
    r"""Text that any XML document can hold: characters that XML forbids become ``U+FFFD``.

    >>> xml_text("a\x00b") == "a\ufffdb"
    True
    """
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", str(value))


def utf8_text(value: str) -> str:
    r"""Text that UTF-8 can hold: halves of surrogate pairs become escapes.

    >>> utf8_text("a\ud800b")
    'a\\ud800b'
    """
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def slugs(names: Iterable[str], joint: str = "/") -> dict[str, str]:
    """Each name as letters that every file system and store takes, no two alike.

    Several that would be alike, and those that had to be cut, end with a part of their hash.

    Args:
        names: Such as ids of cases.
        joint: What stands for their slashes; `_` in names of files.

    >>> list(slugs(["a/b=1", "x"]).values())
    ['a/b-1', 'x']
    """
    plain = {name: joint.join(_parts(name)) for name in dict.fromkeys(names)}
    counts: dict[str, int] = {}
    for slug in plain.values():
        counts[slug.lower()] = counts.get(slug.lower(), 0) + 1
    return {
        name: slug
        if counts[slug.lower()] == 1 and len(slug) <= _LONGEST
        else f"{slug[:_LONGEST]}-{_digest(name)}"
        for name, slug in plain.items()
    }


_LONGEST = 150
"""Most letters of a slug: file systems take 255 with an ending, MLflow 250 with a metric's name."""


def _parts(name: str) -> list[str]:
    """What stands between slashes: no part is empty or the dots of a folder."""
    parts = (re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip(".-") for part in name.split("/"))
    return [part or "_" for part in parts]


def _digest(name: str) -> str:
    from hashlib import sha256

    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
