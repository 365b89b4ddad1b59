"""Windows of random phase, length and reading times over an emulated meter of known power.

`assert_windows_hold` does on a virtual clock what `Instruments.recording` does on the real one:
it reads around a window and in it, sometimes waits for a tick at its ends, goes on reading a gauge
until it has shown the end, and holds the interval of each channel against the true energy.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from random import Random

from emulators import VirtualClock

from bench.meter import Channel, Meter, Reading, Status
from bench.window import channel_energy

Truth = Callable[[float, float], float]
"""True joules from one time to another, both in s on the virtual clock."""

CARRIES_ENERGY = {Status.OK, Status.WRAPPED, Status.HELD}


class KnownPower:
    """P(t) in levels, with its exact integral: ``watts[i]`` for ``seconds[i]``, over and over."""

    def __init__(self, watts: Sequence[float], seconds: Sequence[float]) -> None:
        self.watts, self.seconds = list(watts), list(seconds)
        self._ends = list(accumulate(seconds))
        self._joules = list(accumulate(w * s for w, s in zip(watts, seconds, strict=True)))
        self._starts = [0.0, *self._ends[:-1]]

    def at(self, t_s: float) -> float:
        """Power at a time, W."""
        return self.watts[self._level(t_s % self._ends[-1])]

    def energy(self, t0_s: float, t1_s: float) -> float:
        """Joules from one time to another."""
        return self._since_start(t1_s) - self._since_start(t0_s)

    def mean(self, t0_s: float, t1_s: float) -> float:
        """Mean power from one time to another, W; at one time if they are equal."""
        return self.energy(t0_s, t1_s) / (t1_s - t0_s) if t1_s > t0_s else self.at(t1_s)

    def _level(self, rest_s: float) -> int:
        return min(bisect_right(self._ends, rest_s), len(self.watts) - 1)

    def _since_start(self, t_s: float) -> float:
        periods, rest = divmod(t_s, self._ends[-1])
        level = self._level(rest)
        before = self._joules[level - 1] if level else 0.0
        return (
            periods * self._joules[-1] + before + self.watts[level] * (rest - self._starts[level])
        )


def random_power(random: Random, most_w: float, dwell_s: float, levels: int = 100) -> KnownPower:
    """A power that keeps each of its random levels for at least *dwell_s*."""
    watts = [random.uniform(0.02, 1.0) * most_w for _ in range(levels)]
    return KnownPower(watts, [dwell_s * random.uniform(1, 4) for _ in range(levels)])


def assert_windows_hold(
    meter: Meter,
    clock: VirtualClock,
    truth: Mapping[str, Truth],
    random: Random,
    *,
    windows: int,
    seconds: tuple[float, float],
) -> int:
    """Measures *windows* windows; each channel of *truth* must hold the truth in every one.

    Args:
        meter: An open meter that reads its emulator through *clock*.
        clock: What passes when it is looked at, and when this function lets it.
        truth: True energy of each channel to check, by the channel's id.
        random: Decides phases, lengths and reading times.
        windows: How many.
        seconds: Shortest and longest window.

    Returns:
        How many energies were held against the truth.
    """
    channels = [channel for channel in meter.channels if channel.id in truth]
    assert len(channels) == len(truth), "a channel of the truth is not open"
    checked = 0
    for _ in range(windows):
        length = random.uniform(*seconds)
        t0, t1, readings = _window(meter, clock, channels, random, length)
        for channel in channels:
            own = [reading for reading in readings if reading.channel == channel.id]
            energy = channel_energy(channel, own, t0, t1)
            true_j = truth[channel.id](t0 / 1e9, t1 / 1e9)
            assert energy.status in CARRIES_ENERGY, (energy, length)
            assert energy.low is not None
            assert energy.high is not None
            assert energy.joules is not None
            assert energy.low <= energy.joules <= energy.high
            rounding = 1e-9 * abs(true_j) + 1e-9
            assert energy.low - rounding <= true_j <= energy.high + rounding, (energy, true_j)
            checked += 1
    return checked


def _window(
    meter: Meter, clock: VirtualClock, channels: list[Channel], random: Random, length: float
) -> tuple[int, int, list[Reading]]:
    """One window: its start and end in ns, and every reading around and in it."""
    polls = [c.poll_s or c.update_interval_s for c in channels if c.poll_s or c.unit == "W"]
    every = min(polls, default=0.0)
    tail = max((c.lag_s + every for c in channels if c.unit == "W"), default=0.0)
    longest = max(c.update_interval_s for c in channels)
    clock.pass_s(random.uniform(0, 3) * longest)
    readings = [*meter.read()]
    if random.random() < 0.5:
        readings += _until_tick(meter, clock, longest)
    t0 = clock()
    readings += _pass(meter, clock, random, length, every)
    t1 = clock()
    readings += meter.read()
    if tail:
        readings += [*_pass(meter, clock, random, tail, every), *meter.read()]
    if random.random() < 0.5:
        readings += _until_tick(meter, clock, longest)
    return t0, t1, readings


def _until_tick(meter: Meter, clock: VirtualClock, longest: float) -> list[Reading]:
    began, readings = clock.now_ns, [*meter.read()]
    waiting = {reading.channel: reading.value for reading in readings}
    while waiting and clock.now_ns - began < 2e9 * longest:
        clock.pass_s(longest / 20)
        row = meter.read()
        readings += row
        for reading in row:
            if reading.value != waiting.get(reading.channel, reading.value):
                del waiting[reading.channel]
    return readings


def _pass(
    meter: Meter, clock: VirtualClock, random: Random, seconds: float, every: float
) -> list[Reading]:
    """Lets time pass, and reads about as often as the channels ask for."""
    readings: list[Reading] = []
    end_ns = clock.now_ns + round(seconds * 1e9)
    while every and clock.now_ns + round(every * 1e9) < end_ns:
        clock.pass_s(every * random.uniform(0.5, 1))
        readings += meter.read()
    clock.now_ns = max(clock.now_ns, end_ns)
    return readings
