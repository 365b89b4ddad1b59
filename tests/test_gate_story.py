"""From a dearer commit to its acceptance and the next one, through real revisions and processes."""

import json
from pathlib import Path
from typing import Any

import pytest
from gate_repositories import CONFTEST, NO_METERS, SUITE, WORK, commit, git, quick, repository

from bench.cli import main
from bench.gate import accepted

CASE = "test_model.py::test_model/baseline/eager/cpu/b1"
GATE = ("test_model.py", "--pairs=3", "--fresh=7", "--margin=90%", "--bisect=1")
"""The changes are sixfold, far beyond the margin: what a busy machine adds cannot hide them."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    quick(monkeypatch, tmp_path.parent / "compiled")
    folder = repository(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def gate(against: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str, dict[str, Any]]:
    """The exit code of a gate, what it prints, its page, and its answer on the time."""
    written = ("--markdown=../page.md", "--json=../answer.json")
    capsys.readouterr()
    code = main(["gate", *GATE, f"--against={against}", *written])
    said = capsys.readouterr()
    (time,) = (
        each
        for each in json.loads(Path("../answer.json").read_text())["decisions"]
        if each["quantity"] == "time"
    )
    assert time["case"] == CASE, said.err
    return code, said.out, Path("../page.md").read_text(), time


def test_a_dearer_commit_shuts_the_gate_is_named_and_accepted_and_the_next_one_is_found(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"model.py": WORK.format(times=1), "test_model.py": SUITE}
    good = commit(project, "a model", {"conftest.py": CONFTEST + NO_METERS, **files})
    guilty = commit(project, "more accurate", {"model.py": WORK.format(times=6)})
    head = commit(project, "words", {"notes.txt": "one\n"})

    code, shown, page, time = gate(good, capsys)

    assert code == 8, shown
    assert "✖ 1 regressed" in shown
    assert f"{CASE} time: slower by" in shown
    assert "energy: no instrument reads the energy" in shown
    assert f"against {good[:12]}" in shown
    assert f"dearer since {guilty[:9]} more accurate (by bisection): {CASE}" in shown
    block = page.partition("### ✖ regressed")[2]
    named = f"- **dearer since** <code>{guilty[:9]}</code> <code>more accurate</code>, "
    assert f"{named}<code>Ada</code>" in block
    assert "1 commit between them measured" in block
    assert f"git show {guilty[:12]}\n" in block
    assert [each["hash"] for each in time["guilty"]] == [guilty]
    assert git(project, "status", "--porcelain") == "?? results/"

    assert main(["accept", CASE, "--reason", "it answers better"]) == 0
    (line,) = accepted.read(project / "results")
    assert (line.case, line.commit) == (CASE, head)
    assert line.ratio == pytest.approx(time["ratio"]["value"])
    kept = {path: path.read_bytes() for path in project.glob("results/gate/*/*.json*")}
    assert project / "results" / "gate" / line.run / "answer.json" in kept

    code, shown, page, time = gate(good, capsys)

    assert (code, time["base"]["commit"], time["head"]["commit"]) == (0, head, head), shown
    told = f"held against {head[:9]}, accepted {line.when[:10]}: it answers better"
    assert f"accepted  {CASE}: {told}" in shown
    assert f"- <code>{CASE.replace('_', '&#95;')}</code>: {told}" in page
    assert "regressed" not in shown + page
    assert all(path.read_bytes() == before for path, before in kept.items())

    worse = commit(project, "twice as deep", {"model.py": WORK.format(times=36)})
    code, shown, page, time = gate(good, capsys)

    assert code == 8, shown
    assert 2 < time["ratio"]["value"] < 20  # sixfold over what was accepted, 36-fold over good
    assert time["base"]["commit"] == head
    assert [each["subject"] for each in time["guilty"]] == ["twice as deep"]
    assert told in page
    assert f"- **dearer since** <code>{worse[:9]}</code>" in page.partition("### ✖ regressed")[2]

    assert main(["accept", CASE, "--reason", "and better still"]) == 0
    assert [each.commit for each in accepted.read(project / "results")] == [head, worse]
    assert accepted.read(project / "results")[0] == line
