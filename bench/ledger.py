"""What a session writes down: its journal, and which cases that holds already.

A case counts once its record follows its windows. What an earlier session of a resumed journal has
left is taken up: finished cases, windows of the case that it was cut off in, idle windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench import records
from bench.compare import Row, compare
from bench.journal_writer import JournalWriter
from bench.record import Begin, CaseRecord, Discard, End, Note, Run, Window
from bench.records import Attempt
from bench.workload import JUDGED


class CaseError(ValueError):
    """A case cannot be measured as asked; the message says what to do."""


@dataclass
class Ledger:
    """A journal in work. Make it with `take_up`; end it with `end`.

    Args:
        writer: Appends to the journal.
        run: Its first record.
        idle: Windows of the idle system, so far.
        is_new: Whether this session has finished a case.
    """

    writer: JournalWriter
    run: Run
    idle: list[Window] = field(default_factory=list)
    is_new: bool = False
    _done: dict[str, tuple[CaseRecord, tuple[Window, ...]]] = field(default_factory=dict)
    _unfinished: dict[str, Attempt] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _brief: set[str] = field(default_factory=set)

    @classmethod
    def take_up(cls, writer: JournalWriter) -> Self:
        """The journal with what it holds: more than its first record if it was resumed."""
        journal = records.read(writer.path)
        return cls(
            writer,
            journal.run,
            [window for window in journal.windows if window.role == "idle"],
            _done={c.case: (c, journal.windows_of(c.case)) for c in journal.cases},
            _unfinished=dict(journal.unfinished),
        )

    @property
    def path(self) -> Path:
        """Where the journal is."""
        return self.writer.path

    @property
    def has_cases(self) -> bool:
        """Whether the journal holds any finished case."""
        return bool(self._done)

    @property
    def has_control(self) -> bool:
        """Whether it holds an A/A control, a brief one or a whole one."""
        return any(
            record.case == record.baseline and record.runtime != JUDGED
            for record, _ in self._done.values()
        )

    def has_from_before(self, case: str) -> bool:
        """Whether the session that this one resumes has finished a case."""
        return case in self._done and case not in self._asked

    def require_first(self, case: str, fix: str, *, done: str = "measured") -> None:
        """Lets a session ask for each case once.

        Args:
            case: Its id.
            fix: What to do otherwise.
            done: What was done with it, for the error.

        Raises:
            CaseError: It was asked for already.
        """
        if case in self._asked:
            raise CaseError(f"{case} was already {done} in this session; {fix}")

    def holds(self, case: str, version: str) -> bool:
        """Whether a case is there from before, whole: it need not be measured again.

        Args:
            case: Its id.
            version: Of its workload, now.

        Raises:
            CaseError: It is there, of another version of its workload.
        """
        if case not in self._done or case in self._brief:
            return False
        before = self._done[case][0].workload_version
        if before != version:
            raise CaseError(
                f"{case} was measured with version {before} of its workload, now it is {version};"
                " start anew without --joules-resume"
            )
        return True

    def found(self, case: str) -> tuple[CaseRecord, tuple[Window, ...]]:
        """A finished case, which from now on counts as asked for."""
        self._asked.add(case)
        return self._done[case]

    def note(self, case: str, text: str) -> None:
        """Notes something about a case, or about the session if *case* is empty."""
        self.writer.append(Note(case, text))

    def append(self, block: Window | Discard) -> None:
        """Writes a block of the case in work."""
        self.writer.append(block)

    def append_idle(self, window: Window) -> None:
        """Writes a window of the idle system."""
        self.idle.append(window)
        self.writer.append(window)

    def begin(self, case: str, version: str) -> list[Window]:
        """Begins a case, or goes on with one.

        Args:
            case: Its id.
            version: Of its workload.

        Returns:
            The windows that there are of it: those of a brief control, or of a session that was
            cut off.
        """
        if case in self._brief:
            return list(self._done[case][1])
        attempt = self._unfinished.pop(case, None)
        if attempt and attempt.workload_version == version:
            return list(attempt.windows)
        self.begin_anew(case, version)
        return []

    def begin_anew(self, case: str, version: str) -> None:
        """Begins a case; what a session that was cut off has left of it does not count."""
        self._unfinished.pop(case, None)
        self.writer.append(Begin(case, version))

    def finish(
        self, record: CaseRecord, windows: Sequence[Window], *, is_brief: bool = False
    ) -> None:
        """Ends a case: its record makes the windows above it count.

        Args:
            record: What it is.
            windows: All that there are of it; they are written already.
            is_brief: Whether a test that asks for it goes on with it.
        """
        self.writer.append(record)
        self.is_new = True
        self._done[record.case] = (record, tuple(windows))
        if is_brief:
            self._brief.add(record.case)
        else:
            self._brief.discard(record.case)

    def row(self, case: str) -> Row:
        """A finished case among all: later A/A controls may still raise its margin."""
        # its margin rests on the controls; to compare all others at each case would take long
        device = self._done[case][0].device
        known = [
            (record, windows)
            for record, windows in self._done.values()
            if record.device == device and record.case in {case, record.baseline}
        ]
        journal = records.Journal(
            self.path,
            self.run,
            tuple(record for record, _ in known),
            (*self.idle, *(window for _, windows in known for window in windows)),
        )
        return next(row for row in compare([journal])[0].rows if row.case.case == case)

    def end(self, exit_status: int) -> None:
        """Writes the last record."""
        counts: Mapping[str, int] = dict(self.writer.counts)
        self.writer.append(End(records.now(), exit_status, counts))
