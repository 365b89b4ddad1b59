"""The folded part of the roofline again; see `recompute_roofline`."""

import re
from collections.abc import Mapping, Sequence

from page_cases import one_case
from page_pieces import LineCheck, Place, RowCheck, plain
from recompute import Number
from recompute_case import Case
from recompute_parts import in_order, is_measured
from recompute_roofline import (
    beside,
    cache_bytes,
    ceilings,
    energy_of,
    floor,
    inverse,
    numbered,
    over,
    product_floor,
    reasons,
    scaled,
    typical,
)
from recompute_screen import is_ceiling
from recompute_table import Table, is_crossed
from shown_digits import is_count, is_interval, is_prefixed, is_size
from shown_numbers import half, plus_minus

SAID = (
    "A copy of n bytes moves 2 n: it reads them and it writes them; a kernel that only reads may be"
    " faster, so that a multiple below 1 can be true. A MAC is a multiplication with its addition."
    " Times are median latencies, as in the ratios. A floor is the larger of bytes × time per byte"
    " (weights as stored, inputs and outputs, each once) and MACs × time per MAC at the type that"
    " is multiplied, on as many threads. Bytes count at the rate beyond the caches if a call moves"
    " more than the last-level cache{} holds, else at the rate within them."
    " Beside it stand the bytes that a sample moves, and how many a case moves in a second over"
    " what the copy beyond the caches does: above 1 they lie in a cache."
)
NAME = "Roofline of this machine"
FLOORS = "What limits each model"


def said(place: Place, found: re.Match[str]) -> bool:
    held = cache_bytes(place.table)
    shown = found[1]
    if held is None:
        return not shown
    return shown.startswith(" (") and shown.endswith(")") and is_size(shown[2:-1], held)


def rate(place: Place, cells: Mapping[str, str]) -> bool:
    """What a byte or a multiply-accumulate costs at least."""
    named = plain(cells["ceiling"]), cells["threads"]
    each, *others = (
        each for each in ceilings(place.table) if (each.name, str(each.record["threads"])) == named
    )
    work, unit = cells["work of a call"], "GB/s" if each.copies else "GMAC/s"
    worked = (
        is_size(work, each.work)
        if each.copies
        else is_count(work.removesuffix(" MAC"), each.work) and work.endswith(" MAC")
    )
    spent = cells.get("energy for one", "—")
    return (
        not others
        and worked
        and _level(cells["rate"], scaled(inverse(each.time), 1e-9), unit)
        and _level(cells["time for one"], scaled(each.time, 1e12), "ps")
        and (_level(spent, scaled(each.energy, 1e12), "pJ") if each.energy else spent == "—")
    )


def _level(shown: str, found: Number, unit: str) -> bool:
    value, _, own = shown.rpartition(" ")
    return own == unit and plus_minus(value, found.value, half(found))


def against(place: Place, cells: Mapping[str, str]) -> bool:
    """A case as a multiple of its floor."""
    table = place.table
    case = one_case(place, cells)
    time, moved = typical(case), case.record.get("bytes_moved")
    copy = next((each for each in beside(table, case) if each.name == "copy-dram"), None)
    share = over(scaled(copy.time, moved), time) if copy and time and moved is not None else None
    parts = [("time ÷ floor", "bound by", "floor")]
    parts += [("energy ÷ floor", "bound by (2)", "floor (2)")] if len(cells) > 8 else []
    return (
        is_size(cells["bytes moved"], moved)
        and is_interval(cells["bytes per s ÷ copy-dram"], share)
        and all(
            _bound([cells[name] for name in names], table, case, energy=bool(energy))
            for energy, names in enumerate(parts)
        )
    )


def _bound(shown: Sequence[str], table: Table, case: Case, *, energy: bool) -> bool:
    """The multiple of a floor, what it comes from, and the floor."""
    least, cost = floor(table, case, energy=energy), energy_of(case) if energy else typical(case)
    if isinstance(least, str):
        return list(shown[1:]) == ["—", "—"] and mark(shown[0], least, _reasons(table))
    limb = "memory" if least.ceiling.copies else "arithmetic"
    return (
        is_interval(shown[0], over(cost, least.least) if cost else None)
        and plain(shown[1]) == f"{limb} ({least.ceiling.name})"
        and is_prefixed(shown[2], least.least.value, "J" if energy else "s")
    )


def mark(shown: str, reason: str, all_reasons: list[str]) -> bool:
    """A dash with the number of its reason."""
    digits = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return shown == "—" + str(all_reasons.index(reason) + 1).translate(digits)


def _reasons(table: Table) -> list[str]:
    """Why rows have no floor, as they are met from left to right."""
    measured = any(each.energy for each in ceilings(table))
    measured = measured and is_measured(table)
    found = (
        floor(table, case, energy=energy)
        for case in in_order(table)
        if not is_ceiling(case)
        for energy in ([False, True] if measured else [False])
    )
    return numbered([each for each in found if isinstance(each, str)])


def limited(table: Table) -> list[Case]:
    """The rows of *What limits each model*: those of workloads that run in several runtimes."""
    crossed = {case.record["workload"] for case in table.cases.values() if is_crossed(case)}
    return [case for case in in_order(table) if case.record["workload"] in crossed]


def limit_reasons(table: Table) -> list[str]:
    found = (product_floor(table, case) for case in limited(table))
    return numbered([each for each in found if isinstance(each, str)])


def notes(place: Place, found: re.Match[str]) -> bool:
    """The reasons of what is absent, in the order in which the rows meet them."""
    if place.fold.startswith(NAME):
        return reasons(found[1]) == _reasons(place.table)
    return place.fold.startswith(FLOORS) and reasons(found[1]) == limit_reasons(place.table)


ROWS: Mapping[str, RowCheck] = {
    r"ceiling \| threads \| work of a call \| rate \| time for one( \| energy for one)?": rate,
    r"workload \| variant \| batch \| bytes moved \| bytes per s ÷ copy-dram \| time ÷ floor"
    r" \| bound by \| floor( \| energy ÷ floor \| bound by \| floor)?": against,
}
LINES: Mapping[str, LineCheck] = {
    r"(.*?)".join(map(re.escape, SAID.split("{}"))): said,
    r"<sub>(?P<floors>¹ .*)</sub>": notes,
}
