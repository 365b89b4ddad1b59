"""A simulated device: models, noise, heat and a meter, in virtual time, with known joules.

It is test material and what `joulebench demo` measures. Time passes only when somebody works,
sleeps or reads, so an hour of measuring takes seconds; the energy of any stretch is known exactly.
Nothing of it is a measurement: every channel says ``simulated``.

Power is constant from event to event. The noise is that of shared/benchmark-tools.md §3.2: an
effect of the night, one of the process, a correlated one of each run, and rare spikes.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.guard import State
from bench.instruments import Instruments
from bench.meter import Reading, Status, Unusable
from bench.simulated_model import ORIGIN, PACKAGE, Counter, DeviceModel, Work
from bench.worker import Job, Worker
from bench.workload import Loop

__all__ = [
    "ORIGIN",
    "PACKAGE",
    "Counter",
    "DeviceModel",
    "SimulatedDevice",
    "SimulatedModel",
    "Work",
]

T = TypeVar("T")


@dataclass(frozen=True)
class SimulatedModel:
    """A work on a device, as the runtime ``simulated`` runs it.

    Args:
        device: Where it runs.
        work: One call of it.
        quality: The quality of its outputs, as a share, where there is something to judge.
    """

    device: "SimulatedDevice"
    work: Work
    quality: float | None = None

    def __call__(self, _: object = None) -> None:
        """One call."""
        self.device.loop(self.work)(1)


class SimulatedDevice:
    """A device that behaves as a model says; one object is one process on one night.

    Args:
        model: How it behaves.
        seed: Of everything random in it.
    """

    name = "simulated"
    read_ns = 200_000

    def __init__(self, model: DeviceModel, seed: int = 0) -> None:
        self.model, self._random = model, random.Random(seed)  # noqa: S311 - it simulates
        self.channels = tuple(counter.channel() for counter in model.counters)
        gauges = [counter.update_s for counter in model.counters if counter.unit == "W"]
        self._look_s = min(gauges, default=None)
        self.prompt = not gauges  # a gauge is read once more when it has shown the window's end
        none = Unusable(self.name, Status.UNAVAILABLE, "the simulated device has no counter")
        self.unusable = () if model.counters else (none,)
        self.now_ns = 1_000_000_000 + self._random.randrange(1_000_000_000)
        self._read_ns = self.now_ns
        self._times = [0.0]
        self._joules = [[0.0] for _ in model.counters]
        self._seen: list[tuple[int, float]] = [(0, 0.0) for _ in model.counters]
        self._noise = (self._random.gauss(0, 1), self._random.gauss(0, 1))
        self._night = self._random.gauss(0, model.night_effect)
        self._celsius, self._foreign_s, self._throttled = model.ambient_c, 0.0, 0

    # -- time and power -----------------------------------------------------------------------

    def clock(self) -> int:
        """Virtual time, ns."""
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        """Lets time pass at idle power."""
        self._pass(seconds, [0.0] * len(self.channels))

    def _pass(self, seconds: float, above: Sequence[float]) -> None:
        """Lets *seconds* pass with so many watts above idle on each channel."""
        model = self.model
        begin_s = self.now_ns / 1e9
        self.now_ns += round(seconds * 1e9)
        passed_s = self.now_ns / 1e9 - begin_s
        grown = 1 + model.drift * begin_s + model.leakage * (self._celsius - model.ambient_c)
        # up to the first event everything was idle
        since = self._times[-1]
        for counter, joules, watts in zip(model.counters, self._joules, above, strict=True):
            before = joules[-1] + (begin_s - since) * counter.idle_w
            if begin_s > since:
                joules.append(before)
            joules.append(before + passed_s * (counter.idle_w + watts) * grown)
        if begin_s > since:
            self._times.append(begin_s)
        self._times.append(self.now_ns / 1e9)
        if model.kelvin_per_watt and above:
            goal = model.ambient_c + model.kelvin_per_watt * above[0] * grown
            self._celsius = goal + (self._celsius - goal) * math.exp(-passed_s / model.warms_in_s)

    def energy(self, channel: str, t0_s: float, t1_s: float) -> float:
        """True joules of a channel from *t0_s* to *t1_s*, both of the past."""
        index = [each.id for each in self.channels].index(channel)
        return self._until(index, t1_s) - self._until(index, t0_s)

    def joules_per_call(self, work: Work) -> float:
        """The true energy of a call over all channels, idle included, without noise and heat, J."""
        idle_w = sum(counter.idle_w for counter in self.model.counters)
        above = self._above_w(work)
        if work.shape:
            above[0] = sum(s * w for s, w in work.shape) / work.seconds
        return work.seconds * (idle_w + sum(above))

    def _until(self, index: int, t_s: float) -> float:
        joules = self._joules[index]
        after = bisect_right(self._times, t_s)
        if after == len(self._times):
            return joules[-1] + (t_s - self._times[-1]) * self.model.counters[index].idle_w
        begin, end = self._times[after - 1], self._times[after]
        return joules[after - 1] + (joules[after] - joules[after - 1]) * (t_s - begin) / (
            end - begin
        )

    # -- work ---------------------------------------------------------------------------------

    def loop(self, work: Work) -> Loop:
        """A loop of calls of *work*: it lets their time pass, and gives their latencies."""
        luck = self._random.gauss(0, self.model.process_effect)

        def run(calls: int) -> Sequence[float]:
            model = self.model
            slower, stronger = self._next_noise()
            factor = math.exp(slower + luck + self._night)
            if self._random.random() < model.spikes:
                factor *= 1 + self._random.uniform(*model.spike)
            strength = math.exp(stronger)
            if model.throttles_at_c is not None and self._celsius > model.throttles_at_c:
                factor, self._throttled = 1.25 * factor, self._throttled + 1
                strength *= model.throttled_power
            others = model.neighbour_w if self._random.random() < model.neighbours else 0.0
            if others:
                self._foreign_s += calls * work.seconds * factor
            self._work(work, calls, factor, strength, others)
            return [work.seconds * factor] * calls

        return run

    def _work(self, work: Work, calls: int, factor: float, stronger: float, others: float) -> None:
        """Lets the calls pass; what neighbours draw is drawn on the first channel."""
        above = [stronger * watts for watts in self._above_w(work)]
        extra = [others, *[0.0] * len(above)]
        if not work.shape:
            drawn = [watts + more for watts, more in zip(above, extra, strict=False)]
            self._pass(calls * work.seconds * factor, drawn)
            return
        for _ in range(calls):
            for seconds, watts in work.shape:
                drawn = [watts * stronger + others, *above[1:]]
                self._pass(seconds * factor, drawn)

    def _above_w(self, work: Work) -> list[float]:
        """Power of a work above the idle one on each channel, W."""
        if isinstance(work.watts, Mapping):
            return [work.watts.get(channel.id, 0.0) for channel in self.channels]
        return [work.watts, *[0.0] * len(self.channels)][: len(self.channels)]

    def _next_noise(self) -> tuple[float, float]:
        """The logarithms of this run's noise in time and in power."""
        keep = self.model.correlation
        fresh = math.sqrt(1 - keep * keep)
        time, power = (keep * old + fresh * self._random.gauss(0, 1) for old in self._noise)
        self._noise = (time, power)
        return self.model.noise * time, self.model.power_noise * power

    # -- the meter ----------------------------------------------------------------------------

    def read(self) -> tuple[Reading, ...]:
        """One reading of each channel; it takes 0.2 ms.

        Where there is a gauge, all are looked at after each of its refreshes too, as a thread of
        its own would do it.
        """
        since, self._read_ns = self._read_ns, self.now_ns
        self.now_ns += self.read_ns
        looks = [*self._looks(since), self._read_ns]
        return tuple(
            Reading(channel.id, look, look + self.read_ns, self._shown(index, look / 1e9))
            for index, channel in enumerate(self.channels)
            for look in looks
        )

    def _looks(self, since_ns: int) -> range:
        """The times at which the gauges were looked at since the last reading, ns."""
        if self._look_s is None:
            return range(0)
        period = round(self._look_s * 1e9)
        return range((since_ns // period + 1) * period + self.read_ns, self._read_ns, period)

    def _shown(self, index: int, t_s: float) -> float:
        """What the channel shows at a time: joules so far, or power, as of its last refresh."""
        counter = self.model.counters[index]
        ticks = int(t_s / counter.update_s + 1e-9)
        if counter.unit == "W":
            value = self._mean_w(index, ticks)
        elif counter.seen_s is None:
            value = self._until(index, ticks * counter.update_s)
        else:
            done, value = self._seen[index]
            value += (
                sum(self._mean_w(index, k) for k in range(done + 1, ticks + 1)) * counter.update_s
            )
            self._seen[index] = (ticks, value)
        value = math.floor(value / counter.resolution) * counter.resolution
        return value if counter.wrap is None else value % counter.wrap

    def _mean_w(self, index: int, tick: int) -> float:
        """Mean power that the sensor saw before a refresh, W."""
        counter = self.model.counters[index]
        seen_s = counter.seen_s or counter.update_s
        end = tick * counter.update_s
        return (self._until(index, end) - self._until(index, end - seen_s)) / seen_s

    def close(self) -> None:
        """Nothing is held."""

    def state(self) -> State:
        """The simulated machine now."""
        heated = self.model.kelvin_per_watt > 0
        return State(
            temperature_c=self._celsius if heated else None,
            throttles=self._throttled,
            foreign_cpu_s=self._foreign_s,
        )

    def instruments(self, device: str = "") -> Instruments:
        """The device's meter, open, on its virtual clock."""
        return Instruments(
            (self,) if self.channels else (),
            self.unusable,
            clock=self.clock,
            sleep=self.sleep,
            workers=(_AtOnce(self.name),) if self.channels else (),
            watch=self.state,
            device=device,
        )


class _AtOnce(Worker):
    """No thread: in virtual time nothing runs beside anything, so the same seed gives the same."""

    def call(self, function: Callable[[], T], seconds: float) -> T:  # noqa: ARG002 - none pass
        return function()

    def submit(self, function: Callable[[], Any]) -> Job:
        """Leaves out the polling of a gauge: its next reading gives the looks of the meantime."""
        job = Job(function)
        job.done.set()
        return job
