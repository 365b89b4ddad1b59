"""Journals that are not in the tables: the page says so before it speaks of the others."""

from bench.report import blocks, text
from bench.report.markdown import Report

ORDER = 5


def section(report: Report) -> str:
    """A list of the files, each with the reason; nothing if none was left out."""
    if not report.left_out:
        return ""
    lines = blocks.bullets(
        f"{text.code(name)}: {text.escape(reason)}" for name, reason in report.left_out
    )
    return f"⚠️ **Left out:**\n\n{lines}"
