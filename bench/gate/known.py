"""What is known of the two sides of a gate besides its numbers: revisions, machines, qualities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.gate.bisected import Bisected
from bench.gate.suspects import Suspects
from bench.record import CaseRecord, Run

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Side:
    """One revision of a case, and the journal that measured it.

    Args:
        commit: Hash; empty if nobody knows.
        date: When it was committed, ISO 8601; empty if nobody knows.
        dirty: Whether the tree held changes that no commit has.
        run: First record of the journal, or None.
        case: The case's record, or None.
    """

    commit: str = ""
    date: str = ""
    dirty: bool = False
    run: Run | None = None
    case: CaseRecord | None = None

    @property
    def short(self) -> str:
        """As much of the hash as a reader needs, with a mark if it is not the whole truth."""
        return (self.commit[:9] or UNKNOWN) + ("+dirty" if self.dirty else "")


@dataclass(frozen=True, slots=True)
class Known:
    """What an alert may say of one case.

    Args:
        base: The side that was good.
        head: The side in question.
        suspects: The commits between, or None where the test of the case is not known.
        noise: By quantity, the spread of the case over its last nights, as a share.
        nights: Over how many nights.
        seconds: About what one fresh process takes, s; None if nobody knows.
        accepted: Why the baseline of this case is not that of the others; empty if it is.
        journals: Names of the journals with its windows.
        bisected: Which commit made it dearer, or None where no bisection has looked for it.
        test: The argument of pytest that selects its test; empty if nobody knows.
        options: Arguments of pytest that the night was run with, without those that select tests.
        margin: The least change that somebody asked for, as a share; None if nobody did.
    """

    base: Side = field(default_factory=Side)
    head: Side = field(default_factory=Side)
    suspects: Suspects | None = None
    noise: Mapping[str, float] = field(default_factory=dict)
    nights: int = 0
    seconds: float | None = None
    accepted: str = ""
    journals: tuple[str, ...] = ()
    bisected: Bisected | None = None
    test: str = ""
    options: tuple[str, ...] = ()
    margin: float | None = None

    @property
    def argument(self) -> str:
        """What selects its test, for whoever has no journal of the case; empty if nobody knows."""
        ids = [side.case.nodeid for side in (self.head, self.base) if side.case]
        return self.test or next(filter(None, ids), "")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing around the measured code, on both sides; None where a side does not tell."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What changed around the measured code, and what did not.

    Args:
        changed: In alphabetical order.
        same: Name and value, in alphabetical order.
    """

    changed: tuple[Change, ...]
    same: tuple[tuple[str, str], ...]


def surroundings(base: Run | None, head: Run | None) -> Surroundings | None:
    """What two runs tell of packages, Python, kernel, driver, governor and meters.

    Returns:
        None where a side has no run record: then nobody knows.
    """
    if base is None or head is None:
        return None
    before, after = _facts(base), _facts(head)
    changed, same = [], []
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if one != other:
            changed.append(Change(name, one, other))
        elif one is not None:
            same.append((name, one))
    return Surroundings(tuple(changed), tuple(same))


def _facts(run: Run) -> dict[str, str | None]:
    """What a run record tells, flat: name and text."""
    packages = {f"package {name}": str(version) for name, version in run.packages.items()}
    settings = {f"setting {name}": _text(value) for name, value in run.settings.items()}
    meters = ", ".join(sorted(f"{channel.id} ({channel.origin})" for channel in run.channels))
    machine = {_NAMES.get(name, name): _text(value) for name, value in run.machine.items()}
    return {**machine, **packages, **settings, "meters": meters or "none"}


_NAMES = {
    "id": "machine",
    "memory_bytes": "memory, bytes",
    "python": "Python",
    "gpu": "GPU",
    "gpu_driver": "GPU driver",
}


def _text(value: Any) -> str | None:  # noqa: ANN401 - a journal holds any JSON
    """A value of a record as one text; None for what the machine does not tell."""
    match value:
        case None | []:
            return None
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return ", ".join(_text(each) or "" for each in value)
        case dict():
            return " ".join(_text(each) or "" for each in value.values())
        case _:
            return str(value)
