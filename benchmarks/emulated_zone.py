"""One RAPL zone where there is none: a file in memory where every tool looks for it."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ZONE = Path("/sys/class/powercap/intel-rapl/intel-rapl:0")
FIRST_UJ = 123456789012
MOST_UJ = 262143328850
_INSIDE = "JOULES_EMULATED_ZONE"


def is_emulated() -> bool:
    """Whether this process sees the emulated zone."""
    return _INSIDE in os.environ


def ensure() -> None:
    """Sees to it that there is a zone: this machine's own, or one in a namespace of our own.

    In the second case the program starts anew, with the same arguments.
    """
    if is_emulated():
        _build()
    elif not ZONE.exists():
        _enter_namespace()


def origin() -> str:
    """Where the zone comes from, in words for a page."""
    return "emulated: a file in memory" if is_emulated() else "this machine's own"


@contextlib.contextmanager
def ticking(energy: Path) -> Iterator[None]:
    """Lets an emulated counter move while a meter opens it."""
    script = (
        "import os, sys, time\n"
        "fd, value = os.open(sys.argv[1], os.O_WRONLY), int(sys.argv[2])\n"
        "while True:\n"
        "    value += 61035\n"
        "    os.pwrite(fd, b'%d\\n' % value, 0)\n"
        "    time.sleep(0.001)\n"
    )
    arguments = [sys.executable, "-c", script, str(energy), str(FIRST_UJ)]
    process = subprocess.Popen(arguments)  # noqa: S603
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _build() -> None:
    """One zone, as the kernel lays it out, on a tmpfs over /sys/class of our own namespace."""
    mount = shutil.which("mount") or "mount"
    subprocess.run([mount, "-t", "tmpfs", "none", "/sys/class"], check=True)  # noqa: S603
    ZONE.mkdir(parents=True)
    (ZONE.parent.parent / "intel-rapl:0").symlink_to("intel-rapl/intel-rapl:0")
    files = {"name": "package-0", "energy_uj": FIRST_UJ, "max_energy_range_uj": MOST_UJ}
    for name, text in files.items():
        (ZONE / name).write_text(f"{text}\n")


def _enter_namespace() -> None:
    """Starts this program anew where /sys/class is its own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        sys.exit("there is no RAPL here, and no unshare to emulate it: install util-linux")
    environment = {**os.environ, _INSIDE: "1"}
    arguments = [unshare, "-Urm", sys.executable, *sys.argv]
    os.execve(unshare, arguments, environment)  # noqa: S606 - the arguments are ours
