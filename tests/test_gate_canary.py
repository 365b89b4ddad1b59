"""When a night is trusted, how wide margins are, and what the gate ends with."""

import math
from dataclasses import replace

import pytest
from gate_series import SMALL, series

from bench.gate.answer import ENERGY, TIME, Night, Quantity, Series, Word
from bench.gate.canary import ENOUGH, exit_code, group, limit, margin, night, spreads, untrusted
from bench.gate.decide import decisions
from bench.report.text import signed


def controls(
    *changes: float, number: int = 5, quantity: Quantity = ENERGY, loud: float = 1
) -> list[Series]:
    """Canaries that differ so much, over and over, with so many times the noise."""
    noise = tuple(loud * log for log in SMALL)
    return [
        series(each, case=f"A/A {index}", quantity=quantity, noise=noise, is_canary=True)
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
    assert f"{signed(100 * change, 2)} %" in found.untrusted


def test_canaries_further_apart_than_usual_make_the_night_untrusted() -> None:
    apart = [series(0.05), *controls(0.013, -0.013)]

    found = night(apart, history=USUAL)

    assert "differ in energy by 1.3 %" in found.untrusted
    assert night(apart, history={"energy measured module": [0.01] * 30}).untrusted == ""


def test_a_short_history_lets_canaries_differ_by_the_margin() -> None:
    short = {"energy measured module": [0.002] * (ENOUGH - 1)}

    near, far = (controls(each, -each, loud=10) for each in (0.013, 0.023))

    assert night([series(0.0), *near], history=short).untrusted == ""
    assert "at most 2 %" in night([series(0.0), *far], history=short).untrusted


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
    assert untrusted(decisions(unread)) == ""  # nothing was measured of the cases either


def test_exit_codes_say_what_happened() -> None:
    good = controls(0.0)
    assert exit_code(night([series(0.0), *good])) == 0
    assert exit_code(night([series(-0.05), *good])) == 0
    assert exit_code(night([series(0.05), *good])) == 8
    assert exit_code(night([series(0.05), *controls(0.05)])) == 9
    assert exit_code(night([series(0.05, kind="estimated"), *good])) == 10
    assert exit_code(Night(())) == 10


def test_the_margin_is_at_least_twice_the_usual_spread_of_the_machine() -> None:
    noisy = [0.02] * 30

    assert margin(0.01, []) == 0.01
    assert margin(0.01, [0.004] * 30) == 0.01
    assert margin(0.01, noisy) == pytest.approx(math.exp(0.04) - 1)
    assert margin(0.01, [*noisy, *[0.004] * 30]) == 0.01  # older nights are forgotten
