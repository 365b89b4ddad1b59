"""A measuring session: lock, meters, journal, idle windows, and one case after another.

It knows neither pytest nor a terminal; whoever runs it passes in what to say and where.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from filelock import BaseFileLock

from bench import hostlock, memory, records
from bench.block import Side, idle
from bench.catalogue import lowered
from bench.child import Launcher
from bench.compare import Row, compare
from bench.cover import cover
from bench.description import describe
from bench.device import device_id, peak_cuda
from bench.instruments import Instruments, open_instruments
from bench.judge import Judge
from bench.measure import measure_case
from bench.onnx_size import PROFILES, OnnxSizes
from bench.preconditions import preconditions
from bench.processes import measure_processes, seconds_per_case
from bench.record import Begin, CaseRecord, Discard, End, Note, Run, Window
from bench.refusal import Refusal, for_memory
from bench.result import Result
from bench.run import Settings, new_run, open_journal
from bench.schedule import Schedule
from bench.simulated_model import ORIGIN
from bench.subject import Subject
from bench.training import Trainings
from bench.workload import JUDGED, Case, Variant

CONTROL_PAIRS = 4
"""Pairs of an A/A control that no test has asked for."""

_BOTH_ENDS = 2  # idle windows: before the cases and after them


class NothingMeasuresError(RuntimeError):
    """An instrument is required and none can be read here."""


class CaseError(ValueError):
    """A case cannot be measured as asked; the message says what to do."""


@dataclass
class Session:
    """An open session. Make it with `start`; end it with `finish`.

    ``as_refusal`` says what refusal an error of a case stands for, if any: memory, unless told
    otherwise.
    """

    settings: Settings
    instruments: Instruments
    run: Run
    writer: records.JournalWriter
    _lock: BaseFileLock = field(repr=False)
    say: Callable[[str], None] = field(repr=False)
    launcher: Launcher | None = field(default=None, repr=False)
    as_refusal: Callable[[Exception], Refusal | None] = field(default=for_memory, repr=False)
    trainings: Trainings = field(init=False, repr=False)
    _done: dict[str, tuple[CaseRecord, tuple[Window, ...]]] = field(default_factory=dict)
    _unfinished: dict[str, records.Attempt] = field(default_factory=dict)
    _measured: set[str] = field(default_factory=set)
    _brief: set[str] = field(default_factory=set)
    _idle: list[Window] = field(default_factory=list)
    _new: bool = False
    _onnx: OnnxSizes | None = field(init=False, repr=False)
    _judge: Judge = field(default_factory=Judge, repr=False)

    def __post_init__(self) -> None:
        self.trainings = Trainings(self.instruments)
        self._onnx = OnnxSizes() if self.settings.profile in PROFILES else None

    @classmethod
    def start(
        cls,
        settings: Settings,
        say: Callable[[str], None],
        environment: Mapping[str, str],
        instruments: Instruments | None = None,
        launcher: Launcher | None = None,
    ) -> Self:
        """Waits for the host, opens the meters and the journal, and measures the idle system.

        Args:
            settings: What is asked for.
            say: Is told what there is to say.
            environment: Environment variables.
            instruments: Open ones, to use instead of what can be found here.
            launcher: Starts fresh processes, if the settings ask for them.

        Raises:
            NothingMeasuresError: An instrument is required and there is none.
            JournalError: The journal cannot be written, or not be resumed.
            ValueError: The device is unknown or not there, or nothing starts processes.
            MeterUnavailable: A meter that was named cannot be used.
        """
        device = device_id(settings.device)
        if settings.processes and launcher is None:
            raise ValueError("fresh processes are asked for, and nothing starts them: a launcher")
        with contextlib.ExitStack() as undo:
            lock = hostlock.acquire(hostlock.lock_path(environment), say)
            undo.callback(lock.release)
            instruments = instruments or open_instruments(settings.meters, environment)
            undo.callback(instruments.close)
            instruments.device, instruments.keeps_readings = device, settings.raw
            if settings.require_measured and not cover(instruments.channels, device):
                raise NothingMeasuresError(instruments.why_not_measured())
            run = new_run(settings, instruments)
            writer = open_journal(settings, run, say)
            undo.callback(writer.close)
            session = cls(settings, instruments, run, writer, lock, say, launcher)
            session._judge = Judge(settings.seed, settings.seeds)
            session._take_up()
            if not session._idle:
                session._measure_idle()
                session._warn()
            undo.pop_all()
        return session

    def _take_up(self) -> None:
        """Reads back what a resumed journal already holds."""
        journal = records.read(self.writer.path)
        self.run = journal.run
        self._done = {c.case: (c, journal.windows_of(c.case)) for c in journal.cases}
        self._unfinished = dict(journal.unfinished)
        self._idle = [window for window in journal.windows if window.role == "idle"]

    def _measure_idle(self) -> None:
        window = idle(self.instruments, self.settings.schedule.idle_s, len(self._idle))
        self._idle.append(window)
        self.writer.append(window)

    def _warn(self) -> None:
        """Says what may spoil the run, and notes it in the journal."""
        instruments = self.instruments
        summed = [channel.id for channel in instruments.summed]
        for text in preconditions(instruments.state(), self._idle[-1].flags, summed):
            self.say(f"before the run: {text}")
            self.writer.append(Note("", f"before the run: {text}"))

    def seconds_per_case(self, pairs: int | None = None) -> tuple[float, float]:
        """About how long a case takes here at least and at most, s.

        Args:
            pairs: Just as many pairs of blocks, as in `measure`.
        """
        schedule, summed = self.settings.schedule.of_pairs(pairs), self.instruments.summed
        if number := self.settings.processes:
            seconds = seconds_per_case(schedule, summed, number)
            return seconds, seconds
        return schedule.seconds_per_case(summed)

    def measure(
        self,
        variant: Variant,
        inputs: Any,  # noqa: ANN401 - a model's input may be anything
        batch: int,
        *,
        runtime: str = "eager",
        against: str = "",
        nodeid: str = "",
        pairs: int | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Result:
        """Measures a variant beside its baseline, or a baseline beside itself (A/A).

        The first variant of a session that has no A/A control yet gets a brief one: its baseline
        beside itself, which says what differences are worth here. A test that asks for that
        baseline later goes on with it.

        Args:
            variant: What to measure; it knows its workload and so its baseline.
            inputs: What both sides are called with.
            batch: Samples in *inputs*.
            runtime: What executes it.
            against: What executes its baseline; by default the same.
            nodeid: The test that asks, for the record.
            pairs: Just as many pairs of blocks, if not as many as the schedule finds enough; fresh
                processes have a number of their own.
            progress: Is told between windows what goes on.

        Raises:
            CaseError: The session has measured this case already, or the runtime is unknown.
            Refusal: It cannot be run here as asked; the journal notes why.
        """
        device = self.settings.device
        case = Case(variant.workload.name, variant.label, runtime, device, batch, against)
        if case.id in self._measured:
            raise CaseError(
                f"{case.id} was already measured in this session;"
                " give the second one another name: joules(…, name=…)"
            )
        if case.id in self._done and case.id not in self._brief:
            self._require_unchanged(case.id, variant)
        else:
            schedule = self.settings.schedule.of_pairs(pairs)
            described = partial(
                describe,
                inputs=inputs,
                nodeid=nodeid,
                judge=self._judge,
                progress=progress,
                onnx=self._onnx,
            )
            try:
                start = memory.resident_bytes()
                subject = Subject(lowered(variant, inputs, runtime, device), case, inputs)
                if not (case.is_baseline or self._has_control()):
                    brief = schedule.of_pairs(min(CONTROL_PAIRS, schedule.pairs))
                    own = subject.baseline()
                    control = described(own.variant, own.case)
                    self._measure(own, control, brief, progress, served=case.id)
                    self._brief.add(control.case)
                record = described(subject.variant, case)
                self._measure(subject, record, schedule, progress, served=case.id, start=start)
                self._brief.discard(case.id)
            except Exception as error:
                self._note(case.id, error)
                raise
        self._measured.add(case.id)
        record, windows = self._done[case.id]
        return Result(self._row(record), windows)

    def judge(
        self,
        variant: Variant,
        *,
        nodeid: str = "",
        progress: Callable[[str], None] = lambda _: None,
    ) -> CaseRecord:
        """Judges a variant's quality and size, and times nothing: a step of a sweep.

        Args:
            variant: What to judge.
            nodeid: The test that asks, for the record.
            progress: Is told which seed is judged.

        Raises:
            CaseError: The session has judged this variant already.
        """
        case = Case(variant.workload.name, variant.label, JUDGED, self.settings.device, 1)
        if case.id in self._measured:
            raise CaseError(f"{case.id} was already judged in this session; judge it once")
        if case.id in self._done:
            self._require_unchanged(case.id, variant)
        else:
            inputs = variant.workload.inputs(1)
            try:
                record = describe(variant, case, inputs, nodeid, self._judge, progress=progress)
            except Exception as error:
                self._note(case.id, error)
                raise
            self.writer.append(Begin(case.id, record.workload_version))
            self.writer.append(record)
            self._new = True
            self._done[case.id] = (record, ())
        self._measured.add(case.id)
        return self._done[case.id][0]

    def refuse(self, case: str, refusal: Refusal) -> None:
        """Says in the journal why a case is missing, and what to do about it."""
        self.writer.append(Note(case, f"refused: {refusal}"))

    def _note(self, case: str, error: Exception) -> None:
        """Says in the journal what became of a case.

        Raises:
            Refusal: The error stands for one: of memory, or as the session was told.
        """
        refusal = error if isinstance(error, Refusal) else self.as_refusal(error)
        if refusal is None:
            self.writer.append(Note(case, f"{type(error).__name__}: {error}"))
            return
        self.refuse(case, refusal)
        if refusal is not error:
            raise refusal from error

    def _has_control(self) -> bool:
        """Whether the session has an A/A control."""
        return any(
            record.case == record.baseline and record.runtime != JUDGED
            for record, _ in self._done.values()
        )

    def _require_unchanged(self, case: str, variant: Variant) -> None:
        """Refuses to take a case from a resumed journal for a workload that has changed."""
        before, version = self._done[case][0].workload_version, variant.workload.version
        if before != version:
            raise CaseError(
                f"{case} was measured with version {before} of its workload, now it is {version};"
                " start anew without --joules-resume"
            )

    def _measure(
        self,
        subject: Subject,
        record: CaseRecord,
        schedule: Schedule,
        progress: Callable[[str], None],
        *,
        served: str,
        start: int | None = None,
    ) -> None:
        """Measures the blocks of one case; its record follows them and makes them count.

        Fresh processes find their model at the case *served*, which the test asks for.
        """
        windows = self._begin(record)
        progress(f"{record.case}  warm-up")
        memory.reset_peak()
        # what was started for it ends with it, also if the journal cannot be written
        found = self._blocks(subject, record, schedule, windows[:], served=served)
        with contextlib.closing(found) as blocks:
            for block in blocks:
                self.writer.append(block)
                if isinstance(block, Discard):
                    progress(f"{record.case}  block repeated: {block.reason}")
                    continue
                windows.append(block)
                progress(f"{record.case}  pair {block.pair + 1}")
        for window in self.trainings.of(record.case, subject.variant.training, windows):
            self.writer.append(window)
            windows.append(window)
        record = dataclasses.replace(record, memory_bytes=self._memory(record, start))
        self.writer.append(record)
        self._new = True
        self._done[record.case] = (record, tuple(windows))

    def _memory(self, record: CaseRecord, start: int | None) -> dict[str, int]:
        """Most bytes that the case had in memory, and what was there before it; of a GPU too."""
        known = {"peak": memory.peak_bytes(), "before": start, **peak_cuda(self.settings.device)}
        if self.settings.processes or record.runtime == ORIGIN:  # it ran elsewhere
            return {}
        return {name: value for name, value in known.items() if value is not None}

    def _blocks(
        self,
        subject: Subject,
        record: CaseRecord,
        schedule: Schedule,
        done: Sequence[Window],
        *,
        served: str,
    ) -> Generator[Window | Discard]:
        """The blocks of a case, measured in this process or in fresh ones."""
        seed, role = self.run.seed, "control" if subject.case.is_baseline else "variant"
        if self.settings.processes:
            assert self.launcher is not None  # noqa: S101 - start() has refused that
            yield from measure_processes(
                record.case,
                ("baseline", role),
                schedule,
                self.instruments,
                seed,
                samples=record.batch,
                number=self.settings.processes,
                start=partial(self.launcher.start, record.nodeid, served),
                version=record.workload_version,
                done=done,
            )
            return
        loop = other = subject.loop()
        if not subject.case.is_baseline:
            other = subject.baseline().loop()
        calls = subject.variant.workload.least_calls
        sides = (
            Side("baseline", other, record.batch, calls),
            Side(role, loop, record.batch, calls),
        )
        yield from measure_case(record.case, sides, schedule, self.instruments, seed, done=done)

    def _begin(self, record: CaseRecord) -> list[Window]:
        """The windows that there are of a case: those of a brief control, or of a cut session."""
        if record.case in self._brief:
            return list(self._done[record.case][1])
        attempt = self._unfinished.pop(record.case, None)
        if attempt and attempt.workload_version == record.workload_version:
            return list(attempt.windows)
        self.writer.append(Begin(record.case, record.workload_version))
        return []

    def _row(self, record: CaseRecord) -> Row:
        """The case among all that are finished: later A/A controls may still raise its margin."""
        # its margin rests on the controls; to compare all others at each case would take long
        known = [
            (case, measured)
            for case, measured in self._done.values()
            if case.device == record.device and case.case in {record.case, case.baseline}
        ]
        cases = tuple(case for case, _ in known)
        windows = [window for _, measured in known for window in measured]
        journal = records.Journal(self.writer.path, self.run, cases, (*self._idle, *windows))
        rows = compare([journal])[0].rows
        return next(row for row in rows if row.case.case == record.case)

    def has_from_before(self, case: str) -> bool:
        """Whether the session that this one resumes has measured a case."""
        return case in self._done and case not in self._measured

    def begin(self, record: CaseRecord) -> None:
        """Begins a case of which somebody else measures the windows.

        Raises:
            CaseError: The session has measured it already.
        """
        if record.case in self._measured:
            raise CaseError(f"{record.case} was already measured; give it another name")
        self._measured.add(record.case)
        self.writer.append(Begin(record.case, record.workload_version))

    def add(self, record: CaseRecord, windows: Sequence[Window]) -> Result:
        """Ends such a case: its windows are in the journal, its record makes them count."""
        self.writer.append(record)
        self._new = True
        self._done[record.case] = (record, tuple(windows))
        return Result(self._row(record), windows)

    @property
    def has_cases(self) -> bool:
        """Whether the journal holds any finished case."""
        return bool(self._done)

    def finish(self, exit_status: int) -> Path:
        """Measures the idle system again, ends the journal and frees meters and host.

        Args:
            exit_status: pytest's; after an interruption (2 and more) nobody waits for the idle.

        Returns:
            The journal's path.
        """
        try:
            if exit_status <= 1 and (self._new or len(self._idle) < _BOTH_ENDS):
                self._measure_idle()
            self.writer.append(End(records.now(), exit_status, dict(self.writer.counts)))
        finally:
            self.abandon()
        return self.writer.path

    def abandon(self) -> None:
        """Frees everything at once; what was measured stays in the journal."""
        self.writer.close()
        self.instruments.close()
        self._judge.close()
        self._lock.release()
