"""Which cases a row or a line of a folded part is about; nothing of `bench`."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from page_pieces import Place, label_of, plain
from recompute_case import Case
from recompute_parts import in_order
from recompute_table import Table


def workload_of(place: Place) -> str:
    """The workload that the line in bold above a table names, alone or before a device."""
    named = re.match(r"\*\*(.+?)( · .+)?\*\*( · .+)?$", place.bold)
    if not named:
        raise LookupError(f"{place.bold!r} names no workload")
    return plain(named[1])


@cache
def name_of(table: Table, case: Case) -> str:
    """``technique@level``, with the runtime behind it where the device ran several."""
    runtimes = {each.record["runtime"] for each in table.cases.values()}
    return f"{label_of(case)} · {case.record['runtime']}" if len(runtimes) > 1 else label_of(case)


@cache
def short_name_of(table: Table, case: Case) -> str:
    """The same with only those parameters in which the technique's cases differ."""
    technique = case.record["technique"]
    levels = [
        each.record["level"]
        for each in table.cases.values()
        if each.record["technique"] == technique
    ]
    telling = {
        name: value
        for name, value in case.record["level"].items()
        if any(level.get(name) != value for level in levels)
    }
    return name_of(table, Case(case.told, {**case.record, "level": telling}))


def one_case(place: Place, cells: Mapping[str, str]) -> Case:
    """The case of a row that names variant and batch, and its workload here or above."""
    workload = plain(cells["workload"]) if "workload" in cells else workload_of(place)
    (case,) = [
        case
        for case in place.table.cases.values()
        if name_of(place.table, case) == plain(cells["variant"])
        and case.record["workload"] == workload
        and str(case.record["batch"]) == cells["batch"]
    ]
    return case


def batches_of(place: Place, cells: Mapping[str, str], among: Sequence[Case]) -> list[Case]:
    """The cases of a row that stands for several batches of a variant, smallest batch first.

    Args:
        place: Where the row stands.
        cells: It; without a column ``batch`` it stands for all of them.
        among: The cases that are listed there, in their order.
    """
    wanted = cells["batch"].split(", ") if "batch" in cells else None
    found = [
        case
        for case in among
        if name_of(place.table, case) == plain(cells["variant"])
        and case.record["workload"] == workload_of(place)
        and (wanted is None or str(case.record["batch"]) in wanted)
    ]
    if not found or (wanted and [str(case.record["batch"]) for case in found] != wanted):
        raise LookupError(f"nothing is called {cells}")
    return found


def workload_cases(place: Place) -> list[Case]:
    """The cases of the workload that the line in bold names."""
    cases = [c for c in in_order(place.table) if c.record["workload"] == workload_of(place)]
    if not cases:
        raise LookupError(f"{place.bold!r} names no workload of the device")
    return cases
