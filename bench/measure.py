"""The measuring loop: baseline and variant in alternating blocks, in one session.

A block is one window of many calls; its energy and its time are those of the same stretch.
Pairs come in seeded ABBA order, so that linear drift cancels:

    warm-up A, warm-up B │ A B │ B A │ B A │ A B │ …        A baseline, B variant (or A again)
                           pair  pair

Nothing here knows pytest, files or torch: the loops, the instruments and the clock are given.
"""

import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.instruments import Instruments
from bench.machine import foreign_cpu_s
from bench.record import Discard, Latency, Window
from bench.statistics import quantile
from bench.window import calls_to_resolve, shortest_block_s
from bench.workload import Loop

FOREIGN_LOAD = 0.1
"""Busy CPUs beside ours above which a window is flagged."""

_HEADROOM = 1.15  # a block must not end below the shortest window because calls got faster
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how often is measured.

    Args:
        pairs: Pairs of blocks for each case; even, for ABBA.
        block_s: Shortest block, s; the meters may ask for a longer one.
        warmup_s: Warm-up of each side, s.
        idle_s: Length of the idle windows before and after the session, s.
        margin: Equivalence margin of the verdicts.
    """

    pairs: int
    block_s: float
    warmup_s: float
    idle_s: float
    margin: float

    def seconds_per_case(self, shortest_s: float) -> float:
        """About how long one case takes, s, if its calls are short."""
        block = max(self.block_s, shortest_s) * _HEADROOM
        return 2 * (self.warmup_s + self.pairs * block)


PROFILES: Mapping[str, Schedule] = {
    "quick": Schedule(pairs=6, block_s=0.5, warmup_s=0.3, idle_s=2.0, margin=0.03),
    "nightly": Schedule(pairs=12, block_s=0.5, warmup_s=0.5, idle_s=5.0, margin=0.02),
    "full": Schedule(pairs=20, block_s=1.0, warmup_s=1.0, idle_s=10.0, margin=0.02),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: the loop that runs it, and the samples of one call."""

    role: str
    loop: Loop
    samples: int


def warm_up(loop: Loop, seconds: float, clock: Callable[[], int]) -> float:
    """Runs *loop* for about *seconds*, and gives the seconds per call at its end.

    The first call is run apart: it is cold and decides nothing.
    """
    loop(1)
    calls, began = 1, clock()
    while True:
        before = clock()
        loop(calls)
        per_call = (clock() - before) / 1e9 / calls
        spent = (clock() - began) / 1e9
        if spent >= seconds:
            return per_call
        # bursts of a fifth of the warm-up: the last one is long enough to size blocks by
        calls = max(1, min(10 * calls, math.ceil(seconds / 5 / max(per_call, 1e-9))))


def latency_of(seconds: Sequence[float]) -> Latency:
    """The latencies of one window, summarised."""
    ordered = sorted(seconds)
    p50, p95, p99 = (quantile(ordered, share) for share in (0.5, 0.95, 0.99))
    return Latency(len(ordered), p50, p95, p99, math.fsum(ordered) / len(ordered))


class Place(NamedTuple):
    """Where a window belongs: its case, its role in it, its pair, and its number in time."""

    case: str
    role: str
    pair: int
    order: int


def measure_window(
    instruments: Instruments,
    run: Callable[[], Sequence[float]],
    place: Place,
    *,
    calls: int,
    samples: int,
) -> Window:
    """Reads all meters, runs, reads them again: one stretch of time with its energy.

    The garbage collector runs before the window and rests in it. Nothing is printed.

    Args:
        instruments: What is read.
        run: Does the work and gives the latency of each call, s; nothing if there are no calls.
        place: Where the window belongs.
        calls: How many calls *run* makes.
        samples: How many samples those calls infer.
    """
    clock = instruments.clock
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        others = foreign_cpu_s()
        before = instruments.read()
        t0_ns = clock()
        latencies = run()
        t1_ns = clock()
        after = instruments.read()
        others_after = foreign_cpu_s()
    finally:
        if collecting:
            gc.enable()
    flags: tuple[str, ...] = ()
    if others is not None and others_after is not None:
        load = (others_after - others) / max((t1_ns - t0_ns) / 1e9, 1e-9)
        # the kernel counts in ticks of 10 ms: below a window of some ticks it says nothing
        if load > FOREIGN_LOAD and t1_ns - t0_ns > 1e8:  # noqa: PLR2004
            flags = (f"foreign load {load:.2f} CPU",)
    return Window(
        *place,
        t0_ns,
        t1_ns,
        calls,
        samples,
        instruments.energy([before, after], t0_ns, t1_ns),
        latency_of(latencies) if latencies else None,
        flags,
    )


def idle(
    instruments: Instruments,
    seconds: float,
    order: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Window:
    """A window in which we do nothing: the power of the waiting system."""
    length = max(seconds, shortest_block_s(instruments.channels))

    def wait() -> Sequence[float]:
        sleep(length)
        return ()

    return measure_window(instruments, wait, Place("", "idle", 0, order), calls=0, samples=0)


def measure_case(
    case: str,
    sides: tuple[Side, Side],
    schedule: Schedule,
    instruments: Instruments,
    seed: int,
) -> Iterator[Window | Discard]:
    """Measures two sides against each other, and yields each block as it ends.

    Args:
        case: The case's id.
        sides: The baseline, and the variant or (as A/A control) the baseline again.
        schedule: How long and how often.
        instruments: What is read.
        seed: Decides which side begins each ABBA group; the case's id goes into it.
    """
    shortest = max(schedule.block_s, shortest_block_s(instruments.channels))
    per_call = [warm_up(side.loop, schedule.warmup_s, instruments.clock) for side in sides]
    order = 0
    for pair, sequence in enumerate(_abba(schedule.pairs, random.Random(f"{seed}/{case}"))):  # noqa: S311
        for index in sequence:
            side = sides[index]
            for repeat in range(_REPEATS + 1):
                calls = max(
                    calls_to_resolve(instruments.channels, per_call[index]),
                    math.ceil(shortest * _HEADROOM / per_call[index]),
                )
                window = _block(instruments, side, Place(case, side.role, pair, order), calls)
                order += 1
                per_call[index] = window.seconds / calls
                if window.seconds >= shortest or repeat == _REPEATS:
                    yield window
                    break
                yield Discard(
                    case,
                    pair,
                    f"{calls} calls took {window.seconds:.3g} s, wanted at least {shortest:.3g} s",
                )


def _block(instruments: Instruments, side: Side, place: Place, calls: int) -> Window:
    samples = calls * side.samples
    return measure_window(
        instruments, lambda: side.loop(calls), place, calls=calls, samples=samples
    )


def _abba(pairs: int, source: random.Random) -> Iterator[tuple[int, int]]:
    """The order of the two sides in each pair: ABBA or BAAB, two pairs at a time."""
    for _ in range((pairs + 1) // 2):
        first = source.randrange(2)
        yield first, 1 - first
        yield 1 - first, first
