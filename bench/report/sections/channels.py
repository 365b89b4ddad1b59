"""Where the energy goes by channel: CPU package, DRAM, GPU, each with its own meter and kind."""

from collections.abc import Sequence

from bench import average
from bench.compare import Row, Table, own_windows
from bench.meter import Channel
from bench.quantities import Absent, Quantity
from bench.report import blocks, findings, text
from bench.report.main_table import Footnotes
from bench.report.markdown import Report

ORDER = 61
_SAID = (
    "Each column is one channel with the boundary of its own meter. Columns of the sum add up to"
    " the gross energy; the others lie inside one of them, or around all, and are never added."
)


def section(report: Report) -> str:
    """A folded table for each device of which more than one channel was read."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        channels = _read(table)
        if len(channels) > 1 and findings.is_measured(table):
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(
                blocks.details(f"Where the energy goes, by channel{name}", _body(table, channels))
            )
    return "\n\n".join(parts)


def _read(table: Table) -> list[Channel]:
    """The channels of instruments that gave anything in the windows of the table's cases."""
    cases = {row.case.case for row in table.rows}
    given = {
        energy.channel
        for window in table.journal.windows
        if window.case in cases
        for energy in window.energy
        if energy.joules is not None
    }
    return [c for c in table.journal.run.channels if c.kind.is_reading and c.id in given]


def _body(table: Table, channels: Sequence[Channel]) -> str:
    notes = Footnotes()
    parts = [_part(table, name, rows, channels, notes) for name, rows in findings.workloads(table)]
    kinds = blocks.bullets(
        f"{text.escape(channel.id)}: {channel.kind}, boundary {text.escape(channel.boundary)},"
        f" {'in the sum' if channel.id in table.cover else 'not in the sum'}"
        for channel in channels
    )
    return "\n\n".join((_SAID, kinds, *parts, *notes.lines()))


def _part(
    table: Table, name: str, rows: Sequence[Row], channels: Sequence[Channel], notes: Footnotes
) -> str:
    values = [[_energy(table, row, channel) for channel in channels] for row in rows]
    found = [value.value for line in values for value in line if isinstance(value, Quantity)]
    scale = text.prefix(found)
    unit = f"{scale.symbol}J per {text.escape(rows[0].case.unit or 'sample')}"
    header = ("variant", "batch", *(f"{text.escape(channel.id)}, {unit}" for channel in channels))
    cells = [
        (
            text.escape(findings.label(row, table.rows)),
            str(row.case.batch),
            *(
                notes.mark(value) if isinstance(value, Absent) else text.quantity(value, scale)
                for value in line
            ),
        )
        for row, line in zip(rows, values, strict=True)
    ]
    return f"**{text.escape(name)}**\n\n{blocks.table(header, cells)}"


def _energy(table: Table, row: Row, channel: Channel) -> Quantity | Absent:
    windows = table.journal.windows_of(row.case.case)
    return average.energy_per_sample(windows, own_windows(row.case, windows), [channel]).quantity
