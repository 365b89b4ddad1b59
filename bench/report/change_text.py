"""What two runs beside each other say, in words that terminal and page share; not escaped."""

from collections.abc import Iterator

from bench.compare import Row
from bench.history.changes import Change, Changes, Word
from bench.history.differences import Difference, Forbids
from bench.quantities import Absent, Quantity
from bench.record import Run
from bench.report import text
from bench.statistics import Interval

UNPAIRED = (
    "unpaired: two runs at different times; the intervals hold the spread inside both runs, taken"
    " as independent, and not what differs from night to night"
)
PAIRED = "beside its baseline, which is free of the night"
_MARKS = {
    Word.MORE: "✖",
    Word.LESS: "▲",
    Word.SAME: "●",
    Word.UNRESOLVED: "◌",
    Word.NEW: "+",
    Word.GONE: "–",
}


def percent(ratio: Interval | Absent) -> str:
    """A ratio as a change in per cent with its interval; a dash where there is none.

    >>> percent(Interval(1.121, 1.096, 1.147, 6))
    '+12.1 [+9.6, +14.7]'
    """
    if isinstance(ratio, Absent):
        return "—"
    value, low, high = (100 * (each - 1) for each in (ratio.value, ratio.low, ratio.high))
    decimals = 2 if high - low < 1 else 1 if high - low < 100 else 0  # noqa: PLR2004
    return (
        f"{text.signed(value, decimals)} [{text.signed(low, decimals)},"
        f" {text.signed(high, decimals)}]"
    )


def word(change: Change) -> str:
    """What a case says: by its energy, and by its time where no energy was measured."""
    if change.word is Word.NOT_MEASURED and change.time_word is not Word.NOT_MEASURED:
        return f"⊘ {change.word}; time: {change.time_word}"
    return f"{_MARKS.get(change.word, '⊘')} {change.word}"


def run(run: Run, name: str) -> str:
    """One of the runs in a line."""
    commit = f" · commit {str(run.git['commit'])[:9]}" if run.git else ""
    dirty = " with uncommitted changes" if run.git and run.git.get("dirty") else ""
    return f"{name} · {run.started}{commit}{dirty} · machine {run.machine.get('id', 'unknown')}"


def verdict(found: Changes) -> str:
    """How many cases say what."""
    counts: dict[str, int] = {}
    for change in found.cases:
        counts[word(change)] = counts.get(word(change), 0) + 1
    return " · ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def values(change: Change) -> Iterator[str]:
    """The values of both sides: energy, time, power, then quality and size."""
    before, after = change.before, change.after
    unit = next(row.case.unit for row in (after, before) if row)
    yield from _both("energy", _energy(before), _energy(after), f"J/{unit}")
    yield from _both("time", _time(before), _time(after), f"s/{unit}")
    yield from _both("power", _power(before), _power(after), "W")
    quality = [_quality(row) for row in (before, after)]
    if any(quality):
        same = quality[0] == quality[1]
        yield f"quality {quality[0]}" if same else _arrow("quality", quality[0], quality[1])
    sizes = [text.size(row.case.size_bytes.get("disk")) if row else "—" for row in (before, after)]
    if sizes != ["—", "—"]:
        yield f"size {sizes[0]}" if sizes[0] == sizes[1] else _arrow("size", *sizes)


def _arrow(what: str, before: str, after: str) -> str:
    return f"{what} {before or '—'} → {after or '—'}"


def _both(what: str, before: Quantity | None, after: Quantity | None, unit: str) -> Iterator[str]:
    known = [each for each in (before, after) if each]
    if not known:
        return
    scale = text.prefix([each.value for each in known])
    shown = [text.quantity(each, scale) if each else "—" for each in (before, after)]
    kinds = dict.fromkeys(str(each.kind) for each in known) if what != "time" else {}
    said = f" {' → '.join(kinds)}" if kinds and what == "energy" else ""
    yield f"{what} {shown[0]} → {shown[1]} {scale.symbol}{unit}{said}"


def _energy(row: Row | None) -> Quantity | None:
    return row.energy if row and isinstance(row.energy, Quantity) else None


def _power(row: Row | None) -> Quantity | None:
    return row.power if row and isinstance(row.power, Quantity) else None


def _time(row: Row | None) -> Quantity | None:
    """The time per sample, as text wants it: with its interval."""
    budget = row.budgets.time if row else None
    if budget is None:
        return None
    from bench.quantities import Kind

    low, high = max(0.0, budget.value - budget.half), budget.value + budget.half
    return Quantity(budget.value, low, high, "s/sample", Kind.MEASURED, "")


def _quality(row: Row | None) -> str:
    quality = row.case.quality if row else None
    if not quality or quality.get("value") is None:
        return ""
    value, target = float(quality["value"]), quality.get("target")
    shown = f"{text.fixed(100 * value, 1)} %" if 0 <= value <= 1 else text.significant(value, 4)
    return f"{shown}, below its target" if target is not None and value < target else shown


def reasons(change: Change) -> Iterator[str]:
    """Why a case has no ratio, each reason once."""
    absent = [change.energy, change.time, change.power]
    yield from dict.fromkeys(str(each) for each in absent if isinstance(each, Absent))


def paired(change: Change) -> str:
    """The change of the ratio to the baseline; empty where there is none."""
    parts = [
        f"{what} {percent(ratio)} %"
        for what, ratio in (("energy", change.paired_energy), ("time", change.paired_time))
        if not isinstance(ratio, Absent)
    ]
    return f"{PAIRED}: {', '.join(parts)}" if parts else ""


def forbidding(found: Changes) -> list[str]:
    """The differences that forbid ratios."""
    return [f"{d} (forbids {_what(d)})" for d in found.refusals]


def told(found: Changes) -> list[str]:
    """The differences that forbid nothing, and may still be the reason of a change."""
    own = [d for change in found.cases for d in change.differences]
    every: tuple[Difference, ...] = (*found.differences, *own)
    return [str(d) for d in dict.fromkeys(every) if d.forbids is Forbids.NOTHING]


def _what(difference: Difference) -> str:
    return "every ratio" if difference.forbids is Forbids.EVERYTHING else "ratios of energy"
