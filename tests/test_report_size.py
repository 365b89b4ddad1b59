"""Sizes on the page: each form beside the dense baseline, and who fits into a budget."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import a_case, a_journal, quality, save

from bench.cli import main
from bench.records import Journal
from bench.report.sections.size import section
from bench.report.sizes import FORMS, forms_of, parse_bytes, sizes
from reports import HALF, SAME, grid_of, report_of


def journal(**others: Any) -> Journal:
    """A dense baseline of 100,000 bytes, a Deep Compression, a tiny one that breaks quality."""
    dense = {"disk": 100_400, "nominal": 100_000, "dense": 100_000, "baseline": 100_000}
    forms = {**dense, "nominal": 10_000, "csr": 20_000, "shared": 5000, "huffman": 4000}
    tiny = {"disk": 1400, "nominal": 1000, "dense": 1000, "onnx": 3000, "baseline": 100_000}
    cases = [
        (a_case(size_bytes=dense), SAME),
        (a_case("deep", size_bytes=forms), HALF),
        (a_case("tiny", size_bytes=tiny, quality=quality(0.8)), HALF),
        (a_case("unknown", size_bytes={"disk": None, "nominal": None}), HALF),
        (a_case(batch=64, size_bytes={**dense, "packed": 7000}), SAME),
    ]
    return a_journal(cases, **others)


def test_each_form_stands_with_how_many_times_smaller_it_is_than_the_dense_baseline() -> None:
    rows = {row["variant"]: row for row in grid_of(section(report_of(journal())))}

    assert list(rows) == ["baseline", "deep", "tiny", "unknown"]
    assert rows["baseline"]["dense"] == "97.7 KiB (1.00×)"
    assert rows["deep"]["disk"] == "98.0 KiB (0.996×)"
    assert rows["deep"]["huffman"] == "3.91 KiB (25.0×)"
    assert rows["tiny"]["huffman"] == "—"
    assert rows["tiny"]["onnx"] == "2.93 KiB (33.3×)"
    assert set(rows["unknown"].values()) == {"unknown", "—"}
    assert rows["baseline"]["packed"] == "6.84 KiB (14.3×)"  # known at one batch, and of no name


def test_without_a_dense_baseline_there_is_no_ratio() -> None:
    case = a_case("csr", size_bytes={"disk": 10, "nominal": 10, "csr": 10})

    (row,) = grid_of(section(report_of(a_journal([(case, HALF)]))))
    assert row["csr"] == "10 B"


def test_the_forms_stand_in_the_order_in_which_they_are_explained() -> None:
    report = report_of(journal())
    found = sizes(report.tables[0].rows, report.tables[0].rows)

    assert forms_of(found) == [*FORMS, "packed"]
    assert [size.label for size in found if not size.holds] == ["tiny"]


def test_a_budget_names_who_fits_in_which_form_and_who_breaks_quality() -> None:
    page = section(report_of(journal(), size_budget=5000))

    assert page.startswith("**Size budget of 4.88 KiB**\n\n- digits: 2 of 3 fit: ")
    assert "<code>tiny</code> (1000 B as dense; breaks quality)" in page
    assert "<code>deep</code> (3.91 KiB as huffman)" in page


def test_a_variant_that_another_batch_makes_larger_has_two_lines_and_breaks_no_quality_there() -> (
    None
):
    cases = [
        (a_case("int8", batch=batch, size_bytes={"disk": size}, quality=quality(share)), SAME)
        for batch, size, share in ((1, 4000, 0.80), (8, 6000, 0.97), (64, 6000, 0.97))
    ]
    page = section(report_of(a_journal(cases), size_budget=7000))

    assert "<code>int8</code> at batch 1 (3.91 KiB as disk; breaks quality)" in page
    assert "<code>int8</code> at batch 8, 64 (5.86 KiB as disk)" in page
    rows = grid_of(page)
    assert [(row["variant"], row["batch"], row["disk"]) for row in rows] == [
        ("int8", "1", "3.91 KiB"),
        ("int8", "8, 64", "5.86 KiB"),
    ]


def test_a_budget_in_which_nobody_fits_says_so() -> None:
    page = section(report_of(journal(), size_budget=10))

    assert page.startswith("**Size budget of 10 B**\n\n- digits: 0 of 3 fit.")


def test_nonzero_weights_alone_fit_nowhere_for_they_cannot_be_read_back() -> None:
    page = section(report_of(journal(), size_budget=999))

    assert "0 of 3 fit" in page


def test_a_journal_that_knows_no_other_form_has_no_word_of_sizes_but_with_a_budget() -> None:
    old = a_journal([(a_case(), SAME), (a_case("half"), HALF)])

    assert section(report_of(old)) == ""
    assert "2 of 2 fit" in section(report_of(old, size_budget=10**6))


def test_ceilings_of_the_roofline_are_no_models() -> None:
    sized = {"disk": 1, "nominal": 1, "dense": 1}
    ceiling = a_case(workload="roofline:gemm-fp32", size_bytes=sized)

    assert section(report_of(a_journal([(ceiling, SAME)]))) == ""
    assert section(report_of(a_journal([(ceiling, SAME)]), size_budget=5)) == ""


def test_several_devices_have_a_table_each() -> None:
    one = journal()
    gpu = replace(one.cases[1], device="cuda:0", case="g", baseline="gb")
    page = section(report_of(replace(one, cases=(*one.cases, gpu)), size_budget=5000))

    assert "Size budget of 4.88 KiB · cuda:0" in page
    assert page.count("<summary>Size in each form · ") == 2


@pytest.mark.parametrize("text", ["", "kB", "0", "-5kB", "5 stones", "1e3", "0.2"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"wanted bytes above 0 such as 100kB or 2MiB"):
        parse_bytes(text)


@given(st.integers(1, 10**6), st.sampled_from([("k", 1000), ("MB", 10**6), ("KiB", 1024)]))
def test_a_prefix_multiplies(count: int, unit: tuple[str, int]) -> None:
    assert parse_bytes(f"{count}{unit[0]}") == count * unit[1]
    assert parse_bytes(f" {count} {unit[0]} ") == count * unit[1]


def test_the_command_takes_a_budget_and_refuses_one_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(journal(), tmp_path)
    out = tmp_path / "page.md"

    assert main(["report", str(path), "-o", str(out), "--size-budget", "5kB"]) == 0
    assert "**Size budget of 4.88 KiB**" in out.read_text()
    assert main(["report", str(path), "-o", str(out), "--size-budget", "small"]) == 2
    assert "found the size 'small'" in capsys.readouterr().err
