"""The sweep over batch sizes: what a sample costs in each, beside its baseline at that size."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.quantities import Absent, Quantity
from bench.report import blocks, findings, text
from bench.report.markdown import Report

ORDER = 55
_SAID = (
    "Cost of one sample at each batch size. Batches were measured one after the other, not in"
    " pairs: compare them by their ±; the ratios compare with the baseline at the same batch."
)


def section(report: Report) -> str:
    """A folded table for each device; nothing where every workload has one batch size only."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        grids = [grid for _, rows in findings.compared(table) if (grid := _grid(table, rows))]
        if grids:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Batch sweep{name}", "\n\n".join((f"{_SAID}", *grids))))
    return "\n\n".join(parts)


def _grid(table: Table, rows: Sequence[Row]) -> str:
    """The variants of one workload against their batches."""
    batches = sorted({row.case.batch for row in rows})
    if len(batches) == 1:
        return ""
    energy = any(isinstance(row.energy, Quantity) for row in rows)
    scale = text.prefix([value for row in rows if (value := _cost(row, energy=energy))])
    unit = (
        f"{scale.symbol}{'J' if energy else 's'} per {text.escape(rows[0].case.unit or 'sample')}"
    )
    what = "energy" if energy else "time"
    header = ["variant"]
    for batch in batches:
        header += [f"b{batch}, {unit}", f"b{batch}, {what} ÷ baseline [95 %]"]
    by_name: dict[str, dict[int, Row]] = {}
    for row in rows:
        by_name.setdefault(findings.label(row, table.rows), {})[row.case.batch] = row
    lines = []
    for name, found in by_name.items():
        line = [text.escape(name)]
        for batch in batches:
            line += _cells(found.get(batch), scale, energy=energy)
        lines.append(line)
    return f"**{text.escape(rows[0].case.workload)}**\n\n{blocks.table(header, lines)}"


def _cost(row: Row, *, energy: bool) -> float | None:
    """J or s per sample."""
    if energy:
        return None if isinstance(row.energy, Absent) else row.energy.value
    return row.budgets.time.value if row.budgets.time else None


def _cells(row: Row | None, scale: text.Prefix, *, energy: bool) -> tuple[str, str]:
    if row is None:
        return "—", "—"
    ratio = findings.ratio_of(row, energy=energy)
    shown = "1" if row.is_baseline else text.ratio(ratio) if ratio else "—"
    if energy:
        cost = "—" if isinstance(row.energy, Absent) else text.quantity(row.energy, scale)
    else:
        found = row.budgets.time
        cost = (
            text.plus_minus(found.value / scale.factor, found.half / scale.factor) if found else "—"
        )
    return cost, shown
