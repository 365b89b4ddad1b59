"""The best float32 runtime of a model, and what a row costs beside it: pure functions of rows.

Eager float32 is a weak baseline: another runtime alone may run the same model faster. Held against
the best of them as well, nobody takes a better runtime for a better model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.compare import Row
from bench.quantities import Quantity
from bench.record import CaseRecord
from bench.statistics import Interval, Verdict
from bench.techniques._precision import DTYPES
from bench.uncertainty import Budget, quotient
from bench.workload import BASELINE

FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class BestFp32:
    """The runtime that runs a model as shipped at the least cost.

    Args:
        runtime: Its name.
        case: The id of its case.
        log: Of its ratio to the baseline, the logarithm; None if it is the baseline itself.
    """

    runtime: str
    case: str
    log: Budget | None


def is_crossed(case: CaseRecord) -> bool:
    """Whether a case is held against the baseline of another runtime."""
    return _place(case.case) != _place(case.baseline)


def crosses(rows: Iterable[Row]) -> bool:
    """Whether any of some rows is."""
    return any(is_crossed(row.case) for row in rows)


def family(row: Row, rows: Iterable[Row]) -> list[Row]:
    """The rows that share the baseline of one of them, which is among them."""
    return [each for each in rows if each.case.baseline == row.case.baseline]


def _place(case: str) -> list[str]:
    """Runtime, device and batch of a case id."""
    return case.split("/")[-3:]


def best_fp32(row: Row, rows: Sequence[Row], *, energy: bool) -> BestFp32:
    """The best float32 runtime of a row's model, at its batch and on its device.

    It is the one with the smallest ratio to the baseline that all share, whose own ratio is 1. What
    runs in another type, or breaks quality, is no float32 runtime, whatever was asked of it; for
    energy only what has the row's own kind and boundary counts.

    Args:
        row: Any form of the model.
        rows: Those of its workload, in all runtimes.
        energy: Whether the cost is energy, else time.
    """
    found = [
        BestFp32(each.case.runtime, each.case.case, log)
        for each in family(row, rows)
        if not each.is_baseline
        and _is_shipped(each)
        and (not energy or _kind(each) == _kind(row))
        and (log := log_ratio(each, energy=energy))
    ]
    least = min(found, key=lambda each: each.log.value if each.log else 0.0, default=None)
    if least is None or least.log is None or least.log.value >= 0:
        return BestFp32(_place(row.case.baseline)[0], row.case.baseline, None)
    return least


def _is_shipped(row: Row) -> bool:
    """Whether the row is the model as shipped, and float32 is what runs."""
    return (
        row.case.technique == BASELINE
        and row.case.dtype in {None, FLOAT32}
        and set(row.case.kernels) <= {FLOAT32}
        and row.time_verdict is not Verdict.BREAKS_QUALITY
    )


def _kind(row: Row) -> tuple[str, str] | None:
    return (row.energy.kind, row.energy.boundary) if isinstance(row.energy, Quantity) else None


def log_ratio(row: Row, *, energy: bool) -> Budget | None:
    """The logarithm of a row's ratio to its baseline, of energy or of time."""
    return row.budgets.energy_ratio if energy else row.budgets.time_ratio


def beside(row: Row, other: Budget | None, *, energy: bool) -> Interval | None:
    """What a row costs beside another row of the same baseline: the quotient of both ratios.

    Either ratio is of pairs of neighbouring windows, so the drift of the machine is in neither. But
    the pairs of one were measured at another time than those of the other: their uncertainties are
    combined as independent ones.

    Args:
        row: Any row.
        other: The logarithm of the other's ratio; None if it is the baseline.
        energy: Whether the cost is energy, else time.

    Returns:
        The quotient with its interval; None if the row has no ratio, or both are the baseline.
    """
    own = None if row.is_baseline else log_ratio(row, energy=energy)
    if own is None and (other is None or not row.is_baseline):
        return None
    return quotient(own, other).ratio()


def beside_best(row: Row, rows: Sequence[Row], *, energy: bool) -> Interval | None:
    """What a row costs beside the best float32 runtime; None if unknown, or if it is that one."""
    best = best_fp32(row, rows, energy=energy)
    return None if best.case == row.case.case else beside(row, best.log, energy=energy)


def runs_in(case: CaseRecord) -> str:
    """The types in which a case's operators with weights run, as far as its runtime tells.

    Several are counted, and what was asked for and does not run at all is said.
    """
    counts = sorted(case.kernels.items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{count} {dtype}" for dtype, count in counts)
    if len(counts) < 2:  # noqa: PLR2004 - one type needs no count
        shown = next((dtype for dtype, _ in counts), case.dtype or "")
    asked = DTYPES.get(case.level.get("dtype", ""))
    ran = case.kernels.get(asked or "", 0) > 0 if counts else asked == case.dtype
    return f"{shown}, asked for {asked}" if asked and shown and not ran else shown
