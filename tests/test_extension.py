"""One new file adds a meter, a workload, a technique, a runtime, a section: nothing else changes.

The files are written into a folder that counts as part of ours while the test runs, as if they
had been added to the package.
"""

import json
from pathlib import Path

import pytest

from bench.records import journals, read


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_one_file_adds_a_meter_whose_joules_stand_in_the_journal(
    house: Path, project: pytest.Pytester
) -> None:
    (house / "meters" / "waterwheel.py").write_text(
        """
import time
from bench import Channel, Kind, Reading

class Waterwheel:
    name = "waterwheel"
    unusable = ()
    channels = (Channel("wall/0", "wall", Kind.EXTERNAL, "wall", 1e-6, 1e-6, None, 99.0, "wheel"),)

    def read(self):
        now = time.monotonic_ns()
        return (Reading("wall/0", now, now, 20.0 * now / 1e9),)

    def close(self):
        pass

def open_meter(environment):
    return Waterwheel()
"""
    )
    project.makepyfile("def test_work(joules): joules(lambda: sum(range(300)))")

    run(project, "--benchmark").assert_outcomes(passed=1)

    journal = read(journals(project.path / "results")[0])
    for window in journal.windows:
        wall = next(energy for energy in window.energy if energy.channel == "wall/0")
        assert wall.joules == pytest.approx(20 * window.seconds, rel=0.01)
    page = next((project.path / "reports").glob("*.md")).read_text()
    assert "external" in page


def test_one_file_each_adds_a_workload_a_technique_and_a_runtime(
    house: Path, project: pytest.Pytester
) -> None:
    (house / "workloads" / "adding_up.py").write_text(
        """
from bench import Quality, Workload

def load(*, seed=0):
    model = lambda n: sum(range(n))
    quality = lambda model: Quality("exactness", float(model(4) == 6), 1, 1.0)
    return Workload("adding-up", model, lambda batch: (300 * batch,), quality, version="v1")
"""
    )
    (house / "techniques" / "gauss.py").write_text(
        """
from bench import Variant
from bench.workload import level

def apply(workload, *, seed=0, trick=1):
    model = lambda n: n * (n - 1) // 2
    return Variant(workload, "gauss", level(trick=trick), model, note="a closed form")
"""
    )
    (house / "runtimes" / "pedestrian.py").write_text(
        """
from bench.runtimes.eager import prepare as eager

def prepare(model, inputs, *, device, threads):
    return eager(model, inputs, device=device, threads=threads)
"""
    )
    project.makepyfile(
        """
        def test_gauss(joules):
            result = joules(joules.variant("gauss", "adding-up", trick=2), runtime="pedestrian")
            assert result.time_ratio.high < 1
        """
    )

    run(project, "--benchmark").assert_outcomes(passed=1)

    _, case = read(journals(project.path / "results")[0]).cases
    assert case.case == "adding-up/gauss@trick=2/pedestrian/cpu/b1"
    assert case.quality == {"metric": "exactness", "value": 1.0, "n": 1, "target": 1.0}
    assert case.note == "a closed form"


def test_one_file_adds_a_section_to_the_report(house: Path, project: pytest.Pytester) -> None:
    (house / "report.sections" / "proverb.py").write_text(
        """
ORDER = 999

def section(report):
    return f"## Proverb\\n\\n{len(report.tables)} swallow makes no summer."
"""
    )
    project.makepyfile("def test_work(joules): joules(lambda: sum(range(300)))")

    run(project, "--benchmark").assert_outcomes(passed=1)

    page = next((project.path / "reports").glob("*.md")).read_text()
    assert "1 swallow makes no summer." in page


def test_a_broken_meter_of_somebody_else_is_told_and_the_run_goes_on(
    house: Path, project: pytest.Pytester
) -> None:
    (house / "meters" / "sundial.py").write_text("def open_meter(environment): return 1 / 0")
    (house / "meters" / "hourglass.py").write_text("raise RuntimeError('no sand')")
    project.makepyfile("def test_work(joules): joules(lambda: sum(range(300)))")

    run(project, "--benchmark").assert_outcomes(passed=1)

    line = json.loads(journals(project.path / "results")[0].read_text().splitlines()[0])
    reasons = {each["what"]: each["reason"] for each in line["unusable"]}
    assert "ZeroDivisionError" in reasons["sundial"]
    assert "no sand" in reasons["hourglass"]
