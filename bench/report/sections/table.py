"""The main table, one for each device: whole where the first screen has room for it."""

from bench.report import findings
from bench.report.first_screen import first
from bench.report.markdown import Report

ORDER = 30


def section(report: Report) -> str:
    """A heading and a table for each device."""
    return "\n\n".join(
        f"## {findings.heading(table, report.tables)}: {findings.processor(table)}"
        f"\n\n{first(table, report.tables)}"
        for table in report.tables
    )
