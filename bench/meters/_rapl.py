"""What the RAPL meters share: zones and their names, units, limits and errors.

The kernel's powercap class is a flat directory of links, one per zone and sub-zone; the only
reliable identity of a zone is the text of its ``name`` file. Source: shared/counters.md §1.
"""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.meter import Channel, Probe, Status, Unusable
from bench.meters._cpu import AMD_VENDORS, Cpu
from bench.quantities import Kind

COUNTS = 2**32  # every RAPL energy register counts in 32 bits
BOUNDARIES = {
    "package": "cpu-package",
    "dram": "dram",
    "core": "cpu-core",
    "uncore": "cpu-uncore",
    "psys": "platform",
}
# Powers that no domain exceeds, W: (where no limit is readable, least that is believed).
# The largest sockets are sold with 500 W; two terabytes of DRAM draw below 200 W; a platform
# counter covers two sockets. A limit may be lowered by the user while peaks stay: hence the floor.
_P_MAX_W = {
    "package": (750.0, 100.0),
    "core": (750.0, 100.0),
    "uncore": (300.0, 100.0),
    "dram": (200.0, 50.0),
    "psys": (2000.0, 200.0),
}
_LIMIT_MARGIN = 1.5  # a power limit holds over its time window, and is exceeded within it
_PLAUSIBLE_LIMIT_W = (1.0, 2000.0)  # unlocked parts say 4095 W, absent ones 0 W
_UNKNOWN_STEP_J = 1e-3  # larger than every unit in the field but that of psys
_QEMU_INTERVAL_S = 0.5  # hardware refreshes every 1 ms, QEMU's emulation every 1 s
_PROBE_S, _VIRTUAL_PROBE_S = 0.25, 4.5  # both show several intervals
_COARSE_J, _COARSE_PROBE_S = 0.1, 2.0  # a psys in steps of 1 J moves a few times a second
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


class Scale(NamedTuple):
    """The number model of one counter.

    Args:
        resolution_j: Smallest visible step, J.
        wrap_j: Modulus, J; None if the driver does not tell it.
        most_uj: Largest value that the counter shows, µJ; None if the driver does not tell it.
    """

    resolution_j: float
    wrap_j: float | None
    most_uj: int | None


def scale(most_uj: int | None, domain: str) -> Scale:
    """The number model that follows from ``max_energy_range_uj``.

    The driver prints ``floor(count · unit / 1000)`` µJ with a unit in whole nJ. The modulus is
    2^32 units, which is the largest value *plus one step*. Kernels that kept a fraction of a nJ
    fit no whole unit; for them the step is the largest value divided by 2^32 - 1.
    Broken old systems say 0: then there is no modulus, and a decrease is a reset.

    >>> scale(262143328850, "package").wrap_j
    262143.32891136
    """
    if not most_uj:
        return Scale(1.0 if domain == "psys" else _UNKNOWN_STEP_J, None, None)
    unit_nj = -(-most_uj * 1000 // (COUNTS - 1))
    exact = (COUNTS - 1) * unit_nj // 1000 == most_uj
    step_j = unit_nj / 1e9 if exact else most_uj / (COUNTS - 1) / 1e6
    # The text is cut to whole µJ, which adds up to one µJ to what a difference may be off.
    return Scale(step_j + 1e-6, COUNTS * step_j, most_uj)


def energy_j(text: bytes, most_uj: int | None) -> float:
    """Joules of an ``energy_uj`` text.

    Raises:
        ValueError: It is empty, cut short, no number, or larger than the counter can show.
    """
    if not re.fullmatch(rb"[0-9]+\n", text):
        found = "nothing" if not text else ascii(text.decode("latin-1"))
        raise ValueError(f"found {found}, wanted a line with a number of µJ")
    value_uj = int(text)
    if most_uj is not None and value_uj > most_uj:
        raise ValueError(f"found {value_uj} µJ, more than the counter can show ({most_uj} µJ)")
    return value_uj / 1e6  # powercap counts µJ


def read_number(path: Path) -> int | None:
    """The whole number in a sysfs file, or None where it is absent, unreadable or no number."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def p_max_w(zone: Path, domain: str) -> float:
    """Power that the domain cannot exceed, W: from its power limits, or the largest known."""
    default, least = _P_MAX_W[domain]
    low, high = _PLAUSIBLE_LIMIT_W
    found: dict[str, list[float]] = {"power_limit_uw": [], "max_power_uw": []}
    for constraint in range(3):  # long_term, short_term, peak_power
        for what, limits in found.items():
            number = read_number(zone / f"constraint_{constraint}_{what}")
            if number is not None:
                limits.append(number / 1e6)
    if any(limit > high for limit in found["power_limit_uw"]):
        return default  # the limit is switched off: the part may draw more than its nominal power
    plausible = [limit for limits in found.values() for limit in limits if low <= limit <= high]
    return max(least, _LIMIT_MARGIN * max(plausible)) if plausible else default


def describe(
    zone: Zone, what: Identity, number_model: Scale, *, seen: Probe, origin: str, cpu: Cpu
) -> Channel:
    """The channel of a counter that was seen to move.

    Args:
        zone: Where its power limits are read.
        what: Its channel id and domain.
        number_model: Its step and its modulus.
        seen: What probing it showed.
        origin: Where it is read, such as ``powercap:intel-rapl:0``.
        cpu: The processor, which decides what its joules are worth.
    """
    kind, factors, note = Kind.MEASURED, (1.0, 1.0), ""
    if cpu.virtual and seen.update_interval_s >= _QEMU_INTERVAL_S:
        kind, factors = Kind.ESTIMATED, (0.5, 2.0)
        note = (
            "a hypervisor's share of the host's energy by CPU time (QEMU RAPL), updated every"
            f" {seen.update_interval_s:.2g} s; the truth may lie between 0.5 and 2 times this"
        )
    elif cpu.virtual:
        note = "read in a virtual machine: the host's counter, with the other guests in it"
    elif cpu.vendor in AMD_VENDORS:
        note = "AMD derives this counter from an activity model inside the processor"
    return Channel(
        id=what.channel,
        domain=what.domain,
        kind=kind,
        boundary=BOUNDARIES[what.domain],
        resolution=number_model.resolution_j,
        update_interval_s=seen.update_interval_s,
        wrap=number_model.wrap_j,
        p_max_w=p_max_w(zone.path, what.domain),
        origin=origin,
        range=factors,
        note=note,
    )


def probe_s(number_model: Scale, cpu: Cpu) -> float:
    """How long a counter is watched at most before it counts as standing still, s."""
    if cpu.virtual:
        return _VIRTUAL_PROBE_S
    return _COARSE_PROBE_S if number_model.resolution_j >= _COARSE_J else _PROBE_S


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
