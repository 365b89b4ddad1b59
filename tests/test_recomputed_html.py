"""The HTML page says what the Markdown page says, and its charts what the journal says.

So every number of it can be made again: those of the words by the rules for the Markdown page (see
`test_recomputed_page`), those of the charts by `recompute_points`.
"""

import base64
import hashlib
import random
import re
from collections.abc import Iterator
from functools import cache

import pytest
from page_chart_rules import pareto_faults, sweep_faults
from page_charts import NEAR, chart
from page_html import Node, tidy, tree, words
from page_markdown import markdown_words
from page_sorting import grids, number_in_unit, unsorted
from recompute_points import Plane, planes, sweeps
from recomputed_journals import JOURNALS, tables, written

FIGURES = {".svg": "figure-pareto", "-size.svg": "figure-sweep"}
SCAFFOLD = {
    ("a", "href"), ("details", "id"), ("div", "aria-label"), ("div", "tabindex"),
    ("main", "tabindex"), ("meta", "charset"), ("meta", "content"), ("section", "aria-label"),
    ("section", "id"), ("td", "data-sort"), ("th", "data-sort"),
}  # fmt: skip
"""Where a digit may stand that is no word of the page, outside of the figures."""
TRIES = 16
FAULTS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What a page that cannot be read raises: it is as wrong as one that says another number."""


def said(text: str) -> list[tuple[str, ...]]:
    """The words of the Markdown page, with the HTML page's names of the figures."""
    found = []
    for each in markdown_words(text):
        figure = each[1].removeprefix("page") if each[0] == "figure" else ""
        found.append(("figure", FIGURES[figure]) if figure else each)
    return found


def faults(page: str, markdown: str) -> bool:
    """Whether an HTML page says another word, or sorts by another number, than the Markdown."""
    try:
        main = tree(page).one("main")
        if list(words(main)) != said(markdown):
            return True
        pairs = zip(main.all("table"), grids(markdown), strict=True)
        return any(unsorted(table, grid) for table, grid in pairs)
    except FAULTS:
        return True


@pytest.mark.parametrize("name", JOURNALS)
def test_the_html_page_says_the_words_and_cells_of_the_markdown_page_in_order(name: str) -> None:
    files = written(name)[1]

    assert list(words(tree(files[".html"]).one("main"))) == said(files[".md"])


@pytest.mark.parametrize("name", JOURNALS)
def test_every_cell_sorts_by_the_number_that_it_says(name: str) -> None:
    files = written(name)[1]
    tables_ = tree(files[".html"]).one("main").all("table")
    found = zip(tables_, grids(files[".md"]), strict=True)

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


@pytest.mark.parametrize("name", JOURNALS)
def test_a_digit_of_the_html_page_that_is_altered_is_found(name: str) -> None:
    page, markdown = (written(name)[1][suffix] for suffix in (".html", ".md"))
    start, end = page.index("<main"), page.index("</main>")
    free = [slice(*each.span()) for each in re.finditer(r"<figure.*?</figure>", page, re.DOTALL)]
    free += [
        slice(*each.span()) for each in re.finditer(r" (?:id|tabindex|aria-label)=\"[^\"]*\"", page)
    ]
    free += [slice(*each.span(0)) for each in re.finditer(r"<(?:/?h\d|section [^>]*)>", page)]
    covered = {place for each in free for place in range(each.start, each.stop)}
    places = [
        each.start()
        for each in re.finditer(r"[0-9]", page[:end])
        if each.start() > start and each.start() not in covered
    ]
    chance = random.Random(name)
    tries = TRIES if len(page) < 300_000 else 3  # a large page takes a second to read

    missed = [
        page[at - 40 : at + 40]
        for at in chance.sample(places, min(tries, len(places)))
        if not faults(altered(page, at), markdown)
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
        for each in outside_of_figures(tree(written(name)[1][".html"]))
        for attribute, value in each.attributes.items()
        if re.search(r"[0-9]", value)
    }

    assert found <= SCAFFOLD


@pytest.mark.parametrize("name", JOURNALS)
def test_the_list_of_contents_names_each_section_and_fold_by_its_own_words(name: str) -> None:
    page = tree(written(name)[1][".html"])
    wanted = []
    for section in page.one("main").all("section"):
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
    contents = page.one("nav").all("a")

    assert [(each["href"], each.text()) for each in contents] == wanted
    ids = [each["id"] for each in page.walk() if each["id"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", JOURNALS)
def test_a_frame_of_a_table_is_called_by_words_that_stand_above_it(name: str) -> None:
    above = ""
    for each in outside_of_figures(tree(written(name)[1][".html"]).one("main")):
        if "scroll" in each.classes:
            assert each["aria-label"] in {*above.split("\n"), "Table"}
        elif each.tag in {"strong", "summary"}:
            above += f"\n{tidy(each.text())}"


@pytest.mark.parametrize("name", JOURNALS)
def test_head_and_foot_name_the_page_and_its_journal_and_hold_no_other_number(name: str) -> None:
    path, files = written(name)
    page = tree(files[".html"])
    style, script = (page.one(tag).text() for tag in ("style", "script"))
    policy = next(each["content"] for each in page.all("meta") if "sha256" in each["content"])
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    bar = page.one("header").text() + page.one("a", "skip").text()
    title = next(each for each in page.one("head").nodes if each.tag == "title")

    assert title.text() == tidy(page.one("h1").text())
    assert re.findall(r"'sha256-([^']*)'", policy) == hashes
    assert tidy(page.one("footer").text()) == (
        f"Written by joulebench report from {path.name}. The journal holds every window; every"
        " number here is recomputed from it. This file asks the network for nothing."
    )
    assert bar.startswith("\njoulebench\n")
    assert page.one("div", "head").nodes[0].tag == "h1"
    assert [each.tag for each in page.one("body").nodes] == [
        "a", "header", "main", "footer", "div", "script",
    ]  # fmt: skip


# -- charts ---------------------------------------------------------------------------------------


def charts(name: str) -> dict[str, str]:
    """The sources of the figures of a page, by id."""
    found = re.findall(r'<figure id="([^"]*)".*?</figure>', written(name)[1][".html"], re.DOTALL)
    page = written(name)[1][".html"]
    return {
        each: page[
            (start := page.index(f'<figure id="{each}"')) : page.index("</figure>", start) + 9
        ]
        for each in found
    }


@cache
def points(name: str, figure: str) -> list[Plane]:
    make = planes if figure == "figure-pareto" else sweeps
    return list(make(list(tables(name).values())))


def chart_faults(name: str, figure: str, source: str) -> list[str]:
    """What of a figure is not what the journal says."""
    rule = pareto_faults if figure == "figure-pareto" else sweep_faults
    try:
        return list(rule(tree(source).one("figure"), points(name, figure)))
    except FAULTS as error:
        return [str(error)]


@pytest.mark.parametrize("name", JOURNALS)
def test_every_chart_shows_what_the_journal_says_where_its_axes_say(name: str) -> None:
    found = charts(name)
    wanted = {"figure-pareto"} | ({"figure-sweep"} if "-size.svg" in written(name)[1] else set())

    assert set(found) == wanted
    for figure, source in found.items():
        assert chart_faults(name, figure, source) == []


LAYOUT = (
    r'<path class="lead"[^>]*>|<text class="label[^>]*>|<svg class="key"[^>]*>'
    r'|<path class="(?:front|level)" d="M0,6H24"/>|(?: id|aria-(?:labelledby|describedby))="[^"]*"'
)
"""Where a label stands, how a sign of the legend is drawn, and names: no number of the journal."""


@pytest.mark.parametrize("name", JOURNALS)
def test_a_digit_of_a_chart_that_is_altered_is_found(name: str) -> None:
    chance, missed = random.Random(name), list[str]()
    for figure, source in charts(name).items():
        free = {place for each in re.finditer(LAYOUT, source) for place in range(*each.span())}
        places = [m.start() for m in re.finditer("[0-9]", source) if m.start() not in free]
        missed += [
            source[at - 60 : at + 20]
            for at in chance.sample(places, TRIES)
            if not chart_faults(name, figure, altered(source, at))
        ]

    assert missed == []


def test_a_mark_that_stands_a_little_aside_is_found() -> None:
    source = charts("everything")["figure-pareto"]
    (first, *_) = chart(tree(source).one("figure").all("div", "panel")[0]).marks
    shown = f"{first.x:.2f}"
    moved = source.replace(shown, f"{first.x + 2 * NEAR:.2f}")

    assert moved.count(shown) == 0
    assert chart_faults("everything", "figure-pareto", moved) != []
