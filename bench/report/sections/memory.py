"""Memory: what each case held at most, and what of that it added."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.report import blocks, findings, text
from bench.report.markdown import Report

ORDER = 55
_SAID = (
    "Peak: the most that was resident in the process while the case ran, with the models of other"
    " cases and the libraries loaded until then. Before: what was resident before the case was"
    " made. Added: peak minus before; what earlier cases had freed may hide some of it."
)


def section(report: Report) -> str:
    """A folded table for each device; nothing for journals that know no memory."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if rows := [row for row in table.rows if row.case.memory_bytes]:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Memory{name}", f"{_SAID}\n\n{_grid(table, rows)}"))
    return "\n\n".join(parts)


def _grid(table: Table, rows: Sequence[Row]) -> str:
    header = ["workload", "variant", "batch", "peak", "before", "added"]
    cuda = any("cuda" in row.case.memory_bytes for row in rows)
    header += ["peak on the GPU"] if cuda else []
    lines = [
        (
            text.escape(row.case.workload),
            text.escape(findings.label(row, table.rows)),
            str(row.case.batch),
            *_sizes(row, cuda=cuda),
        )
        for row in rows
    ]
    return blocks.table(header, lines, left=2)


def _sizes(row: Row, *, cuda: bool) -> list[str]:
    known = row.case.memory_bytes
    peak, before = known.get("peak"), known.get("before")
    added = max(0, peak - before) if peak is not None and before is not None else None
    counts = [peak, before, added, *([known.get("cuda")] if cuda else [])]
    return [text.size(count) for count in counts]
