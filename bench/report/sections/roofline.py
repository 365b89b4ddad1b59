"""The roofline: what this machine can do at most, and how far above its floor each case lies."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.quantities import Absent
from bench.report import blocks, findings, text
from bench.report.main_table import Footnotes
from bench.report.markdown import Report
from bench.roofline import (
    Ceiling,
    Limb,
    ceilings,
    floor_of,
    is_ceiling,
    joules_of,
    multiple,
    scaled,
)
from bench.typical_time import seconds_per_sample

ORDER = 67
_SAID = (
    "A copy of n bytes moves 2 n: it reads them and it writes them; a kernel that only reads may be"
    " faster, so that a multiple below 1 can be true. A MAC is a multiplication with its addition."
    " Times are median latencies, as in the ratios. A floor is the larger of bytes × time per byte"
    " (weights as stored, inputs and outputs, each once) and MACs × time per MAC at the type that"
    " is multiplied, on as many threads. Bytes count at the rate beyond the caches if a call moves"
    " more than the last-level cache{cache} holds, else at the rate within them."
    " Beside it stand the bytes that a sample moves, and how many a case moves in a second over"
    " what the copy beyond the caches does: above 1 they lie in a cache."
)
_GIGA = 1e9


def section(report: Report) -> str:
    """A folded part for each device that has roofline rows; nothing without any."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if found := ceilings(table):
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"Roofline of this machine{name}", _body(table, found)))
    return "\n\n".join(parts)


def last_level_cache(table: Table) -> int | None:
    """Bytes of the last-level cache of the CPU that was measured; None if it is unknown."""
    found = table.journal.run.machine.get("last_level_cache_bytes")
    return found if isinstance(found, int) and table.device == "cpu" else None


def _body(table: Table, found: Sequence[Ceiling]) -> str:
    cache = last_level_cache(table)
    said = _SAID.format(cache=f" ({text.size(cache)})" if cache else "")
    parts = [said, _rates(found)]
    if rows := [row for row in table.rows if not is_ceiling(row.case)]:
        parts.append(_floors(table, rows, found))
    return "\n\n".join(parts)


def _rates(found: Sequence[Ceiling]) -> str:
    """What a byte and a multiplication cost at least."""
    measured = any(each.joules for each in found)
    header = ("ceiling", "threads", "work of a call", "rate", "time for one")
    lines = []
    for each in found:
        unit = "B" if each.limb is Limb.MEMORY else "MAC"
        work = text.size(each.work) if each.limb is Limb.MEMORY else f"{text.count(each.work)} MAC"
        rate = text.interval(scaled(each.rate, 1 / _GIGA))
        cells = [text.escape(each.name), str(each.threads), work, f"{rate} G{unit}/s"]
        cells.append(f"{text.interval(scaled(each.seconds, 1e12))} ps")
        if measured:
            joules = each.joules
            cells.append(f"{text.interval(scaled(joules, 1e12))} pJ" if joules else "—")
        lines.append(cells)
    return blocks.table((*header, *(["energy for one"] if measured else [])), lines)


def _floors(table: Table, rows: Sequence[Row], found: Sequence[Ceiling]) -> str:
    """Each case as a multiple of its floor, in time, and in joules where they were measured."""
    notes = Footnotes()
    measured = findings.is_measured(table) and any(each.joules for each in found)
    header = ["workload", "variant", "batch", "bytes moved", "bytes per s ÷ copy-dram"]
    header += ["time ÷ floor", "bound by", "floor"]
    header += ["energy ÷ floor", "bound by", "floor"] if measured else []
    lines = []
    for row in rows:
        cells = [
            text.escape(row.case.workload),
            text.escape(findings.label(row, table.rows)),
            str(row.case.batch),
            text.size(row.case.bytes_moved),
            _share_of_copy(table, row, found),
            *_against(table, row, found, notes, energy=False),
        ]
        if measured:
            cells += _against(table, row, found, notes, energy=True)
        lines.append(cells)
    return "\n\n".join((blocks.table(header, lines, left=2), *notes.lines()))


def _share_of_copy(table: Table, row: Row, found: Sequence[Ceiling]) -> str:
    """Bytes that a case moves in a second, over those that a copy beyond the caches does."""
    copies = [
        each for each in found if each.name == "copy-dram" and each.threads == row.case.threads
    ]
    cost = seconds_per_sample(table.journal, row.case)
    if not copies or cost is None or row.case.bytes_moved is None:
        return "—"
    return text.ratio(multiple(scaled(copies[0].seconds, row.case.bytes_moved), cost))


def _against(
    table: Table, row: Row, found: Sequence[Ceiling], notes: Footnotes, *, energy: bool
) -> tuple[str, str, str]:
    """The multiple, which limb binds, and the floor itself."""
    least = floor_of(row.case, found, last_level_cache(table), energy=energy)
    if isinstance(least, Absent):
        return notes.mark(least), "—", "—"
    scale = text.prefix([least.least.value])
    shown = text.significant(least.least.value / scale.factor)
    floor = f"{shown} {scale.symbol}{'J' if energy else 's'}"
    cost = joules_of(row) if energy else seconds_per_sample(table.journal, row.case)
    if cost is None or least.least.low <= 0:
        return "—", f"{least.limb} ({text.escape(least.ceiling)})", floor
    times = text.ratio(multiple(cost, least.least))
    return times, f"{least.limb} ({text.escape(least.ceiling)})", floor
