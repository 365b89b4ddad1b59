"""RAPL energy counters of the CPU through the kernel's powercap class.

Set ``JOULES_SYSFS_ROOT`` where the host's ``/sys`` is mounted elsewhere, as in a container.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable, probe
from bench.meters._cpu import AMD_VENDORS, Cpu, this_cpu
from bench.meters._rapl import (
    Identity,
    Scale,
    Zone,
    describe,
    energy_j,
    explain,
    find_zones,
    identity,
    probe_s,
    read_number,
    scale,
)

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
    what: Identity
    fd: int
    pread: Callable[[int, int, int], bytes]
    scale: Scale

    def joules(self) -> float:
        return energy_j(self.pread(self.fd, _TEXT_BYTES, 0), self.scale.most_uj)


class PowercapMeter:
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
        self._clock, self._opener, self._pread = clock, opener, pread
        self._cpu = this_cpu() if cpu is None else cpu
        self._open: list[tuple[Channel, _Counter]] = []
        self._gaps: set[str] = set()
        zones, unreadable = find_zones(root / "class" / "powercap")
        self._unusable = list(unreadable)
        if not zones and all(found.status is Status.LOST for found in unreadable):
            raise _nothing_found(root, self._cpu, hidden=bool(unreadable))
        taken: dict[str, Zone] = {}
        for zone in zones:
            self._take(zone, taken)
        self._leave_out_mirrors()
        if not self._open:
            first = self._unusable[0]
            for found in self._unusable:
                if found.status is Status.PERMISSION:
                    first = found
                    break
            raise MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)
        self._channels = tuple(self._name_gaps())

    def _name_gaps(self) -> Iterator[Channel]:
        """The channels; where a socket of their domain cannot be read, they say which they are.

        A sum over one of two sockets is right for that socket, and must not pass for the machine.
        """
        for channel, _ in self._open:
            if channel.domain in self._gaps:
                socket = channel.id.rpartition("/")[0]
                yield replace(channel, boundary=f"{channel.boundary} of {socket} only")
            else:
                yield channel

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The counters that moved when they were watched."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Zones that cannot be read, stand still, or count what another one counts."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each counter; one that fails has a reason, and the others go on."""
        return tuple(self._reading(channel.id, counter) for channel, counter in self._open)

    def close(self) -> None:
        """Closes the descriptors."""
        while self._open:
            os.close(self._open.pop()[1].fd)

    def _reading(self, channel: str, counter: _Counter) -> Reading:
        t0 = self._clock()
        try:
            joules = counter.joules()
        except (OSError, ValueError) as error:
            status, reason, fix = explain(error)
            reason = f"{counter.zone}: {reason}; {fix}" if fix else f"{counter.zone}: {reason}"
            return Reading(channel, t0, self._clock(), None, status, reason)
        return Reading(channel, t0, self._clock(), joules)

    def _refuse(self, zone: Zone, status: Status, reason: str, fix: str = "") -> None:
        self._unusable.append(Unusable(str(zone), status, reason, fix))

    def _take(self, zone: Zone, taken: dict[str, Zone]) -> None:
        """Opens one zone, or says why not."""
        what = identity(zone)
        if what is None:
            reason = f"a domain of the name {zone.name!r} is not known"
            self._refuse(zone, Status.NOT_SUPPORTED, reason)
        elif what.channel in taken:
            reason = f"a second route to {what.channel}, which {taken[what.channel]} counts already"
            self._refuse(zone, Status.NOT_SUPPORTED, reason, "nothing to do: it is counted once")
        elif what.domain == "core" and self._cpu.vendor in AMD_VENDORS:
            reason = "AMD's core zone counts one core of the package, not their sum"
            self._refuse(zone, Status.NOT_SUPPORTED, reason, "use the package")
        else:
            taken[what.channel] = zone
            self._prove(zone, what)

    def _prove(self, zone: Zone, what: Identity) -> None:
        """Keeps a counter that moves while it is watched, and closes one that does not."""
        number_model = scale(read_number(zone.path / "max_energy_range_uj"), what.domain)
        try:
            fd = self._opener(str(zone.path / "energy_uj"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._gaps.add(what.domain)
            self._refuse(zone, *explain(error))
            return
        counter = _Counter(zone, what, fd, self._pread, number_model)
        longest_s = probe_s(number_model, self._cpu)
        try:
            seen = probe(counter.joules, longest_s=longest_s, clock=self._clock)
        except (OSError, ValueError) as error:
            self._gaps.add(what.domain)
            self._refuse(zone, *explain(error))
        else:
            if seen is not None:
                channel = describe(
                    zone,
                    what,
                    number_model,
                    seen=seen,
                    origin=f"powercap:{zone.path.name}",
                    cpu=self._cpu,
                )
                self._open.append((channel, counter))
                return
            reason = f"its counter stood still for {longest_s:g} s while it was watched"
            self._refuse(zone, Status.STALE, reason, "nothing to do: this part does not feed it")
        os.close(fd)

    def _leave_out_mirrors(self) -> None:
        """Keeps one of several dies that show the same counter of their package.

        Kernels before AMD became package scope show a zone per die and the socket's counter in
        each (codecarbon #1274, #1276, #1379); Intel's dies have counters of their own.
        """
        dies: dict[str, list[tuple[str, _Counter]]] = {}
        for channel, counter in self._open:
            socket, dot, _ = channel.id.partition(".")
            if dot and channel.domain == "package":
                dies.setdefault(socket, []).append((channel.id, counter))
        for members in dies.values():
            try:
                watched = self._watch([counter for _, counter in members])
            except (OSError, ValueError) as error:  # then mirrors cannot be told from dies
                for name, counter in members:
                    self._refuse(counter.zone, *explain(error))
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
