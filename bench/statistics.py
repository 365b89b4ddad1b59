"""Intervals and verdicts, as pure functions of numbers.

Units of replication are windows or pairs of windows, never calls inside one window: those share
clocks, temperature and layout, and pooling them would claim a certainty that is not there.

Neighbours in time share warmth, clocks and other load, so they are no independent replicates:
every interval here is widened by the correlation that its own values show. Means of batches would
do the same for hundreds of windows; for the six to fifty of a case a first-order model does it.

Sources: JCGM 100:2008 (GUM) for combined uncertainty; Student 1908 for the t interval; Yuen 1974
for the trimmed mean; Marriott and Pope 1954 for the bias of a correlation of few values;
Schuirmann 1987 for equivalence inside a margin. What these choices hold in simulations:
reports/trust.md.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class Verdict(StrEnum):
    """What a comparison says."""

    SAVES = "saves"
    COSTS = "costs"
    NO_GAIN = "no gain"
    UNRESOLVED = "unresolved"
    BREAKS_QUALITY = "breaks quality"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its confidence interval.

    Args:
        value: Best value.
        low: Lower end.
        high: Upper end.
        n: How many independent replicates it rests on.
    """

    value: float
    low: float
    high: float
    n: int


CORRELATION_FROM = 6
"""Fewer values than that do not show whether neighbours correlate."""

_MOST_CORRELATION = 0.98
_NORMAL_MEDIAN = 0.6745  # half of a normal distribution lies within so many standard deviations
_CAUTION = 1.5  # standard errors; with fewer, few correlated windows miss the truth too often
_LEAST_DEGREES = 2.0  # the t of a single one is so wide that it says nothing
_LEAST_SHOWN = 0.05  # so little of a spread is left to see that the interval is no use anyway
_FARTHEST = 345.0  # e to the power of it is 1e150: no ratio beyond it means anything, or overflows


@functools.lru_cache(maxsize=2**14)  # one page asks for the same ones again and again
def t_quantile(confidence: float, degrees: float) -> float:
    """Two-sided quantile of Student's t for a *confidence* such as 0.95.

    >>> round(t_quantile(0.95, 5), 3)
    2.571
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def neighbour_correlation(values: Sequence[float], *, cautious: bool = False) -> float:
    """Lag-1 autocorrelation of values in the order of time, at least 0 and at most 0.98.

    Args:
        values: At least `CORRELATION_FROM` of them; fewer say nothing, and give 0.
        cautious: Adds one and a half standard errors, for few values hide half of a
            correlation.

    Returns:
        ``(n r + 1) / (n - 4)``: r is too low by about (1 + 3 r) / n (Marriott and Pope 1954).

    >>> neighbour_correlation([1.0, -1.0] * 6)
    0.0
    """
    n = len(values)
    mean = math.fsum(values) / max(n, 1)
    rest = [value - mean for value in values]
    squares = math.fsum(value * value for value in rest)
    if n < CORRELATION_FROM or squares == 0:
        return 0.0
    raw = math.fsum(one * other for one, other in pairwise(rest)) / squares
    found = min(max((n * raw + 1) / (n - 4), 0.0), _MOST_CORRELATION)
    if cautious:
        found += _CAUTION * math.sqrt((1 - found * found) / n)
    return min(found, _MOST_CORRELATION)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval | None:
    """The mean of independent values with its t interval; None for fewer than two values.

    >>> mean_interval([1.0]) is None
    True
    """
    spread = mean_spread(values)
    if spread is None:
        return None
    mean = math.fsum(values) / len(values)
    half = t_quantile(confidence, spread[1]) * spread[0]
    return Interval(mean, mean - half, mean + half, len(values))


def seed_interval(values: Sequence[float]) -> Interval | None:
    """The mean of what several seeds gave, with its t interval; None for fewer than two.

    Seeds are independent by their making: no correlation is looked for.

    >>> seed_interval([0.5, 0.5])
    Interval(value=0.5, low=0.5, high=0.5, n=2)
    """
    if len(values) < 2:  # noqa: PLR2004 - a spread needs two
        return None
    count, mean = len(values), math.fsum(values) / len(values)
    half = t_quantile(0.95, count - 1) * standard_deviation(values) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, count)


def mean_spread(
    values: Sequence[float],
    correlation: float = 0.0,
    places: Sequence[int] = (),
    among: int = 0,
) -> tuple[float, float] | None:
    """Standard uncertainty of a mean and its degrees of freedom; None for fewer than two values.

    One value has no spread: that is unknown, not zero. Values of which neighbours correlate count
    as fewer, and their spread shows less than the whole:

        Var(mean) = σ² f,   f = mean over i, j of ρ^|i - j|,   E[s²] = σ² (1 - f) n / (n - 1)

    The correlation is known no better than the whole series lets it: ``among`` values, which count
    as so many independent ones as their correlation leaves of them.

    Args:
        values: In the order of time.
        correlation: Of neighbours in the series that they are part of, 0 if independent.
        places: Where they stand in it; one after the other if empty.
        among: How many values of both sides it has; these alone if 0.
    """
    n = len(values)
    if n < 2:  # noqa: PLR2004 - a spread needs two
        return None
    places = places or range(n)
    kept = math.fsum(correlation ** abs(i - j) for i in places for j in places) / n**2
    shown = max((1 - kept) * n / (n - 1), _LEAST_SHOWN)
    standard = standard_deviation(values) * math.sqrt(kept / shown)
    length = among or n
    lost = 1 + 2 * math.fsum((1 - k / length) * correlation**k for k in range(1, length))
    means = 2 if among else 1
    return standard, min(n - 1.0, max(length / lost - means, _LEAST_DEGREES))


def standard_deviation(values: Sequence[float]) -> float:
    """Sample standard deviation (n - 1) of at least two values."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


_TRIM = 0.2
_TRIM_FROM = 10  # below it, trimming loses more than the outliers that it removes


def center(values: Sequence[float], *, trim_from: int = _TRIM_FROM) -> tuple[float, float, int]:
    """Where independent values lie, with standard uncertainty and degrees of freedom.

    From ten values on it is the 20 % trimmed mean with its winsorised spread (Yuen 1974): one
    disturbed pair among them decides nothing. Below, it is the mean.

    Args:
        values: At least two.
        trim_from: Trims from so many values on; of fewer than five none can be spared.

    >>> center([1.0, 3.0])
    (2.0, 1.0, 1)
    """
    n = len(values)
    if n < trim_from:
        return math.fsum(values) / n, standard_deviation(values) / math.sqrt(n), n - 1
    cut = int(_TRIM * n)
    ordered = sorted(values)
    kept = ordered[cut : n - cut]
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    standard = standard_deviation(winsorised) / ((1 - 2 * cut / n) * math.sqrt(n))
    return math.fsum(kept) / len(kept), standard, len(kept) - 1


def log_ratio(
    pairs: Sequence[tuple[float, float]],
) -> tuple[float, float, int, int] | None:
    """The logarithm of variant ÷ baseline from pairs of neighbouring windows.

    Each pair gives one log ratio; drift that is common to a pair cancels in it.

    Args:
        pairs: (baseline, variant), both positive, in the same unit.

    Returns:
        The `center` of the log ratios, its standard uncertainty, widened by the correlation of
        neighbours, its degrees of freedom, and the number of pairs; None for fewer than two.

    Raises:
        ValueError: A value is not positive.
    """
    if any(baseline <= 0 or variant <= 0 for baseline, variant in pairs):
        raise ValueError("a ratio needs positive values; leave out the pair that has none")
    logs = [math.log(variant / baseline) for baseline, variant in pairs]
    if len(logs) < 2:  # noqa: PLR2004 - a spread needs two
        return None
    middle, standard, degrees = center(logs)
    correlation = neighbour_correlation(logs)
    standard *= math.sqrt((1 + correlation) / (1 - correlation))
    return middle, standard, degrees, len(logs)


def ratio_of(log: float, half: float, n: int) -> Interval:
    """The ratio of which *log* ± *half* is the natural logarithm; no end beyond 1e±150.

    >>> ratio_of(0.0, 1000.0, 2).high < 1e150
    True
    """
    value, low, high = (
        math.exp(max(-_FARTHEST, min(_FARTHEST, end))) for end in (log, log - half, log + half)
    )
    return Interval(value, low, high, n)


def ratio_interval(
    pairs: Sequence[tuple[float, float]], *, confidence: float = 0.95
) -> Interval | None:
    """The ratio of which `log_ratio` is the logarithm, by the spread of the pairs alone.

    Args:
        pairs: (baseline, variant), both positive, in the same unit.
        confidence: Such as 0.95.

    Raises:
        ValueError: A value is not positive.
    """
    found = log_ratio(pairs)
    if found is None:
        return None
    middle, standard, degrees, n = found
    half = t_quantile(confidence, degrees) * standard
    return ratio_of(middle, half, n)


def verdict(ratio: Interval | None, margin: float) -> Verdict:
    """What a ratio variant ÷ baseline says, at a *margin* such as 0.03.

    The margin is the smallest difference that counts. The interval must lie wholly beyond it for
    ``saves`` or ``costs``, and wholly inside for ``no gain``: that is a finding, not a lack of
    one. Where it lies across the edge, more pairs are needed.

    >>> verdict(Interval(0.53, 0.51, 0.54, 6), 0.03)
    <Verdict.SAVES: 'saves'>
    >>> verdict(Interval(1.0, 0.99, 1.02, 6), 0.03)
    <Verdict.NO_GAIN: 'no gain'>
    """
    if ratio is None:
        return Verdict.NOT_MEASURED
    lower, upper = 1 / (1 + margin), 1 + margin
    if lower <= ratio.low and ratio.high <= upper:
        return Verdict.NO_GAIN
    if ratio.high < lower:
        return Verdict.SAVES
    if ratio.low > upper:
        return Verdict.COSTS
    return Verdict.UNRESOLVED


def half_width(ratio: Interval) -> float:
    """Half the width of a ratio's interval, as a share of the ratio.

    >>> round(half_width(Interval(1.0, 0.98, 1.02, 6)), 3)
    0.02
    """
    return math.log(ratio.high / ratio.low) / 2


def is_decided(ratio: Interval | None, target: float, margin: float) -> bool:
    """Whether more pairs would change nothing that was asked for.

    Args:
        ratio: Variant ÷ baseline, or None.
        target: Half-width that is asked for, such as 0.01.
        margin: The smallest difference that counts.
    """
    if ratio is None or half_width(ratio) > target:
        return False
    return verdict(ratio, margin) is not Verdict.UNRESOLVED


def pairs_to_decide(ratio: Interval, margin: float, confidence: float = 0.95) -> int | None:
    """About how many pairs would decide, if ratio and spread stay as they were seen.

    The interval must shrink to the distance of the ratio from the edge of the margin.

    Args:
        ratio: An unresolved ratio.
        margin: The smallest difference that counts.
        confidence: Such as 0.95.

    Returns:
        The number of pairs; None beyond ten thousand, or where the interval reaches an end of what
        can be told, so that its spread is unknown.
    """
    if math.log(ratio.high) >= _FARTHEST or math.log(ratio.low) <= -_FARTHEST:
        return None
    distance = abs(math.log1p(margin) - abs(math.log(ratio.value)))

    def half(n: int) -> float:
        kept = n if n < _TRIM_FROM else n - 2 * int(_TRIM * n)
        return t_quantile(confidence, kept - 1) / math.sqrt(n)

    spread = half_width(ratio) / half(ratio.n)
    # the distance is known no better than the ratio: half of what it may be lies beyond this
    wanted = math.hypot(distance, _NORMAL_MEDIAN * spread / math.sqrt(ratio.n))
    return next((n for n in range(ratio.n, 10_000) if half(n) * spread <= wanted), None)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The *share* quantile of sorted values, by linear interpolation (Hyndman-Fan type 7).

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.5
    """
    position = share * (len(ordered) - 1)
    lower = math.floor(position)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (position - lower)
