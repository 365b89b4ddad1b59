"""Which tests both sides have: pytest collects in each of them, and measures nothing."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.gate import process
from bench.gate.checkout import Checkout
from bench.gate.plan import BASE, HEAD, Plan, canaries_of, jobs
from bench.gate.process import Ended
from bench.gate.state import State

Start = Callable[[Checkout, Sequence[str], Path, float], Ended]
"""Runs pytest in a side: `bench.gate.process.start`."""

ATTEMPTS = "attempts"
"""Folder of the evidence for what processes leave that did not end in order."""

START_S = 300.0
"""Longest time of a process of which nothing is known, s, without its tests."""


class CannotMeasureError(RuntimeError):
    """A night gives nothing; the message says why, and what was printed."""


def own_options(plan: Plan) -> tuple[str, ...]:
    """What every process is told by us."""
    required = ("--joules-require=measured",) if plan.require_measured else ()
    return (f"--joules-alone={plan.blocks}", "--joules-processes=0", *required)


def collect(
    state: State,
    sides: Mapping[str, Checkout],
    select: Sequence[str],
    folder: Path,
    *,
    start: Start,
) -> None:
    """Asks both sides which tests they have, and draws the canaries.

    Args:
        state: Gets the tests, the canaries, and the options that are left for processes.
        sides: Base and head.
        select: Arguments of pytest.
        folder: Of the night.
        start: Runs pytest in a side.

    Raises:
        CannotMeasureError: A side cannot tell, or they have no test in common.
    """
    found: dict[str, dict[str, str]] = {}
    for name in (BASE, HEAD):
        place = folder / ATTEMPTS / f"collect-{name}"
        arguments = (*select, *own_options(state.plan), "--collect-only", "-q")
        ended = start(sides[name], arguments, place, state.plan.timeout_s or START_S)
        text = process.tests_of(place)
        if text is None:
            which = state.base if name == BASE else state.head
            raise CannotMeasureError(
                f"the tests of {name} ({which}) cannot be collected: pytest {ended.how}."
                f" {_old(ended)}Its last lines:\n{ended.said}"
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


def planned(state: State) -> str:
    """What a night is about to do, in one line."""
    all_jobs = jobs(state.common, state.canaries, state.plan.together)
    tests, pairs = len(state.common), state.rule.pairs
    return (
        f"{tests} {'test' if tests == 1 else 'tests'}, {len(state.canaries)} of them as canaries"
        f" too: {pairs} pairs × {len(all_jobs)} groups = {2 * pairs * len(all_jobs)} fresh"
        f" processes, then {state.rule.fresh} pairs of each candidate"
    )
