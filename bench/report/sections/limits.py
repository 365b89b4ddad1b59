"""What limits each model here: its multiplications at this machine's rates, or what is around them.

Beside it stands what was asked for, after what another machine showed.
"""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.quantities import Absent
from bench.reference.published import Published
from bench.report import blocks, findings, text
from bench.report.best_runtime import FLOAT32, beside_best, best_fp32, crosses, runs_in
from bench.report.limits import Limit, Outcome, limit, outcomes, speedup
from bench.report.main_table import Footnotes, quality
from bench.report.markdown import Report
from bench.roofline import Ceiling, ceilings, gemms
from bench.statistics import Verdict

ORDER = 66
_FLOORS = (
    "The floor of a row is its multiply-accumulates at the rate of this machine's product of large"
    " matrices of the type that most of them run in, on as many threads (*Roofline of this"
    " machine*). Time ÷ floor says how much is around the multiplications: moving data, small or"
    " odd shapes, the runtime. *At most* is how many times faster than the baseline the row could"
    " be if every multiplication ran at that rate and nothing else took time. Algorithms that"
    " multiply less often, such as Winograd's, can lie below a floor."
)
_TARGETS = (
    "**What was asked for at least, without pruning.** The figures are after measurements on a CPU"
    " with AMX, which multiplies int8 and bfloat16 matrices as tiles: how far another CPU can"
    " follow, its own products say. Times faster than eager float32, as there."
)


def section(report: Report) -> str:
    """A part for each device with workloads in several runtimes: targets open, floors folded."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        rows = [row for _, group in findings.workloads(table) if crosses(group) for row in group]
        found = ceilings(table)
        name = f" · {findings.heading(table, report.tables)}" if several else ""
        if asked := outcomes(table, found):
            body = f"{_TARGETS}\n\n{_targets(table, asked, found)}"
            parts.append(blocks.details(f"What was asked for, and what limits it{name}", body))
        if rows and found:
            body = f"{_FLOORS}\n\n{_floors(table, rows, found)}"
            parts.append(blocks.details(f"What limits each model{name}", body))
    return "\n\n".join(parts)


def _floors(table: Table, rows: Sequence[Row], found: Sequence[Ceiling]) -> str:
    notes = Footnotes()
    header = (
        "workload", "variant", "runtime", "runs in", "batch", "MACs per sample", "floor",
        "time ÷ floor [95 %]", "baseline ÷ time [95 %]", "at most",
    )  # fmt: skip
    lines = [_floor_cells(limit(table, row, found), notes) for row in rows]
    return "\n\n".join((blocks.table(header, lines, left=4), *notes.lines()))


def _floor_cells(found: Limit, notes: Footnotes) -> tuple[str, ...]:
    row, floor, faster = found.row, found.floor, speedup(found.row)
    shown = notes.mark(floor) if isinstance(floor, Absent) else _seconds(floor.value)
    return (
        text.escape(row.case.workload),
        text.escape(row.case.label),
        text.escape(row.case.runtime),
        text.escape(runs_in(row.case)) or "—",
        str(row.case.batch),
        text.count(row.case.macs),
        shown,
        text.ratio(found.times) if found.times else "—",
        "1" if row.is_baseline else text.ratio(faster) if faster else "—",
        _times(found.most),
    )


def _seconds(value: float) -> str:
    scale = text.prefix([value])
    return f"{text.significant(value / scale.factor)} {scale.symbol}s"


def _times(value: float | None) -> str:
    return "—" if value is None else f"{text.significant(value, 2)}×"


def _targets(table: Table, asked: Sequence[Outcome], found: Sequence[Ceiling]) -> str:
    header = (
        "workload", "batch", "asked for", "best here, within quality", "÷ best fp32 runtime",
        "result", "what limits it", "smaller model here", "there: best; fp32 runtime; half pruned",
    )  # fmt: skip
    lines = [_target_cells(table, each, found) for each in asked]
    return blocks.table(header, lines, left=1, last=4)


def _target_cells(table: Table, found: Outcome, ceilings_: Sequence[Ceiling]) -> tuple[str, ...]:
    words = {True: "reached", False: "**missed**", None: "unresolved"}
    return (
        text.escape(found.workload),
        str(found.batch),
        _times(found.target.least.value),
        _named(found.best),
        _beside_fp32(table, found.best),
        words[found.reached],
        "—" if found.reached else _why(table, found, ceilings_),
        _smaller(found.smaller),
        "; ".join(
            _there(each)
            for each in (
                found.target.best,
                found.target.best_fp32_runtime,
                found.target.half_pruned,
            )
        ),
    )


def _named(row: Row | None) -> str:
    """A row with how many times faster it is than its baseline."""
    faster = speedup(row) if row else None
    if row is None or faster is None:
        return "none"
    return f"{text.ratio(faster)} {text.escape(f'{row.case.label} · {row.case.runtime}')}"


def _beside_fp32(table: Table, row: Row | None) -> str:
    """How many times faster than the best float32 runtime."""
    if row is None:
        return "—"
    beside = beside_best(row, table.rows, energy=False)
    runtime = text.escape(best_fp32(row, table.rows, energy=False).runtime)
    return f"{text.significant(1 / beside.value)}× ({runtime})" if beside else f"1 ({runtime})"


def _smaller(row: Row | None) -> str:
    """The fastest smaller model with its quality, for it need not hold it."""
    if row is None or row.case.quality is None:
        return _named(row)
    share = findings.is_share(row)
    return f"{_named(row)}; quality {quality(row, share=share)}{' %' if share else ''}"


def _there(row: Published) -> str:
    return f"{text.significant(row.value or 0.0)}× {text.escape(row.layer)}".strip()


def _why(table: Table, found: Outcome, ceilings_: Sequence[Ceiling]) -> str:
    """What kept the best from the target: the machine's products, or what is around them."""
    row = found.best or found.fastest
    if found.ceiling is None or row is None:
        return "unknown: no roofline in this journal; run suites/roofline.py with it"
    broken = ""
    if found.best is None:
        fails = row.time_verdict is Verdict.BREAKS_QUALITY
        broken = f"{_named(row)} breaks quality; " if fails else "nothing saves; "
    least = found.target.least.value or 0.0
    dtype, most = found.ceiling
    own = limit(table, row, ceilings_)
    if own.times is not None and own.times.value < 1:
        return (
            f"{broken}nothing that this roofline shows: the best takes"
            f" {text.significant(own.times.value, 2)} times the floor of its"
            f" {text.escape(row.case.dtype)} product"
        )
    if most < least:
        return (
            f"{broken}this machine's multiplications: if all of them ran at the rate of its"
            f" {dtype} product{_beside_float32(row, ceilings_)}, {_times(most)} were the most"
        )
    if own.most is not None and own.most < least:
        return (
            f"{broken}the type: {text.escape(row.case.dtype)} products allow {_times(own.most)} at"
            f" most, {dtype} ones {_times(most)}"
        )
    around = (
        f", which takes {text.significant(own.times.value, 2)} times its floor" if own.times else ""
    )
    return (
        f"{broken}what is around the multiplications of the best{around}; at the rate of the"
        f" {dtype} product {_times(most)} were the most"
    )


def _beside_float32(row: Row, found: Sequence[Ceiling]) -> str:
    """How much faster the fastest product is than that of float32."""
    known = {each.dtype: each.rate.value for each in gemms(row.case, found)}
    if FLOAT32 not in known:
        return ""
    return f" ({text.significant(max(known.values()) / known[FLOAT32], 2)} times float32's)"
