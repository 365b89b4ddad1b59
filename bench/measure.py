"""The measuring loop: baseline and variant in alternating blocks, in one session.

A block is one window of many calls. Pairs come in seeded ABBA order, so that linear drift cancels:

    warm-up A, warm-up B │ A B │ B A │ B A │ A B │ …        A baseline, B variant (or A again)
                           pair  pair

At geometric distances it is asked whether the pairs are enough. Blocks begin at all phases of the
meter's refresh; a block that was disturbed is discarded and run again.

Nothing here knows pytest, files or torch: the loops, the instruments and the clock are given.
"""

import contextlib
import gc
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bench import guard
from bench.block import Place, Side, measure_window
from bench.instruments import Instruments
from bench.meter import Channel, Status
from bench.pairs import energy_ratio, pairs_of, time_ratio
from bench.record import Discard, Window
from bench.schedule import Blocks, Schedule
from bench.statistics import is_decided
from bench.warm_up import warm_up

REPEATS = 3
"""How often a block is run again that was disturbed or too short."""

_SHIFTED_S = (0.01, 1.0)  # faster ones see all of the time, and slower ones a mean of it


def measure_case(
    case: str,
    sides: tuple[Side, Side],
    schedule: Schedule,
    instruments: Instruments,
    seed: int,
    *,
    done: Sequence[Window] = (),
    process: int | None = None,
) -> Iterator[Window | Discard]:
    """Measures two sides against each other, and yields each block as it ends.

    Args:
        case: The case's id.
        sides: The baseline, and the variant or (as A/A control) the baseline again.
        schedule: How long and how often.
        instruments: What is read.
        seed: Decides which side begins each ABBA group; the case's id goes into it.
        done: Windows of the case that were measured before; what they hold is not measured again.
            In a pair that was cut in two, the missing side is measured after its warm-up.
        process: Which of several pairs of fresh processes the sides run in: each has its own
            order and measures the pairs that follow those of the one before. None for this one.
    """
    key = f"{seed}/{case}" if process is None else f"{seed}/{case}/{process}"
    source = random.Random(key)  # noqa: S311 - it orders blocks, it keeps no secret
    order = itertools.count(1 + max((window.order for window in done), default=-1))
    measured = list(done)
    with _frozen_heap():
        cold = sides[:1] if sides[0].loop is sides[1].loop else sides
        ready = [warm_up(case, side, schedule, instruments, next(order)) for side in cold]
        yield from ready
        per_call = [window.seconds / window.calls for window in (*ready, *ready)[:2]]
        blocks, first = schedule.fit(instruments.summed, max(per_call)), 0
        if process is not None:
            blocks = schedule.in_process(instruments.summed)
            first = process * blocks.pairs
        runner = _Runner(case, sides, blocks, instruments, order, per_call)
        sorts = [{guard.sort_of(flag) for flag in window.flags} for window in ready]
        runner.known = set.intersection(*sorts)  # what disturbs both is how this machine is
        phases = _phases(source)
        period_s = _period_s(instruments.summed) if schedule.shifted else 0.0
        for pair, sequence in enumerate(_abba(blocks.pairs, source), start=first):
            look = process is None and pair in blocks.looks
            if look and is_enough(measured, schedule, instruments.summed):
                return
            shift_s = next(phases) * period_s
            for index in sequence:
                if any(w.pair == pair and w.role == sides[index].role for w in done):
                    continue
                for block in runner.run(index, pair, shift_s):
                    if isinstance(block, Window):
                        measured.append(block)
                    yield block


def measure_alone(
    case: str,
    side: Side,
    number: int,
    schedule: Schedule,
    instruments: Instruments,
    *,
    seed: int,
    done: Sequence[Window] = (),
) -> Iterator[Window | Discard]:
    """Measures one side with nothing beside it, and yields each block as it ends.

    What it is held against runs in another process, as `bench.gate.night` has it.

    Args:
        case: The case's id.
        side: What runs.
        number: How many blocks.
        schedule: How long they are.
        instruments: What is read.
        seed: Decides at which phases of the meter's refresh blocks begin.
        done: Windows of the case that were measured before; they are not measured again.
    """
    order = itertools.count(1 + max((window.order for window in done), default=-1))
    phases = _phases(random.Random(f"{seed}/{case}"))  # noqa: S311 - it keeps no secret
    kept = {window.pair for window in done if window.role == side.role}
    with _frozen_heap():
        ready = warm_up(case, side, schedule, instruments, next(order))
        yield ready
        per_call = [ready.seconds / ready.calls]
        blocks = schedule.in_process(instruments.summed)
        runner = _Runner(case, (side, side), blocks, instruments, order, per_call)
        runner.known = {guard.sort_of(flag) for flag in ready.flags}
        period_s = _period_s(instruments.summed) if schedule.shifted else 0.0
        for block in range(number):
            shift_s = next(phases) * period_s
            if block not in kept:
                yield from runner.run(0, block, shift_s)


def is_enough(windows: Iterable[Window], schedule: Schedule, summed: Iterable[Channel]) -> bool:
    """Whether the pairs measured so far answer what was asked: see `Schedule.target`.

    The ratio is that of the energy where it is measured, else that of the time.
    """
    if schedule.target is None:
        return False
    pairs = pairs_of(windows)
    channels = tuple(summed)
    ratio = energy_ratio(pairs, channels) if channels else time_ratio(pairs)
    return is_decided(ratio.ratio() if ratio else None, schedule.target, schedule.margin)


@dataclass
class _Runner:
    """Runs blocks of one case, again where one was too short or disturbed."""

    case: str
    sides: tuple[Side, Side]
    blocks: Blocks
    instruments: Instruments
    order: Iterator[int]
    per_call: list[float]
    known: set[str] = field(default_factory=set)
    start: guard.State = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.instruments.state()

    def run(self, index: int, pair: int, shift_s: float) -> Iterator[Window | Discard]:
        """The block of a side: discards first, if it had to be repeated, then its window.

        What goes on disturbing through all repeats is how this machine is now: the window stays,
        with its flags, and is what later ones are held against.
        """
        # each reason has repeats of its own: when a disturbance ends, calls get faster
        repeats = {True: 0, False: 0}
        while True:
            window = self._block(index, pair, shift_s)
            short = window.seconds < self.blocks.least_s
            disturbed = guard.repeatable(window.flags, self.known)
            reason = _too_short(window, self.blocks.least_s) if short else "; ".join(disturbed)
            if not reason:
                yield window
                return
            if repeats[short] == REPEATS:
                break
            repeats[short] += 1
            yield Discard(self.case, pair, reason)
        if short:
            yield _refused(window, reason)
            return
        self.known |= {guard.sort_of(flag) for flag in disturbed}
        self.start = self.instruments.state()
        yield window

    def _block(self, index: int, pair: int, shift_s: float) -> Window:
        side = self.sides[index]
        calls = max(side.least_calls, math.ceil(self.blocks.aim_s / self.per_call[index]))
        window = measure_window(
            self.instruments,
            lambda: side.loop(calls),
            Place(self.case, side.role, pair, next(self.order)),
            calls=calls,
            samples=calls * side.samples,
            start=self.start,
            shift_s=shift_s,
        )
        # the fastest so far: a block that is too long costs little, a short one counts for nothing
        self.per_call[index] = min(self.per_call[index], window.seconds / calls)
        return window


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


def _abba(pairs: int, source: random.Random) -> Iterator[tuple[int, int]]:
    """The order of the two sides in each pair: ABBA or BAAB, two pairs at a time."""
    for _ in range((pairs + 1) // 2):
        first = source.randrange(2)
        yield first, 1 - first
        yield 1 - first, first


def _phases(source: random.Random) -> Iterator[float]:
    """Phases in [0, 1) that fill it evenly however many are drawn, from a random one on.

    Both sides of a pair begin at the same one. The sequence halves each gap in turn (van der
    Corput's, base 2): at 6, 10 or 12 times a power of two, where it is asked whether the pairs
    are enough, it consists of evenly spaced ones, over which a periodic load averages out.
    """
    start = source.random()
    for number in itertools.count():
        bits = f"{number:b}"
        yield (start + int(bits[::-1], 2) / 2 ** len(bits)) % 1


def _period_s(channels: Iterable[Channel]) -> float:
    """The time over which the beginnings of blocks are spread, s: the slowest meter's refresh.

    A shift costs certainty: what was drawn between the refresh and the block is not known. So it
    is kept for meters that a load could hide from.
    """
    least, most = _SHIFTED_S
    intervals = (channel.update_interval_s for channel in channels)
    return max((u for u in intervals if least <= u <= most), default=0.0)
