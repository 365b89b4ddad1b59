"""The answer, in plain words: what saves, what gains nothing, what costs, what breaks quality."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.report import findings, text
from bench.report.best_runtime import beside_best, best_fp32, crosses, family
from bench.report.blocks import sentence_list
from bench.report.main_table import half_of
from bench.report.markdown import Report
from bench.statistics import Verdict, pairs_to_decide

ORDER = 10
_MOST_PAIRS = 1000
_MOST_GAINS = 4
"""Workloads whose best variant the first screen names."""


def section(report: Report) -> str:
    """A short paragraph for each device."""
    if not report.tables:
        return "**Nothing was measured:** no journal holds a finished case."
    several = len(report.tables) > 1
    paragraphs = []
    for table in report.tables:
        lead = f"{findings.heading(table, report.tables)}: " if several else ""
        paragraphs.append(f"> {lead}{_answer(table)}")
    return "\n>\n".join(paragraphs)


def _answer(table: Table) -> str:
    """What was measured, what is best, and one sentence for each of the other verdicts."""
    energy = findings.is_measured(table)
    parts = [] if energy else [f"**Energy was NOT measured on this machine:** {_why(table)}."]
    if findings.is_simulated(table.journal):
        parts.append("**A simulated device was measured, not this machine.**")
    if findings.replayed(findings.covering(table)):
        parts.append("**These joules are a replayed trace, not this machine's.**")
    parts.append(f"{'' if energy else '**By time alone:** '}{_gains(table, energy=energy)}")
    others = " ".join(_others(table, energy=energy))
    return "\n>\n> ".join((*parts, *([others] if others else [])))


def _why(table: Table) -> str:
    absent = findings.why_absent(table)
    fix = f" (fix: {text.escape(absent.fix)})" if absent.fix else ""
    return f"{text.escape(absent.reason)}{fix}"


def _gains(table: Table, *, energy: bool) -> str:
    """The best variant of each workload; those without any are named together."""
    best = {
        name: _best(name, rows, energy=energy)
        for name, rows in findings.compared(table)
        if not all(row.is_baseline for row in rows)
    }
    if not best:
        return "nothing was compared: no variant was timed."
    gains = [gain for gain in best.values() if gain]
    won = "; ".join(gains[:_MOST_GAINS])
    if len(gains) > _MOST_GAINS:
        won += f"; {len(gains) - _MOST_GAINS} more workloads have one, in the table"
    lost = [text.escape(name) for name, gain in best.items() if not gain]
    what = "saves energy" if energy else "is faster"
    nothing = f"no variant of {sentence_list(lost)} {what} and holds its quality" if lost else ""
    answer = "; ".join(filter(None, (won, nothing)))
    answer = answer[:1].upper() + answer[1:] if not won else answer
    return f"**{answer}.**" if energy else f"{answer}."


def _best(name: str, rows: Sequence[Row], *, energy: bool) -> str:
    """The best variant of one workload, over its batches; empty if none saves."""
    saving = [
        (ratio, row)
        for row in rows
        if findings.verdict_of(row, energy=energy) is Verdict.SAVES and not row.is_baseline
        if (ratio := findings.ratio_of(row, energy=energy))
    ]
    if not saving:
        return ""
    ratio, row = min(saving, key=lambda found: found[0].value)
    decimals = text.ratio_decimals(ratio)
    value, low, high = (text.fixed(x, decimals) for x in (ratio.value, ratio.low, ratio.high))
    verb, noun = ("uses", "energy") if energy else ("takes", "time")
    batch = f" at batch {row.case.batch}" if len({r.case.batch for r in rows}) > 1 else ""
    return (
        f"{text.code(findings.label(row, rows))} {verb} {value}× the {noun} of the"
        f" {text.escape(name)} baseline{batch} (95 % CI {low}–{high}{_change(row)})"
        f"{_beside_best(row, rows, noun, energy=energy)}"
    )


def _beside_best(row: Row, rows: Sequence[Row], noun: str, *, energy: bool) -> str:
    """What the row costs beside the best float32 runtime, as the end of a sentence."""
    if not crosses(family(row, rows)):
        return ""
    found = beside_best(row, rows, energy=energy)
    if found is None:  # there is no other
        return ", and is its best float32 runtime"
    times = text.fixed(found.value, text.ratio_decimals(found))
    runtime = text.escape(best_fp32(row, rows, energy=energy).runtime)
    return f", and {times}× the {noun} of its best float32 runtime, {runtime}"


def _change(row: Row) -> str:
    """What became of the quality, as the end of a clause."""
    if row.quality_change is None or row.case.quality is None:
        return "; quality not judged"
    metric = text.escape(row.case.quality["metric"])
    share = findings.is_share(row)
    half = half_of(row.quality_change_interval, share=share)
    if share:
        return f"; {metric} {text.signed(100 * row.quality_change)}{half} pt"
    return f"; {metric} {text.signed(row.quality_change, 3)}{half}"


def _others(table: Table, *, energy: bool) -> list[str]:
    """One sentence for each of the other verdicts that occurs."""
    costs = "Costs more energy" if energy else "Slower"
    gain = "No gain" if energy else "No gain in time"
    titles = {
        Verdict.NO_GAIN: gain,
        Verdict.COSTS: costs,
        Verdict.BREAKS_QUALITY: "Breaks quality",
        Verdict.UNRESOLVED: "Unresolved",
        Verdict.NOT_COMPARABLE: "Not comparable",
    }
    if energy:
        titles[Verdict.NOT_MEASURED] = "Energy not measured"
    sentences = []
    for verdict, title in titles.items():
        rows = [
            row
            for row in table.rows
            if findings.verdict_of(row, energy=energy) is verdict and not row.is_baseline
        ]
        if rows:
            more = ""
            if verdict is Verdict.UNRESOLVED:
                unit = "processes" if findings.processes(table) else "pairs"
                more = _more(unit, rows, energy=energy)
            sentences.append(f"{title}: {sentence_list(_names(rows, table))}{more}.")
    return sentences


def _names(rows: Sequence[Row], table: Table) -> list[str]:
    """The rows' variants; a variant that fares otherwise elsewhere is named with its place."""
    batches = len({row.case.batch for row in table.rows}) > 1
    among, names = set(map(id, rows)), []
    elsewhere = {findings.label(row, table.rows) for row in table.rows if id(row) not in among}
    for row in rows:
        name = findings.label(row, table.rows)
        if name in elsewhere:
            batch = f" b{row.case.batch}" if batches else ""
            names.append(f"{text.code(name)} ({text.escape(row.case.workload)}{batch})")
        else:
            names.append(text.code(name))
    return list(dict.fromkeys(names))


def _more(unit: str, rows: Sequence[Row], *, energy: bool) -> str:
    """What would decide the unresolved rows, where that can be told."""
    ratios = [
        (ratio, row.margins.energy if energy else row.margins.time)
        for row in rows
        if (ratio := findings.ratio_of(row, energy=energy))
    ]
    needed = [pairs_to_decide(ratio, margin) for ratio, margin in ratios]
    counted = [count for count in needed if count is not None]
    if len(counted) < len(needed) or max(counted, default=0) > _MOST_PAIRS:
        return f" – more than {_MOST_PAIRS} {unit} would be needed: look for what disturbs them"
    return f" – about {max(counted)} {unit} would decide" if counted else ""
