"""A program of any language as something to measure: from its start to its end."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.refusal import Refusal

_LINES, _BYTES = 5, 2000  # of its output, to say how it failed


@dataclass(frozen=True, slots=True)
class Program:
    """A program with its arguments; calling it runs it to its end.

    Its output is thrown away unless it fails. It reads nothing.

    Args:
        command: The program, and its arguments.
    """

    command: tuple[str, ...]

    def __call__(self, *_: object) -> None:
        """Starts it and waits until it has ended; what it would be called with is left aside.

        Its CPU time, and that of what it started and waited for, is then in the kernel's count of
        ended children, which the estimate reads.

        Raises:
            Refusal: It cannot be started, ends with another exit code than 0, or leaves
                processes behind, which would still work when the window has ended.
        """
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(  # noqa: S603 - running it is what was asked for
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=0,  # so that all of it ends with us, and what stays is seen
                )
            except OSError as error:
                raise Refusal(
                    f"{self.command[0]} cannot be started: {error.strerror}", "give a program"
                ) from error
            try:
                code = process.wait()
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            if code:
                output.seek(max(0, output.seek(0, os.SEEK_END) - _BYTES))
                raise Refusal(
                    f"{self.command[0]} {_end(code)}; {_last_lines(output.read())}",
                    "mend it, or its arguments; it is run without a terminal and without input",
                )
        if _lives(process.pid):
            raise Refusal(
                f"{self.command[0]} has ended and left processes behind that still run",
                "let it wait for what it starts, or their energy is in no window",
            )

    @property
    def version(self) -> str:
        """Hash of its file and its arguments."""
        found = shutil.which(self.command[0])
        digest = hashlib.sha256("\0".join(self.command[1:]).encode())
        if found:
            digest.update(Path(found).read_bytes())
        return digest.hexdigest()[:12]


def _end(code: int) -> str:
    """How a process ended.

    >>> _end(3), _end(-9)
    ('ended with exit code 3', 'was killed by SIGKILL')
    """
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _last_lines(output: bytes) -> str:
    """What a program said last, in one line.

    >>> _last_lines(b"one  two"), _last_lines(b"")
    ('its last lines: one two', 'it printed nothing')
    """
    lines = [" ".join(line.split()) for line in output.decode(errors="replace").splitlines()]
    last = [line for line in lines if line][-_LINES:]
    return f"its last lines: {' | '.join(last)}" if last else "it printed nothing"


def _lives(group: int) -> bool:
    """Whether a process group still has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's by now
        return True
    return True
