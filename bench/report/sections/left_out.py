"""What is not in the tables: blocks thrown away, windows flagged, cases skipped."""

from collections import Counter

from bench.records import Journal
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.report.sections.refused import is_refusal

ORDER = 85


def section(report: Report) -> str:
    """A folded list; nothing if nothing was left out."""
    lines = [line for journal in findings.journals(report.tables) for line in _lines(journal)]
    return blocks.details("Discarded, flagged and skipped", blocks.bullets(lines)) if lines else ""


def _lines(journal: Journal) -> list[str]:
    discards = [
        f"{text.code(discard.case)}, pair {discard.pair}, discarded: {text.escape(discard.reason)}"
        for discard in journal.discards
    ]
    flags = Counter((w.case, flag) for w in journal.windows for flag in w.flags)
    flagged = [
        f"{text.code(case or 'idle')}, flagged{f' {count} times' if count > 1 else ''}:"
        f" {text.escape(flag)}; kept"
        for (case, flag), count in flags.items()
    ]
    notes = [
        f"{text.code(note.case) + ': ' if note.case else ''}{text.escape(note.text)}"
        for note in journal.notes
        if not is_refusal(note)
    ]
    if journal.end is None:
        notes.append("The session was cut off: the journal has no end record.")
    return discards + flagged + notes
