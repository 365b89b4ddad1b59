"""What a gate is asked and what it answers, as frozen values.

A *series* is what was seen of one case and one quantity; a *decision* is the word that it earns; a
*night* is all of them together, trusted or not.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from bench.statistics import Interval

ENERGY: Final = "energy"
TIME: Final = "time"
Quantity = Literal["energy", "time"]


class Word(StrEnum):
    """What is said of one case and quantity."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    OK = "ok"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"

    @property
    def mark(self) -> str:
        """A shape that stands beside the word: colour alone says nothing to many."""
        return {"regressed": "✖", "improved": "▲", "ok": "●", "inconclusive": "◌"}.get(self, "⊘")


@dataclass(frozen=True, slots=True)
class Pair:
    """Values of two fresh processes that ran one after the other, each the median of its blocks.

    Args:
        base: Of the baseline revision, J/sample or s/sample.
        head: Of the revision in question, in the same unit.
        stage: 1 for the pairs that every case gets, 2 for the fresh ones of a candidate.
    """

    base: float
    head: float
    stage: int = 1

    @property
    def log_ratio(self) -> float:
        """ln(head ÷ base)."""
        return math.log(self.head / self.base)


@dataclass(frozen=True, slots=True)
class Series:
    """What was seen of one case and one quantity in one night.

    Args:
        case: Its id.
        quantity: ``energy`` or ``time``.
        unit: SI and what a sample is: ``J/image``, ``s/image``.
        kind: Kind of the energy, such as ``measured``; empty for a time.
        boundary: What the joules contain; empty for a time.
        pairs: In the order in which they were measured.
        margin: Least change that counts, as a share: 0.01.
        floor: Least change that counts, in the unit of the values: some steps of the counter.
        canary: Whether both sides are the baseline revision: a control of the night.
        absent: Why nothing can be said (``word`` is then not measured or not comparable); else "".
        word: The word that `absent` explains.
    """

    case: str
    quantity: Quantity
    unit: str
    kind: str = ""
    boundary: str = ""
    pairs: tuple[Pair, ...] = ()
    margin: float = 0.01
    floor: float = 0.0
    canary: bool = False
    absent: str = ""
    word: Word = Word.NOT_MEASURED

    def log_ratios(self, stage: int) -> tuple[float, ...]:
        """ln(head ÷ base) of each pair of a stage."""
        return tuple(pair.log_ratio for pair in self.pairs if pair.stage == stage)


@dataclass(frozen=True, slots=True)
class Decision:
    """The word that a series earns, and why.

    Args:
        series: What it rests on.
        word: The word.
        ratio: head ÷ base over all pairs with its 95 % interval; None where nothing was measured.
        p: One-sided p value of a regression beyond the margin after both stages; 1 where it was no
            candidate; None where nothing was measured.
        p_improved: The same for an improvement.
        reason: One sentence.
        pairs_needed: About how many pairs would decide it; None if it is decided, or nobody knows.
    """

    series: Series
    word: Word
    ratio: Interval | None
    p: float | None
    p_improved: float | None
    reason: str
    pairs_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Night:
    """All decisions of one night.

    Args:
        decisions: Of each case and quantity, canaries left out.
        canaries: Of the controls.
        untrusted: Why the night cannot be trusted; empty if it can.
        unpaired: Whether only history was there to compare with.
    """

    decisions: tuple[Decision, ...]
    canaries: tuple[Decision, ...] = ()
    untrusted: str = ""
    unpaired: bool = False

    def having(self, word: Word) -> tuple[Decision, ...]:
        """The decisions with a word."""
        return tuple(each for each in self.decisions if each.word is word)
