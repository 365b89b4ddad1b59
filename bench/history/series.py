"""The nights of each case and machine as series, cut where machine or environment changed: pure.

A series is never joined across another machine, another environment (packages, kernel, driver,
governor, meters), another workload version, kind or boundary: each such part is a *segment*.
Estimated energies are no series. Where a control workload ran in the same nights, a value is
divided by that night's control, and what the night did to both is gone.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.history.index import Index
from bench.history.table import Table
from bench.roofline import PREFIX

Rows = NDArray[np.int64]
"""Places of rows in a table."""

ENERGY, TIME = "energy", "time"
QUANTITIES = (ENERGY, TIME)
_MOST_REASONS = 4
_USUAL = "gemm-fp32"  # of several rooflines that ran as often: what most models are made of


_SAME = ("device_id", "unit", "workload_version", "environment")
_SAME_ENERGY = (*_SAME, "kind", "boundary", "channels")


class Night(NamedTuple):
    """One case in one night: columns of an index."""

    case: str
    workload: str
    machine: str
    journal: str
    started: str
    commit: str
    environment: str
    device_id: str
    unit: str
    workload_version: str
    kind: str
    boundary: str
    channels: str
    energy: float
    time: float

    def value(self, quantity: str) -> float:
        """Its energy in J a sample or its time in s a sample; NaN where it is absent."""
        return self.energy if quantity == ENERGY else self.time


COLUMNS = Night._fields
"""Columns of an index that series are made of."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Nights that can be compared with each other, oldest first.

    Args:
        table: The cases of an index.
        places: The rows of it in which these nights are.
        values: J or s a sample, or their ratio to the control.
        why: What is not as in the segment before; empty for the first.
    """

    table: Table
    places: Rows
    values: tuple[float, ...]
    why: str = ""

    def night(self, place: int) -> Night:
        """Where the value at a place comes from."""
        return _night(self.table, int(self.places[place]))


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity of one case on one machine.

    Args:
        case: Its id.
        machine: The machine's id.
        quantity: ``energy`` or ``time``.
        control: The case that its values are divided by; empty if none.
        segments: In the order of time, at least one.
        left_out: Nights that are not in it, for the control did not run in them.
    """

    case: str
    machine: str
    quantity: str
    control: str
    segments: tuple[Segment, ...]
    left_out: int = 0

    @property
    def newest(self) -> Night:
        """The last night of it."""
        return self.segments[-1].night(-1)

    @property
    def length(self) -> int:
        """How many nights there are in all segments."""
        return sum(len(segment.values) for segment in self.segments)


def lines(
    index: Index, *, control: str | None = None, part: str = "", machine: str = ""
) -> tuple[Line, ...]:
    """The series of an index, by machine, quantity and case.

    Args:
        index: Of a results folder.
        control: The id of the case to divide by; by default the ``roofline:`` case that runs in
            most of the nights of a device; an empty string for none.
        part: Only cases with this in their id.
        machine: Only this machine.

    Raises:
        ValueError: The control is in no run.
    """
    if control and control not in index.cases.counts("case"):
        raise ValueError(
            f"found no case {control!r} to divide by, wanted the id of one of every night;"
            " give another --control, or --control '' for none"
        )
    facts = dict(index.runs.rows(("environment", "facts")))
    cases = index.cases.of(COLUMNS)
    views = {quantity: _View(cases, quantity, facts) for quantity in QUANTITIES}
    found: list[Line] = []
    for id_ in dict.fromkeys(index.runs["machine"]):
        if not id_ or machine not in {"", id_}:  # who has no name has no history
            continue
        of_case = _groups(cases, cases.is_("machine", id_))
        controls = _controls(cases, of_case, control)
        none: Rows = np.empty(0, dtype=np.int64)
        for view in views.values():
            by = {name: view.control(of_case.get(name, none)) for name in {*controls.values()}}
            for case, rows in of_case.items():
                name = controls[cases.at("device_id", rows[-1])]
                name = "" if name == case else name
                line = view.line(rows, name, by[name] if name else None)
                found += [line] if line and part in case else []
    return tuple(found)


def _night(cases: Table, row: int) -> Night:
    return Night._make(cases.at(name, row) for name in COLUMNS)


def _groups(cases: Table, chosen: NDArray[Any]) -> dict[str, Rows]:
    """The rows of each case among some rows, oldest first; cases as they first appear."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return {}
    codes = cases.codes(("case",))[rows]
    order = codes.argsort(kind="stable")
    ends = np.flatnonzero(np.diff(codes[order])) + 1
    groups = sorted(np.split(rows[order], ends), key=itemgetter(0))
    return {cases.at("case", its[0]): its for its in groups}


def _controls(cases: Table, of_case: Mapping[str, Rows], asked: str | None) -> dict[str, str]:
    """The control of each device: the one asked for, or the roofline that runs most often."""
    found: dict[str, str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for case, rows in of_case.items():
        its = cases.of(("device_id", "workload")).where(rows)
        found |= dict.fromkeys(its.counts("device_id"), asked or "")
        if asked is None and any(name.startswith(PREFIX) for name in its.counts("workload")):
            of_device = its.rows(("device_id", "workload"))
            counts.update((device, case) for device, name in of_device if name.startswith(PREFIX))

    def rank(item: tuple[tuple[str, str], int]) -> tuple[int, bool, str]:
        (_, case), count = item
        return -count, _USUAL not in case, case

    for (device, case), _ in sorted(counts.items(), key=rank):
        found[device] = found[device] or case
    return found


class _Control(NamedTuple):
    """What a control gave, by the number of the journal: NaN where it gave nothing."""

    values: NDArray[np.float64]
    same: NDArray[np.int64]


class _View:
    """One quantity of the cases of an index.

    Args:
        cases: With `COLUMNS`.
        quantity: ``energy`` or ``time``.
        facts: JSON of each environment.
    """

    def __init__(self, cases: Table, quantity: str, facts: Mapping[str, str]) -> None:
        self._cases = cases
        self._quantity = quantity
        self._facts = facts
        self._values = cases.numbers(quantity)
        self._same = cases.codes(_SAME_ENERGY if quantity == ENERGY else _SAME)
        self._journals = cases.codes(("journal",))

    def control(self, rows: Rows) -> _Control:
        """The rows of a case as a control."""
        count = int(self._journals.max(initial=0)) + 1
        found = _Control(np.full(count, math.nan), np.zeros(count, dtype=np.int64))
        its = self._usable(rows)
        found.values[self._journals[its]] = self._values[its]
        found.same[self._journals[its]] = self._same[its]
        return found

    def line(self, rows: Rows, name: str, control: _Control | None) -> Line | None:
        """The series of one case; None where it has no night with this quantity."""
        its = usable = self._usable(rows)
        if control:
            its = usable[~np.isnan(control.values[self._journals[usable]])]
        if not len(its):
            return None
        values, cut = self._values[its], np.diff(self._same[its]) != 0
        if control:
            values = values / control.values[self._journals[its]]
            cut |= np.diff(control.same[self._journals[its]]) != 0
        segments: list[Segment] = []
        for begin, end in pairwise((0, *(np.flatnonzero(cut) + 1).tolist(), len(its))):
            new = Segment(self._cases, its[begin:end], tuple(values[begin:end].tolist()))
            why = self._why(segments[-1].night(-1), new.night(0)) if segments else ""
            segments.append(replace(new, why=why))
        case, machine = (self._cases.at(name, rows[0]) for name in ("case", "machine"))
        left_out = len(usable) - len(its)
        return Line(case, machine, self._quantity, name, tuple(segments), left_out)

    def _usable(self, rows: Rows) -> Rows:
        values = self._values[rows]
        return rows[(values > 0) & (values < math.inf)]

    def _why(self, last: Night, first: Night) -> str:
        return _why(last, first, self._quantity, self._facts)


def _why(last: Night, first: Night, quantity: str, facts: Mapping[str, str]) -> str:
    """What changed between two segments."""
    found = []
    if last.environment != first.environment:
        found += facts_changed(
            facts.get(last.environment, "{}"), facts.get(first.environment, "{}")
        )
    names = ["device_id", "unit", "workload_version"]
    names += ["kind", "boundary", "channels"] if quantity == ENERGY else []
    for name in names:
        before, after = getattr(last, name), getattr(first, name)
        if before != after:
            found.append(f"{name.replace('_', ' ')} {before} → {after}")
    more = f" and {len(found) - _MOST_REASONS} more" if len(found) > _MOST_REASONS else ""
    return "; ".join(found[:_MOST_REASONS] or ["the control's workload"]) + more


def facts_changed(before: str, after: str) -> list[str]:
    """What differs between two environments, as the JSON of an index has them."""
    one, other = json.loads(before), json.loads(after)
    return [
        f"{name} {one.get(name, 'absent')} → {other.get(name, 'absent')}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
