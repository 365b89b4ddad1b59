"""A measurement repeated: does it say again what it said (shared/design.md, rule 7)?

Two intervals agree if the difference of the values is no larger than both half-widths together in
quadrature: the normalised error of ISO 13528 §9.6 is at most 1. Of a variant the ratio to its
baseline counts, which was measured in pairs; joules and seconds of another day are shown beside.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bench.compare import compare
from bench.gate.state import FILE
from bench.quantities import Quantity
from bench.record import CaseRecord, JournalError
from bench.records import Journal, journals, read
from bench.row import Row
from bench.statistics import Interval
from bench.workload import RANDOM

_MOST_NAMES = 5
_NEAR = 0.4  # least likeness of a name that may be meant
_HUB = "hub"


@dataclass(frozen=True, slots=True)
class Compared:
    """One number of both measurements.

    Args:
        name: Such as ``energy ratio``.
        unit: SI; empty for a ratio.
        before: Of the journal.
        after: Of the repetition.
        counts: Whether the answer rests on it.
    """

    name: str
    unit: str
    before: Interval
    after: Interval
    counts: bool

    @property
    def agrees(self) -> bool:
        """Whether the intervals agree."""
        return agree(self.before, self.after)


def agree(one: Interval, other: Interval) -> bool:
    """Whether the difference of two values is within both of their half-widths.

    >>> agree(Interval(1.0, 0.97, 1.03, 6), Interval(1.04, 1.0, 1.08, 6))
    True
    """
    halves = [max(each.high - each.value, each.value - each.low) for each in (one, other)]
    return abs(one.value - other.value) <= math.hypot(*halves)


def compared(case: str, before: Journal, after: Journal) -> tuple[Compared, ...]:
    """The numbers of a case in both journals.

    Raises:
        JournalError: A journal has not the case, or energy of another kind or boundary, or a
            workload of another version.
    """
    one, other = _row(case, before), _row(case, after)
    versions = [row.case.workload_version for row in (one, other)]
    if versions[0] != versions[1]:
        raise JournalError(
            f"the workload of {case} has version {versions[1]}, in {before.path.name} it was"
            f" {versions[0]}: they are not one thing; check out the commit of the journal"
        )
    ratios = [
        ("energy ratio", one.energy_ratio, other.energy_ratio),
        ("time ratio", one.time_ratio, other.time_ratio),
    ]
    paired = not one.is_baseline and all(None not in ratio for ratio in ratios[1:])
    values = _values(one, other)
    found = [(name, "", a, b, True) for name, a, b in ratios if paired and a and b]
    found += [(name, unit, a, b, not paired) for name, unit, a, b in values]
    return tuple(Compared(*each) for each in found)


def _row(case: str, journal: Journal) -> Row:
    for table in compare([journal]):
        for row in table.rows:
            if row.case.case == case:
                return row
    raise JournalError(f"{journal.path} has not measured {case}; its notes say why")


def _values(one: Row, other: Row) -> list[tuple[str, str, Interval, Interval]]:
    unit = one.case.unit
    found = []
    if isinstance(one.energy, Quantity) and isinstance(other.energy, Quantity):
        told = [(row.kind, row.boundary) for row in (one.energy, other.energy)]
        if told[0] != told[1]:
            raise JournalError(
                f"found energy that is {told[1][0]} of {told[1][1]}, wanted {told[0][0]} of"
                f" {told[0][1]} as before; open the same meters (joulebench doctor)"
            )
        sides = [
            Interval(each.value, each.low, each.high, row.windows)
            for each, row in ((one.energy, one), (other.energy, other))
        ]
        found.append(("energy", f"J/{unit}", sides[0], sides[1]))
    times = [row.budgets.time for row in (one, other)]
    if times[0] and times[1]:
        spans = [Interval(b.value, b.value - b.half, b.value + b.half, b.n) for b in times if b]
        found.append(("time", f"s/{unit}", spans[0], spans[1]))
    return found


# -- which journal, which test, on what -----------------------------------------------------------


def find(case: str, results: Path) -> tuple[Journal, CaseRecord]:
    """The newest journal of a folder that has a case; those of its nights come after the others.

    Raises:
        JournalError: None has it; the nearest names are told.
    """
    names: dict[str, None] = {}
    for path in (*reversed(journals(results)), *_of_nights(results)):
        journal = read(path)
        for record in journal.cases:
            if record.case == case:
                return journal, record
            names.setdefault(record.case)
    raise JournalError(unknown(case, names, f"in the journals of {results}"))


def _of_nights(results: Path) -> Iterator[Path]:
    """The journals of the first pair of each night, newest night first: they have all its cases."""
    for night in sorted(results.glob(f"gate/*/{FILE}"), reverse=True):
        yield from sorted(night.parent.glob("pair-01-*.jsonl"))


def require_known(case: str, results: Path, others: Iterable[str] = ()) -> None:
    """Refuses a case that neither a journal nor *others* name.

    Raises:
        JournalError: It is unknown; the nearest names are told.
    """
    if case not in others:
        find(case, results)


def test_of(case: str, results: Path) -> str:
    """The test that measures a case, as the newest record of it says.

    Raises:
        JournalError: The case is unknown, or no test measured it.
    """
    journal, record = find(case, results)
    if not record.nodeid:
        raise JournalError(
            f"{case} was measured by no test ({journal.path.name}): joulebench run made it, and its"
            " revisions cannot be compared; write a test with the fixture joules"
        )
    return record.nodeid


def record_of(case: str, journal: Journal) -> CaseRecord:
    """The record of a case in one journal.

    Raises:
        JournalError: It has not the case; the nearest names are told.
    """
    for record in journal.cases:
        if record.case == case:
            return record
    names = [record.case for record in journal.cases]
    raise JournalError(unknown(case, names, f"in {journal.path}"))


def unknown(case: str, names: Iterable[str], where: str) -> str:
    """That there is no such case, and which may be meant."""
    names = list(names)
    near = get_close_matches(case, names, _MOST_NAMES, _NEAR) or names[:_MOST_NAMES]
    said = f"; did you mean {' or '.join(near)}?" if near else "; there is none at all"
    return f"found no case {case!r} {where}{said}"


def require_machine(journal: Journal, here: Mapping[str, Any]) -> None:
    """Refuses to repeat a measurement of another machine.

    Raises:
        JournalError: It is another one; the message names what differs.
    """
    there = journal.run.machine
    if there.get("id") == here.get("id"):
        return
    told = [
        f"{name} {there.get(name)} there, {here.get(name)} here"
        for name in ("cpu", "cpus", "memory_bytes", "id")
        if there.get(name) != here.get(name)
    ]
    raise JournalError(
        f"{journal.path.name} was measured on another machine ({'; '.join(told)}): its joules say"
        " nothing of this one; rerun it there"
    )


def arguments(journal: Journal, record: CaseRecord, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The arguments of pytest that repeat a case with the settings of its journal.

    Args:
        journal: Where it was measured.
        record: What the case is.
        more: Further ones of the user; what they say counts.

    Raises:
        JournalError: No test made it, or its weights or data are files that the journal does not
            hold, and *more* does not name.
    """
    if not record.nodeid:
        raise JournalError(
            f"{record.case} was measured by no test, so pytest cannot repeat it; its command was:"
            f" {journal.run.command}"
        )
    settings = journal.run.settings
    options: dict[str, Any] = {"seed": journal.run.seed}
    for name in ("profile", "device", "processes", "alone", "seeds", "meters", "weights", "data"):
        value = settings.get(name)
        if value not in {None, ""} if not isinstance(value, list) else value:
            options[name] = ",".join(map(str, value)) if isinstance(value, list) else value
    for name, known in (("weights", {RANDOM, _HUB}), ("data", set[str]())):
        given = any(re.match(rf"--joules-{name}\b", each) for each in more)
        if name in options and options[name] not in known:
            if not given:
                raise JournalError(
                    f"it was measured with {name} from {options[name]!r}, of which a journal keeps"
                    f" the last part alone; give the path: --pytest=--joules-{name}=PATH"
                )
            del options[name]
    shown = [f"--joules-{name}={value}" for name, value in options.items()]
    return ("--benchmark", record.nodeid, *shown, *more)


def interval_text(value: Interval, unit: str) -> str:
    """An interval in SI units, for a line of text."""
    said = f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"
    return f"{said} {unit}".rstrip()
