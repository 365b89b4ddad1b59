"""Sensors of the hwmon class in a sysfs tree, in virtual time, driven by a known power.

Each follows shared/counters.md §3, §4 and §6 and the kernel's drivers: what a file shows is the
known power, averaged, held, cut to steps; the emulators take nothing from the meter's own code.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import Meter
from bench.meters.hwmon import HwmonMeter
from bench.window import ChannelEnergy, channel_energy

Live = Callable[[], bytes]
"""The text of an attribute now."""


class Sysfs:
    """A sysfs root with the seams that `HwmonMeter` takes.

    Attributes are keyed by ``<device>/<attribute>``, such as ``1-0040/in1_input``. A fault is an
    error to raise, or a text to give; in *failing* each k-th read of an attribute raises.
    """

    def __init__(self, root: Path, clock: VirtualClock | None = None) -> None:
        self.root, self.clock = root, clock or VirtualClock(200_000)
        self.live: dict[str, Live] = {}
        self.open_faults: dict[str, OSError] = {}
        self.read_faults: dict[str, OSError | bytes] = {}
        self.failing: dict[str, tuple[int, OSError]] = {}
        self.reads: dict[str, int] = {}
        self._key_of: dict[int, str] = {}
        self._where: dict[str, str] = {}
        self._count = 0
        (root / "class" / "hwmon").mkdir(parents=True, exist_ok=True)

    def add(
        self,
        name: str,
        device: str,
        files: Mapping[str, str | Live],
        *,
        bus: str = "platform",
        legacy: bool = False,
    ) -> Path:
        """A hwmon device; *legacy* ones have their attributes in ``device/``."""
        home = self.root / "devices" / bus / device
        path = home / "hwmon" / f"hwmon{self._count}"
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        (path / "device").symlink_to(os.path.relpath(home, path), target_is_directory=True)
        link = self.root / "class" / "hwmon" / path.name
        link.symlink_to(os.path.relpath(path, link.parent), target_is_directory=True)
        self._count += 1
        self.fill(home if legacy else path, device, files)
        return path

    def fill(self, path: Path, device: str, files: Mapping[str, str | Live]) -> None:
        for attribute, content in files.items():
            key = f"{device}/{attribute}"
            if isinstance(content, str):
                (path / attribute).write_text(f"{content}\n")
            else:
                (path / attribute).write_bytes(b"0\n")
                self.live[key] = content
            self._where[str((path / attribute).resolve())] = key

    def tree(self, compatible: str, model: str) -> None:
        """A device tree that names the board."""
        base = self.root / "firmware" / "devicetree" / "base"
        base.mkdir(parents=True)
        (base / "compatible").write_bytes(compatible.replace(" ", "\0").encode() + b"\0")
        (base / "model").write_bytes(model.encode() + b"\0")

    def opener(self, path: str, flags: int) -> int:
        key = self._where.get(str(Path(path).resolve()), path)
        if key in self.open_faults:
            raise self.open_faults[key]
        fd = os.open(path, flags)
        self._key_of[fd] = key
        return fd

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        """Reads an attribute now; it takes half a step of the clock."""
        key = self._key_of[fd]
        self.clock.now_ns += self.clock.step_ns // 2
        self.reads[key] = self.reads.get(key, 0) + 1
        fault = self.read_faults.get(key)
        if isinstance(fault, OSError):
            raise fault
        if fault is not None:
            return fault
        every, error = self.failing.get(key, (0, None))
        if error is not None and self.reads[key] % every == 0:
            raise error
        if key in self.live:
            return self.live[key]()[offset : offset + length]
        return os.pread(fd, length, offset)


def steady(watts: float) -> KnownPower:
    return KnownPower([watts], [1.0])


def opened(sysfs: Sysfs, places: str = "") -> HwmonMeter:
    """The meter over a tree, in its virtual time."""
    if sysfs.clock.now_ns < 10**9:
        sysfs.clock.pass_s(10)  # a sensor has been averaging for some time
    return HwmonMeter(
        sysfs.root, places=places, clock=sysfs.clock, opener=sysfs.opener, pread=sysfs.pread
    )


def window(
    meter: Meter,
    clock: VirtualClock,
    seconds: float,
    every_s: float,
    events: Sequence[tuple[float, Callable[[], object]]] = (),
) -> tuple[dict[str, ChannelEnergy], float, float]:
    """Each channel's energy over a window that is polled, and its ends in s.

    Args:
        meter: What is read.
        clock: Virtual time.
        seconds: How long it is.
        every_s: Time between two readings; they go on until a gauge has shown the end.
        events: What happens so many seconds after its start.
    """
    readings = [reading for _ in range(3) for reading in meter.read()]
    t0_ns = clock()
    t1_ns = t0_ns + round(seconds * 1e9)
    waiting = sorted(events, key=lambda event: event[0])
    while clock.now_ns < t1_ns:
        clock.now_ns = min(clock.now_ns + round(every_s * 1e9), t1_ns)
        while waiting and clock.now_ns - t0_ns >= waiting[0][0] * 1e9:
            waiting.pop(0)[1]()
        readings += meter.read()
    lags = [channel.lag_s + 2 * every_s for channel in meter.channels if channel.unit == "W"]
    while clock.now_ns - t1_ns < 1e9 * max(lags, default=0.0):
        clock.pass_s(every_s)
        readings += meter.read()
    energies = {
        channel.id: channel_energy(
            channel, [one for one in readings if one.channel == channel.id], t0_ns, t1_ns
        )
        for channel in meter.channels
    }
    return energies, t0_ns / 1e9, t1_ns / 1e9


def tick(now_s: float, hold_s: float, phase_s: float) -> float:
    """The last moment at which a sensor was refreshed."""
    return math.floor((now_s - phase_s) / hold_s) * hold_s + phase_s


@dataclass
class Gauge:
    """A file that shows power: its mean over *window_s*, refreshed every *hold_s*, in steps.

    Args:
        power: The true power.
        clock: Virtual time.
        hold_s: How long a value is held.
        window_s: Over what it is averaged.
        step_w: The step that is shown.
        phase_s: When it is refreshed first.
        unit_w: What one unit of the file is: a microwatt.
    """

    power: KnownPower
    clock: VirtualClock
    hold_s: float = 0.05
    window_s: float = 0.05
    step_w: float = 0.001
    phase_s: float = 0.0
    unit_w: float = 1e-6

    def __call__(self) -> bytes:
        at = tick(self.clock.now_ns / 1e9, self.hold_s, self.phase_s)
        watts = self.power.mean(max(0.0, at - self.window_s), max(0.0, at))
        steps = math.floor(watts / self.step_w + 1e-9)
        return b"%d\n" % round(steps * self.step_w / self.unit_w)


@dataclass
class Energy:
    """A file that counts µJ from a register of 32 bits.

    Args:
        power: The true power.
        clock: Virtual time.
        unit_j: One step of the register.
        hold_s: How often it is refreshed.
        phase_s: When it is refreshed first.
        start: What the register shows at first.
        on_read: Whether the driver extends it to 64 bits only when it is read, as Intel's do.
    """

    power: KnownPower
    clock: VirtualClock
    unit_j: float = 2.0**-14
    hold_s: float = 0.001
    phase_s: float = 0.0
    start: int = 1_000_000
    on_read: bool = False
    counted: int = 0
    before: int | None = None

    def register(self) -> int:
        at = tick(self.clock.now_ns / 1e9, self.hold_s, self.phase_s)
        return self.start + int(self.power.energy(0, max(0.0, at)) / self.unit_j)

    def __call__(self) -> bytes:
        count = self.register()
        if self.on_read:
            shown = count % 2**32
            before = shown if self.before is None else self.before
            self.counted += (shown - before) % 2**32
            self.before, count = shown, self.start + self.counted
        return b"%d\n" % int(count * self.unit_j * 1e6)


@dataclass
class Rail:
    """One channel of an INA3221: what flows through it, and how its device tree calls it."""

    label: str
    power: KnownPower
    volts: float = 5.0
    ohms: float = 0.005
    source_ohms: float = 0.0
    enabled: bool = True

    def voltage(self, watts: float) -> float:
        """The voltage behind a supply that gives way: V·(V0 - V)/r = P."""
        root = math.sqrt(self.volts**2 - 4 * self.source_ohms * watts)
        return (self.volts + root) / 2


@dataclass
class Ina3221:
    """A chip that converts the shunt and then the bus of each channel, over and over.

    Args:
        clock: Virtual time.
        rails: Its channels.
        samples: How many conversions it averages.
        phase_s: When its first round begins.
        blocking: Whether the driver waits for the end of a round at each read, as mainline does.
        rounding: Added before the analogue value is cut to steps: 0 cuts, 0.5 rounds.
    """

    clock: VirtualClock
    rails: Sequence[Rail]
    samples: int = 1
    phase_s: float = 0.0
    blocking: bool = False
    rounding: float = 0.0
    _ready_s: float = field(default=-1.0, repr=False)

    conversion_s = 0.0011

    @property
    def round_s(self) -> float:
        """How long a round over all channels takes."""
        on = sum(rail.enabled for rail in self.rails)
        return 2 * self.conversion_s * on * self.samples

    def _end_of_round(self) -> float:
        now = self.clock.now_ns / 1e9
        end = tick(now, self.round_s, self.phase_s)
        if self.blocking:
            if end <= self._ready_s + 1e-9:  # that round was read already
                end += self.round_s
                self.clock.now_ns = math.ceil(end * 1e9)
            self._ready_s = end
        return end

    def _watts(self, index: int, part: int) -> float:
        """Mean power during a conversion of the last round; over the round if it averages."""
        end = self._end_of_round()
        if self.samples > 1:
            return self.rails[index].power.mean(max(0.0, end - self.round_s), max(0.0, end))
        on = sum(rail.enabled for rail in self.rails[:index])
        begin = end - self.round_s + (2 * on + part) * self.conversion_s
        return self.rails[index].power.mean(max(0.0, begin), max(0.0, begin + self.conversion_s))

    def millivolts(self, index: int) -> int:
        rail = self.rails[index]
        volts = rail.voltage(self._watts(index, 1))
        return 8 * math.floor(volts / 0.008 + self.rounding + 1e-9)

    def milliamperes(self, index: int) -> int:
        rail = self.rails[index]
        watts = self._watts(index, 0)
        shunt_v = watts / rail.voltage(watts) * rail.ohms
        steps = math.floor(shunt_v / 40e-6 + self.rounding + 1e-9)
        return round(steps * 40e-6 / rail.ohms * 1e3)

    def files(self) -> dict[str, str | Live]:
        """What the kernel's driver shows of it."""
        files: dict[str, str | Live] = {
            "update_interval": str(round(self.round_s * 1e3)),
            "samples": str(self.samples),
            "in7_label": "sum of shunt voltages",
            "in7_input": "99999",
            "curr4_input": "99999",
        }
        for index, rail in enumerate(self.rails):
            n = index + 1
            files |= {
                f"in{n}_enable": str(int(rail.enabled)),
                f"in{n}_input": self._text(self.millivolts, index),
                f"in{n + 3}_input": str(round(rail.ohms * 1e6)),  # a shunt voltage, in µV
                f"curr{n}_input": self._text(self.milliamperes, index),
                f"curr{n}_crit_alarm": "0",
                f"curr{n}_max_alarm": "0",
                f"shunt{n}_resistor": str(round(rail.ohms * 1e6)),
            }
            if rail.label:
                files[f"in{n}_label"] = rail.label
        return files

    def iio_files(self) -> dict[str, str | Live]:
        """What JetPack 4's driver shows of it: V and I of one moment, their product in mW."""
        files: dict[str, str | Live] = {}
        for index, rail in enumerate(self.rails):
            files |= {
                f"rail_name_{index}": rail.label,
                f"in_power{index}_input": self._product(index),
                f"in_voltage{index}_input": self._text(self.millivolts, index),
                f"in_current{index}_input": self._text(self.milliamperes, index),
                f"crit_current_limit_{index}": "32760 ma",
            }
        return files

    def _text(self, value: Callable[[int], int], index: int) -> Live:
        return lambda: b"%d\n" % value(index)

    def _product(self, index: int) -> Live:
        return lambda: b"%d\n" % (self.millivolts(index) * self.milliamperes(index) // 1000)
