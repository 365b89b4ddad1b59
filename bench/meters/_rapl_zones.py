"""RAPL zones of the kernel's powercap class: their names, what they count, why one is not read.

The class is a flat directory of links, one per zone and sub-zone; the only reliable identity of a
zone is the text of its ``name`` file. Source: shared/counters.md §1.
"""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.meter import Status, Unusable

BOUNDARIES = {
    "package": "cpu-package",
    "dram": "dram",
    "core": "cpu-core",
    "uncore": "cpu-uncore",
    "psys": "platform",
}

_ZONE = re.compile(r"(intel-rapl|intel-rapl-mmio)((?::[0-9a-f]+)+)")  # the index is hexadecimal

_PACKAGE = re.compile(r"package-(\d+)(?:-die-(\d+))?")

_PSYS = re.compile(r"psys(-\d+)?")

_LOST = {errno.ENODEV, errno.ENOENT}

PERMISSION_FIX = (
    "let one group of trusted users read it (the counters leak what other processes compute:"
    " PLATYPUS, CVE-2020-8694; so never chmod 777 or a+r):"
    ' sudo groupadd -f rapl && sudo usermod -aG rapl "$USER" &&'
    ' echo \'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*:*", ACTION=="add|change",'
    ' RUN+="/bin/chgrp rapl /sys%p/energy_uj", RUN+="/bin/chmod 0440 /sys%p/energy_uj"\''
    " | sudo tee /etc/udev/rules.d/90-rapl.rules && sudo udevadm control --reload &&"
    " sudo udevadm trigger --subsystem-match=powercap; then log in again"
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A directory of the powercap class.

    Args:
        path: Where it is.
        name: Text of its ``name`` file, such as ``package-0``.
        parent: Name of the zone that it is nested in, or an empty string.
    """

    path: Path
    name: str
    parent: str

    @property
    def route(self) -> str:
        """How the driver reads it: ``intel-rapl`` through MSRs, ``intel-rapl-mmio`` in memory."""
        return self.path.name.partition(":")[0]

    def __str__(self) -> str:
        inside = f"{self.parent}/" if self.parent else ""
        return f"{self.path.name} ({inside}{self.name})"


class Identity(NamedTuple):
    """What a zone counts."""

    channel: str
    domain: str


def identity(zone: Zone) -> Identity | None:
    """The channel id and the domain that a zone's name stands for, or None if it is unknown.

    >>> identity(Zone(Path("intel-rapl:0:2"), "dram", "package-0"))
    Identity(channel='cpu/0/dram', domain='dram')
    >>> identity(Zone(Path("intel-rapl:1"), "package-0-die-1", "")).channel
    'cpu/0.1/package'
    """
    if not zone.parent and _PSYS.fullmatch(zone.name):
        return Identity(f"board/{zone.name}", "psys")
    package = _PACKAGE.fullmatch(zone.parent or zone.name)
    domain = zone.name if zone.parent else "package"
    if package is None or domain not in BOUNDARIES or domain == "psys":
        return None
    socket = ".".join(part for part in package.groups() if part is not None)
    return Identity(f"cpu/{socket}/{domain}", domain)


def find_zones(powercap: Path) -> tuple[tuple[Zone, ...], tuple[Unusable, ...]]:
    """The RAPL zones below a powercap class directory, MSR before MMIO, and the unreadable ones.

    A zone is listed once although the class shows it as a link and inside its parent.
    """
    paths: dict[str, Path] = {}
    for pattern in ("intel-rapl*", "intel-rapl*/intel-rapl*", "intel-rapl*/*/intel-rapl*"):
        for path in powercap.glob(pattern):
            if _ZONE.fullmatch(path.name):
                paths.setdefault(os.path.realpath(path), path)
    zones: list[Zone] = []
    unusable: list[Unusable] = []
    names: dict[str, str] = {}
    for path in sorted(paths.values(), key=_place):
        try:
            name = (path / "name").read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            unusable.append(Unusable(path.name, *explain(error)))
            continue
        names[path.name] = name
        zones.append(Zone(path, name, names.get(path.name.rpartition(":")[0], "")))
    return tuple(zones), tuple(unusable)


def _place(path: Path) -> tuple[bool, list[int]]:
    route, *indices = path.name.split(":")
    return route != "intel-rapl", [int(index, 16) for index in indices]


def read_number(path: Path) -> int | None:
    """The whole number in a sysfs file, or None where it is absent, unreadable or no number."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def explain(error: OSError | ValueError) -> tuple[Status, str, str]:
    """Status, reason and fix of a failed read.

    The driver turns a failed register access into EINVAL; EIO and ENODATA are taken alike.
    """
    if isinstance(error, PermissionError):
        return Status.PERMISSION, "its energy counter may be read by root only", PERMISSION_FIX
    if isinstance(error, OSError) and error.errno in _LOST:
        reason = f"the zone is gone or hidden ({error.strerror})"
        return Status.LOST, reason, "was the module unloaded, the CPU offlined, or /sys masked?"
    if isinstance(error, OSError):
        reason = f"the driver could not read the counter ({error.strerror})"
        return Status.ERROR, reason, "see dmesg for intel_rapl messages"
    return Status.ERROR, str(error), ""
