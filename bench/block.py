"""One block: a window of many calls, its energy and its time those of the same stretch."""

import contextlib
import gc
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench import guard
from bench.instruments import Instruments
from bench.record import Latency, Window
from bench.schedule import CALLS_PER_BLOCK
from bench.statistics import quantile
from bench.window import doubts, shortest_block_s
from bench.workload import Loop

OBSERVER_SHARE = 0.02
"""CPU time of reading the meters, as a share of the window, above which a window is flagged."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: the loop that runs it, and the samples of one call.

    Args:
        role: ``baseline``, ``variant`` or ``control``.
        loop: Runs it.
        samples: Of one call.
        least_calls: Fewest calls of a block.
    """

    role: str
    loop: Loop
    samples: int
    least_calls: int = CALLS_PER_BLOCK


class Place(NamedTuple):
    """Where a window belongs: its case, its role in it, its pair, and its number in time."""

    case: str
    role: str
    pair: int
    order: int


def latency_of(seconds: Sequence[float]) -> Latency:
    """The latencies of one window, summarised."""
    ordered = sorted(seconds)
    p50, p95, p99 = (quantile(ordered, share) for share in (0.5, 0.95, 0.99))
    return Latency(len(ordered), p50, p95, p99, math.fsum(ordered) / len(ordered))


@dataclass
class Stretch:
    """What was measured between the two ends of a window.

    Args:
        latencies: Of each call, s; whoever works inside puts them here.
        window: It, once it has ended.
    """

    latencies: Sequence[float] = ()
    window: Window | None = None


def measure_window(
    instruments: Instruments,
    run: Callable[[], Sequence[float]],
    place: Place,
    *,
    calls: int,
    samples: int,
    start: guard.State | None = None,
    shift_s: float = 0.0,
) -> Window:
    """One window around what *run* does.

    Args:
        instruments: What is read.
        run: Does the work and gives the latency of each call, s; nothing if there are no calls.
        place: Where the window belongs.
        calls: How many calls *run* makes.
        samples: How many samples those calls infer.
        start: The machine when the case began, which it should still be like.
        shift_s: How long after the meter's refresh the window begins, s.
    """
    opened = open_window(
        instruments, place, calls=calls, samples=samples, start=start, shift_s=shift_s
    )
    with opened as stretch:
        stretch.latencies = run()
    assert stretch.window is not None  # noqa: S101 - what fails inside is raised
    return stretch.window


@contextlib.contextmanager
def open_window(
    instruments: Instruments,
    place: Place,
    *,
    calls: int,
    samples: int,
    start: guard.State | None = None,
    shift_s: float = 0.0,
) -> Iterator[Stretch]:
    """Reads all meters, lets work, reads them again: one stretch of time with its energy.

    The garbage collector runs before the window and rests in it. Nothing is printed.
    The arguments are those of `measure_window`.
    """
    clock, stretch = instruments.clock, Stretch()
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        began_ns, before = clock(), instruments.state()
        with instruments.recording() as recording:
            if shift_s:
                recording.shift(shift_s)
            t0_ns = clock()
            yield stretch
            t1_ns = clock()
        ended_ns, after = clock(), instruments.state()
    finally:
        if collecting:
            gc.enable()
    energy = instruments.energy(recording, t0_ns, t1_ns)
    summed = {channel.id for channel in instruments.summed}
    passed_s = (ended_ns - began_ns) / 1e9
    flags = (
        *recording.flags,
        *doubts(each for each in energy if each.channel in summed),
        *guard.disturbances(before, after, start or before, passed_s),
        *_observed(recording.observer_cpu_s, (t1_ns - t0_ns) / 1e9),
    )
    latency = latency_of(stretch.latencies) if len(stretch.latencies) else None
    observer_cpu_s = recording.observer_cpu_s
    readings = recording.readings if instruments.keeps_readings else ()
    window = Window(*place, t0_ns, t1_ns, calls, samples, energy, latency, flags, observer_cpu_s)
    stretch.window = replace(window, readings=readings)


def _observed(cpu_s: float, seconds: float) -> Iterator[str]:
    """A flag if reading the meters took much of the window; how much is in its record."""
    if cpu_s > OBSERVER_SHARE * seconds:
        yield f"reading the meters took more than {OBSERVER_SHARE:.0%} of the window in CPU time"


def idle(instruments: Instruments, seconds: float, order: int) -> Window:
    """A window in which we do nothing: the power of the waiting system."""
    length = max(seconds, shortest_block_s(instruments.summed))

    def wait() -> Sequence[float]:
        instruments.sleep(length)
        return ()

    return measure_window(instruments, wait, Place("", "idle", 0, order), calls=0, samples=0)
