"""The kernel's PMU of the RAPL counters: what sysfs says of it, and how its events are opened.

Source: shared/counters.md §1.7; arch/x86/events/rapl.c and include/uapi/linux/perf_event.h.
"""

import ctypes
import errno
import os
import platform
import re
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.meter import MeterUnavailable, Status, Unusable
from bench.meters._cpu import Cpu
from bench.meters._rapl_zones import Identity, explain

DOMAINS = {
    "energy-pkg": "package",
    "energy-cores": "core",
    "energy-gpu": "uncore",
    "energy-ram": "dram",
    "energy-psys": "psys",
}
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")

_PMU = Path("bus", "event_source", "devices", "power")
_SYSCALLS = {"x86_64": 298, "aarch64": 241}
_FLAG_FD_CLOEXEC = 8
# struct perf_event_attr, version 0: type, size, config, sample_period, sample_type, read_format,
# flags, wakeup_events, bp_type, config1. Later kernels take the fields that follow for zeros.
_ATTR = struct.Struct("=IIQQQQQIIQ")
_COUNT = struct.Struct("=q")
_CPU_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_LARGEST_CPU = 65535  # Linux is built for 8192 at most
_CONFIG_BITS = 64
_NO_EVENT = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT}
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_ALLOW = (
    "sudo sysctl kernel.perf_event_paranoid=0, or"
    " sudo setcap cap_perfmon=ep $(readlink -f $(which python3)); the counters leak what other"
    " processes compute (PLATYPUS, CVE-2020-8694), so do so where you trust all users, and take it"
    " back afterwards"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the PMU: its name, the config that asks for it, and joules per count."""

    name: str
    config: int
    scale_j: float


@dataclass(frozen=True, slots=True)
class Pmu:
    """The PMU: the number of its type, the CPUs on which it counts, and its events."""

    type: int
    cpus: tuple[int, ...]
    events: tuple[Event, ...]


def read_pmu(root: Path, cpu: Cpu) -> tuple[Pmu, tuple[Unusable, ...]]:
    """The RAPL PMU below a sysfs root, and the events of it that cannot be used.

    Raises:
        MeterUnavailable: There is none, or what it says of itself makes no sense.
    """
    folder = root / _PMU
    if not (folder / "type").exists():
        raise _nothing_found(root, cpu)
    try:
        number = int(_text(folder / "type"))
        cpus = cpu_list(_text(folder / "cpumask"))
    except (OSError, ValueError) as error:
        reason = f"{folder} does not say what it is ({error})"
        raise MeterUnavailable(reason, "see dmesg for RAPL PMU", Status.ERROR) from error
    if not cpus:
        raise MeterUnavailable(f"{folder} counts on no CPU", "are all CPUs of a package offline?")
    events: list[Event] = []
    unusable: list[Unusable] = []
    names = sorted(path.name for path in (folder / "events").glob("energy-*"))
    for name in names:
        if "." in name:  # .unit, .scale and .snapshot belong to an event
            continue
        if name not in DOMAINS:
            reason = "an event of that name is not known"
            unusable.append(Unusable(name, Status.NOT_SUPPORTED, reason))
            continue
        try:
            events.append(_event(folder, name))
        except (OSError, ValueError) as error:
            reason = f"{folder}/events/{name} makes no sense ({error})"
            unusable.append(Unusable(name, Status.ERROR, reason, "see dmesg for RAPL PMU"))
    events.sort(key=lambda event: list(DOMAINS).index(event.name))
    return Pmu(number, cpus, tuple(events)), tuple(unusable)


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def _event(folder: Path, name: str) -> Event:
    unit = _text(folder / "events" / f"{name}.unit")
    if unit != "Joules":
        raise ValueError(f"found the unit {unit!r}, wanted Joules")
    scale_j = float(_text(folder / "events" / f"{name}.scale"))
    if not 0 < scale_j <= 1:
        raise ValueError(f"found {scale_j} J per count, wanted a part of one joule")
    field = re.fullmatch(r"event=(0x[0-9a-f]+)", _text(folder / "events" / name))
    bits = re.fullmatch(r"config:(\d+)(?:-\d+)?", _text(folder / "format" / "event"))
    if field is None or bits is None:
        raise ValueError("found another text than event=0x02 and config:0-7")
    number, shift = int(field[1], 16), int(bits[1])
    if shift >= _CONFIG_BITS or number >> (_CONFIG_BITS - shift):
        raise ValueError(f"found {field[0]} at bit {shift}, and a config has {_CONFIG_BITS} bits")
    return Event(name, number << shift, scale_j)


def cpu_list(text: str) -> tuple[int, ...]:
    """The CPUs of a kernel's list.

    >>> cpu_list("0,32-33")
    (0, 32, 33)

    Raises:
        ValueError: It is no such list.
    """
    cpus: list[int] = []
    for part in text.split(",") if text else []:
        found = _CPU_RANGE.fullmatch(part)
        if found is None:
            raise ValueError(f"found {text!r}, wanted a list of CPUs such as 0,32")
        last = int(found[2] or found[1])
        if last > _LARGEST_CPU:
            raise ValueError(f"found CPU {last}, and no kernel has more than {_LARGEST_CPU}")
        cpus += range(int(found[1]), last + 1)
    return tuple(cpus)


def sockets(root: Path, cpus: tuple[int, ...]) -> Mapping[int, str]:
    """The socket of each CPU as powercap names it: ``0``, or ``0.1`` where dies are apart.

    Raises:
        OSError, ValueError: The kernel does not say in which package a CPU is.
    """

    def topology(cpu: int, what: str) -> int:
        number = int(_text(root / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology" / what))
        if number < 0:
            raise ValueError(f"found {number} as {what} of CPU {cpu}, wanted a number of 0 or more")
        return number

    packages = {cpu: topology(cpu, "physical_package_id") for cpu in cpus}
    if len(set(packages.values())) == len(cpus):
        return {cpu: f"{package}" for cpu, package in packages.items()}
    return {cpu: f"{package}.{topology(cpu, 'die_id')}" for cpu, package in packages.items()}


def identity(event: Event, socket: str) -> Identity:
    """The channel id and the domain of an event on a socket, as powercap has them."""
    domain, package = DOMAINS[event.name], socket.partition(".")[0]
    if domain == "psys":
        return Identity("board/psys" if package == "0" else f"board/psys-{package}", domain)
    return Identity(f"cpu/{socket}/{domain}", domain)


def attributes(type_: int, config: int) -> bytes:
    """A ``struct perf_event_attr`` that counts one event: no samples, no filters.

    >>> attributes(1, 2)[:16].hex(" ", 4)
    '01000000 40000000 02000000 00000000'
    """
    return _ATTR.pack(type_, _ATTR.size, config, 0, 0, 0, 0, 0, 0, 0)


def perf_event_open(attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
    """A descriptor of an event, by the system call of that name.

    Raises:
        OSError: The kernel refuses it.
    """
    number = _SYSCALLS.get(platform.machine()) if sys.maxsize > 2**32 else None
    if number is None:
        reason = f"the system call's number is not known for {platform.machine()}"
        raise OSError(errno.ENOSYS, reason)
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    syscall.argtypes = [ctypes.c_long, ctypes.c_char_p, *[ctypes.c_int] * 3, ctypes.c_ulong]
    fd: int = syscall(number, attr, pid, cpu, group_fd, flags | _FLAG_FD_CLOEXEC)
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


def count(data: bytes) -> int:
    """The count that a read of an event gave.

    It is signed: the kernel adds differences of 32 bits with a sign, and the sum may go below 0.

    Raises:
        OSError: It gave nothing, for the event is no longer counted.
        ValueError: It gave something else.
    """
    if not data:
        raise OSError(errno.ENODEV, "the event is counted no longer")
    if len(data) != _COUNT.size:
        raise ValueError(f"found {len(data)} bytes, wanted a count of {_COUNT.size}")
    number: int = _COUNT.unpack(data)[0]
    return number


def explain_open(error: OSError, paranoid: Path) -> tuple[Status, str, str]:
    """Status, reason and fix of an event that cannot be opened."""
    if isinstance(error, PermissionError):
        try:
            level = _text(paranoid)
        except (OSError, ValueError):
            level = "unreadable"
        if level.lstrip("-").isdecimal() and int(level) <= 0:
            reason = (
                f"kernel.perf_event_paranoid is {level} and would allow it, but something else"
                " forbids it: a container's seccomp profile, or a security module"
            )
            fix = "run it outside the container, or start that with --cap-add PERFMON"
            return Status.PERMISSION, reason, fix
        reason = (
            f"{paranoid} says {level}, and events of a whole CPU need 0 or less, or CAP_PERFMON"
        )
        return Status.PERMISSION, reason, _ALLOW
    if error.errno in _NO_EVENT:
        reason = f"the kernel has no such event on this processor ({error.strerror})"
        return Status.NOT_SUPPORTED, reason, "nothing to do: use the channels that are left"
    if error.errno == errno.ENOSYS:
        reason = f"there is no perf_event_open here ({error.strerror})"
        return Status.UNAVAILABLE, reason, "a kernel with CONFIG_PERF_EVENTS has it; or powercap"
    if error.errno in _TOO_MANY:
        return Status.ERROR, f"too many files are open ({error.strerror})", "ulimit -n 4096"
    return explain(error)


def _nothing_found(root: Path, cpu: Cpu) -> MeterUnavailable:
    pmu = root / _PMU
    if not root.is_dir():
        return MeterUnavailable(
            f"there is no directory {root}", "set JOULES_SYSFS_ROOT to where sysfs is mounted"
        )
    if cpu.virtual:
        return MeterUnavailable(
            f"this is a virtual machine, and there is no {pmu}",
            "virtual machines do not pass RAPL through: measure on bare metal, or outside with a"
            " wall meter",
        )
    if not cpu.vendor:
        return MeterUnavailable(
            f"there is no {pmu}: RAPL is in processors of Intel and AMD only",
            "use a meter of this board, such as hwmon",
        )
    return MeterUnavailable(
        f"there is no {pmu}: the kernel offers no RAPL events",
        "sudo modprobe rapl (CONFIG_PERF_EVENTS_INTEL_RAPL; it serves AMD since Linux 5.8)",
    )
