"""Two runs beside each other as Markdown, and as JSON in SI units."""

import json
from collections.abc import Iterator
from typing import Any

from bench.compare import Row
from bench.history.changes import Change, Changes
from bench.history.differences import Difference
from bench.quantities import Absent, Quantity
from bench.record import Run
from bench.report import blocks, change_text, text
from bench.report.main_table import Footnotes
from bench.statistics import Interval

SCHEMA = 1
_HEADER = (
    "case", "energy, % [95 %]", "= time, %", "× power, %", "says", "beside its baseline, energy, %",
    "time, %", "before → after",
)  # fmt: skip

_HOW = (
    f"{change_text.UNPAIRED[0].upper()}{change_text.UNPAIRED[1:]}. Energy is time × power."
    " *Beside its baseline* is the change of the ratio to the baseline that ran next to it, which"
    " is free of the night."
)


def page(found: Changes) -> str:
    """The page: the same journals give the same bytes."""
    parts = [
        f"# What changed: {text.escape(change_text.verdict(found))}",
        blocks.bullets(
            f"{name}: {text.escape(change_text.run(journal.run, journal.path.name))}"
            for name, journal in (("before", found.before), ("after", found.after))
        ),
        *_forbidding(found),
        _HOW,
        *_tables(found),
        *_told(found),
    ]
    return "\n\n".join(parts) + "\n"


def _forbidding(found: Changes) -> Iterator[str]:
    lines = [text.escape(each) for each in change_text.forbidding(found)]
    if lines:
        yield f"**Not comparable:**\n\n{blocks.bullets(lines)}"


def _told(found: Changes) -> Iterator[str]:
    lines = [text.escape(each) for each in change_text.told(found)]
    if lines:
        yield blocks.details(f"Also changed: {len(lines)}", blocks.bullets(lines))


def _tables(found: Changes) -> Iterator[str]:
    workloads: dict[str, list[Change]] = {}
    for change in found.cases:
        workloads.setdefault(change.case.partition("/")[0], []).append(change)
    for name, its in workloads.items():
        notes = Footnotes()
        rows = [_row(change, notes) for change in its]
        grid = blocks.table(_HEADER, rows, left=1, last=1)
        yield "\n\n".join((f"**{text.escape(name)}**", grid, *notes.lines()))


def _row(change: Change, notes: Footnotes) -> tuple[str, ...]:
    def cell(ratio: Interval | Absent) -> str:
        if isinstance(ratio, Absent):
            return notes.mark(ratio)
        return change_text.percent(ratio)

    name = change.case.partition("/")[2] or change.case
    values = "<br>".join(text.escape(each) for each in change_text.values(change))
    ratios = [cell(ratio) for ratio in (change.energy, change.time, change.power)]
    beside = [cell(ratio) for ratio in (change.paired_energy, change.paired_time)]
    return (text.escape(name), *ratios, text.escape(change_text.word(change)), *beside, values)


def as_json(found: Changes) -> str:
    """The same for programs; what is absent has its reason."""
    fields = {
        "schema": SCHEMA,
        "unpaired": True,
        "before": _run(found.before.run, found.before.path.name),
        "after": _run(found.after.run, found.after.path.name),
        "differences": [_difference(each) for each in found.differences],
        "cases": [_case(change) for change in found.cases],
    }
    return json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _run(run: Run, name: str) -> dict[str, Any]:
    return {
        "journal": name,
        "run": run.run_id,
        "started": run.started,
        "git": run.git,
        "machine": run.machine.get("id"),
    }


def _difference(each: Difference) -> dict[str, str]:
    return {
        "what": each.what,
        "before": each.before,
        "after": each.after,
        "forbids": str(each.forbids),
    }


def _case(change: Change) -> dict[str, Any]:
    return {
        "case": change.case,
        "word": str(change.word),
        "time_word": str(change.time_word),
        "ratios": {
            "energy": _value(change.energy),
            "time": _value(change.time),
            "power": _value(change.power),
            "energy_beside_baseline": _value(change.paired_energy),
            "time_beside_baseline": _value(change.paired_time),
        },
        "before": _side(change.before),
        "after": _side(change.after),
        "differences": [_difference(each) for each in change.differences],
    }


def _side(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    time = row.budgets.time
    seconds = (
        Interval(time.value, time.value - time.half, time.value + time.half, time.n)
        if time
        else None
    )
    return {
        "energy_j_per_sample": _value(row.energy),
        "time_s_per_sample": _value(seconds),
        "power_w": _value(row.power),
        "quality": row.case.quality,
        "size_bytes": row.case.size_bytes.get("disk"),
        "sample": row.case.unit,
    }


def _value(value: Interval | Quantity | Absent | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, Absent):
        return {"absent": str(value)}
    ends = {"value": value.value, "low": value.low, "high": value.high}
    if isinstance(value, Quantity):
        return {**ends, "kind": str(value.kind), "boundary": value.boundary}
    return {**ends, "n": value.n}
