"""Pairs are added until they answer, and no longer; disturbed blocks are run again."""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import Clock, KnownMeter, busy_loop, steady

from bench.block import Side
from bench.guard import State
from bench.instruments import Instruments
from bench.measure import REPEATS, _Runner, is_enough, measure_case
from bench.quantities import Kind
from bench.record import Discard, Window
from bench.schedule import PROFILES, Blocks, Schedule

PACKAGE = "cpu/0/package"
RULE = Schedule(6, 0.5, 0.3, 2.0, margin=0.03, target=0.03, most_pairs=24)


def room(
    state: Callable[[], State] = State, *, update_s: float = 0.001, kind: Kind = Kind.MEASURED
) -> tuple[Clock, KnownMeter, Instruments]:
    clock = Clock()
    meter = KnownMeter(clock, {PACKAGE: steady(50)}, update_s=update_s, kind=kind)
    return clock, meter, Instruments((meter,), clock=clock, sleep=clock.sleep, watch=state)


def blocks(
    ratio: float,
    noise: float,
    schedule: Schedule = RULE,
    *,
    seed: int = 1,
    kind: Kind = Kind.MEASURED,
    done: Iterable[Window] = (),
) -> list[Window | Discard]:
    """A case whose variant takes *ratio* of the time, each block with its own *noise*."""
    clock, _, instruments = room(kind=kind)
    source = random.Random(seed)

    def loop(seconds: float) -> Callable[[int], list[float]]:
        def run(calls: int) -> list[float]:
            each = seconds * math.exp(source.gauss(0, noise))
            return list(busy_loop(clock, lambda: each)(calls))

        return run

    both = (Side("baseline", loop(1e-3), 1), Side("variant", loop(ratio * 1e-3), 1))
    return list(measure_case("case", both, schedule, instruments, seed, done=tuple(done)))


def kept(found: Iterable[Window | Discard]) -> list[Window]:
    return [b for b in found if isinstance(b, Window) and b.role != "warmup"]


def test_a_clear_answer_ends_at_the_first_look() -> None:
    assert len(kept(blocks(0.7, 0.001))) == 2 * RULE.pairs


def test_noise_that_never_settles_ends_at_the_most_pairs() -> None:
    assert RULE.most_pairs is not None
    assert len(kept(blocks(1.0, 0.3))) == 2 * RULE.most_pairs


def test_an_answer_in_the_middle_ends_at_a_look_between() -> None:
    numbers = {len(kept(blocks(0.9, 0.03, seed=seed))) // 2 for seed in range(12)}

    assert numbers <= {6, 12, 24}
    assert 12 in numbers


def test_a_narrow_interval_across_the_margin_asks_for_more() -> None:
    edge = kept(blocks(1 / 1.03, 0.002))

    assert len(edge) == 2 * 24


def test_without_a_target_just_the_pairs_that_were_asked_for_are_measured() -> None:
    fixed = replace(RULE, target=None)

    assert len(kept(blocks(1.0, 0.3, fixed))) == 2 * RULE.pairs


def test_where_no_instrument_is_read_the_time_decides() -> None:
    found = kept(blocks(0.7, 0.001, kind=Kind.ESTIMATED))

    assert len(found) == 2 * 10


@given(st.integers(1, 60), st.floats(1, 8), st.sampled_from([0.0, 0.05, 2.0]))
def test_looks_are_even_and_geometric_up_to_the_most(
    pairs: int, times: float, call_s: float
) -> None:
    schedule = replace(RULE, pairs=pairs, most_pairs=math.ceil(pairs * times))

    for channels in ((), room()[2].channels):
        looks = schedule.fit(channels, call_s).looks
        assert all(look % 2 == 0 for look in looks)
        assert list(looks) == sorted(set(looks))
        assert all(later == 2 * look for look, later in pairwise(looks[:-1]))
        assert len(looks) < 2 or looks[-1] <= 2 * looks[-2]


def test_every_profile_has_a_target_and_an_end() -> None:
    for name in ("quick", "nightly", "full"):
        schedule = PROFILES[name]
        assert schedule.target is not None
        assert schedule.most_pairs is not None
        assert schedule.most_pairs > schedule.pairs
        assert schedule.target <= schedule.margin


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7, 12, 23, 24])
def test_a_case_that_was_cut_off_goes_on_where_it_was(cut: int) -> None:
    whole = kept(blocks(1 / 1.03, 0.0, replace(RULE, most_pairs=12)))
    done = whole[:cut]

    rest = kept(blocks(1 / 1.03, 0.0, replace(RULE, most_pairs=12), done=done))

    both = [(window.pair, window.role) for window in (*done, *rest)]
    assert both == [(window.pair, window.role) for window in whole]
    assert len({window.order for window in (*done, *rest)}) == len(both)
    assert all(window.order > done[-1].order for window in rest if done)


def test_what_was_measured_before_counts_at_the_looks() -> None:
    done = kept(blocks(0.7, 0.001))

    assert is_enough(done, RULE, room()[2].summed)
    assert kept(blocks(0.7, 0.001, done=done)) == []


def test_blocks_begin_at_all_phases_of_a_slow_counter() -> None:
    schedule = replace(RULE, target=None, pairs=20)
    clock, _, instruments = room(update_s=0.1)
    loop = busy_loop(clock, lambda: 0.01)
    both = (Side("baseline", loop, 1), Side("control", loop, 1))

    for role in ("baseline", "control"):
        found = kept(measure_case("case", both, schedule, instruments, 3))
        phases = sorted(w.t0_ns / 1e8 % 1 for w in found if w.role == role)
        gaps = [b - a for a, b in zip(phases, [*phases[1:], phases[0] + 1], strict=True)]
        assert max(gaps) < 0.16  # 20 phases: evenly 0.05 apart, at random 0.18 on average


def test_without_shifts_every_block_begins_at_a_tick() -> None:
    schedule = replace(RULE, target=None, shifted=False)
    clock, _, instruments = room(update_s=0.1)
    loop = busy_loop(clock, lambda: 0.01)
    both = (Side("baseline", loop, 1), Side("control", loop, 1))

    found = kept(measure_case("case", both, schedule, instruments, 3))

    assert all(w.t0_ns / 1e8 % 1 < 0.03 for w in found)


def disturbed(busy_s: Callable[[int], float], pairs: int = 6) -> list[Window | Discard]:
    """A case beside which others use as much CPU as *busy_s* says of the number of the read."""
    reads = iter(range(100_000))
    clock, _, instruments = room(lambda: State(foreign_cpu_s=busy_s(next(reads))))
    loop = busy_loop(clock, lambda: 0.01)
    both = (Side("baseline", loop, 1), Side("control", loop, 1))
    schedule = replace(RULE, pairs=pairs, target=None)
    return list(measure_case("case", both, schedule, instruments, 3))


def test_a_block_beside_which_others_worked_is_run_again() -> None:
    calm = disturbed(lambda _: 0.0)
    reads_of_warm_up = 200  # at most; by then the pairs have begun

    found = disturbed(lambda read: 0.0 if read < reads_of_warm_up else 1.0, pairs=60)

    discards = [each for each in found if isinstance(each, Discard)]
    assert [each for each in calm if isinstance(each, Discard)] == []
    assert len(discards) == 1
    assert "foreign load" in discards[0].reason
    assert len(kept(found)) == 120
    assert not any("foreign load" in flag for window in kept(found) for flag in window.flags)


def test_load_that_stays_costs_three_repeats_once_and_is_flagged_in_every_block() -> None:
    reads_of_warm_up = 70  # at most

    found = disturbed(lambda read: max(0, read - reads_of_warm_up) * 0.5, pairs=40)

    discards = [each for each in found if isinstance(each, Discard)]
    flagged = [any("foreign load" in flag for flag in w.flags) for w in kept(found)]
    assert len(discards) == REPEATS
    assert sum(flagged) >= 40
    assert flagged == sorted(flagged)
    assert len(kept(found)) == 80


def test_a_block_that_gets_short_as_a_disturbance_ends_has_repeats_of_its_own() -> None:
    foreign = [0.0]
    clock, _, instruments = room(lambda: State(foreign_cpu_s=foreign[0]))

    def loop(calls: int) -> list[float]:
        slow = foreign[0] < 3
        foreign[0] += slow  # a second of others' work in each of the first three blocks
        return list(busy_loop(clock, lambda: 1e-3 if slow else 1e-4)(calls))

    side = Side("baseline", loop, 1)
    runner = _Runner(
        "case", (side, side), Blocks((6,), 0.5, 0.525), instruments, count(), [1e-3, 1e-3]
    )

    *discards, window = runner.run(0, 0, 0.0)

    reasons = [each.reason for each in discards if isinstance(each, Discard)]
    assert ["foreign load" in reason for reason in reasons] == [True, True, True, False]
    assert "wanted at least 0.5 s" in reasons[-1]
    assert isinstance(window, Window)
    assert window.seconds >= 0.5
    assert window.energy[0].joules is not None
