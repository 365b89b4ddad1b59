"""Reports for tests, and how to read their tables."""

from dataclasses import replace
from itertools import dropwhile, takewhile
from typing import Any

from journals import (
    LOCKED,
    PROCESS,
    Cost,
    Pairs,
    a_case,
    a_journal,
    a_run,
    package,
    quality,
)

from bench.compare import compare
from bench.quantities import Kind
from bench.record import Window
from bench.records import Journal
from bench.report.markdown import Report

HALF = [(package(0.010 + d, 0.001), package(0.005 + d, 0.0005)) for d in (0.0, 0.0001, 0.0002)]
SAME = [(package(0.010, 0.001), package(0.010, 0.001))] * 3
GUESS = [(Cost({PROCESS.id: 0.001}), Cost({PROCESS.id: 0.001}))] * 3


def report_of(journal: Journal, **others: Any) -> Report:
    return Report(compare([journal]), **others)


def measured(**others: Any) -> Journal:
    """A baseline, one that halves energy, one without gain, one that breaks quality."""
    cases: list[tuple[Any, Pairs]] = [
        (a_case(), SAME),
        (a_case("student", quality=quality(0.968)), HALF),
        (a_case("masked", nonzero=100, note="dense kernel"), SAME),
        (a_case("tiny", quality=quality(0.80)), HALF),
        (a_case("csr"), [(two, one) for one, two in HALF]),
    ]
    return a_journal(cases, **others)


def estimated(**run: Any) -> Journal:
    cases = [(a_case(), GUESS), (a_case("masked"), GUESS)]
    return a_journal(cases, run=a_run(channels=(PROCESS,), unusable=(LOCKED,), **run))


def grid_of(markdown: str) -> list[dict[str, str]]:
    """The rows of the first table, by header."""
    below = dropwhile(lambda line: not line.startswith("|"), markdown.splitlines())
    lines = takewhile(lambda line: line.startswith("|"), below)
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in rows]


def sampled(window: Window) -> Window:
    return replace(window, energy=tuple(replace(e, kind=Kind.SAMPLED) for e in window.energy))
