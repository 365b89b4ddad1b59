"""Further measures of quality, on which no verdict is built: cosine, SQNR, rank correlation."""

from collections.abc import Mapping, Sequence

from bench.compare import Row, Table
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.report.once import once

ORDER = 53


def section(report: Report) -> str:
    """A folded table for each device; nothing where no workload gives any."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        grids = [
            f"**{text.escape(name)}**\n\n{_grid(table, known)}"
            for name, rows in findings.workloads(table)
            if (known := [row for row in rows if others(row)])
        ]
        if grids:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Quality by other measures{name}", "\n\n".join(grids)))
    return "\n\n".join(parts)


def others(row: Row) -> Mapping[str, float]:
    """The further metrics of a row, by their names."""
    found: Mapping[str, float] = (row.case.quality or {}).get("others") or {}
    return found


def _grid(table: Table, rows: Sequence[Row]) -> str:
    """Each variant once, and again where another batch gives other answers."""
    metrics = list(dict.fromkeys(metric for row in rows for metric in others(row)))

    def cells(row: Row) -> list[str]:
        values = (others(row).get(metric) for metric in metrics)
        return ["—" if value is None else text.significant(value, 4) for value in values]

    first, lines = once(rows, table.rows, cells)
    return blocks.table([*first, *map(text.escape, metrics)], lines)
