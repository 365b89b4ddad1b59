"""The uncertainty budget: how far each number may be off, and what makes it so."""

from collections.abc import Iterator

from bench.compare import Row, Table
from bench.quantities import Quantity
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.uncertainty import SOURCES, SPREAD, Budget

ORDER = 77
_SAID = (
    "± is the 95 % interval of JCGM 100 (GUM); the shares are of its variance."
    " Spread is what the windows themselves show (type A); the rest is what none of them can show"
    " (type B): the step of the meter, what it had not shown yet at the ends of a window, the error"
    " that its maker or driver admits, and the clock."
    " An error that is the same in both windows of a pair cancels in the ratio."
)


def section(report: Report) -> str:
    """A folded table for each device."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if lines := [line for row in table.rows for line in _lines(row, table)]:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            header = ("case", "number", "value", *(f"{source}, %" for source in SOURCES))
            body = f"{_SAID}\n\n{blocks.table(header, lines, left=2)}"
            parts.append(blocks.details(f"Uncertainty budget{name}", body))
    return "\n\n".join(parts)


def _lines(row: Row, table: Table) -> Iterator[tuple[str, ...]]:
    name = f"{text.escape(row.case.workload)} · {text.escape(findings.label(row, table.rows))}"
    where = f"{name} · b{row.case.batch}"
    unit, found = text.escape(row.case.unit or "sample"), row.budgets
    if isinstance(row.energy, Quantity):
        if found.energy:
            yield (where, *_shown(f"J per {unit}", found.energy))
        if found.power:
            yield (where, *_shown("W", found.power))
    if found.time:
        yield (where, *_shown(f"s per {unit}", found.time))
    for what, budget in (("energy", found.energy_ratio), ("time", found.time_ratio)):
        if budget:
            value = text.ratio(budget.ratio())
            yield (where, f"{what} ÷ baseline", value, *_shares(budget))


def _shown(unit: str, budget: Budget) -> tuple[str, ...]:
    scale = text.prefix([budget.value])
    value = text.plus_minus(budget.value / scale.factor, budget.half / scale.factor)
    return f"{scale.symbol}{unit}", value, *_shares(budget)


def _shares(budget: Budget) -> tuple[str, ...]:
    """Of each source in the variance; a dash where it has none, or where one window shows none."""
    known = {component.source for component in budget.components if component.standard > 0}
    return tuple(
        f"{100 * budget.share(source):.0f}" if source in known else _nothing(source, budget)
        for source in SOURCES
    )


def _nothing(source: str, budget: Budget) -> str:
    return "unknown" if source == SPREAD and budget.n == 1 else "—"
