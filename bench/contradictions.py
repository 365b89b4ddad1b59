"""What fields say against each other, which no schema can tell: pure functions of records."""

from collections import Counter
from collections.abc import Mapping

from bench.journal_line import short
from bench.meter import Channel
from bench.record import JournalError, Record, Run, Window
from bench.window import ChannelEnergy


def require_sound(record: Record, channels: Mapping[str, Channel]) -> None:
    """Refuses a record that says one thing and another, or another than its run.

    Args:
        record: As it was read.
        channels: Those of the run, by their ids.

    Raises:
        JournalError: It contradicts itself.
    """
    if (found := _contradiction(record, channels)) is not None:
        raise JournalError(f"{found}; restore the file from git")


def _contradiction(record: Record, channels: Mapping[str, Channel]) -> str | None:
    if isinstance(record, Run):
        ids = [channel.id for channel in record.channels]
        turned = [channel.id for channel in record.channels if channel.range[0] > channel.range[1]]
        if turned:
            return f"found the range of {short(turned[0])} turned round, wanted low, high"
        return _twice(ids)
    if not isinstance(record, Window):
        return None
    idle = record.role == "idle"
    if record.t1_ns <= record.t0_ns or not (idle or record.samples > 0):
        return "found a window without length or without samples, wanted both"
    for energy in record.energy:
        if energy.joules is not None and not _is_inside(energy):
            ends = f"{energy.low:g} to {energy.high:g}"
            return f"found {energy.joules:g} J of {short(energy.channel)}, wanted {ends}"
    return _twice([energy.channel for energy in record.energy]) or _of_other_kind(record, channels)


def _is_inside(energy: ChannelEnergy) -> bool:
    """Whether the joules lie in their own interval."""
    low, high, joules = energy.low, energy.high, energy.joules
    return low is not None and high is not None and joules is not None and low <= joules <= high


def _twice(channels: list[str]) -> str | None:
    if len(set(channels)) == len(channels):
        return None
    id_, count = Counter(channels).most_common(1)[0]
    return f"found the channel {short(id_)} {count} times, wanted it once"


def _of_other_kind(window: Window, channels: Mapping[str, Channel]) -> str | None:
    """An energy that says another kind or boundary than its channel: kinds never mix."""
    for energy in window.energy:
        channel = channels.get(energy.channel)
        if channel and (energy.kind, energy.boundary) != (channel.kind, channel.boundary):
            return (
                f"found {energy.kind} energy of {short(energy.boundary)}, wanted {channel.kind} of"
                f" {short(channel.boundary)}, as the run says of {short(channel.id)}"
            )
    return None
