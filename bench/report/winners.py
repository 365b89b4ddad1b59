"""The best form of a model within its quality budget, over all runtimes: pure functions of rows."""

from collections.abc import Sequence

from bench.compare import Row
from bench.quantities import Quantity
from bench.report import findings
from bench.report.best_runtime import crosses
from bench.statistics import Verdict
from bench.workload import BASELINE

_FEWER = 0.95  # quantization rounds a weight in a hundred to zero, pruning takes more


def winners(rows: Sequence[Row]) -> list[Row]:
    """The best rows of one workload and batch: of all, and of those with the whole model.

    Where all rows share a baseline, cost is its ratio: of energy where that was measured, else of
    time. Elsewhere it is the energy of an instrument alone.

    Args:
        rows: In all runtimes of one device.
    """
    if not crosses(rows):
        best = findings.best(rows)
        return [best] if best else []
    energy = is_measured(rows)
    fit = [row for row in rows if _saves(row, energy=energy)]
    kinds = {(r.energy.kind, r.energy.boundary) for r in fit if isinstance(r.energy, Quantity)}
    if energy and len(kinds) > 1:
        return []
    whole = [row for row in fit if not is_smaller(row, rows)]
    found = [cheapest(chosen, energy=energy) for chosen in (whole, fit)]
    return list({row.case.case: row for row in found if row}.values())


def is_measured(rows: Sequence[Row]) -> bool:
    """Whether an instrument gave the energy of any of the rows: then no time decides."""
    return any(isinstance(row.energy, Quantity) for row in rows)


def _saves(row: Row, *, energy: bool) -> bool:
    return not row.is_baseline and findings.verdict_of(row, energy=energy) is Verdict.SAVES


def cheapest(rows: Sequence[Row], *, energy: bool) -> Row | None:
    """The row with the smallest ratio to its baseline; None where there is none."""
    found = [(ratio.value, row) for row in rows if (ratio := findings.ratio_of(row, energy=energy))]
    return min(found, key=lambda each: each[0])[1] if found else None


def is_smaller(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row has fewer weights or operations than the model as shipped: pruned, distilled.

    Args:
        row: Any row.
        rows: Those of its workload and batch.
    """
    shipped = [each for each in rows if each.case.technique == BASELINE] or rows
    return any(
        _is_fewer(_counts(row)[index], [_counts(each)[index] for each in shipped])
        for index in range(3)
    )


def _counts(row: Row) -> tuple[int | None, ...]:
    return row.case.parameters, row.case.nonzero, row.case.macs


def _is_fewer(count: int | None, shipped: Sequence[int | None]) -> bool:
    most = max((each for each in shipped if each), default=0)
    return count is not None and count < _FEWER * most
