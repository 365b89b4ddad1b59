"""Journals for the tests of exports: of a CPU, of a GPU, estimated, hostile."""

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from journals import PACKAGE, Cost, a_case, a_journal, a_run, an_idle, package, save

from bench.compare import Table, compare
from bench.discover import plugins
from bench.export_format import FileFormat, Rendered, StoreFormat
from bench.record import Window
from bench.records import Journal, read
from bench.refusal import Refusal
from reports import estimated, measured

HOSTILE = "<script>alert('x')</script>|a,b;\"q\"\r\n=1+1\t]]>&amp; \x00\x1b[31m\u202e\ud800 ../../x"
"""Markup, quotes, line breaks, control characters, half a surrogate pair, a way out of a folder."""

UUID = "GPU-1"
BOARD = replace(
    PACKAGE, id=f"gpu/{UUID}/board", domain="gpu", boundary="gpu-board", resolution=1e-3,
    update_interval_s=0.1, wrap=None, origin=f"nvml:{UUID}:total_energy",
)  # fmt: skip
IDLE_W = 2.0


def form(name: str) -> FileFormat:
    """A file format by its module's name."""
    found = importlib.import_module(f"bench.exports.{name}").export
    assert isinstance(found, FileFormat)
    return found


def store(name: str) -> StoreFormat:
    """A store format by its module's name."""
    found = importlib.import_module(f"bench.exports.{name}").export
    assert isinstance(found, StoreFormat)
    return found


def file_formats() -> dict[str, FileFormat]:
    """Every file format that is found."""
    found, broken = plugins("bench.exports", "export")
    assert broken == ()
    return {n: p.target for n, p in found.items() if isinstance(p.target, FileFormat)}


def rendered(name: str, journal: Journal) -> Rendered:
    return form(name).render(compare([journal]))


def drawn(form_: FileFormat, tables: Sequence[Table]) -> Rendered | None:
    """What a format makes of tables, or None where its library is not installed."""
    try:
        return form_.render(tables)
    except Refusal:
        return None


def of_cpu(**others: Any) -> Journal:
    """Four variants beside a baseline of 10 mJ/image and 1 ms/image; 2 W at rest."""
    return measured(idle=(an_idle(IDLE_W), an_idle(IDLE_W)), **others)


def of_power_model() -> Journal:
    """A journal without any instrument."""
    return estimated()


def of_gpu(unit: str = "token", workload: str = "llama:decode", **changes: Any) -> Journal:
    """One case on a GPU, batch 4: 0.5 J/sample of its board, 0.1 J/sample of the CPU beside it."""
    cost = Cost({BOARD.id: 0.5, PACKAGE.id: 0.1}, 0.01)
    fields = {"device": "cuda:0", "device_id": f"cuda:{UUID}", "batch": 4, "dtype": "float16"}
    case = a_case(workload=workload, unit=unit, **{**fields, **changes})
    gpu = {"name": "NVIDIA H100 80GB HBM3", "uuid": UUID}
    run = a_run(channels=(PACKAGE, BOARD), machine={**a_run().machine, "gpu": [gpu]})
    journal = a_journal([(case, [(cost, cost)] * 3)], run=run, idle=(an_idle(IDLE_W),))
    return replace(journal, windows=tuple(_on_board(window) for window in journal.windows))


def _on_board(window: Window) -> Window:
    """The window with the board's own boundary, and 20 W of it where the machine waits."""
    energy = tuple(
        replace(e, boundary="gpu-board") if e.channel == BOARD.id else e for e in window.energy
    )
    if window.role == "idle":
        joules = 20.0 * window.seconds
        board = replace(energy[0], channel=BOARD.id, boundary="gpu-board", joules=joules)
        energy = (*energy, replace(board, low=joules, high=joules))
    return replace(window, energy=energy)


def hostile() -> Journal:
    """A journal in which every text is hostile, with an instrument."""
    case = a_case(
        workload=HOSTILE, level={HOSTILE: HOSTILE}, dtype=HOSTILE, unit=HOSTILE, note=HOSTILE,
        nodeid=HOSTILE, workload_version=HOSTILE,
        quality={"metric": HOSTILE, "value": 0.9, "target": 0.5, "n": 9},
    )  # fmt: skip
    case = replace(case, baseline=case.case)
    machine = {**a_run().machine, "id": HOSTILE, "cpu": HOSTILE, "kernel": HOSTILE}
    run = a_run(
        run_id=HOSTILE, command=HOSTILE, machine=machine, packages={HOSTILE: HOSTILE},
        git={"commit": HOSTILE, "dirty": False},
    )  # fmt: skip
    pairs = [(package(0.010), package(0.010))] * 3
    return a_journal([(case, pairs)], run=run, idle=(an_idle(IDLE_W),))


def saved(journal: Journal, folder: Path) -> Journal:
    """The journal as it is read from a file."""
    return read(save(journal, folder))
