"""The main table: one row for each case, grouped by workload, as Markdown."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bench.compare import Row, Table
from bench.quantities import Absent, Quantity
from bench.report import best_runtime, blocks, findings, pareto, text
from bench.report.captions import caption
from bench.report.winners import is_measured, winners
from bench.statistics import Interval, Verdict


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, and the cell of a row."""

    header: str
    cell: Callable[[Row], str]


class Footnotes:
    """Reasons that stand under a table, each once, numbered as they are met."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def mark(self, reason: object) -> str:
        """A dash with the number of its reason."""
        line = str(reason)
        if line not in self.reasons:
            self.reasons.append(line)
        return f"—{text.superscript(self.reasons.index(line) + 1)}"

    def lines(self) -> list[str]:
        """The footnotes as Markdown, one line."""
        marks = (
            f"{text.superscript(number)} {text.escape(reason)}"
            for number, reason in enumerate(self.reasons, start=1)
        )
        joined = "<br>".join(marks)
        return [f"<sub>{joined}</sub>"] if joined else []


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of one workload, as every form of the report prints them.

    Args:
        workload: Its name, not escaped.
        caption: Markdown.
        header: Markdown; so are the cells.
        rows: As many cells each as the header.
        left: How many columns, from the first, are text.
        last: How many columns at the end are text.
    """

    workload: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int
    last: int


def main_table(table: Table, names: Collection[str] | None = None) -> str:
    """The table of one device as Markdown: a part for each workload, then the footnotes.

    Args:
        table: Of one device.
        names: Only these workloads; all if None.
    """
    notes = Footnotes()
    parts = [
        f"{grid.caption}\n\n{blocks.table(grid.header, grid.rows, grid.left, grid.last)}"
        for grid in grids(table, notes, names)
    ]
    rows = [row for row in table.rows if names is None or row.case.workload in names]
    legend = [_LEGEND] if best_runtime.crosses(rows) else []
    return "\n\n".join((*legend, *parts, *notes.lines()))


def grids(table: Table, notes: Footnotes, names: Collection[str] | None = None) -> list[Grid]:
    """The rows of each workload; the reasons of what is absent go to *notes*."""
    return [
        _grid(table, name, rows, notes)
        for name, rows in findings.workloads(table)
        if names is None or name in names
    ]


def _grid(table: Table, name: str, rows: Sequence[Row], notes: Footnotes) -> Grid:
    best = [row for _, group in findings.settings(rows) for row in winners(group)]
    columns, crossed = _columns(table, rows, notes), best_runtime.crosses(rows)
    kinds = any(column.header == "kind" for column in columns)
    bold = _BOLD_BY_TIME if crossed and not is_measured(rows) else _BOLD
    return Grid(
        name,
        caption(name, rows),
        tuple(column.header for column in columns),
        tuple(_cells(columns, row, bold if row in best else ()) for row in rows),
        left=3 if crossed else 1,
        last=2 if kinds else 1,
    )


_LEGEND = (
    "Where a model runs in several runtimes: **bold** is the best within the quality budget, and"
    " the best that is not smaller than the model as shipped; ● is on the Pareto front of quality"
    " against cost over all runtimes, ○ is on it and breaks quality; *÷ best fp32* is beside the"
    " best float32 runtime of the same model."
)
_BOLD = ("variant", "runtime", "energy", "verdict")
_BOLD_BY_TIME = ("variant", "runtime", "time", "verdict")


def _cells(columns: Sequence[Column], row: Row, bold: tuple[str, ...]) -> tuple[str, ...]:
    """The cells of a row; what makes it best is bold: its name, its cost, its verdict."""
    cells = [column.cell(row) for column in columns]
    for index, column in enumerate(columns):
        if column.header.startswith(bold):
            cells[index] = f"**{cells[index]}**"
    return tuple(cells)


def _columns(table: Table, rows: Sequence[Row], notes: Footnotes) -> list[Column]:
    """The columns that these rows can fill; the energy column always stands."""
    unit = text.escape(rows[0].case.unit or "sample")
    measured = any(isinstance(row.energy, Quantity) for row in rows)
    return [
        *_names(table, rows),
        *_quality(rows),
        Column("batch", lambda row: str(row.case.batch)),
        *_time(rows, unit),
        *_energy(table, rows, unit, notes),
        *_modelled(rows, unit),
        Column("time ÷ baseline [95 %]", lambda row: _ratio(row, energy=False)),
        *_beside_best(rows, energy=False),
        *(_power(rows, notes) if measured else []),
        Column("on disk", lambda row: text.size(row.case.size_bytes.get("disk"))),
        *([Column("kind", _kind)] if measured else []),
        Column("verdict", findings.words),
    ]


def _names(table: Table, rows: Sequence[Row]) -> list[Column]:
    """What a row is; where a workload runs in several runtimes, in which, and at which type."""
    if not best_runtime.crosses(rows):
        return [Column("variant", lambda row: text.escape(findings.label(row, table.rows)))]
    front = {case for _, group in findings.settings(rows) for case in pareto.on_front(table, group)}

    def name(row: Row) -> str:
        holds = row.time_verdict is not Verdict.BREAKS_QUALITY
        mark = (" ●" if holds else " ○") if row.case.case in front else ""
        return f"{text.escape(row.case.label)}{mark}"

    return [
        Column("variant", name),
        Column("runtime", lambda row: text.escape(row.case.runtime)),
        Column("runs in", lambda row: text.escape(best_runtime.runs_in(row.case)) or "—"),
    ]


def _beside_best(rows: Sequence[Row], *, energy: bool) -> list[Column]:
    """The ratio to the best float32 runtime, where there are several runtimes."""
    if not best_runtime.crosses(rows):
        return []

    def cell(row: Row) -> str:
        if best_runtime.best_fp32(row, rows, energy=energy).case == row.case.case:
            return "1"
        found = best_runtime.beside_best(row, rows, energy=energy)
        return text.ratio(found) if found else "—"

    return [Column(f"{'energy' if energy else 'time'} ÷ best fp32 [95 %]", cell)]


def _quality(rows: Sequence[Row]) -> list[Column]:
    if not any(row.case.quality for row in rows):
        return []
    share = all(findings.is_share(row) for row in rows if row.case.quality)
    header = "quality, % (Δ pt)" if share else "quality (Δ)"
    return [Column(header, lambda row: quality(row, share=share))]


def quality(row: Row, *, share: bool) -> str:
    """A row's quality with its change: ``97.2 (−0.2)``, in per cent and points for a *share*.

    Where several seeds were judged both carry the half-width of their intervals:
    ``97.2 ± 0.4 (−0.2 ± 0.3)``.
    """
    value = row.case.quality["value"] if row.case.quality else None
    if value is None:
        return "—"
    shown = text.fixed(100 * value, 1) if share else text.significant(value, 4)
    shown += half_of(row.quality, share=share)
    if row.is_baseline or row.quality_change is None:
        return shown
    change = 100 * row.quality_change if share else row.quality_change
    half = half_of(row.quality_change_interval, share=share)
    return f"{shown} ({text.signed(change, 1 if share else 3)}{half})"


def half_of(interval: Interval | None, *, share: bool) -> str:
    """`` ± half`` of an interval over seeds; nothing if there is none."""
    if interval is None:
        return ""
    half = (interval.high - interval.low) / 2
    return f" ± {text.fixed(100 * half, 1) if share else text.significant(half, 2)}"


def _time(rows: Sequence[Row], unit: str) -> list[Column]:
    scale = text.prefix([row.latency_p50_s for row in rows if row.latency_p50_s])

    def latency(row: Row) -> str:
        if row.latency_p50_s is None or row.latency_p99_s is None:
            return "—"
        values = (row.latency_p50_s, row.latency_p99_s)
        return " / ".join(text.significant(value / scale.factor) for value in values)

    return [
        Column(f"latency p50 / p99, {scale.symbol}s", latency),
        Column(
            f"{unit}s per s", lambda row: text.interval(row.throughput) if row.throughput else "—"
        ),
    ]


def _energy(table: Table, rows: Sequence[Row], unit: str, notes: Footnotes) -> list[Column]:
    """Energy of an instrument, its ratio, and beside them, marked, what a model guesses."""
    found = [row.energy for row in rows if isinstance(row.energy, Quantity)]
    guessed = [row for row in rows if isinstance(row.energy, Absent) and row.estimate]
    guesses = [row.estimate for row in guessed if row.estimate]
    scale = text.prefix([q.value for q in found or guesses])

    def energy(row: Row) -> str:
        if isinstance(row.energy, Absent):
            return notes.mark(row.energy if table.cover else findings.why_absent(table))
        return text.quantity(row.energy, scale)

    def estimate(row: Row) -> str:
        return f"*{text.estimate(row.estimate, scale)}*" if row in guessed and row.estimate else "—"

    per = f"{scale.symbol}J per {unit}"
    columns = [Column(f"energy, {per}", energy)]
    if guessed:
        columns.append(Column(f"*estimate, {per}*", estimate))
    if found:
        columns.append(Column("energy ÷ baseline [95 %]", lambda row: _ratio(row, energy=True)))
        columns += _beside_best(rows, energy=True)
    return columns


def _modelled(rows: Sequence[Row], unit: str) -> list[Column]:
    """What operations and bytes would cost, where no instrument said it: marked, never ranked."""
    values = {
        row.case.case: value
        for row in rows
        if isinstance(row.energy, Absent) and (value := findings.modelled(row))
    }
    if not values:
        return []
    scale = text.prefix([value.value for value in values.values()])

    def modelled(row: Row) -> str:
        value = values.get(row.case.case)
        return f"*{text.significant(value.value / scale.factor)} mod.*" if value else "—"

    return [Column(f"*modelled, {scale.symbol}J per {unit}*", modelled)]


def _ratio(row: Row, *, energy: bool) -> str:
    """The ratio with its interval; a baseline shows its A/A control, marked."""
    ratio = findings.ratio_of(row, energy=energy)
    if ratio is None:
        return "1" if row.is_baseline else "—"
    return f"A/A {text.ratio(ratio)}" if row.is_baseline else text.ratio(ratio)


def _power(rows: Sequence[Row], notes: Footnotes) -> list[Column]:
    scale = text.prefix([row.power.value for row in rows if isinstance(row.power, Quantity)])

    def power(row: Row) -> str:
        if isinstance(row.power, Absent):
            return notes.mark(row.power)
        return text.quantity(row.power, scale)

    return [Column(f"power, {scale.symbol}W", power)]


def _kind(row: Row) -> str:
    if isinstance(row.energy, Quantity):
        return str(row.energy.kind)
    return str(row.estimate.kind) if row.estimate else "—"
