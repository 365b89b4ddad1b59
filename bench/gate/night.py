"""One night: fresh processes of two revisions in turn, until each case has its pairs.

    collect both sides → every test 6 pairs → candidates 12 fresh pairs → evidence

A process that fails is repeated once without what it has measured; a test that then still gives
nothing is lost: it stays out of later pairs, and the evidence says why. All that was measured is
kept, and a night that was cut off goes on from its folder.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import records
from bench.gate import process
from bench.gate.canary import night, spreads
from bench.gate.checkout import Checkout
from bench.gate.decide import DEFAULT, Rule, candidates
from bench.gate.evidence import Evidence, evidence
from bench.gate.plan import AGAIN, BASE, HEAD, Job, Name, Plan, canaries_of, jobs, processes
from bench.gate.process import Ended
from bench.gate.state import COMPLETE, FILE, Asked, Side, State, history_of
from bench.machine import fingerprint
from bench.record import CaseRecord, JournalError
from bench.workload import JUDGED

Start = Callable[[Checkout, Sequence[str], Path, float], Ended]
"""Runs pytest in a side: `bench.gate.process.start`."""

ATTEMPTS = "attempts"
"""Folder of the evidence for what processes leave that did not end in order."""

_START_S, _TEST_S = 300.0, 120.0  # a deadline where nothing is known yet
_SLOWER, _LEAST_S = 5, 60.0  # times the longest of the same group so far
_USAGE, _CANNOT_MEASURE = 4, 10  # exit codes of pytest, and of ours in it


class CannotMeasureError(RuntimeError):
    """A night gives nothing; the message says why, and what was printed."""


def run_night(
    base: Checkout,
    head: Checkout,
    *,
    folder: Path,
    select: Sequence[str] = (),
    rule: Rule = DEFAULT,
    plan: Plan | None = None,
    asked: Asked | None = None,
    say: Callable[[str], None] = lambda _: None,
    start: Start = process.start,
    baseline: Callable[[str], tuple[Checkout, str] | None] = lambda _: None,
) -> Evidence:
    """Measures what two revisions cost, in pairs of fresh processes.

    Args:
        base: The baseline.
        head: What is held against it.
        folder: For the evidence, new; or that of a night that was cut off, which goes on by the
            settings that it began with.
        select: Arguments of pytest: files, ``-k``, its options and ours.
        rule: How many pairs, and which cases get fresh ones.
        plan: How it is run.
        asked: What is decided, with which margins.
        say: Is told what goes on.
        start: Runs pytest in a side.
        baseline: For a case that is held against another baseline, that one and why; else None.

    Raises:
        CannotMeasureError: There is nothing to measure, or no way to.
        JournalError: The folder is of a night of other revisions, or cannot be written.
    """
    sides = {BASE: base, HEAD: head, AGAIN: base}
    if (folder / FILE).exists():
        state = _resumed(folder, base, head)
        say(f"going on with {folder}, which has {len(state.done)} finished processes")
    else:
        records.require_room(folder)
        of = Side(base.revision, base.dirty), Side(head.revision, head.dirty)
        state = State(records.now(), *of, rule, plan or Plan(), asked or Asked())
        _collect(state, sides, tuple(select), folder, start=start)
        say(_planned(state))
        state.write(folder)
    runner = _Runner(folder, state, sides, say, start)
    runner.stage(1, state.rule.pairs, jobs(state.common, state.canaries, state.plan.together))
    if state.fresh is None:
        found = evidence(folder)
        state.machine = str(found.head.machine["id"]) if found.head else ""
        state.history = history_of(folder.parent, state.machine, state.started)
        moved = {case: other for case in found.cases if (other := baseline(case))}
        state.moved = {case: [_folder_of(other), why] for case, (other, why) in moved.items()}
        for place, other in {_folder_of(other): other for other, _ in moved.values()}.items():
            cases = [case for case, (each, _) in state.moved.items() if each == place]
            say(f"{len(cases)} cases are held against {other.short}, as accepted")
            run_night(
                other,
                head,
                folder=folder / place,
                select=(*state.options, *_arguments(found, cases)),
                rule=state.rule,
                plan=replace(state.plan, canaries=0),
                asked=state.asked,
                say=say,
                start=start,
            )
        state.fresh = _fresh(found, state)
        state.write(folder)
    runner.stage(2, state.rule.fresh, jobs(*state.fresh, state.plan.together))
    found = evidence(folder)
    state.spreads = spreads(night(found.series, state.rule, state.history).canaries)
    state.status = COMPLETE
    state.write(folder)
    return replace(found, state=state)


def folder_of(results: Path, head: Checkout, *, resume: bool = False) -> Path:
    """Where the evidence of a night goes: a new folder, or that of the newest unfinished one.

    Args:
        results: Folder of all results.
        head: What is judged.
        resume: Go on with a night that was cut off, if there is one.
    """
    nights = results / "gate"
    if resume:
        for path in sorted(nights.glob(f"*/{FILE}"), reverse=True):
            if State.read(path.parent).status != COMPLETE:
                return path.parent
    stamp = records.now().replace("-", "").replace(":", "")
    place = nights / f"{stamp}-{fingerprint().id}-{head.short}"
    return place if not place.exists() else _unused(place)


def _folder_of(other: Checkout) -> str:
    return f"accepted-{other.short}"


def _arguments(found: Evidence, cases: Iterable[str]) -> list[str]:
    """The arguments of pytest that select the tests of some cases in the head."""
    tests = dict.fromkeys(test for case in cases for test in found.tests_of(case))
    listed = found.state.tests
    return [argument for test in tests if (argument := listed[test][1]) is not None]


def _resumed(folder: Path, base: Checkout, head: Checkout) -> State:
    """The state of a night that was cut off.

    Raises:
        JournalError: It is of other revisions.
    """
    state = State.read(folder)
    for what, found, wanted in (
        (BASE, base, state.base),
        (HEAD, head, state.head),
    ):
        now = Side(found.revision, found.dirty)
        if now != wanted:
            raise JournalError(
                f"cannot go on with {folder}: its {what} is {wanted}, now it is {now};"
                " use the same one, or start anew without --resume"
            )
    return state


def _collect(
    state: State,
    sides: Mapping[str, Checkout],
    select: tuple[str, ...],
    folder: Path,
    *,
    start: Start,
) -> None:
    """Asks both sides which tests they have, and draws the canaries.

    Raises:
        CannotMeasureError: A side cannot tell, or they have no test in common.
    """
    found: dict[str, dict[str, str]] = {}
    for name in (BASE, HEAD):
        place = folder / ATTEMPTS / f"collect-{name}"
        arguments = (*select, *_ours(state.plan), "--collect-only", "-q")
        ended = start(sides[name], arguments, place, state.plan.timeout_s or _START_S)
        text = process.tests_of(place)
        if text is None:
            raise CannotMeasureError(
                f"the tests of {name} ({state.base if name == BASE else state.head}) cannot be"
                f" collected: pytest {ended.how}. {_old(ended)}Its last lines:\n{ended.said}"
            )
        listed = json.loads(text)
        found[name] = dict(listed["tests"])
        if name == HEAD:
            state.options = tuple(each for each in select if each not in listed["given"])
        if ended.in_order:
            shutil.rmtree(place, ignore_errors=True)
    both = dict.fromkeys((*found[BASE], *found[HEAD]))
    state.tests = {test: (found[BASE].get(test), found[HEAD].get(test)) for test in both}
    if not state.common:
        raise CannotMeasureError(
            f"found no test that uses the fixture joules in both revisions: {len(found[BASE])} in"
            f" base, {len(found[HEAD])} in HEAD; give the files of your benchmarks"
        )
    state.canaries = canaries_of(state.common, state.plan)


def _old(ended: Ended) -> str:
    """What is likely wrong where pytest knows an option of ours not."""
    if "--joules-alone" not in ended.said:
        return ""
    return "Its joulebench is too old, or not installed: it must know --joules-alone. "


def _planned(state: State) -> str:
    """What a night is about to do, in one line."""
    all_jobs = jobs(state.common, state.canaries, state.plan.together)
    tests, pairs = len(state.common), state.rule.pairs
    return (
        f"{tests} {'test' if tests == 1 else 'tests'}, {len(state.canaries)} of them as canaries"
        f" too: {pairs} pairs × {len(all_jobs)} groups = {2 * pairs * len(all_jobs)} fresh"
        f" processes, then {state.rule.fresh} pairs of each candidate"
    )


def _ours(plan: Plan) -> tuple[str, ...]:
    required = ("--joules-require=measured",) if plan.require_measured else ()
    return (f"--joules-alone={plan.blocks}", "--joules-processes=0", *required)


def _fresh(found: Evidence, state: State) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tests of the candidates, and the canaries among them."""
    chosen = [s for s in candidates(found.series, state.rule) if s.case not in state.moved]
    names: tuple[set[str], set[str]] = (set(), set())
    for series in chosen:
        names[series.canary].update(found.tests_of(series.case))
    tests, canaries = (
        tuple(test for test in state.common if test in some and test not in state.lost)
        for some in names
    )
    return tests, canaries


@dataclass
class _Runner:
    """Runs the processes of a night, one after the other."""

    folder: Path
    state: State
    sides: Mapping[str, Checkout]
    say: Callable[[str], None]
    start: Start
    longest: dict[tuple[int, int], float] = field(default_factory=dict)

    def stage(self, stage: int, pairs: int, all_jobs: Sequence[Job]) -> None:
        """Runs so many pairs of all jobs."""
        for pair in range(1, pairs + 1):
            round_ = list(processes(stage, pair, all_jobs, self.state.plan.seed))
            if all(str(name) in self.state.done for _, names, _ in round_ for name in names):
                continue
            if round_:
                what = "pair" if stage == 1 else "fresh pair"
                self.say(f"{what} {pair} of {pairs}: {len(round_)} groups")
            for _, names, tests in round_:
                for name in names:
                    if str(name) not in self.state.done:
                        self._run(name, tests)

    def _run(self, name: Name, tests: Sequence[str]) -> None:
        """One side of one pair, repeated once for what it did not measure."""
        gone = {*self.state.lost, *self.state.quiet}
        wanted = [test for test in tests if test not in gone]
        left = wanted
        measured: list[CaseRecord] = []
        ended, took_s = None, 0.0
        for attempt in (1, 2):
            if not left:
                break
            each = name._replace(attempt=attempt)
            ended, cases = self._attempt(each, left)
            measured += cases
            took_s += ended.seconds
            left = _left(left, cases)
            if ended.in_order:
                break
            again = "; it is repeated for the others" if attempt == 1 and left else ""
            self.say(f"{each}: a process {ended.how}{again}")
        if ended is not None:
            self._settle(name, wanted, measured, ended)
        self.state.done[str(name)] = took_s
        self.state.write(self.folder)

    def _attempt(self, name: Name, tests: Sequence[str]) -> tuple[Ended, list[CaseRecord]]:
        """Starts a process for some tests.

        Raises:
            CannotMeasureError: The process says that no other one will do better.
        """
        head = name.side == HEAD
        chosen = [self.state.tests[test][head] or test for test in tests]
        judges = name.pair == 1 and name.stage == 1 and not name.canary
        quality = f"--joules-seeds={int(judges)}"
        arguments = (*self.state.options, *_ours(self.state.plan), quality, "-rsfE", *chosen)
        place = _unused(self.folder / ATTEMPTS / str(name))
        deadline_s = self._deadline_s(name, len(tests))
        ended = self.start(self.sides[name.side], arguments, place, deadline_s)
        if ended.code in {_USAGE, _CANNOT_MEASURE}:
            raise CannotMeasureError(f"{name}: pytest {ended.how}; its last lines:\n{ended.said}")
        key = (name.stage, name.group)
        self.longest[key] = max(self.longest.get(key, 0.0), ended.seconds)
        to = self.folder / f"{name}.jsonl"
        process.take(ended, place, to)
        if ended.journal is None:
            return ended, []
        return ended, [case for case in records.read(to).cases if case.nodeid]

    def _deadline_s(self, name: Name, tests: int) -> float:
        """How long a process may take: so much longer than those of its group did."""
        if self.state.plan.timeout_s is not None:
            return self.state.plan.timeout_s
        known = self.longest.get((name.stage, name.group))
        if known is None or (name.pair == 1 and name.stage == 1):
            return _START_S + _TEST_S * tests
        return max(_LEAST_S, _SLOWER * known)

    def _settle(
        self, name: Name, wanted: Iterable[str], measured: Sequence[CaseRecord], ended: Ended
    ) -> None:
        """Remembers which tests gave nothing, and need not be asked again."""
        found = {case.nodeid for case in measured}
        timed = {case.nodeid for case in measured if case.runtime != JUDGED}
        self.state.quiet += sorted(found - timed)
        for test in wanted:
            if test not in found:
                self.state.lost[test] = _why(test, name, ended)
                self.say(f"{test} is not measured: {self.state.lost[test].splitlines()[0]}")


def _left(tests: Sequence[str], cases: Iterable[CaseRecord]) -> list[str]:
    """What is still to be measured; that at which the process ended comes last."""
    found = {case.nodeid for case in cases}
    left = [test for test in tests if test not in found]
    return [*left[1:], *left[:1]]


def _why(test: str, name: Name, ended: Ended) -> str:
    """Why a test gave nothing."""
    which = {BASE: "base", AGAIN: "base"}.get(name.side, "HEAD")
    if not ended.in_order:
        return f"its process in {which} {ended.how} ({name}), twice; its last lines:\n{ended.said}"
    short = test.rpartition("/")[2]
    lines = [line for line in ended.said.splitlines() if short in line or "SKIPPED" in line]
    said = next(iter(lines), ended.said)
    return f"it measured nothing in {which} ({name}): {said.strip() or 'pytest said nothing'}"


def _unused(place: Path) -> Path:
    """A folder that is not there yet: what a killed night has left still counts as evidence."""
    number = 1
    while (found := place.with_name(f"{place.name}.{number}")).exists():
        number += 1
    return found
