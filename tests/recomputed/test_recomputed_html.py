"""The HTML page says what the Markdown page says.

So every number of it can be made again, by the rules for the Markdown page: see
`test_recomputed_page`; and `test_recomputed_charts` for the figures.
"""

import base64
import hashlib
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

import pytest
from page_html import Node, tidy, tree, words
from page_markdown import markdown_words
from page_sorting import Grid, grids, number_in_unit, unsorted
from recomputed_journals import JOURNALS, written

FIGURES = {".svg": "figure-pareto", "-size.svg": "figure-sweep"}
SCAFFOLD = {
    ("a", "href"), ("details", "id"), ("div", "aria-label"), ("div", "tabindex"),
    ("main", "tabindex"), ("meta", "charset"), ("meta", "content"), ("section", "aria-label"),
    ("section", "id"), ("td", "data-sort"), ("th", "data-sort"),
}  # fmt: skip
"""Where a digit may stand that is no word of the page, outside of the figures."""
TRIES = 3
FAULTS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What a page that cannot be read raises: it is as wrong as one that says another number."""


def said(text: str) -> list[tuple[str, ...]]:
    """The words of the Markdown page, with the HTML page's names of the figures."""
    found = []
    for each in markdown_words(text):
        figure = each[1].removeprefix("page") if each[0] == "figure" else ""
        found.append(("figure", FIGURES[figure]) if figure else each)
    return found


@cache
def page(name: str) -> Node:
    return tree(written(name)[1][".html"])


@cache
def markdown(name: str) -> tuple[list[tuple[str, ...]], list[Grid]]:
    """The words and the tables of the Markdown page."""
    text = written(name)[1][".md"]
    return said(text), list(grids(text))


@pytest.mark.parametrize("name", JOURNALS)
def test_the_html_page_says_the_words_and_cells_of_the_markdown_page_in_order(name: str) -> None:
    assert list(words(page(name).one("main"))) == markdown(name)[0]


@pytest.mark.parametrize("name", JOURNALS)
def test_every_cell_sorts_by_the_number_that_it_says(name: str) -> None:
    found = zip(page(name).one("main").all("table"), markdown(name)[1], strict=True)

    assert [each for table, grid in found for each in unsorted(table, grid)] == []


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("A/A 1.02 [0.99, 1.05]", 1.02),
        ("−42.4 [−47.3, −37.7] µs", -42.4e-6),
        ("1\u202f073 MAC", 1073.0),
        ("206 ± 6 GMAC/s", 206e9),
        ("0 Linear", None),
        ("memory (gemm-fp32)", None),
        ("—²", None),
    ],
)
def test_a_cell_begins_with_its_number_or_has_none(cell: str, number: float | None) -> None:
    assert number_in_unit(cell) == (None if number is None else pytest.approx(number))


class Section(NamedTuple):
    """A part of the HTML page, and what the Markdown page says there."""

    source: str
    words: list[tuple[str, ...]]
    grids: list[Grid]

    def is_right(self, source: str) -> bool:
        """Whether a source says and sorts by the same."""
        try:
            node = tree(source)
            pairs = zip(node.all("table"), self.grids, strict=True)
            wrong = any(unsorted(table, grid) for table, grid in pairs)
            return not wrong and list(words(node)) == self.words
        except FAULTS:
            return False


def sections(name: str) -> Iterator[Section]:
    """The parts of the HTML page: its head, and each section."""
    spoken, tables = iter(markdown(name)[0]), iter(markdown(name)[1])
    parts = r'<div class="head">.*?</div>|<section .*?</section>'
    for source in re.findall(parts, written(name)[1][".html"], re.DOTALL):
        node = tree(source)
        count, grids_ = sum(1 for _ in words(node)), len(node.all("table"))
        yield Section(source, list(islice(spoken, count)), list(islice(tables, grids_)))


LAYOUT = r"<figure.*?</figure>|</?h\d>|<section [^>]*>| (?:id|tabindex|aria-label)=\"[^\"]*\""
"""What of a section are no words and no numbers to sort by."""


@pytest.mark.parametrize("name", JOURNALS)
def test_a_digit_of_the_html_page_that_is_altered_is_found(name: str) -> None:
    chance, missed = random.Random(name), []
    for section in sections(name):
        source = section.source
        assert section.is_right(source)
        free = {
            place
            for each in re.finditer(LAYOUT, source, re.DOTALL)
            for place in range(*each.span())
        }
        places = [m.start() for m in re.finditer("[0-9]", source) if m.start() not in free]
        tries = min(TRIES if len(source) < 50_000 else 1, len(places))
        missed += [
            source[at - 40 : at + 40]
            for at in chance.sample(places, tries)
            if section.is_right(altered(source, at))
        ]

    assert missed == []


def altered(text: str, at: int) -> str:
    return f"{text[:at]}{(int(text[at]) + 5) % 10}{text[at + 1 :]}"


# -- what belongs to the HTML page alone ---------------------------------------------------------


def outside_of_figures(node: Node) -> Iterator[Node]:
    for each in node.nodes:
        if each.tag != "figure":
            yield each
            yield from outside_of_figures(each)


@pytest.mark.parametrize("name", JOURNALS)
def test_no_digit_of_the_html_page_stands_in_an_attribute_that_is_unknown(name: str) -> None:
    found = {
        (each.tag, attribute)
        for each in outside_of_figures(page(name))
        for attribute, value in each.attributes.items()
        if re.search(r"[0-9]", value)
    }

    assert found <= SCAFFOLD


@pytest.mark.parametrize("name", JOURNALS)
def test_the_list_of_contents_names_each_section_and_fold_by_its_own_words(name: str) -> None:
    whole = page(name)
    wanted = []
    for section in whole.one("main").all("section"):
        folds = section.all("details")
        if "aria-label" in section.attributes:
            label = section["aria-label"]
            spoken = [section["id"].removeprefix("s-").replace("-", " ").capitalize()]
            spoken += [tidy(each.text()) for each in section.walk() if each.tag in {"h2", "strong"}]
            spoken += [each["aria-label"] for each in section.all("figure")]
            assert label in spoken
            wanted.append((f"#{section['id']}", label))
        for number, fold in enumerate(folds, start=1):
            assert fold["id"] == f"{section['id']}-{number}"
            wanted.append((f"#{fold['id']}", fold.one("summary").text()))
    contents = whole.one("nav").all("a")

    assert [(each["href"], each.text()) for each in contents] == wanted
    ids = [each["id"] for each in whole.walk() if each["id"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", JOURNALS)
def test_a_frame_of_a_table_is_called_by_words_that_stand_above_it(name: str) -> None:
    above = ""
    for each in outside_of_figures(page(name).one("main")):
        if "scroll" in each.classes:
            assert each["aria-label"] in {*above.split("\n"), "Table"}
        elif each.tag in {"strong", "summary"}:
            above += f"\n{tidy(each.text())}"


@pytest.mark.parametrize("name", JOURNALS)
def test_head_and_foot_name_the_page_and_its_journal_and_hold_no_other_number(name: str) -> None:
    path, whole = written(name)[0], page(name)
    style, script = (whole.one(tag).text() for tag in ("style", "script"))
    policy = next(each["content"] for each in whole.all("meta") if "sha256" in each["content"])
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    bar = whole.one("header").text() + whole.one("a", "skip").text()
    title = next(each for each in whole.one("head").nodes if each.tag == "title")

    assert title.text() == tidy(whole.one("h1").text())
    assert re.findall(r"'sha256-([^']*)'", policy) == hashes
    assert tidy(whole.one("footer").text()) == (
        f"Written by joulebench report from {path.name}. The journal holds every window; every"
        " number here is recomputed from it. This file asks the network for nothing."
    )
    assert bar.startswith("\njoulebench\n")
    assert whole.one("div", "head").nodes[0].tag == "h1"
    assert [each.tag for each in whole.one("body").nodes] == [
        "a", "header", "main", "footer", "div", "script",
    ]  # fmt: skip
