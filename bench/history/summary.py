"""One journal as the rows of an index: pure functions, in SI units, always the same.

A number that is absent is None here, and NaN in a table; never 0. Strings that no file can hold,
such as half of a character, lose that part.
"""

import hashlib
import json
import statistics
from collections.abc import Mapping
from typing import Any

from bench.compare import Table, compare
from bench.meter import Channel
from bench.quantities import Absent, Quantity
from bench.record import Run
from bench.records import Journal
from bench.row import Row, own_windows
from bench.statistics import Interval
from bench.uncertainty import Budget
from bench.workload import JUDGED

TEXTS = (
    "journal", "run", "started", "machine", "commit", "environment", "device", "device_id", "case",
    "baseline", "workload", "label", "runtime", "unit", "workload_version", "kind", "boundary",
    "channels", "absent", "quality_metric",
)  # fmt: skip
"""Columns of a case that are words."""

COUNTS = ("batch", "threads", "windows", "flagged", "discards", "is_control", "is_dirty")
"""Columns of a case that are whole numbers."""

NUMBERS = (
    "energy", "energy_low", "energy_high", "time", "time_low", "time_high",
    "power", "power_low", "power_high", "estimate", "estimate_low", "estimate_high",
    "energy_ratio", "energy_ratio_low", "energy_ratio_high",
    "time_ratio", "time_ratio_low", "time_ratio_high",
    "energy_margin", "time_margin", "energy_step", "quality", "size_bytes",
)  # fmt: skip
"""Columns of a case that are numbers, NaN where they are absent."""

RUN_TEXTS = ("journal", "key", "run", "started", "machine", "cpu", "commit", "environment", "facts")
"""Columns of a journal that are words; the last is JSON of what its environment is made of."""

RUN_COUNTS = ("cases",)
"""Columns of a journal that are whole numbers: how many cases it has."""

UNREADABLE_TEXTS = ("journal", "key", "reason")
"""Columns of what cannot be read."""

_ENVIRONMENT = (
    "cpu",
    "cpus",
    "kernel",
    "gpu_driver",
    "microcode",
    "governor",
    "turbo",
    "virtualised",
    "python",
)


def columns(journal: Journal) -> dict[str, list[Any]]:
    """The cases of a journal as columns, one place for each case."""
    shared = _run(journal)
    rows = [{**shared, **_case(table, row)} for table in compare([journal]) for row in table.rows]
    return {name: [row[name] for row in rows] for name in (*TEXTS, *COUNTS, *NUMBERS)}


def run_of(journal: Journal, key: str) -> dict[str, Any]:
    """The journal itself.

    Args:
        journal: What was read.
        key: What tells this content of its file from another.
    """
    run = journal.run
    facts = environment(run)
    return {
        "cases": sum(case.runtime != JUDGED for case in journal.cases),
        "journal": clean(journal.path.name),
        "key": key,
        "run": clean(run.run_id),
        "started": clean(run.started),
        "machine": _machine(run),
        "cpu": clean(run.machine.get("cpu") or ""),
        "commit": _commit(run),
        "environment": digest(facts),
        "facts": json.dumps(facts, sort_keys=True),
    }


def environment(run: Run) -> dict[str, str]:
    """What a run's numbers depend on besides the revision: machine, packages, meters."""
    machine = {name: run.machine.get(name) for name in _ENVIRONMENT}
    gpus = sorted(str(gpu.get("name")) for gpu in run.machine.get("gpu") or ())
    facts = {
        **{name: value for name, value in machine.items() if value is not None},
        **({"GPU": ", ".join(gpus)} if gpus else {}),
        **{f"package {name}": version for name, version in run.packages.items()},
        **{f"meter {channel.id}": channel.origin for channel in run.channels},
    }
    return {clean(name): clean(value) for name, value in facts.items()}


def digest(facts: Mapping[str, str]) -> str:
    """A short hash of an environment."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def clean(value: object) -> str:
    r"""Any value as text that each kind of file can hold.

    >>> clean("a\ud800b\0")
    'a?b?'
    """
    return str(value).encode("utf-8", "replace").decode().replace("\0", "?")


def _machine(run: Run) -> str:
    return clean(run.machine.get("id") or "")


def _commit(run: Run) -> str:
    return clean((run.git or {}).get("commit") or "")


def _run(journal: Journal) -> dict[str, Any]:
    """What all cases of a journal share."""
    run = journal.run
    return {
        "journal": clean(journal.path.name),
        "run": clean(run.run_id),
        "started": clean(run.started),
        "machine": _machine(run),
        "commit": _commit(run),
        "environment": digest(environment(run)),
        "is_dirty": int(bool((run.git or {}).get("dirty"))),
    }


def _case(table: Table, row: Row) -> dict[str, Any]:
    case, energy = row.case, row.energy
    words = {
        "device": case.device,
        "device_id": case.device_id or case.device,
        **{
            name: getattr(case, name)
            for name in ("case", "baseline", "workload", "label", "runtime", "unit")
        },
        "workload_version": case.workload_version,
        "kind": energy.kind if isinstance(energy, Quantity) else "",
        "boundary": energy.boundary if isinstance(energy, Quantity) else "",
        "channels": _cover(table) if isinstance(energy, Quantity) else "",
        "absent": str(energy) if isinstance(energy, Absent) else "",
        "quality_metric": (case.quality or {}).get("metric") or "",
    }
    return {
        **{name: clean(value) for name, value in words.items()},
        "batch": case.batch,
        "threads": case.threads,
        "windows": row.windows,
        "flagged": row.flagged,
        "discards": row.discards,
        "is_control": int(row.is_baseline),
        **_ends("energy", energy),
        **_ends("time", _interval(row.budgets.time)),
        **_ends("power", row.power),
        **_ends("estimate", row.estimate),
        **_ends("energy_ratio", row.energy_ratio),
        **_ends("time_ratio", row.time_ratio),
        "energy_margin": row.margins.energy,
        "time_margin": row.margins.time,
        "energy_step": _step(table, row),
        "quality": (case.quality or {}).get("value"),
        "size_bytes": case.size_bytes.get("disk"),
    }


def _cover(table: Table) -> str:
    """The channels of the energy; a second route reads the same energy as the first."""
    return " ".join(sorted(channel.partition("#")[0] for channel in table.cover))


def _ends(name: str, value: Quantity | Absent | Interval | None) -> dict[str, float | None]:
    names = (name, f"{name}_low", f"{name}_high")
    if isinstance(value, Quantity | Interval):
        return dict(zip(names, (value.value, value.low, value.high), strict=True))
    return dict.fromkeys(names)


def _interval(budget: Budget | None) -> Interval | None:
    if budget is None:
        return None
    low, high = max(0.0, budget.value - budget.half), budget.value + budget.half
    return Interval(budget.value, low, high, budget.n)


def _step(table: Table, row: Row) -> float | None:
    """What one step of the meters is worth in a window of the case, J/sample."""
    windows = own_windows(row.case, table.journal.windows_of(row.case.case))
    if not (isinstance(row.energy, Quantity) and windows):
        return None
    cover = [channel for channel in table.journal.run.channels if channel.id in table.cover]
    return statistics.median(
        sum(_resolution(channel, window.seconds) for channel in cover) / window.samples
        for window in windows
    )


def _resolution(channel: Channel, seconds: float) -> float:
    return channel.resolution * (1.0 if channel.unit == "J" else seconds)
