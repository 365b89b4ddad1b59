"""Beside the rule of the gate: gates without pairs on the same noise, and whom canaries warn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle

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
    for name, noise in MODELS.items():
        usual = {
            number: [
                [spread(_controls(random, noise, number)) or 0.0 for _ in range(NIGHTS)]
                for _ in range(sizes["histories"])
            ]
            for number in CANARIES
        }
        for number, histories in usual.items():
            good = _distrusted(random, noise, number, histories, sizes["good nights"])
            row = {"model": name, "canaries": number, "trouble": None}
            yield {**row, "untrusted": np.mean(good)}
        for trouble, make in TROUBLES.items():
            bad, unchanged = make(noise), [0.0] * sizes["cases"]
            alarm = [
                flags(night(random, bad, unchanged, DEFAULT_MARGIN, DEFAULT))[0].any()
                for _ in range(sizes["bad nights"])
            ]
            for number, histories in usual.items():
                said = _distrusted(random, bad, number, histories, sizes["bad nights"])
                yield {
                    "model": name,
                    "canaries": number,
                    "trouble": trouble,
                    "untrusted": np.mean(said),
                    "alarm": np.mean(alarm),
                    "harm": np.mean(np.array(alarm) & ~np.array(said)),
                }


def _distrusted(
    random: Generator, noise: Noise, number: int, histories: Sequence[Sequence[float]], nights: int
) -> list[bool]:
    """Whether each of some nights is untrusted, beside one history after the other."""
    found = []
    for _, usual in zip(range(nights), cycle(histories), strict=False):
        controls = _controls(random, noise, number)
        past = {group(controls[0].series): usual}
        found.append(bool(untrusted(controls, history=past)))
    return found


def _controls(random: Generator, noise: Noise, number: int) -> tuple[Decision, ...]:
    return decisions(night(random, noise, [0.0] * number, DEFAULT_MARGIN, DEFAULT))
