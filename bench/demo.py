"""What the tool answers, and how sure it is, where the truth is known: `joulebench demo`.

The session, the loop, the statistics and the page are those of every measurement; only the device
is simulated, in virtual time. What its models truly use was put into it, so each answer can be
held against it. No number here is any machine's or any real model's.
"""

import tempfile
import textwrap
from collections import Counter as Tally
from dataclasses import dataclass, replace
from pathlib import Path

from bench import guard, records
from bench.compare import Row, Table, compare
from bench.demo_cases import (
    COUNTERS,
    FORMS,
    NOISES,
    counter_in_words,
    noise_in_words,
    variants,
)
from bench.quantities import Absent
from bench.report import findings, terminal, text
from bench.run import Settings
from bench.schedule import PROFILES
from bench.session import Session
from bench.simulated import ORIGIN, SimulatedDevice
from bench.statistics import Interval, Verdict, pairs_to_decide
from bench.workload import BASELINE


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table beside the truth.

    Args:
        row: What was measured.
        truth: The true ratio of what was compared: of the energy, or of the time without a meter.
        measured: Whether that is the energy.
    """

    row: Row
    truth: float
    measured: bool

    @property
    def ratio(self) -> Interval | None:
        """The measured ratio to the baseline."""
        return findings.ratio_of(self.row, energy=self.measured)

    @property
    def verdict(self) -> Verdict:
        """What was said of it."""
        return findings.verdict_of(self.row, energy=self.measured)

    @property
    def margin(self) -> float:
        """The smallest difference that counts for it."""
        margins = self.row.margins
        return margins.energy if self.measured else margins.time

    @property
    def holds(self) -> bool | None:
        """Whether the 95 % interval holds the truth; None if there is none."""
        ratio = self.ratio
        return None if ratio is None else ratio.low <= self.truth <= ratio.high

    @property
    def is_right(self) -> bool:
        """Whether the verdict is true; one that decides nothing is not wrong."""
        most = 1 + self.margin
        return {
            Verdict.SAVES: self.truth < 1 / most,
            Verdict.COSTS: self.truth > most,
            Verdict.NO_GAIN: 1 / most <= self.truth <= most,
        }.get(self.verdict, True)


@dataclass(frozen=True, slots=True)
class Demo:
    """What was measured on the simulated device.

    Args:
        journal: All of it, as a real session writes it.
        counter: What read the device.
        noise: What disturbed it.
        seconds: How much of the device's own time passed.
    """

    journal: records.Journal
    counter: str
    noise: str
    seconds: float

    @property
    def table(self) -> Table:
        """Its table, as every report has it."""
        return compare([self.journal])[0]

    @property
    def rows(self) -> tuple[Line, ...]:
        """The rows in the order of `FORMS`, each beside the truth."""
        table = self.table
        measured = findings.is_measured(table)
        rows = {row.case.technique: row for row in table.rows}
        return tuple(
            Line(rows[form.name], form.joules if measured else form.seconds, measured)
            for form in FORMS
        )

    def lines(self) -> list[str]:
        """What to print: what this is, the table, and what it teaches."""
        lessons = (
            line
            for lesson in self._lessons()
            for line in textwrap.wrap(lesson, terminal.WIDTH, subsequent_indent="  ")
        )
        return [*self._head(), "", *_grid(self.rows), "", *lessons]

    def _head(self) -> list[str]:
        run = self.journal.run
        margin = f"{100 * self.table.margin:.2g}"
        meter = ", ".join(map(counter_in_words, COUNTERS[self.counter])) or "no instrument at all"
        return [
            findings.SIMULATED,
            "What is true of it is known, so every answer can be held against the truth.",
            f"counter {self.counter}: {meter}",
            f"noise {self.noise}: {noise_in_words(NOISES[self.noise])}",
            f"seed {run.seed}, profile {run.settings['profile']}: margin {margin} %",
        ]

    def _lessons(self) -> list[str]:
        rows = self.rows
        held = [line.holds for line in rows if line.holds is not None]
        wrong = [line.row.case.technique for line in rows if not line.is_right]
        return [
            f"Intervals: {sum(held)} of {len(held)} hold the truth; of 100, 95 should.",
            f"Wrong verdicts: {', '.join(wrong) or 'none'}.",
            *(lesson for line in rows for lesson in _lesson(line)),
            *self._blocks(),
            *self._without(),
        ]

    def _blocks(self) -> list[str]:
        """How many blocks were run again, and why."""
        why = Tally(
            guard.sort_of(reason) or "too short"
            for discard in self.journal.discards
            for reason in discard.reason.split("; ")
        )
        kept = sum(window.role not in {"idle", "warmup"} for window in self.journal.windows)
        said = ", ".join(f"{sort.partition(':')[0]} {count}" for sort, count in why.most_common())
        again = f"{len(self.journal.discards)} run again" + (f" ({said})" if said else "")
        return [f"Blocks: {kept} kept, {again}; {self.seconds:.0f} s of its own time passed."]

    def _without(self) -> list[str]:
        """What the same windows would say without their readings."""
        if not findings.is_measured(self.table):
            return []
        blind = replace(self.journal, run=replace(self.journal.run, channels=()))
        said = {row.case.technique: findings.words(row) for row in compare([blind])[0].rows}
        name = FORMS[-1].name
        return [f"Without an instrument, {name} would be: {said[name]}  (--counter none)"]


def _lesson(line: Line) -> list[str]:
    """What a row teaches beyond its verdict, if anything."""
    row, name, ratio, verdict = line.row, line.row.case.technique, line.ratio, line.verdict
    if line.measured and isinstance(row.energy, Absent):
        return [f"{name}: {row.energy.reason}"]
    if ratio is None or row.is_baseline:
        return []
    if verdict is Verdict.UNRESOLVED:
        needed = pairs_to_decide(ratio, line.margin)
        about = "more than 10 000" if needed is None else f"about {needed}"
        return [f"{name}: {about} pairs would be needed to decide; {ratio.n} were measured."]
    if verdict is Verdict.BREAKS_QUALITY and row.case.quality:
        value, target = (100 * row.case.quality[key] for key in ("value", "target"))
        return [f"{name}: its accuracy is {value:.1f} %, below the target of {target:.1f} %."]
    if line.measured and verdict is Verdict.NO_GAIN and row.time_verdict is Verdict.SAVES:
        assert row.time_ratio is not None  # noqa: S101 - it has a verdict
        time = text.fixed(row.time_ratio.value, text.ratio_decimals(row.time_ratio))
        return [f"{name}: {time} of the time, and no gain in energy: why joules are measured."]
    return []


def _grid(rows: tuple[Line, ...]) -> list[str]:
    """The table, as wide as its widest cells."""
    measured = rows[0].measured
    header = [
        "model",
        f"{'energy' if measured else 'time'} ÷ baseline [95 %]",
        "truth",
        "held",
        "verdict",
        "pairs",
        "again",
    ]
    cells = [header, *(_cells(line) for line in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    left = {0, header.index("verdict")}
    return [
        "  ".join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def _cells(line: Line) -> list[str]:
    row, ratio = line.row, line.ratio
    return [
        f"{BASELINE} (A/A)" if row.is_baseline else row.case.technique,
        text.ratio(ratio) if ratio else "—",
        f"{line.truth:.3f}",
        {True: "yes", False: "NO", None: "—"}[line.holds],
        findings.words(row),
        str(ratio.n) if ratio else "—",
        str(row.discards),
    ]


def demo(folder: Path, counter: str = "rapl", noise: str = "shared-host", seed: int = 0) -> Demo:
    """Measures `FORMS` on a simulated device, as a session measures models on a machine.

    Args:
        folder: Where the journal goes.
        counter: One of `COUNTERS`.
        noise: One of `NOISES`.
        seed: Of the device's noise and of the order of the blocks.

    Raises:
        JournalError: The journal cannot be written.
        OSError: The folder cannot be made.
    """
    device = SimulatedDevice(replace(NOISES[noise], counters=COUNTERS[counter]), seed)
    command = f"joulebench demo --counter {counter} --noise {noise} --seed {seed}"
    settings = Settings("quick", PROFILES["quick"], results=folder, seed=seed, command=command)
    folder.mkdir(parents=True, exist_ok=True)
    began_ns = device.clock()
    with tempfile.TemporaryDirectory() as private:
        # a lock of its own: what takes no time of this host need not wait for its measurements
        lock = {"JOULES_LOCK": str(Path(private) / "lock")}
        session = Session.start(settings, lambda _: None, lock, device.instruments())
        try:
            for variant in variants(device):
                session.measure(variant, None, 1, runtime=ORIGIN)
            path = session.finish(0)
        finally:
            session.abandon()
    return Demo(records.read(path), counter, noise, (device.clock() - began_ns) / 1e9)
