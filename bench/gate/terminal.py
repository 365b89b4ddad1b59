"""What a terminal shows of a night: counts first, then all that is not ok."""

import os
from collections.abc import Iterator, Mapping

from bench.gate.answer import Decision, Night, Word
from bench.gate.evidence import Evidence
from bench.gate.known import Known
from bench.gate.wording import counts
from bench.report.text import plain

_MOST = 200
"""Characters of a reason; the last lines of a process stand in the alerts and in the evidence."""


def lines(night: Night, found: Evidence, known: Mapping[str, Known] | None = None) -> list[str]:
    """The lines to print, without anything that a terminal would take for an order.

    Args:
        night: What was decided.
        found: What it rests on.
        known: By case, what is known besides.
    """
    shown = [each for each in night.decisions if each.word is not Word.OK]
    where = os.path.relpath(found.folder)
    return [
        f"{found.state.head} against {found.state.base}",
        counts(night) or "nothing was measured",
        *([f"UNTRUSTED: {plain(night.untrusted)}"] if night.untrusted else []),
        *(_row(each) for each in sorted(shown, key=lambda each: list(Word).index(each.word))),
        *(line for case, each in (known or {}).items() for line in _told(case, each)),
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


def _told(case: str, known: Known) -> Iterator[str]:
    """What somebody has accepted of a case, and which commit a bisection has named."""
    if known.accepted:
        yield f"accepted  {plain(case)}: {plain(known.accepted)}"
    if known.bisected:
        named = " or ".join(f"{each.short} {each.subject}" for each in known.bisected.guilty)
        yield f"dearer since {plain(named)} (by bisection): {plain(case)}"
