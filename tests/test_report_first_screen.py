"""What stands before the first fold: at most sixty lines, however much was measured."""

from pathlib import Path

import pytest
from journals import Cost, Pairs, a_case, a_journal
from model_journals import crossed, gemm

from bench.compare import compare
from bench.record import CaseRecord
from bench.records import Journal
from bench.report.first_screen import LINES, best, folded, whole
from bench.report.markdown import Report, page
from reports import HALF, SAME, grid_of, measured, report_of

PAGES = sorted((Path(__file__).parents[1] / "reports").glob("2*.md"))


def screen_of(text: str) -> list[str]:
    return text.partition("<details>")[0].splitlines()


def many(count: int, pairs: Pairs = HALF) -> Journal:
    """So many workloads, each with a baseline and a student."""
    names = [f"net{number}" for number in range(count)]
    cases: list[tuple[CaseRecord, Pairs]] = []
    for name in names:
        cases += [(a_case(workload=name), SAME), (a_case("student", workload=name), pairs)]
    return a_journal(cases)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_committed_page_says_the_most_in_its_first_sixty_lines(path: Path) -> None:
    screen = screen_of(path.read_text(encoding="utf-8"))

    assert len(screen) <= LINES
    for said in ("> **", "**Trust box", "## ", "!["):
        assert any(line.startswith(said) for line in screen)


@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_the_first_screen_is_short_however_many_workloads_there_are(count: int) -> None:
    text = page(report_of(many(count), figure="report.svg"))

    assert len(screen_of(text)) <= LINES
    assert all(f"**net{number}**" in text for number in range(count))


def test_a_small_table_stands_whole_and_nothing_is_folded() -> None:
    tables = compare([measured()])

    assert whole(tables[0], tables) == ("digits",)
    assert folded(tables[0], tables) == ()
    assert "Main table, " not in page(Report(tables))


def test_a_large_table_gives_way_to_the_best_row_of_each_workload_and_batch() -> None:
    text = page(report_of(many(8)))
    rows = grid_of(text[text.index("## cpu") :])

    assert [row["workload"] for row in rows] == [f"net{number}" for number in range(8)]
    assert {row["best within the quality budget"] for row in rows} == {"**student**"}
    assert rows[0]["energy per sample"] == "5.1 ± 1.8 mJ"
    assert rows[0]["energy ÷ baseline [95 %]"].startswith("0.50 [")
    assert "<summary>Main table, all rows</summary>" in text


def test_a_workload_of_which_nothing_saves_says_so_in_brief() -> None:
    text = page(report_of(many(8, SAME)))
    rows = grid_of(text[text.index("## cpu") :])

    assert len(rows) == 8
    assert {row["best within the quality budget"] for row in rows} == {
        "nothing saves and holds its quality"
    }


def test_more_rows_than_the_screen_holds_are_counted() -> None:
    text = page(report_of(many(40)))

    assert "below; 17 more workloads and batches there." in text
    assert len(grid_of(text[text.index("## cpu") :])) == 23


def test_ceilings_of_the_machine_are_folded_before_any_model_is() -> None:
    cases = [(a_case(), SAME), *((a_case(f"t{n}"), HALF) for n in range(16))]
    journal = a_journal([*cases, gemm("float32", 1e9), gemm("int8", 4e9)])
    tables = compare([journal])
    text = page(Report(tables))

    assert whole(tables[0], tables) == ("digits",)
    assert folded(tables[0], tables) == ("roofline:gemm-fp32", "roofline:gemm-int8")
    assert "<summary>Main table, the machine's own ceilings</summary>" in text
    assert "t15" in "\n".join(screen_of(text))


def test_what_runs_in_several_runtimes_stands_in_its_own_table_and_not_twice() -> None:
    others = [a_case(f"t{n}", workload="other") for n in range(26)]
    shipped = (a_case(workload="other"), SAME)
    text = page(report_of(a_journal([*crossed(), shipped, *((case, HALF) for case in others)])))
    brief = grid_of(text[text.index("## cpu") :])

    assert [row["workload"] for row in brief] == ["other"]
    assert "| resnet18 | 1 |" in "\n".join(screen_of(text))


def test_only_runtimes_leave_a_line_that_says_where_the_rows_are() -> None:
    cases = [case for n in range(9) for case in crossed(workload=f"net{n}")]
    text = page(report_of(a_journal(cases)))

    assert "Every row stands under *Main table, all rows*, below." in "\n".join(screen_of(text))
    assert "4 more stand with all rows." in "\n".join(screen_of(text))
    assert len(screen_of(text)) <= LINES


def test_the_best_row_saves_most_and_is_no_baseline() -> None:
    rows = compare([measured()])[0].rows
    found = best(rows, energy=True)

    assert found is not None
    assert found.case.technique == "student"
    assert best([row for row in rows if row.is_baseline], energy=True) is None


def test_without_energy_the_brief_table_speaks_of_time_alone() -> None:
    halved = [(Cost({}, 0.002), Cost({}, 0.001))] * 3
    same = [(Cost({}, 0.002), Cost({}, 0.002))] * 3
    cases = [
        (a_case(name, workload=f"net{n}"), pairs)
        for n in range(8)
        for name, pairs in (("baseline", same), ("student", halved))
    ]
    text = page(report_of(a_journal(cases)))
    (header, *_) = [grid_of(text[text.index("## cpu") :])[0]]

    assert "energy per sample" not in header
    assert header["time ÷ baseline [95 %]"] == "0.500 [0.500, 0.500]"
