"""One night: fresh processes of two revisions in turn, until each case has its pairs.

    collect both sides → every test 6 pairs → candidates 24 fresh pairs → evidence

All that was measured is kept, and a night that was cut off goes on from its folder.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import records
from bench.gate import process
from bench.gate.canary import night, spreads
from bench.gate.checkout import Checkout
from bench.gate.collect import CannotMeasureError, Start, collect, planned
from bench.gate.decide import DEFAULT, Rule, candidates
from bench.gate.evidence import Evidence, evidence
from bench.gate.plan import AGAIN, BASE, HEAD, Plan, jobs
from bench.gate.state import COMPLETE, FILE, Asked, Side, State, history_of
from bench.gate.turns import Turns, unused
from bench.journal_writer import require_room
from bench.machine import fingerprint
from bench.record import JournalError

__all__ = ["CannotMeasureError", "Order", "folder_of", "run_night"]

NIGHTS = "gate"
"""Folder of the nights, in that of all results."""

Fresh = tuple[tuple[str, ...], tuple[str, ...]]
"""Tests that get fresh pairs, and canaries that do."""

Baseline = Callable[[str], tuple[Checkout, str] | None]
"""For a case that is held against another baseline, that one and why; None for all others."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a night measures, and how.

    Args:
        select: Arguments of pytest: files, ``-k``, its options and ours.
        rule: How many pairs, and which cases get fresh ones.
        plan: How it is run.
        asked: What is decided, with which margins.
    """

    select: tuple[str, ...] = ()
    rule: Rule = DEFAULT
    plan: Plan = field(default_factory=Plan)
    asked: Asked = field(default_factory=Asked)


def run_night(
    base: Checkout,
    head: Checkout,
    order: Order,
    *,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
    start: Start = process.start,
    baseline: Baseline = lambda _: None,
    history: Path | None = None,
) -> Evidence:
    """Measures what two revisions cost, in pairs of fresh processes.

    Args:
        base: The baseline.
        head: What is held against it.
        order: What is measured; a night that was cut off goes on by the one that it began with.
        folder: For the evidence, new; or that of a night that was cut off.
        say: Is told what goes on.
        start: Runs pytest in a side.
        baseline: Says which cases are held against another baseline.
        history: Results with earlier nights of this machine; None for those beside the folder.

    Raises:
        CannotMeasureError: There is nothing to measure, or no way to.
        JournalError: The folder is of a night of other revisions, or cannot be written.
    """
    sides = {BASE: base, HEAD: head, AGAIN: base}
    state = _state(sides, order, folder, say, start)
    turns, together = Turns(folder, state, sides, say, start), state.plan.together
    turns.stage(1, state.rule.pairs, jobs(state.common, state.canaries, together))
    nights = folder.parent if history is None else history / NIGHTS
    fresh = state.fresh or _chosen(turns, baseline, nights)
    turns.stage(2, state.rule.fresh, jobs(*fresh, together))
    return _completed(turns)


def _state(
    sides: Mapping[str, Checkout],
    order: Order,
    folder: Path,
    say: Callable[[str], None],
    start: Start,
) -> State:
    """Of the night that goes on, or of a new one whose tests are collected."""
    base, head = sides[BASE], sides[HEAD]
    if (folder / FILE).exists():
        state = _resumed(folder, base, head)
        say(f"going on with {folder}, which has {len(state.done)} finished processes")
        return state
    require_room(folder)
    of = Side(base.revision, base.dirty), Side(head.revision, head.dirty)
    state = State(records.now(), *of, order.rule, order.plan, order.asked)
    collect(state, sides, order.select, folder, start=start)
    say(planned(state))
    state.write(folder)
    return state


def _chosen(
    turns: Turns, baseline: Baseline, nights: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """After the pairs that every case has: what gets fresh ones, and what another baseline."""
    found = evidence(turns.folder)
    _look_around(turns.state, found, nights)
    _hold_against_others(turns, found, baseline)
    turns.state.fresh = fresh = _fresh(found)
    turns.state.write(turns.folder)
    return fresh


def _completed(turns: Turns) -> Evidence:
    """All that was measured, after the canaries' spread is kept for the nights to come."""
    found, state = evidence(turns.folder), turns.state
    state.spreads = spreads(night(found.series, state.rule, state.history).canaries)
    state.status = COMPLETE
    state.write(turns.folder)
    return replace(found, state=state)


def folder_of(results: Path, head: Checkout, *, resume: bool = False) -> Path:
    """Where the evidence of a night goes: a new folder, or that of the newest unfinished one.

    Args:
        results: Folder of all results.
        head: What is judged.
        resume: Go on with a night that was cut off, if there is one.
    """
    nights = results / NIGHTS
    if resume:
        for path in sorted(nights.glob(f"*/{FILE}"), reverse=True):
            if State.read(path.parent).status != COMPLETE:
                return path.parent
    stamp = records.now().replace("-", "").replace(":", "")
    place = nights / f"{stamp}-{fingerprint().id}-{head.short}"
    return place if not place.exists() else unused(place)


def _resumed(folder: Path, base: Checkout, head: Checkout) -> State:
    """The state of a night that was cut off.

    Raises:
        JournalError: It is of other revisions.
    """
    state = State.read(folder)
    for what, found, wanted in ((BASE, base, state.base), (HEAD, head, state.head)):
        now = Side(found.revision, found.dirty)
        if now != wanted:
            raise JournalError(
                f"cannot go on with {folder}: its {what} is {wanted}, now it is {now};"
                " use the same one, or start anew without --resume"
            )
    return state


def _look_around(state: State, found: Evidence, nights: Path) -> None:
    """Remembers the machine, and what its canaries said in earlier nights."""
    if found.head is not None:
        state.machine = str(found.head.machine["id"])
        state.history = history_of(nights, state.machine, state.started)


def _hold_against_others(turns: Turns, found: Evidence, baseline: Baseline) -> None:
    """Runs nights within the night for cases that are held against another baseline."""
    state = turns.state
    moved = {case: other for case in found.cases if (other := baseline(case)) is not None}
    for accepted in {each.revision: each for each, _ in moved.values()}.values():
        place = f"accepted-{accepted.short}"
        whys = {case: why for case, (each, why) in moved.items() if each == accepted}
        turns.say(f"{len(whys)} cases are held against {accepted.short}, as accepted")
        run_night(
            accepted,
            turns.sides[HEAD],
            Order(
                (*state.options, *_arguments(found, whys)),
                state.rule,
                replace(state.plan, canaries=0),
                state.asked,
            ),
            folder=turns.folder / place,
            say=turns.say,
            start=turns.start,
        )
        state.moved |= {case: [place, why] for case, why in whys.items()}


def _arguments(found: Evidence, cases: Mapping[str, str]) -> list[str]:
    """The arguments of pytest that select the tests of some cases in the head."""
    tests = dict.fromkeys(test for case in cases for test in found.tests_of(case))
    listed = found.state.tests
    return [argument for test in tests if (argument := listed[test][1]) is not None]


def _fresh(found: Evidence) -> Fresh:
    """The tests of the candidates, and the canaries among them."""
    state = found.state
    chosen = [each for each in candidates(found.series, state.rule) if each.case not in state.moved]
    names: tuple[set[str], set[str]] = (set(), set())
    for series in chosen:
        names[series.canary].update(found.tests_of(series.case))

    def ordered(some: Iterable[str]) -> tuple[str, ...]:
        kept = set(some) - set(state.lost)
        return tuple(test for test in state.common if test in kept)

    return ordered(names[False]), ordered(names[True])
