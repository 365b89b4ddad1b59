"""Beside the rule of the gate: gates without pairs on the same noise, and whom canaries warn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from nights_found import CHANGES, TRUE, Row, Sizes, flags
from simulated_nights import MODELS, Generator, Noise, Values, history, night

from bench.gate.answer import Decision
from bench.gate.canary import DEFAULT_MARGIN, NIGHTS, group, spread, untrusted
from bench.gate.decide import DEFAULT, decisions

CANARIES = (2, 5, 15)
TROUBLES: dict[str, Callable[[Noise], Noise]] = {
    "second side +0.5 %": lambda noise: replace(noise, slot=0.005),
    "second side +1 %": lambda noise: replace(noise, slot=0.01),
    "second side +2 %": lambda noise: replace(noise, slot=0.02),
    "second side +3 %": lambda noise: replace(noise, slot=0.03),
    "noise × 3": lambda noise: noise.times(3),
    "half of all launches disturbed": lambda noise: replace(noise, disturbed=0.5),
}

_FIFTEEN = TRUE["15 of +5 %"]


def others(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """Gates without pairs: one process of each case a night, beside earlier nights."""
    cases = sizes["cases"]
    methods = _methods(sizes["earlier nights"])
    for name, noise in MODELS.items():
        values = history(random, noise, sizes["nights"] * cases, sizes["earlier nights"] + 1)
        for method, flagged in methods.items():
            false = flagged(values).reshape(-1, cases)
            found = [flagged(_changed(values, each)).reshape(-1, cases) for each in CHANGES]
            wrong = false[:, len(_FIFTEEN) :].sum(axis=1)
            right = found[CHANGES.index(_FIFTEEN[0])][:, : len(_FIFTEEN)].sum(axis=1)
            yield {
                "model": name,
                "method": method,
                "alarms": false.sum(axis=1).mean(),
                "nights": int(false.any(axis=1).sum()),
                "found": [each.mean() for each in found],
                "false": (wrong / np.maximum(wrong + right, 1)).mean(),
            }


def _changed(values: Values, change: float) -> Values:
    """The same with a last night that is dearer."""
    changed = values.copy()
    changed[:, -1] += np.log1p(change)
    return changed


def _methods(earlier: int) -> dict[str, Callable[[Values], Values]]:
    def z(values: Values) -> Values:
        before = values[:, :-1]
        score: Values = (values[:, -1] - before.mean(axis=1)) / before.std(axis=1, ddof=1)
        return score

    return {
        "`mean:5%` of pytest-benchmark, last night": lambda v: v[:, -1] - v[:, -2] > np.log(1.05),
        f"look-back over {earlier} nights, z > 3": lambda v: z(v) > 3,  # noqa: PLR2004
        f"look-back over {earlier} nights, z > 5": lambda v: z(v) > 5,  # noqa: PLR2004
    }


def canaries(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """Good nights with few and with many canaries, and bad ones: which are trusted?"""
    for (name, noise), number in product(MODELS.items(), CANARIES):
        usual = [spread(_controls(random, noise, number)) or 0.0 for _ in range(NIGHTS)]
        good = [
            _distrusted(_controls(random, noise, number), usual)
            for _ in range(sizes["good nights"])
        ]
        row: Row = {"model": name, "canaries": number}
        yield {**row, "trouble": None, "untrusted": np.mean(good)}
        for trouble, make in TROUBLES.items():
            bad = [
                _bad_night(random, make(noise), number, usual, sizes["cases"])
                for _ in range(sizes["bad nights"])
            ]
            shares = zip(("untrusted", "alarm", "harm"), np.mean(bad, axis=0), strict=True)
            yield {**row, "trouble": trouble, **dict(shares)}


def _bad_night(
    random: Generator, noise: Noise, number: int, usual: Sequence[float], cases: int
) -> tuple[bool, bool, bool]:
    """Whether a night is untrusted, has a false alarm, and is trusted with one."""
    distrusted = _distrusted(_controls(random, noise, number), usual)
    series = night(random, noise, [0.0] * cases, DEFAULT_MARGIN, DEFAULT)
    alarm = bool(flags(series)[0].any())
    return distrusted, alarm, alarm and not distrusted


def _controls(random: Generator, noise: Noise, number: int) -> tuple[Decision, ...]:
    return decisions(night(random, noise, [0.0] * number, DEFAULT_MARGIN, DEFAULT))


def _distrusted(controls: Sequence[Decision], usual: Sequence[float]) -> bool:
    return bool(untrusted(controls, history={group(controls[0].series): usual}))
