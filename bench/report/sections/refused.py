"""What could not be run here as asked: one row says why and what helps, all other cases went on."""

from bench.record import Note
from bench.report import blocks, findings, text
from bench.report.markdown import Report

ORDER = 35
_REFUSED = "refused: "


def is_refusal(note: Note) -> bool:
    """Whether a note says that a case was refused."""
    return note.text.startswith(_REFUSED)


def section(report: Report) -> str:
    """A table of all journals; nothing if nothing was refused."""
    found = dict.fromkeys(
        (note.case, note.text.removeprefix(_REFUSED))
        for journal in findings.journals(report.tables)
        for note in journal.notes
        if is_refusal(note)
    )
    if not found:
        return ""
    lines = [(text.code(case) if case else "—", *_why_and_fix(said)) for case, said in found]
    grid = blocks.table(("case", "why", "what to do"), lines, left=3)
    return f"**Not run here, and what to do**\n\n{grid}"


def _why_and_fix(said: str) -> tuple[str, str]:
    """A refusal as `bench.refusal.Refusal` words it: the fix stands behind the last semicolon."""
    why, _, fix = said.rpartition("; ")
    return (text.escape(why), text.escape(fix)) if why else (text.escape(said), "—")
