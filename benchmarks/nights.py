"""Does the gate cry wolf, and what does it find? Simulated nights, of which the truth is known.

    python benchmarks/nights.py                     simulates (minutes), writes a run and its page
    python benchmarks/nights.py --page FILE.json    writes the page of an earlier run again

The nights: `simulated_nights.py`. What the page says of them: `nights_page.py`.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise, product

import numpy as np
from committed_run import Found, program
from nights_page import page
from simulated_nights import HARSH, MODELS, Generator, Noise, Values, history, night

from bench.gate.answer import ENERGY, Series, Word
from bench.gate.canary import DEFAULT_MARGIN, NIGHTS, spread, untrusted
from bench.gate.canary import night as judged
from bench.gate.decide import DEFAULT, Rule, candidates, chances, decisions
from bench.gate.trimmed import chance_above, discoveries

SIZES = {"cases": 300, "nights": 400, "found": 2100, "words": 20, "canary": 400, "trouble": 100}
MARGINS = (0.01, 0.02)
CHANGES = (0.03, 0.05, 0.10)
TRUE = {
    "15 of +5 %": [0.05] * 15,
    "5 each of +3, +5, +10 %": [0.03] * 5 + [0.05] * 5 + [0.10] * 5,
}
CANARIES = (2, 5, 15)
TROUBLES: dict[str, Callable[[Noise], Noise]] = {
    "the second side +0.5 %": lambda noise: replace(noise, slot=0.005),
    "the second side +1 %": lambda noise: replace(noise, slot=0.01),
    "the second side +2 %": lambda noise: replace(noise, slot=0.02),
    "the second side +3 %": lambda noise: replace(noise, slot=0.03),
    "three times the noise": lambda noise: noise.times(3),
    "half of all launches disturbed": lambda noise: replace(noise, disturbed=0.5),
}
RULES = [
    (margin, replace(DEFAULT, first=first, fresh=fresh), together)
    for margin in MARGINS
    for first, fresh in ((0.05, 12), (0.2, 12), (0.2, 18), (0.2, 24))
    for together in ("Fisher", "all pairs")
]
LAST_NIGHTS = 12
METHODS: dict[str, Callable[[Values], Values]] = {
    "pytest-benchmark `mean:5%`, last night": lambda v: v[:, -1] - v[:, -2] > np.log(1.05),
    "look-back z > 3, 12 nights": lambda v: _z(v) > 3,  # noqa: PLR2004 - as the name says
    "look-back z > 5, 12 nights": lambda v: _z(v) > 5,  # noqa: PLR2004
}
Section = list[Found]


def flags(series: Sequence[Series], rule: Rule) -> tuple[Values, Values]:
    """Which series of a night the rule calls regressed, and which improved."""
    both = [chances(each, rule) for each in series]
    dearer, cheaper = (discoveries(each, rule.q) for each in zip(*both, strict=True))
    return np.array(dearer), np.array(cheaper)


def alarms(seed: int, sizes: dict[str, int]) -> Iterator[Found]:
    """Nights in which nothing changed."""
    for (name, noise), margin in product(MODELS.items(), MARGINS):
        random, unchanged = np.random.default_rng(seed), [0.0] * sizes["cases"]
        rows = []
        for _ in range(sizes["nights"]):
            series = night(random, noise, unchanged, margin, DEFAULT)
            dearer, cheaper = flags(series, DEFAULT)
            again = sum(len(each.pairs) > DEFAULT.pairs for each in series)
            rows.append((dearer.sum(), cheaper.sum(), dearer.any(), again))
        regressed, improved, nights, again = np.array(rows, float).T
        words = [
            each.word
            for _ in range(sizes["words"])
            for each in decisions(night(random, noise, unchanged, margin, DEFAULT))
        ]
        yield {
            "model": name,
            "margin": margin,
            "regressed": int(regressed.sum()),
            "improved": int(improved.sum()),
            "nights": int(nights.sum()),
            "candidates": again.mean(),
            "ok": words.count(Word.OK) / len(words),
            "inconclusive": words.count(Word.INCONCLUSIVE) / len(words),
        }


def edge(seed: int, sizes: dict[str, int]) -> Iterator[Found]:
    """Nights in which every case changed by just what does not count yet: the rule's worst."""
    for (name, noise), margin in product(MODELS.items(), MARGINS):
        random = np.random.default_rng(seed)
        found = [
            flags(night(random, noise, [margin] * sizes["cases"], margin, DEFAULT), DEFAULT)[0]
            for _ in range(sizes["nights"])
        ]
        yield {"model": name, "margin": margin, "nights": sum(bool(each.any()) for each in found)}


def power(seed: int, sizes: dict[str, int]) -> Iterator[Found]:
    """How often one changed case is found among so many unchanged ones, whose p values are 1."""
    for (name, noise), margin, change in product(MODELS.items(), MARGINS, CHANGES):
        found = _alone(np.random.default_rng(seed), noise, margin, change, sizes)
        yield {"model": name, "margin": margin, "change": change, "found": found}


def _alone(
    random: Generator, noise: Noise, margin: float, change: float, sizes: dict[str, int]
) -> float:
    series = night(random, noise, [change] * sizes["found"], margin, DEFAULT)
    others = [1.0] * (sizes["cases"] - 1)
    found = [
        discoveries([chances(each)[0], *others], DEFAULT.q)[0]
        for each in series
        if len(each.pairs) > DEFAULT.pairs
    ]
    return sum(found) / len(series)


def discovery(seed: int, sizes: dict[str, int]) -> Iterator[Found]:
    """Nights with true regressions: what share of the alarms is false, and of the true found."""
    for (name, noise), margin, (what, true) in product(MODELS.items(), MARGINS, TRUE.items()):
        random = np.random.default_rng(seed)
        changes = [*true, *[0.0] * (sizes["cases"] - len(true))]
        rows = []
        for _ in range(sizes["nights"]):
            dearer = flags(night(random, noise, changes, margin, DEFAULT), DEFAULT)[0]
            false = dearer[len(true) :].sum()
            rows.append((false / max(dearer.sum(), 1), dearer[: len(true)].mean()))
        false, found = np.mean(rows, axis=0)
        yield {"model": name, "margin": margin, "true": what, "false": false, "found": found}


def canaries(seed: int, sizes: dict[str, int]) -> Iterator[Found]:
    """Good nights with few and many canaries, and bad ones: which are trusted?"""
    for (name, noise), number in product(MODELS.items(), CANARIES):
        random = np.random.default_rng(seed)
        usual = [_spread(random, noise, number) for _ in range(NIGHTS)]
        bad = sum(
            bool(
                _untrusted(
                    night(random, noise, [], DEFAULT_MARGIN, DEFAULT, canaries=number), usual
                )
            )
            for _ in range(sizes["canary"])
        )
        yield {"model": name, "canaries": number, "trouble": "", "untrusted": bad / sizes["canary"]}
        for trouble, make in TROUBLES.items():
            rows = []
            for _ in range(sizes["trouble"]):
                changes = [0.0] * sizes["cases"]
                series = night(
                    random, make(noise), changes, DEFAULT_MARGIN, DEFAULT, canaries=number
                )
                distrusted = bool(_untrusted(series[len(changes) :], usual))
                alarm = flags(series[: len(changes)], DEFAULT)[0].any()
                rows.append((distrusted, alarm, alarm and not distrusted))
            distrusted, alarm, harm = np.mean(rows, axis=0)
            yield {
                "model": name,
                "canaries": number,
                "trouble": trouble,
                "untrusted": distrusted,
                "alarm": alarm,
                "harm": harm,
            }


def _spread(random: Generator, noise: Noise, number: int) -> float:
    controls = decisions(night(random, noise, [], DEFAULT_MARGIN, DEFAULT, canaries=number))
    return spread(controls) or 0.0


def _untrusted(series: Sequence[Series], usual: Sequence[float]) -> str:
    return untrusted(decisions(series), {ENERGY: usual})
