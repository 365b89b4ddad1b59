"""The journals whose numbers are made again, and their reports."""

import csv
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import recompute
from journals import DRAM, PACKAGE, PROCESS, Cost, a_case, a_journal, a_run, an_idle, save
from recompute import Number, Told
from recompute_table import QUANTITIES, Table

from bench.demo import demo
from bench.report.write import write

ROOT = Path(__file__).parents[1]
COMMITTED = sorted((ROOT / "results").glob("*.jsonl"))


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="joules-recomputed-"))


def several_processes() -> Path:
    """Two channels, six fresh processes of two pairs each, and energies with bounds."""
    more: dict[str, Any] = {"memory_bytes": {"peak": 2**28, "cuda": 2**20}}
    cases = (a_case(**more), a_case("student", **more), a_case("tiny", **more))
    pairs = {
        case.case: [(_cost(1.0, number), _cost(factor, 3 * number + shift)) for number in range(12)]
        for shift, (case, factor) in enumerate(zip(cases, (1.0, 0.6, 0.97), strict=True))
    }
    run = a_run(channels=(PACKAGE, replace(DRAM, range=(0.9, 1.2)), PROCESS))
    journal = a_journal(
        [(case, pairs[case.case]) for case in cases], run=run, idle=[an_idle(5.0), an_idle(5.2)]
    )
    idle = [replace(w, energy=(*w.energy, _dram(w.energy[0]))) for w in journal.windows[:2]]
    windows = [replace(w, process=w.pair // 2, order=w.order) for w in journal.windows[2:]]
    return save(replace(journal, windows=(*idle, *windows)), folder())


def _dram(energy: Any) -> Any:
    return replace(energy, channel=DRAM.id, boundary=DRAM.boundary, joules=1.0, low=1.0, high=1.0)


def _cost(factor: float, number: int) -> Cost:
    """A window's cost that differs from window to window, without any randomness."""
    wobble = 1 + 0.01 * math.sin(1.7 * number) + 0.004 * (number % 5)
    joules = {PACKAGE.id: 0.010 * factor * wobble, DRAM.id: 0.001 * factor, PROCESS.id: 0.002}
    return Cost(joules, 0.001 * factor * (1 + 0.02 * math.cos(number)), bound=2e-5)


def simulated(counter: str) -> Path:
    return demo(folder() / counter, counter, "shared-host", 0).journal.path


JOURNALS = {
    **{path.stem: path for path in COMMITTED},
    "simulated counter": "rapl",
    "simulated slow counter": "nvml-100ms",
    "simulated gauge": "gauge",
    "several processes": None,
}


@cache
def written(name: str) -> tuple[Path, dict[str, str]]:
    """A journal and the text of each file of its report, by suffix."""
    source = JOURNALS[name]
    path = source if isinstance(source, Path) else None
    if path is None:
        path = simulated(source) if isinstance(source, str) else several_processes()
    texts = {
        each.suffix: each.read_text(encoding="utf-8")
        for each in write([path], folder() / name.replace(" ", "-") / "page.md")
    }
    return path, texts


@cache
def told(name: str) -> Told:
    return recompute.read(written(name)[0])


def sheet(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(written(name)[1][".csv"].splitlines()))


@cache
def tables(name: str) -> dict[str, Table]:
    """The devices of a journal, with the boundary that the report states for each."""
    found: dict[str, str] = {}
    for line in sheet(name):
        found.setdefault(line["device"], "")
        if line["quantity"] == "energy" and line["boundary"]:
            found[line["device"]] = line["boundary"]
    return {device: Table(told(name), device, boundary) for device, boundary in found.items()}


@cache
def again(name: str, device: str, case: str, quantity: str) -> Number | None:
    table = tables(name)[device]
    return QUANTITIES[quantity](table, table.cases[case])
