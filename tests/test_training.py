"""What training costs: metered as a whole, recorded for each case that owes it, in no ratio."""

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from virtual import Clock, KnownMeter, steady

import bench.stages
from bench.compare import compare, own_windows
from bench.instruments import Instruments
from bench.record import Window
from bench.records import Journal, journals, read
from bench.replay import differences
from bench.training import Trainings

PACKAGE = "cpu/0/package"
WATTS = 40
TRACE = {
    "description": "a package at constant power",
    "channels": [
        {
            "id": PACKAGE,
            "domain": "package",
            "kind": "measured",
            "boundary": "cpu-package",
            "resolution_j": 1e-4,
            "update_interval_s": 0.001,
            "wrap_j": None,
            "start_j": 0.0,
            "power": [[0, WATTS]],
        }
    ],
}
SLEEPER = """
import time
from bench.stages import stage
from bench.workload import Variant, level

def apply(workload, *, seed=0, form="one"):
    stage(("sleeper", workload.name, seed), lambda: time.sleep(0.3))
    if form == "two":
        stage(("sleeper", "second", workload.name, seed), lambda: time.sleep(0.1))
    return Variant(workload, "sleeper", level(form=form), lambda n: sum(range(n // 2)))
"""
ADDER = """
from bench.workload import Workload

def load(*, seed=0):
    return Workload("adder", lambda n: sum(range(n)), lambda batch: 4000, version="1")
"""
SUITE = """
import pytest

@pytest.mark.joules(pairs=1)
@pytest.mark.parametrize(("form", "batch"), [("one", 1), ("one", 2), ("two", 1)])
def test_it(joules, form, batch):
    joules(joules.variant("sleeper", "adder", form=form), batch=batch)
"""


def trainings(clock: Clock) -> Trainings:
    meter = KnownMeter(clock, {PACKAGE: steady(50)})
    return Trainings(Instruments((meter,), clock=clock, sleep=clock.sleep))


@pytest.fixture
def metered(house: Path, project: pytest.Pytester) -> Iterator[pytest.Pytester]:
    """A project with a technique that trains by sleeping, and 40 W of a replayed trace."""
    (house / "techniques" / "sleeper.py").write_text(SLEEPER)
    (house / "workloads" / "adder.py").write_text(ADDER)
    project.path.joinpath("trace.json").write_text(json.dumps(TRACE))
    project.makepyfile(SUITE)
    bench.stages._STAGES.made.clear()
    yield project
    bench.stages._STAGES.made.clear()


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def owed(journal: Journal) -> dict[str, list[Window]]:
    """The training windows of each case, by its label and batch."""
    return {
        f"{case.label} b{case.batch}": [
            window for window in journal.windows_of(case.case) if window.role == "training"
        ]
        for case in journal.cases
    }


def test_a_training_is_one_window_whose_joules_hold_the_truth() -> None:
    clock = Clock()
    found = trainings(clock)

    def train() -> str:
        clock.sleep(120)
        return "weights"

    made, window = found.measure(train)

    assert made == "weights"
    assert window.role == "training"
    assert window.seconds == 120
    (energy,) = window.energy
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low <= 50 * 120 <= energy.high
    assert energy.joules == pytest.approx(6000, rel=1e-4)


def test_garbage_is_collected_while_a_stage_trains_and_after_as_before() -> None:
    found = trainings(Clock())
    states = []

    found.measure(lambda: states.append(gc.isenabled()))

    assert states == [True]
    assert gc.isenabled()


def test_a_training_that_fails_says_so_and_costs_nothing() -> None:
    found = trainings(Clock())

    def fail() -> None:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        found.measure(fail)
    assert gc.isenabled()
    assert list(found.of("a", [None], [])) == []


def test_a_case_gets_all_of_its_trainings_after_its_other_windows() -> None:
    clock = Clock()
    found = trainings(clock)
    costs = [found.measure(lambda: clock.sleep(2))[1] for _ in range(2)]
    done = [replace(costs[0], case="a", role="variant", order=7)]

    recorded = list(found.of("a", costs, done))

    assert [(w.case, w.pair, w.order) for w in recorded] == [("a", 0, 8), ("a", 1, 9)]
    assert [(w.t0_ns, w.energy) for w in recorded] == [(c.t0_ns, c.energy) for c in costs]


def test_a_training_that_was_metered_in_part_is_not_recorded_at_all() -> None:
    clock = Clock()
    found, other = trainings(clock), trainings(clock)
    cost, foreign = found.measure(lambda: clock.sleep(2))[1], other.measure(lambda: None)[1]

    assert list(found.of("a", [cost, None], [])) == []
    assert list(found.of("a", [cost, foreign], [])) == []
    assert len(list(found.of("a", [cost], []))) == 1


def test_a_case_that_has_its_training_already_gets_no_second_one() -> None:
    clock = Clock()
    found = trainings(clock)
    cost = found.measure(lambda: clock.sleep(2))[1]

    assert list(found.of("a", [cost], [replace(cost, case="a")])) == []


def test_a_session_meters_each_training_once_and_writes_it_to_each_case_that_owes_it(
    metered: pytest.Pytester,
) -> None:
    replay = "--joules-meters=replay:trace.json"
    run(metered, "--benchmark", replay, "--joules-raw", "-k", "1]").assert_outcomes(passed=2)

    (path,) = journals(metered.path / "results")
    journal = read(path)
    found = owed(journal)
    assert {name: len(windows) for name, windows in found.items()} == {
        "baseline b1": 0,
        "sleeper@form=one b1": 1,
        "sleeper@form=two b1": 2,
    }
    assert len({window.t0_ns for windows in found.values() for window in windows}) == 2
    for windows in found.values():
        for window in windows:
            (energy,) = window.energy[:1]
            assert energy.low is not None
            assert energy.high is not None
            assert energy.low <= WATTS * window.seconds <= energy.high
            assert window.seconds >= 0.1
    assert list(differences(journal)) == []  # their raw readings give the same joules again
    page = next((metered.path / "reports").glob("*.md")).read_text()
    assert "Payback of the training" in page
    # no number of a row is made from them
    bare = replace(journal, windows=tuple(w for w in journal.windows if w.role != "training"))
    assert len(bare.windows) == len(journal.windows) - 3
    assert compare([journal])[0].rows == compare([bare])[0].rows
    case = journal.cases[-1]
    assert {w.role for w in own_windows(case, journal.windows_of(case.case))} == {"variant"}


def test_a_resumed_session_keeps_the_trainings_and_meters_those_that_are_missing(
    metered: pytest.Pytester,
) -> None:
    run(metered, "--benchmark").assert_outcomes(passed=3)
    (path,) = journals(metered.path / "results")
    lines = path.read_text().splitlines(keepends=True)
    ends = [i for i, line in enumerate(lines) if line.startswith('{"record":"case"')]
    kept = "".join(lines[: ends[1] + 1])  # the control and the first case; the others are lost
    path.write_text(kept)
    before = owed(read(path))
    bench.stages._STAGES.made.clear()  # as in a fresh process

    run(metered, "--benchmark", "--joules-resume").assert_outcomes(passed=3)

    assert path.read_text().startswith(kept)
    found = owed(read(path))
    assert found["sleeper@form=one b1"] == before["sleeper@form=one b1"]
    assert {name: len(windows) for name, windows in found.items()} == {
        "baseline b1": 0,
        "sleeper@form=one b1": 1,
        "sleeper@form=one b2": 1,
        "sleeper@form=two b1": 2,
    }


def test_without_the_flag_a_training_is_metered_by_nobody(metered: pytest.Pytester) -> None:
    run(metered).assert_outcomes(passed=3)

    assert list(bench.stages._STAGES.made.values()) == [(None, None)] * 2
