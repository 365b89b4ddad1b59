"""The least that a case must take here, by what this machine can do at most: pure functions.

A floor is the longer of two limbs: bytes over the rate at which they are copied, multiplications
over the rate at which a product of large matrices does them. Both rates were measured in the same
session as the case, by the workloads ``roofline:…``.

Source: Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model";
Choi et al. 2013, "A Roofline Model of Energy", for joules in place of seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.compare import Table
from bench.quantities import Absent, Quantity
from bench.record import CaseRecord
from bench.row import Row
from bench.statistics import Interval
from bench.typical_time import seconds_per_sample

PREFIX = "roofline:"


class Limb(StrEnum):
    """What bounds a case."""

    MEMORY = "memory"
    ARITHMETIC = "arithmetic"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What one ``roofline:…`` row says.

    Args:
        name: Such as ``copy-dram`` or ``gemm-int8``, without the threads.
        threads: CPU threads that it ran on.
        limb: What it bounds.
        dtype: What was multiplied, as the records name it; None for a copy.
        work: Bytes or multiply-accumulates of a call.
        seconds: For a byte or a multiply-accumulate, s.
        joules: For the same, J, if an instrument measured it.
    """

    name: str
    threads: int
    limb: Limb
    dtype: str | None
    work: int
    seconds: Interval
    joules: Interval | None

    @property
    def rate(self) -> Interval:
        """Bytes or multiply-accumulates per second."""
        one = self.seconds
        return Interval(1 / one.value, 1 / one.high, 1 / one.low, one.n)


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that a sample of a case takes, in s or J.

    Args:
        limb: Which limb is the longer one.
        ceiling: The name of the row that it comes from.
        least: The floor, with the interval of its ceiling.
    """

    limb: Limb
    ceiling: str
    least: Interval


def is_ceiling(case: CaseRecord) -> bool:
    """Whether a case is one of the roofline's own: no variant, no winner."""
    return case.workload.startswith(PREFIX)


def ceilings(table: Table) -> list[Ceiling]:
    """The ceilings among the rows of a table, those whose time and work are known."""
    found = []
    for row in table.rows:
        case = row.case
        copies = case.workload.startswith(f"{PREFIX}copy-")
        work = case.bytes_moved if copies else case.macs
        time = seconds_per_sample(table.journal, case)
        if not (is_ceiling(case) and work and time):
            continue
        joules = joules_of(row)
        found.append(
            Ceiling(
                case.workload.removeprefix(PREFIX).removesuffix(f"-{case.threads}t"),
                case.threads,
                Limb.MEMORY if copies else Limb.ARITHMETIC,
                None if copies else case.dtype,
                work,
                scaled(time, 1 / work),
                scaled(joules, 1 / work) if joules else None,
            )
        )
    return found


def joules_of(row: Row) -> Interval | None:
    """Energy per sample of an instrument, J, idle included; None where none measured it."""
    energy = row.energy
    if not isinstance(energy, Quantity):
        return None
    return Interval(energy.value, energy.low, energy.high, row.windows)


def scaled(value: Interval, factor: float) -> Interval:
    """*value* times a factor above 0.

    >>> scaled(Interval(2.0, 1.0, 4.0, 3), 0.5)
    Interval(value=1.0, low=0.5, high=2.0, n=3)
    """
    return Interval(value.value * factor, value.low * factor, value.high * factor, value.n)


def multiple(cost: Interval, least: Interval) -> Interval:
    """How many times its floor something costs, over the ends of both intervals.

    >>> multiple(Interval(6.0, 5.0, 8.0, 6), Interval(2.0, 1.0, 2.5, 4))
    Interval(value=3.0, low=2.0, high=8.0, n=4)
    """
    low, high = cost.low / least.high, cost.high / least.low
    return Interval(cost.value / least.value, low, high, min(cost.n, least.n))


def floor_of(
    case: CaseRecord,
    found: Sequence[Ceiling],
    last_level_cache: int | None,
    *,
    energy: bool = False,
) -> Floor | Absent:
    """The floor of a sample, or why there is none: both limbs must be known, as many threads wide.

    What a call moves is held against the copy beyond the caches if it is more than the last-level
    cache holds, else against the copy within: it may lie closer than that cache, and a floor must
    not be too high.

    Args:
        case: What is to be bounded.
        found: The ceilings of its table.
        last_level_cache: Bytes, or None if unknown: then the copy within the caches counts.
        energy: Whether the floor is of joules, not of seconds.
    """
    same = [each for each in found if each.threads == case.threads]
    if case.macs is None or case.bytes_moved is None:
        return Absent("what a call does cannot be counted for this model")
    beyond = last_level_cache is not None and case.bytes_moved * case.batch > last_level_cache
    copy = "copy-dram" if beyond else "copy-cache"
    wanted: list[tuple[int, str, list[Ceiling]]] = [
        (case.bytes_moved, copy, [each for each in same if each.name == copy]),
        (
            case.macs,
            f"gemm of {case.dtype}",
            [each for each in same if each.limb is Limb.ARITHMETIC and each.dtype == case.dtype],
        ),
    ]
    floors = []
    for work, name, chosen in wanted:
        one = (chosen[0].joules if energy else chosen[0].seconds) if chosen else None
        if one is None:
            return _no_ceiling(name, case)
        floors.append(Floor(chosen[0].limb, chosen[0].name, scaled(one, work)))
    return max(floors, key=lambda each: each.least.value)


def _no_ceiling(name: str, case: CaseRecord) -> Absent:
    threads = f"{case.threads} thread{'s' if case.threads > 1 else ''}"
    return Absent(f"no roofline of {name} on {threads}", "run suites/roofline.py with it")


def gemms(case: CaseRecord, found: Sequence[Ceiling]) -> list[Ceiling]:
    """The ceilings of multiplication on as many threads as a case has, of all types."""
    return [c for c in found if c.limb is Limb.ARITHMETIC and c.threads == case.threads]


def arithmetic_floor(case: CaseRecord, found: Sequence[Ceiling]) -> Floor | Absent:
    """The least time of the multiplications of a sample, at the type that runs.

    It asks less than `floor_of`: what a runtime made of a model does as many multiplications as the
    model, and moves nobody knows how many bytes.

    Args:
        case: What is to be bounded.
        found: The ceilings of its table.
    """
    if not case.macs:
        return Absent("what a call does cannot be counted for this model")
    for each in gemms(case, found):
        if each.dtype == case.dtype:
            return Floor(each.limb, each.name, scaled(each.seconds, case.macs))
    return _no_ceiling(f"gemm of {case.dtype}", case)
