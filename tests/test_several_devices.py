"""While a GPU works its CPU waits on it: joules are those of the whole boundary, never split."""

from dataclasses import replace
from pathlib import Path

import pytest
from journals import a_case, a_run

from bench.block import Side
from bench.compare import compare
from bench.measure import measure_case
from bench.quantities import Absent, Kind, Quantity
from bench.record import Window
from bench.records import Journal
from bench.row import Row
from bench.schedule import Schedule
from bench.simulated import Counter, DeviceModel, SimulatedDevice, Work

BOARD, PACKAGE = "gpu/GPU-1/board", "cpu/0/package"
CPU = Counter(PACKAGE, idle_w=10.0, update_s=0.001, resolution=1e-4)
GPU = Counter(BOARD, idle_w=50.0, update_s=0.1, resolution=1e-3)
BOTH = DeviceModel(counters=(CPU, GPU))
SCHEDULE = Schedule(4, 0.5, 0.3, 1.0, margin=0.03)
BASELINE = Work(0.02, {PACKAGE: 40.0, BOARD: 200.0})
VARIANT = Work(0.01, {PACKAGE: 60.0, BOARD: 250.0})


def measured(
    model: DeviceModel, device: str = "cuda:GPU-1"
) -> tuple[Row, SimulatedDevice, list[Window]]:
    """The row of a variant, its device, and all windows."""
    simulated = SimulatedDevice(model, seed=3)
    instruments = simulated.instruments(device)
    sides = (
        Side("baseline", simulated.loop(BASELINE), 1),
        Side("variant", simulated.loop(VARIANT), 1),
    )
    case = a_case("t", device=device.partition(":")[0], device_id=device, batch=1)
    blocks = list(measure_case(case.case, sides, SCHEDULE, instruments, 0))
    windows = [block for block in blocks if isinstance(block, Window)]
    run = a_run(channels=simulated.channels)
    (table,) = compare([Journal(Path(), run, (case,), tuple(windows))])
    return table.rows[0], simulated, windows


def test_the_joules_of_a_gpus_case_are_those_of_its_board_and_of_the_cpu_beside_it() -> None:
    row, device, _ = measured(BOTH)

    truth = device.joules_per_call(VARIANT)
    assert truth == pytest.approx(0.01 * (10 + 60 + 50 + 250))
    assert isinstance(row.energy, Quantity)
    assert row.energy.low <= truth <= row.energy.high
    assert row.energy.value == pytest.approx(truth, rel=0.01)
    assert row.energy.channels == (PACKAGE, BOARD)
    assert row.energy.boundary == "simulated-package+simulated-board"
    assert row.energy_ratio is not None
    assert row.energy_ratio.value == pytest.approx(
        truth / device.joules_per_call(BASELINE), rel=0.01
    )


def test_each_channel_of_a_window_holds_its_own_truth() -> None:
    _, device, windows = measured(BOTH)

    for window in windows:
        for energy in window.energy:
            if window.role == "warmup" and energy.joules is None:
                continue  # a burst may be too short for the slow counter
            true = device.energy(energy.channel, window.t0_ns / 1e9, window.t1_ns / 1e9)
            assert energy.low is not None
            assert energy.high is not None
            assert energy.low <= true <= energy.high


def test_a_window_is_as_long_as_the_slowest_counter_of_the_boundary_needs() -> None:
    _, _, windows = measured(BOTH)

    assert min(w.seconds for w in windows if w.role != "warmup") >= 50 * GPU.update_s


def test_the_case_of_a_cpu_has_no_joules_of_the_gpu_beside_it() -> None:
    row, _, windows = measured(BOTH, device="cpu")

    assert isinstance(row.energy, Quantity)
    assert row.energy.channels == (PACKAGE,)
    assert {energy.channel for energy in windows[-1].energy} == {PACKAGE, BOARD}


def test_a_gpu_without_a_counter_has_no_energy_rather_than_that_of_its_cpu() -> None:
    row, _, _ = measured(replace(BOTH, counters=(CPU,)))

    assert isinstance(row.energy, Absent)
    assert row.energy_ratio is None


def test_a_counter_and_a_gauge_are_no_sum_and_the_boundary_says_what_is_left_out() -> None:
    gauge = replace(GPU, unit="W", resolution=0.1)
    row, _, windows = measured(replace(BOTH, counters=(CPU, gauge)))

    assert isinstance(row.energy, Quantity)
    assert row.energy.kind is Kind.SAMPLED
    assert row.energy.channels == (BOARD,)
    assert row.energy.boundary == "simulated-board"
    assert {energy.channel for energy in windows[-1].energy} == {PACKAGE, BOARD}
