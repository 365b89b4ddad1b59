"""The journal as it is written: one JSON object a line, append-only.

A window is handed to the kernel as it ends, so that a kill loses at most the one in flight; a
``case`` record follows its windows and is fsynced, so that a loss of power costs at most one case.
What reads them: `bench.records`.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.record import NAMES, CaseRecord, End, JournalError, Note, Record, Run, to_json
from bench.records import RESUMED

ROOM_BYTES = 16 * 2**20
"""Least space on the disk with which a session begins: hundreds of cases with all their windows."""


def require_room(folder: Path) -> None:
    """Makes a folder, and refuses one that cannot take what a session writes.

    Raises:
        JournalError: It cannot be written, or has less than `ROOM_BYTES` left.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"\0")
            trial.flush()
            os.fsync(trial.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise JournalError(_cannot_write(folder, error)) from error
    if free < ROOM_BYTES:
        raise JournalError(
            f"{folder} has {free / 2**20:.1f} MiB left, wanted {ROOM_BYTES / 2**20:.0f} MiB;"
            " make room, or give another folder with --joules-results"
        )


def _cannot_write(path: Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror}; give another folder with --joules-results"


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
            JournalError: The folder or the file cannot be written, or there is no room.
        """
        stamp = run.started.replace("-", "").replace(":", "")
        path = folder / f"{stamp}-{run.machine['id']}-{run.run_id}.jsonl"
        require_room(folder)
        try:
            writer = cls(path, path.open("xb", buffering=0))
        except OSError as error:
            raise JournalError(_cannot_write(path, error)) from error
        writer.append(run)
        writer.sync()
        return writer

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Goes on with a journal whose session was cut off; a torn last line is cut away.

        A note marks the place.

        Raises:
            JournalError: It cannot be written, or there is no room.
        """
        require_room(path.parent)
        whole = path.read_bytes()
        keep = whole.rfind(b"\n") + 1
        counts = Counter(json.loads(line)["record"] for line in whole[:keep].splitlines())
        try:
            if keep != len(whole):
                os.truncate(path, keep)
            writer = cls(path, path.open("ab", buffering=0), dict(counts))
        except OSError as error:
            raise JournalError(_cannot_write(path, error)) from error
        writer.append(Note("", RESUMED))
        return writer

    def append(self, record: Record) -> None:
        """Writes one record; a ``case`` and an ``end`` are on the disk when this returns.

        Raises:
            JournalError: The disk is full, or gone. The journal ends with a whole line.
        """
        line = memoryview((to_json(record) + "\n").encode())
        whole = os.fstat(self._file.fileno()).st_size
        try:
            while line:
                line = line[self._file.write(line) :]
            if isinstance(record, CaseRecord | End):
                self.sync()
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), whole)
            raise JournalError(
                f"cannot write {self.path}: {error.strerror}; what was measured before is in it:"
                " make room, and go on with --joules-resume"
            ) from error
        name = NAMES[type(record)]
        self.counts[name] = self.counts.get(name, 0) + 1

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
