"""What compression did to the model: parameters, zeros, operations, bytes."""

from bench.compare import Row, Table
from bench.report import blocks, findings, text
from bench.report.markdown import Report

ORDER = 50
_HEADER = ("variant", "parameters", "nonzero", "MACs per sample", "on disk", "nominal", "note")


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
        f"**{text.escape(name)}**\n\n{blocks.table(_HEADER, _rows(rows), last=1)}"
        for name, rows in findings.workloads(table)
    )


def _rows(rows: list[Row]) -> list[tuple[str, ...]]:
    """Each variant once, and again where another batch runs other operations."""
    found: dict[tuple[str, int | None], tuple[str, ...]] = {}
    for row in rows:
        case = row.case
        found.setdefault(
            (case.label, case.macs),
            (
                text.escape(case.label),
                text.count(case.parameters),
                _nonzero(row),
                text.count(case.macs),
                text.size(case.size_bytes.get("disk")),
                text.size(case.size_bytes.get("nominal")),
                text.escape(case.note) or "—",
            ),
        )
    return list(found.values())


def _nonzero(row: Row) -> str:
    if row.case.nonzero is None or not row.case.parameters:
        return "—"
    return f"{text.significant(100 * row.case.nonzero / row.case.parameters)} %"
