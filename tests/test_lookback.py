"""Tonight against the nights before it: what is called, what is not, and what is said of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from histories import index_of_numbers, night, noisy, pairs, started
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import a_case, save

from bench.cli import main
from bench.gate.answer import ENERGY, TIME, Decision, Night, Word
from bench.gate.from_history import from_history
from bench.gate.lookback import ENOUGH, LIMIT, look_back, multiplicity
from bench.history.nights import canary_spreads, case_noise
from bench.record import JournalError

HUNDRED = [f"w{number % 7}/t{number}/eager/cpu/b1" for number in range(100)]
ONE = "w/t/eager/cpu/b1"
LAST = 40


def of(night: Night, case: str = ONE, quantity: str = ENERGY) -> Decision:
    (found,) = [
        each
        for each in night.decisions
        if (each.series.case, each.series.quantity) == (case, quantity)
    ]
    return found


def stepped(
    seed: int, factor: float, case: str = ONE, at: int = LAST
) -> Callable[[str, int], float]:
    """Noise of 1 %, and one case that costs *factor* times as much from a night on."""
    usual = noisy(seed)
    return lambda name, night: (
        usual(name, night) * (factor if name == case and night >= at else 1.0)
    )


def a_night(**changes: Any) -> Callable[[int], Mapping[str, Any]]:
    """Columns that only the last night has."""
    return lambda night: changes if night == LAST else {}


def test_ten_per_cent_more_of_one_case_is_found_among_a_hundred_that_did_not_change() -> None:
    index = index_of_numbers(HUNDRED, LAST + 1, stepped(1, 1.10, HUNDRED[42]), noisy(2))

    night_ = look_back(index)

    found = [(each.series.case, each.series.quantity) for each in night_.having(Word.REGRESSED)]
    assert found == [(HUNDRED[42], ENERGY)]
    assert night_.having(Word.IMPROVED) == ()
    assert len(night_.decisions) == 200
    assert night_.untrusted == ""


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_cases_that_did_not_change_are_quiet(seed: int) -> None:
    night_ = look_back(index_of_numbers(HUNDRED, LAST + 1, noisy(seed), noisy(seed + 100)))

    assert {each.word for each in night_.decisions} == {Word.OK}


@pytest.mark.parametrize(("factor", "word"), [(1.2, Word.REGRESSED), (0.8, Word.IMPROVED)])
def test_dearer_and_cheaper_are_told_apart(factor: float, word: Word) -> None:
    decision = of(look_back(index_of_numbers([ONE], LAST + 1, stepped(3, factor))))

    assert decision.word is word
    assert decision.ratio
    assert decision.ratio.low < factor < decision.ratio.high
    assert (decision.p or 1) < 1e-6 or (decision.p_improved or 1) < 1e-6


def test_time_is_judged_beside_energy() -> None:
    night_ = look_back(index_of_numbers([ONE], LAST + 1, noisy(4), stepped(5, 1.2)))

    assert of(night_).word is Word.OK
    assert of(night_, quantity=TIME).word is Word.REGRESSED
    assert of(night_, quantity=TIME).series.unit == "s/image"


def test_every_reason_says_that_it_is_unpaired() -> None:
    night_ = look_back(index_of_numbers([ONE], 3, None, noisy(1)))

    assert night_.unpaired
    assert len(night_.decisions) == 2
    assert all("unpaired" in each.reason for each in night_.decisions)
    assert "unpaired" in multiplicity(night_)


def test_fewer_nights_than_eight_say_nothing() -> None:
    for before in (0, 1, ENOUGH - 1):
        decision = of(look_back(index_of_numbers([ONE], before + 1, stepped(6, 3.0, at=before))))
        assert decision.word is Word.INCONCLUSIVE
        assert (decision.ratio is None) == (before < 2)
        assert f"{before} comparable nights" in decision.reason
    found = of(look_back(index_of_numbers([ONE], ENOUGH + 1, stepped(6, 3.0, at=ENOUGH))))
    assert found.word is Word.REGRESSED


@pytest.mark.parametrize(
    "change",
    [
        {"machine": "another"},
        {"device_id": "cuda:GPU-1"},
        {"workload_version": "v2"},
        {"unit": "token"},
        {"kind": "sampled"},
        {"boundary": "cpu-package+dram"},
        {"channels": "cpu/0/package cpu/0/dram"},
    ],
)
def test_nights_of_other_circumstances_are_not_compared(change: dict[str, str]) -> None:
    index = index_of_numbers([ONE], LAST + 1, stepped(7, 2.0), of_night=a_night(**change))

    decision = of(look_back(index))

    assert decision.word is Word.INCONCLUSIVE
    assert "0 comparable nights" in decision.reason


def test_another_kind_of_energy_leaves_the_time_to_judge() -> None:
    index = index_of_numbers([ONE], LAST + 1, noisy(8), noisy(9), of_night=a_night(kind="sampled"))

    night_ = look_back(index)

    assert of(night_).word is Word.INCONCLUSIVE
    assert of(night_, quantity=TIME).word is Word.OK


def test_a_machine_without_a_name_has_no_history() -> None:
    index = index_of_numbers([ONE], LAST + 1, noisy(1), of_night=lambda _: {"machine": ""})

    assert "0 comparable nights" in of(look_back(index)).reason


def test_estimated_energy_is_gated_only_when_allowed() -> None:
    usual = stepped(10, 1.3)

    def of_night(night: int) -> dict[str, float]:
        return {"estimate": usual(ONE, night)}

    index = index_of_numbers([ONE], LAST + 1, None, noisy(1), of_night=of_night)

    shut, allowed = of(look_back(index)), of(look_back(index, allow_estimates=True))

    assert shut.word is Word.NOT_MEASURED
    assert "--allow-estimates" in shut.reason
    assert allowed.word is Word.REGRESSED
    assert allowed.series.kind == "estimated"


def test_only_a_hundred_nights_count() -> None:
    index = index_of_numbers([ONE], 131, lambda _, night: 1.0 if night < 25 else 2.0)

    decision = of(look_back(index))

    assert decision.ratio
    assert decision.ratio.n == 100
    assert decision.ratio.value == pytest.approx(1.0)


def test_an_accepted_change_begins_a_new_history() -> None:
    index = index_of_numbers([ONE], 61, stepped(11, 1.3, at=40))

    assert of(look_back(index, accepted={ONE: started(40)})).word is Word.OK
    commit = index.runs["commit"][40]
    by_commit = of(look_back(index, accepted={ONE: commit[:12]}))
    assert by_commit.word is Word.OK
    assert by_commit.ratio
    assert by_commit.ratio.n == 20


def test_a_commit_that_no_night_measured_begins_no_history() -> None:
    index = index_of_numbers([ONE], 61, stepped(11, 1.3, at=60))

    assert of(look_back(index, accepted={ONE: "f" * 40})).word is Word.REGRESSED


def test_a_change_below_some_steps_of_the_meter_does_not_count() -> None:
    index = index_of_numbers(
        [ONE], LAST + 1, stepped(12, 1.2), of_night=lambda _: {"energy_step": 0.001}
    )

    assert of(look_back(index)).word is Word.OK


def test_a_change_within_the_margin_does_not_count() -> None:
    index = index_of_numbers([ONE], LAST + 1, stepped(13, 1.2))

    assert of(look_back(index, asked=0.25)).word is Word.OK
    assert of(look_back(index, asked=0.02)).word is Word.REGRESSED


def test_the_margin_is_never_below_twice_the_spread_of_the_controls() -> None:
    index = index_of_numbers([ONE], LAST + 1, stepped(14, 1.1), control=1.03)

    decision = of(look_back(index))

    assert decision.series.margin == pytest.approx(math.expm1(2 * math.log(1.03)))
    assert len(canary_spreads(index, index.newest or "")) == 30


def test_a_night_whose_controls_differ_is_not_trusted() -> None:
    def of_night(night: int) -> dict[str, float]:
        value = 1.2 if night == LAST else 1.001
        return {
            "energy_ratio": value, "energy_ratio_low": value * 0.999,
            "energy_ratio_high": value * 1.001,
        }  # fmt: skip

    night_ = look_back(index_of_numbers([ONE], LAST + 1, noisy(15), of_night=of_night))

    assert "the same revision differ in energy" in night_.untrusted
    assert [each.word for each in night_.canaries] == [Word.REGRESSED, Word.OK]


def test_one_bad_night_among_many_moves_neither_middle_nor_spread() -> None:
    usual = stepped(16, 1.1)
    index = index_of_numbers(
        [ONE], LAST + 1, lambda case, night: usual(case, night) * (50 if night == 7 else 1)
    )

    assert of(look_back(index)).word is Word.REGRESSED


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(1e-9, 1e9))
def test_the_word_does_not_depend_on_the_unit(scale: float) -> None:
    usual = stepped(17, 1.1)
    index = index_of_numbers(
        [ONE], 21, lambda case, night: scale * usual(case, night + LAST - 20),
        of_night=lambda _: {"energy_step": 1e-7 * scale},
    )  # fmt: skip

    assert of(look_back(index)).word is Word.REGRESSED


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0])
def test_a_number_that_is_none_is_not_measured_and_no_night(value: float) -> None:
    tonight = index_of_numbers([ONE], LAST + 1, noisy(1), of_night=a_night(energy=value))
    before = index_of_numbers(
        [ONE], LAST + 1, noisy(1), of_night=lambda n: {"energy": value} if n == 3 else {}
    )

    assert of(look_back(tonight)).word is Word.NOT_MEASURED
    decision = of(look_back(before))
    assert decision.word is Word.OK
    assert decision.ratio
    assert decision.ratio.n == LAST - 1


def test_what_tonight_lacks_of_the_night_before_is_seen() -> None:
    index = index_of_numbers([ONE, "w/gone/eager/cpu/b1", "w/c/eager/cpu/b1"], 10, noisy(1))
    tonight = index.cases.is_("journal", index.newest) & index.cases.is_(
        "case", "w/gone/eager/cpu/b1"
    )
    index = replace(index, cases=index.cases.where(~tonight))

    decision = of(look_back(index), "w/gone/eager/cpu/b1")

    assert decision.word is Word.NOT_MEASURED
    assert "it is not in tonight's journal" in decision.reason


def test_cases_are_chosen_by_a_part_of_their_names() -> None:
    index = index_of_numbers(HUNDRED, 10, noisy(1))

    night_ = look_back(index, part="/t42/")

    assert {each.series.case for each in night_.decisions} == {HUNDRED[42]}


def test_a_night_can_be_named() -> None:
    index = index_of_numbers([ONE], LAST + 1, stepped(18, 1.5, at=30))
    names = index.runs["journal"]

    assert of(look_back(index, tonight=names[29])).word is Word.OK
    assert of(look_back(index, tonight=names[30])).word is Word.REGRESSED


def test_a_night_that_is_not_there_is_an_error_that_says_so() -> None:
    index = index_of_numbers([ONE], 3, noisy(1))

    with pytest.raises(JournalError, match=r"x\.jsonl is no journal of this index"):
        look_back(index, tonight="x.jsonl")
    with pytest.raises(JournalError, match="found no journal with a case"):
        look_back(index_of_numbers([], 0))


def test_the_noise_of_a_case_is_that_of_its_last_nights() -> None:
    index = index_of_numbers(
        [ONE], 80, lambda case, night: noisy(1, 0.05 if night < 40 else 0.01)(case, night)
    )
    newest = index.newest or ""

    assert 0.004 < (case_noise(index, newest, ONE) or 0) < 0.02
    assert (case_noise(index, newest, ONE, nights=70) or 0) > 0.015
    first = index.runs["journal"][2]
    assert case_noise(index, first, ONE) is None


def test_the_chances_of_many_cases_are_said() -> None:
    few, many = (look_back(index_of_numbers(HUNDRED, n, noisy(1))) for n in (9, 60))

    assert "200 series" in multiplicity(many)
    assert f"z ≥ {LIMIT:g}" in multiplicity(many)
    chances = [
        float(multiplicity(each).split("independent, ")[1].split()[0]) for each in (few, many)
    ]
    assert chances[0] > 100 * chances[1]


def test_a_folder_of_nights_is_judged_and_told(tmp_path: Path) -> None:
    for number in range(10):
        save(night(number, scale=1.3 if number == 9 else 1 + number / 1e4), tmp_path)

    found, lines = from_history(tmp_path)

    assert {each.word for each in found.decisions} == {Word.REGRESSED}
    assert "4 regressed (unpaired: judged by the nights before it)" in lines[0]
    assert lines[-1].startswith("unpaired: 4 series are judged at once")
    assert all(line.isprintable() for line in lines)


def test_what_changed_around_a_night_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for number in range(9):
        packages = {"torch": "3.0\x1b[31m" if number == 8 else "2.9.0"}
        save(night(number, packages=packages), tmp_path)
    (tmp_path / "bad.jsonl").write_text("no\n", encoding="utf-8")

    _, lines = from_history(tmp_path, part="student")

    assert "also changed since the night before: package torch 2.9.0 → 3.0 [31m" in lines
    assert "1 journals cannot be read: joulebench trend lists them" in lines


def test_many_cases_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    cases = [(a_case(f"t{n}"), pairs(0.01, 0.001)) for n in range(15)]
    save(night(0, cases), tmp_path)

    _, lines = from_history(tmp_path)

    assert "◌ and 18 more inconclusive" in lines


def test_the_first_night_of_a_machine_has_no_night_before_it(tmp_path: Path) -> None:
    save(night(0), tmp_path)

    found, lines = from_history(tmp_path)

    assert {each.word for each in found.decisions} == {Word.INCONCLUSIVE}
    assert not any(line.startswith("also changed") for line in lines)


def test_a_folder_whose_night_cannot_be_trusted_says_so_first(tmp_path: Path) -> None:
    for number in range(9):
        save(night(number, [(a_case(), pairs(0.01, 0.001, 1.2 if number == 8 else 1.0))]), tmp_path)

    found, lines = from_history(tmp_path)

    assert found.untrusted
    assert lines[1].startswith("UNTRUSTED: ")


def test_the_verb_shuts_the_gate_and_writes_an_alert_from_history_alone(tmp_path: Path) -> None:
    for number in range(10):
        save(night(number, scale=1.3 if number == 9 else 1 + number / 1e4), tmp_path)
    alert = tmp_path / "alert.md"

    assert main(["gate", "--history", str(tmp_path), "--markdown", str(alert)]) == 8

    text = alert.read_text(encoding="utf-8")
    assert "- unpaired: this night is held against the median of those before it" in text
    for untrue in ("pairs of fresh processes", "its commit", "has no journal", "not judged"):
        assert untrue not in text


@pytest.mark.parametrize(
    "option", ["--floor=1J", "--metric=time", "--bisect=1", "-k=one", "--margin=tiny*=5%"]
)
def test_what_a_look_back_cannot_do_is_refused_and_not_ignored(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(10):
        save(night(number, scale=1.3 if number == 9 else 1 + number / 1e4), tmp_path)

    assert main(["gate", "--history", str(tmp_path), option]) == 2

    said = capsys.readouterr().err
    assert option.partition("=")[0] in said
    assert "with --history alone" in said
