"""The meters that are open in this session, read together."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.discover import Broken, Plugin, plugins
from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.window import ChannelEnergy, channel_energy


@dataclass
class Instruments:
    """Open meters, and what stands in the way of the others.

    Two routes to one channel both stay open; the later one's id gets ``#<meter>``, so that it is
    recorded beside the first and never added to it.

    Args:
        meters: Open meters, in order of precedence.
        unusable: What cannot be used here, with reason and fix.
        clock: Monotonic time in ns.
    """

    meters: tuple[Meter, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    clock: Clock = time.monotonic_ns
    channels: tuple[Channel, ...] = field(init=False)
    _ids: tuple[Mapping[str, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        channels: dict[str, Channel] = {}
        routes: list[Mapping[str, str]] = []
        for meter in self.meters:
            ids = {}
            for channel in meter.channels:
                unique = channel.id if channel.id not in channels else f"{channel.id}#{meter.name}"
                ids[channel.id] = unique
                channels[unique] = replace(channel, id=unique)
            routes.append(ids)
        self.channels = tuple(channels.values())
        self._ids = tuple(routes)

    def read(self) -> dict[str, Reading]:
        """One reading of every channel, by id."""
        readings = {}
        for meter, ids in zip(self.meters, self._ids, strict=True):
            for reading in meter.read():
                unique = ids[reading.channel]
                readings[unique] = reading._replace(channel=unique)
        return readings

    def energy(
        self, readings: Sequence[Mapping[str, Reading]], t0_ns: int, t1_ns: int
    ) -> tuple[ChannelEnergy, ...]:
        """The energy of every channel over a window, from readings taken around and in it."""
        return tuple(
            channel_energy(channel, [reading[channel.id] for reading in readings], t0_ns, t1_ns)
            for channel in self.channels
        )

    def why_not_measured(self) -> str:
        """Why no instrument can be read here, in one sentence."""
        reasons = "; ".join(f"{each.what}: {each.reason}" for each in self.unusable)
        return f"energy cannot be measured here ({reasons or 'no meter was opened'})"

    def close(self) -> None:
        """Closes every meter, each once however often this is called."""
        meters, self.meters = self.meters, ()
        for meter in meters:
            meter.close()


def open_instruments(
    names: Iterable[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Instruments:
    """Opens the meters that can be used here.

    Args:
        names: Meters that must open, such as ``nvml``; ``replay:trace.json`` gives a meter its
            ``JOULES_REPLAY``. None opens all that can, except those that want to be named.
        environment: Environment variables for the meters.

    Raises:
        ValueError: No meter has that name; the message lists those that exist.
        MeterUnavailable: A meter that was named cannot be used.
    """
    found, broken = plugins("bench.meters", "open_meter")
    asked = None if names is None else dict(_split(name, found) for name in names)
    settings = {**environment}
    if asked is not None:
        settings.update({f"JOULES_{name.upper()}": value for name, value in asked.items() if value})
    meters: list[Meter] = []
    unusable = [_broken(each) for each in broken]
    chosen = (
        [found[name] for name in asked]
        if asked is not None
        else [plugin for plugin in found.values() if not plugin.opt_in]
    )
    for plugin in chosen:
        try:
            meter = plugin.target(settings)
        except MeterUnavailable as error:
            if asked is not None:
                raise
            absent = error.absent
            unusable.append(Unusable(plugin.name, error.status, absent.reason, absent.fix))
        except Exception as error:
            if asked is not None:
                raise
            unusable.append(_broken(Broken(plugin.name, f"{type(error).__name__}: {error}")))
        else:
            meters.append(meter)
            unusable += meter.unusable
    return Instruments(tuple(meters), tuple(unusable))


def _split(asked: str, found: Mapping[str, Plugin]) -> tuple[str, str]:
    name, _, value = asked.partition(":")
    if name not in found:
        raise ValueError(f"no meter is named {name}; choose from {', '.join(found)}")
    if value and Path(value).exists():
        value = str(Path(value).resolve())
    return name, value


def _broken(plugin: Broken) -> Unusable:
    return Unusable(
        plugin.name,
        Status.ERROR,
        f"the meter {plugin.name} cannot be used: {plugin.reason}",
        "mend or remove that plug-in; the other meters go on",
    )
