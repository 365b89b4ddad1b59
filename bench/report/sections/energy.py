"""Where the energy goes: with the waiting system, and without it."""

from bench.compare import Row, Table
from bench.quantities import Absent, Quantity
from bench.report import blocks, findings, text
from bench.report.main_table import Footnotes
from bench.report.markdown import Report

ORDER = 60


def section(report: Report) -> str:
    """A folded table for each device whose energy was measured."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if findings.is_measured(table):
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Where the energy goes{name}", _body(table)))
    return "\n\n".join(parts)


def _body(table: Table) -> str:
    notes = Footnotes()
    parts = [_part(table, name, rows, notes) for name, rows in findings.workloads(table)]
    idle = (
        f"Idle power was not measured: {text.escape(table.idle)}."
        if isinstance(table.idle, Absent)
        else f"Idle power: {text.quantity(table.idle, text.Prefix('', 1.0))} W"
        f" ({text.escape(table.idle.boundary)}). Net is gross minus idle power × time."
    )
    return "\n\n".join((idle, *parts, *notes.lines()))


def _part(table: Table, name: str, rows: list[Row], notes: Footnotes) -> str:
    scale = text.prefix([row.energy.value for row in rows if isinstance(row.energy, Quantity)])
    unit = f"{scale.symbol}J per {text.escape(rows[0].case.unit or 'sample')}"

    def shown(value: Quantity | Absent) -> str:
        return notes.mark(value) if isinstance(value, Absent) else text.quantity(value, scale)

    cells = [
        (
            text.escape(findings.label(row, table.rows)),
            str(row.case.batch),
            shown(row.energy),
            _idle_share(row),
            shown(row.net),
            f"*{text.estimate(row.estimate, scale)}*" if row.estimate else "—",
        )
        for row in rows
    ]
    header = ("variant", "batch", f"gross, {unit}", "idle share", f"net, {unit}", "*estimate*")
    keep = 6 if any(row.estimate for row in rows) else 5
    grid = blocks.table(header[:keep], [line[:keep] for line in cells])
    return f"**{text.escape(name)}**\n\n{grid}"


def _idle_share(row: Row) -> str:
    if isinstance(row.energy, Absent) or isinstance(row.net, Absent) or row.energy.value <= 0:
        return "—"
    return f"{100 * (1 - row.net.value / row.energy.value):.0f} %"
