"""The measuring loop: baseline and variant in alternating blocks, in one session.

A block is one window of many calls; its energy and its time are those of the same stretch.
Pairs come in seeded ABBA order, so that linear drift cancels:

    warm-up A, warm-up B │ A B │ B A │ B A │ A B │ …        A baseline, B variant (or A again)
                           pair  pair

Nothing here knows pytest, files or torch: the loops, the instruments and the clock are given.
"""

import contextlib
import gc
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.instruments import Instruments
from bench.machine import foreign_cpu_s
from bench.meter import Channel, Status
from bench.record import Discard, Latency, Window
from bench.statistics import quantile
from bench.window import doubts, shortest_block_s
from bench.workload import Loop

FOREIGN_LOAD = 0.1
"""Busy CPUs beside ours above which a window is flagged."""

OBSERVER_SHARE = 0.02
"""CPU time of reading the meters, as a share of the window, above which a window is flagged."""

TIME_ONLY_SPLIT = 5
"""Into how many parts a block is split where no instrument asks for its length."""

_CALLS_PER_BLOCK = 5
_HEADROOM = 1.15  # a block must not end below the shortest window because calls got faster
_REPEATS = 3
_CLOCK_TICKS_S = 0.03  # the kernel counts the load in ticks of 10 ms, some of which may be odd


class Blocks(NamedTuple):
    """How many pairs of blocks, the least length of a block, and the length to aim at, s."""

    pairs: int
    least_s: float
    aim_s: float


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

    def fit(self, channels: Iterable[Channel], slowest_call_s: float = 0.0) -> "Blocks":
        """How many blocks, and how long, suit the instruments and the calls.

        With an instrument a block fills its shortest window. Without one only time is measured,
        which needs no long window: the same time is split into more and shorter pairs, closer
        neighbours of which share more of what disturbs a machine.
        """
        if shortest := shortest_block_s(channels):
            least = max(self.block_s, shortest)
            return Blocks(self.pairs, least, least * _HEADROOM)
        block = self.block_s / TIME_ONLY_SPLIT
        split = self.block_s / max(block, _CALLS_PER_BLOCK * slowest_call_s)
        pairs = max(self.pairs, int(self.pairs * split))
        return Blocks(pairs + pairs % 2, 0.0, block)

    def seconds_per_case(self, channels: Iterable[Channel]) -> float:
        """About how long one case takes, s, if its calls are short."""
        blocks = self.fit(channels)
        return 2 * (self.warmup_s + blocks.pairs * blocks.aim_s)


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
        began_ns, others = clock(), foreign_cpu_s()
        with instruments.recording() as recording:
            t0_ns = clock()
            latencies = run()
            t1_ns = clock()
        ended_ns, others_after = clock(), foreign_cpu_s()
    finally:
        if collecting:
            gc.enable()
    energy = instruments.energy(recording, t0_ns, t1_ns)
    summed = {channel.id for channel in instruments.summed}
    flags = (
        *recording.flags,
        *doubts(each for each in energy if each.channel in summed),
        *_load(others, others_after, (ended_ns - began_ns) / 1e9),
        *_observed(recording.observer_cpu_s, (t1_ns - t0_ns) / 1e9),
    )
    latency = latency_of(latencies) if latencies else None
    observer_cpu_s = recording.observer_cpu_s
    return Window(*place, t0_ns, t1_ns, calls, samples, energy, latency, flags, observer_cpu_s)


def _load(before_s: float | None, after_s: float | None, seconds: float) -> Iterator[str]:
    """A flag if other programs kept a CPU busy."""
    if before_s is None or after_s is None:
        return
    seconds = max(seconds, 1e-9)
    load = (after_s - before_s) / seconds
    if load > FOREIGN_LOAD + _CLOCK_TICKS_S / seconds:
        yield f"foreign load {load:.2f} CPU"


def _observed(cpu_s: float, seconds: float) -> Iterator[str]:
    """A flag if reading the meters took much of the window; how much is in its record."""
    if cpu_s > OBSERVER_SHARE * seconds:
        yield f"reading the meters took more than {OBSERVER_SHARE:.0%} of the window in CPU time"


def idle(
    instruments: Instruments,
    seconds: float,
    order: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Window:
    """A window in which we do nothing: the power of the waiting system."""
    length = max(seconds, shortest_block_s(instruments.summed))

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
    per_call = [warm_up(side.loop, schedule.warmup_s, instruments.clock) for side in sides]
    blocks = schedule.fit(instruments.summed, max(per_call))
    source = random.Random(f"{seed}/{case}")  # noqa: S311 - it orders blocks, it keeps no secret
    order = 0
    with _frozen_heap():
        for pair, sequence in enumerate(_abba(blocks.pairs, source)):
            for index in sequence:
                for repeat in range(_REPEATS + 1):
                    calls = max(_CALLS_PER_BLOCK, math.ceil(blocks.aim_s / per_call[index]))
                    place = Place(case, sides[index].role, pair, order)
                    window = _block(instruments, sides[index], place, calls)
                    order += 1
                    per_call[index] = window.seconds / calls
                    if window.seconds >= blocks.least_s:
                        yield window
                        break
                    reason = _too_short(window, blocks.least_s)
                    if repeat == _REPEATS:
                        yield _refused(window, reason)
                        break
                    yield Discard(case, pair, reason)


def _too_short(window: Window, least_s: float) -> str:
    wanted = math.ceil(window.calls * least_s / window.seconds)
    return (
        f"{window.calls} calls took {window.seconds:.3g} s, wanted at least {least_s:.3g} s:"
        f" about {wanted} calls"
    )


def _refused(window: Window, reason: str) -> Window:
    """The window without its readings of instruments, which cannot resolve it."""
    energy = tuple(
        replace(e, joules=None, low=None, high=None, status=Status.TOO_SHORT, reason=reason)
        if e.kind.is_reading
        else e
        for e in window.energy
    )
    return replace(window, energy=energy, flags=(*window.flags, reason))


@contextlib.contextmanager
def _frozen_heap() -> Iterator[None]:
    """Sets aside what is alive, so that the collection before each window need not walk it.

    With torch loaded one collection takes 0.2 s, longer than many a window.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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
