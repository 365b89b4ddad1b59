"""SPEC PTDaemon over TCP: its line protocol, and a stream of the samples that it has not shown yet.

Commands and replies end in CRLF. ``Hello`` is answered ``Hello, PTDaemon here!``; ``Identify`` by
the analyser's name; ``Go,1000,0,<mark>`` starts samples of 1000 ms; ``RL`` gives ``Last N samples``
and N lines, those that were not read before; ``Stop`` ends them. Errors are ``Unknown command``,
``Invalid number of parameters`` and ``Error: …``.

Source: shared/counters.md §7.1, after the client of MLCommons' power-dev.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable

from bench.meter import Clock, MeterUnavailable, Status

GREETING = "Hello, PTDaemon here!"
SAMPLE_S = 1.0
DEFAULT_PORT = 8888
_MARK = "joulebench"
_RETRY_S = 0.25
# how one asks for what was not read yet: one channel, several channels, a DC analyser
_READS = ("RL", "RL,*,*", "DC-RL")
_LONGEST_LINE = 65536
_FIX = "is PTDaemon running there with its analyser on, and with no other client?"


def address(source: str) -> tuple[str, int]:
    """Host and port of ``ptd://host:port``.

    Raises:
        MeterUnavailable: It is none.

    >>> address("ptd://10.0.0.5")
    ('10.0.0.5', 8888)
    """
    found = re.fullmatch(r"ptd://(\[[^\]]+\]|[^:/]+)(?::(\d{1,5}))?/?", source)
    if found is None:
        raise MeterUnavailable(f"{source} is no address", "give ptd://host:port, e.g. port 8888")
    return found.group(1).strip("[]"), int(found.group(2) or DEFAULT_PORT)


class PtdStream:
    """The lines of PTDaemon's samples, from the moment it is opened.

    Args:
        source: ``ptd://host:port``.
        connect_s: How long to try to connect: PTDaemon takes up to 17 s to start.
        answer_s: Longest time for an answer.
        clock: Monotonic time in ns.
        sleep: Lets time pass, s.

    Raises:
        MeterUnavailable: It refuses, does not answer, or is no PTDaemon.
    """

    period_s = 0.25
    interval_s: float | None = SAMPLE_S
    is_file = False
    ended = ""

    def __init__(
        self,
        source: str,
        *,
        connect_s: float = 18.0,
        answer_s: float = 2.0,
        clock: Clock = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.what, self._answer_s, self._clock = source, answer_s, clock
        self._buffer = b""
        self._read = _READS[0]
        self._lost: OSError | None = None
        self._running = False
        self._socket = self._connect(address(source), connect_s, sleep)
        try:
            self._start()
        except OSError as error:
            self.close()
            status = Status.TIMEOUT if isinstance(error, TimeoutError) else Status.LOST
            raise MeterUnavailable(str(error), _FIX, status) from error
        except MeterUnavailable:
            self.close()
            raise

    def take(self) -> list[str]:
        """The samples' lines that were not taken before.

        Raises:
            TimeoutError: It does not answer in time; it never does again.
            OSError: The connection is lost; it stays so.
        """
        if self._lost is not None:
            raise self._lost
        try:
            return self._unread()
        except OSError as error:
            self._lost = error
            raise

    def close(self) -> None:
        """Ends the samples that it began, and the connection."""
        if self._running and self._lost is None:
            self._running = False
            with contextlib.suppress(OSError):
                self._command("Stop")
        self._socket.close()

    def _connect(
        self, where: tuple[str, int], connect_s: float, sleep: Callable[[float], None]
    ) -> socket.socket:
        began = self._clock()
        while True:
            try:
                return socket.create_connection(where, timeout=self._answer_s)
            except OSError as error:
                passed = (self._clock() - began) / 1e9
                if isinstance(error, ConnectionRefusedError) and passed < connect_s:
                    sleep(_RETRY_S)  # it may be starting
                    continue
                status = Status.UNAVAILABLE
                if isinstance(error, TimeoutError):
                    status = Status.TIMEOUT
                reason = f"{self.what} cannot be reached ({error.strerror or error})"
                raise MeterUnavailable(reason, _FIX, status) from error

    def _start(self) -> None:
        """Greets it, and lets it begin.

        Raises:
            OSError: It does not answer.
            MeterUnavailable: It is no PTDaemon, or does not begin.
        """
        greeting = self._command("Hello")
        if greeting != GREETING:
            raise MeterUnavailable(
                f"{self.what} answered {greeting[:60]!r} to Hello: it is no PTDaemon",
                "MLPerf's own server (port 4950) is another program; give PTDaemon's port",
                Status.NOT_SUPPORTED,
            )
        self.what = f"{self.what} ({self._command('Identify').partition(',')[0][:40]})"
        reply = self._command(f"Go,{SAMPLE_S * 1000:.0f},0,{_MARK}")
        if _is_error(reply):
            fix = "end the measurement that another client has begun (Stop), or restart PTDaemon"
            raise MeterUnavailable(f"{self.what} answered {reply[:80]!r} to Go", fix, Status.ERROR)
        self._running = True

    def _unread(self) -> list[str]:
        reply = self._command(self._read)
        for other in _READS:
            if _is_error(reply) and other != self._read:
                reply, self._read = self._command(other), other
        count = re.match(r"Last (\d+) sample", reply)
        if count is None:
            raise ConnectionError(f"{self.what} answered {reply[:80]!r} to {self._read}")
        until = self._clock() + round(self._answer_s * 1e9)
        return [self._line(until) for _ in range(int(count.group(1)))]

    def _command(self, text: str) -> str:
        """Sends a command, and gives the line that answers it."""
        try:
            self._socket.sendall(f"{text}\r\n".encode())
        except TimeoutError as error:
            raise TimeoutError(f"{self.what} takes no commands") from error
        except OSError as error:
            raise ConnectionError(f"the connection to {self.what} is lost ({error})") from error
        return self._line(self._clock() + round(self._answer_s * 1e9))

    def _line(self, until_ns: int) -> str:
        """The next line, without its end."""
        while b"\n" not in self._buffer:
            left = (until_ns - self._clock()) / 1e9
            if left <= 0:
                raise TimeoutError(f"{self.what} did not answer within {self._answer_s:g} s")
            self._socket.settimeout(left)
            try:
                part = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                raise ConnectionError(f"the connection to {self.what} is lost ({error})") from error
            if not part:
                raise ConnectionError(f"{self.what} has closed the connection")
            self._buffer += part
            if len(self._buffer) > _LONGEST_LINE and b"\n" not in self._buffer:
                raise ConnectionError(f"{self.what} answers without end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")


def _is_error(reply: str) -> bool:
    return reply.startswith(("Unknown command", "Invalid number of parameters", "Error"))
