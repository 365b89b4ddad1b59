"""The shipped suites, run as a user runs them, with power that is known."""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench.meters
from bench.compare import compare
from bench.cover import total
from bench.quantities import Quantity
from bench.records import Journal, journals, read
from bench.statistics import center

SUITES = Path(__file__).parents[1] / "suites"
EMULATED = '''
"""A dual-socket Xeon's powercap tree whose counters follow real time: P(t) is constant."""

import time
from pathlib import Path

from bench.meters._cpu import Cpu
from bench.meters.powercap import PowercapMeter
from emulators import LAYOUTS, Powercap


class RealClock:
    step_ns = 0

    @property
    def now_ns(self):
        return time.monotonic_ns()

    @now_ns.setter
    def now_ns(self, value):
        pass


def open_meter(environment):
    tree = Powercap(Path(environment["JOULES_TREE"]), LAYOUTS["xeon2s"], clock=RealClock())
    meter = PowercapMeter(
        tree.root, opener=tree.opener, pread=tree.pread, cpu=Cpu("GenuineIntel")
    )
    meter.name = "emulated"
    return meter
'''
WATTS = 100 + 10 + 90 + 8


@pytest.fixture
def emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "meters"
    folder.mkdir()
    (folder / "emulated.py").write_text(EMULATED)
    monkeypatch.setattr(bench.meters, "__path__", [*bench.meters.__path__, str(folder)])
    monkeypatch.setenv("JOULES_TREE", str(tmp_path / "sys"))
    yield
    sys.modules.pop("bench.meters.emulated", None)


def measured(project: pytest.Pytester, *arguments: str) -> Journal:
    # the suites' own settings count, not the project's; other seeds are trained, and not measured
    ours = ("-p", "no:cacheprovider", "--benchmark", "--joules-seeds=1")
    outcome = project.runpytest_inprocess(*ours, *arguments)
    assert outcome.ret == 0
    return read(journals(project.path / "results")[0])


def holds(quantity: object, true: float) -> bool:
    assert isinstance(quantity, Quantity)
    return quantity.low <= true <= quantity.high


def check(journal: Journal, watts: float) -> None:
    """Every row's joules per sample hold the true ones: watts times its own seconds."""
    (table,) = compare([journal])
    assert table.rows
    for row in table.rows:
        every = journal.windows_of(row.case.case)
        windows = [w for w in every if w.role not in {"warmup", "training"}]
        for training in (w for w in every if w.role == "training"):
            spent = total(training.energy, table.cover)
            assert holds(spent, watts * training.seconds)
        own = [w for w in windows if w.role != "baseline" or row.is_baseline]
        true = sum(watts * w.seconds / w.samples for w in own) / len(own)
        assert holds(row.energy, true)
        assert holds(row.power, watts)
        each = {(w.pair, w.role == "baseline"): w.seconds / w.samples for w in windows}
        numbers = sorted({pair for pair, _ in each})
        logs = [math.log(each[pair, False] / each[pair, True]) for pair in numbers]
        assert row.energy_ratio is not None
        assert row.energy_ratio.low <= math.exp(center(logs)[0]) <= row.energy_ratio.high
    assert holds(table.idle, watts)


def test_an_emulated_powercap_tree_gives_measured_rows_that_hold_the_truth(
    project: pytest.Pytester, emulated: None
) -> None:
    journal = measured(
        project,
        "--joules-meters=emulated",
        str(SUITES / "pruned.py"),
        "-k",
        "mlp and (mask or csr) and 64",
    )

    assert [case.technique for case in journal.cases].count("magnitude_pruning") == 2
    check(journal, WATTS)
    page = next((project.path / "reports").glob("*.md")).read_text()
    assert "cpu-package+dram" in page
    assert "measured" in page


def test_a_replayed_trace_gives_measured_rows_that_hold_the_truth(
    project: pytest.Pytester,
) -> None:
    trace = {
        "description": "a package at constant power",
        "channels": [
            {
                "id": "cpu/0/package",
                "domain": "package",
                "kind": "measured",
                "boundary": "cpu-package",
                "resolution_j": 1e-4,
                "update_interval_s": 0.001,
                "wrap_j": None,
                "start_j": 0.0,
                "power": [[0, 40.0]],
            }
        ],
    }
    project.path.joinpath("trace.json").write_text(json.dumps(trace))

    journal = measured(
        project,
        "--joules-meters=replay:trace.json",
        f"{SUITES}/baseline.py::test_baseline[digits28-mlp-1]",
        f"{SUITES}/distilled.py::test_student[distilled-100-labels-1]",
    )

    check(journal, 40)
    page = next((project.path / "reports").glob("*.md")).read_text()
    assert "REPLAYED TRACE, NOT THIS MACHINE" in page
