"""Series of the gate for its tests: quiet pairs that changed by so much."""

import math

from bench.gate.answer import ENERGY, Decision, Pair, Quantity, Series
from bench.gate.decide import DEFAULT, Rule, decisions

SMALL = (0.004, -0.003, 0.001, -0.004, 0.003, -0.001)
"""Log ratios of six quiet pairs, of mean 0."""


def series(
    *changes: float,
    case: str = "a",
    quantity: Quantity = ENERGY,
    kind: str = "measured",
    fresh: bool = True,
    noise: tuple[float, ...] = SMALL,
    margin: float = 0.02,
    floor: float = 0.0,
    is_canary: bool = False,
) -> Series:
    """A series of which each stage changed so much: six pairs, then 24 if *fresh*."""
    first, second = (changes * 2)[:2]
    pairs = [Pair(2.0, 2.0 * (1 + first) * math.exp(log)) for log in noise]
    if fresh:
        pairs += [Pair(2.0, 2.0 * (1 + second) * math.exp(log), 2) for log in noise * 4]
    return Series(
        case, quantity, "J/call", kind if quantity == ENERGY else "",
        "module" if quantity == ENERGY else "", tuple(pairs), margin, floor, is_canary,
    )  # fmt: skip


def word(one: Series, among: int = 300, rule: Rule = DEFAULT) -> Decision:
    """What is said of a series among so many that did not change."""
    others = [series(0.0, case=str(index), fresh=False) for index in range(among - 1)]
    return decisions([one, *others], rule)[0]
