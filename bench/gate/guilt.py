"""What a bisection says: each step as a line, and in the end a block of Markdown."""

import math

from bench.gate.halving import Mark, NotDearer, Search, Step
from bench.gate.wording import change, command, commit_text, fence, harmless, quoted
from bench.report.text import plain
from bench.statistics import Interval


def step_line(step: Step) -> str:
    """One step for a terminal: ``bad   1a2b3c4d5 +12.1 % [+9.6, +14.7] use 8 threads``."""
    seen = change(step.ratio) if step.ratio else "not measured"
    why = f" ({plain(step.why)})" if step.why else ""
    return f"{step.mark:4}  {step.commit.short}  {seen}  {plain(step.commit.subject)}{why}"


def not_dearer(found: NotDearer, case: str) -> str:
    """That there is nothing to look for, with what was seen."""
    seen = ", ".join(f"{quantity} {change(ratio)}" for quantity, ratio in found.ratios.items())
    return (
        f"bad is not dearer than good in {case}: {seen or 'nothing was measured'}; there is no"
        " commit to look for between them"
    )


def report(found: Search, case: str) -> str:
    """The end of a search as Markdown for a page or an issue.

    Args:
        found: The search.
        case: Whose.
    """
    names = " or ".join(quoted(each.short) for each in found.guilty)
    clear = "" if found.is_clear else " (not clear, see below)"
    lines = [
        f"### {quoted(case)}: dearer since {names}{clear}",
        "",
        f"{found.quantity} {change(found.whole)} from good to bad.",
        "",
        *(f"- {commit_text(each)}" for each in found.guilty),
    ]
    if len(found.guilty) > 1:
        lines.append("- one of these, for the commits between could not be measured")
    if len(found.guilty) == 1 and (own := _own_change(found)):
        lines.append(f"- {found.quantity} at this commit against the one before: {own}")
    lines += ["", "| | commit | against good | |", "|:--|:--|--:|:--|", *map(_row, found.steps)]
    lines += ["", *fence([command("git", "show", each.hash) for each in found.guilty])]
    return "\n".join(lines) + "\n"


def _row(step: Step) -> str:
    seen = change(step.ratio) if step.ratio else "—"
    named = f"{quoted(step.commit.short)} {quoted(step.commit.subject)}"
    return f"| {step.mark} | {named} | {seen} | {harmless(step.why)} |"


def _own_change(found: Search) -> str:
    """The guilty commit's ratio against the newest good one, where both sides of it are known."""
    own = {step.commit.hash: step.ratio for step in found.steps if step.mark is Mark.BAD}
    after = own.get(found.guilty[0].hash) or found.whole
    good = [step.ratio for step in found.steps if step.mark is Mark.GOOD and step.ratio]
    before = good[-1] if good else Interval(1.0, 1.0, 1.0, 0)
    ratio = after.value / before.value
    # both are against the same good revision: their errors add in quadrature, as logarithms
    low = ratio * _spread(after, before, -1)
    return change(Interval(ratio, low, ratio * _spread(after, before, 1), after.n))


def _spread(one: Interval, other: Interval, sign: int) -> float:
    halves = [math.log(each.high / each.low) / 2 for each in (one, other)]
    return math.exp(sign * math.hypot(*halves))
