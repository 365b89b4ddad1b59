"""Budgets: type A and type B in quadrature, each source with its share."""

import math
from dataclasses import replace
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import DRAM, PACKAGE, a_case, a_journal, a_run, a_window, package
from scipy import stats

from bench.average import energy_per_sample, power, seconds_per_sample
from bench.compare import compare
from bench.meter import Channel, Status
from bench.pairs import energy_ratio, pairs_of
from bench.quantities import Kind
from bench.record import Window
from bench.statistics import mean_spread
from bench.uncertainty import (
    CLOCK,
    CLOCK_RATE,
    EDGES,
    QUANTISATION,
    SOURCES,
    SPECIFICATION,
    SPREAD,
    Budget,
    Component,
    bounds_of,
    mean_budget,
)
from bench.window import ChannelEnergy

NORMAL_95 = NormalDist().inv_cdf(0.975)


def energy(joules: float, half: float, channel: Channel = PACKAGE) -> ChannelEnergy:
    ends = max(0.0, joules - half), joules + half
    return ChannelEnergy(channel.id, joules, *ends, channel.kind, channel.boundary, Status.OK)


def window(*energies: ChannelEnergy, role: str = "variant", pair: int = 0) -> Window:
    return replace(a_window(a_case("t"), role, pair, package(0.0)), energy=energies)


def test_standard_uncertainties_add_in_quadrature() -> None:
    budget = Budget(100.0, (Component(SPREAD, 3.0, 9), Component(EDGES, 4.0)), 10)

    assert budget.combined == pytest.approx(5.0)
    assert budget.share(SPREAD) == pytest.approx(9 / 25)
    assert budget.share(EDGES) == pytest.approx(16 / 25)
    assert budget.share(CLOCK) == 0


def test_degrees_of_freedom_are_those_of_welch_and_satterthwaite() -> None:
    budget = Budget(100.0, (Component(SPREAD, 3.0, 9), Component(EDGES, 4.0)), 10)

    assert budget.degrees == pytest.approx(5**4 / (3**4 / 9))
    assert budget.half == pytest.approx(5 * stats.t.ppf(0.975, 5**4 / (3**4 / 9)))


def test_a_bound_alone_has_no_degrees_of_freedom_to_lose() -> None:
    budget = Budget(100.0, (Component(EDGES, 4.0),), 1)

    assert budget.degrees == math.inf
    assert budget.half == pytest.approx(4 * NORMAL_95)


def test_where_nothing_is_uncertain_the_interval_is_the_value() -> None:
    budget = Budget(100.0, (Component(SPREAD, 0.0, 5),), 6)

    assert (budget.combined, budget.half, budget.share(SPREAD)) == (0, 0, 0)


@given(st.lists(st.floats(1e-150, 1e-3), min_size=2, max_size=5), st.integers(1, 50))
def test_shares_add_up_to_the_whole(standards: list[float], degrees: int) -> None:
    components = [
        Component(source, standard, degrees if source == SPREAD else math.inf)
        for source, standard in zip(SOURCES, standards, strict=False)
    ]
    budget = Budget(1.0, tuple(components), degrees + 1)

    assert math.fsum(map(budget.share, SOURCES)) == pytest.approx(1)
    assert budget.degrees >= degrees * (1 - 1e-9)


CHANNELS = st.builds(
    replace,
    st.just(PACKAGE),
    resolution=st.floats(0, 10),
    range=st.floats(0, 0.5).map(lambda share: (1 - share, 1 + share)),
    clock_s=st.sampled_from([0.0, 0.001, 0.1]),
    unit=st.sampled_from(["J", "W"]),
)


@given(CHANNELS, st.floats(0.1, 1e4), st.floats(0, 1e4))
def test_the_parts_of_a_bound_add_up_to_it(channel: Channel, joules: float, half: float) -> None:
    found = bounds_of(energy(joules, half), channel, 2.0)

    assert math.fsum(found.values()) == pytest.approx(half, abs=1e-9)
    assert min(found.values()) >= 0


def test_a_bound_is_told_apart_by_step_specification_and_edges() -> None:
    channel = replace(PACKAGE, resolution=0.1, range=(0.99, 1.01))

    found = bounds_of(energy(100.0, 3.0), channel, 2.0)

    assert found == pytest.approx({SPECIFICATION: 1.0, QUANTISATION: 0.1, CLOCK: 0.0, EDGES: 1.9})


def test_the_step_of_a_gauge_counts_for_as_long_as_the_window() -> None:
    gauge = replace(PACKAGE, unit="W", resolution=0.5, kind=Kind.SAMPLED)

    assert bounds_of(energy(100.0, 3.0, gauge), gauge, 4.0)[QUANTISATION] == pytest.approx(2.0)


def test_a_window_without_energy_has_no_bound() -> None:
    lost = ChannelEnergy(
        PACKAGE.id, None, None, None, Kind.MEASURED, "cpu-package", Status.RESET, "it went back"
    )

    with pytest.raises(ValueError, match="cpu/0/package has no energy: it went back"):
        bounds_of(lost, PACKAGE, 1.0)


def test_a_bound_does_not_shrink_with_the_number_of_windows_and_the_spread_does() -> None:
    few, many = (
        mean_budget(values, [{EDGES: 0.03}] * len(values), mean_spread(values))
        for values in ([1.0, 1.1] * 3, [1.0, 1.1] * 300)
    )

    assert [c.standard for c in few.components if c.source == EDGES] == pytest.approx(
        [0.03 / math.sqrt(3)]
    )
    assert few.share(EDGES) < many.share(EDGES)
    assert many.half == pytest.approx(NORMAL_95 * 0.03 / math.sqrt(3), rel=0.05)


def test_our_clock_is_in_the_power_of_a_counter_and_in_the_joules_of_a_gauge() -> None:
    gauge = replace(PACKAGE, unit="W", resolution=0.0)
    for channel, joules_are_timed in ((replace(PACKAGE, resolution=0.0), False), (gauge, True)):
        windows = [window(energy(10.0, 0.0, channel), pair=pair) for pair in range(3)]

        budgets = (
            energy_per_sample(windows, windows, [channel]).budget,
            power(windows, windows, [channel]).budget,
        )

        shares = [budget.share(CLOCK) if budget else None for budget in budgets]
        assert shares == pytest.approx([1.0, 0.0] if joules_are_timed else [0.0, 1.0])


def test_time_per_sample_is_known_no_better_than_the_clock() -> None:
    windows = [window(pair=pair) for pair in range(4)]

    budget = seconds_per_sample(windows, windows)

    assert budget is not None
    assert budget.value == pytest.approx(0.001)
    assert budget.half == pytest.approx(0.001 * CLOCK_RATE * NORMAL_95 / math.sqrt(3))


def ratio(range_of_dram: tuple[float, float], dram: tuple[float, float]) -> Budget:
    """Of three pairs of 10 J each in the package, and so much in the DRAM on either side."""
    doubtful = replace(DRAM, range=range_of_dram, resolution=0.0)
    package_, windows = replace(PACKAGE, resolution=0.0), []
    for pair in range(3):
        for role, joules in zip(("baseline", "variant"), dram, strict=True):
            off = max(range_of_dram[1] - 1, 1 - range_of_dram[0]) * joules
            energies = energy(10.0, 0.0, package_), energy(joules, off, doubtful)
            windows.append(window(*energies, role=role, pair=pair))
    budget = energy_ratio(pairs_of(windows), [package_, doubtful])
    assert budget is not None
    return budget


def test_a_factor_on_all_joules_of_both_sides_cancels_in_their_ratio() -> None:
    assert ratio((0.5, 1.5), (10.0, 10.0)).half == 0


def test_a_factor_on_the_joules_of_one_side_does_not_cancel() -> None:
    budget = ratio((0.5, 1.5), (10.0, 0.0))

    assert budget.share(SPECIFICATION) == pytest.approx(1)
    # half of the baseline's joules may be off by half, none of the variant's
    assert budget.combined == pytest.approx(0.5 * 0.5 / math.sqrt(3))


def test_the_bound_of_the_meter_widens_the_interval_of_the_ratio() -> None:
    values = [(1.0, 1.0), (1.0, 1.01), (1.0, 0.99)]
    (bare,) = compare([a_journal([(a_case("t"), [(package(a), package(b)) for a, b in values])])])
    pairs = [(package(a, bound=0.05), package(b, bound=0.05)) for a, b in values]
    (bounded,) = compare([a_journal([(a_case("t"), pairs)])])

    one, other = bare.rows[0].budgets.energy_ratio, bounded.rows[0].budgets.energy_ratio
    assert one is not None
    assert other is not None
    assert one.value == other.value
    # two windows of ±5 % each, in three pairs
    from_meter = math.sqrt(2) * 0.05 / math.sqrt(3) / math.sqrt(3)
    assert other.combined == pytest.approx(math.hypot(one.combined, from_meter), rel=0.01)
    assert other.share(EDGES) > 0.9


def test_every_number_of_a_row_is_the_middle_of_its_budget() -> None:
    pairs = [(package(0.010, 0.001, 1e-4), package(0.005, 0.0005, 1e-4))] * 4
    (table,) = compare([a_journal([(a_case("t"), pairs)], run=a_run())])
    (row,) = table.rows

    assert row.budgets.energy is not None
    assert row.budgets.energy.value == pytest.approx(0.005)
    assert row.budgets.power is not None
    assert row.budgets.power.value == pytest.approx(10.0)
    assert row.budgets.time is not None
    assert row.budgets.time.value == pytest.approx(0.0005)
    assert row.throughput is not None
    assert row.throughput.value == pytest.approx(2000)
    assert row.energy_ratio is not None
    assert row.energy_ratio.value == pytest.approx(0.5)
