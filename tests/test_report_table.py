"""The main table: its numbers, its reasons, its bold row."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from journals import (
    PACKAGE,
    PROCESS,
    Cost,
    a_case,
    a_journal,
    a_run,
    package,
    quality,
)
from scipy import stats

from bench.compare import compare
from bench.report.markdown import main_table, page
from reports import GUESS, HALF, SAME, estimated, grid_of, measured, report_of, sampled


def numbers(cell: str) -> list[tuple[float, float]]:
    """Each number of a cell with half a unit of its last digit."""
    plain = cell.replace("\u202f", "").replace("\N{MINUS SIGN}", "-")
    found = re.findall(r"-?\d+(?:\.\d+)?", plain)
    return [(float(n), 0.500001 * 10.0 ** _last_place(n)) for n in found]


def _last_place(number: str) -> int:
    """The power of ten of a number's last digit that counts."""
    whole, _, decimals = number.partition(".")
    return -len(decimals) if decimals else len(whole) - len(whole.rstrip("0"))


def agree(cell: str, *expected: float) -> None:
    found = numbers(cell)
    assert len(found) == len(expected), (cell, expected)
    for (value, half), want in zip(found, expected, strict=True):
        assert value == pytest.approx(want, abs=half), (cell, expected)


def test_every_number_of_the_main_table_is_recomputed_without_report_code() -> None:
    pairs = [(0.0101, 0.0053), (0.0099, 0.0051), (0.0105, 0.0052)]
    seconds = [(0.00100, 0.00061), (0.00102, 0.00060), (0.00099, 0.00062)]
    t95 = 4.302653  # Student's t, two degrees of freedom
    costs = [(package(a, s), package(b, u)) for (a, b), (s, u) in zip(pairs, seconds, strict=True)]
    case = a_case("student", quality=quality(0.968), batch=4)
    (table,) = compare([a_journal([(case, costs)])])
    (row,) = grid_of(main_table(table))

    def t_interval(values: list[float]) -> tuple[float, float]:
        mean = sum(values) / 3
        spread = math.sqrt(sum((v - mean) ** 2 for v in values) / 2)
        return mean, t95 * spread / math.sqrt(3)

    def ratio(values: list[tuple[float, float]]) -> list[float]:
        mean, half = t_interval([math.log(b / a) for a, b in values])
        return [math.exp(mean), math.exp(mean - half), math.exp(mean + half)]

    def means(values: list[tuple[float, float]]) -> tuple[float, float]:
        """The mean of the second values, widened by what neighbours of both have in common."""
        one, other = np.array(values).T
        rest = np.array([one / one.mean() - 1, other / other.mean() - 1]).T.ravel()
        raw = (rest[1:] * rest[:-1]).sum() / (rest**2).sum()
        found = min(max((6 * raw + 1) / 2, 0), 0.98)
        rho = min(found + 1.5 * math.sqrt((1 - found**2) / 6), 0.98)
        kept = (3 + 4 * rho**2 + 2 * rho**4) / 9  # every second one is its own
        spread = np.std(other, ddof=1) * math.sqrt(kept / max((1 - kept) * 3 / 2, 0.05))
        return float(other.mean()), float(stats.t.ppf(0.975, 2) * spread)

    watts = [(a / s, b / u) for (a, b), (s, u) in zip(pairs, seconds, strict=True)]
    energy, half = means(pairs)
    time, half_s = means(seconds)
    agree(row["energy, mJ per image"], 1e3 * energy, 1e3 * half)
    agree(row["energy ÷ baseline [95 %]"], *ratio(pairs))
    agree(row["time ÷ baseline [95 %]"], *ratio(seconds))
    agree(row["power, W"], *means(watts))
    agree(row["images per s"], 1 / time, half_s / time**2)
    agree(row["latency p50 / p99, ms"], 4e3 * 0.00061, 4.4e3 * 0.00061)
    agree(row["quality, % (Δ pt)"], 96.8, -0.2)
    agree(row["on disk"], 2.0)
    assert (row["batch"], row["kind"], row["verdict"]) == ("4", "measured", "**saves**")


def test_only_the_best_variant_that_holds_quality_is_bold() -> None:
    text = main_table(report_of(measured()).tables[0])
    bold = [line for line in text.splitlines() if line.startswith("| **")]

    assert len(bold) == 1
    assert bold[0].startswith("| **student** |")


def test_nothing_is_bold_where_energy_was_not_measured() -> None:
    rows = [
        line for line in main_table(report_of(estimated()).tables[0]).splitlines() if "|" in line
    ]

    assert not any("**" in row for row in rows)


def test_a_baseline_of_another_runtime_may_be_the_best_row() -> None:
    cheap = [(package(0.002), package(0.002))] * 3
    cases = [(a_case(), SAME), (a_case(runtime="onnx"), cheap), (a_case("student"), HALF)]
    text = main_table(report_of(a_journal(cases)).tables[0])

    assert "| **baseline · onnx** |" in text
    assert "| **student" not in text


def test_energies_of_several_kinds_are_never_ranked_against_each_other() -> None:
    journal = measured()
    windows = tuple(
        sampled(w) if w.case.startswith("digits/student") else w for w in journal.windows
    )
    text = main_table(report_of(replace(journal, windows=windows)).tables[0])

    assert "| **" not in text
    assert "sampled" in text


def test_without_a_meter_the_energy_is_a_dash_with_its_reason_and_the_estimate_a_range() -> None:
    text = main_table(report_of(estimated()).tables[0])
    rows = grid_of(text)

    assert rows[1]["energy, mJ per image"] == "—¹"
    assert rows[1]["*estimate, mJ per image*"] == "*≈ 0.50–2.0 est.*"
    assert rows[1]["verdict"] == "not measured; time: no gain"
    assert "¹ RAPL exists and this user may not read it" in text
    assert not re.search(r"[^.\d]0(\.00+)?[ |]", text)


def test_a_variant_that_breaks_quality_without_energy_says_both() -> None:
    cases = [(a_case("tiny", quality=quality(0.5)), GUESS)]
    text = main_table(report_of(a_journal(cases, run=a_run(channels=(PROCESS,)))).tables[0])

    assert "not measured; breaks quality" in text


def test_one_row_without_energy_keeps_its_own_reason_under_the_table() -> None:
    lost = [(package(1.0), Cost({PACKAGE.id: None}))] * 2
    text = page(report_of(a_journal([(a_case(), SAME), (a_case("lost"), lost)])))

    assert "¹ cpu/0/package: it went back" in text
    assert "Energy not measured: <code>lost</code>." in text
    assert "Some rows have no energy" in text


def test_quality_in_its_own_unit_is_never_called_per_cent() -> None:
    case = a_case("a", quality=quality(31.25, 30.0), baseline_quality=quality(32.5, 30.0))
    text = page(report_of(a_journal([(case, HALF)])))

    assert "| 31.25 (−1.25) |" in text or "31.25 (−1.250)" in text
    assert "target ≥ 30.00" in text
    assert "test accuracy −1.250" in text


def test_a_workload_without_quality_says_so_and_has_no_quality_column() -> None:
    case = a_case("a", quality=None, baseline_quality=None)
    text = page(report_of(a_journal([(case, HALF)])))

    assert "quality not judged" in text
    assert "(Δ pt)" not in text


def test_one_row_without_quality_has_a_dash_between_its_neighbours() -> None:
    cases = [(a_case(), SAME), (a_case("a", quality=None), HALF)]
    rows = grid_of(main_table(report_of(a_journal(cases)).tables[0]))

    assert [row["quality, % (Δ pt)"] for row in rows] == ["97.0", "—"]


def test_a_case_without_windows_has_dashes_and_no_zero() -> None:
    text = main_table(report_of(a_journal([(a_case("a", size_bytes={}), [])])).tables[0])
    (row,) = grid_of(text)

    assert row["latency p50 / p99, s"] == row["images per s"] == row["on disk"] == "—"
    assert row["time ÷ baseline [95 %]"] == "—"
    assert "no window was measured" in text
