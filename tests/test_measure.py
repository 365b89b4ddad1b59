"""The measuring loop, in virtual time with known power: no test here waits."""

import gc
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import Clock, KnownMeter, Steps, busy_loop, steady

from bench.block import Place, Side, idle, latency_of, measure_window
from bench.instruments import Instruments
from bench.measure import measure_case
from bench.meter import Channel, Meter, Reading, Status, Unusable
from bench.quantities import Kind
from bench.record import Discard, Window
from bench.schedule import PROFILES, Schedule
from bench.warm_up import NOT_STEADY, warm_up

PACKAGE = "cpu/0/package"
SCHEDULE = Schedule(pairs=6, block_s=0.5, warmup_s=0.3, idle_s=2.0, margin=0.03)


def room(power: Steps, **meter: object) -> tuple[Clock, KnownMeter, Instruments]:
    clock = Clock()
    known = KnownMeter(clock, {PACKAGE: power}, **meter)  # type: ignore[arg-type]
    return clock, known, Instruments((known,), clock=clock, sleep=clock.sleep)


def sides(clock: Clock, baseline_s: float, variant_s: float) -> tuple[Side, Side]:
    return (
        Side("baseline", busy_loop(clock, lambda: baseline_s), 1),
        Side("variant", busy_loop(clock, lambda: variant_s), 1),
    )


def windows_of(blocks: Iterable[Window | Discard]) -> list[Window]:
    return [b for b in blocks if isinstance(b, Window) and b.role != "warmup"]


def test_each_pair_has_both_sides_in_abba_order() -> None:
    clock, _, instruments = room(steady(50))

    blocks = windows_of(
        list(measure_case("case", sides(clock, 1e-3, 2e-3), SCHEDULE, instruments, seed=1))
    )

    roles = [block.role for block in blocks]
    assert [block.pair for block in blocks] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    for pair in range(0, 6, 2):
        group = roles[2 * pair : 2 * pair + 4]
        assert group == group[::-1]
        assert set(group[:2]) == {"baseline", "variant"}


def test_the_order_follows_from_the_seed_and_the_case() -> None:
    def order(case: str, seed: int) -> list[str]:
        clock, _, instruments = room(steady(50))
        many = Schedule(pairs=20, block_s=0.5, warmup_s=0.3, idle_s=2.0, margin=0.03)
        blocks = measure_case(case, sides(clock, 0.01, 0.01), many, instruments, seed)
        return [block.role for block in windows_of(list(blocks))]

    assert order("a", 1) == order("a", 1)
    assert order("a", 1) != order("a", 2)
    assert order("a", 1) != order("b", 1)


def test_a_block_is_never_shorter_than_half_a_second_and_five_calls() -> None:
    clock, _, instruments = room(steady(50))

    blocks = windows_of(
        list(measure_case("case", sides(clock, 2e-4, 0.3), SCHEDULE, instruments, seed=1))
    )

    assert all(block.seconds >= 0.5 for block in blocks)
    assert all(block.calls >= 5 for block in blocks)
    assert all(block.seconds >= 1.5 for block in blocks if block.role == "variant")


def test_a_slow_counter_asks_for_blocks_of_fifty_of_its_intervals() -> None:
    clock, _, instruments = room(steady(50), update_s=0.1)

    blocks = windows_of(
        list(measure_case("case", sides(clock, 1e-3, 1e-3), SCHEDULE, instruments, seed=1))
    )

    assert all(block.seconds >= 5 for block in blocks)


def test_without_an_instrument_the_same_time_makes_more_and_shorter_pairs() -> None:
    clock, _, instruments = room(steady(50), update_s=0.1, kind=Kind.ESTIMATED)

    blocks = windows_of(
        list(measure_case("case", sides(clock, 1e-3, 1e-3), SCHEDULE, instruments, seed=1))
    )

    assert len(blocks) == 2 * 5 * SCHEDULE.pairs == 2 * SCHEDULE.fit(instruments.summed).pairs
    assert all(block.seconds == pytest.approx(0.1, rel=0.02) for block in blocks)


@given(st.floats(1e-6, 10), st.integers(1, 20))
def test_slow_calls_never_make_a_measurement_of_time_longer_than_its_pairs(
    call_s: float, pairs: int
) -> None:
    schedule = Schedule(pairs=pairs, block_s=0.5, warmup_s=0.3, idle_s=2.0, margin=0.03)

    blocks = schedule.fit([], call_s)

    assert blocks.pairs % 2 == 0
    assert pairs <= blocks.pairs <= 5 * pairs + 1
    assert blocks.pairs * max(blocks.aim_s, 5 * call_s) <= (pairs + 1) * max(0.5, 5 * call_s)


@settings(max_examples=40)
@given(
    watts=st.lists(st.floats(1, 400), min_size=3, max_size=12),
    call_s=st.floats(1e-3, 0.2),
    update_s=st.sampled_from([0.001, 0.02, 0.1]),
    read_ns=st.just(0) | st.integers(20_000, 2_000_000),
)
def test_every_window_holds_the_true_energy_between_its_bounds(
    watts: list[float], call_s: float, update_s: float, read_ns: int
) -> None:
    power = Steps([0.7 * i for i in range(len(watts))], watts)
    clock, known, instruments = room(power, update_s=update_s, read_ns=read_ns)
    schedule = Schedule(pairs=2, block_s=0.5, warmup_s=0.1, idle_s=0.5, margin=0.03)

    blocks = measure_case("case", sides(clock, call_s, call_s), schedule, instruments, seed=0)

    for block in windows_of(list(blocks)):
        (energy,) = block.energy
        true = known.true_energy(PACKAGE, block.t0_ns, block.t1_ns)
        assert energy.status is Status.OK
        assert energy.low is not None
        assert energy.high is not None
        assert energy.low <= true <= energy.high


def test_energy_used_while_the_meter_is_read_lies_inside_the_bound() -> None:
    clock, known, instruments = room(steady(400), read_ns=5_000_000)
    loop = busy_loop(clock, lambda: 0.1)

    window = measure_window(
        instruments, lambda: loop(9), Place("case", "variant", 0, 0), calls=9, samples=9
    )

    (energy,) = window.energy
    assert energy.joules == pytest.approx(400 * 0.9, abs=0.01)
    assert energy.low is not None
    assert energy.low <= known.true_energy(PACKAGE, window.t0_ns, window.t1_ns)


def test_energy_between_two_windows_is_charged_to_neither() -> None:
    clock, _, instruments = room(Steps([0, 2.0, 4.0], [10, 400, 10]))
    place = Place("case", "variant", 0, 0)
    loop = busy_loop(clock, lambda: 0.1)

    first = measure_window(instruments, lambda: loop(9), place, calls=9, samples=9)
    clock.sleep(2.5)
    second = measure_window(instruments, lambda: loop(9), place, calls=9, samples=9)

    assert first.energy[0].joules == pytest.approx(9, abs=0.02)
    assert second.energy[0].joules == pytest.approx(9, abs=0.02)


def test_a_block_that_ends_too_early_is_discarded_with_its_reason_and_repeated() -> None:
    clock, _, instruments = room(steady(50))
    speed = iter([1e-3] * 400)
    loop = busy_loop(clock, lambda: next(speed, 1e-4))
    both = (Side("baseline", loop, 1), Side("control", loop, 1))

    blocks = list(measure_case("case", both, SCHEDULE, instruments, seed=1))

    discards = [block for block in blocks if isinstance(block, Discard)]
    assert discards
    assert "wanted at least 0.5 s" in discards[0].reason
    assert all(block.seconds >= 0.5 for block in windows_of(blocks))
    assert len(windows_of(blocks)) == 12


def test_a_cold_first_call_decides_nothing_about_the_block_length() -> None:
    clock, _, instruments = room(steady(50))
    cold = iter([5.0])
    loop = busy_loop(clock, lambda: next(cold, 1e-3))

    window = warm_up("case", Side("variant", loop, 1), SCHEDULE, instruments)

    assert window.seconds / window.calls == pytest.approx(1e-3, rel=1e-3)


def test_the_warm_up_of_a_slow_model_makes_few_calls() -> None:
    clock, _, instruments = room(steady(50))
    calls: list[int] = []
    slow = busy_loop(clock, lambda: 2.0)

    def loop(n: int) -> list[float]:
        calls.append(n)
        return list(slow(n))

    window = warm_up("case", Side("variant", loop, 1), SCHEDULE, instruments)

    assert window.seconds / window.calls == pytest.approx(2.0)
    assert calls == [1, 1, 1]
    assert any(flag.startswith(NOT_STEADY) for flag in window.flags)


def test_a_failed_reading_gives_no_energy_but_status_and_reason() -> None:
    clock, _, instruments = room(steady(50), fail=lambda reads: Status.LOST if reads == 2 else None)
    loop = busy_loop(clock, lambda: 0.1)

    window = measure_window(
        instruments, lambda: loop(9), Place("case", "variant", 0, 0), calls=9, samples=9
    )

    assert window.energy[0].joules is None
    assert window.energy[0].status is Status.LOST
    assert window.energy[0].reason == "it was told to fail"


def test_the_garbage_collector_rests_in_the_window_and_returns_after_it() -> None:
    clock, _, instruments = room(steady(50))
    seen = []

    def run() -> list[float]:
        seen.append(gc.isenabled())
        clock.sleep(1)
        return [1.0]

    measure_window(instruments, run, Place("case", "variant", 0, 0), calls=1, samples=1)

    assert seen == [False]
    assert gc.isenabled()


def test_an_exception_in_the_window_brings_the_garbage_collector_back() -> None:
    _, _, instruments = room(steady(50))

    def run() -> list[float]:
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"):
        measure_window(instruments, run, Place("case", "variant", 0, 0), calls=1, samples=1)
    assert gc.isenabled()


def test_an_idle_window_measures_the_waiting_system_for_as_long_as_the_meter_needs() -> None:
    _, _, instruments = room(steady(7), update_s=0.1)

    window = idle(instruments, 2.0, 0)

    assert window.role == "idle"
    assert window.seconds == 5
    assert window.latency_s is None
    assert window.energy[0].joules == pytest.approx(35, abs=0.01)


def test_the_latency_of_a_window_is_summarised_by_its_quantiles() -> None:
    latency = latency_of([0.004, 0.001, 0.003, 0.002, 0.005])

    assert (latency.n, latency.p50, latency.mean) == (5, 0.003, 0.003)
    assert latency.p95 == pytest.approx(0.0048)
    assert latency.p99 == pytest.approx(0.00496)


def test_the_profiles_measure_an_even_number_of_pairs() -> None:
    assert all(schedule.pairs % 2 == 0 for schedule in PROFILES.values())


def test_a_case_of_few_pairs_is_warmed_up_for_a_quarter_of_its_blocks() -> None:
    full = PROFILES["full"]

    assert full.of_pairs(2) == replace(full, pairs=2, target=None, warmup_s=0.5)
    assert full.of_pairs(20) == replace(full, pairs=20, target=None, warmup_s=1)
    assert full.of_pairs(None) == full


def test_the_expected_time_of_a_case_is_what_the_loop_takes() -> None:
    clock, _, instruments = room(steady(50))
    began = clock()

    list(measure_case("case", sides(clock, 1e-3, 1e-3), SCHEDULE, instruments, seed=1))

    expected = SCHEDULE.seconds_per_case(instruments.channels)
    assert expected == pytest.approx([(clock() - began) / 1e9] * 2, rel=0.15)


def test_two_routes_to_one_channel_stay_apart_by_the_meters_name() -> None:
    clock = Clock()
    first = KnownMeter(clock, {PACKAGE: steady(10)}, name="first")
    second = KnownMeter(clock, {PACKAGE: steady(20)}, name="second")
    instruments = Instruments((first, second), clock=clock, sleep=clock.sleep)

    readings = instruments.read()

    assert [channel.id for channel in instruments.channels] == [PACKAGE, f"{PACKAGE}#second"]
    assert readings[PACKAGE].value == 10
    assert readings[f"{PACKAGE}#second"].value == 20
    instruments.close()
    assert first.closed
    assert second.closed


def test_each_meter_is_closed_once_however_often_the_session_ends() -> None:
    closed: list[str] = []

    class Fragile(KnownMeter):
        def close(self) -> None:
            closed.append(self.name)

    instruments = Instruments((Fragile(Clock(), {PACKAGE: steady(10)}),))

    instruments.close()
    instruments.close()

    assert closed == ["known"]


def test_linear_drift_leaves_the_paired_ratio_unbiased() -> None:
    from bench.statistics import ratio_interval

    clock, _, instruments = room(steady(50))
    began = clock()

    def drifting(seconds: float) -> float:
        return seconds * (1 + 0.05 * (clock() - began) / 14e9)

    noise = random.Random(3)
    both = (
        Side("baseline", busy_loop(clock, lambda: drifting(1e-3) * noise.gauss(1, 0.001)), 1),
        Side("variant", busy_loop(clock, lambda: drifting(0.8e-3) * noise.gauss(1, 0.001)), 1),
    )

    blocks = windows_of(list(measure_case("case", both, SCHEDULE, instruments, seed=2)))

    per_call = {(b.pair, b.role): b.seconds / b.calls for b in blocks}
    ratio = ratio_interval([(per_call[p, "baseline"], per_call[p, "variant"]) for p in range(6)])
    assert ratio is not None
    assert ratio.value == pytest.approx(0.8, rel=0.003)


def test_a_window_in_which_a_counter_held_its_value_is_flagged() -> None:
    clock, _, instruments = room(steady(100), update_s=0.4)
    (channel,) = instruments.channels
    probed = replace(channel, update_interval_s=0.3)
    meter = Slower(instruments.meters[0], (probed,))
    instruments = Instruments((meter,), clock=clock, sleep=clock.sleep)
    loop = busy_loop(clock, lambda: 0.1)

    window = measure_window(
        instruments, lambda: loop(40), Place("case", "variant", 0, 0), calls=40, samples=40
    )

    assert window.energy[0].status is Status.HELD
    assert any(f"{PACKAGE} held its value longer" in flag for flag in window.flags)


@dataclass
class Slower:
    """A meter that is slower than its channels say."""

    meter: Meter
    channels: tuple[Channel, ...]
    name: str = "slower"
    unusable: tuple[Unusable, ...] = ()

    def read(self) -> tuple[Reading, ...]:
        return self.meter.read()

    def close(self) -> None:
        """Nothing is held."""
