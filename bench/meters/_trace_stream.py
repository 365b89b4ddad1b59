"""Lines that somebody else writes, as they come: a file, a pipe, a serial port, and who watches it.

`Receiver` notes when each line came, in a thread of its own: nobody reads a meter between two
windows, and a line that waits has lost the time at which it came.
"""

import os
import stat
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.meter import Clock, MeterUnavailable, Status

MAX_SLEW = 1e-3
"""Most by which a wall clock gains or loses while it is steered, s per s: twice what NTP does."""

_SMALLEST_STEP_NS = 5_000_000
_MOST_HISTORY = 16 * 2**20
_HEAD, _CHUNK, _LONGEST_LINE = 65536, 65536, 65536
_LOOKS = 3
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Stream(Protocol):
    """A source of lines.

    *what* names it; *period_s* is how often it is worth a look; *interval_s* is the time between
    its samples, if that is known; *is_file* says that its lines may be old; *ended* says why
    nothing more will come, or is empty.
    """

    what: str
    period_s: float
    interval_s: float | None
    is_file: bool

    @property
    def ended(self) -> str:
        """Why nothing more will come, or an empty string."""
        ...

    def take(self) -> list[str]:
        """The whole lines that have come since the last call; never waits long."""
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


class FileStream:
    """The lines of a file that grows, of a pipe, or of a serial port.

    A file is read from its beginning, then as it grows; one that is cut or replaced is read anew.
    It is opened so that a pipe without a writer does not hang.

    Args:
        path: Where it is.
        opener: Opens a path, as `os.open` does.

    Raises:
        MeterUnavailable: It cannot be opened.
    """

    period_s = 0.02
    interval_s: float | None = None

    def __init__(self, path: Path, *, opener: Callable[[Path, int], int] = os.open) -> None:
        self._path, self.what, self._opener = path, str(path), opener
        self._buffer = b""
        self._hung_up = False
        self._fd = _open(path, opener)
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            self.close()
            raise MeterUnavailable(f"{path} is a directory", "name the file that the meter writes")
        self.is_file = stat.S_ISREG(mode)
        # a serial port is met in the middle of a line, and half a number is a number too
        self._skip_line = stat.S_ISCHR(mode)
        self._history = self.is_file and os.fstat(self._fd).st_size > _MOST_HISTORY

    @property
    def ended(self) -> str:
        """Why nothing more will come, or an empty string."""
        return f"nobody writes to {self.what}" if self._hung_up else ""

    def take(self) -> list[str]:
        """The whole lines that have come since the last call.

        Raises:
            OSError: It cannot be read.
        """
        head: list[str] = []
        if self._history:
            self._history = False
            head = self._skip_history()
        if self.is_file:
            self._follow()
        parts = [self._buffer]
        taken = 0
        while taken < _MOST_HISTORY:
            try:
                part = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                self._hung_up = False
                break
            if not part:
                self._hung_up = not self.is_file
                break
            parts.append(part)
            taken += len(part)
        *lines, self._buffer = b"".join(parts).split(b"\n")
        if self._skip_line and lines:
            self._skip_line, lines = False, lines[1:]
        if len(self._buffer) > _LONGEST_LINE:
            lines, self._buffer = [*lines, self._buffer[:80]], b""
        return head + [line.decode("utf-8", "replace").rstrip("\r") for line in lines]

    def close(self) -> None:
        """Closes it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _skip_history(self) -> list[str]:
        """Leaves out the middle of a long file; gives its first lines, which name the columns."""
        first = os.read(self._fd, _HEAD).decode("utf-8", "replace").splitlines()[:20]
        os.lseek(self._fd, -_MOST_HISTORY // 2, os.SEEK_END)
        self._skip_line = True
        return first

    def _follow(self) -> None:
        """Begins anew where the logger did: with a file that was cut, or a new one in its place."""
        held = os.fstat(self._fd)
        try:
            there = self._path.stat()
        except OSError:
            there = held  # it is gone from here, and may still be written
        if (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
            rest = os.lseek(self._fd, 0, os.SEEK_CUR) < held.st_size
            if rest:
                return  # what is left in the old one comes first
            fresh = self._opener(self._path, _FLAGS)
            os.close(self._fd)
            self._fd, self._buffer = fresh, b""
        elif held.st_size < os.lseek(self._fd, 0, os.SEEK_CUR):
            os.lseek(self._fd, 0, os.SEEK_SET)
            self._buffer = b""


def _open(path: Path, opener: Callable[[Path, int], int]) -> int:
    try:
        return opener(path, _FLAGS)
    except FileNotFoundError as error:
        raise MeterUnavailable(
            f"there is no {path}", "start the logger first, or name what it writes"
        ) from error
    except PermissionError as error:
        raise MeterUnavailable(
            f"{path} may not be read", f"sudo chmod a+r {path}", Status.PERMISSION
        ) from error
    except OSError as error:
        raise MeterUnavailable(f"{path} cannot be opened ({error.strerror})") from error


class Arrival(NamedTuple):
    """Lines that came between two looks.

    Args:
        t0_ns: When it was looked before, and they were not there.
        t1_ns: When they were.
        lines: The lines.
        wall_ns: Wall clock less monotonic clock then.
        set_ns: By how much the wall clock was set since the look before; 0 if it was not.
        error: Why there are none, if reading failed.
    """

    t0_ns: int
    t1_ns: int
    lines: tuple[str, ...]
    wall_ns: int
    set_ns: int = 0
    error: OSError | None = None


class Receiver:
    """Looks at a stream again and again, and keeps what came with the time at which it came.

    Args:
        stream: What is watched.
        clock: Monotonic time in ns.
        wall: Time since 1970 in ns.
    """

    def __init__(self, stream: Stream, clock: Clock, wall: Clock) -> None:
        self._stream, self._clock, self._wall = stream, clock, wall
        self._arrivals: deque[Arrival] = deque()
        self._looked = clock()
        self._offset = self._look_at_wall()
        self._failed = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Takes what has come; a failure is noted once, not at each look."""
        before, self._looked = self._looked, self._clock()
        lines: list[str] = []
        error: OSError | None = None
        try:
            lines = self._stream.take()
        except OSError as failure:
            error = failure
        after = self._clock()
        old, self._offset = self._offset, self._look_at_wall()
        change = self._offset.ns - old.ns
        slewed = MAX_SLEW * (self._offset.at_ns - old.at_ns) + old.width_ns + self._offset.width_ns
        was_set = change if abs(change) > slewed + _SMALLEST_STEP_NS else 0
        news = error is not None and str(error) != self._failed
        self._failed = "" if error is None else str(error)
        if lines or was_set or news:
            arrival = Arrival(before, after, tuple(lines), self._offset.ns, was_set, error)
            self._arrivals.append(arrival)

    def start(self, period_s: float) -> None:
        """Looks every *period_s* in a thread from now on."""

        def watch() -> None:
            while not self._stop.wait(period_s):
                self.look()

        self._thread = threading.Thread(target=watch, name="joulebench-trace", daemon=True)
        self._thread.start()

    def take(self) -> list[Arrival]:
        """What has come since the last call; looks itself where no thread does."""
        if self._thread is None:
            self.look()
        found = []
        while self._arrivals:
            found.append(self._arrivals.popleft())
        return found

    def close(self, wait_s: float = 3.0) -> None:
        """Ends the thread; one that hangs is left behind."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(wait_s)

    def _look_at_wall(self) -> "_Offset":
        """The wall clock less the monotonic one, from the quickest of a few looks at both."""
        looks = []
        for _ in range(_LOOKS):
            before = self._clock()
            wall = self._wall()
            after = self._clock()
            looks.append(_Offset(after - before, wall - (before + after) // 2, after))
        return min(looks)


class _Offset(NamedTuple):
    width_ns: int
    ns: int
    at_ns: int
