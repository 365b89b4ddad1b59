"""How long and how often is measured: profiles, and what suits the instruments and the calls."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.meter import Channel
from bench.window import shortest_block_s

TIME_ONLY_SPLIT = 5
"""Into how many parts a block is split where no instrument asks for its length."""

CALLS_PER_BLOCK = 5
PAIRS_PER_PROCESS = 4
"""Pairs of blocks that a pair of fresh processes measures: two of ABBA, more than the three blocks
a side of shared/benchmark-tools.md §3.3, point 1."""

HEADROOM = 1.05
"""By how much a block aims beyond its least length: it must not end early as calls get faster.

It counts with the fastest call so far, so little is left for it to do.
"""

_WARMUP_SHARE = 0.25
_FIRST_LOOK = 10  # pairs of short blocks, which cost little


class Blocks(NamedTuple):
    """How many pairs of blocks, the least length of a block, and the length to aim at, s.

    ``looks`` are the numbers of pairs at which it is asked whether they are enough, the last
    being the most that are measured.
    """

    looks: tuple[int, ...]
    least_s: float
    aim_s: float

    @property
    def pairs(self) -> int:
        """The most pairs that are measured."""
        return self.looks[-1]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how often is measured.

    Args:
        pairs: Pairs of blocks for each case before the first look; even, for ABBA.
        block_s: Shortest block, s; the meters may ask for a longer one.
        warmup_s: Least warm-up of each side, s; it goes on until the side is steady.
        idle_s: Length of the idle windows before and after the session, s.
        margin: Equivalence margin of the verdicts.
        target: Half-width of the ratio's interval at which more pairs are not needed; None
            measures just *pairs*.
        most_pairs: Pairs at which measuring ends in any case; None measures just *pairs*.
        shifted: Whether blocks begin at all phases of the meter's refresh, so that a load of its
            very period cannot hide from it.
    """

    pairs: int
    block_s: float
    warmup_s: float
    idle_s: float
    margin: float
    target: float | None = None
    most_pairs: int | None = None
    shifted: bool = True

    def fit(self, channels: Iterable[Channel], slowest_call_s: float = 0.0) -> Blocks:
        """How many blocks, and how long, suit the instruments and the calls.

        With an instrument a block fills its shortest window. Without one only time is measured,
        which needs no long window: the same time is split into more and shorter pairs, closer
        neighbours of which share more of what disturbs a machine.
        """
        most = self.pairs if self.target is None else self.most_pairs or self.pairs
        if shortest := shortest_block_s(channels):
            least = max(self.block_s, shortest)
            return Blocks(tuple(_looks(self.pairs, most)), least, least * HEADROOM)
        block = self.block_s / TIME_ONLY_SPLIT
        split = self.block_s / max(block, CALLS_PER_BLOCK * slowest_call_s)
        most = max(self.pairs, int(most * split))
        first = most if self.target is None else max(self.pairs, min(_FIRST_LOOK, most))
        return Blocks(tuple(_looks(first, most)), 0.0, block)

    def of_pairs(self, pairs: int | None) -> "Schedule":
        """A schedule of just so many pairs of blocks; itself if None.

        Few blocks need no long warm-up: its least is at most a quarter of what is then measured.
        """
        if pairs is None:
            return self
        warmup_s = min(self.warmup_s, pairs * self.block_s * _WARMUP_SHARE)
        return replace(self, pairs=pairs, target=None, warmup_s=warmup_s)

    def in_process(self, channels: Iterable[Channel]) -> Blocks:
        """How many blocks one of several fresh processes runs, and how long ones.

        It is always the same number, so that a pair's number says in which process it was. What
        is added where that does not answer is processes.
        """
        looks = (PAIRS_PER_PROCESS,)
        if shortest := shortest_block_s(channels):
            least = max(self.block_s, shortest)
            return Blocks(looks, least, least * HEADROOM)
        return Blocks(looks, 0.0, self.block_s)

    def seconds_per_case(self, channels: Iterable[Channel]) -> tuple[float, float]:
        """About the least and the most time that one case takes, s, if its calls are short."""
        blocks = self.fit(channels)
        least, most = (
            2 * (self.warmup_s + n * blocks.aim_s) for n in (blocks.looks[0], blocks.pairs)
        )
        return least, most


def _looks(first: int, most: int) -> Iterator[int]:
    """Even numbers of pairs at geometric distances, from *first* to *most*."""
    pairs = first + first % 2
    most = max(pairs, most + most % 2)
    while pairs < most:
        yield pairs
        pairs *= 2
    yield most


PROFILES: Mapping[str, Schedule] = {
    "quick": Schedule(6, 0.5, warmup_s=0.3, idle_s=2, margin=0.03, target=0.03, most_pairs=24),
    "nightly": Schedule(12, 0.5, warmup_s=0.5, idle_s=5, margin=0.02, target=0.02, most_pairs=48),
    "full": Schedule(10, 1.0, warmup_s=1, idle_s=10, margin=0.02, target=0.01, most_pairs=40),
}
