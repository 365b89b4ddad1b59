"""How it was measured, as a paragraph to paste into a paper."""

from collections.abc import Mapping
from typing import Any

from bench.compare import Table
from bench.quantities import Absent
from bench.report import blocks, findings, text
from bench.report.best_runtime import crosses
from bench.report.markdown import Report
from bench.schedule import PAIRS_PER_PROCESS

ORDER = 87
_APART = {"warmup", "training"}


def section(report: Report) -> str:
    """A folded paragraph for each device, each once."""
    said = dict.fromkeys(f"{_energy(table)} {_protocol(table)}" for table in report.tables)
    return blocks.details("Methods, to paste into a paper", "\n\n".join(said)) if said else ""


def _energy(table: Table) -> str:
    if not findings.is_measured(table):
        return f"{_simulated(table)}Energy was not measured; time per sample was."
    origins = ", ".join(dict.fromkeys(c.origin for c in findings.covering(table)))
    idle = (
        "Idle power is included and was not measured apart."
        if isinstance(table.idle, Absent)
        else f"Idle power ({text.quantity(table.idle, text.Prefix('', 1.0))} W) is included."
    )
    return (
        f"{_simulated(table)}Energy was read from {text.escape(origins)} (boundary:"
        f" {text.escape(findings.boundary(table))}) as the difference of readings around each"
        f" window. {idle} Sensor accuracy was not calibrated."
    )


def _simulated(table: Table) -> str:
    """What must be said first, if no machine was measured."""
    return "The device is simulated. " if findings.is_simulated(table.journal) else ""


def _warm_up(settings: Mapping[str, Any]) -> str:
    seconds = text.escape(settings.get("warmup_s", "?"))
    if "target" not in settings:  # a journal of before there was a test for it
        return f"{seconds} s of warm-up of each side"
    return f"a warm-up of each side for {seconds} s or until its time and power were steady"


def _stop(settings: Mapping[str, Any]) -> str:
    """When measuring ended, where that was not fixed before."""
    target = settings.get("target")
    if target is None or settings.get("processes"):
        return ""
    return (
        " Pairs were added at geometric distances until the half-width of the ratio's interval"
        f" was {text.significant(100 * target, 2)} % or less and gave a verdict, or the most that"
        " the profile allows were measured."
    )


def _alternated(table: Table) -> str:
    """What alternated with what, and how often."""
    counts = sorted({row.time_ratio.n for row in table.rows if row.time_ratio})
    pairs = " to ".join(dict.fromkeys(str(count) for count in (*counts[:1], *counts[-1:]))) or "no"
    if not (number := findings.processes(table)):
        return f"Baseline and variant alternated in {pairs} pairs"
    return (
        f"Each side ran in {number} fresh processes, one of either side at the same time; in each"
        f" two of them baseline and variant alternated in {PAIRS_PER_PROCESS} pairs"
    )


def _averaged(table: Table) -> str:
    """What is one replicate, and what is averaged over them."""
    if findings.processes(table):
        return (
            "Values are means over processes with 95 % t intervals: the unit of replication is the"
            " process, not the window. Ratios {what} are taken pair by pair; the medians of their"
            " logarithms in each two processes are averaged (20 % trimmed from ten on) with 95 % t"
            " intervals{bound}. All intervals are widened by the correlation that neighbouring"
            " processes show, where there are six or more."
        )
    return (
        "Values are means over windows with 95 % t intervals. Ratios {what} are taken pair by pair;"
        " their logarithms are averaged (20 % trimmed from ten pairs on) with 95 % t"
        " intervals{bound}. All intervals are widened by the correlation that neighbouring windows"
        " show."
    )


def _beside_best(table: Table) -> str:
    """How the ratios to the best float32 runtime are made, where there are any."""
    if not crosses(table.rows):
        return ""
    return (
        " A ratio to the best float32 runtime is the quotient of two such ratios to the same"
        " baseline; their pairs were measured at different times, and their uncertainties are"
        " combined as independent."
    )


def _protocol(table: Table) -> str:
    run = table.journal.run
    cases = {row.case.case for row in table.rows}
    windows = [w for w in table.journal.windows if w.case in cases and w.role not in _APART]
    shortest = min((window.seconds for window in windows), default=0.0)
    measured = findings.is_measured(table)
    what = "of energy per sample" if measured else "of median latency"
    bound = ", combined with the bound of the meter" if measured else ""
    return (
        f"{_alternated(table)} of neighbouring windows of at least"
        f" {text.at_least(shortest)} s, in seeded ABBA order (seed {run.seed}), after"
        f" {_warm_up(run.settings)}.{_stop(run.settings)}"
        f" {_averaged(table).format(what=what, bound=bound)} A ratio whose interval lies within"
        f" {_edges(table)} is called no gain, one whose interval lies beyond it saves or costs."
        f"{_beside_best(table)}"
    )


def _edges(table: Table) -> str:
    """Between what a difference does not count; a row with a worse control has a wider one."""
    edges = [text.fixed(1 + margin, 3) for margin in table.margins]
    least, most = (f"1/{edge} to {edge}" for edge in edges)
    if least == most:
        return least
    return f"{least} (up to {most} where the baseline's own control differed by more)"
