"""Two routes to one energy, where there are two: do they say the same?"""

from bench.cross_check import AGREE, CrossCheck, cross_checks
from bench.report import blocks, text
from bench.report.markdown import Report

ORDER = 75


def section(report: Report) -> str:
    """A folded table; a disagreement stands above it, for all to see. Nothing with one route."""
    journals = {id(table.journal): table.journal for table in report.tables}.values()
    found = [
        check
        for journal in journals
        for check in cross_checks(w.energy for w in journal.windows if w.role != "training")
    ]
    if not found:
        return ""
    least, most = AGREE
    said = [
        f"> **Two routes to {text.escape(check.channel)} disagree:"
        f" {text.escape(check.route.partition('#')[2])} reads {check.ratio:.3f} times the first,"
        f" outside {least:g} to {most:g}. {_words(check)}**"
        for check in found
        if not check.agrees
    ]
    header = ("channel", "second route", "ratio", "bounds allow", "windows", "")
    rows = [_cells(check) for check in found]
    body = blocks.table(header, rows, left=2, last=1)
    folded = blocks.details("Cross-checks: two routes to the same energy", body)
    return "\n\n".join((*said, folded))


def _words(check: CrossCheck) -> str:
    if check.explained:
        return "Their bounds allow that they agree: longer windows would tell."
    return "At least one of them is wrong."


def _cells(check: CrossCheck) -> tuple[str, ...]:
    return (
        text.escape(check.channel),
        text.escape(check.route.partition("#")[2]),
        f"{check.ratio:.3f}",
        f"{check.low:.3f} to {check.high:.3f}",
        text.count(check.windows),
        "agree" if check.agrees else "**disagree**",
    )
