"""A repeated measurement says whether it says the same; noise of the nights before."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import alert_nights
import pytest
from gate_repositories import quick
from hypothesis import given
from hypothesis import strategies as st
from journals import DRAM, MACHINE, a_case, a_journal, a_run, package, save

from bench.cli import main
from bench.gate.again import agree, arguments, compared, find, record_of, require_machine, test_of
from bench.gate.answer import ENERGY, TIME, Night, Word
from bench.gate.earlier import change_of, scatter, with_noise
from bench.gate.machine_answer import ANSWER, answer
from bench.machine import fingerprint
from bench.record import JournalError
from bench.records import Journal
from bench.statistics import Interval

test_of.__test__ = False  # type: ignore[attr-defined] # it is no test, whatever its name says
CASE = "net/baseline/simulated/cpu/b1"
BASE = a_case(nodeid="test_net.py::test_net")
STUDENT = a_case("student", nodeid="test_net.py::test_student")
SPREAD = (-0.01, 0.0, 0.01, 0.005, -0.005, 0.0)


def a_measurement(energy: float = 0.010, ratio: float = 0.5, **others: Any) -> Journal:
    """A baseline, and a student of which each pair has a spread of a percent."""
    pairs = [(package(energy * (1 + d)), package(energy * ratio * (1 - d), 0.0005)) for d in SPREAD]
    same = [(one, one) for one, _ in pairs]
    return a_journal([(BASE, same), (STUDENT, pairs)], **others)


# -- do they agree? -------------------------------------------------------------------------------


@given(st.floats(0.1, 10), st.floats(0.001, 1), st.floats(-2, 2))
def test_agreement_has_no_direction(value: float, half: float, moved: float) -> None:
    one = Interval(value, value - half, value + half, 6)
    other = Interval(value + moved, value + moved - half, value + moved + half, 6)

    assert agree(one, other) == agree(other, one)
    assert agree(one, one)
    assert (
        agree(one, other) == (abs(other.value - one.value) <= 2**0.5 * half)
        or abs(abs(moved) - 2**0.5 * half) < 1e-9
    )


def test_of_a_variant_the_ratios_count_and_joules_stand_beside() -> None:
    found = compared(STUDENT.case, a_measurement(), a_measurement(energy=0.012))

    assert [(each.name, each.counts) for each in found] == [
        ("energy ratio", True), ("time ratio", True), ("energy", False), ("time", False),
    ]  # fmt: skip
    assert [each.agrees for each in found] == [True, True, False, True]


def test_another_ratio_does_not_agree() -> None:
    found = compared(STUDENT.case, a_measurement(), a_measurement(ratio=0.6))

    assert [each.agrees for each in found] == [False, True, False, True]


def test_of_a_baseline_joules_and_seconds_count() -> None:
    found = compared(BASE.case, a_measurement(), a_measurement())

    assert [(each.name, each.unit, each.counts) for each in found] == [
        ("energy", "J/image", True), ("time", "s/image", True),
    ]  # fmt: skip
    assert all(each.agrees for each in found)


def test_another_version_of_the_workload_is_another_thing() -> None:
    other = a_journal([(replace(BASE, workload_version="v2"), [(package(1.0), package(1.0))] * 2)])

    with pytest.raises(JournalError, match=r"has version v2, in .* it was v1"):
        compared(BASE.case, a_measurement(), other)


def test_joules_of_another_boundary_are_not_compared() -> None:
    both = a_run(channels=(*a_run().channels, DRAM))
    cost = package(0.01)._replace(joules={"cpu/0/package": 0.01, DRAM.id: 0.001})
    other = a_journal([(BASE, [(cost, cost)] * 3)], run=both)

    with pytest.raises(JournalError, match=r"found energy that is measured of cpu-package\+dram"):
        compared(BASE.case, a_measurement(), other)


def test_a_case_that_was_not_measured_again_is_an_error() -> None:
    with pytest.raises(JournalError, match=r"has not measured digits/student"):
        compared(STUDENT.case, a_measurement(), a_journal([]))


# -- which journal, which test --------------------------------------------------------------------


def test_the_newest_journal_with_the_case_is_repeated(tmp_path: Path) -> None:
    old = save(a_measurement(path="20261101T000000Z-m-a.jsonl"), tmp_path)
    new = save(a_measurement(path="20261102T000000Z-m-b.jsonl"), tmp_path)
    save(a_journal([], path="20261103T000000Z-m-c.jsonl"), tmp_path)

    assert find(STUDENT.case, tmp_path)[0].path == new
    old.rename(tmp_path / "20261105T000000Z-m-d.jsonl")
    assert find(STUDENT.case, tmp_path)[0].path.name == "20261105T000000Z-m-d.jsonl"


def test_a_case_of_a_night_alone_is_found_too(tmp_path: Path) -> None:
    night = tmp_path / "gate" / "20261102T000000Z-m-h"
    night.mkdir(parents=True)
    (night / "night.json").write_text("{}")
    save(a_measurement(path="pair-01-g01-a-base.jsonl"), night)

    assert test_of(STUDENT.case, tmp_path) == STUDENT.nodeid


def test_an_unknown_case_is_answered_with_the_nearest_names(tmp_path: Path) -> None:
    save(a_measurement(), tmp_path)

    with pytest.raises(JournalError, match=f"did you mean {STUDENT.case}"):
        find("digits/studnet/eager/cpu/b1", tmp_path)
    with pytest.raises(JournalError, match="there is none at all"):
        find("x", tmp_path / "empty")
    with pytest.raises(JournalError, match="did you mean"):
        record_of("digits/studnet/eager/cpu/b1", a_measurement())
    assert record_of(STUDENT.case, a_measurement()) == STUDENT


def test_what_no_test_measured_cannot_be_repeated(tmp_path: Path) -> None:
    cases = [(replace(BASE, nodeid=""), [(package(1.0), package(1.0))] * 2)]
    journal = a_journal(cases, run=a_run(command="joulebench run onnx:model.onnx"))
    save(journal, tmp_path)

    with pytest.raises(JournalError, match=r"its command was: joulebench run onnx:model.onnx"):
        arguments(journal, journal.cases[0])
    with pytest.raises(JournalError, match="was measured by no test"):
        test_of(BASE.case, tmp_path)


def test_a_measurement_is_repeated_with_the_settings_of_its_journal() -> None:
    settings = {
        "profile": "full", "pairs": 10, "meters": ["powercap", "nvml"], "device": "cpu",
        "processes": 0, "seeds": 5, "weights": "random", "data": "",
    }  # fmt: skip
    journal = a_measurement(run=a_run(settings=settings, seed=7))

    assert arguments(journal, STUDENT, ["-q"]) == (
        "--benchmark", "test_net.py::test_student", "--joules-seed=7", "--joules-profile=full",
        "--joules-device=cpu", "--joules-processes=0", "--joules-seeds=5",
        "--joules-meters=powercap,nvml", "--joules-weights=random", "-q",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["weights", "data"])
def test_files_of_which_a_journal_keeps_the_name_alone_are_asked_for(name: str) -> None:
    journal = a_measurement(run=a_run(settings={name: "best.pt"}))

    with pytest.raises(JournalError, match=f"give the path: --pytest=--joules-{name}=PATH"):
        arguments(journal, STUDENT)
    given_path = f"--joules-{name}=/models/best.pt"
    assert arguments(journal, STUDENT, [given_path])[-1] == given_path
    assert f"--joules-{name}=best.pt" not in arguments(journal, STUDENT, [given_path])


def test_another_machine_is_refused_by_what_differs() -> None:
    journal = a_measurement()

    require_machine(journal, MACHINE)
    with pytest.raises(JournalError, match=r"cpu AMD EPYC 9654 there, Intel here; id .*rerun it"):
        require_machine(journal, {**MACHINE, "cpu": "Intel", "id": "other"})


# -- the verb -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a test of a simulated model, and a journal that this machine measured."""
    (tmp_path / "conftest.py").write_text(
        """
from bench.schedule import PROFILES, Schedule
from bench.simulated import DeviceModel, SimulatedDevice

PROFILES["tiny"] = Schedule(pairs=4, block_s=0.5, warmup_s=0.02, idle_s=0.02, margin=0.03)
DEVICE = SimulatedDevice(DeviceModel(), seed=1)

def pytest_joules_instruments(config):
    return DEVICE.instruments()
"""
    )
    (tmp_path / "test_net.py").write_text(
        """
from conftest import DEVICE
from bench.simulated import SimulatedModel, Work
from bench.workload import Workload, baseline_of

def test_net(joules):
    model = SimulatedModel(DEVICE, Work(0.004, 30.0))
    workload = Workload("net", model, lambda number: None, version="1", unit="image")
    joules(baseline_of(workload), runtime="simulated")
"""
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\njoules_profile = tiny\njoules_seeds = 1\n")
    monkeypatch.chdir(tmp_path)
    quick(monkeypatch, tmp_path.parent / "compiled")
    return tmp_path


def here(home: Path, joules: float, seconds: float = 0.004) -> Path:
    """A journal of this machine in which the net took so much."""
    case = a_case(workload="net", runtime="simulated", workload_version="1",
                  nodeid="test_net.py::test_net")  # fmt: skip
    cost = package(joules, seconds)._replace(joules={"cpu/0/package": joules})
    run = a_run(machine=asdict(fingerprint()), settings={"profile": "tiny"})
    from bench.simulated import DeviceModel

    channel = DeviceModel().counters[0].channel()
    journal = a_journal([(case, [(cost, cost)] * 3)], run=replace(run, channels=(channel,)))
    windows = tuple(
        replace(w, energy=tuple(replace(e, boundary=channel.boundary) for e in w.energy))
        for w in journal.windows
    )
    (home / "results").mkdir(exist_ok=True)
    return save(replace(journal, windows=windows), home / "results")


def test_rerun_measures_again_into_a_new_journal_and_compares(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = here(home, 0.25)
    before = old.read_bytes()

    assert main(["rerun", CASE]) == 8

    said = capsys.readouterr().out
    assert "energy: 0.25 [0.25, 0.25] J/image, again 0.1599 [" in said
    assert "they do not agree" in said
    assert said.rstrip().endswith("the intervals do not agree")
    assert old.read_bytes() == before
    assert len(list((home / "results").glob("*.jsonl"))) == 2


@pytest.fixture
def pytest_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Path], None], int], None]:
    """Puts a stand-in where rerun starts pytest: it may write a journal, and has an exit code."""

    def stands(write: Callable[[Path], None], code: int) -> None:
        def run(command: Sequence[str], **_: object) -> SimpleNamespace:
            write(Path(command[3].partition("=")[2]))
            return SimpleNamespace(returncode=code)

        monkeypatch.setattr("bench.verbs.rerun.subprocess.run", run)

    return stands


def test_rerun_that_gives_the_same_again_agrees(
    home: Path, capsys: pytest.CaptureFixture[str], pytest_that: Any
) -> None:
    old = here(home, 0.25)
    pytest_that(lambda folder: shutil.copy(old, folder / "20261201T000000Z-m-r2.jsonl"), 0)

    assert main(["rerun", CASE, "--journal", str(old)]) == 0
    assert capsys.readouterr().out.rstrip().endswith("the intervals agree")


def test_rerun_of_a_test_that_is_gone_says_what_pytest_said(
    home: Path, capsys: pytest.CaptureFixture[str], pytest_that: Any
) -> None:
    here(home, 0.25)
    pytest_that(lambda _: None, 4)

    assert main(["rerun", CASE]) == 2
    assert "pytest ended with exit code 4 and measured nothing" in capsys.readouterr().err


def test_rerun_of_another_machine_s_journal_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "results").mkdir()
    save(a_measurement(), home / "results")

    assert main(["rerun", STUDENT.case]) == 2
    assert "was measured on another machine" in capsys.readouterr().err


# -- noise of the nights before -------------------------------------------------------------------


def a_night(folder: Path, number: int, ratio: float, machine: str = "m") -> None:
    place = folder / f"2026110{number}T000000Z"
    place.mkdir(parents=True)
    found = answer(Night((alert_nights.decision(Word.OK, values=(1.0, ratio)),)))
    for each in found["decisions"]:
        each["head"]["machine"] = machine
    (place / ANSWER).write_text(json.dumps(found))


def test_the_noise_of_a_case_is_the_scatter_of_its_nights(tmp_path: Path) -> None:
    for number, ratio in enumerate((1.0, 1.01, 0.99, 1.02, 1.5), start=1):
        a_night(tmp_path, number, ratio)
    a_night(tmp_path, 6, 9.0, machine="another")
    a_night(tmp_path, 8, 9.0)  # after tonight
    (tmp_path / "20261100T000000Z").mkdir()
    (tmp_path / "20261100T000000Z" / ANSWER).write_text("torn")

    found = with_noise(
        {alert_nights.CASE: alert_nights.sides()}, tmp_path / "20261107T000000Z", "m"
    )

    assert found[alert_nights.CASE].nights == 5
    assert found[alert_nights.CASE].noise[ENERGY] == pytest.approx(0.0149, abs=0.0005)
    assert TIME not in found[alert_nights.CASE].noise


def test_few_nights_show_no_noise(tmp_path: Path) -> None:
    a_night(tmp_path, 1, 1.0)

    found = with_noise(
        {alert_nights.CASE: alert_nights.sides()}, tmp_path / "20261107T000000Z", "m"
    )

    assert found[alert_nights.CASE].noise == {}


def test_one_night_on_which_it_changed_is_no_noise() -> None:
    assert scatter([0.0, 0.0, 0.01, 0.0, 2.0]) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "torn",
        "[]",
        '{"decisions": [{"case": "a", "ratio": null}]}',
        '{"decisions": [{"ratio": {"value": -1}}]}',
        '{"decisions": [{"ratio": {"value": NaN}}]}',
    ],
)
def test_an_answer_that_is_damaged_says_nothing(tmp_path: Path, text: str) -> None:
    place = tmp_path / "20261101T000000Z"
    place.mkdir()
    (place / ANSWER).write_text(text)

    assert change_of("a", "c", tmp_path) is None
    found = with_noise({"a": alert_nights.sides()}, tmp_path / "20261107T000000Z", "m")
    assert found["a"].noise == {}


def test_the_change_at_a_commit_is_that_of_the_newest_night_energy_first(tmp_path: Path) -> None:
    known = {alert_nights.CASE: alert_nights.sides()}
    for number, ratio in enumerate((1.5, 1.2), start=1):
        place = tmp_path / f"2026110{number}T000000Z"
        place.mkdir()
        told = (
            alert_nights.decision(quantity=TIME, values=(1.0, 3.0)),
            alert_nights.decision(values=(1.0, ratio)),
        )
        (place / ANSWER).write_text(json.dumps(answer(Night(told), known)))

    found = change_of(alert_nights.CASE, alert_nights.BAD, tmp_path)

    assert found is not None
    assert (round(found.ratio, 2), found.night) == (1.2, "20261102T000000Z")
    assert change_of(alert_nights.CASE, alert_nights.GOOD, tmp_path) is None
