"""Published figures of whole models beside ours, and the refusal to compare across boundaries."""

from collections.abc import Iterator, Sequence

from bench.compare import Row, Table
from bench.quantities import Quantity
from bench.reference.models import (
    PublishedJoules,
    PublishedQuotient,
    base,
    distilled_quotients,
    int8_quotients,
    joules,
)
from bench.report import blocks, findings, text
from bench.report.best_runtime import beside, log_ratio
from bench.report.markdown import Report
from bench.report.sections.paper import grey, sign
from bench.roofline import multiple
from bench.statistics import Interval
from bench.typical_time import seconds_per_sample
from bench.workload import BASELINE

ORDER = 65
_JOULES = (
    "**Joules.** They are comparable only where both meters hold the same: the wall holds power"
    " supplies, fans and all else of a system. Where they do, other hardware is still other"
    " hardware."
)
_INT8 = (
    "**int8 ÷ float32, the same network in the same runtime.** Comparable are the ratio and its"
    " sign, never the joules of another boundary. Theirs: geometric mean [least to most] over their"
    " systems, time as the 90th percentile of a query; ours: the quotient of two paired ratios."
)
_DISTILLED = (
    "**DistilBERT ÷ BERT-base.** Published: 40 % smaller, 60 % faster. At batch 1; our times"
    " are of two workloads measured one after the other, not in pairs."
)
_BERT, _DISTILBERT = "bert-base", "distilbert"


def section(report: Report) -> str:
    """A folded part for each device that has a model of which something was published."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        body = "\n\n".join((*_energies(table), *_int8(table), *_distilled(table)))
        if body:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Published figures of the same models{name}", body))
    return "\n\n".join(parts)


def _energies(table: Table) -> Iterator[str]:
    header = (
        "workload", "published in", "setting", "systems", "energy", "their boundary",
        "least here", "compared",
    )  # fmt: skip
    lines = [
        _energy_cells(name, rows, each)
        for name, rows in findings.workloads(table)
        for each in joules(name)
    ]
    if lines:
        yield _JOULES
        yield blocks.table(header, lines, left=4, last=3)


def _energy_cells(name: str, rows: Sequence[Row], found: PublishedJoules) -> tuple[str, ...]:
    known = [(row.energy, row) for row in rows if isinstance(row.energy, Quantity)]
    ours = min(known, key=lambda each: each[0].value, default=None)
    systems = found.least if found.systems == 1 else f"{found.systems}; the least: {found.least}"
    ends = dict.fromkeys(map(_joules, (found.low, found.high)))
    return (
        text.escape(name),
        text.escape(found.paper),
        text.escape(found.setting),
        text.escape(systems),
        grey(f"{' to '.join(ends)} per {found.unit}", found.confidence),
        text.escape(found.boundary),
        _here(*ours) if ours else "not measured",
        text.escape(_compared(found, ours[0] if ours else None)),
    )


def _joules(value: float) -> str:
    scale = text.prefix([value])
    return f"{text.significant(value / scale.factor)} {scale.symbol}J"


def _here(energy: Quantity, row: Row) -> str:
    what = f"{row.case.label} · {row.case.runtime}, batch {row.case.batch}; {energy.boundary}"
    per = text.escape(row.case.unit or "sample")
    return f"{_joules(energy.value)} per {per} ({text.escape(what)})"


def _compared(found: PublishedJoules, ours: Quantity | None) -> str:
    """The quotient of both, or why there is none."""
    if found.other_model:
        return f"not comparable: another model, {found.other_model}"
    if ours is None:
        return f"not comparable: their boundary is the {found.boundary}, ours was not measured"
    if ours.boundary != found.boundary:
        return f"not comparable: their boundary is the {found.boundary}, ours is {ours.boundary}"
    ratio = text.significant(ours.value / found.low, 2)
    return f"ours is {ratio} times their least, on other hardware"


def _int8(table: Table) -> Iterator[str]:
    lines = [
        _int8_cells(row, shipped, each)
        for (name, batch), rows in findings.settings(table.rows)
        if batch == 1
        for each in int8_quotients(name)
        for row, shipped in _int8_pairs(rows)
        if log_ratio(row, energy=each.what == "energy")
    ]
    if lines:
        header = ("workload", "runtime", "variant", "of", "here [95 %]", "published", "in")
        yield _INT8
        yield blocks.table(header, lines, left=4, last=1)


def _int8_pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The whole model in int8, beside the model as shipped in the same runtime and baseline."""
    shipped = [row for row in rows if row.case.technique == BASELINE]
    return [
        (row, each)
        for row in rows
        if row.case.technique == "precision" and row.case.dtype == "int8"
        for each in shipped
        if (each.case.runtime, each.case.baseline) == (row.case.runtime, row.case.baseline)
    ]


def _int8_cells(row: Row, shipped: Row, found: PublishedQuotient) -> tuple[str, ...]:
    energy = found.what == "energy"
    other = None if shipped.is_baseline else log_ratio(shipped, energy=energy)
    ours = beside(row, other, energy=energy) if other or shipped.is_baseline else None
    return (
        text.escape(row.case.workload),
        text.escape(row.case.runtime),
        text.escape(row.case.label),
        found.what,
        text.ratio(ours) if ours else "—",
        _published(found, ours),
        text.escape(found.paper),
    )


def _published(found: PublishedQuotient, ours: Interval | None) -> str:
    shown = text.significant(found.value, 2)
    if found.systems > 1:
        ends = (text.significant(end, 2) for end in (found.low, found.high))
        shown += f" [{' to '.join(ends)}; {found.systems} systems]"
    if found.device:
        shown += f" ({text.escape(found.device)})"
    return grey(f"{shown}, {sign(found.value, ours)}", found.confidence)


def _distilled(table: Table) -> Iterator[str]:
    """DistilBERT's baseline beside BERT's, wherever both ran the same way."""
    known = {
        _place(row): row
        for row in table.rows
        if row.case.technique == BASELINE and base(row.case.workload) in {_BERT, _DISTILBERT}
    }
    lines = [
        _distilled_cells(table, row, known[(_BERT, *place[1:])], each)
        for place, row in known.items()
        if place[0] == _DISTILBERT and place[-1] == 1 and (_BERT, *place[1:]) in known
        for each in distilled_quotients()
    ]
    if lines:
        yield _DISTILLED
        header = ("runtime", "threads", "batch", "of", "here [95 %]", "published", "in")
        yield blocks.table(header, lines, last=1)


def _place(row: Row) -> tuple[str, str, int, int]:
    return base(row.case.workload), row.case.runtime, row.case.threads, row.case.batch


def _distilled_cells(
    table: Table, row: Row, teacher: Row, found: PublishedQuotient
) -> tuple[str, ...]:
    ours = _distilled_ours(table, row, teacher, found.what)
    shown = "—"
    if ours:
        timed = found.what == "time"
        shown = text.ratio(ours) if timed else text.significant(ours.value)
    return (
        text.escape(row.case.runtime),
        str(row.case.threads),
        str(row.case.batch),
        found.what,
        shown,
        _published(found, ours),
        text.escape(found.paper),
    )


def _distilled_ours(table: Table, row: Row, teacher: Row, what: str) -> Interval | None:
    """The student's time or parameters over its teacher's; None if either is unknown."""
    if what == "time":
        one, other = (seconds_per_sample(table.journal, each.case) for each in (row, teacher))
        return multiple(one, other) if one and other else None
    if not (row.case.parameters and teacher.case.parameters):
        return None
    share = row.case.parameters / teacher.case.parameters
    return Interval(share, share, share, 1)
