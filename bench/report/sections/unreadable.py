"""Journals that could not be read: the page says so before it says anything of the others."""

from bench.report import blocks, text
from bench.report.markdown import Report

ORDER = 5


def section(report: Report) -> str:
    """A list of the files, each with the reason; nothing if all could be read."""
    if not report.unreadable:
        return ""
    lines = blocks.bullets(
        f"{text.code(name)}: {text.escape(reason)}" for name, reason in report.unreadable
    )
    return f"⚠️ **Left out, for it cannot be read:**\n\n{lines}"
