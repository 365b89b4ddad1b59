"""Fields of the energy schema that is proposed for MLPerf Inference: one record for each case.

It keeps the power of the waiting system beside that of the working one, so a case without an idle
power is refused, and so is a language model, for which it wants prefill and generation of one
request in one record: ours are two workloads. Of a GPU's case it gets the board alone.

Source: github.com/mlcommons/inference pull request 2587, mlperf_energy_schema_v6.json (v6.1), open
when this was written.
"""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.average import idle_power
from bench.compare import Row, Table
from bench.cover import total
from bench.export_format import FileFormat, LeftOut, Rendered, json_text, slugs
from bench.exports._gpu import Board, board
from bench.exports._rows import channels_of, each, foreign, meter, no_model, own, why_not
from bench.meter import Channel
from bench.quantities import Absent, Kind, Quantity

_METHODS = {"nvml": "nvml", "powercap": "rapl", "perf": "rapl", "pyrapl": "rapl"}
_EXTERNAL = "external_analyzer"
_SLOWEST_HZ = 1.0
"""Least rate of readings that the schema takes."""


class _Measured(NamedTuple):
    """What was measured of a case: J/sample, W at work and W at rest, by one way of reading."""

    energy: Quantity
    power: Quantity
    idle: Quantity
    method: str
    rate_hz: float


def _render(tables: Sequence[Table]) -> Rendered:
    records: dict[str, str] = {}
    left = []
    for table, row in each(tables):
        found = _measured(table, row)
        if isinstance(found, str):
            left.append(LeftOut(row.case.case, found))
        else:
            records[row.case.case] = json_text(_record(table, row, found))
    names = slugs(records, "_")
    return Rendered({names[case]: text for case, text in records.items()}, tuple(left))


def _measured(table: Table, row: Row) -> _Measured | str:
    """What the schema asks for, or why it has no place for the case."""
    on_gpu = table.device.startswith("cuda")
    values = _unfit(table, row) or (_on_gpu if on_gpu else _on_host)(table, row)
    if isinstance(values, str):
        return values
    energy, power, idle = values
    if isinstance(idle, Absent):
        return f"it wants the power of the waiting system: {idle}"
    channels = channels_of(table, energy)
    method, rate = _method(channels), _rate(channels)
    if method is None:
        names = ", ".join(sorted({meter(channel) for channel in channels}))
        return f"it has no one word for joules read by {names}"
    why = ""
    if rate < _SLOWEST_HZ:
        why = f"it wants a reading a second at least, and the meter shows {rate:.2g}, or unknown"
    elif not idle.value < power.value:
        why = f"idle {idle.value:.3g} W is no less than {power.value:.3g} W at work: its rule 04"
    return why or _Measured(energy, power, idle, method, rate)


def _unfit(table: Table, row: Row) -> str:
    """Why the schema does not mean this kind of case, or empty."""
    if row.case.unit == "token":
        return "of a language model it wants prefill and generation of one request in one record"
    if table.journal.run.settings.get("warmup_s") is None:
        return "the journal does not say for how long it warmed up"
    return foreign(table) or no_model(row)


_Values = tuple[Quantity, Quantity, Quantity | Absent]


def _on_host(table: Table, row: Row) -> _Values | str:
    if isinstance(row.energy, Absent) or isinstance(row.power, Absent):
        return why_not(table, row)
    return row.energy, row.power, table.idle


def _on_gpu(table: Table, row: Row) -> _Values | str:
    found = board(table, row)
    if not isinstance(found, Board):
        return found
    return found.energy, found.power, idle_power(table.journal, channels_of(table, found.energy))


def _record(table: Table, row: Row, found: _Measured) -> dict[str, Any]:
    case, run = row.case, table.journal.run
    windows, energy = own(table, row), found.energy
    return {
        "task_type": "cv" if case.unit == "image" else "other",
        "total_energy_joules": energy.value * sum(window.samples for window in windows),
        "energy_per_query_joules": _per_query(table, row, energy),
        "static_power_baseline_watts": found.idle.value,
        "inference_active_power_watts": {"mean": found.power.value},
        "measurement_method": found.method,
        "sampling_rate_hz": found.rate_hz,
        "thermal_stabilization_seconds": float(run.settings["warmup_s"]),
        "scenario": "singlestream" if case.batch == 1 else "offline",
        "accelerator_count": 1,
        "batch_size": case.batch,
        "software_runtime_versions": {"python": str(run.machine.get("python")), **run.packages},
        "joules": {
            "case": case.case,
            "query": case.unit,
            "kind": str(energy.kind),
            "boundary": energy.boundary,
            "ci95_j": [energy.low, energy.high],
            "windows": row.windows,
            "includes_idle": True,
        },
    }


def _per_query(table: Table, row: Row, energy: Quantity) -> dict[str, float]:
    """Mean, and the standard deviation from window to window where there are several, J."""
    values = [
        found.value / window.samples
        for window in own(table, row)
        if isinstance(found := total(window.energy, energy.channels), Quantity)
    ]
    spread = {"std": statistics.stdev(values)} if len(values) > 1 else {}
    return {"mean": energy.value, **spread}


def _method(channels: Sequence[Channel]) -> str | None:
    """The schema's one word for how all channels were read, or None."""
    names = {_EXTERNAL if c.kind is Kind.EXTERNAL else _METHODS.get(meter(c)) for c in channels}
    return names.pop() if len(names) == 1 else None


def _rate(channels: Sequence[Channel]) -> float:
    """How often the slowest channel shows a new value, Hz; 0 if one does not say."""
    intervals = [channel.update_interval_s for channel in channels]
    return 1 / max(intervals) if intervals and min(intervals) > 0 else 0.0


export = FileFormat(
    "fields of the energy schema proposed for MLPerf Inference, one record for each case",
    ".mlperf-energy",
    _render,
    inside=".json",
)
