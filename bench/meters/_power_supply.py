"""What the kernel's power_supply class tells of a battery, and what its errors mean.

Source: shared/counters.md §6.3 and the kernel's ABI of sysfs-class-power.
"""

import errno
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.meter import Status

Read = Callable[[Path], str]
"""Gives the text of a file."""

P_MAX_W = 300.0  # above what the largest laptops draw; from a battery they draw less
_ENERGY_STEPS_UWH = (10_000, 100_000)  # packs count tens of mWh; the coarsest that is believed
_UWH = 3600e-6  # J: energy_now counts µWh
_LOST = {errno.ENODEV, errno.ENODATA, errno.ENOENT, errno.ENXIO}


@dataclass(frozen=True, slots=True)
class Battery:
    """One battery of the machine: its number, its directory, and how it is read."""

    number: int
    path: Path
    read: Read

    def __str__(self) -> str:
        return f"battery/{self.number} ({self.path.name})"

    def status(self) -> str:
        """Such as ``Discharging``, ``Charging``, ``Full``, ``Not charging``, ``Unknown``."""
        return self.read(self.path / "status").strip()

    def count(self, name: str) -> int:
        """The number in a file.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds no number.
        """
        text = self.read(self.path / name)
        if not re.fullmatch(r"-?[0-9]{1,20}\n", text):
            found = ascii(text[:40]) if text else "nothing"
            raise ValueError(f"found {found} in {name}, wanted a number")
        return int(text)

    def power_now(self) -> float:
        """Power by its own file, W. Some drivers give it a sign: the status tells the direction."""
        return _power(abs(self.count("power_now")) / 1e6)  # µW

    def product(self) -> float:
        """Power as voltage times current, W."""
        return _power(abs(self.count("voltage_now") * self.count("current_now")) / 1e12)  # µV · µA


def _power(watts: float) -> float:
    if watts == 0:
        raise ValueError("it shows exactly 0 W while it feeds the machine, which stands for none")
    if watts > P_MAX_W:
        raise ValueError(f"it shows {watts:g} W, and no battery gives more than {P_MAX_W:g} W")
    return watts


def is_of_machine(battery: Battery) -> bool:
    """Whether it is a battery, present, and feeds the machine rather than a device on it."""

    def says(name: str) -> str:
        try:
            return battery.read(battery.path / name).strip()
        except OSError as error:
            if name == "type" and error.errno not in _LOST:
                raise
            return ""

    return says("type") == "Battery" and says("scope") != "Device" and says("present") != "0"


def status_of(battery: Battery) -> str:
    """Its status, or words for there being none."""
    try:
        return battery.status()
    except (OSError, ValueError) as error:
        return f"not to be read ({error})"


def feeds(battery: Battery) -> bool:
    """Whether it says that it feeds the machine."""
    return status_of(battery) == "Discharging"


def used_j(battery: Battery, start_uwh: int) -> float:
    """The energy that a battery has given since it was opened, J."""
    return (start_uwh - battery.count("energy_now")) * _UWH


def energy_step_j(battery: Battery, energy_now: int) -> float:
    """A step that is no finer than the one in which a battery counts, J.

    All that it tells is a multiple of its step, so their common divisor is no smaller.
    """
    values = [energy_now]
    for name in ("energy_full", "energy_full_design"):
        try:
            values.append(battery.count(name))
        except (OSError, ValueError):
            continue
    finest, coarsest = _ENERGY_STEPS_UWH
    return min(max(math.gcd(*values), finest), coarsest) * _UWH


def refusal(error: OSError | ValueError) -> tuple[Status, str, str]:
    """Why a file is not used when the meter is opened: a missing one was never there."""
    status, reason, fix = explain(error)
    if status is Status.LOST:
        return Status.NOT_SUPPORTED, reason.replace("it is gone", "its driver has none"), ""
    return status, reason, fix


def explain(error: OSError | ValueError) -> tuple[Status, str, str]:
    """Status, reason and fix of a file that could not be read."""
    if isinstance(error, PermissionError):
        fix = "power_supply files are readable by all: is this a sandbox?"
        return Status.PERMISSION, f"it may not be read ({error.strerror})", fix
    if isinstance(error, OSError) and error.errno in _LOST:
        return Status.LOST, f"it is gone ({error.strerror})", "was the battery taken out?"
    if isinstance(error, OSError):
        return Status.ERROR, f"its driver could not read it ({error.strerror})", "see dmesg"
    return Status.ERROR, str(error), "see cat /sys/class/power_supply/*/uevent"
