"""A night names the commit since which a case is dearer, in its alert, its answer and its issue."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import alert_nights
import jsonschema
import pytest
import quick_pytest
from alert_nights import BAD, CASE, GOOD, commit, power_grew, sides
from hostile import ATTACKS
from quick_pytest import TEST
from repositories import History

from bench.cli import main
from bench.gate.about import with_guilty
from bench.gate.alert import page
from bench.gate.answer import ENERGY, Night, Word
from bench.gate.bisected import FILE, Bisected, bisected
from bench.gate.canary import night
from bench.gate.collect import CannotMeasureError
from bench.gate.culprit import Inquiry, new_folder
from bench.gate.environment import BuildError
from bench.gate.evidence import Evidence, evidence
from bench.gate.issues import steps
from bench.gate.known import Known
from bench.gate.machine_answer import answer
from bench.statistics import Interval

WIDER = commit(0x7777, "wider layers")
FOUND = Bisected(CASE, GOOD, BAD, ENERGY, Interval(1.12, 1.11, 1.13, 18), 2, (WIDER,), True)
DEARER = power_grew()


def told(found: Bisected = FOUND) -> dict[str, Known]:
    return {CASE: sides(bisected=found)}


# -- what it says ---------------------------------------------------------------------------------


def test_the_alert_names_the_commit_and_asks_for_no_bisection_any_more() -> None:
    before, text = page(DEARER, {CASE: sides()}), page(DEARER, told())

    named = f"- **dearer since** <code>{WIDER.short}</code> <code>wider layers</code>, "
    assert named + "<code>Ada</code>, 2026-11-22, by bisection: energy +12" in text
    assert "from base to head, 2 commits between them measured\n" in text
    assert f"git show {WIDER.hash[:12]}\n" in text
    for gone in ("joulebench bisect", "a bisection takes about"):
        assert gone in before
        assert gone not in text


def test_commits_that_may_be_it_are_all_named_and_what_is_not_clear_says_so() -> None:
    other = commit(0x8888, "deeper layers")
    text = page(DEARER, told(replace(FOUND, guilty=(WIDER, other), is_clear=False, steps=1)))

    assert "**dearer since** one of these, by bisection: energy +12" in text
    assert "1 commit between them measured; not clear, bisect again with more --pairs\n" in text
    for each in (WIDER, other):
        assert f"\n  - <code>{each.short}</code> <code>{each.subject}</code>, " in text
        assert f"git show {each.hash[:12]}\n" in text


def test_the_json_answer_and_the_issue_name_it() -> None:
    found = answer(DEARER, told())
    schema = json.loads(Path("bench/schema/gate-1.json").read_text(encoding="utf-8"))

    jsonschema.validate(found, schema, jsonschema.Draft202012Validator)
    assert found["decisions"][0]["guilty"] == [dataclasses.asdict(WIDER)]
    assert found["decisions"][0]["test"] == "tests/test_digits.py::test_model"
    (opened,) = steps(found, ())
    assert (
        f"**Dearer since** <code>{WIDER.short}</code> <code>wider layers</code>, by bisection"
        in (opened.body or "")
    )
    assert f"joulebench rerun {CASE} --good {GOOD[:12]}" in (opened.body or "")
    assert " --test tests/test_digits.py::test_model\n" in (opened.body or "")
    (opened,) = steps(answer(DEARER, {CASE: sides()}), ())
    assert "Dearer since" not in (opened.body or "")


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_commit_comes_out_harmless(attack: str) -> None:
    evil = replace(WIDER, subject=attack, author=attack, date=attack)
    text = page(DEARER, told(replace(FOUND, guilty=(evil, evil))))

    for bad in ("<script", "<img", "<svg", "<iframe", "](", "\n# heading"):
        assert bad not in text


# -- what is kept ---------------------------------------------------------------------------------


def test_the_newest_bisection_between_the_same_revisions_counts(tmp_path: Path) -> None:
    FOUND.write(tmp_path / "bisect" / "1")
    newer = replace(FOUND, guilty=(commit(0x9999, "the newer one"),))
    newer.write(tmp_path / "bisect" / "2")
    replace(FOUND, bad="c" * 40).write(tmp_path / "bisect" / "3")

    assert bisected(CASE, GOOD, BAD, tmp_path) == newer
    assert bisected("other", GOOD, BAD, tmp_path) is None
    assert bisected(CASE, BAD, GOOD, tmp_path) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 2),
        ("guilty", []),
        ("guilty", [{"hash": "a"}]),
        ("guilty", 5),
        ("whole", {"value": 1.1, "low": 0.0, "high": 2.0, "n": 3}),
        ("whole", {"value": "much", "low": 1.0, "high": 2.0, "n": 3}),
        ("quantity", "power"),
        ("more", 1),
    ],
)
def test_what_cannot_be_read_names_nobody(tmp_path: Path, field: str, value: object) -> None:
    folder = tmp_path / "bisect" / "1"
    FOUND.write(folder)
    assert bisected(CASE, GOOD, BAD, tmp_path) == FOUND
    fields = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps({**fields, field: value}))

    assert bisected(CASE, GOOD, BAD, tmp_path) is None
    (folder / FILE).write_text("torn {")
    assert bisected(CASE, GOOD, BAD, tmp_path) is None


def test_only_what_the_night_calls_dearer_is_dearer_since_a_commit(tmp_path: Path) -> None:
    FOUND.write(tmp_path / "bisect" / "1")
    known = {CASE: sides()}
    dirty = {CASE: replace(known[CASE], head=replace(known[CASE].head, dirty=True))}
    quiet = Night((alert_nights.decision(Word.INCONCLUSIVE),))

    assert with_guilty(known, DEARER, tmp_path)[CASE].bisected == FOUND
    assert with_guilty(known, quiet, tmp_path) == known
    assert with_guilty(dirty, DEARER, tmp_path) == dirty
    assert with_guilty({}, DEARER, tmp_path) == {}


# -- who looks for it -----------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Nine commits, of which the seventh is dearer, and processes that take a moment."""
    made = quick_pytest.nine_commits(tmp_path / "home")
    monkeypatch.chdir(made.folder)
    quick_pytest.instead_of_processes(monkeypatch)
    return made


def gate(home: History, *more: str) -> int:
    against = ("--against", home.hashes[0])
    return main(["gate", TEST, *against, "--pairs", "5", "--fresh", "7", *more])


def the_night(home: History) -> Evidence:
    (folder,) = (home.folder / "results" / "gate").iterdir()
    return evidence(folder)


def test_a_gate_names_the_guilty_commit_on_the_terminal_and_finds_it_once(
    home: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(home, "--bisect", "3") == 8

    said = capsys.readouterr()
    assert f"dearer since {home.hashes[6][:9]} <script>dearer" in said.out
    assert f"bisecting {quick_pytest.CASE}: 8 commits between {home.hashes[0][:9]}" in said.err
    assert "skip " in said.err  # the fifth cannot be imported
    found = the_night(home)
    again = ["gate", "--from", str(found.folder), "--bisect", "3"]
    assert main(again) == 8
    assert capsys.readouterr() == (said.out, "")
    assert len(list((home.folder / "results" / "bisect").iterdir())) == 1


def test_without_being_asked_a_gate_looks_for_nobody(
    home: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(home) == 8

    assert "dearer since" not in capsys.readouterr().out
    assert not (home.folder / "results" / "bisect").exists()


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (KeyboardInterrupt(), "the bisection was interrupted; the night's answer follows"),
        (BuildError("no compiler"), "no bisection: no compiler"),
        (CannotMeasureError("no test"), "no bisection: no test"),
        (OSError("the disk is full"), "no bisection: the disk is full"),
    ],
)
def test_whatever_ends_a_bisection_the_night_has_its_answer(
    end: BaseException,
    why: str,
    home: History,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends(*_: object) -> None:
        raise end

    monkeypatch.setattr(Inquiry, "of", ends)

    assert gate(home, "--bisect", "1", "--json", "night.json") == 8
    assert why in capsys.readouterr().err
    assert json.loads(Path("night.json").read_text(encoding="utf-8"))["outcome"] == "regression"


def inquiry(home: History, said: list[str]) -> Inquiry:
    return Inquiry(home.folder, home.folder / "results", 1, say=said.append)


def test_nobody_is_looked_for_where_nobody_can_be_named(home: History) -> None:
    assert gate(home) == 8
    found, said = the_night(home), list[str]()
    decided = night(found.series, found.state.rule, found.state.history)
    look = inquiry(home, said)

    look.of(replace(decided, untrusted="too noisy"), found)
    assert said == []
    head = replace(found.state.head, dirty=True)
    look.of(decided, replace(found, state=replace(found.state, head=head)))
    assert said == ["no bisection: HEAD has changes that are not committed"]
    swapped = replace(found.state, base=found.state.head, head=found.state.base)
    look.of(decided, replace(found, state=swapped))
    assert "wanted a good one that is an ancestor of the bad one" in said[1]
    look.of(decided, replace(found, cases={}))
    assert said[2] == f"no bisection of {quick_pytest.CASE}: found no test that measures it"
    assert not (home.folder / "results" / "bisect").exists()


def test_two_bisections_of_one_second_do_not_share_a_folder(tmp_path: Path) -> None:
    first = new_folder(tmp_path)
    first.mkdir(parents=True)

    assert new_folder(tmp_path) != first
