"""What is accepted moves a baseline and is never forgotten; which commits touch a case."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import a_case, a_journal, package, save
from repositories import History, git

from bench.cli import main
from bench.gate import accepted
from bench.gate.accepted import Acceptance, baseline_of
from bench.gate.repository import Repository
from bench.gate.suspects import sources, suspects
from bench.record import JournalError
from bench.records import ACCEPTED, journals

CASE = "digits/baseline/eager/cpu/b1"
ONE = Acceptance(CASE, "a" * 40, "more work is wanted", "2026-11-26T00:00:00Z")


def before(one: str, other: str) -> bool:
    """Commits of one line: c1, c2, …; those of another branch, x1, …, belong to none of them."""
    return one[0] == other[0] and int(one[1:]) <= int(other[1:])


def told(*commits: str, case: str = CASE) -> tuple[Acceptance, ...]:
    return tuple(Acceptance(case, each, "wanted", "2026-11-26T00:00:00Z") for each in commits)


# -- whose baseline moves -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commits", "against", "head", "baseline"),
    [
        ((), "c1", "c9", "c1"),
        (("c5",), "c1", "c9", "c5"),
        (("c9",), "c1", "c9", "c9"),
        (("c5",), "c5", "c9", "c5"),
        (("c5",), "c6", "c9", "c6"),  # older than what the gate compares with
        (("c5",), "c1", "c4", "c1"),  # not in this head yet
        (("c5", "c3"), "c1", "c9", "c3"),  # the newest line, not the newest commit
        (("c5", "x7"), "c1", "c9", "c5"),  # the newest is of another branch
        (("x7",), "c1", "c9", "c1"),
    ],
)
def test_the_newest_acceptance_between_both_revisions_moves_the_baseline(
    commits: tuple[str, ...], against: str, head: str, baseline: str
) -> None:
    assert baseline_of(CASE, against, head, told(*commits), before) == baseline


def test_what_is_accepted_of_another_case_moves_nothing() -> None:
    assert baseline_of(CASE, "c1", "c9", told("c5", case="other"), before) == "c1"


@given(st.lists(st.sampled_from(["c2", "c4", "c6", "x3"]), max_size=6))
def test_a_baseline_lies_between_the_revisions_whatever_was_accepted(commits: list[str]) -> None:
    found = baseline_of(CASE, "c1", "c5", told(*commits), before)

    assert before("c1", found)
    assert before(found, "c5")


# -- the file -------------------------------------------------------------------------------------


def test_lines_are_appended_and_read_back_in_their_order(tmp_path: Path) -> None:
    two = replace(ONE, reason="über 3 % | <b>", ratio=1.03, run="r1")

    accepted.append(tmp_path / "results", ONE)
    first = accepted.file_of(tmp_path / "results").read_bytes()
    accepted.append(tmp_path / "results", two)

    assert accepted.read(tmp_path / "results") == (ONE, two)
    assert accepted.file_of(tmp_path / "results").read_bytes().startswith(first)


def test_without_a_file_nothing_is_accepted(tmp_path: Path) -> None:
    assert accepted.read(tmp_path) == ()


def test_a_torn_last_line_is_left_out_and_the_next_one_takes_its_place(tmp_path: Path) -> None:
    path = accepted.append(tmp_path, ONE)
    with path.open("ab") as file:
        file.write(b'{"schema": 1, "case": "di')

    assert accepted.read(tmp_path) == (ONE,)
    accepted.append(tmp_path, replace(ONE, commit="b" * 40))
    assert [each.commit[0] for each in accepted.read(tmp_path)] == ["a", "b"]


def test_a_file_of_which_only_a_torn_line_is_left_is_empty(tmp_path: Path) -> None:
    accepted.file_of(tmp_path).write_bytes(b'{"schema"')

    assert accepted.read(tmp_path) == ()


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"schema": 1}',
        '{"case": "a"}',
        '{"schema": 1, "case": 5, "commit": "a", "reason": "r", "when": "w"}',
        '{"schema": 1, "case": "c", "commit": "", "reason": "r", "when": "w"}',
        '{"schema": 1, "case": "c", "commit": "a", "reason": " ", "when": "w"}',
        '{"schema": 1, "case": "c", "commit": "a", "reason": "r", "when": "w", "ratio": NaN}',
        '{"schema": 1, "case": "c", "commit": "a", "reason": "r", "when": "w", "more": 1}',
        '{"schema": 1, "case": "c", "case": "d", "commit": "a", "reason": "r", "when": "w"}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    path = accepted.append(tmp_path, ONE)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")

    with pytest.raises(JournalError, match=r"accepted.jsonl, line 2 is damaged .*restore the file"):
        accepted.read(tmp_path)
    with pytest.raises(JournalError, match="line 2 is damaged"):
        accepted.append(tmp_path, ONE)


def test_a_line_of_a_newer_schema_asks_for_a_newer_joulebench(tmp_path: Path) -> None:
    accepted.file_of(tmp_path).write_text('{"schema": 2, "case": "c"}\n')

    with pytest.raises(JournalError, match=r"line 1: found schema 2, .* install a newer one"):
        accepted.read(tmp_path)


def test_a_file_that_cannot_be_read_or_written_is_an_error(tmp_path: Path) -> None:
    accepted.file_of(tmp_path).mkdir()

    with pytest.raises(JournalError, match="cannot read"):
        accepted.read(tmp_path)


def test_a_line_that_does_not_reach_the_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(JournalError, match=r"cannot write .*: No space left on device"):
        accepted.append(tmp_path, ONE)


def test_the_file_is_no_journal(tmp_path: Path) -> None:
    accepted.append(tmp_path, ONE)
    path = save(a_journal([(a_case(), [(package(1.0), package(1.0))] * 2)]), tmp_path)

    assert (tmp_path / ACCEPTED).exists()
    assert journals(tmp_path) == [path]


# -- the verb -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """A repository with a journal of one case, as the current folder."""
    history = History(tmp_path / "home")
    history.commit("begin", {"a.txt": "1"})
    history.commit("second", {"a.txt": "2", "suites/test_net.py": ""})
    (history.folder / "results").mkdir()
    save(a_journal([(a_case(), [(package(1.0), package(1.0))] * 2)]), history.folder / "results")
    monkeypatch.chdir(history.folder)
    return history


def test_accept_writes_case_commit_and_reason(
    home: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accept", CASE, "--reason", "it does\nmore work"]) == 0
    assert main(["accept", CASE, "--reason", "again", "--at", "HEAD~1"]) == 0

    first, second = accepted.read(home.folder / "results")
    assert (first.case, first.commit, first.reason) == (CASE, home.hashes[1], "it does more work")
    assert second.commit == home.hashes[0]
    said = capsys.readouterr().out
    assert f"held against {home.hashes[1][:9]}" in said
    assert "which has 1 earlier of this case" in said
    line = (home.folder / "results" / ACCEPTED).read_text().splitlines()[0]
    assert json.loads(line)["schema"] == 1


def test_accept_takes_a_case_of_no_journal_if_its_test_is_named(home: History) -> None:
    results = home.folder / "fresh"
    words = ["accept", "of/another/clone", "--reason", "r", "--results", "fresh"]

    assert main(words) == 2
    assert main([*words, "--test", "test_net.py::test_net"]) == 0
    assert [each.case for each in accepted.read(results)] == ["of/another/clone"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digits/baselin/eager/cpu/b1", "--reason", "r"], f"did you mean {CASE}?"),
        ([CASE, "--reason", "  "], "found no reason; give one with --reason"),
        ([CASE, "--reason", "r", "--at", "nowhere"], "found no commit 'nowhere'"),
        ([CASE, "--reason", "r", "--at=--all"], "found no commit '--all'"),
        ([CASE, "--reason", "r", "--results", "empty"], "there is none at all"),
        ([CASE, "--reason", "r", "--test", "et.py::t"], "found no file et.py at"),
        ([CASE, "--reason", "r", "--test", "::t"], "found no file  at"),
    ],
)
def test_accept_refuses_what_it_cannot_mean(
    home: History, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["accept", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert accepted.read(home.folder / "results") == ()


def test_outside_a_repository_nothing_can_be_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert main(["accept", CASE, "--reason", "r"]) == 2
    assert "found no commit 'HEAD'" in capsys.readouterr().err


# -- which commits touch a case ------------------------------------------------------------------

FILES = {
    "conftest.py": "import helpers",
    "helpers.py": "",
    "other.py": "import net",
    "src/package/__init__.py": "",
    "src/package/net.py": "from . import layers\nfrom .sub.deep import f",
    "src/package/layers.py": "import os",
    "src/package/sub/__init__.py": "from ..layers import *",
    "src/package/sub/deep.py": "",
    "src/package/unused.py": "",
    "tests/conftest.py": "",
    "tests/test_net.py": "def test():\n    from package.net import Net\n    import numpy, beside",
    "tests/beside.py": "this is no Python",
}


def test_a_case_is_made_of_its_test_and_all_that_this_imports() -> None:
    assert sources(FILES, FILES.__getitem__, "tests/test_net.py") == {
        "conftest.py", "helpers.py", "tests/conftest.py", "tests/test_net.py", "tests/beside.py",
        "src/package/__init__.py", "src/package/net.py", "src/package/layers.py",
        "src/package/sub/__init__.py", "src/package/sub/deep.py",
    }  # fmt: skip


def test_files_that_import_each_other_are_walked_once() -> None:
    files = {
        "a.py": "import b",
        "b.py": "import a\nfrom . import c\nfrom .... import d",
        "c.py": "",
    }

    assert sources(files, files.__getitem__, "a.py") == {"a.py", "b.py", "c.py"}


@pytest.fixture
def project(tmp_path: Path) -> History:
    history = History(tmp_path / "project")
    history.commit("begin", {f"in/{name}": text for name, text in FILES.items()})
    history.commit("a layer", {"in/src/package/layers.py": "import sys"})
    history.commit("unused", {"in/src/package/unused.py": "x = 1"})
    history.commit("<b>a\x1b[31mnet</b>", {"in/src/package/net.py": "import moved"}, "Eve | x")
    history.commit("elsewhere", {"README.md": "read me"})
    return history


def test_the_commits_that_touch_a_case_are_told_from_the_others(project: History) -> None:
    repository = Repository(project.folder / "in")

    found = suspects(
        repository, project.hashes[0], project.hashes[-1], "tests/test_net.py::test[b1]"
    )

    assert found is not None
    assert [each.hash for each in found.touching] == [project.hashes[3], project.hashes[1]]
    assert (found.touching[0].author, found.touching[0].short) == ("Eve | x", project.hashes[3][:9])
    assert found.touching[1].subject == "a layer"
    assert found.others == 2
    assert "in/src/package/layers.py" in found.paths  # head imports it no more, base did


@pytest.mark.parametrize("nodeid", ["", "tests/test_gone.py::test", "../secret.py::test"])
def test_a_test_that_no_revision_has_has_no_suspects(project: History, nodeid: str) -> None:
    repository = Repository(project.folder / "in")

    assert suspects(repository, project.hashes[0], project.hashes[-1], nodeid) is None


def test_a_repository_answers_about_its_commits(project: History) -> None:
    repository = Repository(project.folder)
    first, last = project.hashes[0], project.hashes[-1]

    assert repository.resolve("main~4") == first
    assert repository.is_ancestor(first, last)
    assert repository.is_ancestor(last, last)
    assert not repository.is_ancestor(last, first)
    assert not repository.is_ancestor("0" * 40, last)
    assert repository.count(first, last) == 4
    assert repository.log(first, last, ()) == ()
    assert repository.commit("HEAD").subject == "elsewhere"
    assert repository.prefix() == ""


@pytest.mark.parametrize("revision", ["", "--help", "nope", "HEAD:README.md"])
def test_what_is_no_commit_is_refused(project: History, revision: str) -> None:
    with pytest.raises(ValueError, match="found no commit"):
        Repository(project.folder).resolve(revision)


def test_what_git_refuses_is_told_in_its_words(project: History) -> None:
    with pytest.raises(ValueError, match=r"git cat-file in .*: fatal"):
        Repository(project.folder).text("HEAD", "nothing.py")
    with pytest.raises(ValueError, match="exit code 1"):
        Repository(project.folder).git("config", "--get", "no.such")


def test_a_hook_s_variables_do_not_lead_elsewhere(
    project: History, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = History(tmp_path / "other")
    other.commit("other", {})
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))

    assert Repository(project.folder).resolve("HEAD") == project.hashes[-1]
    monkeypatch.delenv("GIT_DIR")
    assert git(other.folder, "rev-parse", "HEAD") == other.hashes[0]
