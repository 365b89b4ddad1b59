"""The meters that are open in this session, read together."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench import guard
from bench.cover import cover
from bench.discover import Broken, Plugin, plugins
from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.protocol import require_meter
from bench.recording import Recording
from bench.source import READ_DEADLINE_S, Source
from bench.window import ChannelEnergy, channel_energy
from bench.worker import Worker

OPEN_DEADLINE_S = 30.0
"""Longest time that opening a meter may take, s; eight GPUs of slow counters need half of it."""


@dataclass
class Instruments:
    """Open meters, and what stands in the way of the others.

    Two routes to one channel both stay open: a counter goes before a gauge, then the meter that
    comes first. The other's id gets ``#<meter>``, so that it is recorded beside the first and
    never added to it.

    Args:
        meters: Open meters, in order of precedence.
        unusable: What cannot be used here, with reason and fix.
        clock: Monotonic time in ns.
        sleep: Lets time pass, s.
        workers: The threads in which meters were opened; the others get one of their own.
        watch: Gives the state of the machine, without its GPUs.
        device: Whose energy is wanted, as `bench.cover.cover` takes it; all of it if empty.
        deadline_s: Longest time that a reading may take, s.
        keeps_readings: Whether windows keep the readings from which their energies are made.
    """

    meters: tuple[Meter, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    clock: Clock = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep
    workers: tuple[Worker, ...] = ()
    watch: Callable[[], guard.State] = guard.read
    device: str = ""
    deadline_s: float = READ_DEADLINE_S
    keeps_readings: bool = False
    channels: tuple[Channel, ...] = field(init=False)
    _sources: tuple[Source, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ids = _unique_ids(self.meters)
        self.channels = tuple(
            replace(channel, id=named[channel.id])
            for meter, named in zip(self.meters, ids, strict=True)
            for channel in meter.channels
        )
        workers = self.workers or (None,) * len(self.meters)
        self._sources = tuple(
            Source(meter, named, self.clock, worker, sleep=self.sleep, deadline_s=self.deadline_s)
            for meter, named, worker in zip(self.meters, ids, workers, strict=True)
        )

    @property
    def summed(self) -> tuple[Channel, ...]:
        """The channels of which the total is made: they decide how long a window must be."""
        chosen = set(cover(self.channels, self.device))
        return tuple(channel for channel in self.channels if channel.id in chosen)

    @property
    def children_cpu_s(self) -> float:
        """CPU time of the programs that the meters have run, s: no part of what is measured."""
        return sum(source.children_cpu_s for source in self._sources)

    def read(self) -> dict[str, Reading]:
        """One reading of every channel, by id: the newest, where a meter gives several."""
        return {reading.channel: reading for source in self._sources for reading in source.read()}

    @contextlib.contextmanager
    def recording(self) -> Iterator[Recording]:
        """Reads all meters around what runs inside, and in it where a channel asks for that."""
        recording = Recording(self._sources, self.summed, self.clock, self.sleep)
        try:
            recording.open()
            yield recording
            recording.close()
        except BaseException:
            recording.abandon()
            raise

    def energy(self, recording: Recording, t0_ns: int, t1_ns: int) -> tuple[ChannelEnergy, ...]:
        """The energy of every channel over a window, from its recording."""
        return tuple(
            channel_energy(channel, recording.of(channel.id), t0_ns, t1_ns)
            for channel in self.channels
        )

    def state(self) -> guard.State:
        """The machine now, with those GPUs whose meters tell of them."""
        gpus = tuple(gpu for source in self._sources for gpu in source.gpus())
        return replace(self.watch(), gpus=gpus)

    def why_not_measured(self) -> str:
        """Why no instrument can be read here, in one sentence."""
        reasons = "; ".join(f"{each.what}: {each.reason}" for each in self.unusable)
        return f"energy cannot be measured here ({reasons or 'no meter was opened'})"

    def close(self) -> None:
        """Closes every meter, each once however often this is called."""
        sources, self._sources, self.meters = self._sources, (), ()
        for source in sources:
            source.close()


def _unique_ids(meters: Sequence[Meter]) -> tuple[dict[str, str], ...]:
    """What each meter's channels are called in a session, by the meter's own ids."""
    routes = [
        (channel.unit != "J", position, channel.id)
        for position, meter in enumerate(meters)
        for channel in meter.channels
    ]
    taken: set[str] = set()
    ids: tuple[dict[str, str], ...] = tuple({} for _ in meters)
    for _, position, own in sorted(routes, key=lambda route: route[:2]):
        unique = own if own not in taken else f"{own}#{meters[position].name}"
        while unique in taken:
            unique += "+"
        taken.add(unique)
        ids[position][own] = unique
    return ids


def open_instruments(
    names: Iterable[str] | None = None,
    environment: Mapping[str, str] = os.environ,
    deadline_s: float = OPEN_DEADLINE_S,
) -> Instruments:
    """Opens the meters that can be used here, each in a thread of its own with a time limit.

    Args:
        names: Meters that must open, such as ``nvml``; ``replay:trace.json`` gives a meter its
            ``JOULES_REPLAY``. None opens all that can, except those that want to be named.
        environment: Environment variables for the meters.
        deadline_s: Longest time that opening one may take, s.

    Raises:
        ValueError: No meter has that name; the message lists those that exist.
        MeterUnavailable: A meter that was named cannot be used.
    """
    found, broken = plugins("bench.meters", "open_meter")
    asked = None if names is None else _asked(names, found, broken)
    settings = {**environment}
    if asked is not None:
        settings.update({f"JOULES_{name.upper()}": value for name, value in asked.items() if value})
    opened: list[tuple[Meter, Worker]] = []
    unusable = [_broken(each) for each in broken]
    chosen = (
        [found[name] for name in asked]
        if asked is not None
        else [plugin for plugin in found.values() if not plugin.opt_in]
    )
    for plugin in sorted(chosen, key=lambda plugin: plugin.precedence):
        worker = Worker(plugin.name)
        late: list[Meter] = []
        try:
            meter, left_out = worker.call(partial(_open, plugin, settings, late), deadline_s)
        except Exception as error:
            worker.submit(partial(_close_late, late))  # what opens after its time is closed again
            if asked is not None:
                _close(opened)
                raise _unavailable(plugin, error, deadline_s) from error
            absent = _unavailable(plugin, error, deadline_s)
            what = absent.absent
            unusable.append(Unusable(plugin.name, absent.status, what.reason, what.fix))
            worker.end()
        else:
            opened.append((meter, worker))
            unusable += left_out
    meters, workers = tuple(m for m, _ in opened), tuple(w for _, w in opened)
    return Instruments(meters, tuple(unusable), workers=workers)


def _open(
    plugin: Plugin, settings: Mapping[str, str], opened: list[Meter]
) -> tuple[Meter, tuple[Unusable, ...]]:
    """Opens a meter and puts it into *opened*; gives what it leaves out too.

    Raises:
        ValueError: It is no meter.
    """
    meter: Meter = plugin.target(settings)
    opened.append(meter)
    return meter, require_meter(meter)


def _close_late(opened: Iterable[Meter]) -> None:
    for meter in opened:
        meter.close()


def _close(opened: Iterable[tuple[Meter, Worker]]) -> None:
    for meter, worker in opened:
        Source(meter, {}, time.monotonic_ns, worker).close()


def _unavailable(plugin: Plugin, error: Exception, deadline_s: float) -> MeterUnavailable:
    """Why a meter did not open."""
    if isinstance(error, MeterUnavailable) and hasattr(error, "absent"):
        return error
    if isinstance(error, TimeoutError):
        reason = f"the meter {plugin.name} did not open within {deadline_s:g} s"
        fix = "is its device there, and does it answer? the other meters go on"
        return MeterUnavailable(reason, fix, Status.TIMEOUT)
    found = _broken(Broken(plugin.name, f"{type(error).__name__}: {error}"))
    return MeterUnavailable(found.reason, found.fix, found.status)


def _asked(
    names: Iterable[str], found: Mapping[str, Plugin], broken: Iterable[Broken]
) -> dict[str, str]:
    """What was asked of each meter that was named."""
    asked: dict[str, str] = {}
    reasons = {each.name: each for each in broken}
    for each in names:
        if reason := reasons.get(each.partition(":")[0]):
            what = _broken(reason)
            raise MeterUnavailable(what.reason, what.fix, what.status)
        name, value = _split(each, found)
        if name in asked:
            raise ValueError(f"the meter {name} is named twice; give it several sources with ;")
        asked[name] = value
    return asked


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
