"""Everything that is read around one window, and while it runs.

    wait for a tick · poll ──── the window ────  read · wait for a tick · stop polling

Counters are watched at both ends until they move: a value that was just refreshed is not stale,
and the next one bounds what it has not shown yet. Gauges are polled until they have shown the end
of the window too.
"""

import time
from collections.abc import Callable, Sequence

from bench.meter import Channel, Clock, Reading
from bench.source import Source, tick_channels

_CLOCK_MARGIN = 5


class Recording:
    """The readings of one window, by channel, and what reading them took.

    Args:
        sources: The open meters.
        summed: The channels that the total is made of: only they are waited for.
        clock: Monotonic time in ns.
        sleep: Lets time pass, s.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        summed: Sequence[Channel],
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sources = list(sources)
        self._clock, self._sleep = clock, sleep
        self._ticks = [channel.id for channel in tick_channels(summed)]
        self._summed = tuple(summed)
        self._opened_ns = 0
        self._readings: list[Reading] = []
        self._flags: list[str] = []
        self.observer_cpu_s = 0.0

    @property
    def flags(self) -> tuple[str, ...]:
        """What spoiled the window, each once."""
        return tuple(dict.fromkeys(self._flags))

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All readings, in the order of time."""
        return tuple(sorted(self._readings, key=lambda reading: reading.t0_ns))

    def of(self, channel: str) -> list[Reading]:
        """The readings of one channel in the order of time."""
        return [reading for reading in self.readings if reading.channel == channel]

    def open(self) -> None:
        """Reads before the window; what takes longest goes first, and is read farthest from it."""
        takes_s = {source: self._first_read(source) for source in self._sources}
        self._sources.sort(key=lambda source: (source.prompt, -takes_s[source]))
        for source in self._sources:
            ticks = source.until_tick(self._reference(source))
            if not ticks and source.poll_s is None:
                ticks = [*source.read()]  # the others took their time
            self._readings += ticks
            source.start_polling()
        self._opened_ns = self._clock()

    def _first_read(self, source: Source) -> float:
        """Reads a source and its flags; how long its reading and its tick may take, s."""
        self._flags += source.flags()
        began = self._clock()
        first = source.read()
        took_s = (self._clock() - began) / 1e9
        if any(reading.value is None for reading in first):
            first += source.read()  # one reading of a bus may fail, and a window needs it
        self._readings += first
        return took_s + 2 * source.interval_s(self._reference(source))

    def _reference(self, source: Source) -> set[str]:
        """The counter of a source at whose tick a window opens: the one with the widest edge."""
        return set([id_ for id_ in self._ticks if id_ in source.ids.values()][-1:])

    def shift(self, seconds: float) -> None:
        """Lets time pass between the tick and the window, so that it begins at another phase.

        What answers at once is read again: it has counted since, or shows that it has not.
        """
        self._sleep(seconds)
        for source in self._sources:
            if source.prompt and source.poll_s is None:
                self._readings += source.read()

    def close(self) -> None:
        """Reads after the window, until its end has been shown."""
        ended = self._clock()
        still = [source for source in self._sources if source.prompt or source.poll_s is None]
        marks = [source.mark() for source in reversed(still)]
        for source in reversed(still):
            self._readings += source.until_tick(set(self._ticks))
        self._readings += [reading for mark in marks for reading in mark()]
        seconds = (ended - self._opened_ns) / 1e9  # what a window is too short for is not awaited
        ages = [_age_s(channel) for channel in self._summed if channel.lag_s <= seconds]
        left_s = max(ages, default=0.0) - (self._clock() - ended) / 1e9
        if left_s > 0:
            self._sleep(left_s)
        self.abandon()
        passed = (self._clock() - self._opened_ns) / 1e9
        self.observer_cpu_s *= seconds / passed if passed > 0 else 1.0  # of the window, not after
        for source in self._sources:
            if source not in still:
                self._readings += source.read()
                self._readings += source.until_tick(set(self._ticks))
            self._flags += source.flags()

    def abandon(self) -> None:
        """Ends the polling; that is all there is to do for a window that came to nothing."""
        for source in self._sources:
            polled = source.stop_polling()
            self._readings += polled.readings
            self._flags += polled.flags
            self.observer_cpu_s += polled.cpu_s


def _age_s(channel: Channel) -> float:
    """How long after a moment a channel may show it for the first time, s; 0 for a counter.

    A gauge is looked at once more than its age; a meter with a clock of its own is late too, and
    by how much its clock is off shows only in several samples.
    """
    if channel.unit == "J" and not channel.clock_s:
        return 0.0
    look_s = max(channel.poll_s or 0.0, channel.update_interval_s)
    return channel.lag_s + look_s + _CLOCK_MARGIN * channel.clock_s
