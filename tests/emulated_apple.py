"""The package zeus_apple_silicon 1.1.0 over a chip that is not here, driven by known powers.

Its monitor gives the counters of IOReport's group "Energy Model", cut to whole mJ. They are
published in one of two ways, as `Counted` says: at once, or in batches at uneven times.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from types import ModuleType
from typing import Any

from emulators import VirtualClock
from known_power import KnownPower

FIELDS = (
    "cpu_total_mj",
    "efficiency_cores_mj",
    "performance_cores_mj",
    "efficiency_cluster_mj",
    "performance_cluster_mj",
    "efficiency_core_manager_mj",
    "performance_core_manager_mj",
    "dram_mj",
    "gpu_mj",
    "gpu_sram_mj",
    "ane_mj",
)


def batches(random: Random, shortest_s: float, longest_s: float, until_s: float) -> list[float]:
    """Times at which counters are published: uneven, each batch with a tail soon after it.

    As measured on an M1 Ultra and an M5 Max: lablup/all-smi#410 and #415.
    """
    times, now = [], -random.uniform(0, longest_s)
    while now < until_s:
        times += [now, now + random.uniform(0.009, 0.029)]
        now += random.uniform(shortest_s, longest_s)
    return times


@dataclass
class Counted:
    """The counters of one part: *dies* of them that share its power, each cut to mJ by itself.

    Each shows what was used up to its last publication: a refresh every *hold_s*, or *times*.
    """

    power: KnownPower
    hold_s: float = 0.001
    times: list[float] | None = None
    start_mj: int = 90_000
    dies: int = 1

    def millijoules(self, now_s: float) -> int:
        if self.times is None:
            shown_s = now_s // self.hold_s * self.hold_s
        else:
            shown_s = self.times[bisect_right(self.times, now_s) - 1]
        joules = self.power.energy(0, max(0.0, shown_s))
        return self.start_mj + self.dies * int(joules * 1000 / self.dies)


@dataclass
class AppleEnergyMetrics:
    """As the package's: mJ by field, None where a chip does not count it."""

    cpu_total_mj: Any = None
    efficiency_cores_mj: Any = None
    performance_cores_mj: Any = None
    efficiency_cluster_mj: Any = None
    performance_cluster_mj: Any = None
    efficiency_core_manager_mj: Any = None
    performance_core_manager_mj: Any = None
    dram_mj: Any = None
    gpu_mj: Any = None
    gpu_sram_mj: Any = None
    ane_mj: Any = None


@dataclass
class Monitor:
    """An ``AppleEnergyMonitor``; reading it takes *read_s*."""

    library: "FakeZeus"

    def get_cumulative_energy(self) -> AppleEnergyMetrics:
        library = self.library
        library.clock.pass_s(library.read_s / 2)
        if library.fault is not None:
            raise library.fault
        now_s = library.clock.now_ns / 1e9
        library.clock.pass_s(library.read_s / 2)
        found: dict[str, Any] = {
            name: part.millijoules(now_s) for name, part in library.parts.items()
        }
        return AppleEnergyMetrics(**(found | library.given))


class FakeZeus(ModuleType):
    """What the meter uses of zeus_apple_silicon; what is in *given* stands in every answer."""

    AppleEnergyMetrics = AppleEnergyMetrics

    def __init__(
        self, parts: Mapping[str, Counted], clock: VirtualClock, read_s: float = 0.0035
    ) -> None:
        super().__init__("zeus_apple_silicon")
        assert set(parts) <= set(FIELDS)
        self.parts, self.clock, self.read_s = dict(parts), clock, read_s
        self.given: dict[str, Any] = {}
        self.fault: Exception | None = None
        self.refuses: Exception | None = None

    def AppleEnergyMonitor(self) -> Monitor:  # noqa: N802 - the library's own name
        if self.refuses is not None:
            raise self.refuses
        return Monitor(self)


@dataclass
class Chip:
    """The powers of a chip's parts, W."""

    cpu: KnownPower
    dram: KnownPower = field(default_factory=lambda: KnownPower([2.0], [1.0]))
    gpu: KnownPower = field(default_factory=lambda: KnownPower([9.0], [1.0]))
    ane: KnownPower = field(default_factory=lambda: KnownPower([1.0], [1.0]))

    def parts(self, **how: Any) -> dict[str, Counted]:
        return {
            "cpu_total_mj": Counted(self.cpu, **how),
            "dram_mj": Counted(self.dram, **how),
            "gpu_mj": Counted(self.gpu, **how),
            "ane_mj": Counted(self.ane, **how),
        }
