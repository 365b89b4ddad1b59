"""Watching a counter: how long it holds its value, and whether it moves at all."""

from random import Random

from emulators import Count, VirtualClock, steady, ticking
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.meter import MeterUnavailable, probe


def test_a_counter_that_changes_at_every_read_is_seen_often_enough() -> None:
    clock = VirtualClock(step_ns=1_000_000)
    seen = probe(ticking([float(n) for n in range(100)]), longest_s=1, changes=5, clock=clock)
    assert seen is not None
    assert (seen.changes, seen.start_joules, seen.joules) == (5, 0, 5)


def test_a_counter_that_stands_still_gives_no_probe() -> None:
    assert probe(lambda: 7.0, longest_s=0.1, clock=VirtualClock()) is None


def test_a_counter_that_moves_once_gives_no_interval() -> None:
    assert probe(ticking([1.0, 1.0, 2.0]), longest_s=0.1, clock=VirtualClock()) is None


def test_the_longest_gap_counts_and_not_the_median() -> None:
    clock = VirtualClock(step_ns=1_000_000)
    values = [0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0, 5.0]
    seen = probe(ticking(values), longest_s=1, changes=5, clock=clock)
    assert seen is not None
    assert 0.006 <= seen.update_interval_s <= 0.011


def test_watching_ends_when_its_time_is_over() -> None:
    clock = VirtualClock(step_ns=1_000_000)
    probe(lambda: clock.now_ns / 10**9 // 0.5, longest_s=2, changes=100, clock=clock)
    assert 2.0 <= clock.now_ns / 1e9 < 2.1


@settings(max_examples=300, deadline=None)
@given(
    hold_ns=st.integers(100_000, 100_000_000),
    phase=st.floats(0, 1),
    read_ns=st.integers(50_000, 3_000_000),
    seed=st.integers(0, 10**9),
)
def test_the_interval_is_never_shorter_than_the_counters_own(
    hold_ns: int, phase: float, read_ns: int, seed: int
) -> None:
    random = Random(seed)
    clock = VirtualClock(step_ns=100, now_ns=hold_ns)
    count = Count(steady(100), 1000, hold_ns, int(phase * hold_ns), start=0, wrap=None)

    def read() -> float:  # the value is taken somewhere within the read
        early_ns = int(random.random() * read_ns)
        clock.now_ns += early_ns
        value = count.at(clock.now_ns)
        clock.now_ns += read_ns - early_ns
        return float(value)

    seen = probe(read, longest_s=1, changes=2, clock=clock)
    assert seen is not None
    assert hold_ns / 1e9 <= seen.update_interval_s <= (hold_ns + 4 * (read_ns + 300)) / 1e9


def test_a_reason_without_a_fix_stands_alone_in_the_message() -> None:
    assert str(MeterUnavailable("no GPU")) == "no GPU"
    assert str(MeterUnavailable("no GPU", "add one")) == "no GPU; add one"
    assert not MeterUnavailable("no GPU").absent
