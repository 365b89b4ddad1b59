"""How the lines of a trace come: from a file, a pipe, a serial port, and when."""

import os
import pty
import threading
import time
from pathlib import Path
from random import Random

import pytest
from emulated_trace import EPOCH_S, Memory, Wattmeter, in_pipe, iso
from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import Reading
from bench.meters._trace_stream import FileStream, Receiver
from bench.meters._trace_wanted import wanted
from bench.meters.trace import TraceMeter

STEADY = KnownPower([31.4], [10.0])


def test_a_long_file_is_read_from_its_header_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.meters._trace_stream._MOST_HISTORY", 4096)
    path = tmp_path / "long.csv"
    rows = [f"{iso(EPOCH_S + 0.01 * i)},{i}" for i in range(5000)]
    path.write_text("\n".join(["time,power (mW)", *rows, ""]))

    stream = FileStream(path)
    lines = stream.take()
    stream.close()

    assert lines[0] == "time,power (mW)"
    assert lines[-1] == rows[-1]
    assert set(lines[1:]) <= set(rows)
    assert len(lines) < 120


def test_a_log_that_is_cut_or_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("one\ntwo\n")
    stream = FileStream(path)

    assert stream.take() == ["one", "two"]
    path.write_text("ten\n")  # cut
    assert stream.take() == ["ten"]
    (tmp_path / "new").write_text("hundred\n")
    with path.open("a") as old:
        old.write("eleven\n")
    (tmp_path / "new").replace(path)
    assert stream.take() == ["eleven"]
    assert stream.take() == ["hundred"]
    path.unlink()
    assert stream.take() == []
    stream.close()


def test_a_line_that_is_still_being_written_is_not_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("1.0 31.5\n2.0 3")
    stream = FileStream(path)

    assert stream.take() == ["1.0 31.5"]
    with path.open("a") as file:
        file.write("1.7\r\n")
    assert stream.take() == ["2.0 31.7"]
    stream.close()


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.bin"
    path.write_bytes(b"\0" * 100_000)
    stream = FileStream(path)

    assert stream.take() == ["\0" * 80]
    assert stream.take() == []
    stream.close()


def test_a_serial_port_is_met_in_the_middle_of_a_line() -> None:
    port, terminal = pty.openpty()
    stream = FileStream(Path(os.ttyname(terminal)))
    os.write(port, b"1.5\n31.6\n31.7\n")

    lines: list[str] = []
    until = time.monotonic() + 20
    while len(lines) < 2 and time.monotonic() < until:
        lines += [line for line in stream.take() if line]
    stream.close()
    os.close(port)
    os.close(terminal)

    assert lines == ["31.6", "31.7"]  # not the 1.5 that may be of a 31.5


def test_a_pipe_is_read_as_it_is_written(tmp_path: Path) -> None:
    source = Wattmeter(STEADY, Random(5), lambda t, w: f"{t:.3f} {w:.1f}", interval_s=0.2)
    with in_pipe(source, tmp_path / "pipe") as emulated:
        meter = emulated.open()
        emulated.clock.pass_s(5.0)
        values = [reading.value for reading in meter.read() if reading.value is not None]
        meter.close()

    assert set(values) == {31.4}
    assert len(values) >= 25


def test_lines_are_received_in_a_thread_while_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    done = threading.Event()

    def write() -> None:
        with path.open("w", buffering=1) as pipe:
            while not done.wait(0.02):
                pipe.write(f"{time.monotonic() - 1000:.4f} 31.5\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        meter = TraceMeter(wanted(f"{path}?interval_s=0.1"), FileStream(path))
        held, received = 0, threading.Event()
        until = time.monotonic() + 20
        seen: list[Reading] = []
        while len({reading.t1_ns for reading in seen}) < 3 and time.monotonic() < until:
            received.wait(0.2)
            seen = list(meter.read())
            held += 1
        meter.close()
    finally:
        done.set()
        writer.join()

    assert len({reading.t1_ns for reading in seen}) >= 3  # each with the time at which it came
    assert all(reading.t0_ns <= reading.t1_ns for reading in seen)


def test_the_receiver_notes_when_a_line_was_not_there_and_when_it_was() -> None:
    clock, stream = VirtualClock(), Memory()
    receiver = Receiver(stream, clock, clock)
    clock.pass_s(1.0)
    receiver.look()
    clock.pass_s(0.2)
    stream.write(["a"])

    (arrival,) = receiver.take()

    assert arrival.lines == ("a",)
    assert 1.0e9 < arrival.t0_ns < 1.01e9
    assert 1.2e9 < arrival.t1_ns < 1.21e9
