"""The rows of the main table that the first screen has no room for."""

from bench.report import blocks, findings
from bench.report.first_screen import folded, whole
from bench.report.main_table import main_table
from bench.report.markdown import Report

ORDER = 41


def section(report: Report) -> str:
    """A folded table for each device; nothing where the first screen holds every row."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if names := folded(table, report.tables):
            device = f" · {findings.heading(table, report.tables)}" if several else ""
            rest = "the machine's own ceilings" if whole(table, report.tables) else "all rows"
            parts.append(
                blocks.details(f"Main table, {rest}{device}", main_table(table, frozenset(names)))
            )
    return "\n\n".join(parts)
