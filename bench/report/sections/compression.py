"""What compression did to the model: parameters, zeros, operations, bytes."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.report.once import once

ORDER = 50
_HEADER = ("parameters", "nonzero", "MACs per sample", "on disk", "nominal", "note")


def section(report: Report) -> str:
    """A folded table for each device."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        name = f" · {findings.heading(table, report.tables)}" if several else ""
        parts.append(blocks.details(f"What compression did{name}", _body(table)))
    return "\n\n".join(parts)


def _body(table: Table) -> str:
    return "\n\n".join(
        f"**{text.escape(name)}**\n\n{_grid(rows, table.rows)}"
        for name, rows in findings.workloads(table)
    )


def _grid(rows: Sequence[Row], among: Sequence[Row]) -> str:
    """Each variant in each runtime once, and again where another batch is another model."""
    first, lines = once(rows, among, _cells)
    return blocks.table((*first, *_HEADER), lines, last=1)


def _cells(row: Row) -> tuple[str, ...]:
    case = row.case
    return (
        text.count(case.parameters),
        _nonzero(row),
        text.count(case.macs),
        text.size(case.size_bytes.get("disk")),
        text.size(case.size_bytes.get("nominal")),
        text.escape(case.note) or "—",
    )


def _nonzero(row: Row) -> str:
    if row.case.nonzero is None or not row.case.parameters:
        return "—"
    return f"{text.significant(100 * row.case.nonzero / row.case.parameters)} %"
