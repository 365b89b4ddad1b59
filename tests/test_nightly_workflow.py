"""The nightly workflow: what may start it, what it may do, and that every command in it exists."""

import argparse
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.cli import _parser
from bench.starter import Names, workflow

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
TEXT = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
OURS = Names("joulebench/joulebench", "-c constraints.txt .", ".")
CONTENT: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = CONTENT["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
SCRIPTS = [(f"{name}: {step.get('name')}", step["run"]) for name, step in STEPS if "run" in step]


def test_the_workflow_is_the_template_but_for_the_names() -> None:
    assert workflow(OURS) == TEXT
    assert "@" not in re.sub(r"uses: \S+|joulebench@localhost", "", TEXT)


def test_only_the_clock_and_a_person_start_it() -> None:
    events = CONTENT[True]  # YAML 1.1 reads the key "on" as true

    assert set(events) == {"schedule", "workflow_dispatch"}
    assert "pull_request" not in re.sub(r"#.*", "", TEXT)


def test_it_runs_in_one_repository_and_one_night_at_a_time_on_a_host() -> None:
    assert all(
        job["if"] == "github.repository == 'joulebench/joulebench'" or "needs" in job
        for job in JOBS.values()
    )
    gate = JOBS["gate"]
    assert gate["runs-on"] == ["self-hosted", "linux", "joules"]
    assert gate["if"] == "github.repository == 'joulebench/joulebench'"
    assert gate["concurrency"] == {"group": "joules-host", "cancel-in-progress": False}
    assert all(job["timeout-minutes"] <= 480 for job in JOBS.values())


def test_the_job_that_runs_code_under_test_may_only_read() -> None:
    assert CONTENT["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "base": {"actions": "read"},
        "gate": {"contents": "read"},
        "issues": {"contents": "read", "issues": "write"},
        "results": {"contents": "write"},
    }
    assert "vars.JOULES_RESULTS_BRANCH != ''" in JOBS["results"]["if"]
    for name, step in STEPS:
        assert "GH_TOKEN" not in step.get("env", {}) or name != "gate"
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_whole_history_of_the_real_head_is_there() -> None:
    (checkout,) = [s for name, s in STEPS if name == "gate" and "checkout" in s.get("uses", "")]

    assert checkout["with"]["fetch-depth"] == 0
    assert checkout["with"]["ref"] == "${{ github.sha }}"


def test_every_action_is_pinned_by_its_hash_with_the_version_beside_it() -> None:
    used = re.findall(r"uses: (.*)", TEXT)

    assert len(used) == sum("uses" in step for _, step in STEPS)
    for line in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    assert len({line.partition("@")[0] for line in used}) == len(set(used))


def test_no_expression_of_github_stands_in_a_script() -> None:
    assert [name for name, script in SCRIPTS if "${{" in script] == []


@pytest.mark.parametrize(("name", "script"), SCRIPTS, ids=[name for name, _ in SCRIPTS])
def test_every_script_is_shell(name: str, script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)

    assert done.stderr == ""


def commands() -> list[list[str]]:
    """Every call of ours in the scripts, as words."""
    joined = "\n".join(script for _, script in SCRIPTS).replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    found = [re.search(r'(?:^|/)joulebench"? (.*)', line) for line in lines]
    return [shlex.split(each[1].partition("||")[0]) for each in found if each]


def test_every_command_of_ours_in_it_has_the_options_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(argparse.ArgumentParser, "exit", refuse)
    verbs = [words[0] for words in commands()]

    assert verbs == ["doctor", "gate", "issues"]
    for words in commands():
        if words[0] not in known_verbs():
            pytest.skip(f"there is no verb {words[0]} yet")
        options = _parser().parse_args(words)
        assert getattr(options, "arguments", ["suites"]) == ["suites"]  # the rest goes to pytest


def refuse(_: object, status: int = 0, message: str | None = None) -> None:
    raise AssertionError(f"{status}: {message}")


def known_verbs() -> set[str]:
    (action,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return set(action.choices)


def run_script(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs one step as GitHub does."""
    (script,) = [text for each, text in SCRIPTS if each == name]
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("size", [0, 1000, 3_000_000])
def test_the_summary_stays_below_what_github_takes(size: int, tmp_path: Path) -> None:
    line = "é" * 99 + "\n"
    (tmp_path / "night").mkdir()
    (tmp_path / "night/gate.md").write_text(line * (size // 100), encoding="utf-8")
    summary = tmp_path / "summary"

    done = run_script("gate: Summary", tmp_path, GITHUB_STEP_SUMMARY=str(summary))

    assert (done.returncode, done.stderr) == (0, "")
    shown = summary.read_text(encoding="utf-8") if size else ""
    assert len(shown.encode()) < 2**20
    assert ("the whole page is in the artifact" in shown) == (size > 2**20)
    assert shown.endswith(line) or not size


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name which is found first."""
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("against", "code", "commit"),
    [
        ("", 0, "abc123"),
        ("v1.0", 0, "v1.0"),
        ("HEAD~3", 0, "HEAD~3"),
        ("-rf", 2, ""),
        ("$(touch hacked)", 2, ""),
        ("a\nanswered=yes", 2, ""),
    ],
)
def test_the_revision_to_hold_against_is_the_last_good_night_or_a_plain_name(
    against: str, code: int, commit: str, tmp_path: Path
) -> None:
    program(tmp_path, "gh", 'echo "$@" > asked; echo abc123')
    output = tmp_path / "output"

    done = run_script(
        "base: Find the commit of the last scheduled night that ended well",
        tmp_path,
        AGAINST=against,
        BRANCH="main",
        GITHUB_REPOSITORY="a/b",
        GITHUB_OUTPUT=str(output),
    )

    assert done.returncode == code
    assert not (tmp_path / "hacked").exists()
    assert (output.read_text() if output.exists() else "") == (f"commit={commit}\n" * (not code))
    if not against:
        assert "--event schedule --status success" in (tmp_path / "asked").read_text()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of two commits, with a joulebench that notes how it is called."""
    who = ["-c", "user.name=n", "-c", "user.email=e@localhost"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("one", "two"):
        subprocess.run(
            ["git", "-C", tmp_path, *who, "commit", "-q", "--allow-empty", "-m", name], check=True
        )
    joules = tmp_path / "joules/bin"
    joules.mkdir(parents=True)
    script = joules / "joulebench"
    script.write_text('#!/bin/bash\necho "$@" > called\necho "{}" > night/gate.json\nexit 8\n')
    script.chmod(0o755)
    return tmp_path


def head(repository: Path, revision: str = "HEAD") -> str:
    done = subprocess.run(
        ["git", "-C", repository, "rev-parse", revision], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def gate(repository: Path, base: str) -> subprocess.CompletedProcess[str]:
    output = repository / "output"
    return run_script(
        "gate: Gate",
        repository,
        BASE=base,
        RUNNER_TEMP=str(repository),
        GITHUB_OUTPUT=str(output),
        GITHUB_REPOSITORY="me/mine",
    )


def test_a_regression_fails_the_night_and_its_answer_is_kept(repository: Path) -> None:
    done = gate(repository, head(repository, "HEAD~1"))

    assert done.returncode == 8
    assert (repository / "output").read_text() == "answered=yes\n"
    assert (
        (repository / "called")
        .read_text()
        .startswith(f"gate suites --against {head(repository, 'HEAD~1')} --require measured")
    )


def test_what_earlier_nights_of_the_machine_said_is_there_and_tonight_s_is_kept(
    repository: Path,
) -> None:
    nights = repository / ".joulebench/nights/me/mine"
    for folder in (nights / "before", repository / "results/gate/tonight"):
        folder.mkdir(parents=True)
        (folder / "answer.json").write_text("{}")
        (folder / "pair.jsonl").write_text("{}")

    gate(repository, head(repository, "HEAD~1"))

    assert (repository / "results/gate/before/answer.json").is_file()
    assert (nights / "tonight/answer.json").is_file()
    assert not (nights / "tonight/pair.jsonl").exists()


@pytest.mark.parametrize("base", ["same", "", "0123456789012345678901234567890123456789"])
def test_a_night_without_a_new_commit_or_an_older_one_compares_nothing(
    base: str, repository: Path
) -> None:
    done = gate(repository, head(repository) if base == "same" else base)

    assert done.returncode == 0
    assert "nothing to compare" in (repository / "night/gate.md").read_text()
    assert not (repository / "called").exists()


def test_the_journals_of_this_night_are_collected_and_older_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "results/gate").mkdir(parents=True)
    (tmp_path / "results/old.jsonl").touch()
    os.utime(tmp_path / "results/old.jsonl", (1, 1))
    started = tmp_path / "started"
    started.touch()
    os.utime(started, (2, 2))
    kept = {"results/gate/new.jsonl", "results/gate/night.json", "results/tonight.jsonl"}
    for name in kept:
        (tmp_path / name).touch()

    done = run_script(
        "gate: Collect the journals of this night", tmp_path, RUNNER_TEMP=str(tmp_path)
    )

    assert done.returncode == 0
    found = [path for path in (tmp_path / "night").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "night")) for path in found} == kept
