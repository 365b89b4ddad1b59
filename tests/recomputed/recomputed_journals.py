"""The journals whose numbers are made again, and their reports."""

import csv
import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import recompute
from journals import (
    DRAM,
    LOCKED,
    PACKAGE,
    PROCESS,
    Cost,
    a_case,
    a_journal,
    a_run,
    an_idle,
    quality,
    save,
)
from page_pieces import Source
from recompute import Number, Told
from recompute_table import QUANTITIES, Table

from bench.demo import demo
from bench.record import Discard, Note
from bench.report.markdown import GridFactor
from bench.report.write import write

ROOT = Path(__file__).parents[2]
COMMITTED = sorted((ROOT / "results").glob("*.jsonl"))


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="joules-recomputed-"))


def several_processes(run_id: str = "r1", scale: float = 1.0) -> Path:
    """Two channels, six fresh processes of two pairs each, and energies with bounds.

    Args:
        run_id: Of the run.
        scale: What all costs of the variants are multiplied by.
    """
    more: dict[str, Any] = {"memory_bytes": {"peak": 2**28, "cuda": 2**20}}
    cases = (a_case(**more), a_case("student", **more), a_case("tiny", **more))
    pairs = {
        case.case: [
            (_cost(1.0, number), _cost(scale * factor, 3 * number + shift)) for number in range(12)
        ]
        for shift, (case, factor) in enumerate(zip(cases, (1.0, 0.6, 0.97), strict=True))
    }
    channels = (PACKAGE, replace(DRAM, range=(0.9, 1.2)), PROCESS)
    run = a_run(run_id=run_id, channels=channels)
    journal = a_journal(
        [(case, pairs[case.case]) for case in cases],
        run=run,
        idle=[an_idle(5.0), an_idle(5.2)],
        path=f"20261123T101203Z-0123456789ab-{run_id}.jsonl",
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


BOARD = "gpu/GPU-1a/board"


def everything() -> Path:
    """Two devices, a second route to a channel, and all that a session may have to tell."""
    second = replace(PACKAGE, id="cpu/0/package#perf", origin="perf:power/energy-pkg/")
    gpu = replace(
        PACKAGE, id=BOARD, domain="board", boundary="gpu-board", resolution=1e-3, origin="nvml:0"
    )
    cases: list[Any] = []
    windows: list[Any] = []
    for place, device in enumerate(("cpu", "cuda:GPU-1a")):
        for shift, (technique, factor) in enumerate(
            {"baseline": 1.0, "student": 0.7, "int8": 1.1, "tiny": 0.5, "again": 0.98}.items()
        ):
            case = _told_case(technique, device, 8 if shift == 4 else 1)
            cases.append(case)
            costs = [
                (_everywhere(1.0, number), _everywhere(factor, 2 * number + shift + place))
                for number in range(8)
            ]
            windows += map(_on_board, a_journal([(case, costs)]).windows)
    windows[3] = replace(windows[3], flags=("foreign load 0.35 CPU",))
    windows[20] = replace(windows[20], flags=("throttled", "foreign load 0.62 CPU"))
    idle = [an_idle(3.0), an_idle(3.3)]
    journal = a_journal(
        (),
        run=a_run(channels=(PACKAGE, second, gpu, PROCESS), unusable=(LOCKED,)),
        discards=(Discard(cases[1].case, 4, "foreign load 0.81 CPU"),),
        notes=(
            Note("", "the clock was set by 3 ms during the session"),
            Note(cases[2].case, "not steady after 30 s of warm-up"),
            Note("digits/half/eager/cuda/b1", "refused: compute capability 7.5 < 8.0; use 8.0"),
        ),
        path="20261123T111203Z-0123456789ab-r2.jsonl",
    )
    journal = replace(journal, cases=tuple(cases), windows=(*idle, *windows))
    path = save(replace(journal, run=replace(journal.run, run_id="r2")), folder())
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    discards = [line for line in lines if json.loads(line)["record"] == "discard"]
    others = [line for line in lines[1:] if line not in discards]  # a block ends before its case
    path.write_text("".join((lines[0], *discards, *others)), encoding="utf-8")
    return path


def _on_board(window: Any) -> Any:
    """The window with the boundary of the GPU's own meter."""
    energy = [
        replace(each, boundary="gpu-board") if each.channel == BOARD else each
        for each in window.energy
    ]
    return replace(window, energy=tuple(energy))


def _told_case(technique: str, device: str, batch: int) -> Any:
    return a_case(
        technique,
        device=device,
        batch=batch,
        quality=quality({"tiny": 0.9, "student": 0.968}.get(technique, 0.97)),
        size_bytes={"disk": {"student": 700, "tiny": 300}.get(technique, 2048), "nominal": 4096},
        memory_bytes={"before": 2**27, "peak": 2**28 + 12345, "cuda": 3 * 2**20},
        level={"bits": "8"} if technique == "int8" else {},
    )


def _everywhere(factor: float, number: int) -> Cost:
    cost = _cost(factor, number)
    joules = dict(cost.joules)
    package = joules[PACKAGE.id] or 0.0
    joules |= {"cpu/0/package#perf": 1.08 * package, BOARD: 3 * package}
    return cost._replace(joules=joules)


JOURNALS: dict[str, Any] = {
    **{path.stem: path for path in COMMITTED},
    "simulated counter": "rapl",
    "simulated slow counter": "nvml-100ms",
    "simulated gauge": "gauge",
    "several processes": several_processes,
    "everything": everything,
}
GRAMS_PER_KWH, SIZE_BUDGET = 34.0, 1024
LEFT_OUT = {"20261122T101203Z-0123456789ab-r0.jsonl": '{"record": 12}\n'}
"""What is given to the report of everything; a file that cannot be read with it."""


@cache
def written(name: str) -> tuple[Path, dict[str, str]]:
    """A journal and the text of each file of its report, by what ends its name: ``-size.svg``."""
    made = JOURNALS[name]
    if callable(made):
        made = made()
    path = simulated(made) if isinstance(made, str) else made
    journals: list[Path] = [path]
    options: dict[str, Any] = {}
    if name == "several processes":
        options = {"since": [earlier()]}
    if name == "everything":
        broken = folder() / next(iter(LEFT_OUT))
        broken.write_text(LEFT_OUT[broken.name], encoding="utf-8")
        journals.append(broken)
        options = {
            "grid": GridFactor(GRAMS_PER_KWH, "RTE, 2025"),
            "size_budget": SIZE_BUDGET,
            "since": [written("several processes")[0]],
        }
    page = folder() / name.replace(" ", "-") / "page.md"
    files = [
        file
        for suffix in (".md", ".html", ".tex")
        for file in write(journals, page.with_suffix(suffix), **options)
    ]
    return path, {
        each.name.removeprefix("page"): each.read_text(encoding="utf-8") for each in files
    }


@cache
def told(name: str) -> Told:
    return recompute.read(written(name)[0])


@cache
def earlier() -> Path:
    """The run that the report of several processes tells its changes against."""
    return several_processes("r0", 0.95)


@cache
def source(name: str) -> Source:
    if name == "several processes":
        return Source(told(name), tables(name), recompute.read(earlier()))
    if name == "everything":
        since = told("several processes")
        return Source(told(name), tables(name), since, GRAMS_PER_KWH, SIZE_BUDGET, LEFT_OUT)
    return Source(told(name), tables(name))


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
