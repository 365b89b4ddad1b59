"""After how many inferences a training is earned back, and what the page says of it."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import LOCKED, PROCESS, Cost, a_case, a_journal, a_run, package, quality

from bench.meter import Status
from bench.payback import inferences, saved_per_sample, total
from bench.quantities import Kind
from bench.record import CaseRecord, Window
from bench.records import Journal
from bench.report.sections.payback import rounded, section
from bench.report.sections.trust import section as trust
from bench.statistics import Interval
from bench.window import ChannelEnergy
from reports import GUESS, HALF, SAME, grid_of, report_of

SIZES = st.floats(1e-6, 1e6)
SHARES = st.floats(0.01, 1.0)


def around(value: float, share: float) -> Interval:
    return Interval(value, value * (1 - share / 2), value * (1 + share), 6)


def within(interval: Interval, place: float) -> float:
    return min(interval.high, interval.low + place * (interval.high - interval.low))


# -- the calculation ------------------------------------------------------------------------------


def test_ten_joules_are_earned_back_after_five_samples_that_save_two_each() -> None:
    saved = saved_per_sample(Interval(2.0, 2.0, 2.0, 6), Interval(0.5, 0.5, 0.5, 6))

    assert saved.value == 2
    assert inferences(Interval(10.0, 8.0, 12.0, 1), saved) == Interval(5.0, 4.0, 6.0, 1)


@settings(max_examples=200, deadline=None)
@given(SIZES, SIZES, st.floats(0.01, 100), st.tuples(SHARES, SHARES, SHARES), st.data())
def test_whatever_the_parts_truly_are_within_their_intervals_the_result_holds_it(
    spent: float, cost: float, ratio: float, shares: tuple[float, float, float], data: st.DataObject
) -> None:
    parts = [around(v, s) for v, s in zip((spent, cost, ratio), shares, strict=True)]
    place = st.floats(0, 1)
    true_spent, true_cost, true_ratio = (within(part, data.draw(place)) for part in parts)

    saved = saved_per_sample(parts[1], parts[2])
    found = inferences(parts[0], saved)

    true_saved = true_cost / true_ratio - true_cost
    slack = 1e-9 * (true_cost + true_cost / true_ratio)
    assert saved.low - slack <= true_saved <= saved.high + slack
    assert saved.low <= saved.value + slack
    assert saved.value <= saved.high + slack
    if true_saved > slack * 1e3:
        assert found is not None
        assert found.low * (1 - 1e-6) <= true_spent / true_saved <= found.high * (1 + 1e-6)


@settings(max_examples=100, deadline=None)
@given(SIZES, SIZES, st.floats(0.01, 0.99), st.floats(0.001, 1000))
def test_the_number_of_samples_does_not_depend_on_the_unit(
    spent: float, cost: float, ratio: float, unit: float
) -> None:
    def number(factor: float) -> Interval | None:
        saved = saved_per_sample(around(cost * factor, 0.1), around(ratio, 0.001))
        return inferences(around(spent * factor, 0.1), saved)

    one, other = number(1.0), number(unit)
    assert one is not None
    assert other is not None
    assert other.value == pytest.approx(one.value, rel=1e-6)
    assert other.low == pytest.approx(one.low, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.01, 0.09))
def test_who_saves_more_has_earned_it_back_sooner(ratio: float, less: float) -> None:
    spent, cost = around(10, 0.1), around(2, 0.1)
    few, many = (
        inferences(spent, saved_per_sample(cost, Interval(r, r, r, 6)))
        for r in (ratio, ratio + less)
    )

    assert few is not None
    assert many is not None
    assert few.value < many.value


def test_who_costs_more_never_earns_it_back_and_who_may_save_nothing_perhaps_never() -> None:
    spent, cost = around(10, 0.1), around(2, 0.1)

    assert inferences(spent, saved_per_sample(cost, Interval(1.2, 1.1, 1.3, 6))) is None
    maybe = inferences(spent, saved_per_sample(cost, Interval(0.98, 0.95, 1.01, 6)))
    assert maybe is not None
    assert maybe.high == math.inf
    unlikely = inferences(spent, saved_per_sample(cost, Interval(1.01, 0.98, 1.04, 6)))
    assert unlikely is not None
    assert unlikely.value == unlikely.high == math.inf
    assert unlikely.low > 0


def test_a_ratio_that_reaches_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found a ratio from 0.0, wanted one above 0"):
        saved_per_sample(around(2, 0.1), Interval(0.1, 0.0, 0.2, 2))


def test_bounds_of_several_trainings_add() -> None:
    assert total([Interval(1, 0.5, 2, 1), Interval(2, 1.5, 3, 1)]) == Interval(3, 2, 5, 1)


# -- the page -------------------------------------------------------------------------------------


def training(case: CaseRecord, seconds: float, joules: float | None, **changes: Any) -> Window:
    status = Status.OK if joules is not None else Status.RESET
    low, high = (None, None) if joules is None else (0.9 * joules, 1.1 * joules)
    known = ChannelEnergy("cpu/0/package", joules, low, high, Kind.MEASURED, "cpu-package", status)
    window = Window(case.case, "training", 0, 99, 0, round(seconds * 1e9), 1, 1, (known,))
    return replace(window, **changes)


def metered(**energies: float | None) -> Journal:
    """Variants that halve the energy, gain nothing, break quality, each trained for 20 s."""
    cases = [
        (a_case(), SAME),
        (a_case("half"), HALF),
        (a_case("masked"), SAME),
        (a_case("tiny", quality=quality(0.80)), HALF),
        (a_case("untrained"), HALF),
    ]
    journal = a_journal(cases)
    more = [
        training(case, 20, energies.get(case.technique, 1000.0))
        for case, _ in cases
        if case.technique in {"half", "masked", "tiny"}
    ]
    return replace(journal, windows=(*journal.windows, *more))


def rows_of(journal: Journal) -> dict[str, dict[str, str]]:
    return {row["variant"]: row for row in grid_of(section(report_of(journal)))}


def last(row: dict[str, str]) -> str:
    return list(row.values())[-1]


def test_a_thousand_joules_are_earned_back_after_so_many_images_as_they_are_worth() -> None:
    rows = rows_of(metered())

    assert set(rows) == {"half", "masked", "tiny"}  # who was not trained owes nothing
    assert rows["half"]["training, s"] == "20.0"
    assert rows["half"]["training, J"] == "1\u202f000 ± 100"
    assert rows["half"]["saved energy per image"].startswith("5.00 [")
    assert rows["half"]["saved energy per image"].endswith("mJ")
    number = last(rows["half"]).partition(" [")[0].replace("\u202f", "")
    assert 1000 / 0.0055 < float(number) < 1000 / 0.0045


def test_what_gains_nothing_or_breaks_quality_never_earns_its_training_back() -> None:
    rows = rows_of(metered())

    assert last(rows["masked"]) == "never (no gain)"
    assert last(rows["tiny"]) == "never (breaks quality)"


def test_a_saving_that_is_not_resolved_gives_the_least_number_alone() -> None:
    pairs = [(package(0.010), package(0.010 * r, 0.001)) for r in (0.8, 1.05, 0.9)]
    case = a_case("perhaps")
    journal = a_journal([(a_case(), SAME), (case, pairs)])
    journal = replace(journal, windows=(*journal.windows, training(case, 20, 1000.0)))

    assert last(rows_of(journal)["perhaps"]).endswith(" or more (unresolved)")


def test_a_training_that_no_meter_saw_has_its_reason_and_is_never_zero() -> None:
    page = section(report_of(metered(half=None)))

    row = next(row for row in grid_of(page) if row["variant"] == "half")
    assert row["training, J"] == "—¹"
    assert last(row) == "—"
    assert "¹ cpu/0/package: reset" in page


def test_without_a_meter_time_is_earned_back_and_the_energy_is_a_marked_guess() -> None:
    quick = [(Cost({PROCESS.id: 0.001}, 0.002), Cost({PROCESS.id: 0.001}, 0.001))] * 3
    case = a_case("quick")
    guess = ChannelEnergy(PROCESS.id, 100.0, 50.0, 200.0, Kind.ESTIMATED, "cpu-process", Status.OK)
    journal = a_journal(
        [(a_case(), GUESS), (case, quick)], run=a_run(channels=(PROCESS,), unusable=(LOCKED,))
    )
    windows = [training(case, 20, 1.0, energy=(guess,), pair=pair) for pair in range(2)]
    journal = replace(journal, windows=(*journal.windows, *windows))

    page = section(report_of(journal))
    (row,) = grid_of(page)

    assert "Energy was not measured: what is earned back here is time." in page
    assert row["training, s"] == "40.0"
    assert row["training, J"] == "*≈ 100–400 est.*"
    assert row["saved time per image"] == "1.00 [1.00, 1.00] ms"
    assert row["earned back after … images, by time"] == ("40\u202f000 [40\u202f000, 40\u202f000]")


def test_without_meter_and_without_estimate_the_energy_of_a_training_is_absent() -> None:
    case = a_case("quick")
    pairs = [(Cost({}, 0.002), Cost({}, 0.001))] * 3
    journal = a_journal([(case, pairs)], run=a_run(channels=(), unusable=(LOCKED,)))
    windows = (*journal.windows, training(case, 20, 1.0, energy=()))

    page = section(report_of(replace(journal, windows=windows)))

    assert grid_of(page)[0]["training, J"] == "—¹"
    assert "RAPL exists and this user may not read it" in page


def test_a_journal_without_trainings_has_no_word_of_payback() -> None:
    assert section(report_of(a_journal([(a_case(), SAME), (a_case("half"), HALF)]))) == ""


def test_windows_of_a_training_are_not_counted_among_those_that_were_kept() -> None:
    journal = metered()
    bare = replace(journal, windows=tuple(w for w in journal.windows if w.role != "training"))

    assert trust(report_of(journal)) == trust(report_of(bare))


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-3, 1e12))
def test_a_number_of_samples_is_whole_and_never_none(samples: float) -> None:
    shown = float(rounded(samples).replace("\u202f", ""))

    assert shown >= 1
    assert shown == int(shown)
    assert shown == pytest.approx(max(1.0, samples), rel=0.005, abs=1)
