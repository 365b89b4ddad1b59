"""A virtual machine room: time passes only when somebody works, and power is known in closed form.

`Clock` is advanced by the loops of the tests; `KnownMeter` is a meter whose counter is the exact
integral of a power P(t) given as steps, held and quantised as real counters are.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Kind
from bench.workload import Loop


@dataclass
class Clock:
    """Monotonic time in ns that stands still unless it is told to move."""

    now_ns: int = 1_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


@dataclass(frozen=True)
class Steps:
    """P(t): watts[i] from starts[i] on; starts in seconds, ascending, the first is 0."""

    starts: Sequence[float]
    watts: Sequence[float]

    def energy(self, t: float) -> float:
        """Joules from 0 to *t*."""
        last = bisect_right(self.starts, t) - 1
        ends = [*self.starts[1 : last + 1], t]
        pieces = zip(self.starts, ends, self.watts, strict=False)
        return math.fsum((end - start) * watts for start, end, watts in pieces)


def steady(watts: float) -> Steps:
    return Steps([0.0], [watts])


@dataclass
class KnownMeter:
    """A meter over virtual time; a read takes *read_ns*."""

    clock: Clock
    power: dict[str, Steps]
    name: str = "known"
    update_s: float = 0.001
    resolution: float = 0.001
    kind: Kind = Kind.MEASURED
    p_max_w: float = 500.0
    read_ns: int = 0
    fail: Callable[[int], Status | None] = field(default=lambda _: None)
    unusable: tuple[Unusable, ...] = ()
    reads: int = 0
    closed: bool = False

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(
            Channel(
                id_,
                id_.rpartition("/")[2],
                self.kind,
                {"package": "cpu-package", "dram": "dram"}.get(id_.rpartition("/")[2], "gpu-board"),
                self.resolution,
                self.update_s,
                None,
                self.p_max_w,
                f"known:{id_}",
            )
            for id_ in self.power
        )

    def true_energy(self, channel: str, t0_ns: int, t1_ns: int) -> float:
        power = self.power[channel]
        return power.energy(t1_ns / 1e9) - power.energy(t0_ns / 1e9)

    def read(self) -> tuple[Reading, ...]:
        self.reads += 1
        return tuple(self._one(id_, power) for id_, power in self.power.items())

    def _one(self, id_: str, power: Steps) -> Reading:
        t0 = self.clock()
        self.clock.now_ns += self.read_ns
        if status := self.fail(self.reads):
            return Reading(id_, t0, self.clock(), None, status, "it was told to fail")
        held = math.floor(t0 / 1e9 / self.update_s + 1e-9) * self.update_s
        counted = math.floor(power.energy(held) / self.resolution) * self.resolution
        return Reading(id_, t0, self.clock(), counted)

    def close(self) -> None:
        self.closed = True


def busy_loop(clock: Clock, seconds: Callable[[], float]) -> Loop:
    """A loop whose calls take what *seconds* says, on the virtual clock."""

    def loop(calls: int) -> list[float]:
        taken = [seconds() for _ in range(calls)]
        clock.sleep(math.fsum(taken))
        return taken

    return loop
