"""P values of log ratios, and what many of them may claim."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bench.gate.trimmed import chance_above, discoveries, interval

LOGS = st.lists(st.floats(-0.1, 0.1), min_size=6, max_size=18)


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
    winsorised = stats.mstats.winsorize(np.array(logs), limits=(cut / n, cut / n))
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
