"""What the report says of an earlier run of the same machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journals import MACHINE, Cost, a_case, a_journal, a_run, package, quality, save

from bench.cli import main
from bench.compare import compare
from bench.records import Journal
from bench.report.markdown import Report, page
from bench.report.sections.changes import section
from reports import HALF, SAME, grid_of, measured, report_of


def later(journal: Journal, run_id: str = "r2", **run: Any) -> Journal:
    """The journal as one of a later run."""
    changed = replace(journal.run, run_id=run_id, started="2026-11-24T10:12:03Z", **run)
    return replace(journal, run=changed, path=Path(f"{run_id}.jsonl"))


def dearer(factor: float) -> Journal:
    """A run in which each case takes so many times the energy, in the same time."""
    pairs = [
        (package(factor * 0.010 * w), package(factor * 0.005 * w)) for w in (1.0, 1.001, 0.999)
    ]
    cases = [(a_case(), [(one, one) for one, _ in pairs]), (a_case("student"), pairs)]
    return a_journal(cases)


def test_one_run_has_nothing_to_compare_with() -> None:
    assert section(report_of(measured())) == ""


def test_a_named_earlier_run_is_held_against_case_by_case() -> None:
    report = Report(compare([later(dearer(1.2))]), since=(dearer(1.0),))
    text = section(report)
    rows = {row["case"]: row for row in grid_of(text)}
    student = rows["<code>digits/student/eager/cpu/b1</code>"]

    assert "<summary>Changes since run r1</summary>" in text
    assert student["energy"].startswith("1.20 [1.1")
    assert student["time"] == "1.000 [0.999, 1.001]"
    assert student["power"].startswith("1.20 [1.")
    assert student["beside its baseline"].startswith("1.000")
    assert student["quality"] == "0.9700"
    assert student["says"] == "energy: more (measured, cpu-package)"
    assert "*Unpaired*" in text


def test_two_runs_of_one_machine_in_a_report_are_held_against_each_other_in_order() -> None:
    text = section(Report(compare([later(dearer(0.8)), dearer(1.0)])))

    assert "<summary>Changes since run r1</summary>" in text
    assert "energy: less" in text


def test_runs_of_two_machines_are_not_compared_unless_asked_and_then_refused() -> None:
    other = later(dearer(1.0), machine={**MACHINE, "id": "ba9876543210"})

    assert section(Report(compare([dearer(1.0), other]))) == ""
    text = section(Report(compare([other]), since=(dearer(1.0),)))
    assert "**Not comparable:** machine: 0123456789ab → ba9876543210" in text
    assert "Not the same: machine: 0123456789ab → ba9876543210, which forbids a ratio." in text
    assert "|" not in text


def test_several_pairs_of_runs_say_which_is_held_against_which() -> None:
    runs = [dearer(1.0), later(dearer(1.0)), later(dearer(1.0), "r3")]
    text = section(Report(compare(runs)))

    assert "Changes since run r1, to run r2</summary>" in text
    assert "Changes since run r2, to run r3</summary>" in text


def test_what_is_new_gone_or_has_another_quality_is_said() -> None:
    before = a_journal([(a_case(), SAME), (a_case("csr"), HALF)])
    after = a_journal([(a_case(), SAME), (a_case("student", quality=quality(0.96)), HALF)])
    rows = {
        r["case"]: r for r in grid_of(section(Report(compare([later(after)]), since=(before,))))
    }

    assert rows["<code>digits/student/eager/cpu/b1</code>"]["says"] == "new"
    assert rows["<code>digits/csr/eager/cpu/b1</code>"]["says"] == "gone"
    moved = a_journal([(a_case("csr", quality=quality(0.96)), HALF)])
    shipped = a_journal([(a_case("csr"), HALF)])
    (row,) = grid_of(section(Report(compare([later(moved)]), since=(shipped,))))
    assert row["quality"] == "0.9700 → 0.9600"


def test_time_never_speaks_for_an_energy_that_nobody_measured() -> None:
    pairs = [(Cost({}, 0.001), Cost({}, 0.001 + d)) for d in (0.0, 1e-6, 2e-6)]
    run = a_run(channels=())
    before = a_journal([(a_case("a"), pairs)], run=run)
    (row,) = grid_of(section(Report(compare([later(before)]), since=(before,))))

    assert set(row) == {"case", "time", "beside its baseline", "quality", "says"}
    assert row["says"].startswith("time: ")


def test_what_changed_around_the_numbers_is_listed() -> None:
    after = later(dearer(1.0), packages={"torch": "2.10.0"})
    text = section(Report(compare([after]), since=(dearer(1.0),)))

    assert "- Not the same: package torch: 2.9.0 → 2.10.0." in text
    same = section(Report(compare([later(dearer(1.0))]), since=(dearer(1.0),)))
    assert "the same in both runs." in same


def test_the_command_names_the_earlier_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = save(dearer(1.0), tmp_path), save(later(dearer(1.2)), tmp_path)
    out = tmp_path / "page.md"

    assert main(["report", str(after), "--since", str(before), "-o", str(out)]) == 0
    assert "Changes since run r1" in out.read_text(encoding="utf-8")
    assert main(["report", str(after), "--since", "missing.jsonl", "-o", str(out)]) == 2
    assert "cannot read missing.jsonl" in capsys.readouterr().err


def test_the_section_stands_on_the_page_before_the_stability() -> None:
    text = page(Report(compare([later(dearer(1.2))]), since=(dearer(1.0),)))

    assert text.index("Changes since run") < text.index("<summary>Stability")
    assert "could not be written" not in text
