"""``night.json``: what a night is of, and how far it came. Its numbers are in the journals."""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from bench.gate.answer import ENERGY, TIME
from bench.gate.canary import DEFAULT_MARGIN
from bench.gate.decide import Rule
from bench.gate.plan import Plan
from bench.record import JournalError

FILE = "night.json"
SCHEMA = 1
RUNNING, COMPLETE = "running", "complete"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be decided of the numbers.

    Args:
        metrics: ``energy``, ``time``.
        margins: Patterns of cases, each with the least change that counts, as a share; of several
            that fit the last one counts.
        floors: The same with the least change of the energy, J/sample.
    """

    metrics: tuple[str, ...] = (ENERGY, TIME)
    margins: tuple[tuple[str, float], ...] = ()
    floors: tuple[tuple[str, float], ...] = ()

    def margin(self, case: str) -> float:
        """The least change of a case that counts, as a share."""
        return self.asked_margin(case) or DEFAULT_MARGIN

    def asked_margin(self, case: str) -> float | None:
        """The same where somebody asks for one, else None."""
        return _last(self.margins, case) or None

    def floor(self, case: str) -> float:
        """The least change of a case's energy that counts, J/sample; 0 if nobody asks."""
        return _last(self.floors, case)


def _last(patterns: tuple[tuple[str, float], ...], case: str) -> float:
    fitting = [value for pattern, value in patterns if fnmatchcase(case, pattern)]
    return fitting[-1] if fitting else 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """A revision as a night knows it."""

    revision: str
    dirty: bool = False

    def __str__(self) -> str:
        return f"{self.revision[:12]}{', with changes that are not committed' * self.dirty}"


@dataclass
class State:
    """What a night is of, and how far it came.

    Args:
        started: UTC.
        base: The baseline.
        head: What is held against it.
        rule: By which it is decided.
        plan: How it is run.
        asked: What is decided.
        options: Arguments of pytest besides the tests.
        tests: By id, the argument that selects it in the baseline and in the head; None where a
            side has no such test.
        canaries: Tests that run against themselves too.
        fresh: Tests, and canaries, of which fresh pairs are measured; None before that is known.
        done: The processes that have ended, in their order, and how long each took, s.
        lost: By test, why it is not measured any more.
        quiet: Tests that time nothing, such as the steps of a sweep.
        machine: Id of the machine; empty before it is known.
        history: Spreads of canaries of earlier nights of that machine, oldest first, by group.
        spreads: Those of this night, once it is complete.
        moved: Cases that are held against another baseline, with the folder of that night in this
            one's and why.
        status: ``running`` or ``complete``.
    """

    started: str
    base: Side
    head: Side
    rule: Rule = field(default_factory=Rule)
    plan: Plan = field(default_factory=Plan)
    asked: Asked = field(default_factory=Asked)
    options: tuple[str, ...] = ()
    tests: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()
    fresh: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    done: dict[str, float] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    quiet: list[str] = field(default_factory=list)
    machine: str = ""
    history: dict[str, list[float]] = field(default_factory=dict)
    spreads: dict[str, float] = field(default_factory=dict)
    moved: dict[str, list[str]] = field(default_factory=dict)
    status: str = RUNNING

    @property
    def common(self) -> tuple[str, ...]:
        """The tests that both sides have."""
        return tuple(test for test, sides in self.tests.items() if None not in sides)

    def write(self, folder: Path) -> None:
        """Writes it; a reader sees the old one or the new one, never a half."""
        record = {"schema": SCHEMA, **dataclasses.asdict(self)}
        new = folder / f"{FILE}.new"
        new.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(new, folder / FILE)  # noqa: PTH105 - the same, and says what it is for

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The state of the night in a folder.

        Raises:
            JournalError: There is none, it is damaged, or of a newer version.
        """
        path = folder / FILE
        try:
            fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            schema = fields.pop("schema")
            if schema > SCHEMA:
                raise JournalError(
                    f"{path} has schema {schema}, this joulebench reads up to {SCHEMA};"
                    " install a newer one: pip install --upgrade joulebench"
                )
            return cls(**_values(fields))
        except OSError as error:
            raise JournalError(f"cannot read {path}: {error}; is it a night's folder?") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, JournalError):
                raise
            raise JournalError(f"{path} is damaged ({type(error).__name__}: {error})") from error


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    asked, fresh = fields["asked"], fields["fresh"]
    return {
        **fields,
        "base": Side(**fields["base"]),
        "head": Side(**fields["head"]),
        "rule": Rule(**fields["rule"]),
        "plan": Plan(**fields["plan"]),
        "asked": Asked(
            tuple(asked["metrics"]),
            *(tuple((str(p), float(v)) for p, v in asked[name]) for name in ("margins", "floors")),
        ),
        "options": tuple(fields["options"]),
        "tests": {test: (sides[0], sides[1]) for test, sides in fields["tests"].items()},
        "canaries": tuple(fields["canaries"]),
        "fresh": None if fresh is None else (tuple(fresh[0]), tuple(fresh[1])),
    }


def history_of(nights: Path, machine: str, before: str) -> dict[str, list[float]]:
    """The canaries' spreads of earlier nights of a machine, oldest first, by group.

    Args:
        nights: Folder of all nights.
        machine: Its id.
        before: UTC; later nights are left out.
    """
    found: dict[str, list[float]] = {}
    for path in sorted(nights.glob(f"*/{FILE}")):
        try:
            state = State.read(path.parent)
        except JournalError:  # one that is damaged tells nothing of the others
            continue
        if state.machine == machine and state.status == COMPLETE and state.started < before:
            for group, spread in state.spreads.items():
                found.setdefault(group, []).append(spread)
    return found
