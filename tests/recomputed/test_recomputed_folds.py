"""The lists of a page are whole: no line of them is missing, and none stands twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import recompute
from journals import SETTINGS, a_case, a_journal, a_run, package, save
from page_pieces import Piece, Place, Source, is_right, pieces
from recompute_budget import energy, energy_ratio, power, time, time_ratio
from recompute_table import Table
from recomputed_journals import JOURNALS, source, tables, told, written
from shown_methods import LINES as METHODS

from bench.compare import compare
from bench.report.markdown import Report
from bench.report.sections.methods import section as methods


def rows(name: str, fold: str) -> list[Piece]:
    found = pieces(written(name)[1][".md"], source(name))
    return [each for each in found if each.place.fold.partition(" ·")[0] == fold and each.cells]


def budgets(table: Table) -> int:
    """How many numbers of a device have a budget."""
    of = (energy, power, time, energy_ratio, time_ratio)
    return sum(bool(each(case)) for case in table.cases.values() for each in of)


@pytest.mark.parametrize("name", JOURNALS)
def test_every_budget_and_every_spread_of_a_case_stands_on_the_page_once(name: str) -> None:
    found = tables(name).values()
    budget, stability = rows(name, "Uncertainty budget"), rows(name, "Stability")
    spreads = [each for each in stability if each.place.header[0] == "case"]
    controls = [each for each in stability if each.place.header[0] == "control"]

    assert len({(each.place.fold, each.text) for each in budget}) == len(budget)
    assert len(budget) == sum(map(budgets, found))
    assert len(spreads) == sum(len(table.cases) for table in found)
    assert len(controls) == sum(len(table.controls[False]) for table in found)


@pytest.mark.parametrize("name", JOURNALS)
def test_the_provenance_names_every_channel_and_every_meter_that_cannot_be_used(name: str) -> None:
    run = told(name).run
    found = Counter(each.place.header[0] for each in rows(name, "Provenance"))

    assert found["channel"] == len(run["channels"])
    assert found["not usable"] == len(run["unusable"])
    assert found["what"] in {18, 19}  # with a line that says that a device is simulated


@pytest.mark.parametrize("name", JOURNALS)
def test_no_block_that_was_thrown_away_and_no_flag_is_kept_from_the_reader(name: str) -> None:
    page, journal = written(name)[1][".md"], told(name)
    every = [*journal.idle, *(window for found in journal.windows.values() for window in found)]
    flags = {(window["case"], flag) for window in every for flag in window["flags"]}

    assert page.count(", discarded: ") == len(journal.discards)
    assert page.count("; kept\n") == len(flags)


def test_the_methods_of_fresh_processes_are_checked_as_well(tmp_path: Path) -> None:
    pairs = [(package(1.0), package(ratio)) for ratio in (0.95, 0.95, 1.03, 1.03, 0.99, 0.99)]
    run = a_run(settings={**SETTINGS, "processes": 3, "target": 0.03})
    journal = a_journal([(a_case("a"), pairs)], run=run)
    windows = tuple(replace(window, process=window.pair // 2) for window in journal.windows)
    journal = replace(journal, windows=windows)
    again = recompute.read(save(journal, tmp_path))
    here = Source(again, {"cpu": Table(again, "cpu", "cpu-package")})
    text = methods(Report(compare([journal]))).splitlines()[3]
    place = Place(here, fold="Methods, to paste into a paper")

    assert "Each side ran in 3 fresh processes" in text
    assert is_right(Piece(place, text), {}, METHODS)
    assert not is_right(Piece(place, text.replace("in 3 fresh", "in 8 fresh")), {}, METHODS)
