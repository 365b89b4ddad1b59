"""What keeps a model from being faster, and what became of a target; see `recompute`."""

import statistics
from dataclasses import dataclass
from functools import cache

from recompute import Number
from recompute_case import Case
from recompute_parts import in_order
from recompute_published import targets, value
from recompute_roofline import (
    inverse,
    over,
    product_floor,
    products,
    ratio_of,
    typical,
)
from recompute_screen import crosses, is_smaller, verdict
from recompute_table import Table


def faster(case: Case) -> Number | None:
    """How many times faster than its baseline."""
    ratio = None if case.is_baseline else ratio_of(case, energy=False)
    return ratio and inverse(ratio)


def times_floor(table: Table, case: Case) -> Number | None:
    """The time as a multiple of that of the products."""
    least, time = product_floor(table, case), typical(case)
    return None if isinstance(least, str) or time is None else over(time, least.least)


def most(table: Table, case: Case) -> float | None:
    """How many times faster than the baseline the products alone would be."""
    multiple, speed = times_floor(table, case), Number(1.0) if case.is_baseline else faster(case)
    return multiple.value * speed.value if multiple and speed else None


def fastest(rows: list[Case]) -> Case | None:
    found = [(ratio.value, case) for case in rows if (ratio := ratio_of(case, energy=False))]
    return min(found, key=lambda each: each[0], default=(0.0, None))[1]


@dataclass(frozen=True)
class Outcome:
    """What became of a target.

    Args:
        least: How many times faster than eager float32 the best was to be.
        best: The fastest that is not smaller and saves.
        whole: The fastest that is not smaller.
        smaller: The fastest that is.
        ceiling: The type of the fastest product, and how many times faster it would make the model.
    """

    least: float
    best: Case | None
    whole: Case | None
    smaller: Case | None
    ceiling: tuple[str, float] | None

    @property
    def reached(self) -> str:
        speed = faster(self.best) if self.best else None
        if speed is None or (speed.high or 0.0) < self.least:
            return "missed"
        return "reached" if (speed.low or 0.0) >= self.least else "unresolved"


@cache
def outcome(table: Table, workload: str, batch: int) -> Outcome | None:
    asked = targets(workload, batch)
    rows = [
        case
        for case in in_order(table)
        if (case.record["workload"], case.record["batch"]) == (workload, batch)
    ]
    if not asked or table.device != "cpu" or not crosses(rows):
        return None
    variants = [case for case in rows if faster(case)]
    whole = [case for case in variants if not is_smaller(case, rows)]
    saves = [case for case in whole if verdict(table, case, energy=False) == "saves"]
    return Outcome(
        value(asked["target"]),
        fastest(saves),
        fastest(whole),
        fastest([case for case in variants if case not in whole]),
        _ceiling(table, whole),
    )


def _ceiling(table: Table, rows: list[Case]) -> tuple[str, float] | None:
    """The median over the rows of the baseline's time, which each tells by its own pairs."""
    found = []
    for case in rows:
        time, speed, known = typical(case), faster(case), products(table, case)
        if time and speed and known and case.record["macs"]:
            quick = min(known, key=lambda each: each.time.value)
            alone = quick.time.value * case.record["macs"]
            found.append((quick.record["dtype"], time.value * speed.value / alone))
    return (found[0][0], statistics.median(value for _, value in found)) if found else None


def float32_quotient(table: Table, case: Case) -> float | None:
    """How many times as fast as that of float32 the fastest product is."""
    known = {each.record["dtype"]: each.time.value for each in products(table, case)}
    return known["float32"] / min(known.values()) if "float32" in known else None
