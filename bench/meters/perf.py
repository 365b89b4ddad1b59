"""RAPL energy counters of the CPU through perf events: the second way to them, beside powercap.

The kernel reads the same registers, and keeps their sum for us from the moment of opening. Each
event counts all that a package uses, whoever uses it. Source: shared/counters.md §1.7.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.meter import Clock, Meter, Status, probe
from bench.meters._cpu import AMD_VENDORS, Cpu, this_cpu
from bench.meters._perf import (
    PARANOID,
    Event,
    Pmu,
    attributes,
    count,
    explain_open,
    identity,
    perf_event_open,
    read_pmu,
    sockets,
)
from bench.meters._rapl import COUNTS, Scale, describe, probe_s, scale, stands_still
from bench.meters._rapl_counters import Captured, RaplCounters
from bench.meters._rapl_zones import Identity, Zone, explain, find_zones
from bench.meters._rapl_zones import identity as zone_identity

PRECEDENCE = 20

_COUNT_BYTES = 8
_LARGEST_STEP_J = 1.0  # a unit is 2^-n J, and n is not negative
_SMALL_STEP_J = 2.0**-16
_MOST_TRUE_DRAM = 15.3e-6 / _SMALL_STEP_J
_DRAM_NOTE = (
    "the kernel counts this DRAM in steps of 2^-16 J, and the data sheets of older Intel servers"
    " say 15.3 µJ: the truth may be 0.27 % more"
)


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the RAPL events of this machine.

    Raises:
        MeterUnavailable: There are none, or none of them may be opened.
    """
    return PerfMeter(Path(environment.get("JOULES_SYSFS_ROOT") or "/sys"))


class _Counter:
    """One open event: what it is called, its descriptor, and the bits that were ever seen set."""

    def __init__(self, what: str, fd: int, event: Event, read: Callable[[int, int], bytes]) -> None:
        self._what, self.fd, self._scale_j = what, fd, event.scale_j
        self._read, self._seen = read, 0

    def __str__(self) -> str:
        return self._what

    def joules(self) -> float:
        raw = self._read(self.fd, _COUNT_BYTES)
        self._seen |= count(raw)
        return self.energy(raw)

    def energy(self, raw: bytes) -> float:
        return count(raw) * self._scale_j  # such as 2^-32 J per count

    @property
    def step_j(self) -> float:
        """The register's unit, J: counts are whole multiples of it, and it is a power of two.

        The lowest bit that was ever set is never below the unit, and above it only if each count
        that was seen is even: once in a million counters of which twenty changes were seen.
        """
        return min((self._seen & -self._seen) * self._scale_j, _LARGEST_STEP_J)


class PerfMeter(RaplCounters[_Counter]):
    """The energy events below one sysfs root, each open on a CPU of each package.

    Args:
        root: Where sysfs is.
        clock: Monotonic time in ns.
        perf_event_open: Opens an event, as the system call of that name does.
        read: Reads from a descriptor, as `os.read` does.
        cpu: The processor; this machine's if None.
        paranoid: The kernel's setting that says who may count.

    Raises:
        MeterUnavailable: There is no such PMU here, or none of its events can be read.
    """

    name = "perf"

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock = time.monotonic_ns,
        perf_event_open: Callable[[bytes, int, int, int, int], int] = perf_event_open,
        read: Callable[[int, int], bytes] = os.read,
        cpu: Cpu | None = None,
        paranoid: Path = PARANOID,
    ) -> None:
        self._cpu = this_cpu() if cpu is None else cpu
        pmu, unusable = read_pmu(root, self._cpu)
        super().__init__(clock, unusable)
        self._perf_event_open, self._read = perf_event_open, read
        self._paranoid = paranoid
        self._zones: dict[str, Zone] = {}
        for zone in find_zones(root / "class" / "powercap")[0]:
            if what := zone_identity(zone):  # its power limits may be read where energy may not
                self._zones.setdefault(what.channel, zone)
        if not pmu.events:
            self._refuse("power", Status.UNAVAILABLE, "the PMU has no energy event")
        self._open_all(lambda: self._take_all(root, pmu))

    def capture(self) -> Captured:
        """The bytes of each counter between two looks at the clock: what runs next to a window."""
        clock, read = self._clock, self._read
        captured: Captured = ()
        for fd in self._fds:
            t0 = clock()
            try:
                data: bytes | OSError = read(fd, _COUNT_BYTES)
            except OSError as error:
                data = error
            captured += (t0, data, clock())
        return captured

    def _take_all(self, root: Path, pmu: Pmu) -> None:
        try:
            socket_of = sockets(root, pmu.cpus)
        except (OSError, ValueError) as error:
            reason = f"the kernel does not say which socket a CPU is in ({error})"
            self._refuse("power", Status.ERROR, reason, "is all of /sys/devices/system/cpu there?")
            return
        taken: dict[str, str] = {}
        for cpu, socket in socket_of.items():
            package = socket.partition(".")[0]
            for event in pmu.events:
                what, where = identity(event, socket), f"{event.name} on CPU {cpu}"
                key = what.channel
                if self._cpu.vendor in AMD_VENDORS:
                    key = f"cpu/{package}/{what.domain}"  # AMD counts whole packages, not dies
                if what.domain == "core" and self._cpu.vendor in AMD_VENDORS:
                    reason = "AMD's core counter counts one core of the package, not their sum"
                    self._refuse(where, Status.NOT_SUPPORTED, reason, "use the package")
                elif key in taken:
                    reason = (
                        f"it counts the energy of {taken[key]} once more; a sum would double it"
                    )
                    self._refuse(where, Status.NOT_SUPPORTED, reason, "nothing to do")
                else:
                    taken[key] = where
                    self._prove(where, pmu.type, event, cpu, what)

    def _prove(self, where: str, type_: int, event: Event, cpu: int, what: Identity) -> None:
        """Keeps a counter that moves while it is watched, and closes one that does not."""
        try:
            fd = self._perf_event_open(attributes(type_, event.config), -1, cpu, -1, 0)
        except OSError as error:
            self._unread.add(what.channel)
            self._refuse(where, *explain_open(error, self._paranoid))
            return
        counter = _Counter(where, fd, event, self._read)
        longest_s = probe_s(scale(None, what.domain), self._cpu)
        try:
            seen = probe(counter.joules, longest_s=longest_s, clock=self._clock)
            if seen is None:
                self._refuse(where, *stands_still(counter.joules(), longest_s))
        except (OSError, ValueError) as error:
            self._refuse(where, *explain(error))
            seen = None
        if seen is None:
            self._unread.add(what.channel)
            os.close(fd)
            return
        channel = describe(
            self._zones.get(what.channel),
            what,
            _number_model(counter.step_j, what.domain, self._cpu),
            seen=seen,
            origin=f"perf:{event.name}:cpu{cpu}",
            cpu=self._cpu,
        )
        # The kernel takes differences of its reads for signed, and its own timer reads too rarely
        # for more than 200 W: half a turn of the register must not pass between two reads.
        poll_s = COUNTS * counter.step_j / (4 * channel.p_max_w)
        note = _DRAM_NOTE if channel.range[1] == _MOST_TRUE_DRAM else channel.note
        self._open.append((replace(channel, poll_s=poll_s, note=note), counter))


def _number_model(step_j: float, domain: str, cpu: Cpu) -> Scale:
    """The number model of a register with a step of *step_j*.

    What the kernel counts differs from the energy by whole turns of the register at most, so the
    modulus is that of the register. The step is exact, save that of the DRAM of older Intel
    servers: the kernel takes it for 2^-16 J, and powercap, like the data sheets, for 15.3 µJ.
    """
    fixed = domain == "dram" and step_j == _SMALL_STEP_J and cpu.vendor not in AMD_VENDORS
    return Scale(step_j, COUNTS * step_j, None, _MOST_TRUE_DRAM if fixed else 1.0)
