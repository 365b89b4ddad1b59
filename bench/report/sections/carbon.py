"""Emissions, only for a grid factor that the reader gave."""

from bench.compare import Row
from bench.quantities import Quantity
from bench.report import blocks, findings, text
from bench.report.markdown import GridFactor, Report

ORDER = 70
_SAMPLES = 1000
_JOULES_PER_KWH = 3.6e6


def section(report: Report) -> str:
    """A folded table for each device; nothing without a factor."""
    if report.grid is None:
        return ""
    parts = []
    for table in report.tables:
        name = f" · {findings.heading(table, report.tables)}" if len(report.tables) > 1 else ""
        rows = [row for row in table.rows if emission(row, report.grid)]
        if rows:
            parts.append(blocks.details(f"Carbon{name}", _body(rows, report.grid)))
    return "\n\n".join(parts)


def emission(row: Row, grid: GridFactor) -> Quantity | None:
    """Grams CO2e of 1000 samples: of the measured energy, else of the estimate, else None."""
    energy = row.energy if isinstance(row.energy, Quantity) else row.estimate
    factor = _SAMPLES * grid.grams_per_kwh / _JOULES_PER_KWH
    return energy.scaled(factor, "g") if energy else None


def _body(rows: list[Row], grid: GridFactor) -> str:
    found = [(row, value) for row in rows if (value := emission(row, grid))]
    scale = text.prefix([value.value for _, value in found])
    lines = [
        (
            text.escape(row.case.workload),
            text.escape(findings.label(row, rows)),
            str(row.case.batch),
            text.quantity(value, scale)
            if value.kind.is_reading
            else f"*{text.estimate(value, scale)}*",
            str(value.kind),
        )
        for row, value in found
    ]
    header = ("workload", "variant", "batch", f"{scale.symbol}gCO2e per {_SAMPLES} samples", "kind")
    factor = text.significant(grid.grams_per_kwh)
    said = f"Factor: {factor} gCO2e/kWh ({text.escape(grid.source)}); use of electricity only."
    return f"{said}\n\n{blocks.table(header, lines, left=2, last=1)}"
