"""The meter of a simulated device: it holds, rounds, wraps and misses as real ones do."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from bench.block import Place, measure_window
from bench.meter import Reading, Status
from bench.quantities import Kind
from bench.record import Window
from bench.simulated import PACKAGE, Counter, DeviceModel, SimulatedDevice, Work

GPU = "gpu/0/board"
CALM = DeviceModel()
"""10 W idle, and no noise at all."""


def spent(device: SimulatedDevice, began_ns: int) -> float:
    """True joules from a time on."""
    return device.energy(PACKAGE, began_ns / 1e9, device.now_ns / 1e9)


def last(device: SimulatedDevice) -> Reading:
    return device.read()[-1]


def value(reading: Reading) -> float:
    assert reading.value is not None
    return reading.value


def to_refresh(device: SimulatedDevice, update_s: float) -> None:
    """Lets time pass until the next refresh."""
    period = round(update_s * 1e9)
    device.sleep((period - device.now_ns % period) / 1e9)


def test_a_counter_holds_its_value_between_refreshes() -> None:
    device = SimulatedDevice(DeviceModel((Counter(update_s=0.1, resolution=1e-9),)))
    to_refresh(device, 0.1)

    first = last(device)
    device.sleep(0.05)
    still = last(device)
    device.sleep(0.05)
    moved = last(device)

    assert still.value == first.value
    assert value(moved) - value(first) == pytest.approx(1.0)  # 10 W for 0.1 s


def test_a_counter_shows_whole_steps_of_its_resolution() -> None:
    device = SimulatedDevice(DeviceModel((Counter(resolution=0.25),)))

    for _ in range(20):
        device.sleep(0.0321)
        assert value(last(device)) % 0.25 == 0


def test_a_reading_takes_its_time_at_idle_power() -> None:
    device = SimulatedDevice(CALM)
    began = device.now_ns

    reading = last(device)

    assert (reading.t0_ns, reading.t1_ns) == (began, device.now_ns)
    assert spent(device, began) == pytest.approx(10 * 0.0002)


def test_a_counter_that_wraps_begins_at_zero_again() -> None:
    device = SimulatedDevice(DeviceModel((Counter(wrap=100.0),)))

    shown = []
    for _ in range(30):
        device.sleep(1.0)
        shown.append(value(last(device)))

    assert all(0 <= each < 100 for each in shown)
    assert sum(after < before for before, after in pairwise(shown)) == 3  # 300 J


def test_a_counter_that_sees_a_quarter_takes_it_for_the_whole() -> None:
    counter = Counter(idle_w=10, update_s=0.1, seen_s=0.025, resolution=1e-6)
    blinking = Work(0.1, shape=((0.075, 0.0), (0.025, 100.0)))  # 35 W, and 110 W when it is seen
    device = SimulatedDevice(DeviceModel((counter,)))
    run = device.loop(blinking)
    to_refresh(device, 0.1)
    before, began = value(last(device)), device.now_ns
    device.sleep(0.1 - 0.0002)

    run(10)

    counted = value(last(device)) - before - 1.0  # a tenth of a second at 10 W
    assert counted == pytest.approx(110, rel=0.01)
    assert spent(device, began) - 1.0 == pytest.approx(35, rel=0.01)


def test_a_gauge_shows_the_mean_power_before_its_last_refresh() -> None:
    gauge = Counter(unit="W", update_s=0.1, resolution=0.5)
    device = SimulatedDevice(DeviceModel((gauge,)))
    to_refresh(device, 0.1)
    device.loop(Work(0.05, 31.5))(1)
    device.sleep(0.05)

    assert last(device).value == 25.5  # half of it at 41.5 W, half at 10 W; shown in halves


def test_a_gauge_is_looked_at_after_each_refresh_since_the_last_reading() -> None:
    gauge = Counter(unit="W", update_s=0.1)
    device = SimulatedDevice(DeviceModel((Counter(), replace(gauge, id=GPU))))
    to_refresh(device, 0.1)
    device.read()

    device.sleep(1.0)
    readings = device.read()

    for channel in (PACKAGE, GPU):
        own = [reading.t0_ns for reading in readings if reading.channel == channel]
        assert len(own) == 10
        assert own == sorted(own)
        assert {later - before for before, later in pairwise(own)} == {100_000_000}


def test_every_channel_says_that_it_is_simulated() -> None:
    counters = (Counter(), Counter(id=GPU, unit="W", update_s=0.1, seen_s=0.025))
    package, board = SimulatedDevice(DeviceModel(counters)).channels

    assert package.origin == "simulated:cpu/0/package"
    assert package.boundary == "simulated-package"
    assert "no machine's power" in package.note
    assert (package.kind, package.averaging_window_s) == (Kind.MEASURED, 0.0)
    assert (board.kind, board.averaging_window_s) == (Kind.SAMPLED, 0.025)


def test_a_device_without_counter_says_why_nothing_is_measured() -> None:
    instruments = SimulatedDevice(DeviceModel(())).instruments()

    assert instruments.channels == ()
    assert "the simulated device has no counter" in instruments.why_not_measured()


def windows(counter: Counter, seed: int, number: int = 8) -> list[tuple[Window, float]]:
    """Windows of a noisy loop, each with its true joules."""
    model = DeviceModel((counter,), noise=0.02, power_noise=0.05, spikes=0.2, neighbours=0.2)
    device = SimulatedDevice(model, seed)
    instruments = device.instruments()
    run = device.loop(Work(0.01, 30.0))
    calls = math.ceil(100 * max(0.5, 50 * counter.update_s))
    found = []
    for order in range(number):
        place = Place("case", "baseline", order, order)
        window = measure_window(instruments, lambda: run(calls), place, calls=calls, samples=calls)
        found.append((window, device.energy(PACKAGE, window.t0_ns / 1e9, window.t1_ns / 1e9)))
    instruments.close()
    return found


@pytest.mark.parametrize(
    "counter",
    [
        Counter(p_max_w=80),
        Counter(update_s=0.1, resolution=0.001, p_max_w=80),
        Counter(unit="W", update_s=0.1, resolution=0.1, p_max_w=80),
    ],
    ids=["fast counter", "slow counter", "gauge"],
)
@pytest.mark.parametrize("seed", range(4))
def test_the_interval_of_every_window_holds_the_true_energy(counter: Counter, seed: int) -> None:
    for window, joules in windows(counter, seed):
        (energy,) = window.energy
        assert energy.status is Status.OK
        assert energy.low is not None
        assert energy.high is not None
        assert energy.low <= joules <= energy.high
        assert energy.high - energy.low < 0.25 * joules


def test_a_wrap_inside_a_window_costs_nothing() -> None:
    counter = Counter(wrap=100.0, p_max_w=80)
    found = windows(counter, 1)

    assert {window.energy[0].status for window, _ in found} == {Status.OK, Status.WRAPPED}
    for window, joules in found:
        assert window.energy[0].joules == pytest.approx(joules, rel=0.01)


@pytest.mark.parametrize("unit", ["J", "W"])
def test_the_same_seed_gives_the_same_windows_for_nothing_runs_beside(unit: str) -> None:
    counter = Counter(unit=unit, update_s=0.1, resolution=0.1)

    assert windows(counter, 5) == windows(counter, 5)
