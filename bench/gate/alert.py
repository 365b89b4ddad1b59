"""What a gate says to people: the night in one table, and a block for each case to act on.

Pure: a `Night` and what is known of both sides become Markdown that survives GitHub. Everything
that comes from a journal, from git or from a user is escaped. After shared/users.md §6.5.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.gate.answer import ENERGY, TIME, Decision, Night, Word
from bench.gate.around import bisection_time, commands, commits, surrounded
from bench.gate.known import Known, Side, Surroundings, surroundings
from bench.gate.split import Split, level, split
from bench.gate.wording import (
    change,
    control_spread,
    counts,
    fence,
    harmless,
    level_text,
    p_text,
    pairs_text,
    quoted,
    share,
)
from bench.quantities import Kind
from bench.report.text import prefix, signed, significant

_SUSPICIOUS = 0.6  # a ratio below it is more often skipped work than a finding (users.md §6.5)
ALERTS = (Word.REGRESSED, Word.IMPROVED)


def page(night: Night, known: Mapping[str, Known]) -> str:
    """The whole answer: the night, then a block for each case that became dearer or cheaper.

    Args:
        night: What was decided.
        known: By case, what is known of both sides; a case that is missing has its numbers alone.
    """
    alerts = blocks(night, known)
    told = "\n".join(_accepted(night, known))
    return "\n\n".join(filter(None, [summary(night), told, *alerts.values()])) + "\n"


def blocks(night: Night, known: Mapping[str, Known]) -> dict[str, str]:
    """A block of Markdown by case, for each case with an alert; the dearest first."""
    found: dict[str, list[Decision]] = {}
    for decision in night.decisions:
        found.setdefault(decision.series.case, []).append(decision)
    alerting = {
        case: decisions
        for case, decisions in found.items()
        if any(each.word in ALERTS for each in decisions)
    }
    ordered = sorted(alerting, key=lambda case: (-_worst(alerting[case]), case))
    return {case: block(night, alerting[case], known.get(case, Known())) for case in ordered}


def _worst(decisions: Iterable[Decision]) -> float:
    return max(
        each.ratio.value if each.ratio and each.word is Word.REGRESSED else 0.0
        for each in decisions
    )


# -- the night --------------------------------------------------------------------------------


def summary(night: Night) -> str:
    """The counts with their shapes, what spoils the night, then each row that is not ok."""
    lines = [f"**{counts(night) or 'nothing was gated'}**"]
    if night.untrusted:
        lines += ["", f"**⚠ UNTRUSTED: {harmless(night.untrusted)}. Nothing below counts.**"]
    if night.unpaired:
        lines += ["", "*unpaired: no revision was run again, journals of other nights were asked*"]
    rows = [each for each in night.decisions if each.word is not Word.OK]
    rows.sort(key=lambda each: (list(Word).index(each.word), each.series.case))
    if rows:
        lines += ["", "| | case | quantity | change | why |", "|:--|:--|:--|--:|:--|"]
        lines += [_row(each) for each in rows]
    return "\n".join(lines)


def _accepted(night: Night, known: Mapping[str, Known]) -> Iterator[str]:
    """The cases of the night whose baseline somebody has moved, and why."""
    for case in dict.fromkeys(each.series.case for each in night.decisions):
        if why := known.get(case, Known()).accepted:
            yield f"- {quoted(case)}: {harmless(why)}"


def _row(decision: Decision) -> str:
    moved = change(decision.ratio) if decision.ratio else "—"
    cells = (
        f"{decision.word.mark} {decision.word}",
        quoted(decision.series.case),
        _name(decision),
        moved,
        harmless(decision.reason),
    )
    return f"| {' | '.join(cells)} |"


def _name(decision: Decision) -> str:
    """``energy``, with a mark where it is no instrument's."""
    estimated = decision.series.kind in {Kind.ESTIMATED, Kind.MODELLED}
    mark = f" (*{decision.series.kind}*)" if estimated else ""
    return f"{decision.series.quantity}{mark}"


# -- one case ---------------------------------------------------------------------------------


def block(night: Night, decisions: Sequence[Decision], known: Known) -> str:
    """What a person needs to act on one case.

    Args:
        night: Whose controls and counts are told.
        decisions: Of the case, one for each quantity.
        known: Of its two sides.
    """
    by = {each.series.quantity: each for each in decisions}
    energy, time = by.get(ENERGY), by.get(TIME)
    parts = split(energy, time) if energy and time else None
    around = surroundings(known.base.run, known.head.run)
    paragraphs = [
        _title(night, decisions),
        "\n".join(_table(energy, time, parts, None if night.unpaired else known)),
        "\n".join(
            line if line.startswith("  - ") else f"- {line}"
            for line in _facts(night, decisions, parts, known, around)
        ),
        "\n".join(fence(commands(decisions[0].series.case, known))),
    ]
    return "\n\n".join(paragraphs)


def _title(night: Night, decisions: Sequence[Decision]) -> str:
    alerts = [each for each in decisions if each.word in ALERTS]
    alerts.sort(key=lambda each: each.word is not Word.REGRESSED)
    said = f"{alerts[0].word.mark} {alerts[0].word}"
    moved = ", ".join(f"{_name(each)} {change(each.ratio)}" for each in alerts if each.ratio)
    trusted = " (UNTRUSTED night)" if night.untrusted else ""
    return f"### {said}{trusted}: {quoted(alerts[0].series.case)}\n\n**{moved}**"


def _table(
    energy: Decision | None, time: Decision | None, parts: Split | None, sides: Known | None
) -> Iterator[str]:
    """Both sides; without them, the nights before and this one, of which the index has no more."""
    names = ("nights before, median", "this night")
    if sides:
        names = f"base {_head(sides.base)}", f"head {_head(sides.head)}"
    yield f"| | {names[0]} | {names[1]} | change |"
    yield "|:--|--:|--:|--:|"
    if energy and energy.ratio:
        boundary = harmless(f"{energy.series.kind}, {energy.series.boundary}")
        yield _level_row(f"energy ({boundary})", energy)
    if time and time.ratio:
        mostly = " ← mostly time" if parts and parts.mostly == "time" else ""
        yield _level_row("= time" if parts else "time", time, mostly)
    if parts:
        mostly = " ← mostly power" if parts.mostly == "power" else ""
        scale = prefix([parts.watts[0].value])
        cells = [level_text(each, scale, "W") for each in parts.watts]
        yield f"| × power | {cells[0]} | {cells[1]} | {change(parts.power)}{mostly} |"
    if sides:
        yield _quality_row(sides.base, sides.head)


def _head(side: Side) -> str:
    day = f" ({harmless(side.date[:10])})" if side.date else ""
    return quoted(side.short) + day


def _level_row(name: str, decision: Decision, mostly: str = "") -> str:
    series = decision.series
    sides = level([p.base for p in series.pairs]), level([p.head for p in series.pairs])
    scale = prefix([sides[0].value])
    base, head = (level_text(each, scale, harmless(series.unit)) for each in sides)
    moved = change(decision.ratio) if decision.ratio else "—"
    return f"| {name} | {base} | {head} | {moved}{mostly} |"


def _quality_row(base: Side, head: Side) -> str:
    """Quality on both sides, or that nobody judged it."""
    one, other = (side.case.quality if side.case else None for side in (base, head))
    name = harmless((other or one or {}).get("metric", "quality"))
    before, after = (_number(each) for each in (one, other))
    if before is None or after is None:
        moved = "—"
    else:
        moved = "same" if before == after else signed(after - before, 4)
    return f"| {name} | {_shown(before)} | {_shown(after)} | {moved} |"


def _number(quality: Mapping[str, Any] | None) -> float | None:
    value = (quality or {}).get("value")
    return float(value) if isinstance(value, int | float) else None


def _shown(value: float | None) -> str:
    return "not judged" if value is None else significant(value, 4)


def _facts(
    night: Night,
    decisions: Sequence[Decision],
    parts: Split | None,
    known: Known,
    around: Surroundings | None,
) -> Iterator[str]:
    for each in decisions:
        if each.word in ALERTS:
            said = harmless(each.reason) if night.unpaired else _evidence(each)
            yield f"{_name(each)}: {said}"
            yield from _doubt(each)
    energy = next((each for each in decisions if each.series.quantity == ENERGY), None)
    if energy is None or energy.ratio is None:
        why = energy.series.absent if energy and energy.series.absent else "no instrument was read"
        yield f"energy: not measured ({harmless(why)}), so the change is of time alone"
    elif parts is None:
        yield "time × power: not known, for time was not measured in the same processes"
    yield _noise(night, decisions, known)
    if known.accepted:
        yield harmless(known.accepted)
    if night.unpaired:
        yield (
            "unpaired: this night is held against the median of those before it, which may be of"
            " several commits; `joulebench compare` of two journals names what changed"
        )
    else:
        yield from commits(known)
        yield from surrounded(around)
    yield f"this night: {counts(night)}"
    yield from bisection_time(known)
    if known.journals:
        yield f"journals: {', '.join(map(quoted, known.journals))}"


def _evidence(decision: Decision) -> str:
    p = decision.p if decision.word is Word.REGRESSED else decision.p_improved
    said = pairs_text(decision) + (f", {p_text(p)}" if p is not None else "")
    series = decision.series
    least = f"{significant(100 * series.margin, 2)} %"
    if series.floor > 0:
        scale = prefix([series.floor])
        floor = significant(series.floor / scale.factor, 2)
        least += f" and {floor} {scale.symbol}{harmless(series.unit)}"
    return f"{said}; margin {least}"


def _doubt(decision: Decision) -> Iterator[str]:
    if decision.word is Word.IMPROVED and decision.ratio and decision.ratio.value < _SUSPICIOUS:
        yield "so large an improvement is often skipped work: look at the quality and the inputs"


def _noise(night: Night, decisions: Sequence[Decision], known: Known) -> str:
    said = []
    for each in decisions:
        quantity = each.series.quantity
        spread = control_spread(night, quantity)
        controls = "none" if spread is None else share(spread)
        own = known.noise.get(quantity)
        noise = f"{share(own)} over {known.nights} nights" if own is not None else "not known yet"
        said.append(f"{quantity}: A/A of this night {controls}, noise of this case {noise}")
    return "; ".join(said)
