"""The rule of the gate: from what was seen of each case to one word each. Pure.

Stage 1 gives every case the same few pairs. A case whose p value there is below `Rule.first` is a
*candidate* and gets fresh pairs, stage 2. It counts if the fresh pairs alone say so, below
`Rule.second`, and if all its pairs together pass Benjamini and Hochberg's limit over every series
of the night.

May pairs that made a case a candidate be counted again? Yes. Think of a night that measures the
fresh pairs of every case: the p value of all pairs of a case, a fixed number of them, is then an
ordinary one. The two conditions only ever replace it by 1, for cases that are given up. A p value
that is at times replaced by 1 is still one: P(p ≤ α) ≤ α. What is spared are the pairs of cases
that can pass no more: stopping for futility costs power, and never raises false alarms (Bauer and
Köhne 1994; Jennison and Turnbull 1999, §10.6). It would not hold if pairs were added until the
result pleases: so the number of fresh pairs is fixed before the night.

Fisher's combination of both stages' p values is valid by the same argument, and finds less: of
six pairs the trimmed t has three degrees of freedom, and that p value is then a large part of the
product. How much less: reports/nights.md, which also counts what this rule finds and misses.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.gate.answer import ENERGY, Decision, Series, Word
from bench.gate.reasons import improved, inconclusive, ok, regressed
from bench.gate.trimmed import LEAST_PAIRS, as_ratio, chance_above, discoveries, interval
from bench.quantities import Kind
from bench.statistics import Interval, pairs_to_decide, ratio_interval

_INSIDE = 0.90
"""Confidence of the interval that must lie inside the margin for `Word.OK`: two tests of 5 %."""

_ENOUGH = 0.5
"""Share of the fresh pairs that must have been measured: a process may fail for its own reasons."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The settings of the rule.

    Args:
        pairs: Of every case, stage 1.
        fresh: Of each candidate, stage 2.
        first: A p value of stage 1 below it makes a candidate. It bounds no error, only cost.
        second: The p value of the fresh pairs alone must be below it.
        q: False discovery rate over all series of the night, for either direction.
        estimates: Whether estimated energy is judged too.

    Raises:
        ValueError: A setting that makes no sense.
    """

    pairs: int = 6
    fresh: int = 24
    first: float = 0.2
    second: float = 0.01
    q: float = 0.05
    estimates: bool = False

    def __post_init__(self) -> None:
        for name, least in (("pairs", 3), ("fresh", LEAST_PAIRS)):
            if (found := getattr(self, name)) < least:
                raise ValueError(f"found {found} {name}, wanted at least {least}; ask for more")
        for name in ("first", "second", "q"):
            if not 0 < (share := getattr(self, name)) < 0.5:  # noqa: PLR2004 - else both ways
                raise ValueError(f"found {name} = {share}, wanted between 0 and 0.5; change it")
        if 0.5**self.fresh >= self.second:
            enough = math.floor(-math.log2(self.second)) + 1
            raise ValueError(
                f"found {self.fresh} fresh pairs, which can give no p value below {self.second:g};"
                f" take {enough} or more"
            )


DEFAULT = Rule()


def edges(series: Series) -> tuple[float, float]:
    """The log ratios that do not count yet: the lowest and the highest.

    A change counts if it exceeds both the margin, a share, and the floor, in the unit of the
    values. The floor becomes a share of the baseline's median.

    Raises:
        ValueError: A margin or floor that is negative or no number.

    >>> [round(math.expm1(edge), 4) for edge in edges(Series("a", "time", "s/call", margin=0.02))]
    [-0.0196, 0.02]
    """
    for name, value in (("margin", series.margin), ("floor", series.floor)):
        if not 0 <= value < math.inf:
            raise ValueError(
                f"{series.case}: found a {name} of {value}, wanted 0 or more; change it"
            )
    bases = [pair.base for pair in series.pairs]
    share = series.floor / statistics.median(bases) if bases else 0.0
    up = math.log1p(max(series.margin, share))
    down = -math.inf if share >= 1 else min(-math.log1p(series.margin), math.log1p(-share))
    return down, up


def candidates(series: Sequence[Series], rule: Rule = DEFAULT) -> tuple[Series, ...]:
    """Those of which the night must measure fresh pairs: dearer or cheaper at first sight.

    A series that has its fresh pairs is no longer among them.
    """
    return tuple(
        each
        for each in (_usable(one, rule) for one in series)
        if not each.absent
        and len(each.log_ratios(2)) < rule.fresh
        and any(chance_above(logs, edge) < rule.first for logs, edge in _both_ways(each, 1))
    )


def chances(series: Series, rule: Rule = DEFAULT) -> tuple[float, float]:
    """The p values after both stages, of a regression and of an improvement.

    Both are 1 for a series that is no candidate, or that its fresh pairs do not confirm.
    """
    ways = (_both_ways(series, stage) for stage in (1, 2))
    dearer, cheaper = (
        _after_both_stages(first, fresh, edge, rule)
        for (first, edge), (fresh, _) in zip(*ways, strict=True)
    )
    return dearer, cheaper


def decisions(series: Sequence[Series], rule: Rule = DEFAULT) -> tuple[Decision, ...]:
    """The word of each series: of all that one night measured, for they share the limit.

    Raises:
        ValueError: A margin or floor that is negative or no number.
    """
    usable = [_usable(each, rule) for each in series]
    judged = {index: chances(each, rule) for index, each in enumerate(usable) if not each.absent}
    dearer = discoveries([p for p, _ in judged.values()], rule.q)
    cheaper = discoveries([p for _, p in judged.values()], rule.q)
    counts = dict(zip(judged, zip(dearer, cheaper, strict=True), strict=True))
    strict = 1 - 2 * rule.q / max(len(judged), 1)
    return tuple(
        _decision(each, judged[index], counts[index], rule, strict)
        if index in judged
        else Decision(each, each.word, None, None, None, each.absent)
        for index, each in enumerate(usable)
    )


def _decision(
    series: Series,
    chance: tuple[float, float],
    counts: tuple[bool, bool],
    rule: Rule,
    strict: float,
) -> Decision:
    """The word of one series, of which `counts` says whether it is dearer or cheaper."""
    logs = [pair.log_ratio for pair in series.pairs]
    ratio, (down, up) = interval(logs), edges(series)
    narrow = interval(logs, _INSIDE)
    if counts[0]:
        return Decision(series, Word.REGRESSED, ratio, *chance, regressed(series, ratio, up))
    if counts[1]:
        return Decision(series, Word.IMPROVED, ratio, *chance, improved(series, ratio, down))
    if as_ratio(down) <= narrow.low and narrow.high <= as_ratio(up):
        return Decision(series, Word.OK, ratio, *chance, ok(narrow, down, up))
    needed = (
        len(series.log_ratios(1)) + rule.fresh
        if candidates([series], rule)
        else _pairs_needed(series, (down, up), strict)
    )
    said = inconclusive(ratio, down, up, needed)
    return Decision(series, Word.INCONCLUSIVE, ratio, *chance, said, needed)


def _pairs_needed(series: Series, edge: tuple[float, float], strict: float) -> int | None:
    """About how many pairs in all would decide, if ratio and spread stay as they were seen.

    A ratio inside the margin is decided by an interval of 90 %, one beyond it by the limit over
    all series of the night, here that of a single finding.
    """
    middle = math.log(interval([pair.log_ratio for pair in series.pairs]).value)
    down, up = edge
    confidence = _INSIDE if down <= middle <= up else strict
    nearest = as_ratio(up if middle > (down + up) / 2 else down)
    try:
        ratio = ratio_interval([(p.base, p.head) for p in series.pairs], confidence=confidence)
    except OverflowError:  # a spread that no number of pairs makes small
        return None
    if ratio is None or ratio.low <= 0 or math.isinf(ratio.high / ratio.low):
        return None
    low, high = ratio.low / nearest, ratio.high / nearest
    moved = Interval(ratio.value / nearest, low, high, ratio.n)
    found = pairs_to_decide(moved, 0.0, confidence)
    least = math.ceil(-math.log2((1 - confidence) / 2))  # of fewer pairs no p value is so small
    return max(found, least, ratio.n + 2) if found else None  # those that are there did not do


def _after_both_stages(
    first: Sequence[float], fresh: Sequence[float], edge: float, rule: Rule
) -> float:
    enough = max(rule.fresh * _ENOUGH, LEAST_PAIRS)
    if chance_above(first, edge) >= rule.first or len(fresh) < enough:
        return 1.0
    if chance_above(fresh, edge) >= rule.second:
        return 1.0
    return chance_above([*first, *fresh], edge)


def _both_ways(series: Series, stage: int) -> tuple[tuple[tuple[float, ...], float], ...]:
    """The log ratios of a stage with the edge that they must exceed; the same mirrored."""
    logs, (down, up) = series.log_ratios(stage), edges(series)
    return (logs, up), (tuple(-each for each in logs), -down)


def _usable(series: Series, rule: Rule) -> Series:
    """The series itself, or with the reason why it cannot be judged."""
    if series.absent:
        return series
    why = _unjudged_kind(series, rule) or _unusable_values(series, rule)
    return replace(series, absent=why, word=Word.NOT_MEASURED) if why else series


def _unjudged_kind(series: Series, rule: Rule) -> str:
    if series.quantity != ENERGY:
        return ""
    if series.kind not in set(Kind):
        known = ", ".join(Kind)
        return f"the energy is of kind {series.kind!r}, which nobody knows; known are {known}"
    if Kind(series.kind).is_reading or (rule.estimates and series.kind == Kind.ESTIMATED):
        return ""
    if series.kind == Kind.ESTIMATED:
        return (
            "the energy is estimated from time and a power model, not measured;"
            " give --allow-estimates to judge it all the same"
        )
    return f"the energy is {series.kind}, not measured; open a meter (joulebench doctor)"


def _unusable_values(series: Series, rule: Rule) -> str:
    for pair in series.pairs:
        for side, value in (("baseline", pair.base), ("head", pair.head)):
            if not 0 < value < math.inf:
                return f"a {side} of {value} {series.unit} is no {series.quantity}; measure again"
        if not 0 < pair.head / pair.base < math.inf:
            return f"{pair.head} ÷ {pair.base} is no ratio of two measurements; measure again"
    if (found := len(series.log_ratios(1))) < LEAST_PAIRS:
        return f"{found} of {rule.pairs} pairs could be measured; see the log of the processes"
    return ""
