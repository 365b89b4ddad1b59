"""Builds nights for tests: a decision is a list of values of both sides and a word."""

import math
from collections.abc import Sequence
from typing import Any

from journals import a_case, a_run, quality

from bench.gate.answer import ENERGY, TIME, Decision, Night, Pair, Quantity, Series, Word
from bench.gate.known import Known, Side
from bench.gate.repository import Commit
from bench.gate.suspects import Suspects
from bench.record import CaseRecord, Run
from bench.statistics import ratio_interval

CASE = "digits/baseline/eager/cpu/b1"
GOOD, BAD = "1a2b3c4d5e" * 4, "5d6e7f8a9b" * 4
WOBBLE = (-0.004, 0.003, 0.001, -0.002, 0.005, -0.001)


def pairs(
    base: float, head: float, *, wobble: Sequence[float] = WOBBLE, fresh: int = 0
) -> tuple[Pair, ...]:
    """Pairs around two values, J or s per sample; each head has luck of its own."""
    first = [Pair(base, head * math.exp(luck)) for luck in wobble]
    return (
        *first,
        *(Pair(base, head * math.exp(wobble[i % len(wobble)]), 2) for i in range(fresh)),
    )


def decision(
    word: Word = Word.REGRESSED,
    quantity: Quantity = ENERGY,
    values: tuple[float, float] = (0.048, 0.0538),
    *,
    fresh: int = 12,
    p: float | None = 2e-6,
    reason: str = "as the test says",
    **series: Any,
) -> Decision:
    energy = {"unit": "J/image", "kind": "measured", "boundary": "cpu-package"}
    of = energy if quantity == ENERGY else {"unit": "s/image"}
    wobble = WOBBLE if quantity == ENERGY else tuple(luck / 3 for luck in reversed(WOBBLE))
    found = pairs(*values, wobble=wobble, fresh=fresh)
    told = Series(**{"case": CASE, "quantity": quantity, "pairs": found, **of, **series})
    ratio = ratio_interval([(pair.base, pair.head) for pair in told.pairs])
    return Decision(told, word, ratio, p, 1.0, reason)


def silent(word: Word = Word.NOT_MEASURED, quantity: Quantity = ENERGY, why: str = "") -> Decision:
    """A decision of nothing."""
    why = why or "no instrument reads the energy"
    series = Series(CASE, quantity, f"{'J' if quantity == ENERGY else 's'}/image", absent=why)
    return Decision(series, word, None, None, None, why)


def canary(ratio: float = 1.006, quantity: Quantity = ENERGY) -> Decision:
    values = (0.048, 0.048 * ratio)
    return decision(Word.OK, quantity, values, case="digits/other/eager/cpu/b1", canary=True)


def power_grew() -> Night:
    """Energy +12.1 %, time +3.1 %, so power +8.7 %."""
    return Night(
        (
            decision(),
            decision(quantity=TIME, values=(0.00192, 0.00198), word=Word.INCONCLUSIVE),
            decision(Word.OK, values=(0.01, 0.01), case="digits/int8/eager/cpu/b1"),
        ),
        canaries=(canary(), canary(1.001, TIME)),
    )


def commit(number: int, subject: str, author: str = "Ada") -> Commit:
    """A commit whose hash repeats its number."""
    return Commit(f"{number:04x}c0ffe" * 4 + "abcd", author, "2026-11-22T01:02:03+00:00", subject)


def sides(
    base: Run | None = None, head: Run | None = None, case: CaseRecord | None = None, **known: Any
) -> Known:
    """What is known of both sides of the case."""
    record = case or a_case(nodeid="tests/test_digits.py::test_model", quality=quality(0.97))
    touching = (commit(0x9C8D, "use 8 threads by default"),)
    fields: dict[str, Any] = {
        "base": Side(GOOD, "2026-11-21T10:00:00Z", run=base or a_run(), case=record),
        "head": Side(BAD, "2026-11-22T10:00:00Z", run=head or a_run(), case=record),
        "suspects": Suspects(touching, 3, ("tests/test_digits.py",)),
        "noise": {ENERGY: 0.011},
        "nights": 20,
        "seconds": 10.0,
        "journals": ("pair-01-g01-a-base.jsonl",),
    }
    return Known(**{**fields, **known})
