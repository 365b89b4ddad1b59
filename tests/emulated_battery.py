"""Batteries that are not here: a power_supply tree whose files follow a known power.

Names, units and signs are those of shared/counters.md §6.3. Files that never change lie in a real
tree; those that do are computed when they are read, in virtual time.
"""

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import MeterUnavailable
from bench.meters.battery import BatteryMeter
from bench.window import channel_energy

PRODUCT = ("current_now", "voltage_now")
ENODEV = OSError(errno.ENODEV, "No such device")
STEP_UWH = 10_000  # 10 mWh


@dataclass
class EmulatedBattery:
    """One battery.

    Args:
        power: What it gives, W.
        files: Those of power_now, current_now, voltage_now, energy_now that its driver has.
        hold_s: Time between two refreshes of all of them.
        averaged_s: Time over which its power is averaged.
        signed: Whether its driver gives currents and powers below zero while it is discharged.
        step_uwh: Step of its energy.
        status: What it says of the charger.
        faults: Text or error by file name.
    """

    power: KnownPower
    files: tuple[str, ...] = ("power_now", "energy_now")
    hold_s: float = 1.0
    phase_s: float = 0.0
    averaged_s: float = 0.0
    signed: bool = False
    step_uwh: int = STEP_UWH
    full_uwh: int = 57_030_000
    start_uwh: int = 50_000_000
    volts: float = 15.4
    status: str = "Discharging"
    faults: dict[str, str | Exception] = field(default_factory=dict)

    def text(self, name: str, now_s: float) -> str | None:
        """What a file holds at a time; None if it is one of the real files."""
        fault = self.faults.get(name)
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        if name == "status":
            return f"{self.status}\n"
        if name not in self.files:
            return None
        return f"{self._number(name, now_s)}\n"

    def _number(self, name: str, now_s: float) -> int:
        ticks = math.floor((now_s - self.phase_s) / self.hold_s)
        tick = max(0.0, ticks * self.hold_s + self.phase_s)
        if name == "energy_now":
            left_uwh = self.start_uwh - self.power.energy(0, tick) / 3600e-6
            return math.floor(left_uwh / self.step_uwh) * self.step_uwh
        watts = self.power.mean(tick - min(self.averaged_s, tick), tick)
        volts = round(self.volts - 0.01 * watts, 3)  # in mV, as drivers give it
        sign = -1 if self.signed else 1
        noise = ticks % 2  # a mA or a mW: converters are never at rest
        if name == "voltage_now":
            return round((volts - 0.001 * noise) * 1000) * 1000
        if name == "current_now":
            return sign * (round(watts / volts * 1000) + noise) * 1000
        return sign * (round(watts * 1000) + noise) * 1000


@dataclass
class PowerSupply:
    """A tree of batteries and other supplies below a root."""

    root: Path
    batteries: dict[str, EmulatedBattery]
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(20_000))
    reads: int = 0
    on_read: Callable[[int], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        self.folder = self.root / "class" / "power_supply"
        for name, battery in self.batteries.items():
            self.add(name, type="Battery", scope="System", present="1")
            self.write(name, energy_full=battery.full_uwh, energy_full_design=battery.full_uwh)
            self.write(name, status=battery.status)

    def add(self, name: str, **files: object) -> None:
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.write(name, **files)

    def write(self, name: str, **files: object) -> None:
        for file, value in files.items():
            (self.folder / name / file).write_text(f"{value}\n", encoding="ascii")

    def read(self, path: Path) -> str:
        """Stands for reading a file; it takes half a step of the clock."""
        self.clock.now_ns += self.clock.step_ns // 2
        self.reads += 1
        self.on_read(self.reads)
        battery = self.batteries.get(path.parent.name)
        if battery is not None and (path.name in _LIVE or path.name in battery.faults):
            text = battery.text(path.name, self.clock.now_ns / 1e9)
            if text is not None:
                return text
            raise FileNotFoundError(2, "No such file or directory")
        return path.read_text(encoding="ascii")


_LIVE = {"status", "power_now", "current_now", "voltage_now", "energy_now"}


def steady(watts: float = 12.0) -> KnownPower:
    return KnownPower([watts], [1.0])


def machine(root: Path, power: KnownPower | None = None, **changes: Any) -> PowerSupply:
    """A laptop with one battery, on battery, its charger unplugged."""
    laptop = PowerSupply(root, {"BAT0": EmulatedBattery(power or steady(), **changes)})
    laptop.add("AC", type="Mains", online=0)
    return laptop


def opened(laptop: PowerSupply) -> BatteryMeter:
    return BatteryMeter(
        laptop.root, read=laptop.read, clock=laptop.clock, sleep=laptop.clock.pass_s
    )


def measured(meter: BatteryMeter, laptop: PowerSupply, seconds: float) -> dict[str, Any]:
    """Energies of a window that is read every 5 s, and for 40 s after it; and the true ends."""
    rows = [meter.read()]
    t0 = laptop.clock()
    for _ in range(round(seconds / 5)):
        laptop.clock.pass_s(5.0)
        rows.append(meter.read())
    t1 = laptop.clock()
    for _ in range(8):
        laptop.clock.pass_s(5.0)
        rows.append(meter.read())
    found: dict[str, Any] = {
        channel.id: channel_energy(channel, [row[index] for row in rows], t0, t1)
        for index, channel in enumerate(meter.channels)
    }
    return {**found, "seconds": (t1 - t0) / 1e9}


def refusal(laptop: PowerSupply) -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        opened(laptop)
    return caught.value
