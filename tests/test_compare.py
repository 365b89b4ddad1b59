"""compare.py, with numbers that a reader can check in the head."""

import math
from dataclasses import replace

import pytest
from journals import (
    PACKAGE,
    PROCESS,
    SETTINGS,
    Cost,
    Pairs,
    a_case,
    a_journal,
    a_run,
    an_idle,
    package,
    quality,
)

from bench.compare import Row, Table, compare
from bench.quantities import Absent, Kind, Quantity
from bench.record import CaseRecord, Discard
from bench.statistics import Verdict


def table_of(*cases: tuple[CaseRecord, Pairs], **others: object) -> Table:
    (table,) = compare([a_journal(cases, **others)])  # type: ignore[arg-type]
    return table


def row_of(pairs: Pairs, case: CaseRecord | None = None, **others: object) -> Row:
    return table_of((case or a_case("student"), pairs), **others).rows[0]


def test_energy_of_a_case_is_the_mean_over_its_own_windows_only() -> None:
    row = row_of([(package(10.0), package(4.0)), (package(10.0), package(6.0))])

    assert isinstance(row.energy, Quantity)
    assert row.energy.value == pytest.approx(5.0)
    assert (row.energy.unit, row.energy.kind, row.windows) == ("J/sample", Kind.MEASURED, 2)


def test_ratio_is_the_geometric_mean_over_the_pairs_not_of_the_means() -> None:
    row = row_of([(package(1.0), package(0.25)), (package(4.0), package(4.0))])

    assert row.energy_ratio is not None
    assert row.energy_ratio.value == pytest.approx(0.5)
    assert row.energy_ratio.n == 2


def test_drift_that_is_common_to_a_pair_cancels_in_the_ratio() -> None:
    row = row_of([(package(x), package(x / 2)) for x in (1.0, 2.0, 3.0, 4.0)])

    assert row.energy_ratio is not None
    assert row.energy_ratio.low == pytest.approx(0.5)
    assert row.energy_ratio.high == pytest.approx(0.5)
    assert row.energy_verdict is Verdict.SAVES


def test_bound_of_the_meter_widens_the_energy_and_the_ratio() -> None:
    row = row_of([(package(10.0, bound=1.0), package(10.0, bound=1.0))] * 4)

    assert isinstance(row.energy, Quantity)
    half = 1.96 / math.sqrt(3)  # a bound of ±1 as a rectangular distribution, at 95 %
    assert (row.energy.low, row.energy.high) == pytest.approx((10 - half, 10 + half), rel=1e-4)
    assert row.energy_ratio is not None
    assert row.energy_ratio.low < 0.95
    assert row.energy_verdict is Verdict.UNRESOLVED


def test_energy_is_absent_when_one_window_has_none() -> None:
    lost = Cost({PACKAGE.id: None})
    row = row_of([(package(2.0), package(1.0)), (package(2.0), lost)])

    assert isinstance(row.energy, Absent)
    assert "it went back" in row.energy.reason
    assert row.energy_ratio is None
    assert isinstance(row.net, Absent)
    assert row.energy_verdict is Verdict.NOT_MEASURED
    assert row.time_verdict is Verdict.NO_GAIN


def test_a_baseline_window_without_energy_makes_the_case_not_comparable() -> None:
    lost = Cost({PACKAGE.id: None})
    row = row_of([(package(2.0), package(1.0)), (lost, package(1.0))])

    assert isinstance(row.energy, Quantity)
    assert row.energy_verdict is Verdict.NOT_COMPARABLE


def test_energy_of_zero_gives_no_ratio_rather_than_an_error() -> None:
    row = row_of([(package(0.0), package(1.0))] * 2)

    assert row.energy_ratio is None


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ((0.5, 0.5), Verdict.SAVES),
        ((2.0, 2.0), Verdict.COSTS),
        ((1.0, 1.0), Verdict.NO_GAIN),
        ((1.0299, 1.0299), Verdict.NO_GAIN),
        ((1.0301, 1.0301), Verdict.COSTS),
        ((1 / 1.0301, 1 / 1.0301), Verdict.SAVES),
        ((1 / 1.0299, 1 / 1.0299), Verdict.NO_GAIN),
        ((0.5, 2.0), Verdict.UNRESOLVED),
    ],
)
def test_verdict_word_changes_where_the_interval_leaves_the_margin(
    ratios: tuple[float, float], expected: Verdict
) -> None:
    row = row_of([(package(1.0), package(ratio)) for ratio in ratios])

    assert row.energy_verdict is expected


def test_margin_of_the_settings_decides_what_is_no_gain() -> None:
    run = a_run(settings={**SETTINGS, "margin": 0.1})
    table = table_of((a_case("student"), [(package(1.0), package(0.95))] * 2), run=run)

    assert table.margin == 0.1
    assert table.rows[0].energy_verdict is Verdict.NO_GAIN


def test_masked_pruning_that_saves_nothing_says_no_gain() -> None:
    masked = a_case("magnitude_pruning", level={"form": "masked"}, nonzero=90)
    row = row_of([(package(1.0), package(r)) for r in (1.001, 0.999, 1.0, 1.0)], masked)

    assert (row.energy_verdict, row.time_verdict) == (Verdict.NO_GAIN, Verdict.NO_GAIN)


def test_quality_below_its_target_breaks_it_however_much_is_saved() -> None:
    case = a_case("student", quality=quality(0.949))
    row = row_of([(package(1.0), package(0.1))] * 2, case)

    assert (row.energy_verdict, row.time_verdict) == (Verdict.BREAKS_QUALITY,) * 2
    assert row.quality_change == pytest.approx(-0.021)


def test_quality_at_its_target_or_without_target_holds() -> None:
    for held in (quality(0.95), quality(0.1, target=None), quality(None), None):
        row = row_of([(package(1.0), package(0.5))] * 2, a_case("student", quality=held))
        assert row.energy_verdict is Verdict.SAVES


def test_quality_change_is_unknown_without_both_values() -> None:
    for changes in ({"quality": None}, {"quality": quality(None)}, {"baseline_quality": None}):
        row = row_of([(package(1.0), package(0.5))] * 2, a_case("student", **changes))
        assert row.quality_change is None


def test_a_baseline_compared_with_itself_is_a_control() -> None:
    table = table_of(
        (a_case(), [(package(1.0), package(1.0)), (package(3.0), package(3.0))]),
        (a_case("student"), [(package(1.0), package(0.5))] * 2),
    )
    baseline, student = table.rows

    assert table.controls == (baseline,)
    assert baseline.is_baseline
    assert not student.is_baseline
    assert isinstance(baseline.energy, Quantity)
    assert baseline.energy.value == pytest.approx(2.0)
    assert baseline.windows == 4


def test_pairs_that_miss_one_side_are_left_out_of_the_ratio() -> None:
    row = row_of([(package(1.0), package(0.5))] * 2 + [(None, package(9.0)), (package(9.0), None)])

    assert row.energy_ratio is not None
    assert row.energy_ratio.value == pytest.approx(0.5)
    assert row.energy_ratio.n == 2
    assert row.windows == 3


def test_one_pair_has_a_value_and_no_ratio_and_is_not_comparable() -> None:
    row = row_of([(package(1.0), package(0.5))])

    assert isinstance(row.energy, Quantity)
    assert (row.energy_ratio, row.time_ratio, row.throughput) == (None, None, None)
    assert (row.energy_verdict, row.time_verdict) == (Verdict.NOT_COMPARABLE,) * 2


def test_a_case_without_any_window_is_absent_with_a_reason() -> None:
    row = row_of([])

    assert row.energy == Absent("no window was measured")
    assert (row.latency_p50_s, row.time_verdict) == (None, Verdict.NOT_MEASURED)


def test_net_energy_is_gross_minus_idle_power_times_time() -> None:
    pairs = [(package(10.0, seconds=0.5), package(8.0, seconds=0.5))] * 2
    row = row_of(pairs, idle=(an_idle(6.0), an_idle(6.0)))

    assert isinstance(row.net, Quantity)
    assert row.net.value == pytest.approx(8.0 - 6.0 * 0.5)
    assert isinstance(row.power, Quantity)
    assert row.power.value == pytest.approx(16.0)


def test_idle_power_without_an_idle_window_is_absent_and_so_is_net() -> None:
    table = table_of((a_case("student"), [(package(1.0), package(0.5))] * 2))

    assert table.idle == Absent("no idle window was measured")
    assert table.rows[0].net == table.idle


def test_an_estimate_stands_apart_and_is_never_compared() -> None:
    cost = Cost({PROCESS.id: 4.0})
    run = a_run(channels=(PROCESS,))
    row = row_of([(cost, cost)] * 2, run=run, idle=(an_idle(6.0, PROCESS.id),))

    assert isinstance(row.energy, Absent)
    assert row.estimate is not None
    assert (row.estimate.low, row.estimate.value, row.estimate.high) == pytest.approx((2, 4, 8))
    assert (row.energy_ratio, row.energy_verdict) == (None, Verdict.NOT_MEASURED)


def test_an_estimate_beside_a_measurement_does_not_enter_its_energy() -> None:
    cost = Cost({PACKAGE.id: 1.0, PROCESS.id: 4.0})
    row = row_of([(cost, cost)] * 2, run=a_run(channels=(PACKAGE, PROCESS)))

    assert isinstance(row.energy, Quantity)
    assert row.energy.value == pytest.approx(1.0)
    assert row.estimate is not None
    assert row.estimate.kind is Kind.ESTIMATED


def test_time_and_latency_come_from_the_same_windows_as_the_energy() -> None:
    pairs = [(package(1.0, seconds=0.004), package(1.0, seconds=0.001))] * 2
    row = row_of(pairs, a_case("student", batch=8))

    assert row.time_ratio is not None
    assert row.time_ratio.value == pytest.approx(0.25)
    assert row.time_verdict is Verdict.SAVES
    assert row.latency_p50_s == pytest.approx(0.008)
    assert row.latency_p99_s == pytest.approx(0.0088)
    assert row.throughput is not None
    assert row.throughput.value == pytest.approx(1000.0)


def test_each_device_has_its_own_table_and_its_own_gpu() -> None:
    gpus = [
        replace(PACKAGE, id=f"gpu/GPU-{n}/board", domain="gpu", boundary="gpu-board")
        for n in (1, 2)
    ]
    cost = Cost({PACKAGE.id: 1.0, gpus[0].id: 2.0, gpus[1].id: 99.0})
    on_gpu = a_case("student", device="cuda:0", device_id="cuda:GPU-1")
    tables = compare(
        [
            a_journal(
                [(a_case("student"), [(cost, cost)] * 2), (on_gpu, [(cost, cost)] * 2)],
                run=a_run(channels=(PACKAGE, *gpus)),
            )
        ]
    )

    assert [table.device for table in tables] == ["cpu", "cuda:0"]
    assert [table.cover for table in tables] == [(PACKAGE.id,), (PACKAGE.id, gpus[0].id)]
    energies = [table.rows[0].energy for table in tables]
    assert [e.value for e in energies if isinstance(e, Quantity)] == pytest.approx([1.0, 3.0])


def test_baselines_stand_before_their_variants() -> None:
    pairs = [(package(1.0), package(1.0))] * 2
    table = table_of((a_case("a"), pairs), (a_case(), pairs), (a_case("b", batch=2), pairs))

    assert [row.case.label for row in table.rows] == ["baseline", "a", "b"]


def test_discards_and_flags_are_counted_for_their_case() -> None:
    case = a_case("student")
    journal = a_journal(
        [(case, [(package(1.0), package(1.0))] * 2)],
        discards=[Discard(case.case, 0, "too short"), Discard("another", 0, "too short")],
    )
    first, second, *rest = journal.windows
    windows = (replace(first, flags=("a",)), replace(second, flags=("b",)), *rest)
    (table,) = compare([replace(journal, windows=windows)])

    assert (table.rows[0].discards, table.rows[0].flagged) == (1, 1)
