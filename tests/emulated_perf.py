"""The kernel's RAPL PMU in virtual time: its sysfs, its system call, and how it keeps its counts.

What a read gives is made as arch/x86/events/rapl.c makes it: the difference of two looks at a
register of 32 bits, *with a sign*, times 2^(32 - ESU), added up; and a timer that looks by itself
as often as 200 W need it.
"""

import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulators import COUNTS, Count, Power, VirtualClock, steady

TYPE = 23
CODES = {"cores": 1, "pkg": 2, "ram": 3, "gpu": 4, "psys": 5}
SCALE = "2.3283064365386962890625e-10"

Domains = Mapping[str, float]
"""Power of each event of one package or die, W; by the end of the event's name."""


@dataclass
class Register:
    """An energy register, and the exponent of the unit that the kernel takes it for."""

    count: Count
    esu: int


@dataclass
class _Event:
    register: Register
    timer_ns: int
    previous: int
    total: int = 0
    timer_at: int = 0

    def look(self, now_ns: int) -> None:
        raw = self.register.count.at(now_ns)
        delta = (raw - self.previous) % COUNTS
        if delta >= COUNTS // 2:  # s64 delta = (new << 32) - (old << 32); delta >>= 32
            delta -= COUNTS
        self.total += delta << (32 - self.register.esu)
        self.previous = raw

    def at(self, now_ns: int) -> int:
        while self.timer_at <= now_ns:
            self.look(self.timer_at)
            self.timer_at += self.timer_ns
        self.look(now_ns)
        return self.total


@dataclass
class PerfMachine:
    """A sysfs tree with a power PMU, with the seams that `PerfMeter` takes.

    Args:
        root: Where its sysfs is made.
        packages: Events of each CPU of the PMU's mask.
        clock: What passes.
        esu: Exponent of the unit of all registers but those of *esus*.
        esus: Exponents by event.
        places: Package and die of each CPU of the mask; each its own package if None.
        open_faults: Errors by event, or by (event, cpu).
        read_faults: Errors or bytes by event, or by (event, cpu).
    """

    root: Path
    packages: Mapping[int, Domains]
    clock: VirtualClock = field(default_factory=VirtualClock)
    esu: int = 14
    esus: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[int, tuple[int, int]] | None = None
    open_faults: dict[str | tuple[str, int], OSError] = field(default_factory=dict)
    read_faults: dict[str | tuple[str, int], OSError | bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pmu = self.root / "bus" / "event_source" / "devices" / "power"
        self.registers: dict[tuple[str, int], Register] = {}
        self.asked: list[tuple[bytes, int, int, int, int]] = []
        self._events: dict[int, tuple[str, int, _Event]] = {}
        for cpu, domains in self.packages.items():
            for event, watts in domains.items():
                self.add(event, cpu, steady(watts))
        self.write(self.pmu / "type", f"{TYPE}\n")
        self.write(self.pmu / "cpumask", ",".join(map(str, self.packages)) + "\n")
        self.write(self.pmu / "format" / "event", "config:0-7\n")
        for event in {event for domains in self.packages.values() for event in domains}:
            name = self.pmu / "events" / f"energy-{event}"
            self.write(name, f"event=0x{CODES.get(event, 9):02x}\n")
            self.write(name.with_name(f"{name.name}.unit"), "Joules\n")
            self.write(name.with_name(f"{name.name}.scale"), f"{SCALE}\n")
        self.paranoid = self.write(self.root / "perf_event_paranoid", "2\n")
        for index, cpu in enumerate(self.packages):
            package, die = (index, 0) if self.places is None else self.places[cpu]
            topology = self.root / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology"
            self.write(topology / "physical_package_id", f"{package}\n")
            self.write(topology / "die_id", f"{die}\n")

    @staticmethod
    def write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def add(self, event: str, cpu: int, power: Power) -> Count:
        """The register of an event on a CPU, anew, driven by *power*."""
        esu = self.esus.get(event, self.esu)
        start = 1_000_000_000 + 77_000_000 * len(self.registers)
        count = Count(power, round(1e9 / 2**esu), start=start, true_unit_nj=1e9 / 2**esu)
        self.registers[event, cpu] = Register(count, esu)
        return count

    def perf_event_open(self, attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """As the kernel does it: what it does not offer is refused with its error."""
        self.asked.append((attr, pid, cpu, group_fd, flags))
        type_, size, config, period = struct.unpack_from("=IIQQ", attr)
        if size != len(attr) or size < 64:
            raise OSError(errno.E2BIG, "Argument list too long")
        if type_ != TYPE:
            raise OSError(errno.ENOENT, "No such file or directory")
        event = next((name for name, code in CODES.items() if code == config), "")
        fault = self.open_faults.get((event, cpu)) or self.open_faults.get(event)
        if fault is not None:
            raise fault
        known = (event, cpu) in self.registers
        if not known or pid != -1 or group_fd != -1 or period or any(attr[40:48]):
            raise OSError(errno.EINVAL, "Invalid argument")
        register = self.registers[event, cpu]
        now = self.clock.now_ns
        # 200 W need a look every 2^31 units; the kernel reckons with the unit of the package
        timer_ns = 5 * (1 << (32 - self.esu - 1)) * 1_000_000
        opened = _Event(register, timer_ns, register.count.at(now), timer_at=now + timer_ns)
        fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._events[fd] = (event, cpu, opened)
        return fd

    def read(self, fd: int, length: int) -> bytes:
        """The count of an event; to read it takes half a step of the clock."""
        self.clock.now_ns += self.clock.step_ns // 2
        event, cpu, opened = self._events[fd]
        fault = self.read_faults.get((event, cpu), self.read_faults.get(event))
        if isinstance(fault, OSError):
            raise fault
        if fault is not None:
            return fault
        if length < 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        return struct.pack("=Q", opened.at(self.clock.now_ns) % 2**64)
