"""What limits each model, and what became of the targets, again; see `recompute_limits`."""

import re
from collections.abc import Mapping

from page_pieces import LineCheck, Place, RowCheck, found_case, label_of, plain
from recompute_case import Case
from recompute_limits import (
    Outcome,
    faster,
    float32_quotient,
    most,
    outcome,
    times_floor,
)
from recompute_published import targets, value
from recompute_roofline import product_floor
from recompute_screen import runs_in, verdict
from recompute_table import Table
from shown_digits import interval, is_count, is_interval, is_prefixed, is_times, sig, times
from shown_main_table import quality
from shown_roofline import limit_reasons, mark

ASKED = (
    "**What was asked for at least, without pruning.** The figures are after measurements on a CPU"
    " with AMX, which multiplies int8 and bfloat16 matrices as tiles: how far another CPU can"
    " follow, its own products say. Times faster than eager float32, as there."
)
NO_ROOFLINE = "unknown: no roofline in this journal; run suites/roofline.py with it"


def limit(place: Place, cells: Mapping[str, str]) -> bool:
    """A row of *What limits each model*."""
    table = place.table
    case = found_case(
        table,
        plain(cells["variant"]),
        batch=cells["batch"],
        workload=plain(cells["workload"]),
        runtime=plain(cells["runtime"]),
    )
    least = product_floor(table, case)
    shown = cells["floor"]
    return (
        plain(cells["runs in"]) == (runs_in(case) or "—")
        and is_count(cells["MACs per sample"], case.record["macs"])
        and (
            mark(shown, least, limit_reasons(table))
            if isinstance(least, str)
            else is_prefixed(shown, least.least.value, "s")
        )
        and is_interval(cells["time ÷ floor [95 %]"], times_floor(table, case))
        and (
            cells["baseline ÷ time [95 %]"] == "1"
            if case.is_baseline
            else is_interval(cells["baseline ÷ time [95 %]"], faster(case))
        )
        and is_times(cells["at most"], most(table, case))
    )


def target(place: Place, cells: Mapping[str, str]) -> bool:
    """A row of *What was asked for*."""
    table, workload, batch = place.table, plain(cells["workload"]), int(cells["batch"])
    found = outcome(table, workload, batch)
    assert found is not None
    there = targets(workload, batch)
    shown = (
        f"{sig(value(row))}× {row['layer']}".strip()
        for row in (there["best"], there["best_fp32_runtime"], there["half_pruned"])
    )
    why = cells["what limits it"]
    return (
        is_times(cells["asked for"], found.least)
        and _named(plain(cells["best here, within quality"]), found.best)
        and _beside(plain(cells["÷ best fp32 runtime"]), table, found.best)
        and plain(cells["result"]) == found.reached
        and (why == "—" if found.reached == "reached" else plain(why) == limited_by(table, found))
        and _smaller(plain(cells["smaller model here"]), found.smaller)
        and plain(cells["there: best; fp32 runtime; half pruned"]) == "; ".join(shown)
    )


def _name(case: Case) -> str:
    return f"{label_of(case)} · {case.record['runtime']}"


def _named(shown: str, case: Case | None) -> bool:
    """``2.78 [2.67, 2.89] precision@dtype=bf16 · openvino``."""
    if case is None:
        return shown == "none"
    speed = shown.removesuffix(f" {_name(case)}")
    return speed != shown and is_interval(speed, faster(case))


def _beside(shown: str, table: Table, case: Case | None) -> bool:
    if case is None:
        return shown == "—"
    _, name = table.best_runtime(case, energy=False)
    ratio = table.best_fp32(case, energy=False)
    speed = f"{sig(1 / ratio.value)}×" if ratio else "1"
    return shown == f"{speed} ({name.split('/')[-3]})"


def _smaller(shown: str, case: Case | None) -> bool:
    """The fastest smaller model, with its quality."""
    if case is None or case.record["quality"] is None:
        return _named(shown, case)
    speed, _, rest = shown.partition("; quality ")
    share = rest.removesuffix(" %")
    return _named(speed, case) and quality(share, case, "%" if share != rest else "")


def limited_by(table: Table, found: Outcome) -> str:
    """What kept the best from the target."""
    case = found.best or found.whole
    if found.ceiling is None or case is None:
        return NO_ROOFLINE
    broken, dtype, above = "", case.record["dtype"], times_floor(table, case)
    if found.best is None:
        speed = faster(case)
        assert speed is not None
        fails = verdict(table, case, energy=False) == "breaks quality"
        named = f"{interval(speed)} {_name(case)} breaks quality; "
        broken = named if fails else "nothing saves; "
    if above and above.value < 1:
        return (
            f"{broken}nothing that this roofline shows: the best takes {sig(above.value, 2)} times"
            f" the floor of its {dtype} product"
        )
    return broken + _above_floor(table, case, found)


def _above_floor(table: Table, case: Case, found: Outcome) -> str:
    """The machine's products, those of the type, or what is around them."""
    assert found.ceiling is not None
    quick, ceiling = found.ceiling
    own, above, float32 = most(table, case), times_floor(table, case), float32_quotient(table, case)
    if ceiling < found.least:
        beside = f" ({sig(float32, 2)} times float32's)" if float32 else ""
        return (
            "this machine's multiplications: if all of them ran at the rate of its"
            f" {quick} product{beside}, {times(ceiling)} were the most"
        )
    if own is not None and own < found.least:
        return (
            f"the type: {case.record['dtype']} products allow {times(own)} at most,"
            f" {quick} ones {times(ceiling)}"
        )
    taken = f", which takes {sig(above.value, 2)} times its floor" if above else ""
    return (
        f"what is around the multiplications of the best{taken}; at the rate of the"
        f" {quick} product {times(ceiling)} were the most"
    )


ROWS: Mapping[str, RowCheck] = {
    r"workload \| variant \| runtime \| runs in \| batch \| MACs per sample \| floor"
    r" \| time ÷ floor \[95 %\] \| baseline ÷ time \[95 %\] \| at most": limit,
    r"workload \| batch \| asked for \| best here, within quality \| ÷ best fp32 runtime"
    r" \| result \| what limits it \| smaller model here"
    r" \| there: best; fp32 runtime; half pruned": target,
}
LINES: Mapping[str, LineCheck] = {
    re.escape(ASKED): lambda place, _: place.fold.startswith("What was asked for"),
}
