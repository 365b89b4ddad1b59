"""Uncertainty budgets: what makes a number uncertain, and how much of it each source makes.

Type A is what repeated windows show of their own spread. Type B is what no repetition shows: the
step of a meter, what it had not shown yet at the two ends of a window, the error that its maker or
its driver admits, and our clock. A bound of ±a stands for a rectangular distribution, of standard
uncertainty a/√3. Standard uncertainties add in quadrature, and the 95 % interval comes from the
effective degrees of freedom.

Source: JCGM 100:2008 (GUM) 4.3.7 for bounds, 5.1.2 for the sum, G.4.1 (Welch-Satterthwaite) for
the degrees of freedom.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.meter import Channel
from bench.statistics import Interval, ratio_of, t_quantile
from bench.window import ChannelEnergy

SPREAD = "spread"
QUANTISATION = "quantisation"
EDGES = "edges"
SPECIFICATION = "specification"
CLOCK = "clock"
SOURCES = (SPREAD, QUANTISATION, EDGES, SPECIFICATION, CLOCK)
"""Every source of uncertainty; the first is of type A, the others are of type B."""

CLOCK_RATE = 5e-4
"""Most by which the rate of ``CLOCK_MONOTONIC`` is slewed by NTP, as a share: adjtimex(2)."""

_RECTANGULAR = math.sqrt(3)


@dataclass(frozen=True, slots=True)
class Component:
    """One source of uncertainty of a value.

    Args:
        source: One of `SOURCES`.
        standard: Standard uncertainty, in the unit of the value.
        degrees: Degrees of freedom; infinite for type B.
    """

    source: str
    standard: float
    degrees: float = math.inf


@dataclass(frozen=True, slots=True)
class Budget:
    """A value with the sources of its uncertainty.

    Args:
        value: Best value; of a ratio, its natural logarithm.
        components: The sources, each once.
        n: How many replicates the spread rests on.
    """

    value: float
    components: tuple[Component, ...]
    n: int
    _combined: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = math.hypot(*(component.standard for component in self.components))
        object.__setattr__(self, "_combined", found)

    @property
    def combined(self) -> float:
        """Combined standard uncertainty, in the unit of the value."""
        return self._combined

    @property
    def degrees(self) -> float:
        """Effective degrees of freedom, by Welch and Satterthwaite."""
        whole = self.combined
        lost = math.fsum((c.standard / whole) ** 4 / c.degrees for c in self.components if whole)
        return 1 / lost if lost else math.inf

    @property
    def half(self) -> float:
        """Half of the 95 % interval, in the unit of the value."""
        return t_quantile(0.95, self.degrees) * self.combined if self.combined else 0.0

    def share(self, source: str) -> float:
        """Share of a source in the variance, 0 to 1; 0 where nothing is uncertain."""
        variance = math.fsum(c.standard**2 for c in self.components if c.source == source)
        return variance / self.combined**2 if self.combined else 0.0

    def ratio(self) -> Interval:
        """The ratio of which this is the logarithm, with its interval."""
        return ratio_of(self.value, self.half, self.n)


def bounds_of(energy: ChannelEnergy, channel: Channel, seconds: float) -> dict[str, float]:
    """The bound of one channel's energy over a window by its sources, each as ± J.

    They add up to the bound: what is not the step, the specification or a clock is edges, what the
    meter had not shown at the ends of the window (for a gauge also between two readings).

    Args:
        energy: Of the window; it has joules.
        channel: What was read.
        seconds: Length of the window.
    """
    if energy.joules is None or energy.low is None or energy.high is None:
        raise ValueError(f"{energy.channel} has no energy: {energy.reason or energy.status}")
    # the lower end may be cut off at zero
    left = max(energy.high - energy.joules, (energy.high - energy.low) / 2)
    wanted = {
        SPECIFICATION: specification(channel) * energy.joules,
        QUANTISATION: channel.resolution * (1.0 if channel.unit == "J" else seconds),
        CLOCK: 2 * channel.clock_s * energy.joules / seconds,
    }
    found = {}
    for source, half in wanted.items():
        found[source] = min(half, left)
        left -= found[source]
    return {**found, EDGES: left}


def specification(channel: Channel) -> float:
    """By how much the joules of a channel may be off at all, ± as a share of them."""
    low, high = channel.range
    return max(high - 1, 1 - low)


def sum_of(bounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The bounds of several channels together, source by source: bounds add."""
    total = dict.fromkeys(SOURCES[1:], 0.0)
    for each in bounds:
        for source, half in each.items():
            total[source] += half
    return total


def mean_budget(
    values: Sequence[float],
    bounds: Sequence[Mapping[str, float]],
    spread: tuple[float, float] | None,
) -> Budget:
    """The budget of a mean over windows, or over processes.

    A bound does not shrink with their number: what a meter does at one edge it may do at each.

    Args:
        values: Of the replicates, in the order of time; one alone has no spread to show.
        bounds: Of each window, ± in the unit of the values, by source.
        spread: Standard uncertainty of the mean and its degrees of freedom, as
            `bench.statistics.mean_spread` gives them.
    """
    n = len(values)
    components = [Component(SPREAD, *spread)] if spread else []
    for source in SOURCES[1:]:
        half = math.fsum(each.get(source, 0.0) for each in bounds) / len(bounds)
        if half > 0:
            components.append(Component(source, half / _RECTANGULAR))
    return Budget(math.fsum(values) / n, tuple(components), n)


def ratio_bounds(
    baseline: Mapping[str, float], variant: Mapping[str, float], joules: tuple[float, float]
) -> dict[str, float]:
    """Relative standard uncertainty of the ratio of two windows by source, but the specification.

    Steps and edges of two windows are independent of each other; a clock is the same in both.

    Args:
        baseline: Bounds of the baseline's energy, ± J.
        variant: Bounds of the variant's.
        joules: Both energies, J.
    """
    one, other = joules
    return {
        source: math.hypot(baseline[source] / one, variant[source] / other) / _RECTANGULAR
        for source in (QUANTISATION, EDGES, CLOCK)
    }


def ratio_budget(
    logs: tuple[float, float, int, int],
    bounds: Mapping[str, Sequence[float]] | None = None,
    shift: float = 0.0,
) -> Budget:
    """The budget of the logarithm of a ratio over pairs.

    Args:
        logs: Its middle, standard uncertainty, degrees of freedom and number of replicates, as
            `bench.statistics.log_ratio` gives them.
        bounds: Relative standard uncertainties by source, one of each replicate.
        shift: By how much the meters' specification may shift it, ±; the same in all pairs.
    """
    middle, standard, degrees, n = logs
    components = [Component(SPREAD, standard, degrees)]
    for source, standards in (bounds or {}).items():
        squares = math.fsum(each * each for each in standards)
        if squares > 0:  # trimming keeps only so many of them
            components.append(Component(source, math.sqrt(squares / n / (degrees + 1))))
    if shift > 0:
        components.append(Component(SPECIFICATION, shift / _RECTANGULAR))
    return Budget(middle, tuple(components), n)


def quotient(one: Budget | None, other: Budget | None) -> Budget:
    """The budget of the logarithm of a quotient of two ratios that are independent of each other.

    Args:
        one: The logarithm of the ratio above; None for a ratio that is 1 by its meaning.
        other: That of the ratio below.

    >>> one = Budget(math.log(0.2), (Component(SPREAD, 0.03, 5.0),), 6)
    >>> other = Budget(math.log(0.5), (Component(SPREAD, 0.04, 5.0),), 6)
    >>> round(quotient(one, other).ratio().value, 3), round(quotient(one, other).combined, 3)
    (0.4, 0.05)
    """
    known = [budget for budget in (one, other) if budget]
    value = (one.value if one else 0.0) - (other.value if other else 0.0)
    components = tuple(component for budget in known for component in budget.components)
    return Budget(value, components, min((budget.n for budget in known), default=0))
