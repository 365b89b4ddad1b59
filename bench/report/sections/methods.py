"""How it was measured, as a paragraph to paste into a paper."""

from bench.compare import Table
from bench.quantities import Absent
from bench.report import blocks, findings, text
from bench.report.markdown import Report

ORDER = 87


def section(report: Report) -> str:
    """A folded paragraph for each device, each once."""
    said = dict.fromkeys(f"{_energy(table)} {_protocol(table)}" for table in report.tables)
    return blocks.details("Methods, to paste into a paper", "\n\n".join(said)) if said else ""


def _energy(table: Table) -> str:
    if not findings.is_measured(table):
        return "Energy was not measured; time per sample was."
    origins = ", ".join(dict.fromkeys(c.origin for c in findings.covering(table)))
    idle = (
        "Idle power is included and was not measured apart."
        if isinstance(table.idle, Absent)
        else f"Idle power ({text.quantity(table.idle, text.Prefix('', 1.0))} W) is included."
    )
    return (
        f"Energy was read from {text.escape(origins)} (boundary:"
        f" {text.escape(findings.boundary(table))}) as the difference of readings around each"
        f" window. {idle} Sensor accuracy was not calibrated."
    )


def _protocol(table: Table) -> str:
    run = table.journal.run
    cases = {row.case.case for row in table.rows}
    windows = [window for window in table.journal.windows if window.case in cases]
    counts = sorted({row.time_ratio.n for row in table.rows if row.time_ratio})
    pairs = (
        " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        if counts
        else "no"
    )
    shortest = min((window.seconds for window in windows), default=0.0)
    measured = findings.is_measured(table)
    what = "of energy per sample" if measured else "of median latency"
    bound = ", combined with the bound of the meter" if measured else ""
    edge = text.fixed(1 + table.margin, 3)
    return (
        f"Baseline and variant alternated in {pairs} pairs of neighbouring windows of at least"
        f" {text.significant(shortest, 2)} s, in seeded ABBA order (seed {run.seed}), after"
        f" {text.escape(run.settings.get('warmup_s', '?'))} s of warm-up of each side. Values are"
        f" means over windows with 95 % t intervals. Ratios {what} are taken pair by pair; their"
        " logarithms are averaged (20 % trimmed from ten pairs on) with 95 % t intervals"
        f"{bound}. A ratio whose interval lies within 1/{edge} to {edge} is called no gain, one"
        " whose interval lies beyond it saves or costs."
    )
