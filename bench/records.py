"""The journal: the only code that opens `results/`.

One JSON object a line, append-only. Windows are flushed as they end; a ``case`` record
follows its windows and is fsynced, so a case is in the journal wholly or not at all, and a crash
loses at most what was in flight. The records themselves: `bench.record`.
"""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.record import (
    NAMES,
    CaseRecord,
    Discard,
    End,
    JournalError,
    Note,
    Record,
    Run,
    Window,
    from_json,
    to_json,
)

RESUMED = "the session was cut off before this line, and resumed after it"


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that was read.

    ``windows`` holds the windows of finished cases and the idle ones; windows of a case whose
    record is missing (the session was killed) are counted in a note and left out.
    """

    path: Path
    run: Run
    cases: tuple[CaseRecord, ...] = ()
    windows: tuple[Window, ...] = ()
    discards: tuple[Discard, ...] = ()
    notes: tuple[Note, ...] = ()
    end: End | None = None

    def windows_of(self, case: str) -> tuple[Window, ...]:
        """The windows of one case, in order."""
        return tuple(window for window in self.windows if window.case == case)


def now() -> str:
    """UTC time for a record, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class JournalWriter:
    """Appends records to one journal; nothing already written is ever changed.

    Use it as a context manager. `create` refuses before anything is measured if the folder
    cannot be written.
    """

    path: Path
    _file: Any = field(repr=False)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, run: Run) -> Self:
        """A new journal ``<UTC>-<machine>-<run>.jsonl`` in *folder*, with its first record.

        Raises:
            JournalError: The folder or the file cannot be written.
        """
        stamp = run.started.replace("-", "").replace(":", "")
        path = folder / f"{stamp}-{run.machine['id']}-{run.run_id}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writer = cls(path, path.open("x", encoding="utf-8"))
        except OSError as error:
            raise JournalError(
                f"cannot write {path}: {error.strerror}; give another folder with --joules-results"
            ) from error
        writer.append(run)
        writer.sync()
        return writer

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Goes on with a journal whose session was cut off; a torn last line is cut away.

        A note marks the place: blocks of a case that was in flight before it do not count.
        """
        whole = path.read_bytes()
        keep = whole.rfind(b"\n") + 1
        if keep != len(whole):
            os.truncate(path, keep)
        counts = Counter(json.loads(line)["record"] for line in whole[:keep].splitlines())
        writer = cls(path, path.open("a", encoding="utf-8"), dict(counts))
        writer.append(Note("", RESUMED))
        return writer

    def append(self, record: Record) -> None:
        """Writes one record; a ``case`` and an ``end`` are on the disk when this returns."""
        self._file.write(to_json(record) + "\n")
        self._file.flush()
        name = NAMES[type(record)]
        self.counts[name] = self.counts.get(name, 0) + 1
        if isinstance(record, CaseRecord | End):
            self.sync()

    def sync(self) -> None:
        """Forces what was written to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read(path: Path) -> Journal:
    """The journal at *path*.

    A torn last line, as a kill leaves it, is dropped with a note. Any other damage is an error:
    a journal is evidence.

    Raises:
        JournalError: It is no journal, is damaged, or comes from a newer version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"cannot read {path}: {error}") from error
    records = list(_records(path, text))
    if not records or not isinstance(records[0], Run):
        raise JournalError(f"{path} does not begin with a run record; is it a joulebench journal?")
    return _assemble(path, records)


def _records(path: Path, text: str) -> Iterator[Record]:
    lines = text.split("\n")
    torn = lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            yield from_json(line)
        except JournalError as error:
            raise JournalError(f"{path}, line {number}: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalError(
                f"{path}, line {number} is damaged ({type(error).__name__}: {error});"
                " restore the file from git"
            ) from error
    if torn:
        yield Note("", f"the last line was torn off after {len(torn)} characters and is left out")


def _assemble(path: Path, records: list[Record]) -> Journal:
    run = records[0]
    assert isinstance(run, Run)  # noqa: S101 - read() has refused the others
    cases: dict[str, CaseRecord] = {}
    windows: list[Window] = []
    discards: list[Discard] = []
    notes: list[Note] = []
    in_flight: dict[str, list[Window | Discard]] = {}
    for record in (*records[1:], Note("", RESUMED)):
        match record:
            case Window(role="idle"):
                windows.append(record)
            case Window() | Discard():
                in_flight.setdefault(record.case, []).append(record)
            case CaseRecord():
                blocks = in_flight.pop(record.case, [])
                cases[record.case] = record
                windows += [block for block in blocks if isinstance(block, Window)]
                discards += [block for block in blocks if isinstance(block, Discard)]
            case Note(text=text) if text == RESUMED:
                notes += _left_out(in_flight)
                in_flight.clear()
            case Note():
                notes.append(record)
    end = records[-1] if isinstance(records[-1], End) else None
    return Journal(
        path, run, tuple(cases.values()), tuple(windows), tuple(discards), tuple(notes), end
    )


def _left_out(in_flight: Mapping[str, Sequence[Window | Discard]]) -> Iterator[Note]:
    for case, blocks in sorted(in_flight.items()):
        yield Note(case, f"{len(blocks)} blocks of a case that was not finished are left out")


def journals(folder: Path) -> list[Path]:
    """The journals of a folder, oldest first."""
    return sorted(folder.glob("*.jsonl"))


def frame(journal: Journal) -> Any:  # noqa: ANN401 - pandas is imported only when asked for
    """The windows as a `pandas.DataFrame`, one row for each window and channel, for notebooks.

    Columns: case, role, pair, order, seconds, calls, samples, channel, joules, low, high, kind,
    status, p50_s, p99_s. A window without any channel has one row with no channel.
    """
    import pandas as pd

    rows = []
    for window in journal.windows:
        shared = {
            "case": window.case,
            "role": window.role,
            "pair": window.pair,
            "order": window.order,
            "seconds": window.seconds,
            "calls": window.calls,
            "samples": window.samples,
            "p50_s": window.latency_s.p50 if window.latency_s else None,
            "p99_s": window.latency_s.p99 if window.latency_s else None,
        }
        energies = [dataclasses.asdict(energy) for energy in window.energy] or [{"channel": None}]
        rows += [{**shared, **energy} for energy in energies]
    return pd.DataFrame(rows)
