"""The least that a case must take by what the machine did at most; see `recompute`."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from recompute import Line, Number, by_process
from recompute_case import Case, centre_of
from recompute_parts import in_order
from recompute_screen import is_ceiling
from recompute_table import Table

PREFIX = "roofline:"
UNCOUNTED = "what a call does cannot be counted for this model"


@cache
def ratio_of(case: Case, *, energy: bool) -> Number | None:
    log = case.log(energy=energy)
    return log.number() if log else None


@cache
def energy_of(case: Case) -> Number | None:
    return case.energy()


@cache
def typical(case: Case) -> Number | None:
    """s per sample: the centre of the windows' median latencies ÷ batch."""
    timed = [window for window in case.own if window["latency_s"]]
    values = [window["latency_s"]["p50"] / case.record["batch"] for window in timed]
    if any(each <= 0 for each in values):
        return None
    processes = [window.get("process", 0) for window in timed]
    found = centre_of(by_process(values, processes, statistics.median))
    return found[0].number() if found else None


def scaled(found: Number, factor: float) -> Number:
    assert found.low is not None
    assert found.high is not None
    return Number(found.value * factor, found.low * factor, found.high * factor)


def inverse(found: Number) -> Number:
    assert found.low is not None
    assert found.high is not None
    return Number(1 / found.value, 1 / found.high, 1 / found.low)


def over(one: Number, other: Number) -> Number:
    """A quotient, over the ends of both intervals."""
    turned = inverse(other)
    low, high = (one.low or 0.0) * (turned.low or 0.0), (one.high or 0.0) * (turned.high or 0.0)
    return Number(one.value * turned.value, low, high)


@dataclass(frozen=True)
class Ceiling:
    """One of the roofline's own rows.

    Args:
        name: Such as ``copy-dram``.
        record: The case.
        work: Bytes or multiply-accumulates of a call.
        time: For one of them, s.
        energy: For one of them, J, or None.
    """

    name: str
    record: Line
    work: int
    time: Number
    energy: Number | None

    @property
    def copies(self) -> bool:
        return self.name.startswith("copy-")


@cache
def ceilings(table: Table) -> list[Ceiling]:
    found = []
    for case in in_order(table):
        record, time = case.record, typical(case)
        if is_ceiling(case) and time:
            name = record["workload"].removeprefix(PREFIX)
            work = record["bytes_moved" if name.startswith("copy-") else "macs"]
            name = name.removesuffix(f"-{record['threads']}t")
            spent = energy_of(case)
            each = scaled(spent, 1 / work) if spent else None
            found.append(Ceiling(name, record, work, scaled(time, 1 / work), each))
    return found


def beside(table: Table, case: Case) -> list[Ceiling]:
    """The ceilings on as many threads as a case has."""
    threads = case.record["threads"]
    return [each for each in ceilings(table) if each.record["threads"] == threads]


def products(table: Table, case: Case) -> list[Ceiling]:
    return [each for each in beside(table, case) if not each.copies]


def cache_bytes(table: Table) -> int | None:
    found: int | None = table.told.run["machine"].get("last_level_cache_bytes")
    return found if table.device == "cpu" else None


@dataclass(frozen=True)
class Floor:
    """The least time or energy of a sample, and the ceiling that it comes from."""

    ceiling: Ceiling
    least: Number


def floor(table: Table, case: Case, *, energy: bool = False) -> Floor | str:
    """The larger of the copy and the product, or why there is none."""
    record = case.record
    macs, moved = record["macs"], record.get("bytes_moved")
    if macs is None or moved is None:
        return UNCOUNTED
    held = cache_bytes(table)
    copy = "copy-dram" if held is not None and moved * record["batch"] > held else "copy-cache"
    copies = [each for each in beside(table, case) if each.name == copy]
    both = []
    for name, ceiling, work in (
        (copy, copies[0] if copies else None, moved),
        (f"gemm of {record['dtype']}", _own_product(table, case), macs),
    ):
        if ceiling is None:
            return missing(name, case)
        one = ceiling.energy if energy else ceiling.time
        if one is None:
            return missing(name, case)
        both.append(Floor(ceiling, scaled(one, work)))
    return max(both, key=lambda each: each.least.value)


def product_floor(table: Table, case: Case) -> Floor | str:
    """The least time of the products alone."""
    macs = case.record["macs"]
    if not macs:
        return UNCOUNTED
    own = _own_product(table, case)
    if own is None:
        return missing(f"gemm of {case.record['dtype']}", case)
    return Floor(own, scaled(own.time, macs))


def _own_product(table: Table, case: Case) -> Ceiling | None:
    dtype = case.record["dtype"]
    found = (each for each in products(table, case) if each.record["dtype"] == dtype)
    return next(found, None)


def missing(name: str, case: Case) -> str:
    threads = case.record["threads"]
    several = "s" if threads > 1 else ""
    return f"no roofline of {name} on {threads} thread{several}; run suites/roofline.py with it"


def reasons(shown: str) -> list[str] | None:
    """The reasons of a line of footnotes, in order; None if their marks are not 1, 2, ..."""
    marks = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    found = re.findall(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+) (.*?)(?:<br>|$)", shown)
    numbers = [int(mark.translate(marks)) for mark, _ in found]
    return [reason for _, reason in found] if numbers == list(range(1, len(found) + 1)) else None


def numbered(wanted: Sequence[str]) -> list[str]:
    """Reasons as they are met in the rows, each once."""
    return list(dict.fromkeys(wanted))
