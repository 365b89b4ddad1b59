"""A meter's own time on ours: where the offset lies, what drift does, and when a clock was set."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from random import Random

import pytest

from bench.clock_fit import on_our_clock
from bench.envelope import MAX_RATE
from bench.meter import Channel, Reading, Status
from bench.quantities import Kind

WALL = Channel(
    id="wall/0",
    domain="wall",
    kind=Kind.EXTERNAL,
    boundary="wall",
    resolution=0.1,
    update_interval_s=1.0,
    wrap=None,
    p_max_w=100.0,
    origin="a test",
    unit="W",
    averaging_window_s=1.0,
    clock_s=0.1,
)


def line(taken_s: float, offset_s: float, delay_s: float, value: float = 31.5) -> Reading:
    """A sample taken at *taken_s* of our time, by a clock that is *offset_s* behind ours."""
    received = round((taken_s + delay_s) * 1e9)
    return Reading("wall/0", received - 50_000_000, received, value, t_device=taken_s - offset_s)


def seconds(reading: Reading) -> tuple[float, float]:
    return reading.t0_ns / 1e9, reading.t1_ns / 1e9


def test_readings_without_a_device_time_pass_through_unchanged() -> None:
    readings = [Reading("wall/0", 5, 6, 1.0), Reading("wall/0", 3, 4, None, Status.ERROR, "bad")]

    assert on_our_clock(WALL, readings) == readings
    assert on_our_clock(WALL, [*readings, readings[0]]) == readings  # shown again


def test_the_least_delay_is_the_offset_and_clock_s_is_the_delay_that_cannot_be_seen() -> None:
    delays = [0.8, 0.02, 0.5, 0.02, 0.3, 0.02]
    readings = [line(10.0 + i, 1000.0, delay) for i, delay in enumerate(delays)]

    placed = on_our_clock(WALL, readings)

    for index, reading in enumerate(placed):
        t0, t1 = seconds(reading)
        drifted = 5 * MAX_RATE + 1e-6
        assert 10 + index + 0.02 - 0.1 - drifted <= t0 <= 10 + index
        assert 10 + index <= t1 <= min(10 + index + 0.12 + drifted, 10 + index + delays[index])
        assert (reading.value, reading.status, reading.t_device) == (31.5, Status.OK, None)


def test_an_epoch_far_away_costs_no_precision() -> None:
    now = [line(10.0 + i, -1.75e9, 0.02) for i in range(8)]
    near = [line(10.0 + i, 0.0, 0.02) for i in range(8)]

    for one, other in zip(on_our_clock(WALL, now), on_our_clock(WALL, near), strict=True):
        assert one.t0_ns == pytest.approx(other.t0_ns, abs=2000)
        assert one.t1_ns == pytest.approx(other.t1_ns, abs=2000)


def test_a_sample_that_is_shown_again_is_placed_once() -> None:
    readings = [line(10.0 + i, 7.0, 0.02) for i in range(5)]

    assert len(on_our_clock(WALL, [*readings, readings[-1], readings[-1]])) == 5


def test_what_was_dropped_stays_visible_between_the_others() -> None:
    readings = [line(10.0 + i, 7.0, 0.02) for i in range(6)]
    bad = Reading("wall/0", 12_400_000_000, 12_500_000_000, None, Status.ERROR, "the line 'N/A'")

    placed = on_our_clock(WALL, [*readings[:3], bad, *readings[3:]])

    assert [reading.value for reading in placed] == [31.5, 31.5, 31.5, None, 31.5, 31.5, 31.5]
    assert placed[3] is bad


@pytest.mark.failure_mode(24, "trace")
@pytest.mark.parametrize("step_s", [-3600.0, 3600.0, -0.4, 0.4, -2.0, 2.0, 1e9])
def test_a_clock_that_was_set_is_fitted_on_each_side_of_the_step(step_s: float) -> None:
    before = [line(10.0 + i, 500.0, 0.02) for i in range(8)]
    after = [line(18.0 + i, 500.0 - step_s, 0.02) for i in range(8)]

    placed = on_our_clock(WALL, [*before, *after])

    assert [reading.status for reading in placed] == [Status.OK] * 16
    for index, reading in enumerate(placed):
        t0, t1 = seconds(reading)
        assert t0 <= 10 + index <= t1
        assert t1 - t0 < 0.15


@pytest.mark.failure_mode(24, "trace")
def test_a_piece_too_short_to_be_fitted_is_left_out_with_the_reason() -> None:
    before = [line(10.0 + i, 500.0, 0.02) for i in range(8)]
    after = [line(18.0 + i, 4100.0, 0.02) for i in range(2)]

    placed = on_our_clock(WALL, [*before, *after])

    assert [reading.status for reading in placed] == [Status.OK] * 8 + [Status.ERROR] * 2
    assert placed[-1].value is None
    assert placed[-1].reason.startswith("2 lines have the time of a clock that cannot be put on")
    assert "clock_s" in placed[-1].reason


def test_lines_that_came_all_at_once_have_a_delay_that_nobody_knows() -> None:
    burst = [line(10.0 + i, 500.0, 20.0 - i) for i in range(20)]

    placed = on_our_clock(WALL, burst)

    assert {reading.status for reading in placed} == {Status.ERROR}
    assert "stdbuf -oL" in placed[0].reason


def test_a_burst_of_fast_samples_shows_one_delay_and_not_many() -> None:
    burst = [line(10.0 + i / 100, 500.0, 5.0 - i / 100) for i in range(30)]

    assert {reading.status for reading in on_our_clock(WALL, burst)} == {Status.ERROR}


@pytest.mark.failure_mode(24, "trace")
def test_lines_that_may_stand_on_either_side_of_a_step_are_left_out() -> None:
    before = [line(10.0 + i, 500.0, 0.02) for i in range(8)]
    between = [line(20.0, 500.0, 0.02)]  # lost lines part it from both
    after = [line(23.0 + i, 497.0, 0.02) for i in range(8)]

    placed = on_our_clock(WALL, [*before, *between, *after])

    assert [reading.status for reading in placed].count(Status.OK) == 16
    assert sum(reading.value is None for reading in placed) == 1


def test_lines_that_waited_while_nobody_read_are_placed_by_the_prompt_ones_after_them() -> None:
    waited = [line(10.0 + i, 500.0, 20.0 - i) for i in range(20)]
    prompt = [line(30.0 + i, 500.0, 0.03) for i in range(5)]

    placed = on_our_clock(WALL, [*waited, *prompt])

    assert [reading.status for reading in placed] == [Status.OK] * 25
    for index, reading in enumerate(placed):
        t0, t1 = seconds(reading)
        assert t0 <= 10 + index <= t1
        assert t1 - t0 < 0.3


def test_a_lost_line_parts_nothing() -> None:
    readings = [line(10.0 + i, 500.0, 0.02) for i in (0, 1, 2, 4, 5, 7, 8)]

    assert {reading.status for reading in on_our_clock(WALL, readings)} == {Status.OK}


def test_a_line_that_is_late_on_its_own_after_a_lost_one_is_left_out_and_parts_nothing() -> None:
    seen = [0, 1, 2, 3, 5, 7, 8]
    readings = [line(10.0 + i, 500.0, 1.7 if i == 5 else 0.02) for i in seen]

    placed = on_our_clock(WALL, readings)

    assert sum(reading.status is Status.OK for reading in placed) == 6
    assert all(reading.t1_ns - reading.t0_ns < 0.4e9 for reading in placed if reading.value)


@pytest.mark.parametrize("garbled", [1e9, -1e9, 40.0, -3.0])
@pytest.mark.parametrize("where", [0, 1, 8, 15, 19])
def test_a_stamp_that_is_garbled_costs_one_line(garbled: float, where: int) -> None:
    readings = [line(10.0 + i, 500.0, 0.02) for i in range(20)]
    readings[where] = readings[where]._replace(t_device=garbled)

    placed = on_our_clock(WALL, readings)

    assert sum(reading.status is Status.OK for reading in placed) >= 18
    for reading in placed:
        if reading.value is not None:
            t0, t1 = seconds(reading)
            assert t1 - t0 < 0.4
            assert any(t0 <= 10 + index <= t1 for index in range(20) if index != where)


def test_over_a_long_span_the_envelope_limits_the_drift_further() -> None:
    random = Random(1)

    def span(count: int, ppm: float) -> Sequence[Reading]:
        readings = [
            line(taken, 500.0 + ppm * 1e-6 * taken, random.choice([0.01, 0.02, 0.4]))
            for taken in range(10, 10 + count)
        ]
        return on_our_clock(WALL, readings)

    for ppm in (-490, -37, 0, 37, 490):
        placed = span(3000, ppm)
        for index, reading in enumerate(placed):
            t0, t1 = seconds(reading)
            assert t0 <= 10 + index <= t1
            assert t1 - t0 < 1.0  # by the limit of 500 ppm alone it would be 3 s


def scene(random: Random, doubt: float, interval: float, count: int) -> dict[Reading, float]:
    """Readings of a meter with a clock of its own, each with the time at which it was taken.

    Of three lines in a row one comes within *doubt*, and so does the first after a step.
    """
    drift, offset = random.uniform(-1, 1) * MAX_RATE, random.uniform(-1e6, 1e6)
    steps = set(random.sample(range(1, count), random.choice([0, 0, 1, 2])))
    taken, device, received = [], [], []
    t, late = random.uniform(5, 50), 0
    for index in range(count):
        stepped = index in steps
        if stepped:
            offset += random.choice([-1, 1]) * 10 ** random.uniform(-3, 4)
        gap = interval * (1 if stepped or random.random() > 0.05 else 2)
        t += gap + random.uniform(-1, 1) * min(doubt / 8, gap / 4)
        late = 0 if stepped or late == 2 or random.random() < 0.6 else late + 1
        delay = random.expovariate(1 / 0.5) if late else random.uniform(0, 0.99 * doubt)
        taken.append(t)
        device.append(t * (1 - drift) - offset)
        received.append(t + delay)
    in_turn = list(accumulate(reversed(received), min))[::-1]  # no line overtakes another
    return {
        Reading("wall/0", 0, round(r * 1e9), float(i), t_device=d): t
        for i, (t, d, r) in enumerate(zip(taken, device, in_turn, strict=True))
    }


@pytest.mark.parametrize("seed", range(60))
def test_the_true_time_lies_in_the_interval_whatever_offset_drift_delays_and_steps(
    seed: int,
) -> None:
    random = Random(seed)
    placed_lines = lines = 0
    for _ in range(20):
        doubt = random.choice([0.05, 0.1, 0.35])
        interval = random.choice([0.05, 0.1, 0.5, 1.0, 2.0])
        taken = scene(random, doubt, interval, random.randint(8, 80))
        placed = on_our_clock(replace(WALL, clock_s=doubt), list(taken))
        true = {reading.value: t for reading, t in taken.items()}
        assert len(placed) == len(taken)
        usable = [reading for reading in placed if reading.value is not None]
        for reading in usable:
            t0, t1 = seconds(reading)
            assert t0 - 1e-6 <= true[reading.value] <= t1 + 1e-6, (reading, doubt, interval)
        order = [true[reading.value] for reading in usable]
        assert order == sorted(order)
        placed_lines += len(usable)
        lines += len(taken)
    assert placed_lines > 0.8 * lines
