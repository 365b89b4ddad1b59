"""RAPL energy counters of the CPU through the kernel's powercap class.

Set ``JOULES_SYSFS_ROOT`` where the host's ``/sys`` is mounted elsewhere, as in a container.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.meter import Clock, Meter, MeterUnavailable, Status, probe
from bench.meters._cpu import AMD_VENDORS, Cpu, this_cpu
from bench.meters._rapl import Scale, describe, energy_j, probe_s, scale, stands_still
from bench.meters._rapl_counters import Captured, RaplCounters
from bench.meters._rapl_zones import (
    BOUNDARIES,
    Identity,
    Zone,
    explain,
    find_zones,
    identity,
    read_number,
)

PRECEDENCE = 10

_TEXT_BYTES = 64  # the longest number has 20 digits
_MIRROR_J, _MIRROR_SHARE, _MIRROR_RISE = 1.0, 1e-6, 0.1


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the RAPL counters of this machine.

    Raises:
        MeterUnavailable: None of them can be read.
    """
    return PowercapMeter(Path(environment.get("JOULES_SYSFS_ROOT") or "/sys"))


@dataclass(frozen=True, slots=True)
class _Counter:
    zone: Zone
    fd: int
    pread: Callable[[int, int, int], bytes]
    scale: Scale

    def __str__(self) -> str:
        return str(self.zone)

    def joules(self) -> float:
        return self.energy(self.pread(self.fd, _TEXT_BYTES, 0))

    def energy(self, raw: bytes) -> float:
        return energy_j(raw, self.scale.most_uj)


class PowercapMeter(RaplCounters[_Counter]):
    """The energy counters below one sysfs root, each kept open and proved by watching it move.

    Args:
        root: Where sysfs is.
        clock: Monotonic time in ns.
        opener: Opens a path for reading, as `os.open` does.
        pread: Reads from a descriptor at an offset, as `os.pread` does.
        cpu: The processor; this machine's if None.

    Raises:
        MeterUnavailable: No zone exists here, or none of them can be read.
    """

    name = "powercap"

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock = time.monotonic_ns,
        opener: Callable[[str, int], int] = os.open,
        pread: Callable[[int, int, int], bytes] = os.pread,
        cpu: Cpu | None = None,
    ) -> None:
        zones, unreadable = find_zones(root / "class" / "powercap")
        super().__init__(clock, unreadable)
        self._opener, self._pread = opener, pread
        self._cpu = this_cpu() if cpu is None else cpu
        if any(not found.what.startswith("intel-rapl-mmio") for found in unreadable):
            self._unread = {f"cpu/?/{domain}" for domain in BOUNDARIES}  # nobody knows which
        if not zones and all(found.status is Status.LOST for found in unreadable):
            raise _nothing_found(root, self._cpu, hidden=bool(unreadable))
        self._open_all(lambda: self._take_all(zones))

    def capture(self) -> Captured:
        """The text of each counter between two looks at the clock: what runs next to a window.

        What it costs beside those calls alone: reports/read-cost.md. So it is as it is.
        """
        clock, pread = self._clock, self._pread
        captured: Captured = ()
        for fd in self._fds:
            t0 = clock()
            try:
                text: bytes | OSError = pread(fd, _TEXT_BYTES, 0)
            except OSError as error:
                text = error
            captured += (t0, text, clock())
        return captured

    def _take_all(self, zones: Iterable[Zone]) -> None:
        for zone in zones:
            self._take(zone)
        self._leave_out_mirrors()

    def _take(self, zone: Zone) -> None:
        """Opens one zone, or says why not."""
        what = identity(zone)
        if what is None:
            reason = f"a domain of the name {zone.name!r} is not known"
            self._refuse(zone, Status.NOT_SUPPORTED, reason)
            return
        first = [counter.zone for channel, counter in self._open if channel.id == what.channel]
        if what.domain == "core" and self._cpu.vendor in AMD_VENDORS:
            reason = "AMD's core zone counts one core of the package, not their sum"
            self._refuse(zone, Status.NOT_SUPPORTED, reason, "use the package")
        elif first and zone.route == first[0].route:
            reason = f"a second zone of {what.channel}, which {first[0]} counts already"
            self._refuse(zone, Status.NOT_SUPPORTED, reason, "nothing to do: it is counted once")
        elif first:  # what follows # is another route to the same energy, which no sum takes
            self._prove(zone, what._replace(channel=f"{what.channel}#mmio"))
        elif not self._prove(zone, what):
            self._unread.add(what.channel)

    def _prove(self, zone: Zone, what: Identity) -> bool:
        """Keeps a counter that moves while it is watched, and closes one that does not."""
        number_model = scale(read_number(zone.path / "max_energy_range_uj"), what.domain)
        try:
            fd = self._opener(str(zone.path / "energy_uj"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._refuse(zone, *explain(error))
            return False
        counter = _Counter(zone, fd, self._pread, number_model)
        longest_s = probe_s(number_model, self._cpu)
        try:
            seen = probe(counter.joules, longest_s=longest_s, clock=self._clock)
            if seen is None:
                self._refuse(zone, *stands_still(counter.joules(), longest_s))
        except (OSError, ValueError) as error:
            self._refuse(zone, *explain(error))
            seen = None
        if seen is None:
            os.close(fd)
            return False
        origin = f"powercap:{zone.path.name}"
        channel = describe(zone, what, number_model, seen=seen, origin=origin, cpu=self._cpu)
        self._open.append((channel, counter))
        return True

    def _leave_out_mirrors(self) -> None:
        """Keeps one of several dies that show the same counter of their package.

        Kernels before AMD became package scope show a zone per die and the socket's counter in
        each (codecarbon #1274, #1276, #1379); Intel's dies have counters of their own.
        """
        dies: dict[str, list[tuple[str, _Counter]]] = {}
        for channel, counter in self._open:
            socket, dot, die = channel.id.partition(".")
            if dot and die.endswith("/package"):  # and not another route to it
                dies.setdefault(socket, []).append((channel.id, counter))
        for members in dies.values():
            try:
                watched = self._watch([counter for _, counter in members])
            except (OSError, ValueError) as error:  # then mirrors cannot be told from dies
                for name, counter in members:
                    self._refuse(counter.zone, *explain(error))
                    self._unread.add(name)
                    self._drop(name)
                continue
            for index, (name, counter) in enumerate(members):
                if any(_mirrors(watched[index], other) for other in watched[:index]):
                    reason = "it mirrors another die's counter; a sum would count it twice"
                    self._refuse(counter.zone, Status.NOT_SUPPORTED, reason, "nothing to do")
                    self._drop(name)

    def _watch(self, dies: list[_Counter]) -> list[tuple[float, float]]:
        """Value at first and rise of each die over one common time, J."""
        before = [counter.joules() for counter in dies]
        probe(dies[0].joules, longest_s=probe_s(dies[0].scale, self._cpu), clock=self._clock)
        after = [counter.joules() for counter in dies]
        return [(old, new - old) for old, new in zip(before, after, strict=True)]

    def _drop(self, package: str) -> None:
        """Closes a package's counter and those of the zones nested in it."""
        device = package.rpartition("/")[0] + "/"
        for channel, counter in self._open[:]:
            if channel.id.startswith(device):
                self._open.remove((channel, counter))
                os.close(counter.fd)


def _mirrors(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two dies, each as (value, rise) in J, show the same counter.

    Counters at rest are no evidence. The reads follow each other, so equal is within a step.
    """
    (value, rise), (other_value, other_rise) = one, other
    same = abs(value - other_value) <= max(_MIRROR_J, _MIRROR_SHARE * max(value, other_value))
    largest = max(abs(rise), abs(other_rise))
    return same and largest > 0 and abs(rise - other_rise) <= _MIRROR_RISE * largest


def _nothing_found(root: Path, cpu: Cpu, *, hidden: bool) -> MeterUnavailable:
    powercap, devices = root / "class" / "powercap", root / "devices" / "virtual" / "powercap"
    if not root.is_dir():
        return MeterUnavailable(
            f"there is no directory {root}", "set JOULES_SYSFS_ROOT to where sysfs is mounted"
        )
    if hidden or (devices.is_dir() and not any(devices.iterdir())):
        return MeterUnavailable(
            f"{powercap} lists RAPL zones, but {devices} is empty: a container hides them",
            "start it with -v /sys/devices/virtual/powercap:/host/devices/virtual/powercap:ro"
            " -v /sys/class/powercap:/host/class/powercap:ro -e JOULES_SYSFS_ROOT=/host",
        )
    if cpu.virtual:
        return MeterUnavailable(
            f"this is a virtual machine, and {powercap} has no RAPL zone",
            "virtual machines do not pass RAPL through: measure on bare metal, or outside with a"
            " wall meter",
        )
    return MeterUnavailable(
        f"{powercap} has no RAPL zone",
        "sudo modprobe intel_rapl_msr (it serves AMD too; Ubuntu's cloud kernels need"
        " linux-modules-extra); other processors have no RAPL",
    )
