"""`pytest --benchmark --joules-alone 3`: each case with nothing beside it, for the gate."""

import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

import bench
from bench.alone import TESTS, AloneSession
from bench.compare import compare
from bench.guard import State
from bench.options import HELP, settings
from bench.quantities import NotMeasuredError, Quantity
from bench.records import Journal, journals, read
from bench.run import Settings
from bench.schedule import Schedule
from bench.simulated import (
    ORIGIN,
    DeviceModel,
    SimulatedDevice,
    SimulatedModel,
    Work,
)
from bench.simulated import (
    Counter as Meter,
)
from bench.statistics import Verdict
from bench.workload import Quality, Variant, Workload, baseline_of

SCHEDULE = Schedule(pairs=2, block_s=0.1, warmup_s=0.02, idle_s=0.02, margin=0.03)

DEVICE = """
from bench.simulated import DeviceModel, SimulatedDevice

DEVICE = SimulatedDevice(DeviceModel())


def pytest_joules_instruments(config):
    return DEVICE.instruments()
"""

SIMULATED = """
import pytest
from conftest import DEVICE

from bench.simulated import SimulatedModel, Work
"""


def measured(
    folder: Path, *names: str, alone: int = 3, seeds: int = 0, meter: Meter | None = None
) -> Journal:
    """The journal of a session on a simulated device that measures each case alone."""
    device = SimulatedDevice(DeviceModel((meter or Meter(),)))
    asked = Settings("tiny", SCHEDULE, results=folder, alone=alone, seeds=seeds)
    lock = {"JOULES_LOCK": str(folder / "lock")}
    session = AloneSession.start(asked, lambda _: None, lock, device.instruments())
    try:
        workload = Workload(
            "w",
            SimulatedModel(device, Work(0.004)),
            lambda _: None,
            quality=lambda _: Quality("accuracy", 0.9, 100),
            version="1",
        )
        for name in names:
            variant = Variant(workload, name, (), SimulatedModel(device, Work(0.002)))
            what = baseline_of(workload) if name == "baseline" else variant
            session.measure(what, None, 1, runtime=ORIGIN)
        return read(session.finish(0))
    finally:
        session.abandon()


def roles(journal: Journal) -> Counter[str]:
    return Counter(window.role for window in journal.windows)


def test_a_baseline_alone_has_its_blocks_and_nothing_beside_them(tmp_path: Path) -> None:
    journal = measured(tmp_path, "baseline")

    assert roles(journal) == {"warmup": 1, "baseline": 3}
    assert [w.pair for w in journal.windows if w.role == "baseline"] == [0, 1, 2]
    assert journal.end is not None


def test_a_variant_alone_brings_neither_its_baseline_nor_a_control(tmp_path: Path) -> None:
    journal = measured(tmp_path, "half", alone=4)

    assert roles(journal) == {"warmup": 1, "variant": 4}
    assert [case.technique for case in journal.cases] == ["half"]


def test_what_ran_alone_has_energy_and_time_and_no_ratio(tmp_path: Path) -> None:
    (table,) = compare([measured(tmp_path, "half")])
    (row,) = table.rows

    assert isinstance(row.energy, Quantity)
    assert row.energy.value == pytest.approx(0.002 * 40, rel=0.02)  # 10 W idle, 30 W of the work
    assert row.budgets.time is not None
    assert row.energy_ratio is None
    assert row.time_ratio is None
    assert row.energy_verdict is Verdict.NOT_COMPARABLE


def test_each_block_is_as_long_as_the_instrument_needs(tmp_path: Path) -> None:
    journal = measured(tmp_path, "half", meter=Meter(update_s=0.1, resolution=0.001))

    blocks = [window for window in journal.windows if window.role == "variant"]
    assert all(window.seconds >= 50 * 0.1 for window in blocks)
    starts = {round(window.t0_ns / 1e9 % 0.1, 3) for window in blocks}
    assert len(starts) == 3  # at other phases of its refresh


def test_the_journal_says_how_it_was_measured(tmp_path: Path) -> None:
    journal = measured(tmp_path, "half", alone=2)

    assert journal.run.settings["alone"] == 2
    schema = json.loads((Path(bench.__file__).parent / "schema" / "journal-1.json").read_text())
    for line in journal.path.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema)
    assert "alone" not in Settings("tiny", SCHEDULE).as_record()


@pytest.mark.parametrize(("seeds", "value"), [(0, None), (1, 0.9)])
def test_quality_is_judged_only_where_it_is_asked_for(
    tmp_path: Path, seeds: int, value: float | None
) -> None:
    (case,) = measured(tmp_path, "half", seeds=seeds).cases

    assert (case.quality and case.quality["value"]) == value
    assert (case.baseline_quality and case.baseline_quality["value"]) == value


def test_a_session_that_was_cut_off_goes_on_with_the_missing_blocks(tmp_path: Path) -> None:
    whole = measured(tmp_path, "half")
    lines = whole.path.read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if b'"role":"variant"' in line)
    whole.path.write_bytes(b"".join(lines[: first + 1]))  # its warm-up and one block
    device = SimulatedDevice(DeviceModel())
    asked = Settings("tiny", SCHEDULE, results=tmp_path, alone=3, seeds=0, resume=True)
    session = AloneSession.start(
        asked, lambda _: None, {"JOULES_LOCK": str(tmp_path / "lock")}, device.instruments()
    )
    model = SimulatedModel(device, Work(0.004))
    workload = Workload("w", model, lambda _: None, version="1")
    session.measure(
        Variant(workload, "half", (), SimulatedModel(device, Work(0.002))), None, 1, runtime=ORIGIN
    )
    journal = read(session.finish(0))
    session.abandon()

    assert roles(journal) == {"warmup": 2, "variant": 3}
    assert sorted(w.pair for w in journal.windows if w.role == "variant") == [0, 1, 2]


def test_how_long_a_case_takes_is_known_before(tmp_path: Path) -> None:
    device = SimulatedDevice(DeviceModel())
    asked = Settings("tiny", SCHEDULE, results=tmp_path, alone=3, seeds=0)
    lock = {"JOULES_LOCK": str(tmp_path / "lock")}
    session = AloneSession.start(asked, lambda _: None, lock, device.instruments())
    least, most = session.seconds_per_case()
    session.finish(0)

    assert least == most == pytest.approx(0.02 + 3 * 0.5 * 1.05)


# -- options --------------------------------------------------------------------------------------


def given(**changes: str) -> Settings:
    texts = {name: default for name, (default, _) in HELP.items()} | changes
    return settings(texts.__getitem__, folder=Path(), resume=False, raw=False, command="")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alone": "many"}, "--joules-alone=many: give a whole number of blocks"),
        ({"alone": "3", "processes": "2"}, "leave out --joules-processes"),
        ({"seeds": "-1"}, "0 judges no quality"),
    ],
)
def test_a_wrong_option_says_what_it_wants(changes: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        given(**changes)


def test_without_the_option_pairs_are_measured() -> None:
    assert given().alone == 0
    assert given(alone="3", seeds="0").alone == 3


# -- pytest ---------------------------------------------------------------------------------------


@pytest.fixture
def simulated(project: pytest.Pytester) -> pytest.Pytester:
    """A project that brings a simulated device by the hook."""
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + DEVICE)
    return project


def test_pytest_measures_each_case_alone_and_writes_no_page(
    simulated: pytest.Pytester, results: Path
) -> None:
    simulated.makepyfile(
        SIMULATED
        + """
def test_base(joules):
    result = joules(SimulatedModel(DEVICE, Work(0.004)), runtime="simulated")
    assert result.energy_mj.value < 1000

def test_half(joules):
    result = joules(
        SimulatedModel(DEVICE, Work(0.002)),
        baseline=SimulatedModel(DEVICE, Work(0.004)),
        runtime="simulated",
    )
    assert result.verdict == "saves"
"""
    )

    outcome = simulated.runpytest_inprocess("--benchmark", "--joules-alone=2", "-rs")

    outcome.assert_outcomes(passed=1, skipped=1)
    outcome.stdout.fnmatch_lines(
        ["*nothing was measured beside it; run it without --joules-alone*"]
    )
    (path,) = journals(results)
    assert Counter(w.role for w in read(path).windows) == {"warmup": 2, "baseline": 2, "variant": 2}
    assert not (simulated.path / "reports").exists()


def test_the_ratio_of_what_ran_alone_is_no_number(tmp_path: Path) -> None:
    device = SimulatedDevice(DeviceModel())
    asked = Settings("tiny", SCHEDULE, results=tmp_path, alone=2, seeds=0)
    lock = {"JOULES_LOCK": str(tmp_path / "lock")}
    session = AloneSession.start(asked, lambda _: None, lock, device.instruments())
    workload = Workload("w", SimulatedModel(device, Work(0.004)), lambda _: None)
    result = session.measure(baseline_of(workload), None, 1, runtime=ORIGIN)
    session.finish(0)

    with pytest.raises(NotMeasuredError, match="nothing was measured beside it"):
        _ = result.energy_ratio
    assert result.energy_mj.value == pytest.approx(160, rel=0.02)


def test_the_projects_own_instruments_measure_unless_meters_are_named(
    simulated: pytest.Pytester, results: Path
) -> None:
    simulated.makepyfile("def test_sum(joules):\n    joules(lambda: sum(range(100)))\n")

    named = simulated.runpytest_inprocess("--benchmark", "--joules-meters=wattmeter")
    own = simulated.runpytest_inprocess("--benchmark", "--joules-alone=1")

    assert named.ret == pytest.ExitCode.USAGE_ERROR  # it is asked for, and there is none
    assert own.ret in {0, 1}
    (channel,) = read(journals(results)[0]).run.channels
    assert channel.origin == "simulated:cpu/0/package"


def test_a_collecting_process_writes_what_would_be_measured(
    project: pytest.Pytester, results: Path
) -> None:
    project.mkdir("suites").joinpath("test_a.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_n(joules, n):\n    joules(lambda: n)\n\n"
        "@pytest.mark.skip\ndef test_skipped(joules):\n    joules(lambda: 1)\n\n"
        "def test_other():\n    pass\n"
    )

    project.runpytest_inprocess(
        "--benchmark", "--joules-alone=3", "--collect-only", "-q", "suites", "-k", "not other"
    )

    found = json.loads((results / TESTS).read_text())
    assert found["given"] == ["suites"]
    names = ["suites/test_a.py::test_n[1]", "suites/test_a.py::test_n[2]"]
    assert found["tests"] == [[name, name] for name in names]
    assert journals(results) == []


def test_a_training_is_no_part_of_what_is_compared(
    simulated: pytest.Pytester, results: Path
) -> None:
    simulated.makepyfile(
        SIMULATED
        + """
from bench import stages

def test_trained(joules):
    with stages.costed(joules.session.trainings.measure) as used:
        assert stages.stage(("a stage",), lambda: 42) == 42
    assert list(used.values()) == [None]
    joules(SimulatedModel(DEVICE, Work(0.004)), runtime="simulated")
"""
    )

    simulated.runpytest_inprocess("--benchmark", "--joules-alone=1").assert_outcomes(passed=1)

    (path,) = journals(results)
    assert "training" not in {window.role for window in read(path).windows}


def test_what_may_spoil_the_run_is_noted_and_not_said(tmp_path: Path) -> None:
    device = SimulatedDevice(DeviceModel())
    instruments = device.instruments()
    instruments.watch = lambda: State(governor="powersave")
    asked = Settings("tiny", SCHEDULE, results=tmp_path, alone=1, seeds=0)
    said: list[str] = []
    lock = {"JOULES_LOCK": str(tmp_path / "lock")}
    session = AloneSession.start(asked, said.append, lock, instruments)
    journal = read(session.finish(0))

    assert said == []
    (note,) = journal.notes
    assert "the CPU frequency governor is powersave" in note.text
