"""The nights of each case and machine as series, cut where machine or environment changed: pure.

A series is never joined across another machine, another environment (packages, kernel, driver,
governor, meters), another workload version, kind or boundary: each such part is a *segment*.
Estimated energies are no series. Where a control workload ran in the same nights, a value is
divided by that night's control, and what the night did to both is gone.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from bench.history.index import Index
from bench.history.noise import is_usable
from bench.roofline import PREFIX

ENERGY, TIME = "energy", "time"
QUANTITIES = (ENERGY, TIME)
_MOST_REASONS = 4
_USUAL = "gemm-fp32"  # of several rooflines that ran as often: what most models are made of


_SAME = ("device_id", "unit", "workload_version", "environment")
_SAME_ENERGY = (*_SAME, "kind", "boundary", "channels")


class Night(NamedTuple):
    """One case in one night: columns of an index, and numbers of the circumstances.

    Nights can be compared whose ``of_energy`` (for a time: ``of_time``) are equal.
    """

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
    of_energy: int
    of_time: int

    def value(self, quantity: str) -> float:
        """Its energy in J a sample or its time in s a sample; NaN where it is absent."""
        return self.energy if quantity == ENERGY else self.time


@dataclass(frozen=True, slots=True)
class Segment:
    """Nights that can be compared with each other, oldest first.

    Args:
        nights: Where each value comes from.
        values: J or s a sample, or their ratio to the control.
        why: What is not as in the segment before; empty for the first.
    """

    nights: tuple[Night, ...]
    values: tuple[float, ...]
    why: str = ""


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
        return self.segments[-1].nights[-1]

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
    if control and control not in set(index.cases["case"]):
        raise ValueError(
            f"found no case {control!r} to divide by, wanted the id of one of every night;"
            " give another --control, or --control '' for none"
        )
    facts = dict(index.runs.rows(("environment", "facts")))
    found: list[Line] = []
    for its in _machines(index, machine).values():
        cases: dict[str, list[Night]] = {}
        for night in its:
            cases.setdefault(night.case, []).append(night)
        controls = _controls(its, control)
        for quantity in QUANTITIES:
            by = {name: _values(cases.get(name, ()), quantity) for name in set(controls.values())}
            for case, nights in cases.items():
                name = controls.get(nights[-1].device_id, "")
                name = "" if name == case else name
                line = _line(nights, quantity, name, by.get(name, {}), facts)
                found += [line] if line and part in case else []
    return tuple(found)


def _machines(index: Index, machine: str) -> dict[str, list[Night]]:
    """The nights of each machine, oldest first; those of a machine without name are no history."""
    columns = [index.cases[name] for name in Night._fields if name in index.cases.columns]
    codes = [_codes(index.cases.rows(same)) for same in (_SAME_ENERGY, _SAME)]
    found: dict[str, list[Night]] = {}
    for night in map(Night._make, zip(*columns, *codes, strict=True)):
        if night.machine and machine in {"", night.machine}:
            found.setdefault(night.machine, []).append(night)
    return found


def _codes(rows: Iterable[tuple[str, ...]]) -> list[int]:
    """A number for each row; equal rows have the same."""
    known: dict[tuple[str, ...], int] = {}
    return [known.setdefault(row, len(known)) for row in rows]


def _controls(nights: Sequence[Night], asked: str | None) -> dict[str, str]:
    """The control of each device: the one asked for, or the roofline that runs most often."""
    found = dict.fromkeys((night.device_id for night in nights), asked or "")
    if asked is not None:
        return found
    counts = Counter(
        (night.device_id, night.case) for night in nights if night.workload.startswith(PREFIX)
    )

    def rank(item: tuple[tuple[str, str], int]) -> tuple[int, bool, str]:
        (_, case), count = item
        return -count, _USUAL not in case, case

    for (device, case), _ in sorted(counts.items(), key=rank):
        found[device] = found[device] or case
    return found


By = Mapping[str, tuple[float, int]]
"""The value of a control and the number of its circumstances, by journal."""


def _values(nights: Iterable[Night], quantity: str) -> By:
    code = attrgetter(f"of_{quantity}")
    return {
        night.journal: (night.value(quantity), code(night))
        for night in nights
        if is_usable(night.value(quantity))
    }


def _line(
    nights: Sequence[Night], quantity: str, control: str, by: By, facts: Mapping[str, str]
) -> Line | None:
    """The series of one case; None where it has no night with this quantity."""
    value = attrgetter(quantity)
    usable = [night for night in nights if 0 < value(night) < math.inf]
    found = list(_divided(usable, quantity, by if control else None))
    if not found:
        return None
    segments: list[Segment] = []
    last: Night | None = None
    for _, group in groupby(found, key=itemgetter(1)):
        its = list(group)
        first = its[0][0]
        why = _why(last, first, quantity, facts) if last else ""
        members = tuple(night for night, _, _ in its)
        segments.append(Segment(members, tuple(value for _, _, value in its), why))
        last = members[-1]
    case, machine = nights[0].case, nights[0].machine
    return Line(case, machine, quantity, control, tuple(segments), len(usable) - len(found))


def _divided(
    nights: Iterable[Night], quantity: str, by: By | None
) -> Iterator[tuple[Night, tuple[int, int], float]]:
    """Each night with its circumstances and its value, over the control's where there is one."""
    value, code = attrgetter(quantity), attrgetter(f"of_{quantity}")
    for night in nights:
        if by is None:
            yield night, (code(night), 0), value(night)
        elif night.journal in by:
            below, its = by[night.journal]
            yield night, (code(night), its), value(night) / below


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
