"""The page's main table again, from the journal; see `recompute`."""

import math
import re
from collections.abc import Callable, Mapping

from page_pieces import Place, RowCheck, found_case, plain
from recompute import Number
from recompute_case import Case
from recompute_modelled import modelled
from recompute_parts import front, in_order, points
from recompute_screen import (
    by_setting,
    by_workload,
    crosses,
    kind_of,
    runs_in,
    winners,
)
from recompute_table import Table, number_of
from shown_numbers import (
    absent,
    even_half,
    half,
    number,
    outward,
    plus_minus,
    ratio,
    rounds_to,
    scaled,
    significant,
)


def quality(shown: str, case: Case, header: str) -> bool:
    found, change = case.quality(), case.quality_change()
    if found is None:
        return absent(shown)
    share = "%" in header
    level, _, moved = shown.partition(" (")
    fits = _with_half(level, found, share=share, digits=4)
    if case.is_baseline or change is None:
        return fits and not moved
    return fits and _with_half(moved.rstrip(")").lstrip("+"), change, share=share, digits=0)


def _with_half(shown: str, found: Number, *, share: bool, digits: int) -> bool:
    """``97.2 ± 0.4`` in per cent to one decimal, or in the metric's own unit."""
    value, _, side = shown.partition(" ± ")
    if bool(side) != (found.low is not None):
        return False
    if share:
        return rounds_to(value, 100 * found.value, 0.1) and (
            not side or rounds_to(side, 100 * even_half(found), 0.1)
        )
    fits = (
        significant(value, found.value, digits) if digits else rounds_to(value, found.value, 1e-3)
    )
    return fits and (not side or significant(side, even_half(found), 2))


def disk(shown: str, case: Case) -> bool:
    found: int | None = case.record["size_bytes"]["disk"]
    if found is None:
        return absent(shown)
    value, _, unit = shown.partition(" ")
    power = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3}[unit]
    if power == 0:
        return number(value) == found < 1024
    return found / 1024**power >= 1 and significant(value, found / 1024**power)


def words(table: Table, case: Case) -> str:
    """The last cell, as the words of docs/measuring.md."""
    log = case.energy_log() or case.time_log()
    target = table.told.run["settings"].get("target")
    ratio_ = log and log.number()
    noisy = ""
    if (
        ratio_
        and target is not None
        and math.log((ratio_.high or 0) / (ratio_.low or 1)) / 2 > target
    ):
        noisy = ", noisy"
    if case.is_baseline:
        return f"baseline{noisy}"
    if case.energy() is not None:
        return f"{table.verdict(case, energy=True)}{noisy}"
    by_time = table.verdict(case, energy=False)
    if by_time == "breaks quality":
        return f"not measured; {by_time}"
    return f"not measured; time: {by_time}{noisy}"


def latency(shown: str, case: Case, header: str) -> bool:
    both = [
        scaled(case.latency(name), header.replace("p50 / p99", "p50")) for name in ("p50", "p99")
    ]
    cells = shown.split(" / ")
    if None in both:
        return absent(shown)
    return all(
        significant(cell, each.value) for cell, each in zip(cells, both, strict=True) if each
    )


def level(shown: str, found: Number | None) -> bool:
    """``48.0 ± 0.9``, or a dash with a footnote."""
    return absent(shown) if found is None else plus_minus(shown, found.value, half(found))


def guess(shown: str, case: Case, header: str) -> bool:
    found = scaled(case.estimate(), header)
    if case.energy() is not None or found is None:
        return absent(shown)
    return outward(shown, found)


def model(shown: str, case: Case, header: str) -> bool:
    found = scaled(modelled(case.record), header)
    if case.energy() is not None or found is None:
        return absent(shown)
    return significant(shown.removesuffix(" mod."), found.value)


def fits(header: str, shown: str, table: Table, case: Case) -> bool:
    """Whether a cell says what the journal says; a column that is not known here is a fault."""
    cell, energy = shown.replace("*", ""), header.startswith("energy")
    record = case.record
    by_header: dict[str, Callable[[], bool]] = {
        r"variant": lambda: True,  # by it the case was found
        r"runtime": lambda: cell == str(record["runtime"]),
        r"runs in": lambda: cell == (runs_in(case) or "—"),
        r"quality.*": lambda: quality(cell, case, header),
        r"batch": lambda: cell == str(record["batch"]),
        r"latency p50 / p99, .*": lambda: latency(cell, case, header),
        r".*s per s": lambda: level(cell, case.throughput()),
        r"energy, .*": lambda: level(cell, scaled(case.energy(), header)),
        r"\*estimate, .*\*": lambda: guess(cell, case, header),
        r"\*modelled, .*\*": lambda: model(cell, case, header),
        r"(energy|time) ÷ baseline \[95 %\]": lambda: ratio(
            cell, number_of(case.log(energy=energy))
        ),
        r"(energy|time) ÷ best fp32 \[95 %\]": lambda: ratio(
            cell, table.best_fp32(case, energy=energy)
        ),
        r"power, .*": lambda: level(cell, scaled(case.power(), header)),
        r"on disk": lambda: disk(cell, case),
        r"kind": lambda: cell == kind_of(case).replace("absent", "—"),
        r"verdict": lambda: cell == words(table, case),
    }
    checks = [check for pattern, check in by_header.items() if re.fullmatch(pattern, header)]
    assert checks, f"the column {header!r} needs a recomputation"
    return checks[0]()


def row(place: Place, cells: Mapping[str, str]) -> bool:
    """A row of the main table, folded or not."""
    name = re.match(r"\*\*(.+?)\*\* · ", place.bold)
    if name is None:
        return False
    case = found_case(
        place.table,
        re.sub(" [●○]$", "", plain(cells["variant"])),
        batch=cells["batch"],
        workload=plain(name[1]),
        runtime=plain(cells.get("runtime", "")),
    )
    return marked(place.table, case, cells) and all(
        fits(header, shown, place.table, case) for header, shown in cells.items()
    )


def marked(table: Table, case: Case, cells: Mapping[str, str]) -> bool:
    """Whether what is bold is best, and what is marked is on the front of all runtimes."""
    record = case.record
    rows = by_setting(in_order(table))[record["workload"], record["batch"]]
    several = crosses(by_workload(table)[record["workload"]])
    cost = "energy" if not several or any(c.energy() is not None for c in rows) else "time"
    bold = ("variant", "runtime", cost, "verdict") if case in winners(table, rows) else ("no",)
    mark = ""
    if several and record["case"] in front(points(table, record["workload"], record["batch"])):
        mark = " ○" if case.breaks_quality() else " ●"
    return cells["variant"].strip("*").endswith(mark or ("●", "○")) == bool(mark) and all(
        shown.startswith("**") == header.startswith(bold) for header, shown in cells.items()
    )


ROWS: Mapping[str, RowCheck] = {
    r"variant \| (runtime \| runs in \| )?(quality.* \| )?batch \| .*"
    r"on disk \| (kind \| )?verdict": row
}
