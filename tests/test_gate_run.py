"""`joulebench gate --against REV`, as its users meet it: real revisions, real processes."""

import json
import signal
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from gate_repositories import (
    CONFTEST,
    DEVICE,
    SIMULATED,
    SUITE,
    WORK,
    commit,
    git,
    quick,
    repository,
)

from bench.cli import main
from bench.gate import accepted
from bench.gate.accepted import Acceptance, append
from bench.gate.answer import Decision, Night, Pair, Series, Word
from bench.gate.checkout import Checkout
from bench.gate.night import Baseline, Order
from bench.gate.state import State
from bench.statistics import Interval

RULE = ("--pairs", "3", "--fresh", "7")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    quick(monkeypatch, tmp_path_factory.getbasetemp() / "compiled")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = repository(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def simulated(project: Path) -> Path:
    """A case on a simulated device; `model.py` says what it draws."""
    commit(
        project,
        "a model",
        {
            "conftest.py": CONFTEST + DEVICE,
            "test_model.py": SIMULATED,
            "model.py": "WATTS = 30.0\n",
        },
    )
    return project


def the_night(project: Path) -> Path:
    (folder,) = (project / "results" / "gate").iterdir()
    return folder


def killed_after(number: int, project: Path, arguments: Sequence[str]) -> dict[Path, bytes]:
    """Kills a gate once it has so many journals; gives what is kept."""
    command = [sys.executable, "-c", "import sys; from bench.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, *arguments], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if len(list(project.glob("results/gate/*/*.jsonl"))) >= number:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert "go on with --resume" in said.decode()
    night = the_night(project)
    assert State.read(night).status == "running"
    return {path: path.read_bytes() for path in night.glob("*.jsonl")}


def test_a_head_that_only_draws_more_power_shuts_the_gate_killed_and_gone_on_until_accepted(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = git(simulated, "rev-parse", "HEAD")
    guilty = commit(simulated, "wider vectors", {"model.py": "WATTS = 33.0\n"})
    head = commit(simulated, "words", {"notes.txt": "one\n"})

    answers = ("--json=out/a.json", "--junit=out/j.xml", "--markdown=out/a.md")
    arguments = ["gate", "test_model.py", "--against", "HEAD~2", *RULE, *answers]
    kept = killed_after(3, simulated, arguments)

    code = main([*arguments, "--resume"])

    shown, said = capsys.readouterr()
    assert code == 8, shown
    assert "going on with" in said
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert "✖ 1 regressed · ● 1 ok" in shown
    answer = json.loads((simulated / "out" / "a.json").read_text())
    words = {
        (each["case"].split("/")[0], each["quantity"]): each["word"] for each in answer["decisions"]
    }
    assert words == {
        ("test_model.py::test_model", "energy"): "regressed",
        ("test_model.py::test_model", "time"): "ok",
    }
    page = (simulated / "out" / "a.md").read_text()
    assert "wider vectors" in page
    assert head[:9] in page
    assert ET.fromstring((simulated / "out" / "j.xml").read_text()).get("failures") == "1"
    night = the_night(simulated)
    before = {path.name: path.read_bytes() for path in (simulated / "out").iterdir()}
    assert main(["gate", "--from", str(night), *answers]) == 8
    assert capsys.readouterr().out == shown
    assert {path.name: path.read_bytes() for path in (simulated / "out").iterdir()} == before

    case = answer["decisions"][0]["case"]
    assert f"joulebench bisect {case} --good {good[:12]} --bad {head[:12]} --test " in page
    assert main(["bisect", case, "--good", good[:12], "--bad", head[:12], "--pairs", "3"]) == 0
    told = capsys.readouterr().out
    assert f"dearer since <code>{guilty[:9]}</code>\n" in told
    assert "<code>wider vectors</code>, <code>Ada</code>" in told
    assert git(simulated, "status", "--porcelain") == "?? out/\n?? results/"
    assert main(["gate", "--from", str(night), *answers]) == 8
    block = (simulated / "out" / "a.md").read_text().partition("### ✖ regressed")[2]
    assert f"- **dearer since** <code>{guilty[:9]}</code> <code>wider vectors</code>, " in block
    assert "by bisection: energy +" in block

    assert main(["accept", case, "--reason", "it answers sooner"]) == 0
    (line,) = accepted.read(simulated / "results")
    assert (line.case, line.commit, line.run) == (case, head, night.name)
    assert line.ratio == pytest.approx(answer["decisions"][0]["ratio"]["value"])
    capsys.readouterr()

    code = main(arguments)

    shown = capsys.readouterr().out
    assert code == 0, shown
    told = f"held against {head[:9]}, accepted {line.when[:10]}: it answers sooner"
    assert f"accepted  {case}: {told}" in shown
    page = (simulated / "out" / "a.md").read_text()
    assert f"- <code>{case.replace('_', '&#95;')}</code>: {told}" in page
    assert "regressed" not in shown + page
    again = json.loads((simulated / "out" / "a.json").read_text())["decisions"]
    assert [each["base"]["commit"] for each in again] == [head, head]


def test_where_nothing_can_be_measured_and_it_is_required_the_gate_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = DEVICE.replace("DeviceModel(", "DeviceModel(counters=(), ")
    files = {"test_model.py": SIMULATED, "model.py": "WATTS = 30.0\n"}
    commit(project, "a model", {"conftest.py": CONFTEST + none, **files})

    code = main(["gate", "--against", "HEAD", "--require", "measured"])

    assert code == 10
    assert "energy cannot be measured here" in capsys.readouterr().err


def test_a_suite_that_only_head_has_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(project, "nothing yet", {"README.md": "nothing\n"})
    commit(project, "a model", {"model.py": WORK.format(times=1), "test_model.py": SUITE})

    assert main(["gate", "--against", "HEAD~1"]) == 10
    assert "0 in base, 1 in HEAD" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "found neither --against REV nor --history"),
        (("--against=nowhere",), "found no commit 'nowhere'"),
        (("--against=HEAD", "--margin=2"), "wanted a percentage such as 2%"),
        (("--against=HEAD", "--margin=0%"), "wanted a percentage such as 2%"),
        (("--against=HEAD", "--floor=1"), "wanted an energy such as 1mJ"),
        (("--against=HEAD", "--floor=0mJ"), "wanted an energy such as 1mJ"),
        (("--against=HEAD", "--metric=power"), "wanted energy, time or both"),
        (("--against=HEAD", "--pairs=1"), "wanted at least"),
        (("--from=nowhere",), "is it a night's folder"),
    ],
)
def test_a_wrong_call_says_what_it_wants(
    simulated: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert main(["gate", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_outside_a_repository_there_are_no_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert main(["gate", "--against", "main"]) == 2
    assert "found no git repository" in capsys.readouterr().err


def test_what_the_gate_does_not_know_goes_to_pytest(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def night(_base: Checkout, _head: Checkout, order: Order, **_: object) -> None:
        seen.append(list(order.select))
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.gate.night.run_night", night)
    words = ["suites", "-k", "a and b", "--joules-profile=full", "-p", "no:randomly"]
    for arguments in (
        [*words, "--against", "HEAD"],
        ["--against", "HEAD", *words],
        ["--against=HEAD", "--", *words],
        [*words[:3], "--against", "HEAD", *words[3:]],
    ):
        assert main(["gate", *arguments]) == 130

    assert seen == [words] * 4


def test_without_a_baseline_to_run_the_history_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    series = Series("a", "time", "s/image", pairs=(Pair(1.0, 1.2),))
    decision = Decision(series, Word.REGRESSED, Interval(1.2, 1.1, 1.3, 20), 1e-5, 1.0, "slower")

    def from_history(folder: Path, **settings: object) -> tuple[Night, list[str]]:
        asked.append((folder, settings["asked"], settings["accepted"]))
        return Night((decision,), unpaired=True), ["1 regressed (unpaired)"]

    module = types.SimpleNamespace(from_history=from_history)
    monkeypatch.setitem(sys.modules, "bench.gate.from_history", module)
    monkeypatch.chdir(tmp_path)

    code = main(["gate", "--history", "old", "--margin=3%", "--json=a.json", "--junit=j.xml"])

    assert code == 8
    assert asked == [(Path("old"), 0.03, {})]
    assert capsys.readouterr().out == "1 regressed (unpaired)\n"
    assert json.loads(Path("a.json").read_text())["unpaired"] is True
    assert Path("j.xml").exists()
    assert main(["gate", "--history", "old", "--margin=b*=3%"]) == 2
    assert "one for all cases" in capsys.readouterr().err


def test_cases_with_an_accepted_change_have_their_own_baseline(
    simulated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = commit(simulated, "more power", {"model.py": "WATTS = 33.0\n"})
    commit(simulated, "words only", {"notes.txt": "nothing\n"})
    append(
        Path("results"), Acceptance("test_model", wanted, "it is faster", "2026-11-26T00:00:00Z")
    )
    (simulated / "model.py").write_text("WATTS = 34.0\n")
    seen: list[object] = []

    def night(base: Checkout, head: Checkout, *_: Order, baseline: Baseline, **__: object) -> None:
        found = baseline("test_model")
        assert found is not None
        seen.extend((base.revision, head.dirty, found[0].revision, found[1]))
        assert baseline("test_model") == found
        seen.append(baseline("test_other"))
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.gate.night.run_night", night)

    assert main(["gate", "--against", "HEAD~2"]) == 130

    first = git(simulated, "rev-parse", "HEAD~2")
    why = f"held against {wanted[:9]}, accepted 2026-11-26: it is faster"
    assert seen == [first, True, wanted, why, None]
    assert "with changes that are not committed" in capsys.readouterr().err
    assert main(["gate", "--against", "HEAD~2", "--head", "HEAD"]) == 130
    assert seen[6] is False  # a checkout of it is as it was committed


def test_a_revision_that_cannot_be_built_cannot_be_measured(
    simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--against", "HEAD", "--build", "echo no compiler; exit 1"]) == 10
    assert "no compiler" in capsys.readouterr().err
