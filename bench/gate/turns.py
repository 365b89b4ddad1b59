"""The processes of a night, one after the other, base and head in turn.

A process that fails is repeated once without what it has measured; a test that then still gives
nothing is lost: it stays out of later pairs, and the evidence says why.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import records
from bench.gate import process
from bench.gate.checkout import Checkout
from bench.gate.collect import ATTEMPTS, START_S, CannotMeasureError, Start, own_options
from bench.gate.plan import HEAD, Job, Name, processes
from bench.gate.process import Ended
from bench.gate.state import State
from bench.gate.wording import minutes
from bench.record import CaseRecord
from bench.workload import JUDGED

_TEST_S = 120.0  # of a test of which nothing is known
_SLOWER, _LEAST_S = 5, 60.0  # times the longest of the same group so far
_USAGE, _CANNOT_MEASURE = 4, 10  # exit codes of pytest, and of ours in it


@dataclass
class Turns:
    """Runs the processes of a night.

    Args:
        folder: Of its evidence.
        state: What it is of; it is written after each process.
        sides: The checkout of each side.
        say: Is told what goes on.
        start: Runs pytest in a side.
    """

    folder: Path
    state: State
    sides: Mapping[str, Checkout]
    say: Callable[[str], None]
    start: Start
    _longest: dict[tuple[int, int], float] = field(default_factory=dict)

    def stage(self, stage: int, pairs: int, all_jobs: Sequence[Job]) -> None:
        """Runs so many pairs of all jobs, but for the processes that have run.

        Raises:
            CannotMeasureError: No process of a side will do any better.
        """
        what = "pair" if stage == 1 else "fresh pair"
        for pair in range(1, pairs + 1):
            turns = [
                (name, tests)
                for _, names, tests in processes(stage, pair, all_jobs, self.state.plan.seed)
                for name in names
                if not self._has_ended(name)
            ]
            if turns:
                self.say(
                    f"{what} {pair} of {pairs}: {len(turns)} processes{self._about(len(turns))}"
                )
            for name, tests in turns:
                self._run(name, tests)

    def _about(self, number: int) -> str:
        """How long so many processes take, as those before them did."""
        known = [seconds for seconds in self.state.done.values() if seconds > 0]
        if not known:
            return ""
        return f", about {minutes(number * statistics.fmean(known))}"

    def _has_ended(self, name: Name) -> bool:
        """Whether a process need not run: a night may have been killed before it could note it."""
        if str(name) in self.state.done:
            return True
        path = self.folder / f"{name}.jsonl"
        ended = path.exists() and records.read(path).end is not None
        if ended:
            self.state.done[str(name)] = 0.0
        return ended

    def _run(self, name: Name, tests: Sequence[str]) -> None:
        """One side of one pair, repeated once for what it did not measure."""
        gone = {*self.state.lost, *self.state.quiet}
        wanted = [test for test in tests if test not in gone]
        left, took_s = wanted, 0.0
        measured: list[CaseRecord] = []
        for attempt in (1, 2) if wanted else ():
            each = name._replace(attempt=attempt)
            ended, cases = self._attempt(each, left)
            measured += cases
            took_s += ended.seconds
            left = _left(left, cases)
            if attempt == 1 and not ended.in_order and left:
                self.say(f"{each}: a process {ended.how}; another one measures the rest")
                continue
            self._settle(name, wanted, measured, ended)
            break
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
        arguments = (*self.state.options, *own_options(self.state.plan), quality, "-rsfE", *chosen)
        place = unused(self.folder / ATTEMPTS / str(name))
        deadline_s = self._deadline_s(name, len(tests))
        ended = self.start(self.sides[name.side], arguments, place, deadline_s)
        if ended.code in {_USAGE, _CANNOT_MEASURE}:
            raise CannotMeasureError(f"{name}: pytest {ended.how}; its last lines:\n{ended.said}")
        key = (name.stage, name.group)
        self._longest[key] = max(self._longest.get(key, 0.0), ended.seconds)
        to = self.folder / f"{name}.jsonl"
        process.take(ended, place, to)
        if ended.journal is None:
            return ended, []
        return ended, [case for case in records.read(to).cases if case.nodeid]

    def _deadline_s(self, name: Name, tests: int) -> float:
        """How long a process may take: so much longer than those of its group did."""
        if self.state.plan.timeout_s is not None:
            return self.state.plan.timeout_s
        known = self._longest.get((name.stage, name.group))
        if known is None or (name.pair == 1 and name.stage == 1):  # the first ones judge quality
            return START_S + _TEST_S * tests
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
    which = "HEAD" if name.side == HEAD else "base"
    if not ended.in_order:
        return (
            f"its process in {which} {ended.how} ({name}), and so did another one;"
            f" its last lines:\n{ended.said}"
        )
    short = test.rpartition("/")[2]
    lines = [line for line in ended.said.splitlines() if short in line or "SKIPPED" in line]
    said = next(iter(lines), ended.said)
    return f"it measured nothing in {which} ({name}): {said.strip() or 'pytest said nothing'}"


def unused(place: Path) -> Path:
    """A folder that is not there yet: what a killed night has left still counts as evidence."""
    number = 1
    while (found := place.with_name(f"{place.name}.{number}")).exists():
        number += 1
    return found
