"""Windows of any phase and length over every route to a GPU's energy hold the true energy."""

from random import Random

import pytest
from emulated_nvml import Board, Nvml, board, without_counter
from emulators import VirtualClock
from known_power import KnownPower, assert_windows_hold, random_power

from bench.meters.nvml import NvmlMeter

# tracing doubles the time of many windows of code that other tests cover
pytestmark = pytest.mark.no_cover


def held(power: KnownPower, seeded: Board, seed: int, seconds: tuple[float, float]) -> int:
    library = Nvml([seeded], VirtualClock(500_000, now_ns=seed * 1_234_567_891))
    meter = NvmlMeter(library, clock=library.clock)
    return assert_windows_hold(
        meter,
        library.clock,
        {"gpu/GPU-a/board": power.energy},
        Random(seed),
        windows=25,
        seconds=seconds,
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_counter_holds_the_true_energy_of_any_window(seed: int) -> None:
    random = Random(seed)
    hold_s = random.choice([0.01, 0.02, 0.1])
    power = random_power(random, 1000, random.choice([0.003, 0.3]))
    phase_s = random.uniform(0, hold_s)
    seeded = board("GPU-a", power, hold_s=hold_s, phase_s=phase_s)
    seeded.energy.start = random.randrange(10**12)
    assert held(power, seeded, seed, (1.5 * hold_s, 6)) == 25


@pytest.mark.parametrize("seed", range(40))
def test_the_gauge_of_the_instant_holds_the_true_energy_of_any_window(seed: int) -> None:
    random = Random(1000 + seed)
    hold_s = random.choice([0.02, 0.1])
    fields, architecture, name = random.choice(
        [((186,), 9, "NVIDIA H100"), ((), 6, "Tesla T4"), ((), 7, "NVIDIA A100-SXM4-80GB")]
    )
    power = random_power(random, 1000, 0.6)
    seeded = without_counter(
        "GPU-a",
        power,
        *fields,
        hold_s=hold_s,
        phase_s=random.uniform(0, hold_s),
        sensor_s=random.choice([0.01, 0.025, 0.1]),
        architecture=architecture,
        name=name,
        flicker=random.random() < 0.8,
    )
    assert held(power, seeded, seed, (3.0, 9.0)) == 25


@pytest.mark.parametrize("seed", range(40))
def test_the_gauge_of_the_last_second_holds_the_true_energy_of_any_window(seed: int) -> None:
    random = Random(2000 + seed)
    hold_s = random.choice([0.02, 0.1])
    fields, architecture = random.choice([((185,), 9), ((), 8), ((), None)])
    power = random_power(random, 1000, 1.4)
    seeded = without_counter(
        "GPU-a",
        power,
        *fields,
        hold_s=hold_s,
        phase_s=random.uniform(0, hold_s),
        architecture=architecture,
        flicker=random.random() < 0.8,
    )
    assert held(power, seeded, seed, (4.5, 12.0)) == 25


@pytest.mark.parametrize("seed", range(10))
def test_the_counters_of_a_module_its_gpu_and_its_memory_hold_the_truth(seed: int) -> None:
    random = Random(3000 + seed)
    power, cpu = random_power(random, 900, 0.05), random_power(random, 300, 0.02)
    seeded = board(
        "GPU-a",
        power,
        cpu=cpu,
        memory=0.25,
        module_energy=random.random() < 0.5,
        name="NVIDIA GH200 480GB",
        phase_s=random.uniform(0, 0.1),
    )
    library = Nvml([seeded], VirtualClock(500_000, now_ns=seed * 987_654_321))
    meter = NvmlMeter(library, clock=library.clock)
    count = assert_windows_hold(
        meter,
        library.clock,
        {
            "module/0": lambda t0, t1: power.energy(t0, t1) + cpu.energy(t0, t1),
            "gpu/GPU-a/board": power.energy,
            "gpu/GPU-a/memory": lambda t0, t1: 0.25 * power.energy(t0, t1),
        },
        Random(seed),
        windows=25,
        seconds=(0.3, 5),
    )
    assert count == 75
