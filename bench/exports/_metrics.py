"""Flat metrics for trackers that draw one line for each name: instruments only, mJ, ms and W.

A name holds the case, and for joules the kind and the boundary, so that no line of a chart ever
joins two of them. Estimates are no metric.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bench.compare import Row, Table
from bench.export_format import LeftOut, slugs
from bench.exports._rows import each, foreign, seconds, why_not
from bench.quantities import Quantity

_MILLI = 1e-3


class Metrics(NamedTuple):
    """Values by name, and cases without joules, with why."""

    values: dict[str, float]
    left_out: tuple[LeftOut, ...]


def metrics(tables: Sequence[Table]) -> Metrics:
    """``joules/<case>/<kind>-<boundary>/mj_per_sample`` and its kin, of every case."""
    names = slugs(row.case.case for _, row in each(tables))
    values: dict[str, float] = {}
    left = []
    for table, row in each(tables):
        base = f"joules/{names[row.case.case]}"
        values |= _times(row, base)
        if isinstance(row.energy, Quantity):
            values |= _energies(table, row, row.energy, base)
        else:
            left.append(LeftOut(row.case.case, f"no metric of energy: {why_not(table, row)}"))
    return Metrics(values, tuple(left))


def _times(row: Row, base: str) -> dict[str, float]:
    time, ratio = seconds(row), row.time_ratio
    found = {f"{base}/ms_per_sample": time.value / _MILLI} if time else {}
    return {**found, **({f"{base}/time_ratio": ratio.value} if ratio else {})}


def _energies(table: Table, row: Row, energy: Quantity, base: str) -> dict[str, float]:
    of = f"{'not-of-this-machine-' if foreign(table) else ''}{energy.kind}-{energy.boundary}"
    (label,) = slugs([of.replace("/", "-")]).values()
    found = {
        f"{base}/{label}/mj_per_sample": energy.value / _MILLI,
        f"{base}/{label}/mj_per_sample_low": energy.low / _MILLI,
        f"{base}/{label}/mj_per_sample_high": energy.high / _MILLI,
    }
    if isinstance(row.power, Quantity):
        found[f"{base}/{label}/watts"] = row.power.value
    if row.energy_ratio:
        found[f"{base}/{label}/energy_ratio"] = row.energy_ratio.value
    return found


def context(table: Table) -> dict[str, str]:
    """What a run's labels say of where the numbers are from."""
    run = table.journal.run
    found = {
        "joulebench.run_id": run.run_id,
        "joulebench.started": run.started,
        "joulebench.machine": run.machine.get("id"),
        "joulebench.cpu": run.machine.get("cpu"),
        "joulebench.commit": (run.git or {}).get("commit"),
        "joulebench.command": run.command,
    }
    return {name: str(value) for name, value in found.items() if value is not None}
