"""Power and energy sensors of the kernel's hwmon class.

Rails of NVIDIA Jetson, ACPI power meters with Grace and Grace Hopper, GPUs of AMD and Intel,
AMD's energy driver, and bare sensors. ``JOULES_HWMON`` says what a bare sensor contains:
``--meters hwmon:ina226/power1=board/dc``. Set ``JOULES_SYSFS_ROOT`` where the host's ``/sys`` is
mounted elsewhere, as in a container.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.meters._hwmon_acpi import acpi_meters
from bench.meters._hwmon_device import Device, PRead, explain, find_devices, slug
from bench.meters._hwmon_gpu import gpu_sensors
from bench.meters._hwmon_other import cpu_counters, other_sensors, placed, wanted_places
from bench.meters._hwmon_proof import prove
from bench.meters._hwmon_sensor import Sensor
from bench.meters._hwmon_source import Source
from bench.meters._jetson import rails

PRECEDENCE = 30

_OPENING_S = 20.0  # less than a meter may take to open, with a machine full of bare sensors
_SHORTEST_WATCH_S = 0.25


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the power and energy sensors of this machine.

    Raises:
        MeterUnavailable: None of them can be read, or ``JOULES_HWMON`` does not fit them.
    """
    root = Path(environment.get("JOULES_SYSFS_ROOT") or "/sys")
    return HwmonMeter(root, places=environment.get("JOULES_HWMON", ""))


class HwmonMeter:
    """The power and energy sensors below one sysfs root, each kept open and proved by reading it.

    Args:
        root: Where sysfs is.
        places: What bare sensors contain, as ``JOULES_HWMON`` says it.
        clock: Monotonic time in ns.
        opener: Opens a path for reading, as `os.open` does.
        pread: Reads from a descriptor at an offset, as `os.pread` does.

    Raises:
        MeterUnavailable: No sensor exists here, none of them can be read, or *places* does not
            fit them.
    """

    name = "hwmon"

    def __init__(
        self,
        root: Path,
        *,
        places: str = "",
        clock: Clock = time.monotonic_ns,
        opener: Callable[[str, int], int] = os.open,
        pread: PRead = os.pread,
    ) -> None:
        self._clock, self._opener, self._pread = clock, opener, pread
        self._open: list[Sensor] = []
        wanted = wanted_places(places)
        devices, unnamed = find_devices(root)
        self._unusable, self._unnamed = list(unnamed), len(unnamed)
        found = list(_sensors(root, devices))
        self._unusable += [each for each in found if isinstance(each, Unusable)]
        sources = placed([each for each in found if isinstance(each, Source)], wanted)
        try:
            self._prove_all(self._each_once(sources))
        except BaseException:
            self.close()
            raise
        self._demote_parts()
        self._pace()
        self._channels = tuple(sensor.channel for sensor in self._open)
        if not self._open:
            raise self._nothing_open(root, devices)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The sensors that gave a value."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Sensors that cannot be read, or measure what another one measures."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each sensor; one that fails has a reason, and the others go on."""
        return tuple(self._reading(sensor) for sensor in self._open)

    def flags(self) -> tuple[str, ...]:
        """The alarms that are on, such as ``throttled: over-current alarm VDD_IN``."""
        alarms = (alarm for sensor in self._open for alarm in sensor.alarms())
        return tuple(dict.fromkeys(f"throttled: {alarm}" for alarm in alarms))

    def close(self) -> None:
        """Closes the descriptors."""
        while self._open:
            self._open.pop().close()

    def _reading(self, sensor: Sensor) -> Reading:
        t0, channel, source = self._clock(), sensor.channel.id, sensor.source
        try:
            value = sensor.value()
        except (OSError, ValueError) as error:
            status, reason, fix = explain(error, source.device, source.paths[0])
            text = f"{source}: {reason}; {fix}" if fix else f"{source}: {reason}"
            return Reading(channel, t0, self._clock(), None, status, text)
        return Reading(channel, t0, self._clock(), value)

    def _refuse(self, source: Source, status: Status, reason: str, fix: str = "") -> None:
        self._unusable.append(Unusable(str(source), status, reason, fix))

    def _each_once(self, sources: Sequence[Source]) -> list[Source]:
        """The sources, but for second routes to one file or one channel; bare sensors last."""
        files: dict[str, Source] = {}
        taken: dict[str, Source] = {}
        kept: list[Source] = []
        for source in sources:
            file = os.path.realpath(source.paths[0])
            first = files.get(file) or taken.get(source.channel.id)
            if first is None:
                files[file] = taken[source.channel.id] = source
                kept.append(source)
            else:
                reason = f"a second route to {first.channel.id}, which {first} measures already"
                fix = "nothing to do: it is counted once"
                self._refuse(source, Status.NOT_SUPPORTED, reason, fix)
        return sorted(kept, key=lambda source: source.channel.id.startswith("sensor/"))

    def _prove_all(self, sources: Sequence[Source]) -> None:
        """Opens and watches each source, in a fair share of the time that opening may take."""
        began = self._clock()
        for index, source in enumerate(sources):
            left_s = _OPENING_S - (self._clock() - began) / 1e9
            share_s = max(_SHORTEST_WATCH_S, left_s / (len(sources) - index))
            try:
                sensor = Sensor(source, self._opener, self._pread)
            except OSError as error:
                self._refuse(source, *explain(error, source.device, source.paths[0]))
                continue
            self._open.append(sensor)
            try:
                prove(sensor, self._clock, share_s)
            except MeterUnavailable as error:
                absent = error.absent
                self._drop(sensor, error.status, absent.reason, absent.fix)
            except (OSError, ValueError) as error:
                self._drop(sensor, *explain(error, source.device, source.paths[0]))

    def _drop(self, sensor: Sensor, status: Status, reason: str, fix: str) -> None:
        self._refuse(sensor.source, status, reason, fix)
        self._open.remove(sensor)
        sensor.close()

    def _demote_parts(self) -> None:
        """Takes parts out of the sum where the rest of it is missing.

        A rail must not pass for the module that cannot be read, nor two rails for three.
        """
        missing = True
        while missing:
            there = {sensor.channel.id for sensor in self._open}
            missing = False
            for sensor in self._open:
                lacking = [need for need in sensor.source.needs if need not in there]
                if lacking and not sensor.channel.id.startswith("sensor/"):
                    missing = True
                    source, channel = sensor.source, sensor.channel
                    note = f"a part of what cannot be read here: without {', '.join(lacking)}"
                    sensor.channel = replace(
                        channel,
                        id=f"sensor/{source.device.key}/{slug(source.label)}",
                        boundary=f"unknown: {source.label}",
                        note=f"{channel.note}; {note}" if channel.note else note,
                    )

    def _pace(self) -> None:
        """Asks for no more readings than there can be: a driver may wait for each conversion."""
        began = self._clock()
        self.read()
        reading_s = (self._clock() - began) / 1e9
        for sensor in self._open:
            channel = sensor.channel
            if channel.unit == "W":
                poll_s = max(channel.poll_s or 0.0, reading_s)
                sensor.channel = replace(channel, poll_s=poll_s)

    def _nothing_open(self, root: Path, devices: Sequence[Device]) -> MeterUnavailable:
        """Why there is no channel: a refused right before all else, for that can be mended.

        What was left out on purpose comes last.
        """
        refused = self._unusable[self._unnamed :]
        if refused:
            order = {Status.PERMISSION: 0, Status.NOT_SUPPORTED: 2}
            first = min(refused, key=lambda each: order.get(each.status, 1))
            return MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)
        hwmon = root / "class" / "hwmon"
        if not root.is_dir():
            fix = "set JOULES_SYSFS_ROOT to where sysfs is mounted"
            return MeterUnavailable(f"there is no directory {root}", fix)
        if self._unnamed:
            return MeterUnavailable(
                f"{hwmon} lists {self._unnamed} devices that lead nowhere: a container hides them",
                "start it with -v /sys:/host/sys:ro -e JOULES_SYSFS_ROOT=/host/sys",
            )
        names = ", ".join(sorted({device.name for device in devices})) or "no device at all"
        return MeterUnavailable(
            f"no device in {hwmon} measures power or energy (found {names})",
            "load the driver of a sensor, if there is one (servers and Grace: sudo modprobe"
            " acpi_power_meter; virtual machines have none), or attach a meter outside",
        )


def _sensors(root: Path, devices: Sequence[Device]) -> Iterator[Source | Unusable]:
    """What the devices measure; those that measure no power are passed over."""
    yield from rails(root, devices)
    yield from acpi_meters(devices)
    for device in devices:
        if device.name == "amd_energy":
            yield from cpu_counters(device)
        elif gpus := tuple(gpu_sensors(device)):
            yield from gpus
        elif device.name not in {"ina3221", "power_meter", "amdgpu", "xe"}:
            yield from other_sensors(device)
