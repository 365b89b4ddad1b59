"""PTDaemon by TCP, on real sockets of this machine: its protocol, its errors, its silence.

Sockets need real time; nothing here depends on how much of it passes, only on what happens.
"""

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import pytest
from emulated_trace import ptd

from bench.meter import MeterUnavailable, Reading, Status
from bench.meters import trace
from bench.meters._ptdaemon import PtdStream, address
from bench.meters._trace_wanted import wanted
from bench.meters.trace import TraceMeter
from bench.quantities import Kind

T = 1_751_274_901.25
PATIENCE_S = 30.0  # for a machine that is slow; nothing waits for it


class PtdServer(socketserver.ThreadingTCPServer):
    """PTDaemon as far as a client sees it: samples appear as the test lets them.

    Args:
        replies: Answers by command that replace its own; None answers nothing.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, replies: dict[str, str | None] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.replies = dict(replies or {})
        self.commands: list[str] = []
        self.unread: list[str] = []
        self.hang_up_at = ""
        self.running = False
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def source(self) -> str:
        return f"ptd://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def answer(self, command: str) -> str | None:
        """The lines that answer a command, or None for silence."""
        self.commands.append(command)
        if command in self.replies:
            return self.replies[command]
        answers: dict[str, Callable[[], str]] = {
            "Hello": lambda: "Hello, PTDaemon here!",
            "Identify": lambda: "YokogawaWT310,0,version=1.10.0-abc,emulated",
            "RR": lambda: "Ranges,1,0.5,1,300.0",
            "Go": self._go,
            "Stop": self._stop,
            "RL": self._unread,
            "DC-RL": self._unread,
        }
        return answers.get(command.partition(",")[0], lambda: "Unknown command")()

    def _go(self) -> str:
        self.running = True
        return (
            "Starting untimed measurement, maximum 500000 samples at 1000ms with 0 rampup samples"
        )

    def _stop(self) -> str:
        was, self.running = self.running, False
        return "Stopping untimed measurement" if was else "Error: no measurement to stop"

    def _unread(self) -> str:
        lines, self.unread = self.unread, []
        return "\r\n".join([f"Last {len(lines)} samples", *lines])


class _Conversation(socketserver.StreamRequestHandler):
    server: PtdServer

    def handle(self) -> None:
        for raw in self.rfile:
            command = raw.decode().strip()
            if command == self.server.hang_up_at:
                return
            answer = self.server.answer(command)
            if answer is not None:
                self.wfile.write(f"{answer}\r\n".encode())


@pytest.fixture
def server() -> Iterator[PtdServer]:
    with PtdServer() as server:
        yield server


def stream(server: PtdServer, answer_s: float = PATIENCE_S) -> PtdStream:
    return PtdStream(server.source, connect_s=0.0, answer_s=answer_s)


def opened(server: PtdServer, query: str = "?clock=device") -> TraceMeter:
    server.unread += [ptd(T, 31.4)]
    asked = wanted(f"{server.source}{query}")
    return TraceMeter(asked, stream(server), watch_s=PATIENCE_S, threaded=False)


def test_it_greets_starts_reads_what_is_new_and_stops(server: PtdServer) -> None:
    meter = opened(server)
    server.unread += [ptd(T + 1, 40.0), ptd(T + 2, 50.0)]
    second = meter.read()
    third = meter.read()
    meter.close()

    (channel,) = meter.channels
    assert server.commands[:4] == ["Hello", "Identify", "Go,1000,0,joulebench", "RL"]
    assert server.commands[-1] == "Stop"
    assert not server.running
    assert [reading.value for reading in second] == [31.4, 40.0, 50.0]
    assert [reading.t_device for reading in second] == [T, T + 1, T + 2]
    assert [reading.value for reading in third] == [31.4, 40.0, 50.0]  # the last few again
    assert (channel.update_interval_s, channel.averaging_window_s) == (1.0, 1.0)
    assert channel.kind is Kind.EXTERNAL
    assert channel.clock_s == pytest.approx(0.351)  # transport, and how often it is asked
    assert "YokogawaWT310" in channel.origin


def test_the_setting_opens_it_by_the_time_at_which_its_lines_come(server: PtdServer) -> None:
    server.unread = [ptd(T, 31.4)]

    meter = trace.open_meter({"JOULES_TRACE": server.source})

    (reading, *_) = meter.read()
    meter.close()
    assert reading.t_device == T  # by UTC its stamp would be years old


@pytest.mark.parametrize(
    ("refused", "spoken"),
    [("Invalid number of parameters", "RL,*,*"), ("Unknown command", "DC-RL")],
)
def test_it_asks_for_samples_in_the_way_that_the_analyser_knows(refused: str, spoken: str) -> None:
    replies: dict[str, str | None] = {"RL": refused}
    if spoken == "DC-RL":
        replies["RL,*,*"] = refused
    with PtdServer(replies) as server:
        meter = opened(server)
        meter.read()
        meter.close()

    assert server.commands[-2:] == [spoken, "Stop"]
    assert server.commands.count("RL") == 1


@pytest.mark.failure_mode(27, "trace")
def test_an_invalid_sample_is_dropped_counted_and_shown(server: PtdServer) -> None:
    meter = opened(server)
    server.unread += [ptd(T + 1, -1.0), ptd(T + 2, 50.0).replace("50.000000", "NaN"), "garbage"]
    server.unread += [ptd(T + 3, 60.0)]

    readings = meter.read()

    meter.close()
    assert [reading.value for reading in readings] == [31.4, None, None, 60.0]
    assert {reading.status for reading in readings[1:3]} == {Status.ERROR}
    assert "PTDaemon marks it invalid (-1)" in readings[1].reason
    (dropped,) = meter.unusable
    assert dropped.status is Status.ERROR
    assert dropped.reason.startswith("2 of 5 lines were dropped; the last: the line 'Time,06-30")


@pytest.mark.failure_mode(18, "trace")
def test_a_connection_that_is_lost_ends_the_window_and_stays_lost(server: PtdServer) -> None:
    meter = opened(server)
    server.hang_up_at = "RL"

    readings = [meter.read()[-1], meter.read()[-1]]

    meter.close()
    assert [reading.status for reading in readings] == [Status.LOST] * 2
    assert "has closed the connection" in readings[0].reason
    assert "open it again" in readings[0].reason
    assert readings[0].value is None


@pytest.mark.failure_mode(22, "trace")
def test_a_server_that_falls_silent_does_not_hang_a_read(server: PtdServer) -> None:
    server.unread += [ptd(T, 31.4)]
    source = stream(server)
    meter = TraceMeter(wanted(f"{server.source}?clock=device"), source, threaded=False)
    server.replies["RL"] = None
    source._answer_s = 0.2

    readings = [meter.read()[-1], meter.read()[-1]]

    meter.close()
    assert [reading.status for reading in readings] == [Status.TIMEOUT] * 2
    assert "did not answer within 0.2 s" in readings[0].reason
    assert server.commands[-1] == "RL"  # it is not asked again: a late answer would be another's


@pytest.mark.failure_mode(22, "trace")
@pytest.mark.parametrize("silent", ["Hello", "Identify", "Go,1000,0,joulebench"])
def test_a_server_that_never_answers_does_not_open(silent: str) -> None:
    with PtdServer({silent: None}) as server, pytest.raises(MeterUnavailable) as caught:
        stream(server, answer_s=0.2)

    assert caught.value.status is Status.TIMEOUT
    assert "did not answer within 0.2 s" in caught.value.absent.reason
    assert "is PTDaemon running there" in caught.value.absent.fix


@pytest.mark.failure_mode(18, "trace")
def test_a_server_that_hangs_up_at_once_does_not_open(server: PtdServer) -> None:
    server.hang_up_at = "Hello"

    with pytest.raises(MeterUnavailable, match="has closed the connection") as caught:
        stream(server)

    assert caught.value.status is Status.LOST


def test_another_server_is_no_ptdaemon() -> None:
    reply = {"Hello": "mlcommons/power server v4"}
    with PtdServer({**reply}) as server, pytest.raises(MeterUnavailable) as caught:
        stream(server)

    assert "it is no PTDaemon" in caught.value.absent.reason
    assert caught.value.status is Status.NOT_SUPPORTED
    assert "4950" in caught.value.absent.fix


def test_a_measurement_of_another_client_is_not_ended(server: PtdServer) -> None:
    server.replies["Go,1000,0,joulebench"] = "Error: measurement already running"

    with pytest.raises(MeterUnavailable, match="measurement already running"):
        stream(server)

    assert "Stop" not in server.commands


def test_a_reply_that_is_none_of_the_protocol_ends_it(server: PtdServer) -> None:
    meter = opened(server)
    server.replies["RL"] = "Lost in translation"

    reading = meter.read()[-1]

    meter.close()
    assert reading.status is Status.LOST
    assert "answered 'Lost in translation' to RL" in reading.reason


@pytest.mark.failure_mode(1, "trace")
def test_a_port_that_nobody_listens_on_is_tried_while_ptdaemon_may_be_starting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    passed: list[float] = []

    with pytest.raises(MeterUnavailable) as caught:
        PtdStream(
            f"ptd://127.0.0.1:{port}",
            connect_s=18.0,
            clock=lambda: round(sum(passed) * 1e9),
            sleep=passed.append,
        )

    assert sum(passed) == pytest.approx(18.0, abs=0.3)  # it takes 17 s with its analyser on USB
    assert "cannot be reached" in caught.value.absent.reason
    assert "is PTDaemon running there" in caught.value.absent.fix


def test_it_waits_for_the_first_sample_and_says_so_if_none_comes(server: PtdServer) -> None:
    source = stream(server)

    with pytest.raises(MeterUnavailable) as caught:
        TraceMeter(wanted(server.source), source, watch_s=0.0, threaded=False)

    assert caught.value.status is Status.TIMEOUT
    assert "no line of a known form came from ptd://" in caught.value.absent.reason
    assert server.commands[-1] == "Stop"


def test_lines_come_in_pieces_and_samples_in_bursts(server: PtdServer) -> None:
    server.unread = [ptd(T + i, 30.0 + i) for i in range(2000)]
    source = stream(server)

    lines = source.take()

    source.close()
    assert len(lines) == 2000
    assert lines[-1] == ptd(T + 1999, 2029.0)


def test_its_lines_are_received_in_a_thread_while_nobody_reads(server: PtdServer) -> None:
    server.unread = [ptd(T, 31.4)]
    source = stream(server)
    meter = TraceMeter(wanted(f"{server.source}?clock=device"), source, watch_s=PATIENCE_S)
    taken = server.commands.count("RL")
    until = time.monotonic() + PATIENCE_S
    while server.commands.count("RL") < taken + 3 and time.monotonic() < until:
        time.sleep(0.05)
    readings: tuple[Reading, ...] = meter.read()
    meter.close()

    assert readings[0].value == 31.4
    assert server.commands.count("RL") >= taken + 3
    assert server.commands[-1] == "Stop"


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("ptd://10.0.0.5", ("10.0.0.5", 8888)),
        ("ptd://lab.example:4000/", ("lab.example", 4000)),
        ("ptd://[::1]:8888", ("::1", 8888)),
    ],
)
def test_an_address_is_a_host_and_a_port(source: str, where: tuple[str, int]) -> None:
    assert address(source) == where


@pytest.mark.parametrize("source", ["ptd://", "ptd://a:b", "ptd://host:port:1"])
def test_what_is_no_address_is_refused(source: str) -> None:
    with pytest.raises(MeterUnavailable, match="is no address; give ptd://host:port"):
        address(source)
