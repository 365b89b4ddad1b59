"""``found.json``: what a bisection has found, beside its journals, so that alerts name the commit.

It is no more than a hint for those who read an alert: one that cannot be read is left out.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.gate.answer import ENERGY, TIME, Quantity
from bench.gate.halving import Search
from bench.gate.repository import Commit
from bench.statistics import Interval

FOLDER = "bisect"
"""Folder of all bisections, in that of all results."""

FILE = "found.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Bisected:
    """Which commit made a case dearer, between two revisions.

    Args:
        case: Its id.
        good: Hash of the revision that was held to be good.
        bad: Hash of the one that was held to be bad.
        quantity: What was compared.
        whole: Bad ÷ good.
        steps: How many commits between were measured.
        guilty: The commit; several where those between could not be measured.
        is_clear: Whether one commit is named, and no step on the way was a close one.
    """

    case: str
    good: str
    bad: str
    quantity: Quantity
    whole: Interval
    steps: int
    guilty: tuple[Commit, ...]
    is_clear: bool

    def __post_init__(self) -> None:
        ends = (self.whole.low, self.whole.value, self.whole.high)
        if not (self.guilty and all(0 < end < math.inf for end in ends)):
            raise ValueError(f"found {self.guilty} and {self.whole}, wanted a commit and a ratio")
        if self.quantity not in {ENERGY, TIME}:
            raise ValueError(f"found {self.quantity!r}, wanted {ENERGY} or {TIME}")

    @classmethod
    def of(cls, found: Search, case: str, good: str, bad: str) -> Self:
        """What is kept of a search."""
        steps = len(found.steps)
        return cls(
            case, good, bad, found.quantity, found.whole, steps, found.guilty, found.is_clear
        )

    def write(self, folder: Path) -> None:
        """Writes it beside the journals that it rests on."""
        record = {"schema": SCHEMA, **dataclasses.asdict(self)}
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / FILE).write_text(f"{text}\n", encoding="utf-8")


def bisected(case: str, good: str, bad: str, results: Path) -> Bisected | None:
    """What the newest bisection of a case between two revisions has found; None without one."""
    for path in sorted((results / FOLDER).glob(f"*/{FILE}"), reverse=True):
        found = _read(path)
        if found and (found.case, found.good, found.bad) == (case, good, bad):
            return found
    return None


def _read(path: Path) -> Bisected | None:
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if fields.pop("schema") != SCHEMA:
            return None
        fields["whole"] = Interval(**fields["whole"])
        fields["guilty"] = tuple(_commit(each) for each in fields["guilty"])
        return Bisected(**fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _commit(fields: dict[str, Any]) -> Commit:
    return Commit(**{name: str(value) for name, value in fields.items()})
