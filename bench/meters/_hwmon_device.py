"""What the hwmon meters share: devices of the class, numbers in their files, and errors.

``hwmonN`` is numbered anew at each boot, so a device is known by its name and by where it sits.
Attributes are in ``hwmonN/``, or in ``hwmonN/device/`` for legacy drivers. Source:
shared/counters.md §6.1.
"""

import errno
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.meter import Status, Unusable

Explained = tuple[Status, str, str]
"""Status, reason and fix."""

PRead = Callable[[int, int, int], bytes]
"""Reads from a descriptor at an offset, as `os.pread` does."""

_CLASS = "class/hwmon/hwmon*"
_BEHIND_I2C = "bus/i2c/drivers/ina3221/*/hwmon/hwmon*"  # where the class is not mounted
_HWMON = re.compile(r"hwmon\d+")
_TEXT_BYTES = 64  # the longest number has 20 digits
_LARGEST = 2**63  # what is larger is a negative number that was printed as unsigned
_LOST = {errno.ENODEV, errno.ENOENT, errno.ENXIO}
_ABSENT = {errno.ENODATA, errno.EOPNOTSUPP}


class WentBackError(ValueError):
    """A counter that never wraps shows less than before."""


@dataclass(frozen=True, slots=True)
class Device:
    """A directory of the hwmon class.

    Args:
        name: Text of its ``name`` file, such as ``ina3221``.
        path: Where it is.
        home: Real path of the device that it belongs to, the same at each boot.
    """

    name: str
    path: Path
    home: Path

    @property
    def key(self) -> str:
        """The same at each boot, such as ``ina3221-1-0040``."""
        return f"{self.name}-{self.home.name}"

    def __str__(self) -> str:
        return f"{self.name} {self.home.name}"

    def find(self, attribute: str) -> Path | None:
        """Where an attribute is, or None if it does not exist; a dangling link exists."""
        for folder in (self.path, self.path / "device"):
            if os.path.lexists(folder / attribute):
                return folder / attribute
        return None

    def matching(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """The attributes whose whole names match, each once, in the order of their numbers."""
        names: set[str] = set()
        for folder in (self.path, self.path / "device"):
            if folder.is_dir():
                names.update(path.name for path in folder.iterdir())
        found = [match for name in names if (match := pattern.fullmatch(name))]
        return sorted(found, key=lambda match: _natural(match[0]))

    def text(self, attribute: str) -> str:
        """The text of an attribute without its newline; empty where there is none."""
        path = self.find(attribute)
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip() if path else ""
        except OSError:
            return ""

    def number(self, attribute: str) -> int | None:
        """The whole number in an attribute, or None where it is absent or no number."""
        text = self.text(attribute)
        return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(digits or 0), text) for digits, text in re.findall(r"(\d+)|(\D+)", name)]


def slug(text: str) -> str:
    """A label as one part of a channel id.

    >>> slug("CPU Power / Socket #0")
    'cpu_power___socket__0'
    """
    return re.sub(r"[\s/#]", "_", text.strip()).lower()


def find_devices(root: Path) -> tuple[tuple[Device, ...], tuple[Unusable, ...]]:
    """The hwmon devices below a sysfs root, each once, and those whose name cannot be read."""
    devices: dict[str, Device] = {}
    unusable: list[Unusable] = []
    paths = [path for pattern in (_CLASS, _BEHIND_I2C) for path in root.glob(pattern)]
    for path in sorted(paths, key=lambda path: _natural(str(path))):
        real = os.path.realpath(path)
        if real in devices or not _HWMON.fullmatch(path.name):
            continue
        try:
            name = (path / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            reason = f"its name cannot be read ({error.strerror})"
            unusable.append(Unusable(path.name, Status.LOST, reason))
            continue
        home = path / "device" if (path / "device").exists() else path
        devices[real] = Device(name, path, Path(os.path.realpath(home)))
    # Sensors are listed in the same order at each boot.
    ordered = sorted(devices.values(), key=lambda device: _natural(f"{device.name} {device.home}"))
    return tuple(ordered), tuple(unusable)


def number(text: bytes, unit: str) -> int:
    r"""The whole number of a line, which may have its unit behind it as old Jetsons print it.

    >>> number(b"32760 ma\n", "mA")
    32760

    Raises:
        ValueError: It is empty, cut short, no number, or larger than a signed one can be.
    """
    match = re.fullmatch(rb"\s*(-?[0-9]{1,20})\s*([A-Za-z]*)\n", text)
    if not match or (match[2] and match[2].decode().lower() != unit.replace("µ", "u").lower()):
        found = "nothing" if not text else ascii(text.decode("latin-1"))
        raise ValueError(f"found {found}, wanted a line with a number of {unit}")
    if not -_LARGEST <= int(match[1]) < _LARGEST:
        raise ValueError(f"found {int(match[1])} {unit}: an error that was printed as a number")
    return int(match[1])


@dataclass(frozen=True, slots=True)
class Attribute:
    """An open attribute.

    Args:
        fd: Its descriptor.
        pread: Reads from it.
        unit: Its unit, such as ``mV``.
    """

    fd: int
    pread: PRead
    unit: str

    def number(self) -> int:
        """What it shows now, in its unit.

        Raises:
            OSError: The driver could not read it.
            ValueError: The text is no number.
        """
        return number(self.pread(self.fd, _TEXT_BYTES, 0), self.unit)


def opened(
    paths: Iterable[tuple[Path, str]], opener: Callable[[str, int], int], pread: PRead
) -> tuple[Attribute, ...]:
    """Opens attributes, each with its unit: all, or none of them.

    Raises:
        OSError: One of them cannot be opened.
    """
    found: list[Attribute] = []
    try:
        for path, unit in paths:
            fd = opener(str(path), os.O_RDONLY | os.O_CLOEXEC)
            found.append(Attribute(fd, pread, unit))
    except OSError:
        for attribute in found:
            os.close(attribute.fd)
        raise
    return tuple(found)


def explain(error: OSError | ValueError, device: Device, path: Path) -> Explained:
    """Status, reason and fix of a failed read of the attribute at *path*."""
    if isinstance(error, WentBackError):
        return Status.RESET, str(error), "was the driver reloaded, or the machine suspended?"
    if isinstance(error, ValueError):
        return Status.ERROR, str(error), ""
    return _system(error, device, Path(error.filename) if error.filename else path)


def _system(error: OSError, device: Device, path: Path) -> Explained:
    said = error.strerror or str(error)
    if error.errno == errno.EPERM and device.name == "amdgpu":
        reason = "the GPU is in reset or suspend (EPERM, which here is not about rights)"
        return Status.LOST, reason, "retry when it is awake"
    if isinstance(error, PermissionError):
        return Status.PERMISSION, f"{path.name} may be read by root only", _group_fix(device, path)
    if error.errno in _ABSENT:
        switch = device.find(path.name.partition("_")[0].replace("curr", "in") + "_enable")
        reason = f"the channel is disabled or not there ({said})"
        return Status.NOT_SUPPORTED, reason, f"echo 1 | sudo tee {switch}" if switch else ""
    if error.errno in _LOST:
        reason = f"the sensor is gone or hidden ({said})"
        return Status.LOST, reason, "was its driver unloaded, the device unplugged, or /sys masked?"
    reason = f"the driver could not read the sensor ({said})"
    return Status.ERROR, reason, f"see dmesg for messages of {device.name}"


def _group_fix(device: Device, path: Path) -> str:
    """Lets a group read the files of this device, and of no other, also after a reboot."""
    real = Path(os.path.realpath(path.parent)) / re.sub(r"\d+", "*", path.name, count=1)
    pattern = re.sub(r"/hwmon\d+/", "/hwmon*/", str(real))
    rule, name = f"z {pattern} 0440 root energy", f"/etc/tmpfiles.d/{device.name}.conf"
    return (
        "let one group of trusted users read it (energy counters leak what other processes"
        " compute: PLATYPUS, CVE-2020-8694; so never chmod a+r): sudo groupadd -f energy &&"
        f" sudo usermod -aG energy \"$USER\" && echo '{rule}' | sudo tee {name} &&"
        f" sudo systemd-tmpfiles --create {name}; then log in again"
    )
