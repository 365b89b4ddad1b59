"""Quality against size: series of what was judged, as a figure and as numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journals import a_case, a_journal, package, quality, save

from bench.compare import compare
from bench.record import CaseRecord
from bench.report.markdown import Report, page
from bench.report.sweep import sweeps
from bench.report.sweep_figure import draw, render
from bench.report.write import write

DENSE = 400_000


def judged(technique: str, size: int, accuracies: list[float], **level: str) -> CaseRecord:
    base = [0.97, 0.98, 0.99]
    return a_case(
        technique,
        level=level,
        runtime="judged",
        size_bytes={"disk": size, "nominal": None, "dense": DENSE},
        quality=over(accuracies),
        baseline_quality=over(base),
    )


def over(values: list[float]) -> dict[str, Any]:
    mean = sum(values) / len(values)
    return {**quality(mean), "values": values, "seeds": list(range(len(values)))}


CASES = (
    judged("weight_sharing", 50_000, [0.97, 0.98, 0.99], bits="4"),
    judged("weight_sharing", 25_000, [0.90, 0.91, 0.92], bits="2"),
    judged("deep_compression", 10_000, [0.96, 0.98, 0.99], density="0.08", stage="pq"),
    judged("deep_compression", 40_000, [0.97, 0.98, 0.99], density="0.08", stage="p"),
    judged("deep_compression", 12_000, [0.30, 0.50, 0.40], density="0.02", stage="p"),
)


def a_sweep() -> Any:
    return a_journal([(case, []) for case in CASES])


def test_a_series_is_a_technique_with_its_words_and_its_steps_are_the_numbers() -> None:
    (sweep,) = sweeps(compare([a_sweep()]))
    assert [series.name for series in sweep.series] == [
        "deep_compression stage=p",
        "deep_compression stage=pq",
        "weight_sharing",
    ]
    pruned = sweep.series[0]
    assert [step.size for step in pruned.steps] == [12_000 / DENSE, 40_000 / DENSE]
    assert pruned.steps[1].change == pytest.approx(0.0)
    assert pruned.steps[0].change == pytest.approx(-0.58)
    assert pruned.steps[0].low < -0.58 < pruned.steps[0].high
    assert (sweep.seeds, sweep.share) == (3, True)


def test_the_page_says_how_much_smaller_and_how_much_worse() -> None:
    text = page(Report(compare([a_sweep()]), sweep_figure="a b.svg"))
    assert (
        "| deep_compression stage=pq | density=0.08,stage=pq | 9.77 KiB | 2.50 % | 40.0× |" in text
    )
    assert "97.7 | −0.3 ± 1.4 |" in text
    assert "](a%20b.svg)" in text


def test_a_timed_case_and_the_same_one_judged_are_one_step() -> None:
    timed = replace(CASES[0], runtime="eager", case=CASES[0].case.replace("judged", "eager"))
    pairs = [(package(2.0), package(1.0))] * 6
    journal = a_journal([*((case, []) for case in CASES), (timed, pairs)])
    (sweep,) = sweeps(compare([journal]))
    assert [len(series.steps) for series in sweep.series] == [2, 1, 2]
    (table,) = compare([journal])
    assert [row.case.case for row in table.rows] == [timed.case]


def test_what_gains_much_stands_within_the_frame_with_its_interval() -> None:
    better = (judged("retrained", 20_000, [0.99, 1.0, 1.0]), judged("int8", 9_000, [0.9] * 3))
    (sweep,) = sweeps(compare([a_journal([(case, []) for case in better])]))
    highest = max(100 * step.high for series in sweep.series for step in series.steps)
    (axes,) = draw([sweep]).axes

    assert highest > 1.5
    assert axes.get_ylim()[1] > highest


def test_without_a_judged_sweep_there_is_no_figure_and_no_section(tmp_path: Path) -> None:
    case = replace(CASES[0], runtime="eager", case=CASES[0].case.replace("judged", "eager"))
    journal = a_journal([(case, [(package(2.0), package(1.0))] * 6)])
    assert sweeps(compare([journal])) == ()
    assert render((), "svg") is None
    assert "Quality against size" not in page(Report(compare([journal])))


def test_the_figure_is_written_beside_the_page_the_same_twice(tmp_path: Path) -> None:
    journal = save(a_sweep(), tmp_path)
    written = write([journal], tmp_path / "page.md")
    figure = tmp_path / "page-size.svg"
    assert figure in written
    first = figure.read_bytes()
    write([journal], tmp_path / "page.md")
    assert figure.read_bytes() == first
    assert b"<svg" in first
    assert "page-size.svg" in (tmp_path / "page.md").read_text()


def test_what_has_no_size_is_no_step() -> None:
    unknown = replace(CASES[0], size_bytes={"disk": None, "nominal": None})
    assert sweeps(compare([a_journal([(unknown, [])])])) == ()


def test_one_step_alone_is_no_sweep() -> None:
    assert sweeps(compare([a_journal([(CASES[0], [])])])) == ()
    assert len(sweeps(compare([a_journal([(case, []) for case in CASES[:2]])]))) == 1


def test_the_first_screen_names_four_workloads_however_many_there_are() -> None:
    pairs = [(package(2.0), package(1.0))] * 6
    cases = [(a_case("pruned", workload=f"net-{number}"), pairs) for number in range(6)]
    text = page(Report(compare([a_journal(cases)])))
    assert text.startswith("# Energy per inference: net-0, net-1, net-2, net-3 and 2 more\n")
    assert "the net-3 baseline" in text
    assert "the net-4 baseline" not in text
    assert "2 more workloads have one, in the table" in text
