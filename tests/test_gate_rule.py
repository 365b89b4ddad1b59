"""The words of the gate: what the rule finds, what does not fool it, and when nothing counts."""

import doctest
import math
from dataclasses import replace
from pathlib import Path

import pytest
from gate_series import SMALL, series, word
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gate import canary, decide, reasons, trimmed
from bench.gate.answer import TIME, Decision, Pair, Word
from bench.gate.canary import margin
from bench.gate.decide import DEFAULT, Rule, candidates, chances, decisions, edges
from bench.gate.trimmed import chance_above


@pytest.mark.parametrize("module", [canary, decide, reasons, trimmed], ids=lambda m: m.__name__)
def test_the_examples_of_the_rule_are_so(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_case_that_looks_dearer_is_measured_again_and_one_that_does_not_is_not() -> None:
    dearer, cheaper, same = (
        series(change, case=str(change), fresh=False) for change in (0.05, -0.05, 0.0)
    )

    assert candidates([dearer, same, cheaper]) == (dearer, cheaper)


def test_a_case_with_its_fresh_pairs_is_not_measured_a_third_time() -> None:
    assert candidates([series(0.05)]) == ()


def test_a_known_regression_is_found_among_three_hundred_cases() -> None:
    found = word(series(0.05))

    assert found.word is Word.REGRESSED
    assert found.ratio is not None
    assert found.ratio.low > 1.02
    assert found.p is not None
    assert found.p < 0.05 / 300
    assert found.p_improved == 1
    assert found.reason.startswith("dearer by +5.0")


def test_a_known_improvement_is_found_and_said_in_the_words_of_its_quantity() -> None:
    assert word(series(-0.05)).word is Word.IMPROVED
    assert word(series(-0.05)).reason.startswith("cheaper by −5.0")
    assert word(series(-0.05, quantity=TIME)).reason.startswith("faster by")
    assert word(series(0.05, quantity=TIME)).reason.startswith("slower by")


def test_one_spike_in_one_process_makes_no_candidate() -> None:
    spiked = (0.5, *SMALL[1:])

    assert candidates([series(0.0, noise=spiked, fresh=False)]) == ()


def test_one_spike_in_one_process_hides_no_regression() -> None:
    hidden = (-0.5, *SMALL[1:])

    assert word(series(0.08, noise=hidden)).word is Word.REGRESSED


def test_what_fresh_pairs_do_not_confirm_is_no_regression() -> None:
    found = word(series(0.05, 0.0))

    assert found.p == 1
    assert found.word is Word.OK


def test_a_candidate_without_its_fresh_pairs_is_inconclusive_and_says_how_many_it_lacks() -> None:
    found = word(series(0.05, fresh=False))

    assert (found.word, found.p) == (Word.INCONCLUSIVE, 1)
    assert found.pairs_needed == DEFAULT.pairs + DEFAULT.fresh


def test_fewer_pairs_than_a_sign_test_needs_are_never_said_to_decide() -> None:
    one = series(0.05, noise=SMALL[:3])
    few = replace(one, pairs=one.pairs[:11])  # three and eight: the p value is 2^-11 at least

    found = word(few, among=900, rule=Rule(pairs=3, fresh=8))

    assert found.p == 0.5**11
    assert found.word is Word.INCONCLUSIVE
    assert found.pairs_needed == 15  # 2^-15 is the first below 0.05 / 900


def test_the_document_of_the_rule_says_what_the_code_does() -> None:
    text = (Path(__file__).parents[1] / "docs" / "gate-rule.md").read_text(encoding="utf-8")
    shown = {
        "pairs": "= {}",
        "fresh": "= {}",
        "first": ": p < {}",
        "second": ": p < {}",
        "q": "= {}",
    }

    for name, form in shown.items():
        assert f"`{name}`{form.format(getattr(DEFAULT, name))}".replace("`=", "` =") in text
    assert f"The default is **{100 * canary.DEFAULT_MARGIN:g} %**" in text


def test_a_few_processes_may_fail_but_half_of_the_fresh_pairs_must_be_there() -> None:
    one = series(0.05)

    assert word(replace(one, pairs=one.pairs[:-12])).word is Word.REGRESSED
    assert word(replace(one, pairs=one.pairs[:-13])).word is Word.INCONCLUSIVE


def test_six_pairs_alone_never_make_a_regression_of_three_hundred_however_large() -> None:
    assert word(series(5.0, fresh=False)).word is Word.INCONCLUSIVE


@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
@settings(deadline=None)
def test_the_mirrored_series_earns_the_mirrored_word(first: float, second: float) -> None:
    one = series(first, second)
    mirrored = replace(one, pairs=tuple(Pair(p.head, p.base, p.stage) for p in one.pairs))

    assert chances(mirrored) == pytest.approx(chances(one)[::-1])


@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
@settings(deadline=None)
def test_giving_up_never_makes_a_p_value_smaller_than_that_of_all_pairs(
    first: float, second: float
) -> None:
    one = series(first, second)
    logs = [pair.log_ratio for pair in one.pairs]

    assert chances(one)[0] >= chance_above(logs, edges(one)[1])


def test_a_change_must_exceed_the_margin_and_the_floor() -> None:
    assert word(series(0.05, margin=0.02, floor=0.02)).word is Word.REGRESSED  # 1 % of 2 J
    assert word(series(0.05, margin=0.02, floor=0.20)).word is Word.OK  # 10 %
    assert word(series(0.05, margin=0.10, floor=0.02)).word is Word.OK
    assert word(series(-0.05, margin=0.02, floor=0.20)).word is Word.OK


def test_a_floor_of_the_whole_value_lets_nothing_improve() -> None:
    assert edges(series(0.0, floor=2.0))[0] == -math.inf
    assert word(series(-0.9, floor=2.0)).word is Word.OK


@pytest.mark.parametrize("bad", [-0.01, math.nan, math.inf])
def test_a_margin_that_is_none_is_a_clear_error(bad: float) -> None:
    with pytest.raises(ValueError, match=r"a: found a margin of .* wanted 0 or more"):
        decisions([series(0.0, margin=bad)])
    with pytest.raises(ValueError, match=r"a: found a floor of .* wanted 0 or more"):
        decisions([series(0.0, floor=bad)])
    with pytest.raises(ValueError, match="found a spread of"):
        margin(0.01, [bad])


def test_a_quiet_case_is_ok_and_a_noisy_one_inconclusive_with_the_pairs_that_would_decide() -> None:
    loud = tuple(10 * log for log in SMALL)

    assert word(series(0.0, fresh=False)).word is Word.OK
    found = word(series(0.0, fresh=False, noise=loud))
    assert found.word is Word.INCONCLUSIVE
    assert found.pairs_needed is not None
    assert 8 <= found.pairs_needed <= 100
    assert f"about {found.pairs_needed} pairs would decide" in found.reason


def test_more_pairs_than_anybody_will_measure_are_not_named() -> None:
    absurd = tuple(1.5e5 * log for log in SMALL)

    found = word(series(0.0, fresh=False, noise=absurd))

    assert found.pairs_needed is None
    assert "quieter" in found.reason


def test_a_reason_why_nothing_is_known_is_passed_on() -> None:
    for each in (Word.NOT_COMPARABLE, Word.NOT_MEASURED):
        absent = replace(series(0.05), absent="another driver", word=each)

        assert word(absent) == Decision(absent, each, None, None, None, "another driver")
        assert candidates([absent]) == ()


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (Pair(-1.0, 1.0), "a baseline of -1.0 J/call is no energy"),
        (Pair(1.0, 0.0), "a head of 0.0 J/call is no energy"),
        (Pair(1.0, math.nan), "a head of nan J/call"),
        (Pair(math.inf, 1.0), "a baseline of inf J/call"),
        (Pair(1e-308, 1e308), "is no ratio"),
    ],
)
def test_a_value_that_no_instrument_gives_is_said_and_not_judged(pair: Pair, said: str) -> None:
    one = series(0.0)

    found = word(replace(one, pairs=(pair, *one.pairs)))

    assert found.word is Word.NOT_MEASURED
    assert said in found.reason


@given(st.lists(st.sampled_from([1e-300, 1.0, 1e8, 1e300]), min_size=6, max_size=6))
@settings(deadline=None)
def test_the_most_absurd_values_raise_nothing_and_are_no_regression(heads: list[float]) -> None:
    one = series(0.0)

    found = word(replace(one, pairs=tuple(Pair(1.0, head) for head in heads)), among=2)

    assert found.word in {Word.OK, Word.INCONCLUSIVE}


def test_one_pair_is_no_measurement() -> None:
    one = series(0.0)

    found = word(replace(one, pairs=one.pairs[:1]))

    assert found.word is Word.NOT_MEASURED
    assert "1 of 6 pairs" in found.reason


def test_estimated_energy_is_judged_only_where_that_is_asked_for() -> None:
    estimated = series(0.05, kind="estimated")

    assert word(estimated).word is Word.NOT_MEASURED
    assert "--allow-estimates" in word(estimated).reason
    assert candidates([series(0.05, kind="estimated", fresh=False)]) == ()
    assert word(estimated, rule=Rule(estimates=True)).word is Word.REGRESSED


def test_modelled_energy_and_energy_of_no_known_kind_are_never_judged() -> None:
    rule = Rule(estimates=True)

    assert word(series(0.05, kind="modelled"), rule=rule).word is Word.NOT_MEASURED
    assert "nobody knows" in word(series(0.05, kind="guessed"), rule=rule).reason


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"pairs": 2}, "found 2 pairs"),
        ({"fresh": 1}, "found 1 fresh"),
        ({"fresh": 6}, "found 6 fresh pairs, .* below 0.01; take 7 or more"),
        ({"first": 0.0}, "found first = 0.0"),
        ({"second": 0.5}, "found second = 0.5"),
        ({"q": math.nan}, "found q = nan"),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_clear_error(bad: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Rule(**bad)  # type: ignore[arg-type]
