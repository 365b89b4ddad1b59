"""The journal as it is read: one JSON object a line, each held to the schema.

The records themselves: `bench.record`. What writes them: `bench.journal_writer`.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contradictions import require_sound
from bench.meter import Channel
from bench.record import (
    Begin,
    CaseRecord,
    Discard,
    End,
    JournalError,
    Note,
    Record,
    Run,
    Window,
    from_json,
)

ACCEPTED = "accepted.jsonl"
"""Stands beside the journals and is none: what `bench.gate.accepted` keeps."""

RESUMED = "the session was cut off before this line, and resumed after it"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What there is of a case that was not finished: the version of its workload, its windows."""

    workload_version: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that was read.

    ``windows`` holds the windows of finished cases and the idle ones; windows of a case whose
    record is missing (the session was killed) are counted in a note and left out, and stand in
    ``unfinished`` for the session that goes on with it.
    """

    path: Path
    run: Run
    cases: tuple[CaseRecord, ...] = ()
    windows: tuple[Window, ...] = ()
    discards: tuple[Discard, ...] = ()
    notes: tuple[Note, ...] = ()
    end: End | None = None
    unfinished: Mapping[str, Attempt] = field(default_factory=dict)
    _by_case: Mapping[str, tuple[Window, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Window]] = {}
        for window in self.windows:
            found.setdefault(window.case, []).append(window)
        by_case = {case: tuple(windows) for case, windows in found.items()}
        object.__setattr__(self, "_by_case", by_case)

    def windows_of(self, case: str) -> tuple[Window, ...]:
        """The windows of one case, in order."""
        return self._by_case.get(case, ())


def now() -> str:
    """UTC time for a record, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


DAMAGE = (ValueError, TypeError, KeyError, AttributeError)
"""What reading a damaged line raises."""


def read(path: Path) -> Journal:
    """The journal at *path*.

    A torn last line, as a kill leaves it, is dropped with a note. Any other damage is an error:
    a journal is evidence.

    Raises:
        JournalError: It is no journal, is damaged, or comes from a newer version.
    """
    try:
        whole, _, torn = path.read_bytes().rpartition(b"\n")
        text = whole.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"cannot read {path}: {error}") from error
    records = list(_records(path, text, len(torn)))
    if not records or not isinstance(records[0], Run):
        raise JournalError(f"{path} does not begin with a run record; is it a joulebench journal?")
    return _assemble(path, records)


def at_line(path: Path, number: int, error: Exception) -> JournalError:
    """What is wrong with a line of a file, as an error that names both."""
    if isinstance(error, JournalError):
        return JournalError(f"{path}, line {number}: {error}")
    return JournalError(
        f"{path}, line {number} is damaged ({type(error).__name__}: {error});"
        " restore the file from git"
    )


def _records(path: Path, text: str, torn: int) -> Iterator[Record]:
    lines = text.split("\n") if text else []
    channels: dict[str, Channel] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = from_json(line)
            if isinstance(record, Run):
                channels = _first_of(record, number)
            require_sound(record, channels)
            yield record
        except DAMAGE as error:
            raise at_line(path, number, error) from error
    if torn:
        yield Note("", f"the last line was torn off after {torn} bytes and is left out")


def _first_of(run: Run, line: int) -> dict[str, Channel]:
    """The channels of the run record, of which a journal has one."""
    if line > 1:
        raise JournalError("found a second run record, wanted one run a file; split the file here")
    return {channel.id: channel for channel in run.channels}


def _assemble(path: Path, records: list[Record]) -> Journal:
    run = records[0]
    assert isinstance(run, Run)  # noqa: S101 - read() has refused the others
    cases: dict[str, CaseRecord] = {}
    windows: list[Window] = []
    discards: list[Discard] = []
    notes: list[Note] = []
    flight = _Flight()
    for record in records[1:]:
        match record:
            case Window(role="idle"):
                windows.append(record)
            case Window() | Discard():
                flight.blocks.setdefault(record.case, []).append(record)
            case Begin():
                notes += flight.drop([record.case])
                flight.begun[record.case] = record.workload_version
            case CaseRecord():
                blocks = flight.blocks.pop(record.case, [])
                if record.case in cases:
                    windows, note = _without(windows, record.case)
                    notes.append(note)
                    discards = [discard for discard in discards if discard.case != record.case]
                cases[record.case] = record
                windows += [block for block in blocks if isinstance(block, Window)]
                discards += [block for block in blocks if isinstance(block, Discard)]
            case Note(text=text) if text == RESUMED:
                # journals of before there was a begin record measured a cut case anew
                notes += flight.drop(set(flight.blocks) - set(flight.begun))
            case Note():
                notes += [*flight.drop([record.case]), record]
    notes += _chains(cases)
    unfinished = flight.attempts()
    notes += flight.drop(list(flight.blocks))
    end = records[-1] if isinstance(records[-1], End) else None
    return Journal(
        path,
        run,
        tuple(cases.values()),
        tuple(windows),
        tuple(discards),
        tuple(notes),
        end,
        unfinished,
    )


def _without(windows: list[Window], case: str) -> tuple[list[Window], Note]:
    """What is left of the windows when a case is recorded again, and a note of it."""
    kept = [window for window in windows if window.case != case]
    text = f"it was recorded twice: {len(windows) - len(kept)} windows of the first are left out"
    return kept, Note(case, text)


def _chains(cases: Mapping[str, CaseRecord]) -> list[Note]:
    """A note for each case whose baseline is held against yet another case, or against it."""
    return [
        Note(case.case, f"its baseline {other.case} has a baseline of its own, {other.baseline}")
        for case in cases.values()
        if (other := cases.get(case.baseline)) is not None and other.baseline != other.case
    ]


@dataclass
class _Flight:
    """Blocks of cases that are not finished yet, and the versions with which they began."""

    blocks: dict[str, list[Window | Discard]] = field(default_factory=dict)
    begun: dict[str, str] = field(default_factory=dict)

    def drop(self, cases: Iterable[str]) -> list[Note]:
        """Leaves the blocks of some cases out, and says how many they were."""
        notes = []
        for case in sorted(cases):
            self.begun.pop(case, None)
            if blocks := self.blocks.pop(case, []):
                count = "1 block" if len(blocks) == 1 else f"{len(blocks)} blocks"
                are = "is" if len(blocks) == 1 else "are"
                text = f"{count} of a case that was not finished {are} left out"
                notes.append(Note(case, text))
        return notes

    def attempts(self) -> dict[str, Attempt]:
        """What a session can go on with."""
        return {
            case: Attempt(version, tuple(b for b in self.blocks[case] if isinstance(b, Window)))
            for case, version in self.begun.items()
            if case in self.blocks
        }


def journals(folder: Path) -> list[Path]:
    """The journals of a folder, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if path.name != ACCEPTED)


def lines(journal: Journal) -> list[dict[str, Any]]:
    """The windows in long form, one line for each window and channel.

    Keys: case, role, process, pair, order, seconds, calls, samples, p50_s, p99_s, channel, joules,
    low, high, kind, boundary, status, reason. A window without any channel has one line with no
    channel, and without what a channel gives.
    """
    found = []
    for window in journal.windows:
        shared = {
            "case": window.case,
            "role": window.role,
            "process": window.process,
            "pair": window.pair,
            "order": window.order,
            "seconds": window.seconds,
            "calls": window.calls,
            "samples": window.samples,
            "p50_s": window.latency_s.p50 if window.latency_s else None,
            "p99_s": window.latency_s.p99 if window.latency_s else None,
        }
        energies = [dataclasses.asdict(energy) for energy in window.energy] or [{"channel": None}]
        found += [{**shared, **energy} for energy in energies]
    return found


def frame(journal: Journal) -> Any:  # noqa: ANN401 - pandas is imported only when asked for
    """The windows as a `pandas.DataFrame`, one row for each of its `lines`, for notebooks."""
    import pandas as pd

    return pd.DataFrame(lines(journal))
