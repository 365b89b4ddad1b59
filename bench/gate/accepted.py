"""``accepted.jsonl``: which change of a case somebody has accepted, and why.

One JSON object a line, appended and never rewritten: the newest line of a case moves its baseline,
the older ones stay as its history. A last line that a kill has torn is left out; any other damage
is an error, for what is accepted decides what the gate lets through.
"""

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.journal_line import parse
from bench.record import JournalError
from bench.records import ACCEPTED, DAMAGE, at_line

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One decision of a person.

    Args:
        case: Whose baseline moves.
        commit: Hash of the commit that is its baseline from now on.
        reason: Why the change may be.
        when: UTC, ISO 8601.
        ratio: What was accepted, head ÷ base of the energy, or of the time where no energy was
            gated; None where no gate had said anything.
        run: Name of the night that showed it; empty if there is none.
    """

    case: str
    commit: str
    reason: str
    when: str
    ratio: float | None = None
    run: str = ""

    def __post_init__(self) -> None:
        for name in ("case", "commit", "reason", "when", "run"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}, wanted text")
        if not (self.case.strip() and self.commit.strip()):
            raise ValueError("found an acceptance without case or commit, wanted both")
        if self.ratio is not None and not 0 < self.ratio < math.inf:
            raise ValueError(f"found the ratio {self.ratio}, wanted a positive number or none")
        if not self.reason.strip():
            raise ValueError(
                "found no reason; give one with --reason: who reads the history needs it"
            )


def file_of(results: Path) -> Path:
    """Where the acceptances of a folder of results stand."""
    return results / ACCEPTED


def read(results: Path) -> tuple[Acceptance, ...]:
    """What was accepted, oldest first; nothing where there is no such file.

    Raises:
        JournalError: A line is damaged, or of a newer schema.
    """
    path = file_of(results)
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        lines = whole.decode("utf-8").split("\n") if whole else []
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"cannot read {path}: {error}") from error
    return tuple(_line(path, number, line) for number, line in enumerate(lines, start=1))


def _line(path: Path, number: int, line: str) -> Acceptance:
    try:
        fields = parse(line)
        _require(fields.pop("schema"))
        return Acceptance(**fields)
    except DAMAGE as error:
        raise at_line(path, number, error) from error


def _require(schema: object) -> None:
    if not isinstance(schema, int) or schema > SCHEMA:
        raise JournalError(
            f"found schema {schema}, this joulebench reads up to {SCHEMA}; install a newer one:"
            " pip install --upgrade joulebench"
        )


def append(results: Path, acceptance: Acceptance) -> Path:
    """Adds a line, which is on the disk when this returns; gives the file's path.

    Raises:
        JournalError: The file is damaged, or cannot be written.
    """
    read(results)  # what is damaged is not added to
    path = file_of(results)
    line = json.dumps(
        {"schema": SCHEMA, **dataclasses.asdict(acceptance)}, allow_nan=False, ensure_ascii=False
    )
    try:
        results.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            keep = path.read_bytes().rfind(b"\n") + 1
            file.truncate(keep)  # a torn line never was one
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise JournalError(f"cannot write {path}: {error.strerror}") from error
    return path


def newest(
    case: str,
    against: str,
    head: str,
    accepted: Iterable[Acceptance],
    is_ancestor: Callable[[str, str], bool],
) -> Acceptance | None:
    """The acceptance that moves the baseline of a case, or None: the revision asked for stands.

    Args:
        case: Its id.
        against: Hash of the revision that the gate is asked to compare with.
        head: Hash of the revision in question.
        accepted: Oldest first.
        is_ancestor: Whether the second commit has all of the first.

    Returns:
        The newest line of the case at a commit that lies after *against* and is *head* or an
        ancestor of it. One at a commit of another branch is none of this history.
    """
    for each in reversed(tuple(accepted)):
        if each.case == case and each.commit != against:
            after = is_ancestor(against, each.commit)
            if after and is_ancestor(each.commit, head):
                return each
    return None


def baseline_of(
    case: str,
    against: str,
    head: str,
    accepted: Iterable[Acceptance],
    is_ancestor: Callable[[str, str], bool],
) -> str:
    """The hash of the commit that a case is compared with; arguments as in `newest`.

    >>> told = [Acceptance("c", "c3", "more work is wanted", "2026-11-26T00:00:00Z")]
    >>> order = ["c1", "c2", "c3", "c4"]
    >>> before = lambda one, other: order.index(one) <= order.index(other)
    >>> baseline_of("c", "c1", "c4", told, before), baseline_of("c", "c1", "c2", told, before)
    ('c3', 'c1')
    """
    found = newest(case, against, head, accepted, is_ancestor)
    return found.commit if found else against
