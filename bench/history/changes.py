"""Two runs beside each other, case by case: what became dearer, and is it time or power: pure.

The two runs were measured at different times, so their ratio is *unpaired*: both sides' budgets are
combined on logarithms as independent of each other. That holds the spread inside each run, and not
what differs from night to night. Where both runs hold a case's baseline beside it, the change of
that paired ratio is free of the night.

Energy is time × power. The ratio of the power is that of the energy over that of the time, with
the relative uncertainty of both powers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bench.compare import Row, compare, own_windows
from bench.history.differences import Difference, Forbids, of_cases, of_energies, of_runs
from bench.meter import Channel
from bench.quantities import Absent, Quantity
from bench.records import Journal
from bench.statistics import Interval, Verdict, verdict
from bench.uncertainty import SPECIFICATION, SPREAD, Budget, Component, quotient, specification


class Word(StrEnum):
    """What a change says."""

    MORE = "more"
    LESS = "less"
    SAME = "same"
    UNRESOLVED = "unresolved"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"
    NEW = "new"
    GONE = "gone"


_WORDS = {
    Verdict.COSTS: Word.MORE,
    Verdict.SAVES: Word.LESS,
    Verdict.NO_GAIN: Word.SAME,
    Verdict.UNRESOLVED: Word.UNRESOLVED,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One case in two runs.

    Args:
        case: Its id.
        before: Its row in the first run; None if it is not in it.
        after: Its row in the second run; None if it is not in it.
        energy: After ÷ before of the energy per sample, unpaired, or why there is none.
        time: The same of the time per sample, in the same windows.
        power: The same of the mean power: energy ÷ time.
        paired_energy: The change of the ratio variant ÷ baseline, or why there is none.
        paired_time: The same of the time.
        differences: What is not the same in its two records.
        word: What the energy says, beyond the larger margin of both rows.
        time_word: What the time says; it never stands for the energy.
    """

    case: str
    before: Row | None
    after: Row | None
    energy: Interval | Absent
    time: Interval | Absent
    power: Interval | Absent
    paired_energy: Interval | Absent
    paired_time: Interval | Absent
    differences: tuple[Difference, ...]
    word: Word
    time_word: Word


@dataclass(frozen=True, slots=True)
class Changes:
    """Two runs beside each other.

    Args:
        before: The first.
        after: The second.
        differences: What is not the same in the two runs.
        cases: Each case of either, in the order of the second.
    """

    before: Journal
    after: Journal
    differences: tuple[Difference, ...]
    cases: tuple[Change, ...]

    @property
    def refusals(self) -> tuple[Difference, ...]:
        """The differences that forbid a ratio, each once."""
        found = [*self.differences, *(d for change in self.cases for d in change.differences)]
        return tuple(dict.fromkeys(d for d in found if d.forbids is not Forbids.NOTHING))

    @property
    def is_comparable(self) -> bool:
        """Whether any case has a ratio at all."""
        return any(not isinstance(change.time, Absent) for change in self.cases)

    @property
    def why_not(self) -> str:
        """Why no case has a ratio, in one sentence."""
        if self.refusals:
            return "; ".join(str(each) for each in self.refusals)
        if not self.cases:
            return "no case of either run is asked for; give less with -k"
        reasons = dict.fromkeys(str(c.time) for c in self.cases if isinstance(c.time, Absent))
        return "; ".join(reasons)


def changes(before: Journal, after: Journal, part: str = "") -> Changes:
    """What changed from one journal to another.

    Args:
        before: The earlier one, or the one to hold against.
        after: The other.
        part: Only cases with this in their id.
    """
    rows = [
        {row.case.case: row for table in compare([journal]) for row in table.rows}
        for journal in (before, after)
    ]
    told = of_runs(before.run, after.run)
    found = [
        _change(case, (before, after), (rows[0].get(case), rows[1].get(case)), told)
        for case in dict.fromkeys((*rows[1], *rows[0]))
        if part in case
    ]
    return Changes(before, after, told, tuple(found))


Both = tuple[Row, Row]


def _change(
    case: str,
    journals: tuple[Journal, Journal],
    rows: tuple[Row | None, Row | None],
    of_the_runs: Sequence[Difference],
) -> Change:
    before, after = rows
    if before is None or after is None:
        absent = Absent(f"it is not in the run {'before' if before is None else 'after'}")
        word = Word.NEW if before is None else Word.GONE
        ratios = (absent,) * 5
        return Change(case, before, after, *ratios, (), word, word)
    own = of_cases(before.case, after.case)
    if isinstance(before.energy, Quantity) and isinstance(after.energy, Quantity):
        own += of_energies(before.energy, after.energy)
    both, known = (before, after), (*of_the_runs, *own)
    refused = _refusal(known, Forbids.EVERYTHING)
    no_energy = _first(_no_energy(both), refused, _refusal(known, Forbids.ENERGY))
    # an `Absent` is false: it is asked for by name
    time = _log([row.budgets.time for row in both], "time") if refused is None else refused
    energy = _energy(journals, both) if no_energy is None else no_energy
    power = _power(energy, time, both)
    forbidden = any(d.forbids is not Forbids.NOTHING for d in known)
    margins = [
        max(each) for each in zip(*((r.margins.energy, r.margins.time) for r in both), strict=True)
    ]
    return Change(
        case,
        before,
        after,
        _ratio(energy),
        _ratio(time),
        _ratio(power),
        _paired([row.budgets.energy_ratio for row in both], both, no_energy),
        _paired([row.budgets.time_ratio for row in both], both, refused),
        own,
        _word(_ratio(energy), margins[0], forbidden=forbidden and _no_energy(both) is None),
        _word(_ratio(time), margins[1], forbidden=refused is not None),
    )


def _first(*found: Absent | None) -> Absent | None:
    return next((each for each in found if each is not None), None)


def _refusal(known: Sequence[Difference], forbids: Forbids) -> Absent | None:
    found = [str(each) for each in known if each.forbids is forbids]
    return Absent(f"not comparable: {'; '.join(found)}") if found else None


def _no_energy(rows: Both) -> Absent | None:
    for name, row in zip(("before", "after"), rows, strict=True):
        if isinstance(row.energy, Absent):
            return Absent(f"{name}: {row.energy.reason}", row.energy.fix)
    return None


def _log(budgets: Sequence[Budget | None], what: str, *, cancels: bool = False) -> Budget | Absent:
    """The budget of the logarithm of after ÷ before, both independent of each other.

    Args:
        budgets: Of both values.
        what: Their name.
        cancels: Whether the error of the meters' specification is left out.
    """
    logs = []
    for name, budget in zip(("before", "after"), budgets, strict=True):
        if budget is None or budget.value <= 0:
            return Absent(f"{name}: no {what} above 0 was measured")
        if not any(each.source == SPREAD for each in budget.components):
            return Absent(f"{name}: one window shows no spread of its {what}")
        parts = (c for c in budget.components if not (cancels and c.source == SPECIFICATION))
        shares = tuple(replace(c, standard=c.standard / budget.value) for c in parts)
        logs.append(Budget(math.log(budget.value), shares, budget.n))
    return quotient(logs[1], logs[0])


def _energy(journals: tuple[Journal, Journal], rows: Both) -> Budget | Absent:
    """The energy's logarithm: a meter's own error is in both runs, so only its shift counts."""
    found = _log([row.budgets.energy for row in rows], "energy", cancels=True)
    if isinstance(found, Absent):
        return found
    shares = [_shares(journal, row) for journal, row in zip(journals, rows, strict=True)]
    shift = math.fsum(
        specification(channel) * abs(shares[0].get(channel.id, 0.0) - shares[1][channel.id])
        for channel in _cover(journals[1], rows[1])
    )
    if shift <= 0:
        return found
    part = Component(SPECIFICATION, shift / math.sqrt(3))
    return replace(found, components=(*found.components, part))


def _cover(journal: Journal, row: Row) -> list[Channel]:
    ids = row.energy.channels if isinstance(row.energy, Quantity) else ()
    return [channel for channel in journal.run.channels if channel.id in ids]


def _shares(journal: Journal, row: Row) -> Mapping[str, float]:
    """The share of each channel in the joules of a row."""
    joules = dict.fromkeys([channel.id for channel in _cover(journal, row)], 0.0)
    for window in own_windows(row.case, journal.windows_of(row.case.case)):
        for each in window.energy:
            if each.channel in joules:
                joules[each.channel] += each.joules or 0.0
    whole = math.fsum(joules.values())
    return {id_: value / whole if whole else 0.0 for id_, value in joules.items()}


def _power(energy: Budget | Absent, time: Budget | Absent, rows: Both) -> Budget | Absent:
    if isinstance(energy, Absent):
        return energy
    if isinstance(time, Absent):
        return time
    found = _log([row.budgets.power for row in rows], "power", cancels=True)
    return found if isinstance(found, Absent) else replace(found, value=energy.value - time.value)


def _ratio(log: Budget | Absent) -> Interval | Absent:
    if isinstance(log, Absent):
        return log
    try:
        return log.ratio()
    except OverflowError:
        return Absent("the two values are too far apart for a ratio")


def _paired(logs: Sequence[Budget | None], rows: Both, refused: Absent | None) -> Interval | Absent:
    """The change of a ratio to the baseline beside it."""
    if refused is not None:
        return refused
    if rows[1].is_baseline:
        return Absent("it is the baseline itself")
    if rows[0].case.baseline != rows[1].case.baseline:
        return Absent("its baseline is another case now")
    before, after = logs
    if before is None or after is None:
        return Absent("not both runs hold its baseline beside it")
    return _ratio(quotient(after, before))


def _word(ratio: Interval | Absent, margin: float, *, forbidden: bool) -> Word:
    if isinstance(ratio, Absent):
        return Word.NOT_COMPARABLE if forbidden else Word.NOT_MEASURED
    return _WORDS[verdict(ratio, margin)]
