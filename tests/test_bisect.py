"""A bisection names the commit that made a case dearer, and leaves everything else as it was."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import quick_pytest
from hypothesis import given
from hypothesis import strategies as st
from quick_pytest import CASE, TEST, model
from repositories import History, git

from bench.cli import main
from bench.gate import accepted, again
from bench.gate.answer import ENERGY, TIME, Pair, Quantity
from bench.gate.bisection import GitBisection, clean
from bench.gate.case_pairs import CasePairs
from bench.gate.checkout import STATE
from bench.gate.guilt import not_dearer, report, step_line
from bench.gate.halving import (
    Mark,
    NotDearer,
    Search,
    SkippedError,
    Step,
    confirm,
    judge,
    search,
    steps_left,
)
from bench.gate.repository import Commit, Repository
from bench.statistics import Interval

LUCK = (0.001, -0.002, 0.0015, -0.0005, 0.002, -0.002)


def pairs(ratio: float, number: int = 6, spread: float = 1.0) -> list[Pair]:
    return [Pair(1.0, ratio * (1 + spread * LUCK[i % len(LUCK)])) for i in range(number)]


def commit(number: int, subject: str = "") -> Commit:
    return Commit(f"{number:040x}", "Ada", "2026-11-22T10:00:00Z", subject or f"change {number}")


class Line:
    """Commits 1, 2, …, of which those from *guilty* on are dear; git's bisection of them."""

    def __init__(self, number: int, guilty: int, broken: Sequence[int] = ()) -> None:
        self.good, self.bad, self.guilty_one, self.broken = 0, number, guilty, broken
        self.skipped: set[int] = set()
        self.asked: list[tuple[int, int]] = []

    def measure(self, base: str, head: str, number: int) -> Mapping[Quantity, Sequence[Pair]]:
        place = int(head, 16)
        self.asked.append((place, number))
        if place in self.broken:
            raise SkippedError("it does not build")
        return {ENERGY: pairs(1.1 if place >= self.guilty_one else 1.0, number)}

    def between(self) -> list[int]:
        return [n for n in range(self.good + 1, self.bad) if n not in self.skipped]

    def midpoint(self) -> Commit | None:
        found = self.between()
        return commit(found[len(found) // 2]) if found else None

    def tell(self, mark: Mark) -> None:
        place = int(self.midpoint().hash, 16)  # type: ignore[union-attr] # it was asked for
        if mark is Mark.GOOD:
            self.good = place
        elif mark is Mark.BAD:
            self.bad = place
        else:
            self.skipped.add(place)

    def guilty(self) -> tuple[Commit, ...]:
        return tuple(commit(n) for n in range(self.good + 1, self.bad + 1))


# -- the search -----------------------------------------------------------------------------------


@given(st.integers(1, 60), st.data())
def test_a_search_names_the_guilty_commit_wherever_it_is(number: int, data: st.DataObject) -> None:
    guilty = data.draw(st.integers(1, number))
    line = Line(number, guilty)
    whole = confirm(line.measure, "0", commit(number).hash)

    assert not isinstance(whole, NotDearer)
    found = search(line.measure, line, "0", whole)

    assert [int(each.hash, 16) for each in found.guilty] == [guilty]
    assert found.is_clear
    assert len(found.steps) <= steps_left(number) + 1


def test_commits_that_cannot_be_measured_are_skipped_and_named_if_they_may_be_it() -> None:
    line = Line(8, 5, broken=[4])

    found = search(line.measure, line, "0", (ENERGY, Interval(1.1, 1.09, 1.11, 6)))

    assert [int(each.hash, 16) for each in found.guilty] == [4, 5]
    assert [step.why for step in found.steps if step.mark is Mark.SKIP] == ["it does not build"]
    assert not found.is_clear


def test_a_bad_revision_that_is_not_dearer_is_no_search() -> None:
    same = confirm(lambda *_: {ENERGY: pairs(1.0)}, "0", "1")
    cheaper = confirm(lambda *_: {ENERGY: pairs(0.9), TIME: pairs(0.8)}, "0", "1")

    assert isinstance(same, NotDearer)
    assert isinstance(cheaper, NotDearer)
    assert set(cheaper.ratios) == {ENERGY, TIME}
    assert "energy −10.00 %" in not_dearer(cheaper, "a")
    assert "nothing was measured" in not_dearer(NotDearer({}), "a")


def test_more_pairs_are_measured_until_it_is_clear() -> None:
    asked: list[int] = []

    def measure(base: str, head: str, number: int) -> Mapping[Quantity, Sequence[Pair]]:
        asked.append(number)
        return {ENERGY: pairs(1.01, number)}

    found = confirm(measure, "0", "1", pairs=6)

    assert asked == [6, 6, 12]
    assert isinstance(found, NotDearer)


def test_time_is_searched_where_energy_is_the_same() -> None:
    found = confirm(lambda *_: {ENERGY: pairs(1.0), TIME: pairs(1.2)}, "0", "1")

    assert not isinstance(found, NotDearer)
    assert found[0] == TIME


@pytest.mark.parametrize(
    ("ratio", "mark", "why"),
    [(1.0, Mark.GOOD, ""), (1.21, Mark.BAD, ""), (1.07, Mark.GOOD, ""), (1.14, Mark.BAD, "")],
)
def test_a_midpoint_is_what_it_lies_nearer_to(ratio: float, mark: Mark, why: str) -> None:
    step = judge(lambda *_: {ENERGY: pairs(ratio)}, "0", commit(1), quantity=ENERGY, whole=1.21)

    assert (step.mark, step.why) == (mark, why)


def test_a_midpoint_in_the_very_middle_is_told_to_be_close() -> None:
    asked: list[int] = []

    def measure(base: str, head: str, number: int) -> Mapping[Quantity, Sequence[Pair]]:
        asked.append(number)
        return {ENERGY: pairs(1.1, number)}

    step = judge(measure, "0", commit(1), quantity=ENERGY, whole=1.21)

    assert asked == [6, 6, 12]
    assert step.ratio is not None
    assert "close to the middle" in step.why
    assert "(close to the middle" in step_line(step)


def test_a_midpoint_without_the_quantity_is_skipped() -> None:
    step = judge(lambda *_: {TIME: pairs(1.0)}, "0", commit(1), quantity=ENERGY, whole=1.21)

    assert (step.mark, step.why) == (Mark.SKIP, "its energy was not measured")


# -- what it says ---------------------------------------------------------------------------------


def a_search(guilty: Sequence[Commit], steps: Sequence[Step] = ()) -> Search:
    return Search(ENERGY, Interval(1.121, 1.11, 1.132, 6), tuple(steps), tuple(guilty))


def test_the_report_names_author_date_subject_and_change() -> None:
    steps = (
        Step(commit(4), Mark.GOOD, Interval(1.001, 0.998, 1.004, 6)),
        Step(commit(6, "the one"), Mark.BAD, Interval(1.12, 1.115, 1.125, 6)),
        Step(commit(5), Mark.SKIP, why="no such test"),
    )

    text = report(a_search([commit(6, "the one")], steps), CASE)

    assert text.startswith(f"### <code>{CASE}</code>: dearer since <code>000000000</code>\n")
    assert "energy +12.1 % [+11.0, +13.2] from good to bad." in text
    assert "<code>the one</code>, <code>Ada</code>, 2026-11-22" in text
    assert "energy at this commit against the one before: +11.89 % [" in text
    assert f"git show {commit(6).hash}" in text
    assert "| skip | <code>000000000</code> <code>change 5</code> | — | no such test |" in text
    assert step_line(steps[2]) == "skip  000000000  not measured  change 5 (no such test)"


def test_several_commits_that_may_be_it_are_all_named() -> None:
    text = report(a_search([commit(4), commit(5)]), CASE)

    assert "<code>000000000</code> or <code>000000000</code> (not clear, see below)" in text
    assert "one of these, for the commits between could not be measured" in text
    assert "against the one before" not in text


def test_a_hostile_commit_comes_out_harmless() -> None:
    evil = Commit(
        "a" * 40, "<b>Eve</b>", "2026\n# x", "<script> ](javascript:x) | `y` \x1b[31m @me"
    )
    step = Step(evil, Mark.SKIP, why="<img src=x onerror=alert(1)>")

    text = report(a_search([evil], [step]), "<i>`case`")

    for bad in ("<script", "<b>", "<img", "<i>", "](", "\x1b", "@me", "\n# x"):
        assert bad not in text
        assert "\x1b" not in step_line(step)


# -- git ------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    made = quick_pytest.nine_commits(tmp_path / "home")
    monkeypatch.chdir(made.folder)
    return made


def measure_of(history: History, **others: object) -> CasePairs:
    return CasePairs(
        CASE, TEST, history.folder, history.folder / "results" / "x", start=quick_pytest.start
    )


def untouched(history: History) -> None:
    """The user's tree, branch and worktrees are as they were."""
    assert git(history.folder, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(history.folder, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert git(history.folder, "for-each-ref", "refs/bisect") == ""
    assert "bisect-" not in git(history.folder, "worktree", "list")
    assert list((history.folder / STATE).glob("bisect-*")) == []


def test_git_names_the_guilty_commit_and_nothing_is_touched(home: History) -> None:
    repository = Repository(home.folder)
    measure = measure_of(home)
    good, bad = home.hashes[0], home.hashes[-1]

    with GitBisection(repository, good, bad) as bisection:
        whole = confirm(measure, good, bad, pairs=3)
        assert not isinstance(whole, NotDearer)
        found = search(measure, bisection, good, whole, pairs=3)

    assert [each.hash for each in found.guilty] == [home.hashes[6]]
    assert [step.mark for step in found.steps].count(Mark.SKIP) == 1
    assert any("cannot be collected" in step.why for step in found.steps)
    assert measure.seconds_per_process == 0.5
    untouched(home)


def test_two_commits_next_to_each_other_need_no_step(home: History) -> None:
    with GitBisection(Repository(home.folder), home.hashes[5], home.hashes[6]) as bisection:
        assert bisection.midpoint() is None
        assert [each.hash for each in bisection.guilty()] == [home.hashes[6]]
    untouched(home)


def test_a_bisection_of_the_user_s_own_goes_on_beside_it(home: History) -> None:
    git(home.folder, "bisect", "start", home.hashes[-1], home.hashes[0])
    before = git(home.folder, "rev-parse", "HEAD")

    with GitBisection(Repository(home.folder), home.hashes[0], home.hashes[-1]) as bisection:
        bisection.tell(Mark.BAD)

    assert git(home.folder, "rev-parse", "HEAD") == before
    assert "refs/bisect/bad" in git(home.folder, "for-each-ref", "refs/bisect")
    git(home.folder, "bisect", "reset")


def test_what_a_kill_has_left_is_removed_at_the_next_start(home: History) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    for number in (int(ended.stdout), os.getppid()):
        place = home.folder / STATE / f"bisect-{number}"
        git(home.folder, "worktree", "add", "--no-checkout", "--detach", str(place), "HEAD")

    clean(Repository(home.folder))

    left = sorted(path.name for path in (home.folder / STATE).glob("bisect-*"))
    assert left == [f"bisect-{os.getppid()}"]  # that one still runs
    assert len(git(home.folder, "worktree", "list").splitlines()) == 2


@pytest.mark.parametrize(("good", "bad"), [(8, 0), (3, 3)])
def test_a_good_revision_that_is_no_ancestor_is_refused(home: History, good: int, bad: int) -> None:
    with pytest.raises(ValueError, match="give the older one as --good"):
        GitBisection(Repository(home.folder), home.hashes[good], home.hashes[bad])


def test_a_start_that_git_refuses_leaves_nothing(
    home: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Repository.git

    def refuses(self: Repository, *arguments: str) -> str:
        if arguments[0] == "bisect":
            raise ValueError("git bisect: no")
        return really(self, *arguments)

    monkeypatch.setattr(Repository, "git", refuses)
    bisection = GitBisection(Repository(home.folder), home.hashes[0], home.hashes[-1])

    with pytest.raises(ValueError, match="git bisect: no"), bisection:
        pass
    untouched(home)


def test_what_git_does_not_take_is_told_in_its_words(
    home: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Repository.run

    def run(self: Repository, *arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments == ("bisect", "bad"):
            return subprocess.CompletedProcess(arguments, 1, "", "error:\n  no room")
        return really(self, *arguments)

    monkeypatch.setattr(Repository, "run", run)
    bisection = GitBisection(Repository(home.folder), home.hashes[0], home.hashes[-1])

    with bisection, pytest.raises(ValueError, match="git bisect bad: error: no room"):
        bisection.tell(Mark.BAD)
    untouched(home)


def test_the_worktree_of_somebody_else_s_process_is_left_alone(
    home: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.folder / STATE / "bisect-1").mkdir(parents=True)

    def denied(number: int, what: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", denied)
    clean(Repository(home.folder))

    assert (home.folder / STATE / "bisect-1").exists()


# -- pairs of a case ------------------------------------------------------------------------------


def test_a_revision_without_the_case_is_skipped_with_the_reason(home: History) -> None:
    home.commit("renamed", model(case={"workload": "other"}))
    home.commit("gone", model(has=False))
    measure = measure_of(home)

    with pytest.raises(SkippedError, match=f"it does not measure {CASE}"):
        measure(home.hashes[0], home.hashes[-2], 3)
    with pytest.raises(SkippedError, match="found no test"):
        measure(home.hashes[0], home.hashes[-1], 3)
    with pytest.raises(SkippedError, match="found no commit"):
        measure(home.hashes[0], "f" * 40, 3)
    assert measure.calls == 3


def test_a_revision_that_cannot_be_built_is_skipped(home: History) -> None:
    measure = measure_of(home)
    measure.build = "exit 3"

    with pytest.raises(SkippedError, match="cannot be installed"):
        measure(home.hashes[0], home.hashes[1], 3)


# -- the verb -------------------------------------------------------------------------------------


@pytest.fixture
def quick(home: History, monkeypatch: pytest.MonkeyPatch) -> History:
    """The verbs with processes that take a moment."""
    quick_pytest.instead_of_processes(monkeypatch)
    return home


def test_bisect_prints_steps_and_the_guilty_commit(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    good = quick.hashes[0]
    words = ["bisect", CASE, "--good", good, "--test", TEST, "--pairs", "3"]

    assert main([*words, "--markdown", "out/found.md"]) == 0

    said = capsys.readouterr()
    assert f"8 commits between {good[:9]}" in said.err
    assert "expected: 1 min or more" in said.err
    assert re.search(rf"^bad   {quick.hashes[6][:9]}  \+(19|20)\.\d+ %", said.out, re.MULTILINE)
    text = (quick.folder / "out" / "found.md").read_text()
    assert text in said.out
    assert f"dearer since <code>{quick.hashes[6][:9]}</code>\n" in text
    assert "<script" not in text
    assert list((quick.folder / "results" / "bisect").glob("*/*/*.jsonl"))
    untouched(quick)


def test_bisect_where_only_the_power_grew(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    quick.commit("more watts", model(seconds=0.0012, watts=24.0))
    quick.commit("after it", {"README.md": "six"})
    words = ["bisect", CASE, "--good", quick.hashes[7], "--test", TEST, "--pairs", "3"]

    assert main(words) == 0

    assert f"dearer since <code>{quick.hashes[9][:9]}</code>\n" in capsys.readouterr().out


def test_bisect_stops_where_bad_is_not_dearer(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bisect", CASE, "--good", quick.hashes[0], "--bad", quick.hashes[3], "--test", TEST]

    assert main([*words, "--pairs", "3"]) == 1

    assert "bad is not dearer than good" in capsys.readouterr().err
    untouched(quick)


def test_bisect_needs_two_revisions_that_can_be_measured(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bisect", CASE, "--good", quick.hashes[0], "--bad", quick.hashes[4], "--test", TEST]

    assert main(words) == 10
    assert "cannot compare bad with good" in capsys.readouterr().err
    assert main([*words, "--pairs", "2"]) == 2
    assert "wanted 3 or more" in capsys.readouterr().err


def test_bisect_of_a_case_that_no_journal_has_asks_for_one(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bisect", CASE, "--good", quick.hashes[0]]) == 2

    assert f"found no case '{CASE}' in the journals of results" in capsys.readouterr().err


def test_the_end_of_a_process_is_asked_for_ends_a_bisection_in_order(
    quick: History, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import signal

    def killed(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(CasePairs, "__call__", killed)
    words = ["bisect", CASE, "--good", quick.hashes[0], "--test", TEST]

    assert main(words) == 130

    assert "interrupted; nothing of yours was touched" in capsys.readouterr().err
    untouched(quick)


# -- gate, rerun and accept -----------------------------------------------------------------------


def gate(history: History, against: str, *more: str) -> int:
    return main(["gate", TEST, "--against", against, "--pairs", "5", "--fresh", "7", *more])


def test_accepting_a_change_quiets_the_gate_until_the_next_one(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    good = quick.hashes[0]
    assert gate(quick, good, "--markdown", "page.md") == 8
    page = (quick.folder / "page.md").read_text()
    assert f"joulebench bisect {CASE} --good {good[:12]} --bad {quick.hashes[8][:12]}" in page
    assert "1 touching its code" not in page  # nothing but the test's own file is imported

    assert main(["accept", CASE, "--reason", "it answers better"]) == 0
    (line,) = accepted.read(quick.folder / "results")
    assert line.ratio == pytest.approx(1.2, abs=0.01)
    assert (quick.folder / "results" / "gate" / line.run).is_dir()
    assert gate(quick, good) == 0
    assert gate(quick, good, "--json", "answer.json") == 0

    quick.commit("dearer again", model(seconds=0.0015))
    assert gate(quick, good, "--markdown", "page.md") == 8
    page = (quick.folder / "page.md").read_text()
    assert "it answers better" in page
    assert f"--good {quick.hashes[8][:12]} --bad {quick.hashes[9][:12]}" in page


def test_rerun_of_two_revisions_gates_one_case(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    gate(quick, quick.hashes[0])
    capsys.readouterr()
    words = ["rerun", CASE, "--good", quick.hashes[0], "--bad"]

    assert main([*words, quick.hashes[8]]) == 8
    assert "### ✖ regressed: " in capsys.readouterr().out
    assert main([*words, quick.hashes[2]]) == 0
    assert main([*words, quick.hashes[4]]) == 10
    assert main(["rerun", CASE, "--good", quick.hashes[0]]) == 2
    assert again.test_of(CASE, Path("results")) == TEST


def test_rerun_of_two_revisions_takes_test_and_margin_where_there_is_no_journal(
    quick: History, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rerun", CASE, "--good", quick.hashes[0], "--bad", quick.hashes[8], "--test", TEST]

    assert main([*words, "--margin", "30%"]) == 0
    assert "2 ok" in capsys.readouterr().out
    assert main([*words, "--margin", "3"]) == 2


def test_the_alert_s_commands_name_test_margin_and_options_of_the_night(quick: History) -> None:
    more = ("--margin", "2%", "-k", "test", "--joules-seed", "7", "--markdown", "page.md")
    assert gate(quick, quick.hashes[0], *more) == 8
    page = (quick.folder / "page.md").read_text()

    between = f"--good {quick.hashes[0][:12]} --bad {quick.hashes[8][:12]}"
    settings = f"--test {TEST} --margin 2% '--pytest=--joules-seed 7'"
    assert f"joulebench rerun {CASE} {between} {settings}\n" in page
    assert f"joulebench bisect {CASE} {between} {settings}\n" in page
    assert f"joulebench accept {CASE} --at {quick.hashes[8][:12]} --test {TEST} --reason" in page
