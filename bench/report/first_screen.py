"""What of the main table stands on the first screen, and what is folded.

GitHub shows some sixty lines before a reader scrolls; title, verdict, trust box and figure need
half of them. Tables that fit into the rest stand whole. The ceilings of the machine go first, for
they are compared with nothing; if that is not enough, the best row of each workload and batch
stands for all of its rows, which are folded below the figure.
"""

from collections.abc import Iterator, Sequence

from bench.compare import Row, Table
from bench.quantities import Quantity
from bench.report import best_runtime, blocks, findings, text
from bench.report.main_table import main_table, quality
from bench.statistics import Verdict

LINES = 60
"""Most lines of Markdown before the first folded part."""

_FOR_TABLES = 31  # the rest of LINES: title, verdict, trust box, headings, figure, blank lines
_AROUND = 5  # lines of a workload's table that are no rows: caption, header, rule, blank
_LEAST_BRIEF = 4
_MOST_BEST = 14  # lines of the section `best`


def whole(table: Table, tables: Sequence[Table]) -> tuple[str, ...]:
    """The workloads whose rows stand on the first screen, all of them; maybe none.

    Args:
        table: Of one device.
        tables: Those that share the screen.
    """
    room = (_FOR_TABLES - _best_lines(table)) // len(tables)
    every, compared = findings.workloads(table), findings.compared(table)
    for found in (every, compared):
        if sum(len(rows) + _AROUND for _, rows in found) <= room:
            return tuple(name for name, _ in found)
    return ()


def _best_lines(table: Table) -> int:
    """Lines that the best of all runtimes take above, if there are several runtimes."""
    crossed = sum(best_runtime.crosses(rows) for _, rows in findings.settings(table.rows))
    return _AROUND + min(_MOST_BEST, 2 * crossed) if crossed else 0


def folded(table: Table, tables: Sequence[Table]) -> tuple[str, ...]:
    """The other workloads."""
    shown = whole(table, tables)
    return tuple(name for name, _ in findings.workloads(table) if name not in shown)


def first(table: Table, tables: Sequence[Table]) -> str:
    """The part of the main table that the first screen has room for, as Markdown."""
    shown = whole(table, tables)
    if shown or not table.rows:
        return main_table(table, shown)
    most = max(_LEAST_BRIEF, (_FOR_TABLES - 8) // len(tables))
    lines = list(_brief(table))
    if not lines:  # the best of all runtimes stand above, in a table of their own
        return "Every row stands under *Main table, all rows*, below."
    left = f"; {len(lines) - most} more workloads and batches there" if len(lines) > most else ""
    energy = findings.is_measured(table)
    header = (
        "workload", "batch", "best within the quality budget", "quality (Δ)",
        *(("energy per sample", "energy ÷ baseline [95 %]") if energy else ()),
        "time ÷ baseline [95 %]", "on disk",
    )  # fmt: skip
    said = f"The best of each workload. Every row stands under *Main table, all rows*, below{left}."
    return f"{said}\n\n{blocks.table(header, lines[:most], left=3)}"


def _brief(table: Table) -> Iterator[tuple[str, ...]]:
    """One line for each workload and batch; those in several runtimes stand in section `best`."""
    energy = findings.is_measured(table)
    compared = {name for name, _ in findings.compared(table)}
    for (name, batch), rows in findings.settings(table.rows):
        if name not in compared or best_runtime.crosses(rows):
            continue
        row = best(rows, energy=energy)
        where = text.escape(name), str(batch)
        if row is None:
            nothing = "nothing saves and holds its quality"
            yield (*where, nothing, *["—"] * (5 if energy else 3))
        else:
            yield (*where, *_cells(row, table, energy=energy))


def best(rows: Sequence[Row], *, energy: bool) -> Row | None:
    """The row that saves most beside its baseline; None if none does."""
    found = [
        (ratio.value, row)
        for row in rows
        if findings.verdict_of(row, energy=energy) is Verdict.SAVES and not row.is_baseline
        if (ratio := findings.ratio_of(row, energy=energy))
    ]
    return min(found, key=lambda each: each[0])[1] if found else None


def _cells(row: Row, table: Table, *, energy: bool) -> tuple[str, ...]:
    ratios = [row.energy_ratio, row.time_ratio] if energy else [row.time_ratio]
    shown = [text.ratio(ratio) if ratio else "—" for ratio in ratios]
    share = findings.is_share(row)
    return (
        f"**{text.escape(findings.label(row, table.rows))}**",
        f"{quality(row, share=share)}{' %' if share and row.case.quality else ''}",
        *([_joules(row)] if energy else []),
        *shown,
        text.size(row.case.size_bytes.get("disk")),
    )


def _joules(row: Row) -> str:
    if not isinstance(row.energy, Quantity):
        return "—"
    scale = text.prefix([row.energy.value])
    return f"{text.quantity(row.energy, scale)} {scale.symbol}J"
