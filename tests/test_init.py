"""`joulebench init`: a suite that runs at once, a workflow, and nothing written over."""

import importlib.metadata
import importlib.util
import subprocess
from pathlib import Path

import pytest

from bench import starter
from bench.cli import main
from bench.records import journals, read
from bench.starter import SUITE, WORKFLOW, Names, start, workflow


def repository(folder: Path, url: str = "git@github.com:an-owner/a.name.git") -> Path:
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", url], check=True)
    return folder


@pytest.mark.parametrize("model", ["torch", "plain"])
def test_the_suite_runs_at_once_and_measures(
    model: str, project: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    repository(project.path)

    assert main(["init", str(project.path), "--model", model]) == 0
    said = capsys.readouterr().out
    assert f"wrote {SUITE}" in said
    assert f"python -m pytest {SUITE} --benchmark" in said

    smoke = project.runpytest_inprocess(SUITE, "-p", "no:cacheprovider")
    smoke.assert_outcomes(passed=2)
    measured = project.runpytest_inprocess(SUITE, "--benchmark", "-p", "no:cacheprovider")
    measured.assert_outcomes(passed=2)

    (path,) = journals(project.path / "results")
    cases = read(path).cases
    assert [case.case == case.baseline for case in cases] == [True, False]
    assert all(case.quality for case in cases[1:])
    assert list((project.path / "reports").glob("*.md"))


def test_the_workflow_runs_for_the_repository_of_the_remote(tmp_path: Path) -> None:
    found = start(repository(tmp_path))

    text = (tmp_path / WORKFLOW).read_text(encoding="utf-8")
    assert found.repository == "an-owner/a.name"
    assert "github.repository == 'an-owner/a.name'" in text
    assert "@" not in text.replace("uses: actions/", "").partition("@")[0]


@pytest.mark.parametrize(
    ("url", "repository_"),
    [
        ("https://github.com/a/b", "a/b"),
        ("https://github.com/a/b.git", "a/b"),
        ("ssh://git@github.com/a/b/", "a/b"),
        ("https://gitlab.com/a/b", "OWNER/NAME"),
        ("https://github.com/a/b';id;'", "OWNER/NAME"),
        ("git@github.com:a/b$(id)", "OWNER/NAME"),
    ],
)
def test_a_remote_that_is_not_on_github_names_no_repository(
    url: str, repository_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(repository(tmp_path, url))]) == 0

    assert f"github.repository == '{repository_}'" in (tmp_path / WORKFLOW).read_text()
    assert ("it runs nowhere" in capsys.readouterr().out) == (repository_ == "OWNER/NAME")


def test_what_exists_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SUITE).parent.mkdir()
    (tmp_path / SUITE).write_text("mine")

    assert main(["init", str(tmp_path), "--repository", "a/b"]) == 0
    said = capsys.readouterr().out
    assert (tmp_path / SUITE).read_text() == "mine"
    assert f"kept {SUITE}: it exists" in said
    assert f"wrote {WORKFLOW}" in said
    before = (tmp_path / WORKFLOW).read_bytes()
    assert main(["init", str(tmp_path), "--repository", "c/d"]) == 0
    assert (tmp_path / WORKFLOW).read_bytes() == before
    assert "wrote" not in capsys.readouterr().out


def test_a_link_that_leads_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    inside = tmp_path / "project"
    (inside / "suites").mkdir(parents=True)
    (inside / SUITE).symlink_to(outside)

    assert SUITE in start(inside, repository="a/b").kept
    assert not outside.exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-n auto'\n", True),
        ("pyproject.toml", "[tool.pytest]\naddopts = ['-ra', '-n', '2']\n", True),
        ("pytest.ini", "[pytest]\naddopts = -q --numprocesses=4\n", True),
        ("setup.cfg", "[tool:pytest]\naddopts = -ra\n", False),
        ("tox.ini", "[pytest]\n", False),
        ("pytest.toml", "[pytest]\naddopts = ['-n2']\n", True),
    ],
)
def test_the_commands_fit_the_pytest_of_the_project(
    name: str, text: str, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)

    assert main(["init", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"pytest reads {name}" in shown
    assert shown.rstrip().endswith("--benchmark -n0") == said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("pyproject.toml", "not toml"),
        ("pyproject.toml", "tool = 3\n"),
        ("setup.cfg", "[metadata]\n"),
        ("tox.ini", "no section"),
    ],
)
def test_a_file_without_a_place_for_pytest_is_passed_over(
    name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)

    assert start(tmp_path).pytest is None


@pytest.mark.parametrize(
    ("files", "install"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, "-check . joulebench"),
        ({"requirements.txt": ""}, "-check -r requirements.txt joulebench"),
        ({}, "-check joulebench"),
    ],
)
def test_the_night_installs_the_project_and_this_very_version(
    files: dict[str, str], install: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "requirement", lambda: "joulebench==9.9")
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    start(tmp_path)

    assert f"{install}==9.9\n" in (tmp_path / WORKFLOW).read_text()


class Distribution:
    version = "1.2.3"

    def __init__(self, origin: str | None) -> None:
        self.origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.origin


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        (None, "joulebench==1.2.3"),
        ('{"url": "file:///here", "dir_info": {}}', "joulebench==1.2.3"),
        (
            '{"url": "https://h/x.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}}',
            "joulebench @ git+https://h/x.git@ab12",
        ),
        (
            '{"url": "https://h/$(id)", "vcs_info": {"vcs": "git", "commit_id": "ab12"}}',
            "joulebench==1.2.3",
        ),
    ],
)
def test_what_came_from_git_is_installed_from_the_same_commit(
    origin: str | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Distribution(origin))

    assert starter.requirement() == found


def test_an_uninstalled_joulebench_is_named_without_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)

    assert starter.requirement() == "joulebench"


def test_without_torch_the_suite_measures_plain_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    start(tmp_path)

    assert "torch" not in (tmp_path / SUITE).read_text()


def test_a_folder_inside_a_repository_is_refused_with_its_top(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = repository(tmp_path) / "inside"
    inside.mkdir()

    assert main(["init", str(inside)]) == 2
    error = capsys.readouterr().err
    assert f"run joulebench init {tmp_path}" in error
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "a/b/c", "a/b'", "a b/c", "../x/y"])
def test_a_repository_that_is_no_name_is_refused_before_anything_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path), "--repository", name]) == 2
    assert "wanted OWNER/NAME as on GitHub" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="wanted OWNER/NAME"):
        workflow(Names(name, ".", "."))


def test_a_folder_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "missing")]) == 2
    assert "is no folder; make it first" in capsys.readouterr().err
