"""How to do it again."""

import shlex

from bench.report import blocks, findings
from bench.report.markdown import Report

ORDER = 100


def section(report: Report) -> str:
    """What measured, what wrote this page, and how to repeat one case, for each journal."""
    lines = []
    for journal in findings.journals(report.tables):
        tests = [case.nodeid for case in journal.cases if case.nodeid]
        lines += [
            journal.run.command,
            f"joulebench report {shlex.quote(f'results/{journal.path.name}')}",
        ]
        if tests:
            lines.append(f"pytest --benchmark {shlex.quote(tests[-1])}  # one case alone")
    return blocks.details("Run it again", blocks.commands(lines)) if lines else ""
