"""From the journals of a night to one series for each case and quantity. Pure, but for reading.

Two sides are one series only if they were measured alike: on the same machine, by the same
channels of the same kind and boundary, with the same version of the workload.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.gate.answer import ENERGY, Pair, Quantity, Series, Word
from bench.gate.canary import group, margin
from bench.gate.plan import BASE, HEAD, Name, name_of
from bench.gate.state import State
from bench.gate.values import Value, value_of
from bench.quantities import Absent
from bench.record import CaseRecord, Run
from bench.records import Journal, read
from bench.workload import JUDGED

STEPS = 5
"""Steps of the counter per block below which a difference is none (shared/users.md §6.5)."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A case as both revisions describe it, quality included; None where one has it not."""

    base: CaseRecord | None
    head: CaseRecord | None

    @property
    def record(self) -> CaseRecord:
        """As the head describes it, or else the baseline."""
        found = self.head or self.base
        assert found is not None  # noqa: S101 - a case is known by one of them
        return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a night has measured.

    Args:
        folder: Where it lies.
        state: What it is of.
        series: Of each case and quantity, canaries too.
        cases: What each case is, on both sides.
        base: The first record of a journal of the baseline; None if there is none.
        head: The same of the head.
        notes: What the reader of the numbers should know.
        groups: By case, the number of the group of tests that measures it.
        others: Cases that are held against another baseline, each with that evidence.
    """

    folder: Path
    state: State
    series: tuple[Series, ...]
    cases: Mapping[str, Sides] = field(default_factory=dict)
    base: Run | None = None
    head: Run | None = None
    notes: tuple[str, ...] = ()
    groups: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, "Evidence"] = field(default_factory=dict)

    def tests_of(self, case: str) -> tuple[str, ...]:
        """The tests that measure a case."""
        sides = self.cases.get(case)
        found = (each.nodeid for each in (sides.base, sides.head) if each) if sides else ()
        return tuple(dict.fromkeys(found))

    def argument_of(self, case: str) -> str:
        """The argument of pytest that selects the test of a case in the head; else nothing."""
        sides = (self.state.tests.get(test, (None, None)) for test in self.tests_of(case))
        return next((head for _, head in sides if head is not None), "")


@dataclass(frozen=True, slots=True)
class _Process:
    """A process of a night, and its journal."""

    name: Name
    journal: Journal


def evidence(folder: Path) -> Evidence:
    """What a night has measured so far.

    Args:
        folder: Of the night.

    Raises:
        JournalError: It is no night's folder, or a journal in it is damaged.
    """
    state = State.read(folder)
    found = [
        _Process(name, read(path))
        for path in sorted(folder.glob("*.jsonl"))
        if (name := name_of(path.stem)) is not None
    ]
    found.sort(key=lambda each: (each.name.canary, each.name.stage, each.name.pair))
    cases, values = _cases(found), _values(found)
    series, notes = list[Series](), list[str]()
    for case, sides in cases.items():
        for canary in (False, True):
            if seen := values.get((case, canary)):
                series += _series(sides, seen, state, canary=canary)
        notes += _notes(case, values.get((case, False), ()))
    series += _of_tests(state, cases)
    nights = {place: evidence(folder / place) for place, _ in state.moved.values()}
    others = {case: nights[place] for case, (place, _) in state.moved.items()}
    wider = tuple(_moved([_widened(each, state) for each in series], others))
    groups = {
        record.case: each.name.group
        for each in found
        if each.name.stage == 1 and not each.name.canary
        for record in each.journal.cases
    }
    base, head = (
        next((each.journal.run for each in found if (each.name.side == HEAD) == is_head), None)
        for is_head in (False, True)
    )
    return Evidence(folder, state, wider, cases, base, head, tuple(notes), groups, others)


def _moved(series: Iterable[Series], others: Mapping[str, Evidence]) -> Iterator[Series]:
    """The series, those of cases with another baseline from where they were held against it."""
    for each in series:
        if each.canary or each.case not in others:
            yield each
            continue
        yield from (
            one
            for one in others[each.case].series
            if (one.case, one.quantity, one.canary) == (each.case, each.quantity, False)
        )


def _cases(found: Iterable[_Process]) -> dict[str, Sides]:
    """All cases that were timed, each as the first process of a side that judged it says."""
    known: dict[str, Sides] = {}
    for each in found:
        side = HEAD if each.name.side == HEAD else BASE
        for record in each.journal.cases:
            if record.runtime == JUDGED:
                continue
            sides = known.get(record.case, Sides(None, None))
            before: CaseRecord | None = getattr(sides, side)
            if before is None or (before.quality is None and record.quality is not None):
                sides = replace(sides, **{side: record})
            known[record.case] = sides
    return dict(sorted(known.items()))


def _values(found: Iterable[_Process]) -> dict[tuple[str, bool], list[Value]]:
    """What the processes say of each case, apart for canaries."""
    values: dict[tuple[str, bool], list[Value]] = {}
    for each in found:
        for record in each.journal.cases:
            if record.runtime != JUDGED:
                seen = values.setdefault((record.case, each.name.canary), [])
                seen.append(value_of(each.name, each.journal, record))
    return values


def _quantities(state: State) -> list[Quantity]:
    """What is to be decided, energy first."""
    known: tuple[Quantity, ...] = ("energy", "time")
    return [quantity for quantity in known if quantity in state.asked.metrics]


def _series(
    sides: Sides, values: Sequence[Value], state: State, *, canary: bool
) -> Iterator[Series]:
    """The series of each quantity that is asked for."""
    record = sides.record
    for quantity in _quantities(state):
        pairs = _pairs(values, quantity)
        unlike = _unlike(values, quantity)
        lost = state.lost.get(record.nodeid, "")
        absent = lost or ("" if canary else _one_sided(sides)) or unlike
        one = Series(
            record.case,
            quantity,
            f"{'J' if quantity == ENERGY else 's'}/{record.unit}",
            pairs=() if unlike else pairs,
            canary=canary,
            absent=absent or ("" if pairs else _why_none(values, quantity)),
            word=Word.NOT_COMPARABLE if unlike and absent == unlike else Word.NOT_MEASURED,
        )
        if quantity == ENERGY:
            last = values[-1]
            floor = STEPS * statistics.median(each.step for each in values)
            one = replace(one, kind=last.kind, boundary=last.boundary, floor=floor)
        yield one


def _pairs(values: Iterable[Value], quantity: str) -> tuple[Pair, ...]:
    """Both sides of each pair of processes that has both, in their order."""
    found: dict[tuple[int, int], dict[bool, float]] = {}
    for each in values:
        value = each.quantities[quantity]
        if not isinstance(value, Absent):
            place = found.setdefault((each.name.stage, each.name.pair), {})
            place[each.name.side == BASE] = value
    return tuple(
        Pair(both[True], both[False], stage)
        for (stage, _), both in sorted(found.items())
        if len(both) == 2  # noqa: PLR2004 - a pair
    )


def _unlike(values: Sequence[Value], quantity: str) -> str:
    """In what the processes differ that must be alike for their numbers to be compared."""
    for what in values[0].alike:
        if what == "energy" and quantity != ENERGY:
            continue
        by_side = [
            list(dict.fromkeys(v.alike[what] for v in values if (v.name.side == BASE) == base))
            for base in (True, False)
        ]
        if len({text for texts in by_side for text in texts}) > 1:
            base, head = (" and ".join(texts) for texts in by_side)
            if base == head:
                return (
                    f"the {what} differs from process to process: {base}; make it the same in every"
                    " process, by a seed"
                )
            return f"the {what} is {base} in base and {head} in HEAD"
    return ""


def _one_sided(sides: Sides) -> str:
    if sides.base and sides.head:
        return ""
    return "only in HEAD" if sides.head else "only in base"


def _why_none(values: Sequence[Value], quantity: str) -> str:
    """Why no pair of processes has a value on both sides."""
    absent = [v for each in values if isinstance(v := each.quantities[quantity], Absent)]
    return str(absent[0]) if absent else "no pair of processes measured it on both sides"


def _of_tests(state: State, cases: Mapping[str, Sides]) -> Iterator[Series]:
    """Tests of which no case is known: those of one side, and those that gave nothing."""
    known = {each.nodeid for s in cases.values() for each in (s.base, s.head) if each}
    for test, (base, head) in state.tests.items():
        why = state.lost.get(test, "")
        if base is None or head is None:
            there, other = ("HEAD", "base") if base is None else ("base", "HEAD")
            why = f"only in {there}: {other} has no such test, or could not collect it"
        if why and test not in known:
            for quantity in _quantities(state):
                yield Series(test, quantity, "", absent=why)


def _widened(series: Series, state: State) -> Series:
    """A series with its margin and floor: what is asked for, and no less than can be seen."""
    asked = state.asked
    least = margin(asked.margin(series.case), state.history.get(group(series), ()))
    floor = series.floor
    if series.quantity == ENERGY:
        floor = max(floor, asked.floor(series.case))
    return replace(series, margin=least, floor=floor)


def _notes(case: str, values: Sequence[Value]) -> Iterator[str]:
    kept = sum(each.keeps_disturbed for each in values)
    if kept:
        yield (
            f"{case}: {kept} of {len(values)} processes had too few blocks that nothing disturbed;"
            " theirs count with the disturbed ones"
        )
