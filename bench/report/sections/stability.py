"""How steady the session was: controls, spread from window to window, disturbances, discards."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from bench import guard
from bench.compare import Row, Table, own_windows
from bench.cover import total
from bench.quantities import Absent
from bench.record import Window
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.report.sections.trust import largest_load
from bench.statistics import Interval

ORDER = 75
_HELD_BACK = ("throttled", "clock of", "temperature of")
_SAID = (
    "CV is the standard deviation over the mean, from window to window of one side: what a single"
    " window may be off by. The ratios above rest on pairs, in which slow drift cancels."
)


def section(report: Report) -> str:
    """A folded part for each device."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if table.rows:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Stability{name}", _body(table)))
    return "\n\n".join(parts)


def _body(table: Table) -> str:
    energy = findings.is_measured(table)
    controls = (
        f"**A/A controls**: a baseline beside itself, in pairs like any other.\n\n"
        f"{_controls(table, energy=energy)}"
        if table.controls
        else "**A/A controls**: none was run, so nobody knows what a difference of nothing looks"
        " like here."
    )
    disturbed = f"**Disturbances**\n\n{blocks.bullets(_disturbances(table))}"
    return "\n\n".join(
        (controls, disturbed, f"**Spread of each case**. {_SAID}", _spreads(table, energy=energy))
    )


def _name(row: Row, table: Table) -> str:
    return f"{text.escape(row.case.workload)} · {text.escape(findings.label(row, table.rows))}"


def _controls(table: Table, *, energy: bool) -> str:
    header = ("control", "batch", "pairs", *(["energy, A ÷ A [95 %]"] if energy else []),
              "time, A ÷ A [95 %]", "says")  # fmt: skip
    rows = []
    for row in table.controls:
        ratios = [row.energy_ratio, row.time_ratio] if energy else [row.time_ratio]
        known = [ratio for ratio in ratios if ratio]
        rows.append(
            (
                _name(row, table),
                str(row.case.batch),
                str(known[0].n) if known else "—",
                *(text.ratio(ratio) if ratio else "—" for ratio in ratios),
                _says(known[0] if known else None),
            )
        )
    return blocks.table(header, rows, left=1, last=1)


def _says(ratio: Interval | None) -> str:
    if ratio is None:
        return "nothing: it has no ratio"
    if ratio.low <= 1 <= ratio.high:
        return "no difference, as it should"
    return f"a difference of {text.fixed(100 * abs(ratio.value - 1), 1)} % where there is none"


def _spreads(table: Table, *, energy: bool) -> str:
    header = ("case", "batch", "windows", *(["CV of energy, %"] if energy else []),
              "CV of time, %", "flagged", "discarded")  # fmt: skip
    rows = []
    for row in table.rows:
        windows = own_windows(row.case, table.journal.windows_of(row.case.case))
        times = [window.seconds / window.samples for window in windows]
        rows.append(
            (
                _name(row, table),
                str(row.case.batch),
                str(len(windows)),
                *([_percent(variation(_joules(windows, table)))] if energy else []),
                _percent(variation(times)),
                str(row.flagged),
                str(row.discards),
            )
        )
    return blocks.table(header, rows, left=1)


def _joules(windows: Sequence[Window], table: Table) -> list[float]:
    """Energy per sample of each window that has one, J."""
    found = [(total(window.energy, table.cover), window.samples) for window in windows]
    return [joules.value / n for joules, n in found if not isinstance(joules, Absent)]


def variation(values: Sequence[float]) -> float | None:
    """The coefficient of variation: standard deviation ÷ mean; None for fewer than two values.

    >>> variation([1.0, 3.0]), variation([2.0])
    (0.7071067811865476, None)
    """
    if len(values) < 2 or not (mean := statistics.fmean(values)):  # noqa: PLR2004 - a spread needs two
        return None
    return statistics.stdev(values) / abs(mean)


def _percent(share: float | None) -> str:
    return "—" if share is None else text.significant(100 * share, 2)


def _disturbances(table: Table) -> Iterator[str]:
    cases = {row.case.case for row in table.rows}
    windows = [w for w in table.journal.windows if w.case in cases and w.role != "training"]
    found = Counter(sort for window in windows for sort in {_sort(f) for f in window.flags})
    for sort, count in sorted(found.items()):
        of = f"{text.count(count)} of {text.count(len(windows))} windows"
        yield f"{text.escape(sort)}: {of}{_most_load(sort, windows)}, kept and marked"
    if not any(sort.startswith(_HELD_BACK) for sort in found):
        yield (
            "throttling, slower clocks, heat: no window says so; a machine that hides its clocks"
            " and temperatures cannot say so"
        )
    if guard.sort_of("foreign load 1 CPU") not in found:
        yield "load of other programs: no window says so"
    discards = Counter(
        _reason(each.reason) for each in table.journal.discards if each.case in cases
    )
    for reason, count in sorted(discards.items()):
        times = "time" if count == 1 else "times"
        yield f"discarded {text.count(count)} {times}: {text.escape(reason)}"
    if not discards:
        yield "discarded: none"


def _sort(flag: str) -> str:
    """What a flag is about, without its numbers."""
    return guard.sort_of(flag) or flag.partition(":")[0]


def _reason(reason: str) -> str:
    """Why a block was thrown away, without its numbers."""
    return guard.sort_of(reason) or reason


def _most_load(sort: str, windows: Sequence[Window]) -> str:
    if sort != guard.sort_of("foreign load 1 CPU"):
        return ""
    load = largest_load(flag for window in windows for flag in window.flags)
    return f", up to {text.significant(load, 2)} CPU" if load else ""
