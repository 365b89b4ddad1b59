"""The sound journal of `foreign` with one thing changed, and all that is said of it."""

from pathlib import Path
from typing import Any

from foreign import Line, rich

from bench.compare import compare
from bench.record import JournalError
from bench.records import Journal, read
from bench.report.markdown import Report, page
from bench.report.terminal import lines as terminal_lines
from bench.report.write import csv

LINES = rich()


def read_or_error(path: Path) -> Journal | str:
    """A journal, or why it cannot be read; any other exception fails the test."""
    try:
        return read(path)
    except JournalError as error:
        return str(error)


def said_of(journal: Journal) -> str:
    """All that is said of a journal without drawing."""
    tables = compare([journal])
    said = "\n".join((page(Report(tables)), csv(tables), *terminal_lines(tables)))
    assert "could not be written" not in said
    return said


def window(**changes: Any) -> list[Line]:
    """The lines with other fields in the first window of a baseline."""
    at = next(n for n, line in enumerate(LINES) if line.get("role") == "baseline")
    return [*LINES[:at], {**LINES[at], **changes}, *LINES[at + 1 :]]


def energy(**changes: Any) -> list[Line]:
    """The lines with other fields in the first energy of that window."""
    first = next(line for line in LINES if line.get("role") == "baseline")["energy"]
    return window(energy=[{**first[0], **changes}, *first[1:]])


def run(**changes: Any) -> list[Line]:
    return [{**LINES[0], **changes}, *LINES[1:]]


def case(**changes: Any) -> list[Line]:
    at = next(n for n, line in enumerate(LINES) if line["record"] == "case")
    return [*LINES[:at], {**LINES[at], **changes}, *LINES[at + 1 :]]


def channel(**changes: Any) -> list[Line]:
    first, *others = LINES[0]["channels"]
    return run(channels=[{**first, **changes}, *others])
