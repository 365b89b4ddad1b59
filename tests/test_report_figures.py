"""The Pareto figure: what is drawn, and that it is always the same."""

import doctest
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from journals import PROCESS, Cost, a_case, a_journal, a_run, package, quality

from bench.compare import Table, compare
from bench.report import figures, pareto
from bench.report.figures import render, svg
from bench.report.labels import Box
from bench.report.markdown import Report, page
from bench.report.pareto import Point, front, panels
from reports import SAME

HOSTILE = "<script>alert(1)</script>|x\n# y --> $\\frac$ \x00"


def cost(joules: float, bound: float = 0.0) -> list[Any]:
    return [(package(0.010, bound=bound), package(joules, 0.1 * joules, bound))] * 3


def measured(**changes: Any) -> tuple[Table, ...]:
    cases = [
        (a_case(**changes), cost(0.010)),
        (a_case("student", **{**changes, "quality": quality(0.96)}), cost(0.004, bound=0.001)),
        (a_case("tiny", **{**changes, "quality": quality(0.80)}), cost(0.002)),
        (a_case("worse", **{**changes, "quality": quality(0.95)}), cost(0.008)),
    ]
    return compare([a_journal(cases)])


def estimated() -> tuple[Table, ...]:
    def guess(seconds: float) -> list[Any]:
        return [(Cost({PROCESS.id: 1.0}, 0.001), Cost({PROCESS.id: 1.0}, seconds))] * 3

    cases = [(a_case(batch=4), guess(0.001)), (a_case("student", batch=4), guess(0.0004))]
    return compare([a_journal(cases, run=a_run(channels=(PROCESS,)))])


def point(x: float, y: float) -> Point:
    return Point("p", "p", "p", x, x, x, y, y, y, holds=True, baseline=False)


@pytest.mark.parametrize("module", [figures, pareto])
def test_examples_in_the_docstrings_are_true(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_points_hold_measured_energy_with_its_interval() -> None:
    (panel,) = panels(measured())
    student = panel.points[1]

    assert panel.energy
    half = 0.001 * 1.96 / math.sqrt(3)  # of the bound, at 95 %
    expected = (0.004, 0.004 - half, 0.004 + half)
    assert (student.x, student.low, student.high) == pytest.approx(expected, rel=1e-4)
    assert student.quality_low < 0.96 < student.quality_high


def test_estimates_are_never_points_and_time_stands_in_their_place() -> None:
    (panel,) = panels(estimated())

    assert not panel.energy
    assert [p.x for p in panel.points] == pytest.approx([1.0, 0.4])


def test_a_row_without_energy_is_left_out_of_a_measured_panel() -> None:
    lost = Cost({"cpu/0/package": None})
    cases = [(a_case(), cost(0.01)), (a_case("a"), cost(0.02)), (a_case("b"), [(lost, lost)] * 2)]
    (panel,) = panels(compare([a_journal(cases)]))

    assert [p.label for p in panel.points] == ["baseline", "a"]


def test_time_is_the_ratio_of_pairs_and_a_row_without_one_is_no_point() -> None:
    once = [(Cost({}, 0.001), Cost({}, 0.002))]
    cases = [(a_case("a"), once * 2), (a_case("b"), once * 2), (a_case("c"), once)]
    (panel,) = panels(compare([a_journal(cases, run=a_run(channels=()))]))

    assert [(p.low, p.x, p.high) for p in panel.points] == [pytest.approx((2, 2, 2))] * 2


def test_the_front_holds_the_points_that_no_other_beats() -> None:
    a, b, c, d = point(1, 0.8), point(2, 0.9), point(3, 0.85), point(2, 0.7)

    assert front([c, d, b, a]) == (a, b)


def test_each_workload_and_batch_has_its_own_panel() -> None:
    pairs = cost(0.005)
    cases = [
        (a_case(name, workload=workload, batch=batch), pairs)
        for workload in ("one", "two")
        for batch in (1, 8)
        for name in ("baseline", "student")
    ]
    found = panels(compare([a_journal(cases)]))

    assert [panel.title for panel in found] == [
        "one · cpu · batch 1",
        "one · cpu · batch 8",
        "two · cpu · batch 1",
        "two · cpu · batch 8",
    ]


def test_the_figure_of_the_same_journal_has_the_same_bytes() -> None:
    assert svg(measured()) == svg(measured())
    assert svg(measured()) is not None


def test_the_figure_is_not_changed_by_the_settings_of_a_user() -> None:
    import matplotlib as mpl

    before = svg(measured())
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "x", "axes.facecolor": "red"}):
        assert svg(measured()) == before


def test_the_figure_says_what_it_shows_and_carries_no_date() -> None:
    text = svg(measured())

    assert text is not None
    for said in ("Quality against energy per sample", "energy per image, mJ", "quality target"):
        assert said in text
    assert "hollow: breaks quality" in text
    assert "dc:date" not in text


def test_without_energy_the_title_says_that_time_is_shown_instead() -> None:
    text = svg(estimated())

    assert text is not None
    assert "Energy was not measured: time relative to the baseline instead" in text
    assert "time ÷ baseline" in text
    assert "mJ" not in text


def test_a_figure_of_both_says_where_energy_was_not_measured() -> None:
    text = svg((*measured(), *estimated()))

    assert text is not None
    assert "where energy was not measured: time ÷ baseline" in text


def test_three_panels_leave_the_fourth_place_empty() -> None:
    tables = (*measured(), *estimated(), *measured(batch=8))

    assert len(panels(tables)) == 3
    assert svg(tables) is not None


def test_nothing_is_drawn_without_quality_or_with_a_single_point() -> None:
    alone = compare([a_journal([(a_case(), cost(0.01))])])
    unjudged = compare([a_journal([(a_case(n, quality=None), cost(0.01)) for n in "ab"])])

    assert svg(alone) is None
    assert svg(unjudged) is None
    assert svg(()) is None


def test_hostile_names_leave_the_figure_well_formed() -> None:
    judged = {"metric": HOSTILE, "value": 0.97, "target": None, "n": 10}
    fields = {"workload": HOSTILE, "level": {HOSTILE: HOSTILE}, "unit": HOSTILE, "quality": judged}
    cases = [(a_case(HOSTILE, **fields), cost(0.01)), (a_case("a", **fields), cost(0.02))]
    text = svg(compare([a_journal(cases)]))

    assert text is not None
    tags = {
        element.tag.rpartition("}")[2]
        for element in ET.fromstring(text).iter()
        if isinstance(element.tag, str)
    }
    assert "script" not in tags


def test_many_techniques_on_one_spot_are_still_drawn_with_all_labels() -> None:
    cases = [(a_case(f"technique_{n}", level={"level": str(n)}), cost(0.01)) for n in range(14)]
    text = svg(compare([a_journal(cases)]))

    assert text is not None
    assert all(f"technique_{n}" in text for n in range(14))


def test_quality_in_its_own_unit_is_not_drawn_in_per_cent() -> None:
    own = quality(31.0, target=30.0)
    cases = [(a_case(n, quality=own, baseline_quality=own), cost(0.01)) for n in "ab"]
    (panel,) = panels(compare([a_journal(cases)]))

    assert not panel.share
    assert panel.points[0].quality_low == 31.0


def test_axes_over_several_decades_have_few_round_ticks() -> None:
    assert figures.nice_ticks(0.9, 1100) == [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]
    assert figures.nice_ticks(1.01, 1.09) == []


def test_a_png_of_the_figure_can_be_made_for_other_places() -> None:
    image = render(measured(), "png", dpi=40)

    assert image is not None
    assert image.startswith(b"\x89PNG")


def test_boxes_that_do_not_touch_cover_nothing() -> None:
    assert Box(0, 0, 2, 2).covered(Box(1, 1, 3, 3)) == 1
    assert Box(0, 0, 1, 1).covered(Box(2, 2, 3, 3)) == 0


def test_a_low_bound_of_zero_is_drawn_on_the_logarithmic_axis() -> None:
    cases = [(a_case(), cost(0.01, bound=0.02)), (a_case("a"), cost(0.02, bound=0.02))]

    assert svg(compare([a_journal(cases)])) is not None
    assert replace(point(1, 1), low=0.0).low == 0.0


def test_more_panels_than_an_overview_holds_are_data_and_no_figure() -> None:
    cases = [
        (a_case(technique, workload=f"w{number:02d}"), SAME)
        for number in range(figures.MOST_PANELS + 1)
        for technique in ("baseline", "tiny")
    ]
    tables = compare([a_journal(cases)])

    text = page(Report(tables, None))

    assert svg(tables) is None
    assert "has 13 panels here" in text
    assert text.count("on the front") == 13
