"""JSON of pytest-benchmark: its compare, and whatever charts its files, read it.

Its numbers are seconds per call, one value for each window; joules stand in ``extra_info``, each
as an object with its kind. Keys as in pytest-benchmark 4.0 to 5.3, whose own class makes the
statistics.
"""

from collections.abc import Sequence
from typing import Any

from bench.compare import Row, Table
from bench.export_format import FileFormat, LeftOut, Rendered, json_text
from bench.exports._rows import each, energy_object, estimate_object, facts, own
from bench.record import Run

_FEWEST = 2
"""Windows of a case; one has no spread, and pytest-benchmark would say 0 for it."""


def _render(tables: Sequence[Table]) -> Rendered:
    import pytest_benchmark

    benchmarks, left = [], []
    for table, row in each(tables):
        if row.windows < _FEWEST:
            left.append(LeftOut(row.case.case, f"{row.windows} windows show no spread; it wants 2"))
        else:
            benchmarks.append(_benchmark(table, row))
    if not benchmarks:
        return Rendered({}, tuple(left))
    run, end = tables[0].journal.run, tables[0].journal.end
    document = {
        "machine_info": _machine(run),
        "commit_info": _commit(run),
        "benchmarks": benchmarks,
        "datetime": (end.finished if end else run.started).replace("Z", "+00:00"),
        "version": str(pytest_benchmark.__version__),
    }
    return Rendered({"": json_text(document)}, tuple(left))


def _benchmark(table: Table, row: Row) -> dict[str, Any]:
    case = row.case
    told = facts(table, row)
    return {
        "group": f"{case.workload}/{case.device}/b{case.batch}",
        "name": case.case,
        "fullname": case.case,
        "params": {name: told[name] for name in ("technique", "level", "runtime", "batch")},
        "param": f"{case.label}-{case.runtime}",
        "extra_info": {
            "joules": {
                "case": case.case,
                "baseline": case.baseline,
                "nodeid": case.nodeid,
                "energy": energy_object(table, row),
                "estimate": estimate_object(row),
                "energy_ratio": _triple(told, "energy_ratio"),
                "time_ratio": _triple(told, "time_ratio"),
                "verdict": told["energy_verdict"],
                "time_verdict": told["time_verdict"],
                "quality": case.quality,
            }
        },
        "options": {"joules": True},
        "stats": _statistics(table, row),
    }


def _statistics(table: Table, row: Row) -> dict[str, Any]:
    """Seconds per call: the values of the windows, as pytest-benchmark computes with rounds."""
    from pytest_benchmark.stats import Stats

    windows = own(table, row)
    stats: Any = Stats()  # type: ignore[no-untyped-call]
    for window in windows:
        stats.update(window.seconds / max(window.calls, 1))
    calls = max(1, min(window.calls for window in windows))
    return {**stats.as_dict(), "data": list(stats.data), "iterations": calls}


def _triple(told: dict[str, Any], name: str) -> list[float] | None:
    if told[name] is None:
        return None
    return [told[name], told[f"{name}_low"], told[f"{name}_high"]]


def _machine(run: Run) -> dict[str, Any]:
    """What its own files say of a machine, as far as the journal knows it; no host name."""
    machine = run.machine
    system, _, release = str(machine.get("kernel", "")).partition(" ")
    return {
        "node": machine.get("id"),
        "processor": machine.get("cpu"),
        "machine": machine.get("vendor"),
        "python_implementation": "CPython",
        "python_version": machine.get("python"),
        "system": system,
        "release": release,
        "cpu": {
            "brand_raw": machine.get("cpu"),
            "vendor_id_raw": machine.get("vendor"),
            "count": machine.get("cpus"),
        },
        "joules": dict(machine),
    }


def _commit(run: Run) -> dict[str, Any]:
    git = run.git or {}
    return {
        "id": git.get("commit", "unversioned"),  # pytest-benchmark's own word
        "dirty": bool(git.get("dirty")),
        "time": None,
        "author_time": None,
        "project": None,
        "branch": None,
    }


export = FileFormat(
    "JSON of pytest-benchmark: seconds per call, joules in extra_info; for its compare",
    ".pytest-benchmark.json",
    _render,
)
