"""The memory of this process: what it holds now, what it held at most, what is left of the host's.

Files of the kernel only; None where there are none to read, as on macOS.
"""

import contextlib
import re
from pathlib import Path

_SELF = Path("/proc/self")
_MEMINFO = Path("/proc/meminfo")


def reset_peak(folder: Path = _SELF) -> None:
    """Lets the kernel forget the largest resident size so far (proc(5), ``clear_refs``)."""
    with contextlib.suppress(OSError):
        (folder / "clear_refs").write_text("5", encoding="ascii")


def resident_bytes(folder: Path = _SELF) -> int | None:
    """Bytes that are resident now: ``VmRSS``."""
    return _field(folder / "status", "VmRSS")


def peak_bytes(folder: Path = _SELF) -> int | None:
    """Most bytes that were resident since the last reset: ``VmHWM``."""
    return _field(folder / "status", "VmHWM")


def available_bytes(path: Path = _MEMINFO) -> int | None:
    """Bytes that new work can have without swapping, as the kernel estimates: ``MemAvailable``."""
    return _field(path, "MemAvailable")


def _field(path: Path, name: str) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else None
