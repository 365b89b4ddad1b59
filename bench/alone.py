"""A session that measures each case alone: one side of a comparison whose other runs elsewhere.

``pytest --benchmark --joules-alone 3`` is what `joulebench gate` starts in each of two revisions:
warm-up and three blocks of each case, no baseline beside it, no A/A control, no idle windows and
no page. What it writes is an ordinary journal, whose settings say so.
"""

import json
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bench.block import Side
from bench.compare import Row
from bench.measure import measure_alone
from bench.preconditions import preconditions
from bench.record import CaseRecord, Discard, Window
from bench.schedule import Schedule
from bench.session import Session
from bench.statistics import Verdict
from bench.subject import Subject
from bench.training import Trainings

T = TypeVar("T")

TESTS = "tests.json"
"""What a collecting process writes into the results' folder: the tests that would be measured."""


class AloneSession(Session):
    """A session whose cases have nothing beside them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.trainings = _Unmetered(self.instruments)
        self._onnx = None  # each of many processes would export every model

    def seconds_per_case(self, pairs: int | None = None) -> tuple[float, float]:  # noqa: ARG002
        """About how long a case takes here, s: blocks are as many as the settings say."""
        schedule = self.settings.schedule
        blocks = schedule.in_process(self.instruments.summed)
        seconds = schedule.warmup_s + self.settings.alone * blocks.aim_s
        return seconds, seconds

    def _measure_idle(self) -> None:
        """Leaves out what would be measured of the idle system."""

    def _warn(self) -> None:
        """Notes what may spoil the run; whoever has started so many processes is told by flags."""
        summed = [channel.id for channel in self.instruments.summed]
        for text in preconditions(self.instruments.state(), (), summed):
            self.ledger.note("", f"before the run: {text}")

    def _row(self, case: str) -> Row:
        """The case without a verdict: there is nothing to hold it against."""
        none = Verdict.NOT_MEASURED
        return replace(super()._row(case), energy_verdict=none, time_verdict=none)

    def _has_control(self) -> bool:
        return True  # the control is a pair of other processes

    def _blocks(
        self,
        subject: Subject,
        record: CaseRecord,
        schedule: Schedule,
        done: Sequence[Window],
        *,
        served: str,  # noqa: ARG002 - nothing is served
    ) -> Generator[Window | Discard]:
        """The blocks of a case, and of nothing else."""
        role = "baseline" if subject.case.is_baseline else "variant"
        calls = subject.variant.workload.least_calls
        side = Side(role, subject.loop(), record.batch, calls)
        yield from measure_alone(
            record.case,
            side,
            self.settings.alone,
            schedule,
            self.instruments,
            seed=self.ledger.run.seed,
            done=done,
        )


class _Unmetered(Trainings):
    """Trainings that are no part of what is compared."""

    def measure(self, make: Callable[[], T]) -> tuple[T, Window]:
        """Makes a stage, and measures nothing."""
        return make(), None  # type: ignore[return-value] # as a stage that nothing has measured


def write_tests(folder: Path, given: Iterable[str], tests: Iterable[tuple[str, str]]) -> Path:
    """Writes which tests a session would measure, for whoever starts one for each of them.

    Args:
        folder: The results' folder.
        given: The arguments of pytest that name files or folders.
        tests: Id of each, and the argument of pytest that selects it.
    """
    path = folder / TESTS
    folder.mkdir(parents=True, exist_ok=True)
    found = {"given": list(given), "tests": [list(each) for each in tests]}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return path
