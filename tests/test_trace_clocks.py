"""Clocks that are set, steered, or of no epoch: no energy is shifted by them unseen."""

from collections.abc import Callable
from random import Random

import pytest
from emulated_trace import (
    EPOCH_S,
    Wattmeter,
    holds,
    in_memory,
    iso,
    no_energy,
    ptd,
    window_of,
)
from known_power import KnownPower, random_power

from bench.meter import MeterUnavailable, Status

POWER = random_power(Random(11), 90.0, 6.0)


def logged(line: Callable[[float, float], str] = ptd, **more: object) -> Wattmeter:
    return Wattmeter(POWER, Random(5), line, **more)  # type: ignore[arg-type]


@pytest.mark.failure_mode(24, "trace")
@pytest.mark.parametrize("step_s", [-3600.0, -0.7, 0.5, 3.0])
def test_a_wall_clock_that_is_set_voids_the_window_and_the_next_is_right(step_s: float) -> None:
    emulated = in_memory(logged())
    meter = emulated.open("p_max_w=100")
    source, ours = emulated.source, emulated.wall
    emulated.clock.pass_s(5.0)
    meter.read()

    def set_both() -> None:  # the logger runs on this machine
        if emulated.clock.now_s > 14 and not source.set_s:
            ours.offset_ns += round(step_s * 1e9)
            source.set_s = [(emulated.clock.now_s, step_s)]

    emulated.clock.workers.insert(0, set_both)
    energy, _, _ = window_of(meter, emulated)
    emulated.clock.pass_s(5.0)
    later, true_j, _ = window_of(meter, emulated)

    no_energy(energy, Status.INVALID, f"was set by {step_s:+.3f} s", "clock=device")
    assert later.status is Status.OK
    assert holds(later, true_j)


@pytest.mark.failure_mode(24, "trace")
def test_a_trace_of_a_clock_that_is_set_back_is_void_until_it_is_opened_again() -> None:
    emulated = in_memory(logged(set_s=[(14.0, -5.0)]))
    meter = emulated.open()
    emulated.clock.pass_s(4.0)
    meter.read()

    during, _, _ = window_of(meter, emulated)
    after, _, _ = window_of(meter, emulated)

    for energy in (during, after):
        no_energy(energy, Status.INVALID, "the time stamps went back by", "set it by NTP")


@pytest.mark.failure_mode(24, "trace")
def test_a_trace_whose_clock_is_set_back_a_little_is_void_too() -> None:
    emulated = in_memory(logged(set_s=[(14.0, -0.6)]))
    meter = emulated.open()
    emulated.clock.pass_s(11.0)
    meter.read()

    window_of(meter, emulated)
    after, _, _ = window_of(meter, emulated)

    no_energy(after, Status.INVALID, "all lines come 0.6", "s later than before")


@pytest.mark.failure_mode(24, "trace")
def test_a_trace_of_a_clock_that_is_ahead_is_not_shifted() -> None:
    emulated = in_memory(logged(set_s=[(14.0, 7200.0)]))
    meter = emulated.open()
    emulated.clock.pass_s(4.0)
    meter.read()
    window_of(meter, emulated)

    energy, _, _ = window_of(meter, emulated)

    no_energy(energy, Status.TIMEOUT, "the newest sample of")
    assert "its time is 7.2e+03 s ahead of this machine's" in meter.unusable[0].reason


@pytest.mark.failure_mode(24, "trace")
def test_a_trace_in_local_time_that_is_called_utc_does_not_open_where_it_is_ahead() -> None:
    emulated = in_memory(logged(lambda t, w: f"{iso(t + 7200)[:-6]},{w:.1f}"), ["time,power (W)"])

    with pytest.raises(MeterUnavailable) as caught:
        emulated.open("clock=utc")

    assert caught.value.status is Status.ERROR
    assert "ahead of this machine's; set both clocks by NTP, see whether it is UTC" in str(
        caught.value
    )


@pytest.mark.failure_mode(24, "trace")
def test_a_trace_in_local_time_that_is_called_utc_has_no_energy_where_it_is_behind() -> None:
    emulated = in_memory(logged(lambda t, w: f"{iso(t - 18000)[:-6]},{w:.1f}"), ["time,power (W)"])
    meter = emulated.open("clock=utc")

    energy, _, _ = window_of(meter, emulated)

    no_energy(energy, Status.TIMEOUT, "s old", "its time UTC and set by NTP?")


@pytest.mark.failure_mode(24, "trace")
@pytest.mark.parametrize("step_s", [-3600.0, -0.6, 0.6, 3600.0])
def test_a_clock_of_no_epoch_may_be_set_in_a_window(step_s: float) -> None:
    emulated = in_memory(logged(offset_s=500.0, set_s=[(20.0, step_s)]))
    meter = emulated.open("clock=device&p_max_w=100")
    emulated.clock.pass_s(5.0)
    meter.read()

    energy, true_j, _ = window_of(meter, emulated, 25.0)

    assert energy.status is Status.OK
    assert holds(energy, true_j)


@pytest.mark.failure_mode(24, "trace")
def test_our_own_wall_clock_does_not_matter_to_a_trace_without_an_epoch() -> None:
    emulated = in_memory(logged(lambda t, w: f"{t:.2f} {w:.1f}", offset_s=500.0))
    meter = emulated.open("p_max_w=100")
    emulated.clock.pass_s(5.0)
    meter.read()
    emulated.wall.offset_ns += 10**12

    energy, true_j, _ = window_of(meter, emulated)

    assert energy.status is Status.OK
    assert holds(energy, true_j)


def test_one_garbled_stamp_costs_one_sample() -> None:
    def garbled(line: str) -> str:
        return line.replace("2025", "2015")

    emulated = in_memory(logged(bad=0.2, bad_lines=(garbled,)))
    meter = emulated.open("p_max_w=100")

    energy, true_j, readings = window_of(meter, emulated, 30.0)

    assert any("before that of the line before it" in reading.reason for reading in readings)
    assert energy.status is Status.OK
    assert holds(energy, true_j)


def test_a_wall_clock_that_is_set_while_the_meter_opens_is_refused() -> None:
    emulated = in_memory(logged())

    def step() -> None:
        if emulated.clock.now_s > 1.5 and emulated.wall.offset_ns < (EPOCH_S + 1) * 1e9:
            emulated.wall.offset_ns += 2_000_000_000

    emulated.clock.workers.append(step)

    with pytest.raises(MeterUnavailable, match="was set by"):
        emulated.open()


def test_a_steered_wall_clock_is_followed() -> None:
    emulated = in_memory(Wattmeter(KnownPower([31.4], [10.0]), Random(5), ptd))

    def steer() -> None:  # 500 ppm, as NTP does at most; the logger runs on this machine
        emulated.wall.offset_ns += 25_000

    emulated.clock.workers.append(steer)
    emulated.source.drift = 500e-6
    meter = emulated.open()
    emulated.clock.pass_s(1000.0)

    energy, true_j, readings = window_of(meter, emulated)

    assert energy.status is Status.OK
    assert holds(energy, true_j)
    assert {reading.status for reading in readings} == {Status.OK}
