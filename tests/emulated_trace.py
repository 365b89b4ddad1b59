"""External meters that are not here: what they write, when, and by which clock, from a known power.

`Wattmeter` decides what is written; `Room` lets it come as virtual time passes, into a list, a
file or a pipe.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from emulators import VirtualClock
from known_power import CARRIES_ENERGY, KnownPower, Truth

from bench.meter import Channel, Meter, Reading, Status
from bench.meters._trace_stream import FileStream, Stream
from bench.meters._trace_wanted import wanted
from bench.meters.trace import TraceMeter
from bench.window import ChannelEnergy, channel_energy

EPOCH_S = 1_751_274_900.0
"""Virtual time 0 on the wall clock: 2025-06-30T09:15:00Z."""


class LiveClock(VirtualClock):
    """Virtual time in which others work: every tick that passes, each of *workers* is called."""

    def __init__(self, step_ns: int = 20_000, tick_s: float = 0.05) -> None:
        self._now = 0
        self._tick_ns = round(tick_s * 1e9)
        self._next = self._tick_ns
        self._busy = False
        self.workers: list[Callable[[], object]] = []
        super().__init__(step_ns)

    @property
    def now_ns(self) -> int:
        return self._now

    @now_ns.setter
    def now_ns(self, value: int) -> None:
        while not self._busy and self._next <= value:
            self._busy = True
            self._now = max(self._now, self._next)
            self._next += self._tick_ns
            for work in self.workers:
                work()
            self._busy = False
        self._now = max(self._now, value)

    @property
    def now_s(self) -> float:
        return self._now / 1e9


class Wall:
    """The wall clock of this machine, in ns: it may be set."""

    def __init__(self, clock: LiveClock) -> None:
        self._clock, self.offset_ns = clock, round(EPOCH_S * 1e9)

    def __call__(self) -> int:
        return self._clock.now_ns + self.offset_ns


Line = Callable[[float, float], str]
"""A line of text from the meter's own time, s, and a value, W or J."""


def iso(t: float) -> str:
    return datetime.fromtimestamp(round(t, 3), UTC).isoformat(timespec="milliseconds")


def ptd(t: float, watts: float, mark: str = "joulebench") -> str:
    when = datetime.fromtimestamp(round(t, 3), UTC)
    stamp = f"{when:%m-%d-%Y %H:%M:%S}.{when.microsecond // 1000:03d}"
    amps = watts / 229.8
    return (
        f"Time,{stamp},Watts,{watts:.6f},Volts,229.800000,Amps,{amps:.6f},PF,1.000000,Mark,{mark}"
    )


@dataclass
class Wattmeter:
    """A meter that samples a known power, and the line in which each sample reaches us.

    Args:
        power: What it measures.
        random: Decides jitter, delays, and which lines are bad.
        line: How it writes a sample.
        interval_s: Time between two samples, s.
        average_s: Time over which each is the mean, s.
        counts: Whether it shows the energy so far, in J, instead of power.
        offset_s: What its clock shows at virtual time 0, s.
        drift: How much too fast its clock runs, s per s.
        late_s: Mean delay of a line that does not come promptly, s; two of three may not.
        prompt_s: Longest delay of one that does, s.
        jitter_s: How irregularly it samples, s.
        bad: Share of lines that give no value; never two in a row.
        bad_lines: What such a line may be, by the line that it stands for.
        hold: For how many samples it shows one value.
    """

    power: KnownPower
    random: Random
    line: Line
    interval_s: float = 1.0
    average_s: float | None = None
    counts: bool = False
    offset_s: float = EPOCH_S
    drift: float = 0.0
    late_s: float = 0.0
    prompt_s: float = 0.02
    jitter_s: float = 0.0
    bad: float = 0.0
    bad_lines: Sequence[Callable[[str], str]] = (lambda line: line[: len(line) // 2],)
    hold: int = 1
    since_s: float = 0.0
    set_s: list[tuple[float, float]] = field(default_factory=list)
    silent_from_s: float = float("inf")
    taken: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting: list[tuple[float, str]] = []
        self._grid = self.since_s + self.random.uniform(0.1, 1.0) * self.interval_s
        self._late = self._count = 0
        self._last_bad = False
        self._held = 0.0

    def due(self, now_s: float) -> list[str]:
        """The lines that come until *now_s* and have not been given yet."""
        while self._grid + self.jitter_s <= now_s:
            t = self._grid + self.random.uniform(-1, 1) * self.jitter_s
            self._grid += self.interval_s
            if t < self.silent_from_s:
                self._sample(t)
        ready = [line for at, line in self._waiting if at <= now_s]
        del self._waiting[: len(ready)]
        return ready

    def stamp(self, t: float) -> float:
        """What its own clock shows at a virtual time, s."""
        was_set = sum(by for at, by in self.set_s if at <= t)
        return self.offset_s + t * (1 + self.drift) + was_set

    def _sample(self, t: float) -> None:
        average = self.interval_s * self.hold if self.average_s is None else self.average_s
        if self._count % self.hold == 0:
            start = max(0.0, t - average)
            self._held = self.power.energy(0, t) if self.counts else self.power.mean(start, t)
        self._count += 1
        line = self.line(self.stamp(t), self._held)
        self._last_bad = not self._last_bad and self.random.random() < self.bad
        if self._last_bad:
            line = self.random.choice(self.bad_lines)(line)
        else:
            self.taken.append(t)
        late = self.late_s > 0 and self._late < 2 and self.random.random() < 0.5
        self._late = self._late + 1 if late else 0
        delay = self.random.uniform(0, self.prompt_s)
        if late:
            delay = min(1.0, self.random.expovariate(1 / self.late_s))
        self._waiting.append((t + delay, line))
        for index in range(len(self._waiting) - 1, 0, -1):  # no line overtakes another
            before, text = self._waiting[index - 1]
            self._waiting[index - 1] = (min(before, self._waiting[index][0]), text)


@dataclass
class Memory:
    """A stream of lines in memory."""

    lines: list[str] = field(default_factory=list)
    what: str = "an emulated meter"
    period_s: float = 0.05
    interval_s: float | None = None
    is_file: bool = False
    ended: str = ""
    fault: OSError | None = None
    closed: bool = False

    def write(self, lines: Sequence[str]) -> None:
        self.lines += lines

    def take(self) -> list[str]:
        if self.fault is not None:
            raise self.fault
        taken, self.lines = self.lines, []
        return taken

    def close(self) -> None:
        self.closed = True


@dataclass
class Room:
    """A virtual room with a clock, a meter that writes, and the trace that it writes."""

    source: Wattmeter
    stream: Stream
    write: Callable[[Sequence[str]], object]
    clock: LiveClock = field(default_factory=LiveClock)

    def __post_init__(self) -> None:
        self.wall = Wall(self.clock)
        self.clock.workers.append(self._write)

    def _write(self) -> None:
        if lines := self.source.due(self.clock.now_s):
            self.write(lines)

    def open(self, query: str = "", **more: float) -> TraceMeter:
        """The meter, with what its thread does called by the clock."""
        meter = TraceMeter(
            wanted(f"emulated?{query}" if query else "emulated"),
            self.stream,
            clock=self.clock,
            wall=self.wall,
            sleep=self.clock.pass_s,
            threaded=False,
            **more,
        )
        self.clock.workers.append(meter.receive)
        return meter


def in_memory(source: Wattmeter, header: Sequence[str] = (), **more: object) -> Room:
    memory = Memory(list(header), **more)  # type: ignore[arg-type]
    return Room(source, memory, memory.write)


def in_file(source: Wattmeter, path: Path, header: Sequence[str] = ()) -> Room:
    """A log file that grows."""
    path.write_text("".join(f"{line}\n" for line in header))

    def write(lines: Sequence[str]) -> None:
        with path.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    return Room(source, FileStream(path), write)


@contextmanager
def in_pipe(source: Wattmeter, path: Path) -> Iterator[Room]:
    """A named pipe with a writer that stays."""
    os.mkfifo(path)
    stream = FileStream(path)
    writer = os.open(path, os.O_WRONLY)
    try:
        yield Room(source, stream, lambda lines: os.write(writer, "\n".join([*lines, ""]).encode()))
    finally:
        os.close(writer)


def assert_trace_windows_hold(
    meter: Meter,
    clock: LiveClock,
    truth: Truth,
    random: Random,
    *,
    windows: int,
    seconds: tuple[float, float],
) -> int:
    """Measures windows as a session does with a channel that has time stamps of its own.

    It is read before the window, polled in it, and for `awaited_s` after it.
    `known_power.assert_windows_hold` awaits gauges only, and not the sample that comes next.

    Returns:
        How many windows had an energy. The others lost the samples at one end, and say so.
    """
    (channel,) = meter.channels
    checked = 0
    for _ in range(windows):
        clock.pass_s(random.uniform(0, 3) * channel.update_interval_s)
        length = random.uniform(*seconds)
        t0, t1, readings = trace_window(meter, clock, length, random)
        energy = channel_energy(channel, readings, t0, t1)
        true_j = truth(t0 / 1e9, t1 / 1e9)
        if energy.joules is None:
            assert energy.status in {Status.ERROR, Status.TIMEOUT}, (energy, length)
            assert energy.reason
            continue
        checked += 1
        assert energy.status in {*CARRIES_ENERGY, Status.GAP}, (energy, length)
        assert energy.low is not None
        assert energy.high is not None
        rounding = 1e-9 * abs(true_j) + 1e-9
        assert energy.low - rounding <= true_j <= energy.high + rounding, (energy, true_j)
    return checked


def trace_window(
    meter: Meter, clock: LiveClock, length: float, random: Random | None = None
) -> tuple[int, int, list[Reading]]:
    """One window: its start and end in ns, and all readings around and in it."""
    random = random or Random(0)
    (channel,) = meter.channels
    every = channel.poll_s or channel.update_interval_s
    readings = [*meter.read()]
    t0 = clock()
    for seconds in (length, awaited_s(channel)):
        end = clock.now_ns + round(seconds * 1e9)
        if seconds == length:
            t1 = end
        while clock.now_ns + round(every * 1e9) < end:
            clock.pass_s(every * random.uniform(0.5, 1))
            readings += meter.read()
        clock.now_ns = max(clock.now_ns, end)
    readings += meter.read()
    return t0, t1, sorted(readings, key=lambda reading: reading.t0_ns)


def awaited_s(channel: Channel) -> float:
    """For how long after a window the samples are waited for that show its end, s.

    One may just have been taken, the next may be lost, and their times are in doubt.
    """
    return channel.lag_s + 2 * channel.update_interval_s + 5 * channel.clock_s


def window_of(
    meter: TraceMeter, emulated: Room, seconds: float = 12.0
) -> tuple[ChannelEnergy, float, list[Reading]]:
    """A window's energy, the true one, and the readings."""
    t0, t1, readings = trace_window(meter, emulated.clock, seconds)
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    return energy, emulated.source.power.energy(t0 / 1e9, t1 / 1e9), readings


def no_energy(energy: ChannelEnergy, status: Status, *words: str) -> None:
    assert (energy.joules, energy.low, energy.high) == (None, None, None)
    assert energy.status is status, energy
    assert all(word in energy.reason for word in words), energy.reason


def holds(energy: ChannelEnergy, true_j: float) -> bool:
    assert energy.low is not None, energy
    assert energy.high is not None
    return energy.low <= true_j <= energy.high
