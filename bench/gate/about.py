"""What a night knows of its cases besides numbers, for alerts: revisions, runs, commits, time."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.gate.answer import Night, Word
from bench.gate.bisected import bisected
from bench.gate.evidence import Evidence
from bench.gate.known import Known, Side
from bench.gate.repository import Repository
from bench.gate.state import Side as Revision
from bench.gate.suspects import suspects
from bench.record import CaseRecord, Run


def known_of(
    found: Evidence, repository: Repository | None = None, cases: Iterable[str] = ()
) -> dict[str, Known]:
    """What is known of each case of a night.

    Args:
        found: What was measured.
        repository: Where the commits between both revisions are; None where it is not at hand.
        cases: Those for which it is asked which commits touch them: git needs a while.
    """
    asked = set(cases)
    return {
        case: _known(case, found, repository, asks=case in asked) for case in sorted(found.cases)
    }


def _known(case: str, found: Evidence, repository: Repository | None, *, asks: bool) -> Known:
    why = found.state.moved.get(case, ("", ""))[1]
    found = found.others.get(case, found)
    state, sides = found.state, found.cases.get(case)
    base = _side(state.base, repository, found.base, sides.base if sides else None)
    head = _side(state.head, repository, found.head, sides.head if sides else None)
    between = None
    if asks and sides and repository and base.date and head.date:
        between = suspects(repository, base.commit, head.commit, sides.record.nodeid)
    group = f"*-g{found.groups[case]:02d}-*.jsonl" if case in found.groups else ""
    return Known(
        base,
        head,
        suspects=between,
        seconds=statistics.median(state.done.values()) if state.done else None,
        accepted=why,
        journals=(f"{found.folder.name}/{group}",),
        test=found.argument_of(case),
        options=unselecting(state.options),
        margin=state.asked.asked_margin(case),
    )


def unselecting(options: Sequence[str]) -> tuple[str, ...]:
    """Arguments of pytest without ``-k`` and ``-m``, which select tests.

    >>> unselecting(["-k", "student", "--joules-device", "cuda:0", "-mslow"])
    ('--joules-device', 'cuda:0')
    """
    kept: list[str] = []
    rest = iter(options)
    for each in rest:
        if each in {"-k", "-m"}:
            next(rest, "")
        elif not each.startswith(("-k", "-m")):
            kept.append(each)
    return tuple(kept)


def _side(
    revision: Revision, repository: Repository | None, run: Run | None, record: CaseRecord | None
) -> Side:
    """A side; without a date where the repository does not have its commit."""
    date = ""
    if repository:
        try:
            date = repository.commit(revision.revision).date
        except ValueError:  # evidence from another clone
            date = ""
    return Side(revision.revision, date, revision.dirty, run, record)


def with_guilty(known: Mapping[str, Known], night: Night, results: Path) -> dict[str, Known]:
    """What is known of some cases, with the commits that bisections between their sides have named.

    Only what this night calls dearer is dearer since a commit. What no commit has no bisection has
    seen: a head with changes that are not committed has none.

    Args:
        known: By case.
        night: What was decided.
        results: Folder of all results.
    """
    told = dict(known)
    for case in {each.series.case for each in night.having(Word.REGRESSED)} & {*known}:
        base, head = known[case].base, known[case].head
        if not head.dirty:
            found = bisected(case, base.commit, head.commit, results)
            told[case] = replace(known[case], bisected=found)
    return told
