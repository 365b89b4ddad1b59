"""Payback: what retraining cost, and after how many inferences it is earned back."""

import math
from collections.abc import Sequence

from bench.compare import Row, Table
from bench.cover import total
from bench.payback import inferences, saved_per_sample
from bench.payback import total as sum_of
from bench.quantities import Absent, Quantity
from bench.record import Window
from bench.report import blocks, findings, text
from bench.report.main_table import Footnotes
from bench.report.markdown import Report
from bench.statistics import Interval, Verdict
from bench.typical_time import seconds_per_sample

ORDER = 65
NEVER = "never"
_SAID = (
    "What was trained to make a variant was metered as its inferences were, time and energy in the"
    " same window. What {unit}s save is taken from the ratio of the pairs; how many earn the"
    " training back spans the intervals of both. A training that several rows share stands in each"
    " of them whole. The training of the baseline, and whatever was tried before, are not in it."
)
_NEVER = frozenset({Verdict.NO_GAIN, Verdict.COSTS, Verdict.BREAKS_QUALITY})


def section(report: Report) -> str:
    """A folded table for each device; nothing where no training was metered."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        rows = [(row, found) for row in table.rows if (found := trainings(table, row))]
        if rows:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Payback of the training{name}", _body(table, rows)))
    return "\n\n".join(parts)


def trainings(table: Table, row: Row) -> list[Window]:
    """The windows in which the row's variant was trained."""
    windows = table.journal.windows_of(row.case.case)
    return [window for window in windows if window.role == "training"]


def _body(table: Table, rows: Sequence[tuple[Row, list[Window]]]) -> str:
    notes = Footnotes()
    energy = findings.is_measured(table)
    units = {row.case.unit or "sample" for row, _ in rows}
    unit = text.escape(units.pop()) if len(units) == 1 else "sample"
    what = "energy" if energy else "time"
    header = (
        "workload",
        "variant",
        "batch",
        "training, s",
        "training, J",
        f"saved {what} per {unit}",
        f"earned back after … {unit}s, by {what}",
    )
    lines = [_cells(table, row, windows, notes, energy=energy) for row, windows in rows]
    said = _SAID.format(unit=unit)
    if not energy:
        said += " Energy was not measured: what is earned back here is time."
    grid = blocks.table(header, lines, left=2)
    return "\n\n".join((said, grid, *notes.lines()))


def _cells(
    table: Table, row: Row, windows: Sequence[Window], notes: Footnotes, *, energy: bool
) -> tuple[str, ...]:
    seconds = math.fsum(window.seconds for window in windows)
    spent = joules_of(table, windows)
    time = Interval(seconds, seconds, seconds, 1)
    saved = saved_by(table, row, energy=energy)
    return (
        text.escape(row.case.workload),
        text.escape(findings.label(row, table.rows)),
        str(row.case.batch),
        text.significant(seconds),
        _energy_cell(table, windows, spent, notes),
        _saved(saved, "J" if energy else "s"),
        _earned(row, spent if energy else time, saved, energy=energy),
    )


def joules_of(table: Table, windows: Sequence[Window]) -> Interval | Absent:
    """What an instrument read of some windows over the table's cover, J, or why it did not."""
    parts = []
    for window in windows:
        found = total(window.energy, table.cover)
        if isinstance(found, Absent):
            return found
        parts.append(Interval(found.value, found.low, found.high, 1))
    return sum_of(parts)


def _estimate(windows: Sequence[Window]) -> Quantity | None:
    """What a power model makes of the windows, J: a range; of the process alone if it is known."""
    found: Quantity | None = None
    for window in windows:
        guessed = [each.channel for each in window.energy if not each.kind.is_reading]
        own = [channel for channel in guessed if channel.startswith("process/")]
        term = total(window.energy, own[:1] or guessed)
        if isinstance(term, Absent):
            return None
        found = term if found is None else _added(found, term)
    return found


def _added(one: Quantity, other: Quantity) -> Quantity:
    """The sum of one channel over two windows; only the same channel in the same time overlaps."""
    return Quantity(
        one.value + other.value,
        one.low + other.low,
        one.high + other.high,
        one.unit,
        one.kind,
        one.boundary,
        one.channels,
    )


def _energy_cell(
    table: Table, windows: Sequence[Window], spent: Interval | Absent, notes: Footnotes
) -> str:
    """The joules of an instrument; else, marked, what a model guesses; else why there are none."""
    if isinstance(spent, Interval):
        return text.interval(spent)
    guess = _estimate(windows)
    if guess is not None and not findings.is_measured(table):
        return f"*{text.estimate(guess, text.Prefix('', 1.0))}*"
    return notes.mark(spent if table.cover else findings.why_absent(table))


def saved_by(table: Table, row: Row, *, energy: bool) -> Interval | None:
    """What the row saves per sample, J or s; None where there is no ratio to take it from."""
    ratio = findings.ratio_of(row, energy=energy)
    cost: Interval | None = None
    if energy and isinstance(row.energy, Quantity):
        cost = Interval(row.energy.value, row.energy.low, row.energy.high, row.windows)
    elif not energy:
        cost = seconds_per_sample(table.journal, row.case)
    if ratio is None or cost is None or ratio.low <= 0:
        return None
    return saved_per_sample(cost, ratio)


def _saved(saved: Interval | None, unit: str) -> str:
    if saved is None:
        return "—"
    scale = text.prefix([saved.value])
    value, low, high = (
        text.significant(end / scale.factor) for end in (saved.value, saved.low, saved.high)
    )
    return f"{value} [{low}, {high}] {scale.symbol}{unit}"


def _earned(row: Row, spent: Interval | Absent, saved: Interval | None, *, energy: bool) -> str:
    """The number of samples with its interval, or in a word why there is none."""
    verdict = findings.verdict_of(row, energy=energy)
    if verdict in _NEVER:
        return f"{NEVER} ({verdict})"
    if saved is None or isinstance(spent, Absent):
        return "—"
    found = inferences(spent, saved)
    if found is None:
        return f"{NEVER} (saves nothing)"
    low = rounded(found.low)
    if verdict is Verdict.UNRESOLVED or math.isinf(found.high):
        return f"{low} or more (unresolved)"
    return f"{rounded(found.value)} [{low}, {rounded(found.high)}]"


def rounded(samples: float) -> str:
    r"""A number of samples: whole, three digits of it, at least 1.

    >>> rounded(0.2), rounded(123456.0).replace("\u202f", "'")
    ('1', "123'000")
    """
    whole = max(1, math.ceil(samples))
    return text.significant(float(whole)) if whole >= 1000 else str(whole)  # noqa: PLR2004
