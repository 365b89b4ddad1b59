"""Intervals of windows hold the true energy: any counter, any gauge, any phase."""

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from emulators import VirtualClock
from known_power import KnownPower, assert_windows_hold, random_power

from bench.counter import counted
from bench.gauge import integrated
from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Kind
from bench.window import channel_energy

SECOND = 1_000_000_000


@dataclass
class Instrument:
    """Any counter or gauge: held, averaged, in steps, wrapped, and slow to read."""

    clock: VirtualClock
    power: KnownPower
    channel: Channel
    phase_s: float
    random: Random
    read_s: float
    start_j: float = 0.0
    name: str = "any"
    unusable: tuple[Unusable, ...] = ()
    waits: list[float] = field(default_factory=list)

    @property
    def channels(self) -> tuple[Channel, ...]:
        return (self.channel,)

    def read(self) -> tuple[Reading, ...]:
        t0 = self.clock()
        early = self.random.random()
        self.clock.pass_s(early * self.read_s)
        value = self.shown(self.clock.now_ns / 1e9)
        self.clock.pass_s((1 - early) * self.read_s)
        return (Reading(self.channel.id, t0, self.clock(), value),)

    def shown(self, at_s: float) -> float:
        channel = self.channel
        hold, step = channel.update_interval_s, channel.resolution
        tick = max(0.0, (at_s - self.phase_s) // hold * hold + self.phase_s)
        if channel.unit == "W":
            begin = max(0.0, tick - channel.averaging_window_s)
            return self.power.mean(begin, tick) // step * step
        joules = (self.start_j + self.power.energy(0.0, tick)) // step * step
        return joules if channel.wrap is None else joules % channel.wrap

    def close(self) -> None:
        """Nothing is held."""


def any_channel(random: Random, unit: str, most_w: float) -> Channel:
    hold_s = random.choice([0.001, 0.01, 0.1, 1.0])
    step = (
        random.choice([6.1e-5, 1e-3, 1.0]) if unit == "J" else random.choice([1e-3, 0.01 * most_w])
    )
    # a whole number of steps, and far more than a window can hold
    wrap = round(most_w * hold_s * 2000 / step) * step if unit == "J" else None
    return Channel(
        "cpu/0/package",
        "package",
        Kind.MEASURED if unit == "J" else Kind.SAMPLED,
        "cpu-package",
        step,
        hold_s,
        wrap if random.random() < 0.7 else None,
        1.05 * most_w,
        "a test",
        unit=unit,  # type: ignore[arg-type]
        averaging_window_s=random.choice([0.0, 0.5, 3.0]) * hold_s if unit == "W" else 0.0,
        poll_s=random.choice([0.3, 1.0]) * hold_s if unit == "W" else None,
    )


def instrument(seed: int, unit: str) -> tuple[Instrument, Random]:
    random = Random(f"{unit}{seed}")
    most_w = random.choice([5.0, 80.0, 900.0])
    channel = any_channel(random, unit, most_w)
    hold_s = channel.update_interval_s
    # a gauge cannot show what is shorter than its interval and two gaps between readings
    dwell_s = random.uniform(0.1, 5) * hold_s
    if unit == "W":
        dwell_s = channel.lag_s + 3 * hold_s
    if unit == "J" and channel.resolution > most_w * hold_s:
        channel = replace(channel, resolution=1e-3, wrap=None)
    power = random_power(random, most_w, dwell_s, levels=60)
    clock = VirtualClock(max(200, round(hold_s * 1e6)), now_ns=round(random.uniform(5, 9) * 1e9))
    read_s = random.choice([0.0, 0.02, 0.2]) * hold_s
    phase_s, start_j = random.uniform(0, hold_s), random.uniform(0, channel.wrap or 1e6)
    return Instrument(clock, power, channel, phase_s, random, read_s, start_j), random


@pytest.mark.parametrize("unit", ["J", "W"])
@pytest.mark.parametrize("seed", range(50))
def test_the_interval_of_every_window_holds_the_true_energy(seed: int, unit: str) -> None:
    meter, random = instrument(seed, unit)
    hold_s = meter.channel.lag_s
    shortest = 2 * hold_s + 3 * meter.channel.resolution / min(meter.power.watts) * (unit == "J")

    checked = assert_windows_hold(
        meter,
        meter.clock,
        {meter.channel.id: meter.power.energy},
        random,
        windows=25,
        seconds=(shortest, shortest + 60 * hold_s),
    )

    assert checked == 25


def at(
    channel: Channel, seconds: float, value: float | None, status: Status = Status.OK
) -> Reading:
    ns = round(seconds * SECOND)
    return Reading(channel.id, ns, ns, value, status)


GAUGE = Channel(
    "board/0", "board", Kind.SAMPLED, "board-dc", 0.1, 0.1, None, 100.0, "a test", unit="W"
)
COUNTER = replace(GAUGE, unit="J", kind=Kind.MEASURED, resolution=0.01)


def steadily(watts: float, to_s: float, every_s: float = 0.1) -> list[Reading]:
    return [at(GAUGE, n * every_s, watts) for n in range(round(to_s / every_s) + 1)]


def test_a_steady_gauge_is_off_by_its_step_alone() -> None:
    found = integrated(GAUGE, steadily(50, 3), 0, 2 * SECOND)

    assert found.value == pytest.approx(100)
    assert found.low == pytest.approx(99.8)
    assert found.high == pytest.approx(100.2)
    assert found.status is Status.OK


@pytest.mark.failure_mode(23, "any")
def test_a_gap_between_samples_is_flagged_and_spans_all_that_may_have_been_drawn() -> None:
    readings = [r for r in steadily(50, 5) if not 1.05e9 < r.t0_ns < 2.95e9]

    found = integrated(GAUGE, readings, 0, 4 * SECOND)

    assert found.status is Status.GAP
    assert found.value == pytest.approx(200)
    # what was drawn in the last 0.1 s before the gap was not shown either
    assert found.low == pytest.approx(1.9 * 49.9)
    assert found.high == pytest.approx(1.9 * 50.1 + 2.1 * 100)


def test_what_a_gauge_has_not_shown_yet_may_have_been_anything() -> None:
    found = integrated(GAUGE, steadily(50, 2), 0, 2 * SECOND)

    assert found.low == pytest.approx(1.9 * 49.9)
    assert found.high == pytest.approx(1.9 * 50.1 + 0.1 * 100)


@pytest.mark.failure_mode(16, "any")
def test_a_gauge_that_shows_exactly_zero_all_the_time_shows_nothing() -> None:
    found = channel_energy(GAUGE, steadily(0, 3), 0, 2 * SECOND)

    assert (found.joules, found.status) == (None, Status.NOT_SUPPORTED)
    assert "exactly 0 W in 31 readings" in found.reason


def test_a_gauge_beyond_what_its_domain_can_draw_is_not_believed() -> None:
    found = channel_energy(GAUGE, [*steadily(50, 1), *steadily(101, 3)[11:]], 0, 2 * SECOND)

    assert (found.joules, found.status) == (None, Status.INVALID)
    assert "101 W" in found.reason


@pytest.mark.failure_mode(5, "any")
def test_a_failed_sample_is_dropped_and_the_others_give_the_energy() -> None:
    readings = steadily(50, 3)
    readings[7] = at(GAUGE, 0.7, None, status=Status.ERROR)

    found = integrated(GAUGE, readings, 0, 2 * SECOND)

    assert found.value == pytest.approx(100)
    assert found.status is Status.OK


@pytest.mark.failure_mode(18, "any")
def test_a_device_that_is_lost_in_a_window_ends_it() -> None:
    readings = [*steadily(50, 1), Reading(GAUGE.id, SECOND, SECOND, None, Status.LOST, "it left")]

    found = channel_energy(GAUGE, readings, 0, 2 * SECOND)

    assert (found.joules, found.status, found.reason) == (None, Status.LOST, "it left")


@pytest.mark.failure_mode(26, "any")
@pytest.mark.parametrize("channel", [GAUGE, COUNTER], ids=["gauge", "counter"])
def test_a_window_of_half_an_interval_never_yields_a_number(channel: Channel) -> None:
    readings = [at(channel, -0.01, 50), at(channel, 0.02, 50.2), at(channel, 0.06, 51.0)]

    found = channel_energy(channel, readings, 0, SECOND // 20)

    assert (found.joules, found.status) == (None, Status.TOO_SHORT)
    assert "give it at least 5 s" in found.reason


@pytest.mark.failure_mode(12, "any")
def test_a_counter_that_holds_longer_than_it_was_probed_widens_its_bound() -> None:
    shown = [(0.0, 0.0), (0.1, 1.0), (0.2, 2.0), (0.7, 2.0), (0.8, 8.0), (1.0, 10.0), (1.1, 11.0)]
    readings = [at(COUNTER, seconds, joules) for seconds, joules in shown]

    found = counted(COUNTER, readings, 0, SECOND)

    assert found.status is Status.HELD
    assert found.value == pytest.approx(10)
    assert found.low <= 10 <= found.high


@pytest.mark.failure_mode(11, "any")
def test_a_counter_that_stands_still_beside_one_that_moves_is_stale() -> None:
    still = [at(COUNTER, n / 10, 7.0) for n in range(-1, 32)]
    moving = [at(COUNTER, n / 10, 7.0 + n) for n in range(-1, 32)]

    stale, fine = (channel_energy(COUNTER, rows, 0, 3 * SECOND) for rows in (still, moving))

    assert (stale.joules, stale.status) == (None, Status.STALE)
    assert "the counter stood still for" in stale.reason
    assert "is the driver alive?" in stale.reason
    assert fine.joules == pytest.approx(30)


@pytest.mark.parametrize("after", [[], [(0.6, 12.0)]], ids=["and never again", "and later"])
def test_a_counter_that_moved_only_before_the_window_gives_no_zero(
    after: list[tuple[float, float]],
) -> None:
    shown = [(-0.1, 0.0), (-0.001, 10.0), (0.5, 10.0), (0.55, 10.0), *after]

    found = channel_energy(COUNTER, [at(COUNTER, *each) for each in shown], 0, SECOND // 2)

    assert (found.joules, found.low, found.high) == (None, None, None)
    assert found.status is Status.TOO_SHORT
    assert "the window of 0.5 s" in found.reason
    assert "give it at least 5 s" in found.reason


WRAPS = replace(COUNTER, wrap=1000.0)
NO_ENERGY: dict[str, tuple[Channel, list[tuple[float, float]], Status]] = {
    "a number that is none": (COUNTER, [(0, 1.0), (1, float("inf"))], Status.INVALID),
    "no reading at the end": (COUNTER, [(0, 1.0), (0.5, 2.0)], Status.INVALID),
    "a long time without a reading": (WRAPS, [(0, 1.0), (20, 2.0)], Status.INVALID),
    "more than it can draw": (COUNTER, [(0, 1.0), (1, 900.0)], Status.INVALID),
    "a fall": (COUNTER, [(0, 100.0), (1, 1.0)], Status.RESET),
    "no movement any more": (COUNTER, [(0, 1.0), (0.1, 2.0), (2, 2.0)], Status.STALE),
    "no movement at all": (COUNTER, [(0, 1.0), (1, 1.0)], Status.STALE),
    "less than an interval": (GAUGE, [(0, 50.0), (1, 50.0)], Status.TOO_SHORT),
    "nothing but zero": (GAUGE, [(n / 10, 0.0) for n in range(12)], Status.NOT_SUPPORTED),
    "a power that cannot be": (GAUGE, [(n / 10, 50.0 * n) for n in range(12)], Status.INVALID),
}


@pytest.mark.parametrize("name", NO_ENERGY)
def test_a_window_without_energy_says_what_was_found_and_then_what_to_do(name: str) -> None:
    channel, shown, status = NO_ENERGY[name]
    end = SECOND // 20 if status is Status.TOO_SHORT else SECOND

    found = channel_energy(channel, [at(channel, *each) for each in shown], 0, end)

    assert (found.joules, found.low, found.high) == (None, None, None)
    assert found.status is status
    cause, _, fix = found.reason.partition("; ")
    assert any(character.isdigit() for character in cause) or "showed inf" in cause
    assert fix.startswith(("see ", "was ", "read ", "is ", "give "))


def test_ticks_at_both_ends_bound_the_energy_by_what_was_shown() -> None:
    """10 W: the counter ticked 1 ms before the start, and 60 ms after the end."""
    shown = [(-0.002, 0.0), (-0.001, 1.0), (1.0, 10.0), (1.058, 10.0), (1.06, 11.0)]
    readings = [at(COUNTER, seconds, joules) for seconds, joules in shown]

    found = counted(COUNTER, readings, 0, SECOND)

    assert found.low == pytest.approx(10 - 1 - 0.01 - 0.002 * 100)
    assert found.high == pytest.approx(11 - 1 + 0.01)
    assert found.value == pytest.approx(9.41, abs=0.02)


FAST = replace(COUNTER, update_interval_s=0.01, p_max_w=500.0)


@pytest.mark.failure_mode(11, "any")
def test_a_counter_that_freezes_in_the_window_is_stale_and_no_half_of_the_energy() -> None:
    readings = [at(FAST, n, 100.0 * min(n, 5)) for n in range(11)]

    found = channel_energy(FAST, readings, 0, 10 * SECOND)

    assert (found.joules, found.status) == (None, Status.STALE)
    assert "stood still for 5 s" in found.reason


def test_a_tick_that_does_not_come_widens_the_bound() -> None:
    """100 W; the counter showed 0 J at 5 s and 500 J from 9.9 s on: its real interval is longer."""
    readings = [at(FAST, 0, 0.0), at(FAST, 9.9, 500.0), at(FAST, 10, 500.0), at(FAST, 10.02, 500.0)]
    slower = replace(FAST, update_interval_s=0.05)

    found = counted(slower, readings, 0, 10 * SECOND)

    assert found.status is Status.HELD
    assert found.high > 505


def test_a_value_that_was_held_from_the_first_reading_on_may_be_of_any_age() -> None:
    """10 W; the counter is refreshed every 20.5 s, last at -19.79 s, and once at 0.71 s."""
    slow = replace(COUNTER, p_max_w=25.0)
    readings = [at(slow, 0, 0.0), at(slow, 0.7, 0.0), at(slow, 3, 205.0)]

    found = counted(slow, readings, 0, 3 * SECOND)

    assert found.status is Status.HELD
    assert found.low <= 30 <= found.high


def test_who_held_longer_than_probed_once_may_hold_longer_still() -> None:
    """90 W; a refresh after 0.5 s was seen, and at the end the value is 0.9 s old."""
    refreshed = [(-0.01, -0.05), (0.02, 0.0), (0.3, 0.0), (0.48, 0.0), (0.52, 0.5), (2, 1.95)]
    readings = [at(COUNTER, seconds, 90 * tick) for seconds, tick in [*refreshed, (5, 4.1)]]

    found = counted(COUNTER, readings, 0, 5 * SECOND)

    assert found.status is Status.HELD
    assert found.low <= 450 <= found.high


def test_a_counter_that_holds_a_second_is_believed_when_it_is_read_often() -> None:
    """300 W of 500, refreshed every second though it was probed at 10 ms."""
    readings = [at(FAST, n / 20, 300.0 * (n // 20)) for n in range(205)]
    slow = replace(FAST, update_interval_s=0.15)

    found = counted(slow, readings, 0, 10 * SECOND)

    assert found.status is Status.HELD
    assert found.low <= 3000 <= found.high


def test_what_was_drawn_just_before_a_gap_may_have_been_anything() -> None:
    """400 W that fell to nothing at 5.01 s, was not seen to, and came back at 8.95 s."""
    slow = replace(GAUGE, update_interval_s=0.5, p_max_w=400.0, resolution=1.0)
    before = [at(slow, n / 10 - 0.01, 400.0) for n in range(5, 56)]
    after = [at(slow, n / 10 + 0.05, 400.0) for n in range(90, 112)]

    found = integrated(slow, [*before, *after], SECOND, 10 * SECOND)

    true_j = 400 * (5.01 - 1) + 400 * (10 - 8.95)
    assert found.status is Status.GAP
    assert found.low <= true_j <= found.high


@pytest.mark.parametrize("slow", [False, True], ids=["its clock is off", "a reading takes 0.6 s"])
@pytest.mark.parametrize(("late_s", "end"), [(0.3, SECOND), (-0.3, 3 * SECOND // 2)])
def test_a_gauge_whose_times_are_in_doubt_holds_a_step_that_it_shows_too_late_or_too_soon(
    late_s: float, end: int, *, slow: bool
) -> None:
    """10 W until 0.8 s, then 90 W: shown up to 0.1 s later, at times that are off by 0.3 s."""
    doubtful = GAUGE if slow else replace(GAUGE, clock_s=0.3)
    steps = [n / 10 for n in range(-20, 50)]
    readings = [at(doubtful, t, 10.0 if t < 0.85 + late_s else 90.0) for t in steps]
    if slow:
        off = 3 * SECOND // 10
        readings = [r._replace(t0_ns=r.t0_ns - off, t1_ns=r.t1_ns + off) for r in readings]

    found = integrated(doubtful, readings, end - SECOND // 5, end)

    assert found.low <= 0.2 * 90 <= found.high

    before = integrated(doubtful, readings, SECOND * 6 // 10, SECOND * 8 // 10)

    assert before.low <= 0.2 * 10 <= before.high


def test_a_gauge_that_was_not_read_for_many_of_its_intervals_has_a_gap() -> None:
    quick = replace(GAUGE, update_interval_s=0.005)
    readings = [at(quick, n / 100, 50.0) for n in range(-1, 420) if not 100 < n < 195]

    found = integrated(quick, readings, 0, 4 * SECOND)

    assert found.status is Status.GAP
    assert found.high >= 3.05 * 50 + 0.95 * 100 - 1


@pytest.mark.parametrize("channel", [GAUGE, COUNTER], ids=["gauge", "counter"])
def test_what_is_no_number_is_invalid(channel: Channel) -> None:
    readings = [at(channel, 0, 1.0), at(channel, 1, float("nan")), at(channel, 2, 3.0)]

    assert channel_energy(channel, readings, 0, SECOND).status is Status.INVALID
