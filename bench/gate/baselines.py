"""Cases whose baseline somebody has moved: against which checkout they are held, and why."""

from collections.abc import Callable
from pathlib import Path

from bench.gate import accepted
from bench.gate.checkout import Checkout
from bench.gate.repository import Repository

Baseline = Callable[[str], tuple[Checkout, str] | None]
"""For a case that is held against another baseline, that one and why; else None."""


def baselines(
    results: Path, base: Checkout, head: Checkout, make: Callable[[str], Checkout]
) -> Baseline:
    """What the acceptances of a folder of results say of a gate between two revisions.

    Args:
        results: Folder with ``accepted.jsonl``.
        base: The revision that the gate is asked to compare with.
        head: The revision in question.
        make: Checks a commit out; it is asked once for each.

    Raises:
        JournalError: The acceptances are damaged.
    """
    told = accepted.read(results)
    repository = Repository(head.repository)
    made: dict[str, Checkout] = {}

    def baseline(case: str) -> tuple[Checkout, str] | None:
        found = accepted.newest(case, base.revision, head.revision, told, repository.is_ancestor)
        if found is None:
            return None
        if found.commit not in made:
            made[found.commit] = make(found.commit)
        why = f"held against {found.commit[:9]}, accepted {found.when[:10]}: {found.reason}"
        return made[found.commit], why

    return baseline
