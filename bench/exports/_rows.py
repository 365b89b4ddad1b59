"""What every export says of a case, in SI units: computed by `bench.compare`, never stored.

Kinds stay apart: ``energy`` is of an instrument, ``estimate`` of a power model. What is absent is
None and has its reason; it is never 0.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.compare import Row, Table, own_windows
from bench.export_format import LeftOut, utf8_text
from bench.meter import Channel
from bench.quantities import Absent, Quantity
from bench.record import Window
from bench.report import findings
from bench.roofline import is_ceiling
from bench.statistics import Interval


def each(tables: Sequence[Table]) -> Iterator[tuple[Table, Row]]:
    """Every row with its table, in the order of the tables."""
    return ((table, row) for table in tables for row in table.rows)


def measured(
    tables: Sequence[Table],
) -> tuple[list[tuple[Table, Row, Quantity]], list[LeftOut]]:
    """The rows whose energy an instrument gave, with it; and the others, each with the reason."""
    found, left = [], []
    for table, row in each(tables):
        if isinstance(row.energy, Quantity):
            found.append((table, row, row.energy))
        else:
            left.append(LeftOut(row.case.case, why_not(table, row)))
    return found, left


def why_not(table: Table, row: Row) -> str:
    """Why a row has no energy of an instrument; that it has an estimate is no reason to take it."""
    reason = absence(table, row)
    return f"{reason} (an estimate is not exported here)" if row.estimate else reason


def absence(table: Table, row: Row) -> str:
    """Why a row has no energy: that of the meter nearest to working where none works at all."""
    return str(row.energy if table.cover else findings.why_absent(table))


def foreign(table: Table) -> str:
    """Why a table's joules are no machine's: simulated, or of a recorded trace; else empty."""
    if findings.is_simulated(table.journal):
        return "a simulated device was measured, not a machine"
    if findings.replayed(findings.covering(table)):
        return "its joules are a replayed trace, not this machine's"
    return ""


def no_model(row: Row) -> str:
    """Why a row is no task of a model: it is a ceiling of the machine; else empty."""
    return "it is a ceiling of the machine, no model" if is_ceiling(row.case) else ""


def own(table: Table, row: Row) -> tuple[Window, ...]:
    """The windows in which the case itself ran."""
    return own_windows(row.case, table.journal.windows_of(row.case.case))


def channels_of(table: Table, energy: Quantity) -> tuple[Channel, ...]:
    """The channels that an energy is the sum of."""
    return tuple(c for c in table.journal.run.channels if c.id in energy.channels)


def energy_object(table: Table, row: Row) -> dict[str, Any]:
    """The energy of a case as one object, J per sample, idle included; null with a reason."""
    energy = row.energy
    if isinstance(energy, Absent):
        return {"value_j": None, "per": row.case.unit, "reason": absence(table, row)}
    channels = channels_of(table, energy)
    steps = [channel.resolution for channel in channels if channel.unit == "J"]
    budget = row.budgets.energy
    found = {
        "value_j": energy.value,
        "ci95_j": [energy.low, energy.high],
        "n": budget.n if budget else row.windows,
        "per": row.case.unit,
        "kind": str(energy.kind),
        "method": sorted({meter(channel) for channel in channels}),
        "boundary": energy.boundary,
        "includes_idle": True,
        "window_s": statistics.median(window.seconds for window in own(table, row)),
        "resolution_j": max(steps) if steps else None,
        "attribution": "whole_device",
    }
    return {**found, "not_of_this_machine": foreign(table)} if foreign(table) else found


def estimate_object(row: Row) -> dict[str, Any] | None:
    """What a power model says, J per sample: a range, marked as such; None if there is none."""
    if row.estimate is None:
        return None
    return {
        "value_j": None,
        "range_j": [row.estimate.low, row.estimate.high],
        "per": row.case.unit,
        "kind": str(row.estimate.kind),
        "boundary": row.estimate.boundary,
        "reason": "a power model gives a range, no value; never rank, plot or gate it",
    }


def level(row: Row) -> str:
    """``name=value`` of the level's parameters, joined by commas."""
    return ",".join(f"{name}={value}" for name, value in sorted(row.case.level.items()))


def facts(table: Table, row: Row) -> dict[str, Any]:
    """One flat record of a case: ids, then each quantity with its interval, SI; None is absent."""
    run, case = table.journal.run, row.case
    quality: Mapping[str, Any] = case.quality or {}
    found: dict[str, Any] = {
        "run_id": run.run_id,
        "started": run.started,
        "machine": run.machine.get("id"),
        "commit": (run.git or {}).get("commit"),
        "device": table.device,
        "case": case.case,
        "baseline": case.baseline,
        "workload": case.workload,
        "workload_version": case.workload_version,
        "technique": case.technique,
        "level": level(row),
        "runtime": case.runtime,
        "batch": case.batch,
        "threads": case.threads,
        "dtype": case.dtype,
        "sample": case.unit,
        **_quantity("energy_j", row.energy, absence(table, row)),
        **_quantity("energy_net_j", row.net),
        **_quantity("power_w", row.power),
        "estimate_low_j": row.estimate.low if row.estimate else None,
        "estimate_high_j": row.estimate.high if row.estimate else None,
        **_interval("time_s", seconds(row)),
        "latency_p50_s": row.latency_p50_s,
        "latency_p99_s": row.latency_p99_s,
        **_interval("energy_ratio", row.energy_ratio),
        **_interval("time_ratio", row.time_ratio),
        "energy_verdict": str(row.energy_verdict),
        "time_verdict": str(row.time_verdict),
        "quality_metric": quality.get("metric"),
        "quality": quality.get("value"),
        "quality_target": quality.get("target"),
        "quality_change": row.quality_change,
        "size_disk_bytes": case.size_bytes.get("disk"),
        "size_nominal_bytes": case.size_bytes.get("nominal"),
        "memory_peak_bytes": case.memory_bytes.get("peak"),
        "parameters": case.parameters,
        "nonzero": case.nonzero,
        "macs": case.macs,
        "windows": row.windows,
        "discards": row.discards,
        "not_of_this_machine": foreign(table) or None,
    }
    return {name: utf8_text(v) if isinstance(v, str) else v for name, v in found.items()}


def seconds(row: Row) -> Interval | None:
    """Time per sample, s, the loop's overhead included; None if no window was measured."""
    time = row.budgets.time
    if time is None:
        return None
    return Interval(time.value, max(0.0, time.value - time.half), time.value + time.half, time.n)


def narrowed(table: Table, row: Row, channel: str) -> tuple[Quantity | Absent, Quantity | Absent]:
    """Energy, J/sample, and mean power, W, of one channel of a case alone: a narrower boundary.

    Args:
        table: Where the row stands.
        row: The case.
        channel: Id of the channel, such as ``gpu/GPU-1/board``.
    """
    from bench import average

    chosen = [c for c in table.journal.run.channels if c.id == channel and c.kind.is_reading]
    if not chosen:
        absent = Absent(f"no instrument reads {channel}")
        return absent, absent
    windows, mine = table.journal.windows_of(row.case.case), own(table, row)
    return (
        average.energy_per_sample(windows, mine, chosen).quantity,
        average.power(windows, mine, chosen).quantity,
    )


def _quantity(name: str, value: Quantity | Absent, reason: str = "") -> dict[str, Any]:
    keys = (name, f"{name}_low", f"{name}_high", f"{name}_kind", f"{name}_boundary")
    if isinstance(value, Absent):
        return {**dict.fromkeys(keys), f"{name}_reason": reason or str(value)}
    values = (value.value, value.low, value.high, str(value.kind), value.boundary)
    return {**dict(zip(keys, values, strict=True)), f"{name}_reason": None}


def _interval(name: str, value: Interval | None) -> dict[str, Any]:
    keys = (name, f"{name}_low", f"{name}_high", f"{name}_n")
    values = (value.value, value.low, value.high, value.n) if value else (None,) * 4
    return dict(zip(keys, values, strict=True))


def only(tables: Sequence[Table], case: str) -> tuple[Table, ...]:
    """The tables with those rows only whose case has *case* in its id."""
    kept = (
        replace(table, rows=tuple(row for row in table.rows if case in row.case.case))
        for table in tables
    )
    return tuple(table for table in kept if table.rows)


def meter(channel: Channel) -> str:
    """What read a channel: ``nvml``; the rest of its origin may be an address of somebody's."""
    return channel.origin.partition(":")[0]
