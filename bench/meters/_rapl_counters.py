"""RAPL counters that are open: read all at once beside a window, and decoded after it."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from bench.meter import ONLY, Channel, Clock, MeterUnavailable, Reading, Status, Unusable
from bench.meters._rapl_zones import explain

Captured = tuple[int | bytes | OSError, ...]
"""Time before, what the read gave or raised, and time after: counter by counter, and not parsed."""


class Counter(Protocol):
    """An open counter; as text, it says which."""

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...

    def energy(self, raw: Any) -> float:  # noqa: ANN401 - one of three kinds in what was captured
        """Joules that *raw* stands for."""
        ...


C = TypeVar("C", bound=Counter)


class RaplCounters(Generic[C]):
    """What the meters of RAPL have in common; each adds how a counter is found and read.

    Args:
        clock: Monotonic time in ns.
        unusable: What was found unusable before a counter was opened.
    """

    prompt = True

    def __init__(self, clock: Clock, unusable: Iterable[Unusable]) -> None:
        self._clock = clock
        self._open: list[tuple[Channel, C]] = []
        self._fds: tuple[int, ...] = ()
        self._unusable = list(unusable)
        self._unread: set[str] = set()
        self._channels: tuple[Channel, ...] = ()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The counters that moved when they were watched."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """What cannot be read, stands still, or counts what another one counts."""
        return tuple(self._unusable)

    def capture(self) -> Captured:
        """What each counter gives between two looks at the clock: what runs next to a window."""
        raise NotImplementedError

    def read(self) -> tuple[Reading, ...]:
        """One reading of each counter; one that fails has a reason, and the others go on."""
        return self.decode(self.capture())

    def decode(self, captured: Captured) -> tuple[Reading, ...]:
        """The readings that *captured* stands for."""
        return decode(captured, self._channels, self._counters)

    def close(self) -> None:
        """Closes the descriptors."""
        self._fds = ()
        while self._open:
            os.close(self._open.pop()[1].fd)

    def _open_all(self, take: Callable[[], None]) -> None:
        """Opens what *take* finds, all or nothing.

        Raises:
            MeterUnavailable: It found nothing that can be read.
        """
        try:
            take()
        except BaseException:
            self.close()
            raise
        if not self._open:
            raise nothing_usable(self._unusable)
        self._channels = name_gaps((channel for channel, _ in self._open), self._unread)
        self._counters = tuple(counter for _, counter in self._open)
        self._fds = tuple(counter.fd for counter in self._counters)

    def _refuse(self, what: object, status: Status, reason: str, fix: str = "") -> None:
        self._unusable.append(Unusable(str(what), status, reason, fix))


def name_gaps(channels: Iterable[Channel], unread: Iterable[str]) -> tuple[Channel, ...]:
    """The channels; where another socket of their domain is not read, they say which they are.

    A sum over one of two sockets is right for that socket, and must not pass for the machine.

    Args:
        channels: Those that are read.
        unread: Ids of channels that exist and could not be read, by one route or another.
    """
    channels = tuple(channels)
    read = {channel.id for channel in channels}
    lacking = {id_.rpartition("/")[2] for id_ in unread if id_ not in read and id_[:4] == "cpu/"}
    return tuple(
        replace(channel, boundary=f"{channel.boundary} of {channel.id.rpartition('/')[0]}{ONLY}")
        if channel.domain in lacking
        else channel
        for channel in channels
    )


def decode(
    captured: Captured, channels: Sequence[Channel], counters: Sequence[Counter]
) -> tuple[Reading, ...]:
    """The readings that were captured of *counters*, whose channels are *channels*."""
    rows = zip(captured[::3], captured[1::3], captured[2::3], strict=True)
    return tuple(
        _reading(channel.id, counter, row)
        for channel, counter, row in zip(channels, counters, rows, strict=False)
    )


def _reading(channel: str, counter: Counter, row: tuple[Any, Any, Any]) -> Reading:
    t0, raw, t1 = row
    try:
        if isinstance(raw, OSError):
            raise raw
        return Reading(channel, t0, t1, counter.energy(raw))
    except (OSError, ValueError) as error:
        status, reason, fix = explain(error)
        text = f"{counter}: {reason}; {fix}" if fix else f"{counter}: {reason}"
        return Reading(channel, t0, t1, None, status, text)


def nothing_usable(unusable: Sequence[Unusable]) -> MeterUnavailable:
    """Why none of the counters can be used: a permission that is missing goes before the rest."""
    denied = [found for found in unusable if found.status is Status.PERMISSION]
    first = (*denied, *unusable)[0]
    return MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)
