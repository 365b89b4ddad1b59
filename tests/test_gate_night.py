"""A night of two revisions: who runs when, what is lost, what the evidence says."""

import dataclasses
import functools
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gate_nights import BASE, HEAD, WORK, A, B, Lab, lab, revision, seen_by, without_counter

from bench.gate.about import known_of
from bench.gate.answer import ENERGY, TIME, Decision, Night, Word
from bench.gate.canary import exit_code, night
from bench.gate.decide import Rule
from bench.gate.evidence import Evidence, evidence
from bench.gate.night import CannotMeasureError, Order, folder_of, run_night
from bench.gate.plan import Name, Plan, canaries_of, jobs, name_of, processes
from bench.gate.process import Ended
from bench.gate.repository import Repository
from bench.gate.state import COMPLETE, Asked, State, history_of
from bench.gate.terminal import lines
from bench.machine import git_state
from bench.record import JournalError
from bench.records import read
from bench.simulated import Counter as Meter
from bench.simulated import DeviceModel, Work

RULE = Rule(pairs=5, fresh=7)
ORDER = Order(("suites",), RULE, Plan(canaries=1))
HOTTER = Work(0.004, 33.0)
"""As long as `WORK`, and 43 W instead of 40 W with the 10 W of the waiting device."""


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed and where is asked once, and not by each of a thousand processes."""
    for name in ("importlib.metadata.entry_points", "importlib.metadata.version"):
        module, _, function = name.rpartition(".")
        monkeypatch.setattr(name, functools.cache(getattr(sys.modules[module], function)))
    state = git_state(Path.cwd())
    monkeypatch.setattr("bench.machine.git_state", lambda _: state)


def run(folder: Path, start: Lab, **more: object) -> Evidence:
    """The evidence of a night in the lab."""
    names = {each.name for each in dataclasses.fields(Order)} & {*more}
    order = replace(ORDER, **{name: more.pop(name) for name in names})  # type: ignore[arg-type]
    return run_night(BASE, HEAD, order, folder=folder, start=start, **more)  # type: ignore[arg-type]


def decided(found: Evidence) -> Night:
    return night(found.series, found.state.rule, found.state.history)


def of(found: Evidence, case: str, quantity: str) -> Decision:
    """The decision of a case, by the beginning of its id."""
    (one,) = (
        each
        for each in decided(found).decisions
        if each.series.case.startswith(case) and each.series.quantity == quantity
    )
    return one


# -- what is decided ------------------------------------------------------------------------------


def test_a_head_that_only_draws_more_power_is_dearer_in_energy_and_not_in_time(
    tmp_path: Path,
) -> None:
    found = run(tmp_path, lab({A: WORK, B: WORK}, {A: HOTTER, B: WORK}))

    energy, time = of(found, "test_a", ENERGY), of(found, "test_a", TIME)
    assert (energy.word, time.word) == (Word.REGRESSED, Word.OK)
    assert energy.ratio is not None
    assert energy.ratio.value == pytest.approx(43 / 40, rel=0.005)
    assert {of(found, "test_b", each).word for each in (ENERGY, TIME)} == {Word.OK}
    assert exit_code(decided(found)) == 8


def test_a_head_that_is_faster_is_an_improvement_and_shuts_no_gate(tmp_path: Path) -> None:
    found = run(tmp_path, lab({A: WORK, B: WORK}, {A: Work(0.0036), B: WORK}))

    assert {of(found, "test_a", each).word for each in (ENERGY, TIME)} == {Word.IMPROVED}
    assert exit_code(decided(found)) == 0


def test_an_unchanged_head_is_ok_after_the_first_pairs(tmp_path: Path) -> None:
    start = lab()
    found = run(tmp_path, start, plan=Plan())

    assert {each.word for each in decided(found).decisions} == {Word.OK}
    assert exit_code(decided(found)) == 0
    # two groups of one test each, both canaries too: 5 pairs of 4 groups
    assert start.number == 2 * 5 * 4
    assert not list(tmp_path.glob("fresh-*"))


def test_only_candidates_get_fresh_pairs(tmp_path: Path) -> None:
    found = run(tmp_path, lab({A: WORK, B: WORK}, {A: HOTTER, B: WORK}))

    assert found.state.fresh == ((A,), ())
    assert len(list(tmp_path.glob("fresh-*.jsonl"))) == 2 * 7
    (series,) = (
        s
        for s in found.series
        if s.case.startswith("test_a") and not s.canary and s.quantity == ENERGY
    )
    assert [pair.stage for pair in series.pairs] == [1] * 5 + [2] * 7


def test_a_machine_on_which_equal_things_differ_is_not_trusted(tmp_path: Path) -> None:
    # each process has a luck of its own: the regression may be the machine's
    start = lab({A: WORK}, {A: HOTTER}, model=lambda _: DeviceModel(process_effect=0.2))
    found = run(tmp_path, start)

    said = decided(found)
    assert "two runs of the same revision differ" in said.untrusted
    assert exit_code(said) == 9
    assert any(line.startswith("UNTRUSTED: ") for line in lines(said, found))


def test_without_a_meter_time_is_judged_and_energy_is_not_measured(tmp_path: Path) -> None:
    slower = Work(0.005)
    found = run(tmp_path, lab({A: WORK, B: WORK}, {A: slower, B: WORK}, model=without_counter))

    energy = of(found, "test_a", ENERGY)
    assert energy.word is Word.NOT_MEASURED
    assert "no instrument reads the energy" in energy.reason
    assert of(found, "test_a", TIME).word is Word.REGRESSED
    assert exit_code(decided(found)) == 8


def test_only_the_metrics_that_are_asked_for_are_decided(tmp_path: Path) -> None:
    found = run(tmp_path, lab(), asked=Asked((TIME,)))

    assert {each.quantity for each in found.series} == {TIME}


def test_margins_and_floors_are_those_of_the_case(tmp_path: Path) -> None:
    asked = Asked(margins=(("*", 0.2), ("test_b*", 0.02)), floors=(("test_b*", 0.5),))
    meter = Meter(resolution=0.01)
    found = run(
        tmp_path, lab({A: WORK, B: WORK}, {A: HOTTER, B: HOTTER}, model=seen_by(meter)), asked=asked
    )

    one, other = of(found, "test_a", ENERGY), of(found, "test_b", ENERGY)
    assert (one.series.margin, other.series.margin) == (0.2, 0.02)
    samples = {w.samples for w in read(next(tmp_path.glob("pair-*.jsonl"))).windows if w.pair == 1}
    assert one.series.floor == pytest.approx(5 * 0.01 / min(samples), rel=0.05)
    assert other.series.floor == 0.5
    assert one.word is Word.OK  # 7.5 % is within 20 %
    assert other.word is Word.OK  # 0.012 J is less than half a joule


# -- what is not alike ----------------------------------------------------------------------------


def test_another_version_of_the_workload_is_not_compared(tmp_path: Path) -> None:
    found = run(tmp_path, lab(versions={HEAD.revision: "2"}))

    one = of(found, "test_a", TIME)
    assert one.word is Word.NOT_COMPARABLE
    assert one.reason == "the version of the workload is 1 in base and 2 in HEAD"
    assert exit_code(decided(found)) == 10


def test_a_workload_that_differs_from_process_to_process_says_so(tmp_path: Path) -> None:
    start = lab()

    def before(_: str, __: Sequence[str], number: int) -> None:
        start.versions = dict.fromkeys((BASE.revision, HEAD.revision), str(number))

    start.before = before
    start.versions = {}
    found = run(tmp_path, start)

    assert of(found, "test_a", TIME).word is Word.NOT_COMPARABLE


def test_energy_by_another_counter_is_not_compared_and_time_is(tmp_path: Path) -> None:
    start = lab()

    def model(number: int) -> DeviceModel:
        id_ = "cpu/0/package" if start.log[-1][0] == BASE.revision else "cpu/1/package"
        return DeviceModel((Meter(id=id_),), noise=0.001)

    start.model = model
    found = run(tmp_path, start)

    energy = of(found, "test_a", ENERGY)
    assert energy.word is Word.NOT_COMPARABLE
    assert "cpu/0/package (measured, simulated-package) in base" in energy.reason
    assert of(found, "test_a", TIME).word is Word.OK


def test_a_journal_of_another_machine_is_not_compared(tmp_path: Path) -> None:
    run(tmp_path, lab())
    for path in tmp_path.glob("*-head.jsonl"):
        first, rest = path.read_text().split("\n", 1)
        record = json.loads(first)
        record["machine"]["id"] = "another"
        path.write_text(f"{json.dumps(record)}\n{rest}")

    one = of(evidence(tmp_path), "test_a", TIME)
    assert one.word is Word.NOT_COMPARABLE
    assert one.reason.endswith("in base and another in HEAD")


def test_a_test_of_one_side_is_not_measured_and_says_of_which(tmp_path: Path) -> None:
    found = run(tmp_path, lab({A: WORK, B: WORK}, {A: WORK, "suites/test_c.py::test_c": WORK}))

    gone, new = of(found, B, TIME), of(found, "suites/test_c.py::test_c", TIME)
    assert (gone.word, new.word) == (Word.NOT_MEASURED, Word.NOT_MEASURED)
    assert gone.reason.startswith("only in base: HEAD has no such test")
    assert new.reason.startswith("only in HEAD: base has no such test")
    assert of(found, "test_a", TIME).word is Word.OK


def test_without_a_common_test_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasureError, match="1 in base, 1 in HEAD"):
        run(tmp_path, lab({A: WORK}, {B: WORK}))


def test_quality_of_both_sides_goes_with_the_evidence(tmp_path: Path) -> None:
    start = lab({A: WORK}, {A: Work(0.002)}, qualities={BASE.revision: 0.97, HEAD.revision: 0.11})
    found = run(tmp_path, start)

    (case,) = found.cases
    known = known_of(found)[case]
    assert known.base.case is not None
    assert known.head.case is not None
    assert known.base.case.quality is not None
    assert known.head.case.quality is not None
    assert (known.base.case.quality["value"], known.head.case.quality["value"]) == (0.97, 0.11)
    assert (known.base.commit, known.head.commit) == (BASE.revision, HEAD.revision)
    judging = [arguments for _, arguments, _ in start.log if "--joules-seeds=1" in arguments]
    assert len(judging) == 2  # the first process of either side, and no canary's


# -- order ----------------------------------------------------------------------------------------


def test_both_processes_of_a_pair_follow_each_other_and_take_turns() -> None:
    (job,) = jobs([A], [], 8)
    order = [
        [name.side for name in names]
        for pair in range(1, 13)
        for _, names, _ in processes(1, pair, [job], seed=3)
    ]

    assert all(sorted(pair) == ["base", "head"] for pair in order)
    assert all(one == other[::-1] for one, other in zip(order[::2], order[1::2], strict=True))
    firsts = {tuple(pair) for pair in order[::2]}
    assert len(firsts) == 2  # the seed decides who begins each ABBA


def test_the_order_is_that_of_the_seed() -> None:
    many = jobs([f"test_{n // 4}.py::t{n}" for n in range(40)], [], 8)

    def order(seed: int) -> list[tuple[str, ...]]:
        return [tests for _, _, tests in processes(1, 1, many, seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_process_has_the_tests_of_one_file_and_no_more_than_it_may() -> None:
    tests = [f"a.py::t{n}" for n in range(10)] + ["b.py::t"]

    made = jobs(tests, ["a.py::t3"], 4)

    assert [len(job.tests) for job in made] == [4, 4, 2, 1, 1]
    assert [job.canary for job in made] == [False] * 4 + [True]
    assert [job.number for job in made] == [1, 2, 3, 4, 5]
    assert all(len({test.partition("::")[0] for test in job.tests}) == 1 for job in made)


@pytest.mark.parametrize(("tests", "canaries"), [(1, 1), (2, 2), (30, 5), (300, 15)])
def test_five_percent_and_at_least_five_tests_are_canaries(tests: int, canaries: int) -> None:
    names = [f"t{n}" for n in range(tests)]

    assert len(canaries_of(names, Plan())) == canaries
    assert canaries_of(names, Plan(canaries=0)) == ()


@pytest.mark.parametrize(
    "name",
    [
        Name(False, 1, 1, 1, "a", "base"),
        Name(True, 2, 12, 104, "b", "again", 2),
        Name(False, 2, 3, 7, "b", "head"),
    ],
)
def test_the_name_of_a_process_says_all_of_it(name: Name) -> None:
    assert name_of(str(name)) == name
    assert name_of(f"{name}.x") is None


@pytest.mark.parametrize("wrong", [{"together": 0}, {"blocks": 0}, {"canaries": -1}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="wanted at least"):
        Plan(**wrong)


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_process_that_is_killed_is_repeated_for_what_it_did_not_measure(tmp_path: Path) -> None:
    one, two, three = (f"suites/test_a.py::test_{name}" for name in ("one", "two", "three"))
    works = dict.fromkeys((one, two, three), WORK)
    start = lab(works)
    killed: list[tuple[str, ...]] = []
    again: list[int] = []

    def before(side: str, tests: Sequence[str], number: int) -> Ended | None:
        if killed or len(tests) < 3:
            return None
        again.append(number)
        killed.append(tuple(tests))
        side_of = {BASE.revision: BASE, HEAD.revision: HEAD}[side]
        folder = tmp_path / "partial"
        path = start.measure(side_of, tests[:1], folder)
        return Ended(-9, path, "Killed", 3.0)

    start.before = before
    said: list[str] = []
    found = run(tmp_path / "night", start, say=said.append)

    (tests,) = killed
    assert start.log[again[0]][1][-2:] == (tests[2], tests[1])  # where it was killed comes last
    assert "pair 2 of 5: 4 processes, about 1 min" in said
    assert any("was killed by SIGKILL; another one measures the rest" in line for line in said)
    assert {of(found, f"test_{name}", TIME).word for name in ("one", "two", "three")} == {Word.OK}
    assert all(len(series.pairs) == 5 for series in found.series if not series.canary)
    assert len(list((tmp_path / "night").glob("*-2.jsonl"))) == 1


def test_a_test_that_kills_its_process_twice_is_lost_and_the_others_are_not(tmp_path: Path) -> None:
    def before(side: str, tests: Sequence[str], number: int) -> Ended | None:
        if B in tests and side == HEAD.revision:
            return Ended(None, None, "Fatal Python error: Segmentation fault", 420.0)
        return None

    start = lab(before=before)
    found = run(tmp_path, start)

    lost = of(found, "test_b", TIME)
    assert lost.word is Word.NOT_MEASURED
    assert "did not end within 420 s" in lost.reason
    assert "Segmentation fault" in lost.reason
    assert of(found, "test_a", TIME).word is Word.OK
    asked = [tests for side, tests, _ in start.log if side == HEAD.revision and B in tests]
    assert len(asked) == 2  # and not in each of five pairs


def test_a_test_that_measures_nothing_says_what_pytest_said(tmp_path: Path) -> None:
    start = lab()

    def before(side: str, tests: Sequence[str], number: int) -> Ended | None:
        if B not in tests:
            return None
        said = "SKIPPED [1] suites/test_b.py:3: test_b: no such GPU here"
        return Ended(0, None, said, 1.0)

    start.before = before
    found = run(tmp_path, start, plan=Plan(canaries=0))

    assert "no such GPU here" in of(found, B, TIME).reason


@pytest.mark.parametrize("code", [4, 10])
def test_a_process_that_no_other_will_better_ends_the_night(tmp_path: Path, code: int) -> None:
    start = lab(before=lambda *_: Ended(code, None, "joules: energy cannot be measured", 1.0))

    with pytest.raises(CannotMeasureError, match="energy cannot be measured"):
        run(tmp_path, start)
    assert start.number == 1


def test_a_side_that_cannot_be_collected_ends_the_night(tmp_path: Path) -> None:
    def start(*_: object) -> Ended:
        return Ended(4, None, "error: unrecognized arguments: --joules-alone=3", 1.0)

    with pytest.raises(CannotMeasureError, match=r"its joulebench is too old|Its joulebench"):
        run_night(BASE, HEAD, ORDER, folder=tmp_path, start=start)


def test_a_night_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    works = ({A: WORK, B: WORK}, {A: HOTTER, B: WORK})

    def cut(_: str, __: Sequence[str], number: int) -> None:
        if number == 14:
            raise KeyboardInterrupt

    start = lab(*works, before=cut)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, start)
    assert State.read(tmp_path).status == "running"
    kept = {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
    assert len(kept) == 13

    again = lab(*works)
    found = run(tmp_path, again)

    assert again.number == 2 * (5 * 3 + 7) - 13
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert of(found, "test_a", ENERGY).word is Word.REGRESSED
    assert found.state.status == COMPLETE


def test_a_night_of_other_revisions_does_not_go_on(tmp_path: Path) -> None:
    run(tmp_path, lab())

    with pytest.raises(
        JournalError, match=r"its head is 000000000000, now it is 000000000000, with"
    ):
        run_night(BASE, revision(2, dirty=True), ORDER, folder=tmp_path, start=lab())


def test_deadlines_follow_what_the_group_took_before(tmp_path: Path) -> None:
    start = lab({A: WORK})
    run(tmp_path, start)
    deadlines = [seconds for _, _, seconds in start.log]

    assert max(deadlines) == 300 + 120
    assert deadlines[-1] == 60

    given = lab({A: WORK})
    run(tmp_path / "given", given, plan=Plan(canaries=1, timeout_s=7))
    assert {seconds for _, _, seconds in given.log} == {7}


# -- evidence -------------------------------------------------------------------------------------


def test_the_same_files_give_the_same_answer(tmp_path: Path) -> None:
    found = run(tmp_path / "first", lab({A: WORK, B: WORK}, {A: HOTTER, B: WORK}))
    shutil.copytree(tmp_path / "first", tmp_path / "copied")

    first, again = evidence(tmp_path / "first"), evidence(tmp_path / "copied")

    assert first.series == again.series == found.series
    assert decided(first) == decided(again)
    assert "\n".join(lines(decided(first), first)).replace("/first", "/copied") == "\n".join(
        lines(decided(again), again)
    )


def test_a_disturbed_block_is_left_out_while_two_others_remain(tmp_path: Path) -> None:
    run(tmp_path, lab({A: WORK}))
    path = next(path for path in tmp_path.glob("pair-01-*-base.jsonl"))
    made = []
    for line in path.read_text().splitlines():
        record = json.loads(line)
        if record["record"] == "window" and record["role"] == "baseline":
            longer = (10, 0.2, 0)[record["pair"]]
            record["flags"] = ["foreign load 0.93 CPU"] if record["pair"] == 0 else []
            record["t1_ns"] += round(longer * (record["t1_ns"] - record["t0_ns"]))
        made.append(json.dumps(record))
    path.write_text("\n".join(made) + "\n")

    found = evidence(tmp_path)
    (series,) = (s for s in found.series if s.quantity == TIME and not s.canary)
    assert series.pairs[0].base == pytest.approx(1.1 * 0.004, rel=0.01)  # of 1.2 and 1.0
    assert found.notes == ()


def test_blocks_that_were_all_disturbed_count_and_a_note_says_so(tmp_path: Path) -> None:
    run(tmp_path, lab({A: WORK}))
    path = next(path for path in tmp_path.glob("pair-01-*-base.jsonl"))
    path.write_text(path.read_text().replace('"flags":[]', '"flags":["throttled: heat, 3 times"]'))

    found = evidence(tmp_path)
    (note,) = found.notes
    assert "1 of 10 processes had too few blocks that nothing disturbed" in note
    (series,) = (s for s in found.series if s.quantity == TIME and not s.canary)
    assert len(series.pairs) == 5


def test_earlier_nights_of_this_machine_widen_the_margin(tmp_path: Path) -> None:
    for number in range(6):
        shaky = lab({A: WORK}, model=lambda _: DeviceModel(process_effect=0.02))
        folder = tmp_path / f"night-{number}"
        run(folder, shaky)
        state = State.read(folder)
        state.started = f"2026-01-0{number + 1}T00:00:00Z"
        state.write(folder)

    found = run(tmp_path / "tonight", lab({A: WORK}))

    assert len(found.state.history[TIME]) == 6
    (series,) = (s for s in found.series if s.quantity == TIME and not s.canary)
    assert series.margin > 0.01
    assert history_of(tmp_path, "another machine", "2027") == {}
    assert len(history_of(tmp_path, found.state.machine, "2026-01-03T00:00:00Z")[TIME]) == 2


def test_a_case_with_an_accepted_change_is_held_against_that(tmp_path: Path) -> None:
    accepted = revision(3)
    works = {
        BASE.revision: {A: WORK, B: WORK},
        HEAD.revision: {A: HOTTER, B: HOTTER},
        accepted.revision: {A: HOTTER, B: HOTTER},
    }
    found = run_night(
        BASE,
        HEAD,
        Order(("suites",), RULE),
        folder=tmp_path,
        start=Lab(works),
        baseline=lambda case: (accepted, "it is wanted") if case.startswith("test_a") else None,
    )

    assert of(found, "test_a", ENERGY).word is Word.OK
    assert of(found, "test_b", ENERGY).word is Word.REGRESSED
    assert Counter(each.case for each in found.series if not each.canary).most_common()[0][1] == 2
    known = known_of(found)
    (case,) = (each for each in known if each.startswith("test_a"))
    assert known[case].accepted == "it is wanted"
    assert known[case].base.commit == accepted.revision
    assert evidence(tmp_path).series == found.series
    assert list((tmp_path / "accepted-000000000000").glob("pair-*.jsonl"))


# -- the folder -----------------------------------------------------------------------------------


def test_a_night_has_a_folder_of_its_own_unless_it_goes_on(tmp_path: Path) -> None:
    first = folder_of(tmp_path, HEAD)
    assert first.parent == tmp_path / "gate"
    assert first.name.endswith("-000000000000")
    run(first, lab({A: WORK}))

    assert folder_of(tmp_path, HEAD, resume=True) != first  # it is complete
    state = State.read(first)
    state.status = "running"
    state.write(first)
    assert folder_of(tmp_path, HEAD, resume=True) == first
    assert folder_of(tmp_path, HEAD) != first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is it a night's folder"),
        ("{", "is damaged"),
        ('{"schema": 9}', "reads up to 1; install a newer one"),
        ('{"schema": 1}', "is damaged"),
    ],
)
def test_a_folder_that_holds_no_night_says_so(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "night.json").write_text(text)

    with pytest.raises(JournalError, match=said):
        evidence(tmp_path)


def test_a_reason_on_the_terminal_is_one_short_line(tmp_path: Path) -> None:
    def before(side: str, tests: Sequence[str], number: int) -> Ended | None:
        return Ended(-6, None, "line\n" * 200 + "\x1b[31m", 1.0) if B in tests else None

    found = run(tmp_path, lab(before=before), plan=Plan(canaries=0))
    shown = lines(decided(found), found)

    assert all("\n" not in line and "\x1b" not in line and len(line) < 300 for line in shown)
    assert sum(B in line for line in shown) == 2


def test_a_process_that_had_ended_when_the_night_was_killed_does_not_run_again(
    tmp_path: Path,
) -> None:
    run(tmp_path, lab({A: WORK}))
    state = State.read(tmp_path)
    name = list(state.done)[-1]
    del state.done[name]
    state.status = "running"
    state.write(tmp_path)
    again = lab({A: WORK})

    found = run(tmp_path, again)

    assert again.number == 0
    assert name in found.state.done


def test_earlier_nights_may_lie_elsewhere(tmp_path: Path) -> None:
    run(tmp_path / "old" / "gate" / "night", lab({A: WORK}))
    state = State.read(tmp_path / "old" / "gate" / "night")
    state.started = "2026-01-01T00:00:00Z"
    state.write(tmp_path / "old" / "gate" / "night")

    beside = run(tmp_path / "new", lab({A: WORK}))
    elsewhere = run(tmp_path / "newer", lab({A: WORK}), history=tmp_path / "old")

    assert beside.state.history == {}
    assert len(elsewhere.state.history[TIME]) == 1


def test_of_another_clone_it_is_known_what_was_measured_and_no_commits(tmp_path: Path) -> None:
    found = run(tmp_path, lab({A: WORK}))

    ((_, known),) = known_of(found, Repository(Path(__file__).parent), found.cases).items()

    assert known.base.commit == BASE.revision
    assert known.base.date == ""
    assert known.suspects is None
    assert known.journals == (f"{tmp_path.name}/*-g01-*.jsonl",)
