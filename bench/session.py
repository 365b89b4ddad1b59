"""A measuring session: lock, meters, journal, idle windows, and one case after another.

It knows neither pytest nor a terminal; whoever runs it passes in what to say and where.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from filelock import BaseFileLock

from bench import hostlock, memory
from bench.block import Side, idle
from bench.catalogue import lowered
from bench.child import Launcher
from bench.compare import Row
from bench.cover import cover
from bench.description import describe
from bench.device import device_id, peak_cuda
from bench.instruments import Instruments, open_instruments
from bench.judge import Judge
from bench.ledger import Ledger
from bench.measure import measure_case
from bench.onnx_size import PROFILES, OnnxSizes
from bench.preconditions import preconditions
from bench.processes import measure_processes, seconds_per_case
from bench.record import CaseRecord, Discard, Window
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


@dataclass
class Session:
    """An open session. Make it with `start`; end it with `finish`.

    ``as_refusal`` says what refusal an error of a case stands for, if any: memory, unless told
    otherwise.
    """

    settings: Settings
    instruments: Instruments
    ledger: Ledger
    _lock: BaseFileLock = field(repr=False)
    say: Callable[[str], None] = field(repr=False)
    launcher: Launcher | None = field(default=None, repr=False)
    as_refusal: Callable[[Exception], Refusal | None] = field(default=for_memory, repr=False)
    trainings: Trainings = field(init=False, repr=False)
    _onnx: OnnxSizes | None = field(init=False, repr=False)
    _judge: Judge = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.trainings = Trainings(self.instruments)
        self._onnx = OnnxSizes() if self.settings.profile in PROFILES else None
        self._judge = Judge(self.settings.seed, self.settings.seeds)

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
            writer = open_journal(settings, new_run(settings, instruments), say)
            undo.callback(writer.close)
            session = cls(settings, instruments, Ledger.take_up(writer), lock, say, launcher)
            if not session.ledger.idle:
                session._measure_idle()
                session._warn()
            undo.pop_all()
        return session

    def _measure_idle(self) -> None:
        idle_s = self.settings.schedule.idle_s
        self.ledger.append_idle(idle(self.instruments, idle_s, len(self.ledger.idle)))

    def _warn(self) -> None:
        """Says what may spoil the run, and notes it in the journal."""
        instruments = self.instruments
        summed = [channel.id for channel in instruments.summed]
        for text in preconditions(instruments.state(), self.ledger.idle[-1].flags, summed):
            self.say(f"before the run: {text}")
            self.ledger.note("", f"before the run: {text}")

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
        self.ledger.require_first(case.id, "give the second one another name: joules(…, name=…)")
        if not self.ledger.holds(case.id, variant.workload.version):
            schedule = self.settings.schedule.of_pairs(pairs)
            with self._noted(case.id):
                self._compare(variant, case, inputs, schedule, nodeid=nodeid, progress=progress)
        _, windows = self.ledger.found(case.id)
        return Result(self._row(case.id), windows)

    def _compare(
        self,
        variant: Variant,
        case: Case,
        inputs: Any,  # noqa: ANN401 - a model's input may be anything
        schedule: Schedule,
        *,
        nodeid: str,
        progress: Callable[[str], None],
    ) -> None:
        """Measures a case, after a brief control where the session has none."""
        described = partial(
            describe,
            inputs=inputs,
            nodeid=nodeid,
            judge=self._judge,
            progress=progress,
            onnx=self._onnx,
        )
        start = memory.resident_bytes()
        subject = Subject(lowered(variant, inputs, case.runtime, case.device), case, inputs)
        if not (case.is_baseline or self._has_control()):
            brief = schedule.of_pairs(min(CONTROL_PAIRS, schedule.pairs))
            own = subject.baseline()
            control = described(own.variant, own.case)
            self._measure(own, control, brief, progress, served=case.id, is_brief=True)
        record = described(subject.variant, case)
        self._measure(subject, record, schedule, progress, served=case.id, start=start)

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
        self.ledger.require_first(case.id, "judge it once", done="judged")
        if not self.ledger.holds(case.id, variant.workload.version):
            inputs = variant.workload.inputs(1)
            with self._noted(case.id):
                record = describe(variant, case, inputs, nodeid, self._judge, progress=progress)
            self.ledger.begin(case.id, record.workload_version)
            self.ledger.finish(record, ())
        return self.ledger.found(case.id)[0]

    def refuse(self, case: str, refusal: Refusal) -> None:
        """Says in the journal why a case is missing, and what to do about it."""
        self.ledger.note(case, f"refused: {refusal}")

    @contextlib.contextmanager
    def _noted(self, case: str) -> Iterator[None]:
        """Says in the journal what became of a case that fails.

        Raises:
            Refusal: The error stands for one: of memory, or as the session was told.
        """
        try:
            yield
        except Exception as error:
            refusal = error if isinstance(error, Refusal) else self.as_refusal(error)
            if refusal is None:
                self.ledger.note(case, f"{type(error).__name__}: {error}")
                raise
            self.refuse(case, refusal)
            if refusal is error:
                raise
            raise refusal from error

    def _has_control(self) -> bool:
        """Whether the session has an A/A control."""
        return self.ledger.has_control

    def _measure(
        self,
        subject: Subject,
        record: CaseRecord,
        schedule: Schedule,
        progress: Callable[[str], None],
        *,
        served: str,
        start: int | None = None,
        is_brief: bool = False,
    ) -> None:
        """Measures the blocks of one case; its record follows them and makes them count.

        Fresh processes find their model at the case *served*, which the test asks for.
        """
        windows = self.ledger.begin(record.case, record.workload_version)
        progress(f"{record.case}  warm-up")
        memory.reset_peak()
        # what was started for it ends with it, also if the journal cannot be written
        found = self._blocks(subject, record, schedule, windows[:], served=served)
        with contextlib.closing(found) as blocks:
            for block in blocks:
                self.ledger.append(block)
                if isinstance(block, Discard):
                    progress(f"{record.case}  block repeated: {block.reason}")
                    continue
                windows.append(block)
                progress(f"{record.case}  pair {block.pair + 1}")
        for window in self.trainings.of(record.case, subject.variant.training, windows):
            self.ledger.append(window)
            windows.append(window)
        record = dataclasses.replace(record, memory_bytes=self._memory(record, start))
        self.ledger.finish(record, windows, is_brief=is_brief)

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
        seed, role = self.ledger.run.seed, "control" if subject.case.is_baseline else "variant"
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

    def _row(self, case: str) -> Row:
        """A finished case with its verdict."""
        return self.ledger.row(case)

    def begin(self, record: CaseRecord) -> None:
        """Begins a case of which somebody else measures the windows.

        Raises:
            CaseError: The session has measured it already.
        """
        self.ledger.require_first(record.case, "give the second one another name")
        self.ledger.begin_anew(record.case, record.workload_version)

    def add(self, record: CaseRecord, windows: Sequence[Window]) -> Result:
        """Ends such a case: its windows are in the journal, its record makes them count."""
        self.ledger.finish(record, windows)
        self.ledger.found(record.case)
        return Result(self._row(record.case), windows)

    def finish(self, exit_status: int) -> Path:
        """Measures the idle system again, ends the journal and frees meters and host.

        Args:
            exit_status: pytest's; after an interruption (2 and more) nobody waits for the idle.

        Returns:
            The journal's path.
        """
        try:
            is_over = exit_status <= 1
            if is_over and (self.ledger.is_new or len(self.ledger.idle) < _BOTH_ENDS):
                self._measure_idle()
            self.ledger.end(exit_status)
        finally:
            self.abandon()
        return self.ledger.path

    def abandon(self) -> None:
        """Frees everything at once; what was measured stays in the journal."""
        self.ledger.writer.close()
        self.instruments.close()
        self._judge.close()
        self._lock.release()
