"""In which ways a trace fails: each has its status, no wrong energy, and says what to do."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
from emulated_trace import (
    EPOCH_S,
    Memory,
    Wattmeter,
    holds,
    in_file,
    in_memory,
    in_pipe,
    iso,
    no_energy,
    ptd,
    window_of,
)
from emulators import VirtualClock
from known_power import random_power

from bench.meter import MeterUnavailable, Status
from bench.meters._trace_stream import FileStream
from bench.meters._trace_wanted import wanted
from bench.meters.trace import TraceMeter

POWER = random_power(Random(11), 90.0, 6.0)


def logged(line: Callable[[float, float], str] = ptd, **more: object) -> Wattmeter:
    return Wattmeter(POWER, Random(5), line, **more)  # type: ignore[arg-type]


@pytest.mark.failure_mode(1, "trace")
@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_no_file_is_no_meter(tmp_path: Path, name: str) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        FileStream(tmp_path / name)

    assert caught.value.status is Status.UNAVAILABLE
    assert str(tmp_path) in caught.value.absent.reason
    assert caught.value.absent.fix


@pytest.mark.failure_mode(2, "trace")
def test_a_file_that_may_not_be_read_says_how_it_may(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(MeterUnavailable) as caught:
        FileStream(path, opener=refuse)

    assert caught.value.status is Status.PERMISSION
    assert caught.value.absent.fix == f"sudo chmod a+r {path}"


@pytest.mark.failure_mode(18, "trace")
def test_a_device_that_is_gone_cannot_be_opened(tmp_path: Path) -> None:
    def gone(path: Path, flags: int) -> int:
        raise OSError(errno.ENODEV, "No such device")

    with pytest.raises(MeterUnavailable, match="cannot be opened \\(No such device\\)"):
        FileStream(tmp_path / "ttyUSB0", opener=gone)


@pytest.mark.failure_mode(5, "trace")
def test_a_read_that_fails_is_left_out_and_the_next_ones_count() -> None:
    emulated = in_memory(logged())
    meter = emulated.open()
    assert isinstance(emulated.stream, Memory)
    emulated.clock.pass_s(3.0)
    meter.read()
    emulated.stream.fault = OSError(errno.EIO, "Input/output error")

    failed = meter.read()[-1]
    emulated.stream.fault = None
    energy, true_j, _ = window_of(meter, emulated)

    assert (failed.value, failed.status) == (None, Status.ERROR)
    assert "Input/output error; see whether the meter is on" in failed.reason
    assert energy.status is Status.OK
    assert holds(energy, true_j)


@pytest.mark.failure_mode(7, "trace")
@pytest.mark.failure_mode(27, "trace")
def test_lines_without_a_value_are_dropped_counted_and_shown() -> None:
    bad: Sequence[Callable[[str], str]] = (
        lambda line: line.replace("Watts", "Wa"),
        lambda line: line[:30],
        lambda line: line.replace("Watts,", "Watts,-1.000000,"),
        lambda line: line.replace("Watts,", "Watts,NaN,"),
        lambda line: line.replace("Watts,", "Watts,-3.5,"),
        lambda line: line.replace("Watts,", "Watts,99999.0,"),
        lambda line: line.replace("Watts,", "Watts,32760 ma,"),
        lambda line: "Time,99-99-2025 09:15:01.250,Watts,31.4",
    )
    emulated = in_memory(logged(bad=0.3, bad_lines=bad))
    meter = emulated.open("p_max_w=100")

    energy, true_j, readings = window_of(meter, emulated, 40.0)

    dropped = [reading for reading in readings if reading.status is Status.ERROR]
    assert len(dropped) >= 5
    assert all(reading.value is None for reading in dropped)
    assert all("gives no value: " in reading.reason for reading in dropped)
    assert energy.status is Status.OK
    assert holds(energy, true_j)
    (shown,) = meter.unusable
    assert shown.status is Status.ERROR
    assert " lines were dropped; the last: the line " in shown.reason


@pytest.mark.failure_mode(7, "trace")
def test_a_source_of_garbage_is_no_meter() -> None:
    stream = Memory(["time,power (W)", *["1.0,N/A"] * 10])
    clock = VirtualClock()

    with pytest.raises(MeterUnavailable) as caught:
        TraceMeter(wanted("x"), stream, clock=clock, wall=clock, sleep=clock.pass_s)

    assert caught.value.status is Status.ERROR
    assert caught.value.absent.reason.startswith("none of 10 lines of an emulated meter gives a")
    assert "'N/A' is no number" in caught.value.absent.reason


@pytest.mark.failure_mode(10, "trace")
def test_an_accumulator_that_begins_anew_voids_its_window() -> None:
    source = logged(
        lambda t, j: f"{iso(t)},{j if t < EPOCH_S + 12 else j - 400:.4f}",
        counts=True,
        interval_s=0.5,
    )
    emulated = in_memory(source, ["time,energy (J)"])
    meter = emulated.open("p_max_w=100")

    energy, _, _ = window_of(meter, emulated)
    later, true_j, _ = window_of(meter, emulated)

    no_energy(energy, Status.RESET, "the counter went back from")
    assert later.status is Status.OK
    assert holds(later, true_j)


@pytest.mark.failure_mode(11, "trace")
def test_an_energy_that_stands_still_is_no_source() -> None:
    emulated = in_memory(logged(lambda t, j: f"{iso(t)},0.125", counts=True), ["time,E (kWh)"])

    with pytest.raises(MeterUnavailable) as caught:
        emulated.open("joules=E (kWh)")

    assert caught.value.status is Status.STALE
    assert "stood still for" in caught.value.absent.reason
    assert "column of power" in caught.value.absent.fix


@pytest.mark.failure_mode(11, "trace")
def test_an_energy_that_stops_in_a_window_is_stale() -> None:
    source = logged(lambda t, j: f"{iso(t)},{min(j, 300.0):.3f}", counts=True, interval_s=0.5)
    emulated = in_memory(source, ["time,energy (J)"])
    meter = emulated.open("p_max_w=100")
    emulated.clock.pass_s(30.0)

    energy, _, _ = window_of(meter, emulated, 20.0)

    no_energy(energy, Status.STALE, "the counter stood still for")


@pytest.mark.failure_mode(16, "trace")
def test_exactly_zero_all_the_time_is_no_power() -> None:
    emulated = in_memory(logged(lambda t, _: ptd(t, 0.0)))
    meter = emulated.open()

    energy, _, _ = window_of(meter, emulated)

    no_energy(energy, Status.NOT_SUPPORTED, "showed exactly 0 W")


@pytest.mark.failure_mode(18, "trace")
def test_a_pipe_whose_writer_is_gone_is_lost(tmp_path: Path) -> None:
    with in_pipe(logged(), tmp_path / "pipe") as emulated:
        meter = emulated.open()
        emulated.clock.pass_s(5.0)
        meter.read()
        emulated.clock.workers.pop(0)
    energy, _, readings = window_of(meter, emulated)
    meter.close()

    no_energy(energy, Status.LOST, "nobody writes to", "start the logger")
    assert readings[0].value is not None  # what came so far is kept


@pytest.mark.failure_mode(18, "trace")
@pytest.mark.parametrize("code", [errno.ENODEV, errno.ENXIO])
def test_a_serial_meter_that_is_unplugged_is_lost(code: int) -> None:
    emulated = in_memory(logged())
    meter = emulated.open()
    assert isinstance(emulated.stream, Memory)
    emulated.clock.pass_s(3.0)
    meter.read()
    emulated.stream.fault = OSError(code, os.strerror(code))

    energy, _, _ = window_of(meter, emulated)

    no_energy(energy, Status.LOST, os.strerror(code), "open it again")


@pytest.mark.failure_mode(22, "trace")
def test_a_pipe_without_a_writer_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    clock = VirtualClock()

    with pytest.raises(MeterUnavailable) as caught:
        TraceMeter(wanted(str(path)), FileStream(path), clock=clock, wall=clock, sleep=clock.pass_s)

    assert caught.value.status is Status.TIMEOUT
    assert "no line of a known form came from" in caught.value.absent.reason
    assert caught.value.absent.reason.endswith(f": nobody writes to {path}")
    assert caught.value.absent.fix == "start the logger that writes it"


@pytest.mark.failure_mode(22, "trace")
def test_a_pipe_with_a_writer_that_says_nothing_does_not_hang(tmp_path: Path) -> None:
    with (
        in_pipe(logged(silent_from_s=0.0), tmp_path / "pipe") as emulated,
        pytest.raises(MeterUnavailable) as caught,
    ):
        emulated.open()

    assert caught.value.status is Status.TIMEOUT
    assert "does it write each line at once" in caught.value.absent.fix


@pytest.mark.failure_mode(22, "trace")
def test_a_logger_that_stops_leaves_no_energy_and_says_since_when(tmp_path: Path) -> None:
    emulated = in_file(logged(silent_from_s=14.0), tmp_path / "log.txt")
    meter = emulated.open()
    emulated.clock.pass_s(3.0)

    energy, _, _ = window_of(meter, emulated, 30.0)
    meter.close()

    no_energy(energy, Status.TIMEOUT, "the newest sample of", "s old; is the logger running")


@pytest.mark.failure_mode(23, "trace")
def test_a_logger_that_pauses_leaves_a_gap_that_the_bound_spans() -> None:
    source = logged()
    emulated = in_memory(source)
    meter = emulated.open("p_max_w=100")
    began = emulated.clock.now_s
    write = source.due

    def paused(now_s: float) -> list[str]:
        lines = write(now_s)
        return [] if began + 5 < now_s < began + 13 else lines

    source.due = paused  # type: ignore[method-assign]

    energy, true_j, _ = window_of(meter, emulated, 30.0)

    assert energy.status is Status.GAP
    assert holds(energy, true_j)
    assert energy.low is not None
    assert energy.high is not None
    assert energy.high - energy.low >= 100 * 7  # anything from 0 to p_max_w for the gap


@pytest.mark.failure_mode(26, "trace")
@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.9])
def test_a_window_shorter_than_the_meter_resolves_has_no_energy(seconds: float) -> None:
    emulated = in_memory(logged())
    meter = emulated.open()
    emulated.clock.pass_s(3.0)

    energy, _, _ = window_of(meter, emulated, seconds)

    no_energy(energy, Status.TOO_SHORT, "is shorter than the gauge can resolve", "give it at least")


def test_times_of_no_epoch_in_a_file_that_does_not_grow_cannot_be_placed(tmp_path: Path) -> None:
    source = logged(silent_from_s=0.0)
    emulated = in_file(source, tmp_path / "log.txt", [f"{i}.5 31.4" for i in range(30)])

    with pytest.raises(MeterUnavailable) as caught:
        emulated.open()

    assert caught.value.status is Status.TIMEOUT
    assert "count from nobody knows when" in caught.value.absent.reason
    assert "clock=utc, unix or monotonic" in caught.value.absent.fix


def test_a_meter_too_slow_to_be_seen_twice_asks_for_its_interval() -> None:
    emulated = in_memory(logged(interval_s=12.0))

    with pytest.raises(MeterUnavailable) as caught:
        emulated.open()
    told = in_memory(logged(interval_s=12.0)).open("interval_s=12").channels[0]

    assert "give interval_s=" in caught.value.absent.fix
    assert told.update_interval_s == 12.0


def test_lines_without_a_time_that_waited_are_not_taken_for_new_ones() -> None:
    emulated = in_memory(logged(lambda _, w: f"{w:.1f}"))
    meter = emulated.open()
    meter.read()
    emulated.clock.workers.remove(meter.receive)
    emulated.clock.pass_s(3.0)
    assert isinstance(emulated.stream, Memory)
    emulated.stream.lines += ["31.5"] * 40

    readings = meter.read()

    assert readings[-1].status is Status.ERROR
    assert "lines without a time came at once" in readings[-1].reason
    assert "stdbuf -oL" in readings[-1].reason
