"""A journal that holds its raw readings, replayed: the same code must give the same joules.

A window of a session with ``--joules-raw`` keeps every reading from which its energies were made.
Here they are made again, by `bench.window.channel_energy` as when they were measured, and held
against what the journal says, bit for bit. Ratios and verdicts are never stored, so they follow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.record import Window
from bench.records import Journal
from bench.window import ChannelEnergy, channel_energy


@dataclass(frozen=True, slots=True)
class Difference:
    """An energy that is another one when it is made again.

    Args:
        window: Where.
        stored: What the journal says.
        found: What its readings give.
    """

    window: Window
    stored: ChannelEnergy
    found: ChannelEnergy

    def __str__(self) -> str:
        place = f"{self.window.case or 'idle'}, {self.window.role} {self.window.order}"
        return (
            f"{place}, {self.stored.channel}: the journal says {_shown(self.stored)},"
            f" its readings give {_shown(self.found)}"
        )


def replayed(journal: Journal) -> Iterator[tuple[Window, ChannelEnergy, ChannelEnergy]]:
    """Window, stored energy and the same energy made again, for each that can be.

    The energy of a window that was refused whole, for it held too few calls, is none of its
    readings' making, and left out.
    """
    channels = {channel.id: channel for channel in journal.run.channels}
    for window in journal.windows:
        if not window.readings:
            continue
        for stored in window.energy:
            if stored.joules is None and stored.reason in window.flags:
                continue
            own = [reading for reading in window.readings if reading.channel == stored.channel]
            channel = channels[stored.channel]
            yield window, stored, channel_energy(channel, own, window.t0_ns, window.t1_ns)


def differences(journal: Journal) -> Iterator[Difference]:
    """The energies that are others when they are made again; none in a sound journal."""
    for window, stored, found in replayed(journal):
        if stored != found:
            yield Difference(window, stored, found)


def _shown(energy: ChannelEnergy) -> str:
    if energy.joules is None:
        return f"none ({energy.status})"
    return f"{energy.joules!r} J [{energy.low!r}, {energy.high!r}] {energy.status}"
