"""What changed since an earlier run of the same machine."""

from collections.abc import Iterator
from itertools import pairwise

from bench.history.changes import Change, Changes, Word, changes
from bench.quantities import Absent, Quantity
from bench.record import CaseRecord
from bench.records import Journal
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.statistics import Interval

ORDER = 70
_SAID = (
    "*Unpaired*: the two runs were measured at different times, so their ratios hold what changed"
    " from one time to the other as well. *Beside its baseline* is free of that: it is the change"
    " of the ratio to the baseline that was measured next to it, in each run."
)


def section(report: Report) -> str:
    """A folded part for each two runs; nothing if there is one run and no earlier one is named."""
    pairs = list(_runs(report))
    several = len(pairs) > 1
    return "\n\n".join(
        blocks.details(_summary(before, after, several=several), _body(changes(before, after)))
        for before, after in pairs
    )


def _summary(before: Journal, after: Journal, *, several: bool) -> str:
    to = f", to run {text.escape(after.run.run_id)}" if several else ""
    return f"Changes since run {text.escape(before.run.run_id)}{to}"


def _runs(report: Report) -> Iterator[tuple[Journal, Journal]]:
    """Each run with what to hold it against: the named ones, or the one before on its machine."""
    own = findings.journals(report.tables)
    if report.since:
        for before in report.since:
            yield from ((before, after) for after in own)
        return
    machines = dict.fromkeys(str(journal.run.machine.get("id")) for journal in own)
    for machine in machines:
        series = [journal for journal in own if str(journal.run.machine.get("id")) == machine]
        yield from pairwise(sorted(series, key=lambda journal: journal.run.started))


def _body(found: Changes) -> str:
    words = blocks.bullets(_differences(found))
    if not found.is_comparable:
        return f"**Not comparable:** {text.escape(found.why_not)}.\n\n{words}"
    energy = any(isinstance(change.energy, Interval) for change in found.cases)
    header = (
        "case", *(("energy", "power") if energy else ()), "time", "beside its baseline", "quality",
        "says",
    )  # fmt: skip
    lines = [_line(change, energy=energy) for change in found.cases]
    return "\n\n".join((_SAID, blocks.table(header, lines, last=1), words))


def _line(change: Change, *, energy: bool) -> tuple[str, ...]:
    ratios = [change.energy, change.power, change.time] if energy else [change.time]
    paired = change.paired_energy if energy else change.paired_time
    return (
        text.code(change.case),
        *map(_ratio, ratios),
        _ratio(paired),
        _quality(change),
        _says(change, energy=energy),
    )


def _ratio(found: Interval | Absent) -> str:
    return "—" if isinstance(found, Absent) else text.ratio(found)


def _says(change: Change, *, energy: bool) -> str:
    """The word; an energy that nobody measured is never spoken for by the time."""
    word = change.word if energy else change.time_word
    if word in (Word.NEW, Word.GONE):
        return str(word)
    said = f"{'energy' if energy else 'time'}: {word}"
    absent = change.energy if energy else change.time
    if isinstance(absent, Absent):
        return f"{said} ({text.escape(absent)})"
    kinds = {
        f"{row.energy.kind}, {row.energy.boundary}"
        for row in (change.before, change.after)
        if row and isinstance(row.energy, Quantity)
    }
    return f"{said} ({text.escape('; '.join(sorted(kinds)))})" if energy and kinds else said


def _quality(change: Change) -> str:
    """Quality before and after, in the metric's own unit."""
    rows = [row for row in (change.before, change.after) if row]
    shown = [_value(row.case) for row in rows]
    return " → ".join(dict.fromkeys(shown))


def _value(case: CaseRecord) -> str:
    value = case.quality["value"] if case.quality else None
    return "—" if value is None else text.significant(value, 4)


def _differences(found: Changes) -> Iterator[str]:
    """What is not the same in the two runs, each once."""
    own = (each for change in found.cases for each in change.differences)
    told = dict.fromkeys((*found.differences, *own))
    for each in told:
        forbids = ", which forbids a ratio" if each in found.refusals else ""
        yield f"Not the same: {text.escape(each)}{forbids}."
    if not told:
        yield "Machine, driver, packages, settings, meters: the same in both runs."
