"""A journal that keeps its readings gives the same joules again to the last bit, or says where."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from killed_session import SCHEDULE

from bench import records
from bench.cli import main
from bench.compare import compare
from bench.meter import Reading, Status
from bench.record import Window, from_json, to_json
from bench.records import Journal
from bench.replay import differences, replayed
from bench.report.markdown import Report, page
from bench.run import Settings
from bench.session import Session
from bench.simulated import Counter, DeviceModel, SimulatedDevice, SimulatedModel, Work
from bench.workload import Variant, Workload, level

FAST = Counter(wrap=4000.0)
SLOW = Counter("gpu/GPU-1/board", update_s=0.02, resolution=1e-3)
GAUGE = Counter("board/psys", unit="W", update_s=0.05, resolution=0.1)
SCHEMA = json.loads(
    (Path(records.__file__).parent / "schema" / "journal-1.json").read_text(encoding="utf-8")
)


def measured(folder: Path, *, raw: bool = True) -> Journal:
    """The journal of a session on a noisy device with three counters."""
    device = SimulatedDevice(DeviceModel((FAST, SLOW, GAUGE), noise=0.01, correlation=0.5), seed=4)
    settings = Settings("test", SCHEDULE, results=folder, raw=raw, command="test")
    environment = {"JOULES_LOCK": str(folder / "lock")}
    session = Session.start(settings, lambda _: None, environment, device.instruments())
    works = {1: Work(0.004), 0.8: Work(0.0032)}
    models = {factor: SimulatedModel(device, work) for factor, work in works.items()}
    workload = Workload("small", models[1], lambda _: None, version="1")
    for factor, model in models.items():
        levels = () if factor == 1 else level(by=factor)
        variant = Variant(workload, "baseline" if factor == 1 else "scaled", levels, model)
        session.measure(variant, None, 1, runtime="simulated")
    return records.read(session.finish(0))


def test_every_energy_of_a_journal_is_made_again_from_its_readings(tmp_path: Path) -> None:
    journal = measured(tmp_path)

    made = list(replayed(journal))
    assert len(made) == 3 * len(journal.windows)
    assert {stored.status for _, stored, _ in made} > {Status.OK}
    assert all(stored == found for _, stored, found in made)
    assert list(differences(journal)) == []


def test_the_page_of_the_joules_that_were_made_again_is_the_same_page(tmp_path: Path) -> None:
    journal = measured(tmp_path)
    again: dict[int, list[Any]] = {}
    for window, _, found in replayed(journal):
        again.setdefault(id(window), []).append(found)

    windows = tuple(replace(w, energy=tuple(again[id(w)])) for w in journal.windows)

    pages = [page(Report(compare([each]))) for each in (journal, replace(journal, windows=windows))]
    assert pages[0] == pages[1]


def test_a_session_that_is_not_asked_keeps_no_reading(tmp_path: Path) -> None:
    journal = measured(tmp_path, raw=False)

    assert not any(window.readings for window in journal.windows)
    assert b'"readings"' not in journal.path.read_bytes()


def test_a_window_with_readings_comes_back_from_its_line_and_fits_the_schema(
    tmp_path: Path,
) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    lines = measured(tmp_path).path.read_text(encoding="utf-8").splitlines()

    for line in lines:
        validator.validate(json.loads(line))
        assert to_json(from_json(line)) == line
    window = next(r for line in lines if isinstance(r := from_json(line), Window) and r.readings)
    assert isinstance(window.readings[0], Reading)
    assert isinstance(window.readings[0].status, Status)


def changed(journal: Journal, role: str) -> Path:
    """The journal's file with half of the joules of one window of *role*."""
    lines = journal.path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        fields = json.loads(line)
        if fields.get("role") == role:
            fields["energy"][0]["joules"] /= 2
            fields["energy"][0]["low"] /= 2
            lines[number] = json.dumps(fields)
            break
    path = journal.path.with_name("changed.jsonl")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("role", ["variant", "idle"])
def test_a_number_that_was_changed_by_hand_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], role: str
) -> None:
    path = changed(measured(tmp_path), role)

    assert main(["replay", str(path)]) == 1
    said = capsys.readouterr().out
    assert "1 of them differ" in said
    assert f"{role} " in said
    assert "cpu/0/package: the journal says" in said


def test_the_command_says_that_all_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = measured(tmp_path)

    assert main(["replay", str(journal.path)]) == 0
    assert "made again: all the same, bit for bit" in capsys.readouterr().out


def test_a_journal_without_readings_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = measured(tmp_path, raw=False)

    assert main(["replay", str(journal.path)]) == 2
    assert "measure with --joules-raw to keep them" in capsys.readouterr().err


def test_a_user_keeps_the_readings_with_one_option(
    project: pytest.Pytester, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.makepyfile("def test_it(joules): joules(lambda: sum(range(300)))")

    outcome = project.runpytest_inprocess(
        "--joules", "--joules-raw", "--joules-meters=replay", "-p", "no:cacheprovider"
    )

    assert outcome.ret == 0
    (path,) = records.journals(results)
    assert main(["replay", str(path)]) == 0
    assert "all the same, bit for bit" in capsys.readouterr().out
