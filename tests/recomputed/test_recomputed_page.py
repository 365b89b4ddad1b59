"""Every number of the page can be made again from the journal; see `recompute`.

The rules stand in the modules `shown_*`, which are found: `ROWS` by the header of a table, `LINES`
by the words of a line. A line with a number that no rule knows is a fault, and so is a rule that
cannot tell a number from another one.
"""

import ast
import importlib
import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from page_pieces import LineCheck, Piece, RowCheck, altered, has_number, is_known, is_right, pieces
from recomputed_journals import JOURNALS, source, tables, written

HERE = Path(__file__).parent
RULES = [importlib.import_module(path.stem) for path in sorted(HERE.glob("shown_*.py"))]
ROWS: dict[str, RowCheck] = {p: c for each in RULES for p, c in getattr(each, "ROWS", {}).items()}
LINES: dict[str, LineCheck] = {
    p: c for each in RULES for p, c in getattr(each, "LINES", {}).items()
}
MOST = 12
"""Alterations that are tried of each kind of row or line on a page."""


def test_the_recomputation_shares_no_code_with_the_report() -> None:
    own = {
        path.stem
        for name in ("recompute*", "shown_*", "page_*")
        for path in HERE.glob(f"{name}.py")
    }
    own -= {"recomputed_journals"}
    outside = {
        "collections", "collections.abc", "csv", "dataclasses", "datetime", "functools", "html",
        "html.parser", "itertools", "json", "math", "pathlib", "re", "scipy.stats", "statistics",
        "typing",
    }  # fmt: skip
    for module in own:
        nodes = list(ast.walk(ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))))
        names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

        assert names <= own | outside, module


def test_no_rule_hides_another() -> None:
    for name, found in (("ROWS", ROWS), ("LINES", LINES)):
        assert len(found) == sum(len(getattr(each, name, {})) for each in RULES)


@cache
def numbers(name: str) -> list[Piece]:
    """The pieces of a page that hold a number."""
    found = pieces(written(name)[1][".md"], source(name))
    return [piece for piece in found if has_number(piece)]


@pytest.mark.parametrize("name", JOURNALS)
def test_no_number_of_the_page_is_unknown(name: str) -> None:
    assert [each.text for each in numbers(name) if not is_known(each, ROWS, LINES)] == []


@pytest.mark.parametrize("name", JOURNALS)
def test_every_number_of_the_page_can_be_made_again(name: str) -> None:
    wrong = [
        (each.place.fold, each.place.header, each.text)
        for each in numbers(name)
        if is_known(each, ROWS, LINES) and not is_right(each, ROWS, LINES)
    ]

    assert wrong == []


@pytest.mark.parametrize("name", JOURNALS)
def test_a_number_that_is_altered_is_found(name: str) -> None:
    chance, tried, missed = random.Random(name), Counter[str](), []
    found = list(numbers(name))
    chance.shuffle(found)
    for piece in found:
        kind = " | ".join(piece.place.header) or piece.text[:12]
        if tried[kind] < MOST and is_known(piece, ROWS, LINES):
            tried[kind] += 1
            other = altered(piece, chance.randrange)
            if is_right(other, ROWS, LINES):
                missed.append((piece.place.header, piece.text, other.place.header, other.text))

    assert missed == []


@pytest.mark.parametrize("name", JOURNALS)
def test_no_row_of_the_main_table_is_missing_or_twice(name: str) -> None:
    rows = [
        each
        for each in pieces(written(name)[1][".md"], source(name))
        if {"variant", "batch", "on disk", "verdict"} <= set(each.place.header)
    ]

    assert len(rows) == len({(each.place.bold, each.text) for each in rows})
    assert len(rows) == sum(len(table.cases) for table in tables(name).values())
