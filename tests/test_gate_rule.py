"""The words of the gate: what the rule finds, what does not fool it, and when nothing counts."""

import doctest
import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.gate import canary, decide, trimmed, words
from bench.gate.answer import ENERGY, TIME, Decision, Night, Pair, Quantity, Series, Word
from bench.gate.canary import ENOUGH, exit_code, group, limit, margin, night, spreads, untrusted
from bench.gate.decide import DEFAULT, Rule, candidates, chances, decisions, edges
from bench.gate.trimmed import chance_above, discoveries, interval

LOGS = st.lists(st.floats(-0.1, 0.1), min_size=6, max_size=18)
SMALL = (0.004, -0.003, 0.001, -0.004, 0.003, -0.001)
"""Log ratios of six quiet pairs, of mean 0."""


def series(
    *changes: float,
    case: str = "a",
    quantity: Quantity = ENERGY,
    kind: str = "measured",
    fresh: bool = True,
    noise: tuple[float, ...] = SMALL,
    margin: float = 0.02,
    floor: float = 0.0,
    is_canary: bool = False,
) -> Series:
    """A series of which each stage changed so much: six pairs, then twelve if *fresh*."""
    first, second = (changes * 2)[:2]
    pairs = [Pair(2.0, 2.0 * (1 + first) * math.exp(log)) for log in noise]
    if fresh:
        pairs += [Pair(2.0, 2.0 * (1 + second) * math.exp(log), 2) for log in noise * 2]
    return Series(
        case, quantity, "J/call", kind if quantity == ENERGY else "",
        "module" if quantity == ENERGY else "", tuple(pairs), margin, floor, is_canary,
    )  # fmt: skip


def word(one: Series, among: int = 300, rule: Rule = DEFAULT) -> Decision:
    """What is said of a series among so many that did not change."""
    others = [series(0.0, case=str(index), fresh=False) for index in range(among - 1)]
    return decisions([one, *others], rule)[0]


@pytest.mark.parametrize("module", [canary, decide, trimmed, words], ids=lambda m: m.__name__)
def test_the_examples_of_the_rule_are_so(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


# --- the test of one series


@given(LOGS, st.floats(-0.05, 0.05))
def test_a_p_value_is_a_probability_and_its_mirror_the_rest(logs: list[float], edge: float) -> None:
    above = chance_above(logs, edge)
    below = chance_above([-log for log in logs], -edge)

    assert 0.5 ** len(logs) <= above <= 1
    assert above + below >= 1 - 1e-9


@given(LOGS, st.floats(-0.05, 0.05), st.floats(0, 0.05))
def test_a_higher_edge_is_never_exceeded_more_surely(
    logs: list[float], edge: float, more: float
) -> None:
    assert chance_above(logs, edge + more) >= chance_above(logs, edge)


@given(LOGS, st.floats(-0.05, 0.05), st.floats(0, 0.05))
def test_a_dearer_head_is_never_less_surely_dearer(
    logs: list[float], edge: float, more: float
) -> None:
    dearer = chance_above([log + more for log in logs], edge)

    assert dearer <= chance_above(logs, edge) + 1e-9


@given(LOGS, st.randoms(use_true_random=False))
def test_the_order_of_pairs_is_of_no_matter(logs: list[float], random: object) -> None:
    mixed = list(logs)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    assert chance_above(mixed, 0.01) == chance_above(logs, 0.01)


@given(LOGS)
def test_the_p_value_is_that_of_yuens_trimmed_t_in_scipy(logs: list[float]) -> None:
    n, cut = len(logs), int(0.2 * len(logs))
    winsorised = stats.mstats.winsorize(sorted(logs), limits=(cut / n, cut / n))
    spread = winsorised.std(ddof=1) / ((1 - 2 * cut / n) * math.sqrt(n))
    assume(spread > 1e-6)
    t = (stats.trim_mean(logs, 0.2) - 0.01) / spread

    expected = max(stats.t.sf(t, n - 2 * cut - 1), 0.5**n)

    assert chance_above(logs, 0.01) == pytest.approx(expected, rel=1e-6)


def test_equal_log_ratios_claim_no_more_than_a_sign_test() -> None:
    assert chance_above([0.05] * 6, 0.02) == 1 / 64
    assert chance_above([0.05 + 1e-12 * i for i in range(6)], 0.02) == 1 / 64


@given(LOGS)
def test_the_interval_agrees_with_the_p_value(logs: list[float]) -> None:
    found = interval(logs, 0.90)
    assume(found.high / found.low > 1 + 1e-6)

    assert chance_above(logs, math.log(found.low)) == pytest.approx(0.05, rel=1e-3)


def test_one_pair_is_too_few_for_a_p_value() -> None:
    with pytest.raises(ValueError, match=r"found 1 log ratio.*measure more pairs"):
        chance_above([0.1], 0.0)


# --- many series


def test_benjamini_and_hochbergs_own_example_counts_four_of_fifteen() -> None:
    # their table of 1995, page 297: with q = 0.05 the first four are rejected
    chances_ = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
        0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip

    assert discoveries(chances_, 0.05) == (True,) * 4 + (False,) * 11


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.01, 0.2))
def test_discoveries_are_the_smallest_p_values_and_bonferronis_are_among_them(
    found: list[float], q: float
) -> None:
    counts = discoveries(found, q)

    assert all(
        a or not b for (p, a), (r, b) in product(zip(found, counts, strict=True), repeat=2) if p < r
    )
    assert all(count for p, count in zip(found, counts, strict=True) if p < 0.999 * q / len(found))
    assert sum(counts) == 0 or max(p for p, c in zip(found, counts, strict=True) if c) <= q


def test_of_nothing_nothing_is_discovered() -> None:
    assert discoveries([], 0.05) == ()


# --- two stages


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
    assert found.reason.startswith("dearer by +5.0 % [")


def test_a_known_improvement_is_found_and_said_in_the_words_of_its_quantity() -> None:
    assert word(series(-0.05)).word is Word.IMPROVED
    assert word(series(-0.05)).reason.startswith("cheaper by -5.0 %")
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
    assert found.word is Word.INCONCLUSIVE


def test_a_candidate_without_its_fresh_pairs_is_inconclusive_and_says_how_many_it_lacks() -> None:
    found = word(series(0.05, fresh=False))

    assert (found.word, found.p) == (Word.INCONCLUSIVE, 1)
    assert found.pairs_needed == DEFAULT.pairs + DEFAULT.fresh


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


# --- margins


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


def test_the_margin_is_at_least_twice_the_usual_spread_of_the_machine() -> None:
    noisy = [0.02] * 30

    assert margin(0.01, []) == 0.01
    assert margin(0.01, [0.004] * 30) == 0.01
    assert margin(0.01, noisy) == pytest.approx(math.exp(0.04) - 1)
    assert margin(0.01, [*noisy, *[0.004] * 30]) == 0.01  # older nights are forgotten


# --- words


def test_a_quiet_case_is_ok_and_a_noisy_one_inconclusive_with_the_pairs_that_would_decide() -> None:
    loud = tuple(10 * log for log in SMALL)

    assert word(series(0.0, fresh=False)).word is Word.OK
    found = word(series(0.0, fresh=False, noise=loud))
    assert found.word is Word.INCONCLUSIVE
    assert found.pairs_needed is not None
    assert 8 <= found.pairs_needed <= 100
    assert f"about {found.pairs_needed} pairs would decide" in found.reason


def test_more_pairs_than_anybody_will_measure_are_not_named() -> None:
    absurd = tuple(1000 * log for log in SMALL)

    found = word(series(0.0, fresh=False, noise=absurd, margin=1e-4))

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
        ({"first": 0.0}, "found first = 0.0"),
        ({"second": 0.5}, "found second = 0.5"),
        ({"q": math.nan}, "found q = nan"),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_clear_error(bad: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Rule(**bad)  # type: ignore[arg-type]


# --- canaries and the night


def controls(*changes: float, number: int = 5, quantity: Quantity = ENERGY) -> list[Series]:
    """Canaries that differ so much, over and over."""
    return [
        series(each, case=f"A/A {index}", quantity=quantity, is_canary=True)
        for index, each in enumerate((changes * number)[:number])
    ]


USUAL = {"energy measured module": [0.002] * 30}


def test_a_night_whose_canaries_agree_is_trusted() -> None:
    found = night([series(0.05), *controls(0.001, -0.001)], history=USUAL)

    assert found.untrusted == ""
    assert [each.word for each in found.decisions] == [Word.REGRESSED]
    assert len(found.canaries) == 5


@pytest.mark.parametrize(("change", "said"), [(0.05, "regressed"), (-0.05, "improved")])
def test_a_canary_that_the_rule_would_flag_makes_the_night_untrusted(
    change: float, said: str
) -> None:
    found = night([series(0.0), *controls(0.0), *controls(change, number=1)], history=USUAL)

    assert said in found.untrusted
    assert f"{100 * change:+.1f} %" in found.untrusted


def test_canaries_further_apart_than_usual_make_the_night_untrusted() -> None:
    apart = [series(0.05), *controls(0.013, -0.013)]

    found = night(apart, history=USUAL)

    assert "differ in energy by 1.3 %" in found.untrusted
    assert night(apart, history={"energy measured module": [0.01] * 30}).untrusted == ""


def test_a_short_history_lets_canaries_differ_by_the_margin() -> None:
    short = {"energy measured module": [0.002] * (ENOUGH - 1)}

    assert night([series(0.0), *controls(0.013, -0.013)], history=short).untrusted == ""
    assert "at most 2 %" in night([series(0.0), *controls(0.023, -0.023)], history=short).untrusted


def test_what_half_of_the_margin_covers_is_never_too_far_apart() -> None:
    assert limit([1e-6] * 30, 15, 0.02) == 0.01


def test_few_canaries_may_differ_more_for_their_median_says_less() -> None:
    limits = [limit([0.01] * 30, number, 0.01) for number in (1, 2, 5, 10, 15, 100)]

    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 0.02


def test_a_night_without_a_canary_of_what_it_measured_is_untrusted() -> None:
    assert "no canary's energy" in night([series(0.0)]).untrusted
    timed = [series(0.0), series(0.0, quantity=TIME), *controls(0.0)]
    assert "no canary's time" in night(timed).untrusted
    unread = [replace(each, absent="no meter") for each in controls(0.0)]
    assert "no canary's energy" in night([series(0.0), *unread]).untrusted


def test_spreads_of_a_night_never_mix_kinds_boundaries_or_quantities() -> None:
    mixed = [
        *controls(0.01),
        *(replace(each, kind="external", boundary="wall") for each in controls(0.02)),
        *controls(0.03, quantity=TIME),
    ]

    found = spreads(decisions(mixed))

    assert list(found) == ["energy measured module", "energy external wall", "time"]
    assert list(found.values()) == pytest.approx([math.log(1 + x) for x in (0.01, 0.02, 0.03)])
    assert group(mixed[0]) == "energy measured module"


def test_spreads_leave_out_what_was_not_measured() -> None:
    unread = [replace(each, absent="no meter") for each in controls(0.0)]

    assert spreads(decisions(unread)) == {}
    assert untrusted(decisions(unread)) == ""  # nothing was measured of cases either


def test_exit_codes_say_what_happened() -> None:
    good = controls(0.0)
    assert exit_code(night([series(0.0), *good])) == 0
    assert exit_code(night([series(-0.05), *good])) == 0
    assert exit_code(night([series(0.05), *good])) == 8
    assert exit_code(night([series(0.05), *controls(0.05)])) == 9
    assert exit_code(night([series(0.05, kind="estimated"), *good])) == 10
    assert exit_code(Night(())) == 10
