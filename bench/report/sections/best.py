"""The best form of each model in any runtime, within its quality budget: one line a batch."""

from collections.abc import Iterator, Sequence

from bench.compare import Row, Table
from bench.report import blocks, findings, text
from bench.report.best_runtime import beside_best, best_fp32, crosses, runs_in
from bench.report.main_table import quality
from bench.report.markdown import Report
from bench.report.winners import is_measured, is_smaller, winners

ORDER = 15
_MOST = 14
"""Lines that the first screen has room for; the rest stands with all rows."""
_SAID = (
    "The whole model, and where it is another one, the best that is smaller: pruned or distilled."
    " Beside the ratio to the model as shipped stands that to the best float32 runtime of the same"
    " model, so that nobody takes a better runtime for a better model."
)


def section(report: Report) -> str:
    """A table for each device; nothing where no workload runs in several runtimes."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        lines = list(_lines(table))
        if lines:
            name = f": {findings.heading(table, report.tables)}" if several else ""
            header = (
                "workload", "batch", "best within the quality budget", "runtime", "runs in",
                "ratio of", "÷ baseline [95 %]", "÷ best fp32 [95 %]", "best fp32 runtime",
                "quality (Δ)", "model",
            )  # fmt: skip
            grid = blocks.table(header, lines[:_MOST], left=6, last=3)
            more = f" {len(lines) - _MOST} more stand with all rows." if lines[_MOST:] else ""
            parts.append(f"**Best of all runtimes{name}**\n\n{_SAID}{more}\n\n{grid}")
    return "\n\n".join(parts)


def _lines(table: Table) -> Iterator[tuple[str, ...]]:
    for (name, batch), rows in findings.settings(table.rows):
        if not crosses(rows):
            continue
        where = text.escape(name), str(batch)
        found = winners(rows)
        if not found:
            yield (*where, "none: nothing saves and holds its quality", *["—"] * 8)
        for row in found:
            yield (*where, *_cells(row, rows))


def _cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """A winner beside its baseline and beside the best float32 runtime."""
    energy = is_measured(rows)
    ratio, beside = findings.ratio_of(row, energy=energy), beside_best(row, rows, energy=energy)
    share = findings.is_share(row)
    judged = row.case.quality is not None
    return (
        f"**{text.escape(row.case.label)}**",
        text.escape(row.case.runtime),
        text.escape(runs_in(row.case)) or "—",
        "energy" if energy else "time",
        text.ratio(ratio) if ratio else "—",
        text.ratio(beside) if beside else "1",
        text.escape(best_fp32(row, rows, energy=energy).runtime),
        f"{quality(row, share=share)}{' %' if share else ''}" if judged else "not judged",
        "smaller" if is_smaller(row, rows) else "whole",
    )
