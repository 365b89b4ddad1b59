"""A fresh process that runs one side of one case: the same test again, told what to serve.

The parent keeps everything: meters, guards, windows, journal. Only the loop of the side runs in
the child, which waits in a read, without CPU time, until it is asked for calls. What the child
does with its order: `bench.wanted`.
"""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import children, wire
from bench.wanted import VARIABLE, Wanted

LIMIT_S = 600.0
"""How long a fresh process may take to reach its case, and to answer, before it counts as hung."""

LIMIT_VARIABLE = "JOULES_PROCESS_LIMIT_S"

_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "capture": ("-s",),  # what it prints goes to its file at once, not when the test ends
    "cacheprovider": ("-o", "cache_dir={folder}/cache"),
    "tmpdir": ("--basetemp={folder}/tmp",),
    "pytest_cov": ("--no-cov",),
}
"""By plugin of pytest, what keeps a child from writing where its parent writes."""

_LOOK_S = 1.0
_END_S = 30.0  # how long tearing down may take
_TRACE_S = 0.5
_LINES, _BYTES = 15, 4000
_REACH = "reach its case"
_ANEW = (
    "it runs the test anew, which must come to the same joules(), with the same name and batch,"
    " and without a number of an earlier one"
)
_ADVICE: Mapping[int | None, str] = {
    5: "it found no such test: give its parameters ids that are the same in every run"
}
_LONGEST = 10  # times what a run was expected to take, if that is more than the limit


class ChildError(RuntimeError):
    """A fresh process could not run its side; the message says why, and what it said last."""


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts fresh processes that run the tests of this pytest session again.

    Args:
        arguments: Of pytest, as the user gave them.
        folder: Where pytest was started.
        environment: As it was then.
        limit_s: Longest time to come up, and to answer.
    """

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    limit_s: float = LIMIT_S

    def start(self, nodeid: str, case: str, role: str) -> "Child":
        """Starts a process for one side of a case; it comes up while others do: see `Child.up`."""
        folder = tempfile.TemporaryDirectory(prefix="joules-", ignore_cleanup_errors=True)
        ours, theirs = socket.socketpair()
        wanted = Wanted(nodeid, case, role, theirs.fileno())
        try:
            with theirs, (Path(folder.name) / "output").open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - it is our own pytest
                    [*_interpreter(self.folder), "-m", "pytest", *self._arguments(folder.name)],
                    cwd=self.folder,
                    env={**self.environment, VARIABLE: json.dumps(wanted.as_dict())},
                    pass_fds=(wanted.fd,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
        except BaseException:
            ours.close()
            folder.cleanup()
            raise
        return Child(wanted, process, ours, folder, self.limit_s)

    def _arguments(self, folder: str) -> list[str]:
        return [argument.replace("{folder}", folder) for argument in self.arguments]


def own_arguments(given: Iterable[object], has_plugin: Callable[[str], bool]) -> tuple[str, ...]:
    """The arguments of pytest with those of a child, which must come last to count.

    >>> own_arguments(["--benchmark", "--", "tests"], lambda name: name == "capture")
    ('--benchmark', '-s', '--', 'tests')
    """
    arguments = [str(argument) for argument in given]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours = [each for name, options in _OPTIONS.items() if has_plugin(name) for each in options]
    return (*arguments[:end], *ours, *arguments[end:])


def limit_s(environment: Mapping[str, str]) -> float:
    """The limit that the environment sets, s.

    Raises:
        ValueError: It is no number above 0.
    """
    text = environment.get(LIMIT_VARIABLE, str(LIMIT_S))
    with contextlib.suppress(ValueError):
        if (seconds := float(text)) > 0:
            return seconds
    raise ValueError(f"{LIMIT_VARIABLE}={text}: give a number of seconds above 0")


def _interpreter(folder: Path) -> list[str]:
    """This Python with its own flags; the folder leads its path only if it does so here."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # noqa: SLF001 - multiprocessing's way too
    isolated = [] if {"", str(folder)} & set(sys.path) or "-P" in flags else ["-P"]
    return [sys.executable, *flags, *isolated]


class Child:
    """A fresh process, alive; a context manager that ends it.

    Args:
        wanted: What it was told.
        process: It.
        connection: Our end.
        folder: For what it writes.
        limit_s: Longest time to come up, and to answer.
    """

    def __init__(
        self,
        wanted: Wanted,
        process: "subprocess.Popen[bytes]",
        connection: socket.socket,
        folder: "tempfile.TemporaryDirectory[str]",
        limit_s: float,
    ) -> None:
        self.pid = process.pid
        self._process, self._connection, self._folder = process, connection, folder
        self._limit_s, self._per_call_s = limit_s, 0.0
        self._name = f"the fresh process for the {wanted.role} of {wanted.case}"
        connection.settimeout(_LOOK_S)
        children.born(process.pid)

    def up(self, version: str) -> None:
        """Waits until it has reached its case, with the same *version* of the workload.

        Raises:
            ChildError: It has ended, or takes too long, or has another workload.
        """
        found = bytes(self._answer(_REACH, self._limit_s)).decode()
        if found != version:
            raise ChildError(
                f"{self._name} has version {found} of the workload, wanted {version}:"
                " make the workload the same in every process, by a seed"
            )

    def loop(self, calls: int) -> Sequence[float]:
        """Runs the side: as any `bench.workload.Loop`.

        Raises:
            ChildError: It has ended, or does not answer.
        """
        began = time.monotonic()
        limit_s = max(self._limit_s, _LONGEST * calls * self._per_call_s)
        with contextlib.suppress(ConnectionError):  # the answer says that it is gone
            wire.send_calls(self._connection, calls)
        latencies = array("d")
        latencies.frombytes(self._answer(f"run {calls} calls", limit_s))
        self._per_call_s = (time.monotonic() - began) / calls
        return latencies

    def _answer(self, what: str, limit_s: float) -> bytearray:
        until = time.monotonic() + limit_s

        def waiting() -> None:
            if self._process.poll() is not None:  # what it had started may still hold its end
                raise self._ended(what)
            if time.monotonic() > until:
                raise self._hangs(what, limit_s)

        data = wire.receive(self._connection, waiting)
        if data is None:
            raise self._ended(what)
        return data

    def _ended(self, what: str) -> ChildError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        code = self._process.poll()
        advice = f" {_ADVICE.get(code, _ANEW)};" if what == _REACH else ""
        return ChildError(
            f"{self._name} {_end(code)} when it should {what};{advice} {self._last_words()}"
        )

    def _hangs(self, what: str, limit_s: float) -> ChildError:
        self._process.send_signal(signal.SIGUSR1)  # it tells where it is: `bench.wanted.claim`
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_TRACE_S)
        return ChildError(
            f"{self._name} did not {what} within {limit_s:g} s;"
            f" if it only needs longer, set {LIMIT_VARIABLE}; {self._last_words()}"
        )

    def _last_words(self) -> str:
        output = (Path(self._folder.name) / "output").read_bytes()[-_BYTES:]
        lines = output.decode(errors="replace").splitlines()[-_LINES:]
        return "\n  ".join(("its last lines:", *lines)) if lines else "it printed nothing"

    def end(self) -> None:
        """Closes our end, on which it ends by itself, and waits for it."""
        try:
            self._connection.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends it at once, if it has not ended; what it wrote is gone."""
        self._connection.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        children.gone(self.pid)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.end()
        else:
            self.kill()


def _end(code: int | None) -> str:
    """How a process ended.

    >>> _end(1), _end(-9)
    ('ended with exit code 1', 'was killed by SIGKILL')
    """
    if code is None:
        return "has closed its end"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
