"""Sensors of machines that are not here, in virtual time, driven by a power that is known exactly.

Each follows shared/counters.md §1 and §2: the energy of any window is the integral of a `Power`,
and what a counter shows is that energy held to its refresh, in whole steps, wrapped.
"""

# ruff: noqa: N802, N818 - the names are those of the libraries that are stood for

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from bench.meter import Meter, Reading, Status
from bench.meters.replay import PowerTrace
from bench.window import ChannelEnergy, channel_energy

COUNTS = 2**32
ESU14, ESU16, SERVER_DRAM, PSYS = 61035, 15258, 15300, 10**9
TRUE_UNITS_NJ: Mapping[int, float] = {ESU14: 1e9 / 2**14, ESU16: 1e9 / 2**16}
"""What the hardware counts in, where the driver's unit is cut to whole nJ."""


class Power(Protocol):
    """P(t) by its integral: `PowerTrace`, or `known_power.KnownPower`."""

    def energy(self, t0_s: float, t1_s: float, /) -> float: ...


class VirtualClock:
    """Monotonic nanoseconds that pass only when somebody looks."""

    def __init__(self, step_ns: int = 20_000, now_ns: int = 0) -> None:
        self.now_ns, self.step_ns = now_ns, step_ns

    def __call__(self) -> int:
        self.now_ns += self.step_ns
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def steady(watts: float) -> PowerTrace:
    return PowerTrace(((0, watts),))


@dataclass
class Count:
    """A register: energy in steps, refreshed every *hold_ns*, counted modulo *wrap*.

    It counts in *true_unit_nj*, and what the driver prints of it is in whole *unit_nj*: the same
    unless said otherwise, and on real hardware a few millionths apart, see `TRUE_UNITS_NJ`.
    """

    power: Power
    unit_nj: int
    hold_ns: int = 1_000_000
    phase_ns: int = 0
    start: int = 1_000_000_000
    wrap: int | None = COUNTS
    true_unit_nj: float | None = None

    def at(self, now_ns: int) -> int:
        tick_ns = (now_ns - self.phase_ns) // self.hold_ns * self.hold_ns + self.phase_ns
        energy_j = self.power.energy(0, max(0, tick_ns) / 1e9)
        count = self.start + int(energy_j * 1e9 / (self.true_unit_nj or self.unit_nj))
        return count if self.wrap is None else count % self.wrap

    @property
    def most_uj(self) -> int:
        return (COUNTS - 1) * self.unit_nj // 1000

    def text(self, now_ns: int) -> bytes:
        return b"%d\n" % (self.at(now_ns) * self.unit_nj // 1000)


class Z(NamedTuple):
    """A zone of a layout: its directory, its name, its unit, its power, whose count it shows."""

    where: str
    name: str
    unit_nj: int = ESU14
    watts: float = 50.0
    mirrors: str = ""


LAYOUTS: Mapping[str, Sequence[Z]] = {
    "client": [
        Z("intel-rapl:0", "package-0", watts=20),
        Z("intel-rapl:0:0", "core", watts=12),
        Z("intel-rapl:0:1", "uncore", watts=0),
        Z("intel-rapl:0:2", "dram", watts=3),
        Z("intel-rapl:1", "psys", watts=31),
        Z("intel-rapl-mmio:0", "package-0", watts=19.5),
    ],
    "xeon2s": [
        Z("intel-rapl:0", "package-0", watts=100),
        Z("intel-rapl:0:0", "dram", SERVER_DRAM, 10),
        Z("intel-rapl:1", "package-1", watts=90),
        Z("intel-rapl:1:0", "dram", SERVER_DRAM, 8),
    ],
    "spr2s": [
        Z("intel-rapl:0", "package-0", watts=200),
        Z("intel-rapl:0:0", "dram", SERVER_DRAM, 20),
        Z("intel-rapl:1", "psys", PSYS, 600),
        Z("intel-rapl:2", "package-1", watts=180),
        Z("intel-rapl:2:0", "dram", SERVER_DRAM, 18),
    ],
    "zen": [Z("intel-rapl:0", "package-0", ESU16, 65), Z("intel-rapl:0:0", "core", ESU16, 2)],
    "clxap": [
        Z("intel-rapl:0", "package-0-die-0", watts=150),
        Z("intel-rapl:0:0", "dram", SERVER_DRAM, 10),
        Z("intel-rapl:1", "package-0-die-1", watts=140),
        Z("intel-rapl:1:0", "dram", SERVER_DRAM, 10),
        Z("intel-rapl:2", "package-1-die-0", watts=130),
        Z("intel-rapl:3", "package-1-die-1", watts=120),
    ],
    "zen1_4die": [
        Z("intel-rapl:0", "package-0-die-0", ESU16, 120),
        Z("intel-rapl:0:0", "core", ESU16, 4),
        *(
            zone
            for die in (1, 2, 3)
            for zone in (
                Z(f"intel-rapl:{die}", f"package-0-die-{die}", ESU16, 120, "intel-rapl:0"),
                Z(f"intel-rapl:{die}:0", "core", ESU16, 4),
            )
        ),
    ],
    "mmio_only": [Z("intel-rapl-mmio:0", "package-0", watts=15)],
    "eleven": [Z(f"intel-rapl:{n:x}", f"package-{n}", watts=10 + n) for n in range(11)],
}


@dataclass
class Powercap:
    """A sysfs tree of one layout, with the seams that `PowercapMeter` takes.

    A fault is an error to raise or a text to give; it is keyed by the zone's directory.
    """

    root: Path
    zones: Sequence[Z]
    clock: VirtualClock = field(default_factory=VirtualClock)
    counts: dict[str, Count] = field(default_factory=dict)
    open_faults: dict[str, OSError] = field(default_factory=dict)
    read_faults: dict[str, OSError | bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.powercap = self.root / "class" / "powercap"
        self.powercap.mkdir(parents=True, exist_ok=True)
        (self.root / "devices" / "virtual" / "powercap").mkdir(parents=True, exist_ok=True)
        self._zone_of: dict[int, str] = {}
        for index, zone in enumerate(self.zones):
            start = 1_000_000_000 + 77_000_000 * index
            own = Count(steady(zone.watts), zone.unit_nj, start=start)
            self.counts[zone.where] = self.counts[zone.mirrors] if zone.mirrors else own
            self._build(zone)

    def path(self, where: str) -> Path:
        control = where.partition(":")[0]
        parts = where.split(":")
        nested = [":".join(parts[: end + 1]) for end in range(1, len(parts))]
        return self.root.joinpath("devices", "virtual", "powercap", control, *nested)

    def set_limit(self, where: str, watts: float, constraint: int = 0) -> None:
        limit = self.path(where) / f"constraint_{constraint}_power_limit_uw"
        limit.write_text(f"{round(watts * 1e6)}\n")

    def _build(self, zone: Z) -> None:
        path = self.path(zone.where)
        path.mkdir(parents=True, exist_ok=True)
        count = self.counts[zone.where]
        (path / "name").write_text(f"{zone.name}\n")
        (path / "max_energy_range_uj").write_text(f"{count.most_uj}\n")
        (path / "energy_uj").write_bytes(count.text(0))
        (path / "enabled").write_text("1\n")
        (path / "subsystem").symlink_to(self.powercap, target_is_directory=True)
        for link in {path, path.parent}:
            flat = self.powercap / link.name
            if not flat.is_symlink():
                flat.symlink_to(os.path.relpath(link, self.powercap), target_is_directory=True)

    def opener(self, path: str, flags: int) -> int:
        where = Path(path).parent.name
        if where in self.open_faults:
            raise self.open_faults[where]
        fd = os.open(path, flags)
        self._zone_of[fd] = where
        return fd

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        return self.read(self._zone_of[fd])[offset : offset + length]

    def read(self, where: str) -> bytes:
        """The text of a zone's counter now; to read it takes half a step of the clock."""
        self.clock.now_ns += self.clock.step_ns // 2
        fault = self.read_faults.get(where)
        if isinstance(fault, OSError):
            raise fault
        return self.counts[where].text(self.clock.now_ns) if fault is None else fault


class NVMLError(Exception):
    """As pynvml's: an error with a code."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML code {value}")
        self.value = value


@dataclass
class Gpu:
    """One GPU of `FakeNvml`; its counter counts millijoules."""

    uuid: str
    energy: Count
    name: str = "NVIDIA H200"
    sliced: bool = False
    limit_mw: int = 700_000
    errors: dict[str, int] = field(default_factory=dict)


def gpu(uuid: str, power: PowerTrace, *, hold_s: float = 0.1, phase_ns: int = 0) -> Gpu:
    hold_ns = round(hold_s * 1e9)
    return Gpu(uuid, Count(power, 1_000_000, hold_ns, phase_ns, start=5_000_000, wrap=None))


class FakeNvml(ModuleType):
    """What `NvmlMeter` uses of pynvml, with errors by function: *errors*, or a GPU's own."""

    NVMLError = NVMLError

    def __init__(
        self, gpus: Sequence[Gpu], clock: VirtualClock, errors: Mapping[str, int] | None = None
    ) -> None:
        super().__init__("pynvml")
        self.gpus, self.clock, self.errors = gpus, clock, dict(errors or {})
        self.open = 0

    def _call(self, function: str, gpu: Gpu | None = None) -> None:
        code = self.errors.get(function) or (gpu.errors.get(function) if gpu else None)
        if code:
            raise NVMLError(code)

    def nvmlInit(self) -> None:
        self._call("nvmlInit")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        self._call("nvmlDeviceGetCount")
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        self._call("nvmlDeviceGetHandleByIndex", self.gpus[index])
        return self.gpus[index]

    def nvmlDeviceGetUUID(self, handle: Gpu) -> bytes:
        self._call("nvmlDeviceGetUUID", handle)
        return handle.uuid.encode()  # as releases before 11.5 gave it

    def nvmlDeviceGetName(self, handle: Gpu) -> str:
        self._call("nvmlDeviceGetName", handle)
        return handle.name

    def nvmlDeviceGetMigMode(self, handle: Gpu) -> list[int]:
        self._call("nvmlDeviceGetMigMode", handle)
        return [int(handle.sliced), int(handle.sliced)]

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Gpu) -> int:
        self._call("nvmlDeviceGetEnforcedPowerLimit", handle)
        return handle.limit_mw

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Gpu) -> int:
        self._call("nvmlDeviceGetTotalEnergyConsumption", handle)
        self.clock.now_ns += self.clock.step_ns // 2
        return handle.energy.at(self.clock.now_ns)


class FakePyrapl(ModuleType):
    """What `PyraplMeter` uses of pyRAPL, over the counters of a `Powercap`."""

    class PyRAPLException(Exception):
        pass

    def __init__(self, machine: Powercap, slots: Sequence[str | None]) -> None:
        super().__init__("pyRAPL")
        self.machine, self.slots = machine, slots
        self.refuses: Exception | None = None
        self.files: list[Any] = []

    def Sensor(self) -> "FakePyrapl":
        if self.refuses:
            raise self.refuses
        return self

    @property
    def _device_api(self) -> dict[int, Any]:
        api = ModuleType("api")
        api._sys_files = self.files  # type: ignore[attr-defined]
        return {0: api}

    def energy(self) -> list[float]:
        return [-1 if slot is None else float(self.machine.read(slot)) for slot in self.slots]


def window(
    meter: Meter, clock: VirtualClock, seconds: float, every_s: float | None = None
) -> tuple[dict[str, ChannelEnergy], float, float]:
    """Each channel's energy over *seconds* of virtual time, and the window's ends in s."""
    readings: list[Sequence[Reading]] = [meter.read()]
    t0_ns = clock()
    passed, step = 0.0, every_s or seconds
    while passed < seconds:
        if passed:
            readings.append(meter.read())
        clock.pass_s(min(step, seconds - passed))
        passed += step
    t1_ns = clock()
    readings.append(meter.read())
    energies = {
        channel.id: channel_energy(channel, [row[index] for row in readings], t0_ns, t1_ns)
        for index, channel in enumerate(meter.channels)
    }
    return energies, t0_ns / 1e9, t1_ns / 1e9


def joules(energy: ChannelEnergy) -> float:
    """The energy of a window that must have one."""
    assert energy.status in {Status.OK, Status.WRAPPED}, energy.reason
    assert energy.joules is not None
    return energy.joules


def holds(energy: ChannelEnergy, true_j: float) -> bool:
    """Whether a window's interval contains the true energy."""
    assert energy.low is not None
    assert energy.high is not None
    return energy.low <= true_j <= energy.high


def ticking(values: Sequence[float]) -> Callable[[], float]:
    """A counter that shows each value once and holds the last."""
    iterator = itertools.chain(values, itertools.repeat(values[-1]))
    return lambda: next(iterator)
