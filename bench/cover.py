"""Which channels add up to the energy of a device, and their sum: pure functions."""

from collections.abc import Iterable, Mapping, Sequence

from bench.meter import ONLY, Channel
from bench.quantities import WHOLE_MACHINE, Absent, Kind, Quantity, contains, join_boundaries
from bench.window import ChannelEnergy

_NEVER_ADDED = {"sensor", "process"}  # nobody knows what a bare sensor contains
_TRUSTED = (Kind.EXTERNAL, Kind.MEASURED, Kind.SAMPLED)


def cover(channels: Iterable[Channel], device: str) -> tuple[str, ...]:
    """The channels whose sum is the energy of *device*: none contains another.

    Only readings of an instrument count, never estimates, and they are of one kind: the most
    trusted one that has all of what the device is, the CPUs or that GPU. CPU cases take what
    belongs to the machine without its GPUs; a GPU's case takes its board and the same.

    Within a kind the outer channel is kept: the package, not its cores; a board's input, not its
    rails. A second route (``id#name``) is a check on the first, whatever its kind, and takes its
    place only where there is no first.

    Sources that contain a whole machine (psys, a module, a battery) give way where the CPUs
    inside them are read, for that is what one can act on; an external meter does not, for it was
    attached on purpose.

    Args:
        channels: All open channels.
        device: ``cpu`` or ``cuda:<uuid>``; ``""`` takes every GPU (for a whole command).

    Returns:
        Channel ids in the order given; empty if no instrument reads that device. Where no CPU is
        read, parts of the machine stand for themselves, and their boundary says which.
    """
    found = _first_routes([c for c in channels if c.kind.is_reading and _belongs(c, device)])
    covers = [_outermost([c for c in found if c.kind is kind], device) for kind in _TRUSTED]
    has_it = [kept for kept in covers if any(_is_of(c, device) for c in kept)]
    if device.startswith("cuda"):  # the energy of the CPU beside it is not that of a GPU's work
        choices = has_it
    else:
        whole = [kept for kept in has_it if not any(c.boundary.endswith(ONLY) for c in kept)]
        choices = [*whole, *has_it, *(kept for kept in covers if kept)]
    chosen = choices[0] if choices else []
    return tuple(channel.id for channel in found if channel in chosen)


def _first_routes(found: Sequence[Channel]) -> list[Channel]:
    """Without second routes to what a first one reads."""
    first = {channel.id for channel in found}
    return [c for c in found if "#" not in c.id or c.id.partition("#")[0] not in first]


def _outermost(found: Sequence[Channel], device: str) -> list[Channel]:
    """What is left of channels of one kind when nothing is counted twice."""
    if device.startswith("cuda"):
        found = [c for c in found if not _is_vague(c, found)]
    found = [c for c in found if not _gives_way(c, found)]
    kept: list[Channel] = []
    for channel in sorted(found, key=lambda channel: "#" in channel.id):  # first routes first
        if any(contains(other.id, channel.id) for other in kept):
            continue
        kept = [other for other in kept if not contains(channel.id, other.id)]
        kept.append(channel)
    return kept


def _is_of(channel: Channel, device: str) -> bool:
    """Whether a channel has the energy of a GPU in it, or elsewhere that of a CPU."""
    if device.startswith("cuda"):
        return contains(channel.id, f"gpu/{device.partition(':')[2]}/board")
    return _is_cpu(channel) or _family(channel) in WHOLE_MACHINE


def _family(channel: Channel) -> str:
    return channel.id.partition("/")[0]


def _is_cpu(channel: Channel) -> bool:
    """Whether a channel is a whole processor, not its DRAM or its cores."""
    parts = channel.id.partition("#")[0].split("/")
    return parts[0] == "cpu" and parts[-1] in {"package", "socket"}


def _belongs(channel: Channel, device: str) -> bool:
    family, _, rest = channel.id.partition("/")
    if family in _NEVER_ADDED:
        return False
    if family != "gpu":
        return True
    return not device or device.partition(":")[2] == rest.partition("/")[0]


def _gives_way(channel: Channel, found: Sequence[Channel]) -> bool:
    """Whether a source around a whole machine is left out in favour of what is inside it.

    Several modules stay or go together: else one of them would stand beside half of another.
    """
    family = _family(channel)
    if family not in WHOLE_MACHINE or channel.kind is Kind.EXTERNAL:
        return False
    if family == "battery" and any(_family(c) in {"board", "module"} for c in found):
        return True  # they know as much of the machine, and far sooner
    cpus = [c for c in found if _is_cpu(c) and not c.boundary.endswith(ONLY)]
    together = _modules(found) if channel in _modules(found) else [channel]
    return all(any(contains(each.id, cpu.id) for cpu in cpus) for each in together)


def _is_vague(channel: Channel, found: Sequence[Channel]) -> bool:
    """Whether nobody says if a GPU is inside: psys, and each of several modules."""
    several = len({module.id.partition("#")[0] for module in _modules(found)}) > 1
    return channel.domain == "psys" or (several and _family(channel) == "module")


def _modules(found: Sequence[Channel]) -> list[Channel]:
    """The whole modules, each a socket with its GPUs: ``module/0``, ``module/1``."""
    ids = [(channel, channel.id.partition("#")[0].partition("/")) for channel in found]
    return [channel for channel, (family, _, n) in ids if family == "module" and n.isdecimal()]


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
