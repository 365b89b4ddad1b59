"""The charts of the HTML page show what the journal says, where their axes say."""

import random
import re
from functools import cache

import pytest
from page_chart_rules import pareto_faults, sweep_faults
from page_charts import NEAR, chart
from page_html import tree
from recompute_points import Plane, planes, sweeps
from recomputed_journals import JOURNALS, tables, written

TRIES = 16
FAULTS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What a figure that cannot be read raises: it is as wrong as one that says another number."""


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


def altered(text: str, at: int) -> str:
    return f"{text[:at]}{(int(text[at]) + 5) % 10}{text[at + 1 :]}"


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
