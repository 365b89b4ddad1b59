"""Two routes to one energy: recorded both, added never, flagged where they disagree."""

import math

import pytest
from journals import Cost, a_case, a_journal
from virtual import Clock, KnownMeter, steady

from bench.command import Outcome
from bench.cross_check import cross_checks
from bench.instruments import Instruments
from bench.meter import Status
from bench.quantities import Absent, Kind
from bench.report.markdown import page
from bench.window import ChannelEnergy
from reports import grid_of, report_of

PACKAGE, PERF = "cpu/0/package", "cpu/0/package#perf"


def energy(channel: str, joules: float | None, bound: float = 1.0) -> ChannelEnergy:
    if joules is None:
        return ChannelEnergy(channel, None, None, None, Kind.MEASURED, "x", Status.ERROR, "no")
    low, high = joules - bound, joules + bound
    return ChannelEnergy(channel, joules, low, high, Kind.MEASURED, "x", Status.OK)


def test_the_ratio_is_of_the_sums_over_windows_that_have_both() -> None:
    windows = [
        [energy(PACKAGE, 10), energy(PERF, 11)],
        [energy(PACKAGE, 30), energy(PERF, 31)],
        [energy(PACKAGE, 500), energy(PERF, None)],
    ]

    (check,) = cross_checks(windows)

    assert (check.channel, check.route, check.windows) == (PACKAGE, PERF, 2)
    assert check.ratio == pytest.approx(42 / 40)
    assert check.low == pytest.approx(40 / 42)
    assert check.high == pytest.approx(44 / 38)


@pytest.mark.parametrize(
    ("second", "agrees"), [(94.9, False), (95, True), (105, True), (105.1, False)]
)
def test_routes_agree_within_five_percent(second: float, *, agrees: bool) -> None:
    (check,) = cross_checks([[energy(PACKAGE, 100), energy(PERF, second)]])

    assert check.agrees is agrees
    assert ("DISAGREE" in str(check)) is not agrees


def test_a_channel_with_one_route_is_not_checked() -> None:
    assert cross_checks([[energy(PACKAGE, 100), energy("cpu/0/dram", 5)]]) == ()
    assert cross_checks([[energy(PERF, 100)]]) == ()


def test_a_first_route_that_may_have_been_zero_bounds_nothing() -> None:
    (check,) = cross_checks([[energy(PACKAGE, 1, bound=1), energy(PERF, 1)]])

    assert check.high == math.inf


def both(second: float) -> list[tuple[Cost, Cost]]:
    return [(Cost({PACKAGE: 0.01, PERF: second}), Cost({PACKAGE: 0.01, PERF: second}))] * 3


def test_a_disagreement_stands_in_the_report_for_all_to_see() -> None:
    text = page(report_of(a_journal([(a_case(), both(0.012))])))

    before_fold, _, folded = text.partition("Cross-checks: two routes to the same energy")
    assert "Two routes to cpu/0/package disagree: perf reads 1.200 times the first" in before_fold
    assert "| perf | 1.200 |" in folded


def test_routes_that_agree_are_folded_away_and_never_added() -> None:
    text = page(report_of(a_journal([(a_case(), both(0.0101))])))

    assert "disagree" not in text
    assert "| perf | 1.010 |" in text
    (row,) = grid_of(text)
    assert row["energy, mJ per image"] == "10.0"


def test_measuring_a_command_shows_how_its_routes_compare() -> None:
    def outcome(second: float) -> Outcome:
        energies = (energy(PACKAGE, 100), energy(PERF, second))
        return Outcome(0, 10**9, 0, (), energies, Absent("it is a test"), 0.0)

    assert any("they agree" in line for line in outcome(101).lines())
    assert any("DISAGREE" in line for line in outcome(200).lines())


def test_two_meters_of_one_channel_are_both_recorded_and_one_is_summed() -> None:
    clock = Clock()
    first = KnownMeter(clock, {PACKAGE: steady(10)})
    second = KnownMeter(clock, {PACKAGE: steady(20)}, name="perf")
    instruments = Instruments((first, second), clock=clock, sleep=clock.sleep)

    with instruments.recording() as recording:
        t0 = clock()
        clock.sleep(2)
        t1 = clock()
    found = instruments.energy(recording, t0, t1)

    assert [(e.channel, e.joules) for e in found] == [(PACKAGE, 20), (PERF, 40)]
    assert [channel.id for channel in instruments.summed] == [PACKAGE]


def test_a_disagreement_that_the_bounds_explain_asks_for_longer_windows() -> None:
    wide, narrow = (
        cross_checks([[energy(PACKAGE, 100, bound), energy(PERF, 130, bound)]])[0]
        for bound in (50.0, 1.0)
    )

    assert (wide.explained, narrow.explained) == (True, False)
    assert "measure longer" in str(wide)
    assert "measure longer" not in str(narrow)
