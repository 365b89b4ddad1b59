"""What a terminal shows of a night: counts first, then all that is not ok."""

import os

from bench.gate.answer import Decision, Night, Word
from bench.gate.evidence import Evidence
from bench.gate.wording import counts
from bench.report.text import plain

_MOST = 200
"""Characters of a reason; the last lines of a process stand in the alerts and in the evidence."""


def lines(night: Night, found: Evidence) -> list[str]:
    """The lines to print, without anything that a terminal would take for an order."""
    shown = [each for each in night.decisions if each.word is not Word.OK]
    where = os.path.relpath(found.folder)
    return [
        f"{found.state.head} against {found.state.base}",
        counts(night) or "nothing was measured",
        *([f"UNTRUSTED: {plain(night.untrusted)}"] if night.untrusted else []),
        *(_row(each) for each in sorted(shown, key=lambda each: list(Word).index(each.word))),
        *(f"note: {plain(note)}" for note in found.notes),
        f"evidence: {where}",
    ]


def _row(decision: Decision) -> str:
    width = max(len(word) for word in Word)
    reason = plain(" ".join(decision.reason.split()))
    short = reason if len(reason) <= _MOST else f"{reason[:_MOST]}…"
    series = decision.series
    return (
        f"{decision.word.mark} {decision.word:{width}}  {plain(series.case)} {series.quantity}:"
        f" {short}"
    )
