"""What keeps a model from being faster: its multiplications, or what is around them.

The floor of a case is its multiply-accumulates at the rate of this machine's largest product of
matrices of the type that runs (`bench.roofline`). What a case takes beyond it is everything else:
operators that only move data, layers too small or too oddly shaped for the kernels, the runtime.
"""

import statistics as stdlib_statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare import Row, Table
from bench.quantities import Absent
from bench.reference.targets import Target, target
from bench.report import findings
from bench.report.best_runtime import crosses
from bench.report.winners import cheapest, is_smaller
from bench.roofline import Ceiling, arithmetic_floor, gemms, multiple
from bench.statistics import Interval, Verdict
from bench.typical_time import seconds_per_sample


@dataclass(frozen=True, slots=True)
class Limit:
    """How a case lies above its floor.

    Args:
        row: The case.
        floor: Least time of its multiplications, s/sample, or why it is unknown.
        times: Its time as a multiple of the floor, or None.
        most: How many times faster than the baseline it could be at most if all multiplications
            ran at that rate and nothing else took time, or None.
    """

    row: Row
    floor: Interval | Absent
    times: Interval | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a target.

    Args:
        workload: Which.
        batch: Samples given together.
        target: What was asked for.
        best: The fastest whole model within its quality budget, or None.
        fastest: The fastest whole model, whatever its quality, or None.
        smaller: The fastest smaller model, whatever its quality, or None.
        reached: Whether the best reaches it; None where its interval holds the target.
        ceiling: The type with which it could be fastest on this machine, and how many times faster
            than the baseline at most; None without a roofline.
    """

    workload: str
    batch: int
    target: Target
    best: Row | None
    fastest: Row | None
    smaller: Row | None
    reached: bool | None
    ceiling: tuple[str, float] | None


def speedup(row: Row) -> Interval | None:
    """How many times faster than its baseline a row is; None if it was not timed beside it."""
    ratio = row.time_ratio
    if ratio is None or row.is_baseline:
        return None
    return Interval(1 / ratio.value, 1 / ratio.high, 1 / ratio.low, ratio.n)


def limit(table: Table, row: Row, found: Sequence[Ceiling]) -> Limit:
    """How one row lies above its floor.

    Args:
        table: Its table.
        row: Any row but a ceiling.
        found: The ceilings of the table.
    """
    floor = arithmetic_floor(row.case, found)
    time = seconds_per_sample(table.journal, row.case)
    if isinstance(floor, Absent):
        return Limit(row, floor, None, None)
    if time is None:
        return Limit(row, floor.least, None, None)
    times, faster = multiple(time, floor.least), speedup(row)
    most = times.value * (1.0 if row.is_baseline else faster.value if faster else 0.0)
    return Limit(row, floor.least, times, most or None)


def outcomes(table: Table, found: Sequence[Ceiling]) -> list[Outcome]:
    """What became of the targets of a table's workloads, those that run in several runtimes.

    Args:
        table: Of a CPU: the targets are of one.
        found: The ceilings of the table.
    """
    if table.device != "cpu":
        return []
    return [
        _outcome(table, rows, asked, found)
        for (name, batch), rows in findings.settings(table.rows)
        if crosses(rows) and (asked := target(name, batch))
    ]


def _outcome(table: Table, rows: Sequence[Row], asked: Target, found: Sequence[Ceiling]) -> Outcome:
    variants = [row for row in rows if not row.is_baseline and row.time_ratio]
    whole = [row for row in variants if not is_smaller(row, rows)]
    smaller = [row for row in variants if is_smaller(row, rows)]
    holding = [row for row in whole if row.time_verdict is Verdict.SAVES]
    best = cheapest(holding, energy=False)
    first = rows[0].case
    return Outcome(
        first.workload,
        first.batch,
        asked,
        best,
        cheapest(whole, energy=False),
        cheapest(smaller, energy=False),
        _reaches(best, asked.least.value or 0.0),
        _ceiling(table, whole, found),
    )


def _reaches(best: Row | None, least: float) -> bool | None:
    faster = speedup(best) if best else None
    if faster is None or faster.high < least:
        return False
    return True if faster.low >= least else None


def _ceiling(
    table: Table, rows: Sequence[Row], found: Sequence[Ceiling]
) -> tuple[str, float] | None:
    """The type of the fastest product here, and the most that it would make of the whole model.

    It is the median over the rows: each tells the baseline's time anew, by its own pairs.
    """
    most = []
    for row in rows:
        time, faster = seconds_per_sample(table.journal, row.case), speedup(row)
        known = gemms(row.case, found)
        if time and faster and known and row.case.macs:
            fastest = min(known, key=lambda each: each.seconds.value)
            baseline = time.value * faster.value
            most.append((str(fastest.dtype), baseline / fastest.seconds.value / row.case.macs))
    return (most[0][0], stdlib_statistics.median(value for _, value in most)) if most else None
