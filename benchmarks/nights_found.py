"""What the rule of the gate says of simulated nights: alarms, finds, and what other settings do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from simulated_nights import HARSH, MODELS, Generator, Noise, Values, night

from bench.gate.answer import Series, Word
from bench.gate.canary import DEFAULT_MARGIN
from bench.gate.decide import DEFAULT, Rule, chances, decisions, edges
from bench.gate.trimmed import chance_above, discoveries

Row = dict[str, Any]
Sizes = dict[str, int]
Chance = Callable[[Series, Rule], float]

MARGINS = (0.01, 0.02)
CHANGES = (0.03, 0.05, 0.10)
TRUE = {
    "15 of +5 %": [0.05] * 15,
    "5 each of +3, +5 and +10 %": [0.03] * 5 + [0.05] * 5 + [0.10] * 5,
}
STAGES = ((0.05, 12), (0.2, 12), (0.2, 18), (0.2, 24))
"""Limit of stage 1, and fresh pairs: settings to compare."""


def flags(series: Sequence[Series], rule: Rule = DEFAULT) -> tuple[Values, Values]:
    """Which series of a night the rule calls regressed, and which improved."""
    both = [chances(each, rule) for each in series]
    dearer, cheaper = (discoveries(each, rule.q) for each in zip(*both, strict=True))
    return np.array(dearer), np.array(cheaper)


def alarms(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """Nights in which nothing changed."""
    unchanged = [0.0] * sizes["cases"]
    for (name, noise), margin in product(MODELS.items(), MARGINS):
        rows = []
        for _ in range(sizes["nights"]):
            series = night(random, noise, unchanged, margin, DEFAULT)
            dearer, cheaper = flags(series)
            rows.append((dearer.sum(), cheaper.sum(), dearer.any(), _again(series)))
        regressed, improved, nights, again = np.array(rows, float).T
        words = [
            each.word
            for _ in range(sizes["nights of words"])
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


def _again(series: Sequence[Series]) -> int:
    """How many were measured again."""
    return sum(bool(each.log_ratios(2)) for each in series)


def edge(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """Nights in which every case changed by just what does not count yet: the rule's worst.

    They are the same for every margin but for a constant, which the rule takes off again.
    """
    for name, noise in MODELS.items():
        changes = [DEFAULT_MARGIN] * sizes["cases"]
        found = [
            bool(flags(night(random, noise, changes, DEFAULT_MARGIN, DEFAULT))[0].any())
            for _ in range(sizes["nights"])
        ]
        yield {"model": name, "nights": sum(found)}


def power(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """How often the only case that changed is found."""
    for (name, noise), margin in product(MODELS.items(), MARGINS):
        found = [found_share(random, noise, margin, each, sizes) for each in CHANGES]
        twice = {**sizes, "cases": 2 * sizes["cases"]}
        third = found_share(random, noise, margin, CHANGES[0], twice)
        yield {"model": name, "margin": margin, "found": found, "twice": third}


def _all_pairs(series: Series, rule: Rule) -> float:
    return chances(series, rule)[0]


def found_share(
    random: Generator,
    noise: Noise,
    margin: float,
    change: float,
    sizes: Sizes,
    *,
    rule: Rule = DEFAULT,
    chance: Chance = _all_pairs,
    together: int = 1,
) -> float:
    """How often a change is found in nights in which so many cases changed together.

    The p values of all other cases of the night are 1, as they nearly always are.
    """
    series = night(random, noise, [change] * sizes["alone"], margin, rule)
    ps = [chance(each, rule) if each.log_ratios(2) else 1.0 for each in series]
    unchanged = [1.0] * (sizes["cases"] - together)
    nights = [ps[start : start + together] for start in range(0, len(ps), together)]
    return sum(sum(discoveries([*each, *unchanged], rule.q)) for each in nights) / len(ps)


def discovery(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """Nights with true regressions: what share of the alarms is false, and of the true found."""
    for (name, noise), margin, (what, true) in product(MODELS.items(), MARGINS, TRUE.items()):
        changes = [*true, *[0.0] * (sizes["cases"] - len(true))]
        rows = []
        for _ in range(sizes["nights"]):
            dearer = flags(night(random, noise, changes, margin, DEFAULT))[0]
            false = dearer[len(true) :].sum()
            rows.append((false / max(dearer.sum(), 1), dearer[: len(true)].mean()))
        wrong, found = np.mean(rows, axis=0)
        yield {"model": name, "margin": margin, "true": what, "false": wrong, "found": found}


def rules(random: Generator, sizes: Sizes) -> Iterator[Row]:
    """Other settings of the rule, on the harsher model: what they find and cost."""
    for margin, (first, fresh), (together, chance) in product(MARGINS, STAGES, TOGETHER.items()):
        rule = replace(DEFAULT, first=first, fresh=fresh)
        unchanged = night(random, HARSH, [0.0] * sizes["alone"], margin, rule)
        yield {
            "margin": margin,
            "first": first,
            "fresh": fresh,
            "together": together,
            "candidates": _again(unchanged) / len(unchanged) * sizes["cases"],
            "found": [
                found_share(random, HARSH, margin, change, sizes, rule=rule, chance=chance)
                for change in CHANGES
            ],
            "fifteen": found_share(
                random, HARSH, margin, CHANGES[0], sizes, rule=rule, chance=chance, together=15
            ),
        }


def _fisher(series: Series, rule: Rule) -> float:
    """The p value of both stages after Fisher 1925, where the rule takes that of all pairs."""
    from scipy.stats import combine_pvalues

    if chances(series, rule)[0] == 1:
        return 1.0
    up = edges(series)[1]
    stages = [chance_above(series.log_ratios(stage), up) for stage in (1, 2)]
    return float(combine_pvalues(stages)[1])


TOGETHER: dict[str, Chance] = {"Fisher's combination": _fisher, "all pairs": _all_pairs}
