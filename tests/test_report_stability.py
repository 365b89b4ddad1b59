"""How steady a session was, by batch what a sample costs, and by channel where its energy goes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import DRAM, PACKAGE, Cost, a_case, a_journal, a_run, package

from bench.record import Discard
from bench.records import Journal
from bench.report.markdown import page
from bench.report.sections.batches import section as batches
from bench.report.sections.channels import section as channels
from bench.report.sections.stability import section as stability
from bench.report.sections.stability import variation
from reports import HALF, SAME, estimated, grid_of, measured, report_of

CORE = replace(PACKAGE, id="cpu/0/core", domain="core", boundary="cpu-cores")


def flagged(journal: Journal, flags: Sequence[str], count: int = 2) -> Journal:
    """The journal with flags on its first windows."""
    windows = [
        replace(window, flags=tuple(flags)) if number < count else window
        for number, window in enumerate(journal.windows)
    ]
    return replace(journal, windows=tuple(windows))


# -- stability ------------------------------------------------------------------------------------


def test_each_control_says_how_much_a_baseline_differs_from_itself() -> None:
    apart = [(package(0.010 + d), package(0.0104 + d)) for d in (0.0, 0.0001, 0.0002)]
    journal = a_journal([(a_case(), apart), (a_case(batch=64), SAME)])
    one, other = grid_of(stability(report_of(journal)))

    assert (one["control"], one["batch"], one["pairs"]) == ("digits · baseline", "1", "3")
    assert one["says"] == "a difference of 4.0 % where there is none"
    assert other["says"] == "no difference, as it should"
    assert other["time, A ÷ A [95 %]"] == "1.000 [1.000, 1.000]"


def test_a_session_without_control_says_what_nobody_knows() -> None:
    text = stability(report_of(a_journal([(a_case("a"), HALF)])))

    assert "**A/A controls**: none was run" in text


def test_the_spread_of_each_case_is_that_of_its_own_windows() -> None:
    costs = [package(j, s) for j, s in ((0.010, 0.001), (0.012, 0.0011), (0.014, 0.0012))]
    journal = a_journal([(a_case("a"), [(package(5.0, 5.0), cost) for cost in costs])])
    text = stability(report_of(journal))
    (row,) = grid_of(text[text.index("Spread of each case") :])

    assert row["windows"] == "3"
    assert row["CV of energy, %"] == "17"  # 2 ÷ 12
    assert row["CV of time, %"] == "9.1"  # 0.1 ÷ 1.1


def test_without_an_instrument_no_spread_of_energy_is_told() -> None:
    text = stability(report_of(estimated()))

    assert "CV of energy" not in text
    assert "CV of time" in text


def test_disturbances_are_counted_by_sort_and_the_largest_load_is_told() -> None:
    flags = ("foreign load 0.40 CPU", "throttled: CPUs held their clocks back for heat, 3 times")
    text = stability(report_of(flagged(measured(), flags)))

    assert "- foreign load: 2 of 30 windows, up to 0.40 CPU, kept and marked" in text
    assert "- throttled: CPUs held their clocks back for heat: 2 of 30 windows" in text
    assert "no window says so" not in text


def test_a_quiet_session_says_that_nothing_was_flagged_and_what_cannot_be_seen() -> None:
    text = stability(report_of(measured()))

    assert "- throttling, slower clocks, heat: no window says so; a machine that hides" in text
    assert "- load of other programs: no window says so" in text
    assert "- discarded: none" in text


def test_discards_are_counted_by_reason_and_stand_beside_their_case() -> None:
    case = a_case("student").case
    discards = [Discard(case, pair, f"foreign load 0.{pair}5 CPU") for pair in (1, 2)]
    discards += [Discard(case, 3, "the meter was reset"), Discard("of another journal", 0, "x")]
    text = stability(report_of(replace(measured(), discards=tuple(discards))))
    rows = grid_of(text[text.index("Spread of each case") :])

    assert "- discarded 2 times: foreign load" in text
    assert "- discarded 1 time: the meter was reset" in text
    assert {row["case"]: row["discarded"] for row in rows}["digits · student"] == "3"
    assert "another journal" not in text


def test_a_flag_of_no_known_sort_is_counted_by_what_stands_before_its_colon() -> None:
    text = stability(report_of(flagged(measured(), ("not steady: it still warmed up",), 1)))

    assert "- not steady: 1 of 30 windows, kept and marked" in text


@given(st.lists(st.floats(0.1, 1e6), min_size=2, max_size=20), st.floats(0.01, 100.0))
def test_the_variation_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    one, other = variation(values), variation([factor * value for value in values])

    assert one == pytest.approx(other, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("values", [[], [1.0], [0.0, 0.0]])
def test_too_few_values_or_nothing_at_all_have_no_variation(values: list[float]) -> None:
    assert variation(values) is None


# -- batches --------------------------------------------------------------------------------------


def test_a_sample_at_each_batch_stands_beside_its_baseline_at_that_batch() -> None:
    large = [(package(0.004, 0.0004), package(0.001, 0.0001))] * 3
    journal = a_journal(
        [
            (a_case(), SAME),
            (a_case("student"), HALF),
            (a_case(batch=64), [(package(0.004, 0.0004), package(0.004, 0.0004))] * 3),
            (a_case("student", batch=64), large),
            (a_case("csr", batch=64), large),
        ]
    )
    rows = {row["variant"]: row for row in grid_of(batches(report_of(journal)))}

    assert rows["student"]["b64, mJ per image"] == "1.00"
    assert rows["student"]["b64, energy ÷ baseline [95 %]"].startswith("0.25")
    assert rows["baseline"]["b1, energy ÷ baseline [95 %]"] == "1"
    assert (rows["csr"]["b1, mJ per image"], rows["csr"]["b64, mJ per image"]) == ("—", "1.00")


def test_without_energy_the_batches_show_time_per_sample() -> None:
    small, large = Cost({}, 0.002), Cost({}, 0.0005)
    pairs = [[(cost, cost)] * 3 for cost in (small, large)]
    journal = a_journal([(a_case(), pairs[0]), (a_case(batch=64), pairs[1])])
    (row,) = grid_of(batches(report_of(journal)))

    assert list(row)[1:3] == ["b1, ms per image", "b1, time ÷ baseline [95 %]"]
    assert row["b1, ms per image"].startswith("2.0")
    assert row["b64, ms per image"].startswith("0.50")


def test_one_batch_size_is_no_sweep() -> None:
    assert batches(report_of(measured())) == ""


# -- channels -------------------------------------------------------------------------------------


def three_channels() -> Journal:
    cost = Cost({PACKAGE.id: 0.010, DRAM.id: 0.002, CORE.id: 0.006})
    lost = Cost({PACKAGE.id: 0.010, DRAM.id: None, CORE.id: 0.006})
    run = a_run(channels=(PACKAGE, DRAM, CORE))
    cases = [(a_case(), [(cost, cost)] * 3), (a_case("lost"), [(lost, lost)] * 3)]
    return a_journal(cases, run=run)


def test_each_channel_has_its_own_column_kind_and_boundary() -> None:
    text = channels(report_of(three_channels()))
    baseline, lost = grid_of(text)

    assert baseline["cpu/0/package, mJ per image"].startswith("10.0")
    assert baseline["cpu/0/dram, mJ per image"].startswith("2.0")
    assert "- cpu/0/package: measured, boundary cpu-package, in the sum" in text
    assert "- cpu/0/core: measured, boundary cpu-cores, not in the sum" in text
    assert lost["cpu/0/dram, mJ per image"] == "—¹"
    assert "<sub>¹ cpu/0/dram: it went back</sub>" in text


def test_one_channel_or_an_estimate_alone_needs_no_table_of_channels() -> None:
    assert channels(report_of(measured())) == ""
    assert channels(report_of(estimated())) == ""


def test_the_new_sections_stand_in_their_places() -> None:
    text = page(report_of(three_channels()))

    assert text.index("by channel</summary>") < text.index("<summary>Stability")
    assert text.index("<summary>Stability") < text.index("Uncertainty budget")
    assert "could not be written" not in text
