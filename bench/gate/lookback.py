"""The gate where only history is there: tonight against the nights before it. Pure, and unpaired.

Nothing was measured beside tonight's numbers, so what a night does to all of them (heat, load, a
clock) is in each. A case counts if its logarithm lies at least `LIMIT` spreads from the median of
its nights, and beyond the margin, and beyond the floor. The spread is 1.4826 × the median absolute
deviation, at least the median of that over all cases of the night: a case that happened to be calm
for some nights gets no sharper limit than the machine's usual one.

Comparable nights are those of one machine, device, workload version and unit, for energy also of
one kind, boundary and set of channels: up to 100 before tonight, and after the newest acceptance.

Source: conbench's z; shared/benchmark-tools.md §3.2 on what it finds.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.gate.answer import ENERGY, TIME, Decision, Night, Pair, Quantity, Series, Word
from bench.gate.canary import DEFAULT_MARGIN, group, margin, untrusted
from bench.gate.wording import change
from bench.history.index import Index
from bench.history.nights import (
    SAME,
    SAME_ENERGY,
    canary_spreads,
    cases_of,
    earlier,
    histories,
    same_of,
)
from bench.history.noise import LEAST_SPREAD, Nights, is_usable, nights_of
from bench.history.table import Table
from bench.quantities import Kind
from bench.record import JournalError
from bench.statistics import Interval, ratio_of, t_quantile

LIMIT = 5.0  # least distance from the median, in spreads
ENOUGH = 8  # fewer nights than that say nothing of a case

STEPS = 5
"""Least difference that counts, in steps of the meters."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is of one case and quantity before it is judged."""

    series: Series
    tonight: float
    nights: Nights | None


def look_back(
    index: Index,
    *,
    tonight: str | None = None,
    accepted: Mapping[str, str] | None = None,
    asked: float = DEFAULT_MARGIN,
    allow_estimates: bool = False,
    part: str = "",
) -> Night:
    """The words of a night by the nights before it, and whether they can be trusted.

    Args:
        index: Of the results folder.
        tonight: Name of the night's journal; the newest one by default.
        accepted: From when the nights of a case count: by case the UTC time, or the commit of
            the first night that does.
        asked: Least change that counts, as a share; never below twice the machine's A/A spread.
        allow_estimates: Whether estimated energy is judged too.
        part: Only cases with this in their id.

    Raises:
        JournalError: There is no night, or none of that name.
    """
    name = tonight_of(index, tonight)
    now = cases_of(index, name)
    before = earlier(index, name)
    spreads = {quantity: canary_spreads(index, name, quantity) for quantity in (ENERGY, TIME)}
    margins = {quantity: margin(asked, spreads[quantity]) for quantity in spreads}
    begins = _begins(index, accepted or {})
    seen = [
        each
        for quantity in (ENERGY, TIME)
        for each in _seen(
            now, before, quantity, margins[quantity], begins, allow_estimates=allow_estimates
        )
        if part in each.series.case
    ]
    usual = {quantity: _usual(seen, quantity) for quantity in (ENERGY, TIME)}
    decisions = (
        *(_decision(each, usual[each.series.quantity]) for each in seen),
        *(each for each in _missing(now, before) if part in each.series.case),
    )
    canaries = tuple(_canaries(now, margins))
    past = {group(each.series): spreads[each.series.quantity] for each in canaries}
    return Night(decisions, canaries, untrusted(canaries, decisions, past), unpaired=True)


def multiplicity(night: Night) -> str:
    """What the limit means for so many cases at once, in one sentence."""
    judged = [each for each in night.decisions if each.p is not None]
    chances = math.fsum(_chance(each.ratio.n) for each in judged if each.ratio)
    return (
        f"unpaired: {len(judged)} series are judged at once, each by z ≥ {LIMIT:g}; were their"
        f" nights normal and independent, {chances:.2g} of them would be called dearer or cheaper"
        " without a change"
    )


def _chance(nights: int) -> float:
    """How often a series that did not change exceeds the limit by chance, either way."""
    from scipy.special import stdtr

    distance = LIMIT / math.sqrt(1 + math.pi / (2 * nights))
    return 2 * float(stdtr(max(nights - 1, 1), -distance))


def tonight_of(index: Index, name: str | None) -> str:
    """The name of the night that is meant; the newest one by default.

    Raises:
        JournalError: There is no night, or none of that name.
    """
    found = name or index.newest
    if found is None:
        raise JournalError("found no journal with a case; run pytest --benchmark first")
    if found not in index.runs.counts("journal"):
        bad = dict(index.unreadable.rows(("journal", "reason")))
        why = f": {bad[found]}" if found in bad else ""
        raise JournalError(f"{found} is no journal of this index{why}; give one of its names")
    return found


def _begins(index: Index, accepted: Mapping[str, str]) -> dict[str, str]:
    """When the history of a case begins, UTC; a commit that no night measured begins none."""
    found = {}
    for case, since in accepted.items():
        if since[4:5] == "-":
            found[case] = since
            continue
        runs = index.runs.rows(("commit", "started"))
        started = [at for commit, at in runs if since and commit.startswith(since)]
        if started:
            found[case] = started[0]
    return found


def _seen(
    now: Table,
    before: Table,
    quantity: Quantity,
    margin_: float,
    begins: Mapping[str, str],
    *,
    allow_estimates: bool,
) -> Iterator[_Seen]:
    """What there is of each of tonight's cases."""
    found = histories(now, before, quantity, same_of(quantity), begins=begins)
    guesses = histories(now, before, "estimate", SAME, begins=begins) if allow_estimates else {}
    names = (*SAME, *SAME_ENERGY, "energy", "time", "estimate", "energy_step", "absent")
    for fields in now.rows(names):
        row = dict(zip(names, fields, strict=True))
        key = tuple(row[name] for name in SAME)
        series = Series(row["case"], quantity, f"s/{row['unit']}", margin=margin_)
        if quantity == TIME:
            yield _one(series, row["time"], found[key], "no window was measured")
            continue
        series = replace(
            series, unit=f"J/{row['unit']}", kind=row["kind"], boundary=row["boundary"]
        )
        if is_usable(row["energy"]):
            step = row["energy_step"]
            series = replace(series, floor=STEPS * step if is_usable(step) else 0.0)
            full = (*key, *(row[name] for name in SAME_ENERGY))
            yield _one(series, row["energy"], found[full], "")
        elif allow_estimates and is_usable(row["estimate"]):
            series = replace(series, kind=str(Kind.ESTIMATED))
            yield _one(series, row["estimate"], guesses[key], "")
        else:
            hint = (
                "; estimates are gated with --allow-estimates" if is_usable(row["estimate"]) else ""
            )
            yield _one(series, math.nan, [], f"{row['absent']}{hint}")


def _missing(now: Table, before: Table) -> Iterator[Decision]:
    """What the night before had and tonight has not; no data must not look like good data.

    A night that shares less than half of its cases with tonight was of something else.
    """
    if not len(before):
        return
    journal = before.at("journal", -1)
    its = before.of(("case", "unit")).where(before.is_("journal", journal))
    last = dict.fromkeys(its.rows(("case", "unit")))
    have = set(now["case"])
    gone = [(case, unit) for case, unit in last if case not in have]
    if 2 * len(gone) > len(last):
        return
    for case, unit in gone:
        said = f"unpaired: it is not in tonight's journal, and it was in {journal}"
        series = Series(case, ENERGY, f"J/{unit}", absent=said)
        yield Decision(series, series.word, None, None, None, said)


def _one(series: Series, tonight: float, history: Sequence[float], why: str) -> _Seen:
    if not is_usable(tonight):
        return _Seen(replace(series, absent=f"unpaired: {why}"), tonight, None)
    return _Seen(series, tonight, nights_of(history) if history else None)


def _usual(seen: Sequence[_Seen], quantity: Quantity) -> float:
    """The median spread of the series that have nights enough; at least `LEAST_SPREAD`."""
    spreads = [
        each.nights.spread
        for each in seen
        if each.nights and each.nights.n >= ENOUGH and each.series.quantity == quantity
    ]
    return max(LEAST_SPREAD, statistics.median(spreads) if spreads else 0.0)


def _decision(seen: _Seen, usual: float) -> Decision:
    series, nights = seen.series, seen.nights
    if nights:  # what an alert shows on its two sides: the median night, and tonight
        series = replace(series, pairs=(Pair(math.exp(nights.middle), seen.tonight),))
    if series.absent:
        return Decision(series, series.word, None, None, None, series.absent)
    count = nights.n if nights else 0
    if nights is None or count < ENOUGH:
        said = (
            f"unpaired: {count} comparable nights before this one, wanted {ENOUGH};"
            " nothing can be said yet"
        )
        ratio = _ratio(seen, nights, usual) if nights and count > 1 else None
        return Decision(series, Word.INCONCLUSIVE, ratio, None, None, said)
    ratio, spread = _ratio(seen, nights, usual), max(nights.spread, usual)
    away = math.log(seen.tonight) - nights.middle
    edge = math.log1p(max(series.margin, series.floor / math.exp(nights.middle)))
    chances = [_beyond(side * away - edge, spread, nights.n) for side in (1, -1)]
    word, z = Word.OK, away / spread
    if abs(z) >= LIMIT and abs(away) > edge:
        word = Word.REGRESSED if away > 0 else Word.IMPROVED
    said = _said(word, z, ratio, spread, edge)
    return Decision(series, word, ratio, chances[0], chances[1], said)


def _ratio(seen: _Seen, nights: Nights, usual: float) -> Interval:
    """Tonight ÷ the median of the nights; its interval is that of one more night."""
    away = math.log(seen.tonight) - nights.middle
    standard = max(nights.spread, usual) * math.sqrt(1 + math.pi / (2 * nights.n))
    return ratio_of(away, t_quantile(0.95, nights.n - 1) * standard, nights.n)


def _beyond(distance: float, spread: float, nights: int) -> float:
    """One-sided p value of one night that lies so far beyond an edge."""
    from scipy.special import stdtr

    standard = spread * math.sqrt(1 + math.pi / (2 * nights))
    return float(stdtr(nights - 1, -distance / standard))


def _said(word: Word, z: float, ratio: Interval, spread: float, edge: float) -> str:
    moved = f"unpaired: {change(ratio)} against the median of {ratio.n} nights, z = {z:+.1f}"
    if word is Word.OK:
        seen = 100 * math.expm1(max(LIMIT * spread, edge))
        return f"{moved}; only changes beyond {seen:.2g} % would be called"
    limit = 100 * math.expm1(edge)
    return f"{moved}, beyond {LIMIT:g} and beyond {limit:.2g} %"


def _canaries(now: Table, margins: Mapping[str, float]) -> Iterator[Decision]:
    """Tonight's baselines beside themselves: these are paired, in one session."""
    for quantity in (ENERGY, TIME):
        ends = [f"{quantity}_ratio{end}" for end in ("", "_low", "_high")]
        names = ("case", "is_control", "unit", "kind", "boundary", "windows", *ends)
        for case, is_control, unit, kind, boundary, windows, value, low, high in now.rows(names):
            if not (is_control and is_usable(value)):
                continue
            series = Series(
                case,
                quantity,
                f"{'J' if quantity == ENERGY else 's'}/{unit}",
                kind=kind if quantity == ENERGY else "",
                boundary=boundary if quantity == ENERGY else "",
                margin=margins[quantity],
                canary=True,
            )
            ratio = Interval(value, low, high, windows // 2)
            edge = math.log1p(margins[quantity])
            # the 95 % interval, made as wide as the look-back's limit
            beyond = abs(math.log(value)) - LIMIT / 2 * math.log(high / low) / 2 > edge
            word = (Word.REGRESSED if value > 1 else Word.IMPROVED) if beyond else Word.OK
            said = f"the same model beside itself: {100 * (value - 1):+.2g} %"
            yield Decision(series, word, ratio, None, None, said)
