"""Quality against cost as points of a plane: what the figure draws and the page prints.

Estimates never become points: where no energy was measured, the cost is the time relative to the
baseline, and every panel of that table says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare import Row, Table
from bench.quantities import Quantity
from bench.report import findings
from bench.workload import BASELINE

_Z = 1.959964  # two-sided 95 % quantile of the normal distribution
_OTHER_RUNTIME = "as shipped, another runtime"


@dataclass(frozen=True, slots=True)
class Point:
    """One case in the plane.

    Args:
        label: Variant as the table names it.
        level: Its level alone, or the label where it has none: what stands beside the point.
        technique: What decides its marker.
        x: Cost: J/sample, or time ÷ baseline.
        low: Lower end of the cost's 95 % interval.
        high: Upper end.
        quality: Quality.
        quality_low: Lower end of its 95 % interval, or the quality where none is known.
        quality_high: Upper end.
        holds: Whether it reaches its target.
        baseline: Whether it is the workload as shipped.
    """

    label: str
    level: str
    technique: str
    x: float
    low: float
    high: float
    quality: float
    quality_low: float
    quality_high: float
    holds: bool
    baseline: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """The points of one workload and batch on one device.

    Args:
        title: Workload, device and batch.
        energy: Whether the cost is energy; else it is time.
        unit: What one sample is.
        metric: What the quality is.
        target: Least quality that counts, or None.
        share: Whether the quality is a share, shown in per cent.
        points: In the order of the table.
    """

    title: str
    energy: bool
    unit: str
    metric: str
    target: float | None
    share: bool
    points: tuple[Point, ...]


def panels(tables: Sequence[Table]) -> tuple[Panel, ...]:
    """A panel for each workload and batch of which at least two cases have cost and quality."""
    found = (
        _panel(table, tables, rows) for table in tables for _, rows in findings.settings(table.rows)
    )
    return tuple(panel for panel in found if panel and len(panel.points) > 1)


def _panel(table: Table, tables: Sequence[Table], rows: Sequence[Row]) -> Panel | None:
    judged = [row for row in rows if row.case.quality and row.case.quality["value"] is not None]
    if not judged:
        return None
    energy = findings.is_measured(table)
    first = judged[0].case
    quality = first.quality or {}
    points = (_point(table, row, energy=energy) for row in judged)
    return Panel(
        f"{first.workload} · {findings.plain_heading(table, tables)} · batch {first.batch}",
        energy,
        first.unit or "sample",
        str(quality["metric"]),
        quality.get("target"),
        all(findings.is_share(row) for row in judged),
        tuple(point for point in points if point),
    )


def _point(table: Table, row: Row, *, energy: bool) -> Point | None:
    cost = _energy(table, row) if energy else _time(row)
    if cost is None or cost[0] <= 0 or row.case.quality is None:
        return None
    value = float(row.case.quality["value"])
    bounds = (value, value)
    if row.quality:
        bounds = (row.quality.low, row.quality.high)
    elif findings.is_share(row) and row.case.quality.get("n"):
        bounds = wilson(value, row.case.quality["n"])
    label = findings.short_label(row, table.rows)
    shipped = row.case.technique == BASELINE and not row.is_baseline
    return Point(
        label,
        label.partition("@")[2] or label,
        _OTHER_RUNTIME if shipped else row.case.technique,
        *cost,
        value,
        *bounds,
        findings.holds(row),
        row.is_baseline,
    )


def _energy(table: Table, row: Row) -> tuple[float, float, float] | None:
    """J/sample with its interval; only energies of the table's one boundary share a plane."""
    q = row.energy
    if not isinstance(q, Quantity) or q.boundary != findings.boundary(table):
        return None
    return q.value, q.low, q.high


def _time(row: Row) -> tuple[float, float, float] | None:
    """Time ÷ baseline with its interval: pair by pair, for rows stand minutes apart.

    The baseline stands at 1, with the interval of its A/A control.
    """
    ratio = row.time_ratio
    if ratio is None:
        return None
    value = 1.0 if row.is_baseline else ratio.value
    return value, min(value, ratio.low), max(value, ratio.high)


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % score interval of a share of *n* trials (Wilson 1927, J. Am. Stat. Assoc. 22, 209).

    >>> [round(end, 3) for end in wilson(0.5, 100)]
    [0.404, 0.596]
    """
    z2 = _Z * _Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return min(share, centre - half), max(share, centre + half)


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other beats in cost and in quality, cheapest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.quality)):
        if not kept or point.quality > kept[-1].quality:
            kept.append(point)
    return tuple(kept)


def on_front(table: Table, rows: Sequence[Row]) -> frozenset[str]:
    """The cases of one workload and batch, in all runtimes, that no other beats in both."""
    energy = findings.is_measured(table)
    found = {
        row.case.case: point
        for row in rows
        if row.case.quality
        and row.case.quality["value"] is not None
        and (point := _point(table, row, energy=energy))
    }
    best = front(tuple(found.values()))
    return frozenset(case for case, point in found.items() if point in best)
