"""The simulated device: its power, heat and noise in numbers that a head can check."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runtimes.simulated import prepare
from bench.simulated import (
    PACKAGE,
    Counter,
    DeviceModel,
    SimulatedDevice,
    SimulatedModel,
    Work,
)

GPU = "gpu/0/board"
CALM = DeviceModel()
"""10 W idle, and no noise at all."""


def spent(device: SimulatedDevice, began_ns: int, channel: str = PACKAGE) -> float:
    """True joules from a time on."""
    return device.energy(channel, began_ns / 1e9, device.now_ns / 1e9)


# -- power -------------------------------------------------------------------------------------


def test_a_waiting_device_draws_its_idle_power() -> None:
    device = SimulatedDevice(CALM)
    began = device.now_ns

    device.sleep(10)

    assert spent(device, began) == pytest.approx(100)


def test_a_call_draws_its_power_above_the_idle_one_for_its_time() -> None:
    device = SimulatedDevice(CALM)
    began = device.now_ns

    latencies = device.loop(Work(2.0, 30.0))(3)

    assert latencies == [2.0] * 3
    assert device.now_ns - began == 6_000_000_000
    assert spent(device, began) == pytest.approx(6 * 40)


def test_a_work_draws_on_each_channel_what_it_says() -> None:
    counters = (Counter(idle_w=10), Counter(id=GPU, idle_w=50))
    device = SimulatedDevice(DeviceModel(counters))
    work = Work(1.0, {GPU: 200.0})
    began = device.now_ns

    device.loop(work)(2)

    assert spent(device, began) == pytest.approx(20)
    assert spent(device, began, GPU) == pytest.approx(500)
    assert device.joules_per_call(work) == 260


def test_a_shape_is_drawn_piece_by_piece_within_each_call() -> None:
    device = SimulatedDevice(CALM)
    work = Work(1.0, shape=((0.25, 80.0), (0.75, 0.0)))
    began_s = device.now_ns / 1e9

    device.loop(work)(2)

    quarters = [device.energy(PACKAGE, began_s + i / 4, began_s + (i + 1) / 4) for i in range(8)]
    assert quarters == pytest.approx([22.5, 2.5, 2.5, 2.5] * 2)
    assert device.joules_per_call(work) == 30


PIECE = st.tuples(st.sampled_from(["sleep", "work", "read"]), st.floats(0.001, 2), st.floats(0, 90))


@given(st.lists(PIECE, min_size=1, max_size=20), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_energy_between_two_times_is_the_integral_of_the_power(
    pieces: Sequence[tuple[str, float, float]], ends: tuple[float, float]
) -> None:
    device = SimulatedDevice(CALM)
    times, watts = [device.now_ns / 1e9], []
    for what, seconds, above in pieces:
        if what == "sleep":
            device.sleep(seconds)
        elif what == "work":
            device.loop(Work(seconds, above))(1)
        else:
            device.read()
        times.append(device.now_ns / 1e9)
        watts.append(10 + (above if what == "work" else 0))
    t0, t1 = sorted(times[0] + share * (times[-1] - times[0]) for share in ends)

    overlaps = [max(0, min(b, t1) - max(a, t0)) for a, b in pairwise(times)]
    integral = math.fsum(s * w for s, w in zip(overlaps, watts, strict=True))

    assert device.energy(PACKAGE, t0, t1) == pytest.approx(integral, abs=1e-6)


def test_power_drifts_by_its_share_in_each_second() -> None:
    device = SimulatedDevice(DeviceModel(drift=0.01))
    device.sleep(100 - device.now_ns / 1e9)
    began = device.now_ns

    device.sleep(1)

    assert spent(device, began) == pytest.approx(20)  # 1 % of 10 W for each of 100 s


# -- heat --------------------------------------------------------------------------------------


WARM = DeviceModel(kelvin_per_watt=1.0, warms_in_s=20.0, ambient_c=40.0)


def celsius(device: SimulatedDevice) -> float:
    found = device.state().temperature_c
    assert found is not None
    return found


def test_thirty_watts_warm_it_by_thirty_degrees_with_its_time_constant() -> None:
    device = SimulatedDevice(WARM)
    run = device.loop(Work(1.0, 30.0))

    run(20)
    after_one_constant = celsius(device)
    run(1000)

    assert after_one_constant == pytest.approx(40 + 30 * (1 - math.exp(-1)))
    assert celsius(device) == pytest.approx(70)


def test_it_cools_to_where_it_began() -> None:
    device = SimulatedDevice(WARM)
    device.loop(Work(1.0, 30.0))(1000)

    device.sleep(20)
    after_one_constant = celsius(device)
    device.sleep(1000)

    assert after_one_constant == pytest.approx(40 + 30 * math.exp(-1))
    assert celsius(device) == pytest.approx(40)


def test_it_does_not_matter_in_how_many_pieces_time_passes() -> None:
    once, often = SimulatedDevice(WARM), SimulatedDevice(WARM)

    once.loop(Work(1.0, 30.0))(10)
    for _ in range(10):
        often.loop(Work(1.0, 30.0))(1)

    assert celsius(once) == pytest.approx(celsius(often))


def test_each_degree_leaks_its_share_of_the_power() -> None:
    device = SimulatedDevice(replace(WARM, leakage=0.01, warms_in_s=1e-3))
    run = device.loop(Work(1.0, 10.0))
    run(1)  # goal 50 °C: ten degrees
    began = device.now_ns

    run(1)

    assert spent(device, began) == pytest.approx(20 * 1.10)


def test_a_device_that_does_not_warm_shows_no_temperature() -> None:
    assert SimulatedDevice(CALM).state().temperature_c is None


def test_above_its_limit_calls_take_a_quarter_longer_until_it_has_cooled() -> None:
    device = SimulatedDevice(replace(WARM, throttles_at_c=60.0))
    run = device.loop(Work(1.0, 30.0))

    cold = run(1000)[0]
    hot = run(1)[0]
    throttles = device.state().throttles
    device.sleep(1000)
    again = run(1)[0]

    assert (cold, hot, again) == (1.0, 1.25, 1.0)
    assert throttles == device.state().throttles == 1


def test_throttled_calls_draw_their_share_so_that_a_loop_settles_at_the_limit() -> None:
    model = replace(WARM, throttles_at_c=60.0, throttled_power=0.5)
    device = SimulatedDevice(model)
    run = device.loop(Work(1.0, 30.0))
    run(1000)
    began = device.now_ns

    run(1)
    joules = spent(device, began)
    for _ in range(100):
        run(1)

    assert joules == pytest.approx(1.25 * (10 + 15))
    assert celsius(device) == pytest.approx(60, abs=1)


# -- noise -------------------------------------------------------------------------------------


def test_neighbours_use_one_cpu_and_draw_their_power_on_the_first_channel() -> None:
    device = SimulatedDevice(DeviceModel((Counter(), Counter(id=GPU)), neighbours=1, neighbour_w=5))
    began = device.now_ns

    device.loop(Work(1.0, 30.0))(2)

    assert device.state().foreign_cpu_s == 2
    assert spent(device, began) == pytest.approx(2 * 45)
    assert spent(device, began, GPU) == pytest.approx(2 * 10)


def test_neighbours_come_as_often_as_they_are_likely() -> None:
    device = SimulatedDevice(DeviceModel(neighbours=0.25))
    run = device.loop(Work(0.001))

    for _ in range(2000):
        run(1)

    assert device.state().foreign_cpu_s == pytest.approx(0.5, rel=0.15)


def test_a_spike_lengthens_a_run_within_its_bounds() -> None:
    device = SimulatedDevice(DeviceModel(spikes=1, spike=(0.1, 0.2)))
    run = device.loop(Work(1.0))

    taken = [run(1)[0] for _ in range(200)]

    assert 1.1 <= min(taken) < 1.11
    assert 1.19 < max(taken) <= 1.2


def test_the_noise_of_runs_has_its_spread_and_its_correlation() -> None:
    device = SimulatedDevice(DeviceModel(noise=0.01, correlation=0.5))
    run = device.loop(Work(1.0))

    logs = [math.log(run(1)[0]) for _ in range(5000)]

    assert statistics.stdev(logs) == pytest.approx(0.01, rel=0.1)
    assert statistics.correlation(logs[:-1], logs[1:]) == pytest.approx(0.5, abs=0.05)


def test_power_has_a_noise_of_its_own() -> None:
    device = SimulatedDevice(DeviceModel((Counter(idle_w=0),), power_noise=0.02))
    run = device.loop(Work(1.0, 100.0))
    logs = []
    for _ in range(2000):
        began = device.now_ns
        assert run(1) == [1.0]
        logs.append(math.log(spent(device, began)))

    assert statistics.stdev(logs) == pytest.approx(0.02, rel=0.1)


def test_a_process_has_its_luck_by_work_and_a_night_by_device() -> None:
    lucky = SimulatedDevice(DeviceModel(process_effect=0.1))
    late = SimulatedDevice(DeviceModel(night_effect=0.1))

    one, other = lucky.loop(Work(1.0)), lucky.loop(Work(1.0))
    nights = [late.loop(Work(1.0))(1) for _ in range(2)]

    assert one(1) == one(1)
    assert one(1) != other(1)
    assert nights[0] == nights[1] != [1.0]


def test_the_same_seed_gives_the_same_device_and_another_seed_another() -> None:
    def taken(seed: int) -> list[float]:
        device = SimulatedDevice(DeviceModel(noise=0.01, night_effect=0.01), seed)
        return [device.loop(Work(1.0))(1)[0] for _ in range(5)]

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)


# -- as a runtime ------------------------------------------------------------------------------


def test_the_runtime_runs_a_simulated_model_on_its_device() -> None:
    device = SimulatedDevice(CALM)
    model = SimulatedModel(device, Work(1.0))

    assert prepare(model, None, device="cpu", threads=1)(2) == [1.0, 1.0]
    began = device.now_ns
    model()
    assert device.now_ns - began == 1_000_000_000


def test_the_runtime_refuses_what_is_no_simulated_model() -> None:
    with pytest.raises(ValueError, match="found function, wanted a SimulatedModel"):
        prepare(lambda: None, None, device="cpu", threads=1)
