"""One issue for each case: opened once, kept up to date, closed after three good nights."""

import html
import json
import os
from pathlib import Path
from typing import Any

import pytest
from foreign import HOSTILE
from harmless import of_markdown
from hypothesis import given
from hypothesis import strategies as st

from bench.cli import main
from bench.gate.issues import GOOD_NIGHTS, MOST_NEW, Issue, Step, steps, title_of

CASE = "digits/student@width=8/eager/cpu/b1"
NIGHT = "https://github.com/a/b/actions/runs/1"


def decision(word: str, case: str = CASE, **changes: Any) -> dict[str, Any]:
    return {
        "case": case,
        "quantity": "energy",
        "word": word,
        "reason": "18 of 18 pairs are dearer",
        "ratio": {"value": 1.121, "low": 1.096, "high": 1.147, "pairs": 18},
        "base": {"commit": "1a2b3c4d5e"},
        "head": {"commit": "9f8e7d6c5b"},
        "touching": [{"hash": "9f8e7d6c5b", "subject": "Wider layers"}],
        **changes,
    }


def answer(*decisions: dict[str, Any], outcome: str = "regression") -> dict[str, Any]:
    return {
        "format": "joulebench gate",
        "schema": 1,
        "outcome": outcome,
        "decisions": list(decisions),
    }


def opened(step: Step) -> Issue:
    """The issue that a step leaves behind."""
    title = step.arguments[step.arguments.index("--title") + 1]
    return Issue(7, title, step.body or "")


def test_a_dearer_case_gets_an_issue_with_what_to_do() -> None:
    (step,) = steps(answer(decision("regressed")), [], NIGHT)

    assert step.arguments[:2] == ("issue", "create")
    assert title_of(CASE) in step.arguments
    body = step.body or ""
    assert "1.121 [1.096, 1.147]" in body
    assert "joulebench bisect" in body
    assert "--good 1a2b3c4d5e --bad 9f8e7d6c5b" in body
    assert "Wider layers" in body
    assert NIGHT in body


def test_the_commands_of_an_issue_name_test_margin_and_options_of_the_night() -> None:
    told = {"test": "suites/a b.py::t[$x]", "options": ["--joules-device", "cuda:0"]}
    (step,) = steps(answer(decision("regressed") | told | {"asked_margin": 0.07}), [], NIGHT)
    body = html.unescape(step.body or "")

    settings = "--test 'suites/a b.py::t[$x]' --margin 7% '--pytest=--joules-device cuda:0'"
    for verb in ("rerun", "bisect"):
        commits = "--good 1a2b3c4d5e --bad 9f8e7d6c5b"
        assert f"joulebench {verb} {CASE} {commits} {settings}\n" in body
    assert f"joulebench accept {CASE} --at 9f8e7d6c5b --test 'suites/a b.py::t[$x]'" in body


def test_the_next_dear_night_updates_the_same_issue() -> None:
    (first,) = steps(answer(decision("regressed")), [], NIGHT)
    (second,) = steps(answer(decision("regressed")), [opened(first)], NIGHT)

    assert second.arguments == ("issue", "edit", "7", "--body-file", "-")
    assert second.body == first.body


def test_the_issue_is_closed_after_three_good_nights_and_a_bad_one_begins_anew() -> None:
    (first,) = steps(answer(decision("regressed")), [], NIGHT)
    issue = opened(first)
    for night in range(1, GOOD_NIGHTS):
        (step,) = steps(answer(decision("ok"), outcome="ok"), [issue], NIGHT)
        issue = Issue(7, issue.title, step.body or "")
        assert issue.good_nights == night
        assert issue.body.startswith((first.body or "").partition("<!--")[0])
    (closed,) = steps(answer(decision("improved"), outcome="ok"), [issue], NIGHT)
    (again,) = steps(answer(decision("regressed")), [issue], NIGHT)

    assert closed.arguments[:3] == ("issue", "close", "7")
    assert Issue(7, issue.title, again.body or "").good_nights == 0


@pytest.mark.parametrize("outcome", ["untrusted", "cannot measure"])
def test_a_night_that_cannot_be_trusted_changes_no_issue(outcome: str) -> None:
    (first,) = steps(answer(decision("regressed")), [], NIGHT)

    for word in ("regressed", "ok"):
        assert steps(answer(decision(word), outcome=outcome), [opened(first)], NIGHT) == ()


@pytest.mark.parametrize("word", ["inconclusive", "not measured", "not comparable"])
def test_what_was_not_decided_is_no_good_night(word: str) -> None:
    (first,) = steps(answer(decision("regressed")), [], NIGHT)
    night = answer(decision("ok"), decision(word, quantity="time"), outcome="ok")

    assert steps(night, [opened(first)], NIGHT) == ()


def test_a_good_case_without_an_issue_needs_none() -> None:
    assert steps(answer(decision("ok"), outcome="ok"), [Issue(1, "other", "")], NIGHT) == ()


def test_one_night_opens_no_flood_of_issues() -> None:
    many = [decision("regressed", f"case {number}") for number in range(3 * MOST_NEW)]

    assert len(steps(answer(*many), [], NIGHT)) == MOST_NEW


def test_an_estimate_is_marked_as_one() -> None:
    (step,) = steps(answer(decision("regressed", estimated=True, ratio=None, base=None)), [])

    assert "(*estimated*)" in (step.body or "")
    assert "bisect" not in (step.body or "")


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_cases_share_a_title_only_if_they_are_one(one: str, other: str) -> None:
    assert (title_of(one) == title_of(other)) == (one == other)
    assert title_of(one).isprintable()


def test_what_a_hostile_case_or_commit_holds_stays_text() -> None:
    hostile = decision(
        "regressed",
        HOSTILE,
        reason=HOSTILE,
        base={"commit": HOSTILE},
        touching=[{"hash": HOSTILE, "subject": HOSTILE}],
    )
    (step,) = steps(answer(hostile), [])
    body = (step.body or "").partition("<!--")[0]

    assert of_markdown(body) == []
    assert all(argument.isprintable() for argument in step.arguments)


@pytest.mark.parametrize(
    ("content", "night", "message"),
    [
        ({"format": "else"}, "", "this is no answer of the gate"),
        ({"format": "joulebench gate", "schema": 2}, "", "wanted up to 1; install a newer"),
        (answer(), "javascript:alert(1)", "found no address, wanted https://"),
        (answer(), "https://a/b)[x](y", "found no address, wanted https://"),
    ],
)
def test_what_is_no_answer_or_no_address_is_refused(
    content: dict[str, Any], night: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        steps(content, [], night)


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program gh that notes what it is asked, and knows one open issue."""
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    issue = [{"number": 7, "title": title_of("old"), "body": ""}]
    (tmp_path / "issues.json").write_text(json.dumps(issue))
    program.write_text(
        f"#!/bin/bash\ncd {tmp_path}\n"
        'for word in "$@"; do printf "%s\\n" "$word"; done >> asked\n'
        'if [ "$1 $2" = "issue list" ]; then cat issues.json; else cat >> bodies; fi\n'
        'if [ "$2" = close ]; then echo "no  rights" >&2; exit 4; fi\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def file(folder: Path, content: object) -> str:
    path = folder / "gate.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_the_command_opens_what_is_new_through_gh(
    gh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(gh, answer(decision("regressed"), decision("regressed", "old")))

    assert main(["issues", path, "--night", NIGHT]) == 0
    asked = (gh / "asked").read_text().splitlines()
    assert asked.count("create") == 2  # the label, and one issue
    assert title_of(CASE) in asked
    assert "joulebench rerun" in (gh / "bodies").read_text()
    assert capsys.readouterr().out == f"open: {title_of(CASE)}\nupdate: #7\n"


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(
    gh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["issues", file(gh, answer(decision("regressed"))), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("would open: ")
    assert "create" not in (gh / "asked").read_text()


def test_a_quiet_night_changes_nothing(gh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["issues", file(gh, answer(decision("ok"), outcome="ok"))]) == 0
    assert capsys.readouterr().out == "no issue changes\n"


def test_what_gh_refuses_is_said_in_one_line(gh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "<!-- joulebench: good nights 2 -->"
    (gh / "issues.json").write_text(
        json.dumps([{"number": 9, "title": title_of(CASE), "body": body}])
    )

    assert main(["issues", file(gh, answer(decision("ok"), outcome="ok"))]) == 2
    assert capsys.readouterr().err == "joulebench: gh issue close: no rights\n"


@pytest.mark.parametrize(("text", "message"), [("[]", "found no object"), ("{", "found no JSON")])
def test_a_file_that_is_no_answer_is_refused(
    text: str, message: str, gh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (gh / "odd.json").write_text(text)

    assert main(["issues", str(gh / "odd.json")]) == 2
    assert message in capsys.readouterr().err


def test_without_gh_it_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["issues", file(tmp_path, answer())]) == 2
    assert "gh is not installed; get it from https://cli.github.com" in capsys.readouterr().err
