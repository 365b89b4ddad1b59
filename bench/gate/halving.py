"""``git bisect`` on a measured case: which commit made it dearer.

`search` is pure but for what it is given: a way to measure pairs, and git's own bisection. Every
midpoint is held against the good revision; it is ``bad`` if its ratio lies nearer to that of the
bad revision than to 1, both as logarithms. More pairs are measured while that is not clear.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bench.gate.answer import ENERGY, TIME, Pair, Quantity
from bench.gate.canary import DEFAULT_MARGIN
from bench.gate.repository import Commit
from bench.statistics import Interval, ratio_interval

PAIRS = 6
"""Pairs of fresh processes at the first look."""

_LOOKS = 4  # times as many pairs at the last look as at the first


class SkippedError(ValueError):
    """A revision cannot be measured: it does not build, or has not the case."""


Measure = Callable[[str, str, int], Mapping[Quantity, Sequence[Pair]]]
"""``measure(base, head, pairs)``: the values of so many new pairs of two revisions, by quantity.

It raises `SkippedError` where *head* cannot be measured.
"""


class Mark(StrEnum):
    """What ``git bisect`` is told of a revision."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


class Bisection(Protocol):
    """What `search` needs of git."""

    def midpoint(self) -> Commit | None: ...

    def tell(self, mark: Mark) -> None: ...

    def guilty(self) -> tuple[Commit, ...]: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One midpoint that was measured.

    Args:
        commit: Which.
        mark: What git was told.
        ratio: Midpoint ÷ good, or None if it was skipped.
        why: Why it was skipped, or what is not clear; else empty.
    """

    commit: Commit
    mark: Mark
    ratio: Interval | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A search that came to its end.

    Args:
        quantity: What was compared.
        whole: Bad ÷ good.
        steps: In their order.
        guilty: The commit; several where those between could not be measured.
    """

    quantity: Quantity
    whole: Interval
    steps: tuple[Step, ...]
    guilty: tuple[Commit, ...]

    @property
    def is_clear(self) -> bool:
        """Whether one commit is named, and no step on the way was a close one."""
        return len(self.guilty) == 1 and not any(
            step.why for step in self.steps if step.mark is not Mark.SKIP
        )


@dataclass(frozen=True, slots=True)
class NotDearer:
    """There is nothing to look for: *bad* is not dearer than *good*.

    Args:
        ratios: Bad ÷ good by quantity, of what could be measured.
    """

    ratios: Mapping[Quantity, Interval]


def confirm(
    measure: Measure, good: str, bad: str, pairs: int = PAIRS, *, margin: float = DEFAULT_MARGIN
) -> tuple[Quantity, Interval] | NotDearer:
    """The quantity in which *bad* is dearer than *good*, energy first, and by how much.

    More pairs are measured until the 95 % interval of one of them lies beyond the margin, or those
    of all below it.

    Raises:
        SkippedError: One of them cannot be measured.
    """
    least = 1 + margin
    seen: dict[Quantity, list[Pair]] = {}
    ratios: dict[Quantity, Interval] = {}
    for more in _looks(pairs):
        for quantity, found in measure(good, bad, more).items():
            seen.setdefault(quantity, []).extend(found)
        ratios = _ratios(seen)
        for quantity in (ENERGY, TIME):
            if quantity in ratios and ratios[quantity].low > least:
                return quantity, ratios[quantity]
        if all(ratio.high < least for ratio in ratios.values()):
            break
    return NotDearer(ratios)


def search(
    measure: Measure,
    bisection: Bisection,
    good: str,
    whole: tuple[Quantity, Interval],
    *,
    pairs: int = PAIRS,
    told: Callable[[Step], None] = lambda _: None,
) -> Search:
    """Halves the commits until one is left.

    Args:
        measure: Measures pairs.
        bisection: Git's own, started.
        good: Hash of the revision that each midpoint is held against.
        whole: What `confirm` gave.
        pairs: At the first look at each midpoint.
        told: Is told each step.
    """
    quantity, ratio = whole
    steps = []
    while (commit := bisection.midpoint()) is not None:
        step = judge(measure, good, commit, quantity=quantity, whole=ratio.value, pairs=pairs)
        bisection.tell(step.mark)
        steps.append(step)
        told(step)
    return Search(quantity, ratio, tuple(steps), bisection.guilty())


def judge(
    measure: Measure,
    good: str,
    commit: Commit,
    *,
    quantity: Quantity,
    whole: float,
    pairs: int = PAIRS,
) -> Step:
    """Whether a midpoint is as dear as the bad revision, which is *whole* times the good one."""
    half, seen, ratio = math.sqrt(whole), list[Pair](), None
    for more in _looks(pairs):
        try:
            seen += measure(good, commit.hash, more).get(quantity, ())
        except SkippedError as error:
            return Step(commit, Mark.SKIP, why=str(error))
        ratio = ratio_interval([(pair.base, pair.head) for pair in seen])
        if ratio and not ratio.low <= half <= ratio.high:
            break
    if ratio is None:
        return Step(commit, Mark.SKIP, why=f"its {quantity} was not measured")
    close = ratio.low <= half <= ratio.high
    why = "close to the middle between good and bad: taken for the nearer" if close else ""
    return Step(commit, Mark.BAD if ratio.value > half else Mark.GOOD, ratio, why)


def _looks(pairs: int) -> Iterator[int]:
    """How many pairs are added before each look: the sum doubles."""
    yield pairs
    total = pairs
    while total < _LOOKS * pairs:
        yield total
        total *= 2


def _ratios(seen: Mapping[Quantity, Sequence[Pair]]) -> dict[Quantity, Interval]:
    found = {
        quantity: ratio_interval([(pair.base, pair.head) for pair in pairs])
        for quantity, pairs in seen.items()
    }
    return {quantity: ratio for quantity, ratio in found.items() if ratio}


def steps_left(commits: int) -> int:
    """About how many midpoints a search through so many commits measures.

    >>> steps_left(1), steps_left(8)
    (0, 3)
    """
    return math.ceil(math.log2(commits)) if commits > 1 else 0
