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
    settings = {key: text.escape(value) for key, value in run.settings.items()}
    pairs, block, warm = (settings.get(k, "?") for k in ("pairs", "block_s", "warmup_s"))
    kinds = "" if findings.is_measured(table) else " of time"
    return (
        f"Baseline and variant alternated in {pairs} pairs of neighbouring windows of at least"
        f" {block} s, in seeded ABBA order (seed {run.seed}), after {warm} s of warm-up of each"
        f" side. Values are means over windows with 95 % t intervals. Ratios{kinds} are geometric"
        " means over pairs with 95 % t intervals of their logarithms"
        f"{', combined with the bound of the meter' if not kinds else ''}; a ratio whose interval"
        f" lies within 1/{1 + table.margin:g} to {1 + table.margin:g} is called no gain."
    )
