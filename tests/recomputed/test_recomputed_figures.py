"""The figures beside the Markdown page show what the journal says, where their axes say."""

import random
import re
from functools import cache

import pytest
from page_figure_rules import pareto_drawing_faults, sweep_drawing_faults
from page_figures import drawing
from page_html import tree
from recompute_points import Plane, planes, sweeps
from recomputed_journals import JOURNALS, tables, written

TRIES = 8
RULES = {".svg": (planes, pareto_drawing_faults), "-size.svg": (sweeps, sweep_drawing_faults)}


@cache
def points(name: str, suffix: str) -> list[Plane]:
    return list(RULES[suffix][0](list(tables(name).values())))


def faults(name: str, suffix: str, text: str) -> list[str]:
    try:
        return list(RULES[suffix][1](drawing(tree(text)), points(name, suffix)))
    except (AssertionError, ArithmeticError, LookupError, ValueError) as error:
        return [str(error)]


def figures(name: str) -> dict[str, str]:
    return {suffix: text for suffix, text in written(name)[1].items() if suffix in RULES}


@pytest.mark.parametrize("name", JOURNALS)
def test_every_figure_shows_what_the_journal_says_where_its_axes_say(name: str) -> None:
    assert figures(name)
    for suffix, text in figures(name).items():
        assert faults(name, suffix, text) == []


@pytest.mark.parametrize("name", JOURNALS)
def test_a_digit_of_a_figure_that_is_altered_is_found(name: str) -> None:
    chance, missed = random.Random(name), []
    for suffix, text in figures(name).items():
        places = [
            match.start() + at.start()
            for match in (*said(text), *drawn(text))
            for at in re.finditer(r"[0-9]", match[0])
        ]
        for at in chance.sample(places, TRIES):
            other = f"{text[:at]}{(int(text[at]) + 5) % 10}{text[at + 1 :]}"
            if not faults(name, suffix, other):
                missed.append(text[at - 80 : at + 20])

    assert missed == []


def said(text: str) -> list[re.Match[str]]:
    """The words of a figure, and the names of their outlines."""
    return list(re.finditer(r"<!-- .*? -->|(?<=<use xlink:href=\"#DejaVuSans-)[0-9]+(?=\")", text))


def drawn(text: str) -> list[re.Match[str]]:
    """The places of its lines and marks, to a thousandth; frames and the legend are layout."""
    place = re.compile(r'(?<=[ML] )\d+\.\d{3}|(?<= [xy]=")\d+\.\d{3}')
    parts = re.finditer(
        r'<g id="line2d_.*?(?=<g id="(?:text|patch|line2d|ytick|xtick))', text, re.DOTALL
    )
    found = [part.span() for part in parts if part.start() < text.index('id="legend_1"')]
    return [
        each
        for start, end in found
        for each in place.finditer(text, start, end)
        if "<defs>" not in text[start : each.start()]
        or text.rfind("</defs>", start, each.start()) > 0
    ]


def test_one_digit_drawn_as_another_is_found() -> None:
    text = figures("everything")[".svg"]
    wrong = re.sub(r"<!-- 97\.5 -->", "<!-- 92.5 -->", text)

    assert wrong != text
    assert faults("everything", ".svg", wrong) != []
