"""From readings to energy: pure functions, no file, no clock, no device.

Counter energy and its bound, after shared/counters.md §9.4. A counter that is refreshed every
``u`` seconds in steps of ``q`` joules is stale by up to ``u`` at both ends of a window, so

    E_meter - E_true  lies in  [-u·P_max - q,  +u·P_max + q + s·P_max]

where ``P_max`` is the most that the domain can draw and ``s`` the time by which the readings
enclose the window. A delta is taken modulo the counter's wrap (largest value plus one step).
More than one wrap between two readings cannot be seen; the gap that could hide one is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.meter import Channel, Reading, Status
from bench.quantities import Absent, Kind, Quantity, contains, join_boundaries

MINIMUM_BLOCK_S = 0.5
INTERVALS_PER_BLOCK = 50
STALE_AFTER_INTERVALS = 10


@dataclass(frozen=True, slots=True)
class ChannelEnergy:
    """The energy of one channel over one window.

    Args:
        channel: The channel's id.
        joules: Energy, J; None unless *status* is ok or wrapped.
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


class _NoEnergyError(Exception):
    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def shortest_block_s(channels: Iterable[Channel]) -> float:
    """The shortest window that each of the channels resolves, in seconds.

    It is the larger of 0.5 s and 50 update intervals of the slowest counter; 0 where there is
    no instrument, for an estimate from CPU time is no counter with a period.
    """
    intervals = [channel.update_interval_s for channel in channels if channel.kind.is_reading]
    return max(MINIMUM_BLOCK_S, INTERVALS_PER_BLOCK * max(intervals)) if intervals else 0.0


def channel_energy(
    channel: Channel, readings: Sequence[Reading], t0_ns: int, t1_ns: int
) -> ChannelEnergy:
    """The energy of one channel between its first and its last reading, with its bound.

    Args:
        channel: What was read.
        readings: Its readings in order: one before the window, one after it, and any between.
        t0_ns: Start of the window; the first reading ended no later.
        t1_ns: End of the window; the last reading began no earlier.

    Returns:
        The energy, or None with a status and a reason. Never a guess, never a zero for nothing.
    """
    try:
        joules, wraps = _counted(channel, readings)
        low, high = _bounds(channel, readings, joules, t0_ns, t1_ns)
    except _NoEnergyError as error:
        status, reason = error.status, error.reason
        return ChannelEnergy(
            channel.id, None, None, None, channel.kind, channel.boundary, status, reason
        )
    status = Status.WRAPPED if wraps else Status.OK
    return ChannelEnergy(channel.id, joules, low, high, channel.kind, channel.boundary, status)


def _counted(channel: Channel, readings: Sequence[Reading]) -> tuple[float, int]:
    """Joules between the first and the last reading, and how often the counter wrapped."""
    for reading in readings:
        if reading.joules is None:
            raise _NoEnergyError(reading.status, reading.reason)
    if not channel.is_counter:  # CPU time of a child appears all at once, when it has ended
        readings = (readings[0], readings[-1])
    if len(readings) < 2:  # noqa: PLR2004 - a difference needs two
        raise _NoEnergyError(Status.INVALID, f"{len(readings)} reading, and a window needs two")
    total, wraps = 0.0, 0
    for before, after in pairwise(readings):
        delta, wrapped = _difference(channel, before, after)
        total += delta
        wraps += wrapped
    seconds = (readings[-1].t0_ns - readings[0].t1_ns) / 1e9
    silent = STALE_AFTER_INTERVALS * channel.update_interval_s
    if total == 0:
        if not channel.kind.is_reading:
            reason = f"the estimate did not move in {seconds:.3g} s; give it a longer window"
            raise _NoEnergyError(Status.TOO_SHORT, reason)
        if seconds >= silent:
            reason = (
                f"the counter stood still for {seconds:.3g} s, though it moved every"
                f" {channel.update_interval_s:.3g} s when it was opened; is the driver alive?"
            )
            raise _NoEnergyError(Status.STALE, reason)
        raise _NoEnergyError(Status.TOO_SHORT, _too_short(channel, seconds))
    return total, wraps


def _difference(channel: Channel, before: Reading, after: Reading) -> tuple[float, int]:
    """Joules from one reading to the next, and 1 if the counter wrapped between them."""
    assert before.joules is not None  # noqa: S101 - _counted has refused the others
    assert after.joules is not None  # noqa: S101
    seconds = (after.t1_ns - before.t0_ns) / 1e9
    # A counter may be stale by one interval at the first reading: it then shows more than the gap.
    most = channel.p_max_w * (seconds + channel.update_interval_s) + channel.resolution
    if channel.wrap is not None and most >= channel.wrap:
        longest = channel.wrap / channel.p_max_w - channel.update_interval_s
        raise _NoEnergyError(
            Status.INVALID,
            f"{seconds:.3g} s passed between two readings, and the counter may wrap every"
            f" {longest:.3g} s at {channel.p_max_w:g} W; read it more often",
        )
    delta = after.joules - before.joules
    if delta < 0 and channel.wrap is not None and delta + channel.wrap <= most:
        return delta + channel.wrap, 1
    if delta < 0:
        raise _NoEnergyError(
            Status.RESET,
            f"the counter went back from {before.joules:.6g} J to {after.joules:.6g} J;"
            " was the driver reloaded, or the machine suspended?",
        )
    if delta > most:
        raise _NoEnergyError(
            Status.INVALID,
            f"the counter rose by {delta:.6g} J in {seconds:.3g} s, more than the"
            f" {channel.p_max_w:g} W that {channel.id} can draw; it is not to be trusted",
        )
    return delta, 0


def _too_short(channel: Channel, seconds: float) -> str:
    needed = max(MINIMUM_BLOCK_S, INTERVALS_PER_BLOCK * channel.update_interval_s)
    return (
        f"the window of {seconds:.3g} s is shorter than the counter can resolve"
        f" (it moves every {channel.update_interval_s:.3g} s in steps of"
        f" {channel.resolution:.3g} J); give it at least {needed:.3g} s"
    )


def _bounds(
    channel: Channel, readings: Sequence[Reading], joules: float, t0_ns: int, t1_ns: int
) -> tuple[float, float]:
    """The interval that holds the true energy of the window, by the formula of the module."""
    first, last = readings[0], readings[-1]
    seconds = (t1_ns - t0_ns) / 1e9
    if seconds < channel.update_interval_s:
        raise _NoEnergyError(Status.TOO_SHORT, _too_short(channel, seconds))
    if not channel.kind.is_reading:
        return joules * channel.range[0], joules * channel.range[1]
    enclosed = max(0.0, (t0_ns - first.t0_ns) + (last.t1_ns - t1_ns)) / 1e9
    edge = channel.update_interval_s * channel.p_max_w + channel.resolution
    return max(0.0, joules - edge - enclosed * channel.p_max_w), joules + edge


def cover(channels: Iterable[Channel], device: str) -> tuple[str, ...]:
    """The channels whose sum is the energy of *device*: none contains another.

    Only readings of an instrument count, never estimates. CPU cases take what belongs to the
    machine without its GPUs; a GPU's case takes its board and the same. Of two nested
    channels the inner ones are kept (packages and DRAM, not psys), for they are what one can act
    on; within a device the outer one is kept (the package, not its cores).

    Args:
        channels: All open channels.
        device: ``cpu`` or ``cuda:<uuid>``; ``""`` takes every GPU (for a whole command).

    Returns:
        Channel ids in the order given; empty if no instrument reads that device.
    """
    kept: list[Channel] = []
    for channel in (c for c in channels if c.kind.is_reading and _belongs(c, device)):
        if any(_displaces(other, channel) for other in kept):
            continue
        kept = [other for other in kept if not _displaces(channel, other)]
        kept.append(channel)
    gpu = f"gpu/{device.partition(':')[2]}/board"
    if device.startswith("cuda") and not any(contains(channel.id, gpu) for channel in kept):
        return ()  # the energy of the CPU beside it is not the energy of a GPU's work
    return tuple(channel.id for channel in kept)


def _belongs(channel: Channel, device: str) -> bool:
    family, _, rest = channel.id.partition("/")
    if family != "gpu":
        return True
    return not device or device.partition(":")[2] == rest.partition("/")[0]


def _displaces(keeper: Channel, other: Channel) -> bool:
    """Whether *other* must be left out of a sum that has *keeper*."""
    if keeper.id == other.id:
        return True
    if contains(keeper.id, other.id):
        return keeper.domain != "psys"
    return contains(other.id, keeper.id) and other.domain == "psys"


def total(energies: Iterable[ChannelEnergy], ids: Sequence[str]) -> Quantity | Absent:
    """The sum over a cover, or `Absent` with the reason if any member is missing.

    A sum over half of its members would be a number for another boundary, so there is none.
    Kinds are never mixed in it: a cover of several kinds has no single total.
    """
    if not ids:
        return Absent("no power source can be read here", "see joulebench doctor")
    by_id: Mapping[str, ChannelEnergy] = {energy.channel: energy for energy in energies}
    result: Quantity | None = None
    for channel in ids:
        if channel not in by_id:
            return Absent(f"{channel} was not read in this window")
        term = by_id[channel].quantity()
        if isinstance(term, Absent):
            return term
        if result is not None and result.kind is not term.kind:
            kinds = join_boundaries([result.kind, term.kind])
            return Absent(f"the channels are of several kinds ({kinds}), which are never summed")
        result = term if result is None else result + term
    assert result is not None  # noqa: S101 - ids is not empty
    return result
