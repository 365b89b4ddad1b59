"""Intervals agree with scipy, and verdicts follow from intervals only."""

import math
import random
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import (
    Interval,
    Verdict,
    half_width,
    is_decided,
    mean_interval,
    mean_spread,
    neighbour_correlation,
    pairs_to_decide,
    quantile,
    ratio_interval,
    t_quantile,
    verdict,
)

VALUES = st.lists(st.floats(0.01, 1e3), min_size=2, max_size=30)


@given(VALUES)
def test_the_interval_of_a_mean_is_the_t_interval_of_scipy(values: list[float]) -> None:
    assume(max(values) - min(values) > 1e-6 * max(values))

    ours = mean_interval(values)

    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-6, abs=1e-6)


@given(VALUES, st.floats(0.1, 10))
def test_a_constant_factor_between_the_sides_is_found_exactly(
    baselines: list[float], factor: float
) -> None:
    ratio = ratio_interval([(b, b * factor) for b in baselines])

    assert ratio is not None
    assert ratio.value == pytest.approx(factor)
    assert ratio.high - ratio.low == pytest.approx(0, abs=1e-6)


@given(st.floats(0.9, 1.1), st.integers(2, 10))
def test_drift_that_both_sides_of_a_pair_share_cancels(drift: float, pairs: int) -> None:
    ratio = ratio_interval([(drift**i, 0.5 * drift**i) for i in range(pairs)])

    assert ratio is not None
    assert ratio.value == pytest.approx(0.5)


def test_one_value_has_no_interval_rather_than_an_interval_of_zero() -> None:
    assert mean_interval([1.0]) is None
    assert ratio_interval([(1.0, 2.0)]) is None


def test_a_ratio_of_a_value_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        ratio_interval([(1.0, 0.0), (1.0, 1.0)])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.51, 0.55, Verdict.SAVES),
        (0.90, 0.96, Verdict.SAVES),
        (1.04, 1.20, Verdict.COSTS),
        (0.90, 0.99, Verdict.UNRESOLVED),
        (1.01, 1.20, Verdict.UNRESOLVED),
        (0.98, 1.02, Verdict.NO_GAIN),
        (0.975, 0.995, Verdict.NO_GAIN),
        (0.90, 1.02, Verdict.UNRESOLVED),
        (0.99, 1.05, Verdict.UNRESOLVED),
    ],
)
def test_a_verdict_follows_from_the_interval_and_the_margin(
    low: float, high: float, expected: Verdict
) -> None:
    assert verdict(Interval((low + high) / 2, low, high, 6), 0.03) is expected


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=40))
def test_from_ten_pairs_on_the_trimmed_mean_is_that_of_scipy(logs: list[float]) -> None:
    ratio = ratio_interval([(1.0, math.exp(log)) for log in logs])

    assert ratio is not None
    assert math.log(ratio.value) == pytest.approx(stats.trim_mean(logs, 0.2), abs=1e-9)


def test_one_disturbed_pair_of_many_decides_nothing() -> None:
    calm = [(1.0, math.exp(0.001 * (i % 5 - 2))) for i in range(30)]
    disturbed = [*calm[:-1], (1.0, 3.0)]

    ratio = ratio_interval(disturbed)

    assert ratio is not None
    assert 0.999 < ratio.low < 1 < ratio.high < 1.001


def test_the_trimmed_interval_holds_the_truth_in_95_of_100_runs() -> None:
    source = random.Random(7)
    runs = [
        ratio_interval([(1.0, math.exp(source.gauss(0.1, 0.02))) for _ in range(30)])
        for _ in range(2000)
    ]

    held = sum(run.low <= math.exp(0.1) <= run.high for run in runs if run)
    assert 0.93 <= held / 2000 <= 0.97


def test_no_ratio_means_not_measured_and_nothing_else() -> None:
    assert verdict(None, 0.03) is Verdict.NOT_MEASURED


def test_a_ratio_on_the_edge_of_the_margin_asks_for_ten_times_its_pairs_not_for_all() -> None:
    edge = Interval(1.03, 1.01, 1.05, 6)

    needed = pairs_to_decide(edge, 0.03)

    assert needed is not None
    assert 40 < needed < 100


@pytest.mark.parametrize(("log", "half", "wanted"), [(0.0, 0.06, 0.02956), (0.05, 0.04, 0.02044)])
def test_the_pairs_that_would_decide_shrink_the_interval_to_a_decision(
    log: float, half: float, wanted: float
) -> None:
    wide = Interval(math.exp(log), math.exp(log - half), math.exp(log + half), 6)

    needed = pairs_to_decide(wide, 0.03)
    # the distance to the edge, of which one knows no more than the ratio itself
    wanted = math.hypot(wanted, 0.6745 * half / t_quantile(0.95, 5))

    def half_of(n: int) -> float:
        kept = n if n < 10 else n - 2 * int(0.2 * n)  # from ten pairs on the mean is trimmed
        return half * t_quantile(0.95, kept - 1) / t_quantile(0.95, 5) * math.sqrt(6 / n)

    assert needed is not None
    assert half_of(needed) <= wanted
    assert all(half_of(n) > wanted for n in range(6, needed))


def series(correlation: float, n: int, source: random.Random) -> list[float]:
    """Values of mean 0 and spread 1 of which neighbours correlate."""
    values = [source.gauss(0, 1)]
    step = math.sqrt(1 - correlation**2)
    while len(values) < n:
        values.append(correlation * values[-1] + step * source.gauss(0, 1))
    return values


def half_of_a_side(values: list[float]) -> tuple[float, float, float]:
    """The mean of one of two sides that alternate ABBA, its half-width, and the plain one."""
    places = [place for place in range(len(values)) if place % 4 in {0, 3}]
    means = {
        own: fmean(v for place, v in enumerate(values) if (place in places) is own)
        for own in (True, False)
    }
    rest = [value - means[place in places] for place, value in enumerate(values)]
    own = [values[place] for place in places]
    correlation = neighbour_correlation(rest, cautious=True)
    spread = mean_spread(own, correlation, places, len(values))
    plain = mean_interval(own)
    assert spread is not None
    assert plain is not None
    return means[True], t_quantile(0.95, spread[1]) * spread[0], plain.high - plain.value


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("pairs", [6, 12, 48])
def test_the_interval_of_a_side_holds_its_mean_though_neighbours_correlate(
    correlation: float, pairs: int
) -> None:
    source = random.Random(11)
    found = [half_of_a_side(series(correlation, 2 * pairs, source)) for _ in range(1000)]

    held = sum(abs(mean) <= half for mean, half, _ in found)
    wide = sum(abs(mean) <= plain for mean, _, plain in found)
    assert held >= 930
    assert wide >= 930 or correlation > 0  # without the correlation it would not hold
    assert wide < 930 or correlation == 0
    if (
        correlation <= 0.5 and pairs >= 12
    ):  # and it is of use: not many times what the spread itself is
        assert sorted(half for _, half, _ in found)[500] < 12 / math.sqrt(pairs)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("pairs", [6, 12, 24, 48])
def test_the_interval_of_a_ratio_holds_it_though_neighbours_correlate(
    correlation: float, pairs: int
) -> None:
    source = random.Random(13)
    held = 0
    for _ in range(1000):
        noise = [math.exp(0.01 * value) for value in series(correlation, 2 * pairs, source)]
        both = []
        for pair in range(pairs):
            one, other = noise[2 * pair], noise[2 * pair + 1]
            both.append((one, 0.9 * other) if pair % 2 else (other, 0.9 * one))
        ratio = ratio_interval(both)
        assert ratio is not None
        held += ratio.low <= 0.9 <= ratio.high

    assert held >= 930


@given(st.lists(st.floats(-1e3, 1e3), min_size=0, max_size=40), st.booleans())
def test_a_correlation_is_a_share(values: list[float], cautious: bool) -> None:
    assert 0 <= neighbour_correlation(values, cautious=cautious) <= 0.98


def test_few_values_show_no_correlation() -> None:
    assert neighbour_correlation([1.0, 2.0, 3.0, 4.0, 5.0]) == 0


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.9])
def test_the_correlation_of_many_values_is_found(correlation: float) -> None:
    values = series(correlation, 5000, random.Random(3))

    assert neighbour_correlation(values) == pytest.approx(correlation, abs=0.03)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.60, 0.70, False), (0.69, 0.71, True), (0.99, 1.01, True), (0.965, 0.985, False)],
)
def test_more_pairs_are_needed_while_the_interval_is_wide_or_says_nothing(
    low: float, high: float, expected: bool
) -> None:
    ratio = Interval(math.sqrt(low * high), low, high, 6)

    assert is_decided(ratio, 0.03, 0.03) is expected
    assert half_width(ratio) == pytest.approx(math.log(high / low) / 2)
    assert not is_decided(None, 0.03, 0.03)


def test_a_number_of_pairs_that_nobody_would_run_is_not_named() -> None:
    assert pairs_to_decide(Interval(1.03, 1.02, 1.04, 2000), 0.03) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_agree_with_the_linear_method_of_numpy(values: list[float], share: float) -> None:
    import numpy as np

    expected = np.quantile(values, share)
    assert quantile(sorted(values), share) == pytest.approx(expected, rel=1e-9, abs=1e-9)
