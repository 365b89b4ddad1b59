"""From readings to energy: pure functions, no file, no clock, no device.

Counters go to `bench.counter`, gauges to `bench.gauge`; each says how its bound comes about.
Readings that carry the meter's own time are put on our clock first, by `bench.clock_fit`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.clock_fit import on_our_clock
from bench.counter import (
    INTERVALS_PER_BLOCK,
    MINIMUM_BLOCK_S,
    Joules,
    NoEnergyError,
    counted,
    difference,
    usable_readings,
)
from bench.gauge import integrated
from bench.meter import Channel, Reading, Status
from bench.quantities import Absent, Kind, Quantity


@dataclass(frozen=True, slots=True)
class ChannelEnergy:
    """The energy of one channel over one window.

    Args:
        channel: The channel's id.
        joules: Energy, J; None unless *status* is ok, wrapped, held or gap.
        low: Least energy that the readings allow, J.
        high: Largest energy that the readings allow, J.
        kind: How it was obtained.
        boundary: What it contains.
        status: What became of it.
        reason: Why there is no energy, and what would help.
    """

    channel: str
    joules: float | None
    low: float | None
    high: float | None
    kind: Kind
    boundary: str
    status: Status
    reason: str = ""

    def quantity(self) -> Quantity | Absent:
        """The energy as a `Quantity`, or `Absent` with the reason."""
        if self.joules is None or self.low is None or self.high is None:
            return Absent(f"{self.channel}: {self.reason or self.status}")
        ids = (self.channel,)
        return Quantity(self.joules, self.low, self.high, "J", self.kind, self.boundary, ids)


_DOUBTS = {
    Status.HELD: "held its value longer than when it was opened; its interval is wider",
    Status.GAP: "was not read for too long; its interval spans what may have been drawn",
}


def doubts(energies: Iterable[ChannelEnergy]) -> tuple[str, ...]:
    """What widened the intervals of a window, as flags."""
    return tuple(
        f"{energy.channel} {_DOUBTS[energy.status]}"
        for energy in energies
        if energy.status in _DOUBTS
    )


def shortest_block_s(channels: Iterable[Channel]) -> float:
    """The shortest window that each of the channels resolves, in seconds.

    It is the larger of 0.5 s and 50 update intervals of the slowest instrument; 0 where there is
    no instrument, for an estimate from CPU time is no counter with a period.
    """
    intervals = [channel.update_interval_s for channel in channels if channel.kind.is_reading]
    return max(MINIMUM_BLOCK_S, INTERVALS_PER_BLOCK * max(intervals)) if intervals else 0.0


def channel_energy(
    channel: Channel, readings: Sequence[Reading], t0_ns: int, t1_ns: int
) -> ChannelEnergy:
    """The energy of one channel from *t0_ns* to *t1_ns*, with its bound.

    Args:
        channel: What was read.
        readings: Its readings in order: before the window, after it, and any between.
        t0_ns: Start of the window; one reading ended no later.
        t1_ns: End of the window; one reading began no earlier.

    Returns:
        The energy, or None with a status and a reason. Never a guess, never a zero for nothing.
    """
    try:
        found = _joules(channel, on_our_clock(channel, readings), t0_ns, t1_ns)
    except NoEnergyError as error:
        status, reason = error.status, error.reason
        return ChannelEnergy(
            channel.id, None, None, None, channel.kind, channel.boundary, status, reason
        )
    kind, boundary = channel.kind, channel.boundary
    return ChannelEnergy(
        channel.id, found.value, found.low, found.high, kind, boundary, found.status
    )


def _joules(channel: Channel, readings: Sequence[Reading], t0_ns: int, t1_ns: int) -> Joules:
    if channel.unit == "W":
        return integrated(channel, readings, t0_ns, t1_ns)
    if channel.is_counter:
        return counted(channel, readings, t0_ns, t1_ns)
    return _estimated(channel, readings, t0_ns, t1_ns)


def _estimated(channel: Channel, readings: Sequence[Reading], t0_ns: int, t1_ns: int) -> Joules:
    """CPU time × a power model; the CPU time of a child appears at once, when it has ended."""
    usable = usable_readings(readings, t0_ns, t1_ns)
    joules, _ = difference(channel, usable[0], usable[-1], channel.update_interval_s)
    if joules == 0:
        seconds = (t1_ns - t0_ns) / 1e9
        reason = f"the estimate did not move in {seconds:.3g} s; give it a longer window"
        raise NoEnergyError(Status.TOO_SHORT, reason)
    low, high = channel.range
    return Joules(joules, joules * low, joules * high, Status.OK)
