"""A fresh process of one side: ``python -m pytest --benchmark … --joules-alone N`` in its tree.

It leaves one journal. What it printed is kept where it did not end in order.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.alone import TESTS
from bench.gate.checkout import Checkout

IN_ORDER = frozenset({0, 1, 5})
"""Exit codes of pytest that ended by itself: passed, some failed, nothing was there to run."""

OUTPUT = "output.txt"
_LINES, _BYTES = 15, 8000
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Args:
        code: Its exit code, negative for a signal; None if its time was over.
        journal: What it measured; None if there is none.
        said: Its last lines.
        seconds: How long it took.
    """

    code: int | None
    journal: Path | None
    said: str
    seconds: float

    @property
    def in_order(self) -> bool:
        """Whether it came to its end."""
        return self.code in IN_ORDER

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.code is None:
            return f"did not end within {self.seconds:.0f} s"
        if self.code < 0:
            return f"was killed by {signal.Signals(-self.code).name}"
        return f"ended with exit code {self.code}"


def start(side: Checkout, arguments: Sequence[str], folder: Path, deadline_s: float) -> Ended:
    """Runs pytest in a side until it ends or its time is over; what it has started ends too.

    Args:
        side: Whose tree and environment.
        arguments: Of pytest.
        folder: For its journal and what it prints.
        deadline_s: Longest time, s.
    """
    folder = folder.resolve()  # the process stands in another one
    folder.mkdir(parents=True, exist_ok=True)
    own = ("--benchmark", f"--joules-results={folder}", "-o", f"cache_dir={folder / 'cache'}")
    began = time.monotonic()
    with (folder / OUTPUT).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - it is the user's own pytest
            [str(side.python), "-m", "pytest", *own, *arguments],
            cwd=side.folder,
            env=side.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    seconds = time.monotonic() - began
    journals = sorted(folder.glob("*.jsonl"))
    return Ended(code, journals[-1] if journals else None, tail(folder), seconds)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process and what it has started, first by asking."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
            return


def tail(folder: Path) -> str:
    """The last lines of what a process printed."""
    with contextlib.suppress(OSError):
        text = (folder / OUTPUT).read_bytes()[-_BYTES:].decode(errors="replace")
        return "\n".join(text.splitlines()[-_LINES:])
    return ""


def tests_of(folder: Path) -> str | None:
    """What a collecting process has written about its tests, as JSON; None if nothing."""
    with contextlib.suppress(OSError):
        return (folder / TESTS).read_text(encoding="utf-8")
    return None


def take(ended: Ended, folder: Path, to: Path) -> None:
    """Moves the journal to its place; of a process that ended in order nothing else is kept."""
    if ended.journal is not None:
        os.replace(ended.journal, to)  # noqa: PTH105 - atomic, as the name says
    if ended.in_order:
        shutil.rmtree(folder, ignore_errors=True)
