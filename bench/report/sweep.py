"""Quality against size, as Deep Compression's Figure 6 has it: points of sweeps, as series.

A series is one technique with one choice of what is no number (its form, its stage); its levels
are the steps. Size is that on disk, over the baseline's; quality is the change against the
baseline of the same seed. Drawn where a session has judged a sweep (`Joules.judge`).

Source: Han, Mao and Dally 2016, "Deep Compression", Figure 6.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.compare import Table
from bench.record import CaseRecord
from bench.report import findings
from bench.report.text import plain
from bench.row import quality_change


@dataclass(frozen=True, slots=True)
class Step:
    """One variant of a sweep.

    Args:
        level: Its level, as the case has it.
        size: Bytes on disk ÷ the baseline's.
        bytes: On disk.
        change: Quality minus the baseline's, in the metric's unit.
        low: Lower end of the interval over seeds, or the change where one seed was judged.
        high: Upper end.
        quality: The quality itself.
    """

    level: str
    size: float
    bytes: int
    change: float
    low: float
    high: float
    quality: float


@dataclass(frozen=True, slots=True)
class Series:
    """A technique's steps, smallest first."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """The series of one workload.

    Args:
        title: Workload and device.
        metric: What quality is.
        share: Whether quality is a share, shown in points.
        seeds: How many seeds each quality is a mean of.
        series: In alphabetical order.
    """

    title: str
    metric: str
    share: bool
    seeds: int
    series: tuple[Series, ...]


def sweeps(tables: Sequence[Table]) -> tuple[Sweep, ...]:
    """A sweep for each workload of which a session has judged one; one step alone is none."""
    return tuple(
        sweep
        for table in tables
        for name, _ in groupby(table.judged, lambda case: case.workload)
        if (sweep := _sweep(table, tables, name)) and _steps(sweep) > 1
    )


def _sweep(table: Table, tables: Sequence[Table], workload: str) -> Sweep | None:
    cases = {
        case.label: case
        for case in (*(row.case for row in table.rows), *table.judged)
        if case.workload == workload and case.quality and case.size_bytes.get("disk")
    }
    dense = [size for case in cases.values() if (size := _dense(case))]
    if not dense:
        return None
    found: dict[str, list[Step]] = {}
    for label in sorted(cases):
        if (step := _step(cases[label], max(dense))) is not None:
            found.setdefault(_series(cases[label]), []).append(step)
    series = tuple(
        Series(name, tuple(sorted(steps, key=lambda step: step.size)))
        for name, steps in sorted(found.items())
    )
    first: Mapping[str, Any] = next(iter(cases.values())).quality or {}
    qualities = [case.quality["value"] for case in cases.values() if case.quality]
    return Sweep(
        f"{plain(workload)} · {findings.plain_heading(table, tables)}",
        str(first["metric"]),
        all(0 <= value <= 1 for value in qualities),
        len(first.get("seeds", ())) or 1,
        series,
    )


def _steps(sweep: Sweep) -> int:
    return sum(len(series.steps) for series in sweep.series)


def _dense(case: CaseRecord) -> int | None:
    """Bytes of the baseline in float32, if this case tells."""
    found = case.size_bytes
    own = found.get("disk" if case.technique == "baseline" else "dense")
    return found.get("baseline") or own


def _step(case: CaseRecord, dense: int) -> Step | None:
    change, interval = quality_change(case)
    size = case.size_bytes["disk"]
    if case.technique == "baseline" or change is None or size is None or case.quality is None:
        return None
    return Step(
        ",".join(f"{name}={value}" for name, value in sorted(case.level.items())),
        size / dense,
        size,
        change,
        interval.low if interval else change,
        interval.high if interval else change,
        float(case.quality["value"]),
    )


def _series(case: CaseRecord) -> str:
    """The technique with what is no number of its level: those are what a sweep goes through."""
    return " ".join((case.technique, *_words(case.level)))


def _words(level: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(level.items()):
        try:
            float(value)
        except ValueError:
            yield f"{name}={value}"
