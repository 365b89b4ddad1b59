"""Real English sentences that every machine has: the docstrings of Python's standard library.

The same Python gives the same sentences; another one gives some others, and a workload that rests
on them hashes what it got.
"""

import ast
import functools
import hashlib
import re
import sysconfig
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.refusal import Refusal

MODULES = (
    "asyncio/events asyncio/streams asyncio/tasks bdb cmd code codecs concurrent/futures/_base"
    " configparser difflib email/header email/message fileinput ftplib gzip http/server ipaddress"
    " logging/__init__ logging/handlers os pathlib platform queue random sched smtplib socketserver"
    " statistics tempfile textwrap threading timeit traceback typing unittest/case urllib/parse"
    " uuid xml/sax/handler xml/sax/xmlreader"
)
"""Whose docstrings they are, divided by spaces; one that a Python lacks is left out."""

SHORTEST, LONGEST = 40, 240
"""Characters of a sentence."""

_BOUND = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,;:'\"()/.-]*\.")
"""What reads as prose: no markup, no code."""


@functools.cache
def sentences(folder: Path | None = None) -> tuple[str, ...]:
    """All of them, each once, in an order that is drawn but always the same.

    Args:
        folder: Of Python sources; by default the standard library.
    """
    source = folder or Path(sysconfig.get_paths()["stdlib"])
    found: set[str] = set()
    for name in MODULES.split():
        path = source / f"{name}.py"
        if path.is_file():
            tree = ast.parse(path.read_bytes())
            found.update(each for text in _docstrings(tree) for each in split(text))
    return tuple(sorted(found, key=lambda each: hashlib.sha256(each.encode()).digest()))


def required(number: int, known: Sequence[str] | None = None) -> Sequence[str]:
    """The sentences, of which there are *number* at least.

    Raises:
        Refusal: There are fewer, as in a Python that ships no sources.
    """
    found = sentences() if known is None else known
    if len(found) < number:
        raise Refusal(
            f"found {len(found)} sentences in the docstrings of the standard library, wanted"
            f" {number}",
            "take a Python that ships its library as source files",
        )
    return found


def split(docstring: str) -> Iterator[str]:
    r"""The sentences of a docstring that read as prose.

    >>> list(split("Short.\n\nThis one is prose that\n    goes over two lines. >>> code(1)"))
    ['This one is prose that goes over two lines.']
    """
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(docstring)):
        for each in _BOUND.split(" ".join(paragraph.split())):
            sentence = each.partition(" >>> ")[0]
            if SHORTEST <= len(sentence) <= LONGEST and _PLAIN.fullmatch(sentence):
                yield sentence


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield text
