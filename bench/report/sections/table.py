"""The main table, one for each device."""

from bench.report import findings
from bench.report.markdown import Report, main_table

ORDER = 30


def section(report: Report) -> str:
    """A heading and a table for each device."""
    return "\n\n".join(
        f"## {findings.heading(table, report.tables)}: {findings.processor(table)}"
        f"\n\n{main_table(table)}"
        for table in report.tables
    )
