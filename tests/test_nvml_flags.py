"""What spoils a window on a GPU: clocks held back, and other processes; and calls that hang."""

import os
import threading
from pathlib import Path

import pytest
from emulated_nvml import OLD_REASONS, PROCESSES, REASONS, Board, Nvml, board, level, machine
from emulators import VirtualClock

from bench.guard import GpuState
from bench.meter import Status
from bench.meters._nvml_flags import Processes
from bench.meters.nvml import NvmlMeter
from bench.source import Source

OURS = {1: 0, 50: 1, 100: 50, 101: 100, 102: 101}
"""Process 100 is this one; 101 and 102 are its child and grandchild, 50 its shell."""


def flags(*boards: Board, processes: Processes, absent: tuple[str, ...] = ()) -> tuple[str, ...]:
    library = Nvml(boards, VirtualClock(500_000), absent=absent)
    return NvmlMeter(library, clock=library.clock, processes=processes).flags()


# Clocks


@pytest.mark.failure_mode(25, "nvml")
@pytest.mark.parametrize(
    ("bits", "reasons"),
    [
        (0x00, []),
        (0x01 | 0x02 | 0x10 | 0x100, []),  # idle, application clocks, sync boost, display
        (0x04, ["SW power cap"]),
        (0x08, ["HW slowdown"]),
        (0x20, ["SW thermal slowdown"]),
        (0x40, ["HW thermal slowdown"]),
        (0x80, ["HW power brake"]),
        (0x4C, ["SW power cap", "HW slowdown", "HW thermal slowdown"]),
    ],
)
def test_each_reason_that_holds_clocks_back_is_a_flag(
    tmp_path: Path, bits: int, reasons: list[str]
) -> None:
    found = flags(board("GPU-a", level(300), reasons=bits), processes=machine(tmp_path, OURS))
    assert found == tuple(f"throttled: {reason} (GPU-a)" for reason in reasons)


@pytest.mark.parametrize("absent", [(REASONS,), ()])
def test_the_older_name_of_the_call_is_used_where_there_is_no_newer(
    tmp_path: Path, absent: tuple[str, ...]
) -> None:
    older = board("GPU-a", level(300), reasons=0x04)
    older.errors = {} if absent else {REASONS: 13}
    found = flags(older, processes=machine(tmp_path, OURS), absent=absent)
    assert found == ("throttled: SW power cap (GPU-a)",)


@pytest.mark.parametrize("code", [3, 4, 15])
def test_a_gpu_that_does_not_tell_its_reasons_has_no_flags(tmp_path: Path, code: int) -> None:
    silent = board("GPU-a", level(300), reasons=0xFF)
    silent.errors = {REASONS: code, OLD_REASONS: code, PROCESSES: code, f"{PROCESSES}_v2": code}
    assert flags(silent, processes=machine(tmp_path, OURS)) == ()


def test_a_gpu_without_channels_has_no_flags(tmp_path: Path) -> None:
    sliced = board("GPU-b", level(300), reasons=0x04, pids=[7], sliced=True)
    processes = machine(tmp_path, {**OURS, 7: 1})
    assert flags(board("GPU-a", level(300)), sliced, processes=processes) == ()


# Clock, temperature, power limit


def test_the_state_of_a_gpu_is_its_clock_its_temperature_and_its_power_limit() -> None:
    hot = board("GPU-a", level(300), clock_mhz=1410, celsius=81, limit_mw=350_000)
    library = Nvml([hot], VirtualClock(500_000))

    (found,) = NvmlMeter(library, clock=library.clock).gpus()

    assert found == GpuState("GPU-a", 1.41e9, 81.0, 350.0)


def test_what_a_gpu_does_not_tell_of_its_state_is_unknown() -> None:
    silent = board("GPU-a", level(300))
    silent.errors = {"nvmlDeviceGetClockInfo": 3, "nvmlDeviceGetTemperature": 15}
    absent = ("nvmlDeviceGetEnforcedPowerLimit",)
    library = Nvml([silent], VirtualClock(500_000), absent=absent)

    assert NvmlMeter(library, clock=library.clock).gpus() == (GpuState("GPU-a"),)


# Processes


@pytest.mark.parametrize(
    ("pids", "count"),
    [
        ([], 0),
        ([100], 0),
        ([102, 101, 100], 0),  # what this process started, at any depth
        ([103], 0),  # a thread of this process
        ([50], 1),  # a parent is not ours: it was there before
        ([200], 1),
        ([100, 200, 200, 201], 2),
        ([999], 0),  # has ended, or is a number of another namespace: may be ours
        ([0], 0),
    ],
)
def test_processes_of_others_on_the_gpu_are_a_flag(
    tmp_path: Path, pids: list[int], count: int
) -> None:
    processes = machine(tmp_path, {**OURS, 103: -100, 200: 1, 201: 50})
    noun = "process computes" if count == 1 else "processes compute"
    expected = (f"shared: {count} other {noun} on GPU-a",) if count else ()
    assert flags(board("GPU-a", level(300), pids=pids), processes=processes) == expected


def test_a_process_that_is_hidden_is_another_users(tmp_path: Path) -> None:
    processes = machine(tmp_path, OURS, hidden=[300])
    found = flags(board("GPU-a", level(300), pids=[100, 300]), processes=processes)
    assert found == ("shared: 1 other process computes on GPU-a",)


def test_more_unseen_processes_than_ours_are_others(tmp_path: Path) -> None:
    processes = machine(tmp_path, OURS)  # three of them are ours
    host = [70_001, 70_002, 70_003, 70_004, 70_005]
    assert flags(board("GPU-a", level(300), pids=host[:3]), processes=processes) == ()
    found = flags(board("GPU-a", level(300), pids=host), processes=processes)
    assert found == ("shared: 2 other processes compute on GPU-a",)


def test_without_a_proc_file_system_one_unseen_process_may_be_ours(tmp_path: Path) -> None:
    processes = machine(tmp_path / "proc", {})
    nowhere = Processes(own=100, proc=tmp_path / "none", kill=processes.kill)
    assert nowhere.others([100]) == 0
    assert nowhere.others([5, 6, 7]) == 2


def test_a_status_that_cannot_be_read_is_no_process(tmp_path: Path) -> None:
    processes = machine(tmp_path, OURS)
    (tmp_path / "100" / "status").write_text("Name:\tpython\nTgid:\tx\nPPid:\t1\n")
    assert processes.others([100]) == 0


@pytest.mark.skipif(
    not Path("/proc/self/status").exists() or os.getppid() == 0, reason="needs /proc and a parent"
)
def test_the_processes_of_this_machine_are_told_apart() -> None:
    processes = Processes()
    assert processes.others([processes.own]) == 0
    assert processes.others([os.getppid(), processes.own]) == 1


def test_an_older_version_of_the_call_is_used_where_the_driver_has_no_newer(
    tmp_path: Path,
) -> None:
    library = Nvml([board("GPU-a", level(300), pids=[200])], VirtualClock(500_000))
    library.mismatched = True
    processes = machine(tmp_path, {**OURS, 200: 1})
    meter = NvmlMeter(library, clock=library.clock, processes=processes)
    assert meter.flags() == ("shared: 1 other process computes on GPU-a",)


# A call that hangs


@pytest.mark.failure_mode(22, "nvml")
def test_a_driver_that_hangs_gives_a_timeout_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Nvml([board("GPU-a", level(300))], VirtualClock(500_000))
    meter = NvmlMeter(library, clock=library.clock)
    ids = {channel.id: channel.id for channel in meter.channels}
    source = Source(meter, ids, library.clock, deadline_s=0.05)
    released = threading.Event()
    plain = library.nvmlDeviceGetTotalEnergyConsumption

    def hang(handle: Board) -> int:
        assert released.wait(60)
        return plain(handle)

    monkeypatch.setattr(library, "nvmlDeviceGetTotalEnergyConsumption", hang)
    (silent,) = source.read()
    assert (silent.value, silent.status) == (None, Status.TIMEOUT)
    assert "nvml did not answer" in silent.reason
    assert "the other meters go on" in silent.reason
    released.set()
    source.close()
