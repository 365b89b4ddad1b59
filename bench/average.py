"""Averages over the windows of a case, each with the budget of its uncertainty: pure functions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from bench.cover import total
from bench.meter import Channel
from bench.pairs import window_bounds
from bench.quantities import Absent, Quantity
from bench.record import Window
from bench.records import Journal
from bench.replicates import are_processes, replicates
from bench.statistics import mean_spread, neighbour_correlation, t_quantile
from bench.uncertainty import CLOCK, CLOCK_RATE, Budget, mean_budget

IDLE_DRIFT = 0.2
"""Most by which the idle power may change in a session that still has net energies, as a share."""

_ROLES = {"baseline", "variant", "control"}


class Average(NamedTuple):
    """A mean over windows, or why there is none, and what makes it uncertain."""

    quantity: Quantity | Absent
    budget: Budget | None = None


def energy_per_sample(
    windows: Sequence[Window], own: Sequence[Window], channels: Sequence[Channel]
) -> Average:
    """Energy per sample over the *own* windows of a case, J/sample.

    Args:
        windows: All windows of the case, which show how much neighbours correlate.
        own: Those in which the case itself ran.
        channels: The cover, whose sum is the energy.
    """
    ids = [channel.id for channel in channels]

    def joules(window: Window) -> float:
        found = total(window.energy, ids)
        return math.nan if isinstance(found, Absent) else found.value / window.samples

    spread = _spread(windows, own, joules)
    return _mean(own, channels, lambda w: 1 / w.samples, "J/sample", spread)


def power(windows: Sequence[Window], own: Sequence[Window], channels: Sequence[Channel]) -> Average:
    """Mean power over the *own* windows of a case, W."""

    def watts(window: Window) -> float:
        found = total(window.energy, ids)
        return math.nan if isinstance(found, Absent) else found.value / window.seconds

    ids = [channel.id for channel in channels]
    return _mean(own, channels, lambda w: 1 / w.seconds, "W", _spread(windows, own, watts))


def seconds_per_sample(windows: Sequence[Window], own: Sequence[Window]) -> Budget | None:
    """Time per sample over the *own* windows, s, the loop's overhead included; None without any."""

    def seconds(window: Window) -> float:
        return window.seconds / window.samples

    if not own:
        return None
    values = [seconds(window) for window in own]
    clock = [{CLOCK: CLOCK_RATE * value} for value in values]
    return mean_budget(_replicates(own, values), clock, _spread(windows, own, seconds))


def estimate_per_sample(windows: Sequence[Window], own: Sequence[Window]) -> Quantity | Absent:
    """What a power model makes of the *own* windows, J/sample: a range, widened by the spread."""

    def joules(window: Window) -> float:
        found = _estimate_of(window)
        return math.nan if isinstance(found, Absent) else found.value / window.samples

    terms = []
    for window in own:
        term = _estimate_of(window)
        if isinstance(term, Absent):
            return term
        terms.append(term.scaled(1 / window.samples, "J/sample"))
    if not terms:
        return Absent("no window was measured")
    spread = _spread(windows, own, joules)
    half = t_quantile(0.95, spread[1]) * spread[0] if spread else 0.0
    low, value, high = (
        math.fsum(ends) / len(terms)
        for ends in zip(*((t.low, t.value, t.high) for t in terms), strict=True)
    )
    return replace(terms[0], value=value, low=max(0.0, low - half), high=high + half)


def idle_power(journal: Journal, channels: Sequence[Channel]) -> Quantity | Absent:
    """Power of the waiting system over a cover, W, from the journal's idle windows.

    It was measured before and after the cases and lay in between meanwhile, so the interval spans
    all of the windows. Where they differ by more than `IDLE_DRIFT`, nobody knows what it was.
    """
    powers = []
    for window in (window for window in journal.windows if window.role == "idle"):
        found = power([window], [window], channels).quantity
        if isinstance(found, Absent):
            return found
        powers.append(found)
    if not powers:
        return Absent("no idle window was measured")
    least, most = min(p.value for p in powers), max(p.value for p in powers)
    if most > (1 + IDLE_DRIFT) * least:
        return Absent(
            f"the idle power went from {least:.3g} W to {most:.3g} W in the session",
            "let the machine come to rest before the run, and end what else it does",
        )
    return replace(
        powers[0],
        value=math.fsum(p.value for p in powers) / len(powers),
        low=min(p.low for p in powers),
        high=max(p.high for p in powers),
    )


def net_of_idle(
    windows: Sequence[Window], gross: Quantity | Absent, idle: Quantity | Absent
) -> Quantity | Absent:
    """Gross energy minus idle power times time; the intervals add, as nothing links them."""
    if isinstance(gross, Absent):
        return gross
    if isinstance(idle, Absent):
        return idle
    seconds = math.fsum(w.seconds for w in windows) / math.fsum(w.samples for w in windows)
    return replace(
        gross,
        value=gross.value - idle.value * seconds,
        low=gross.low - idle.high * seconds,
        high=gross.high - idle.low * seconds,
    )


def _mean(
    own: Sequence[Window],
    channels: Sequence[Channel],
    factor: Callable[[Window], float],
    unit: Literal["J/sample", "W"],
    spread: tuple[float, float] | None,
) -> Average:
    if not own:
        return Average(Absent("no window was measured"))
    ids = [channel.id for channel in channels]
    # our clock is in the joules of a gauge, and in the power of a counter
    timed = {channel.id for channel in channels if (channel.unit == "W") == (unit != "W")}
    terms, bounds = [], []
    for window in own:
        term = total(window.energy, ids)
        if isinstance(term, Absent):
            return Average(term)
        halves = window_bounds(window, channels)
        halves[CLOCK] += CLOCK_RATE * math.fsum(
            energy.joules or 0.0 for energy in window.energy if energy.channel in timed
        )
        terms.append(term.scaled(factor(window), unit))
        bounds.append({source: half * factor(window) for source, half in halves.items()})
    budget = mean_budget(_replicates(own, [term.value for term in terms]), bounds, spread)
    low, high = max(0.0, budget.value - budget.half), budget.value + budget.half
    return Average(replace(terms[0], value=budget.value, low=low, high=high), budget)


def _estimate_of(window: Window) -> Quantity | Absent:
    """The window's estimated energy: of this process if there is one, else of all its channels."""
    estimates = [energy.channel for energy in window.energy if not energy.kind.is_reading]
    own = [channel for channel in estimates if channel.startswith("process/")]
    return total(window.energy, own[:1] or estimates)


def _replicates(own: Sequence[Window], values: Sequence[float]) -> list[float]:
    """The values of the windows, or if several processes ran the mean of each of them."""
    return replicates(values, [window.process for window in own])


def _spread(
    windows: Sequence[Window], own: Sequence[Window], value: Callable[[Window], float]
) -> tuple[float, float] | None:
    """Standard uncertainty of the mean of the *own* windows, and its degrees of freedom.

    Both sides feel what goes on in the machine: the deviations of each from its own mean, in the
    order of time, are one series, which shows how much neighbours correlate, and of which those
    of one side are a part. Of fresh processes it is that of one process with the next.
    """
    values = _replicates(own, [value(window) for window in own])
    if are_processes(window.process for window in own):
        return mean_spread(values, neighbour_correlation(values))
    measured = sorted((w for w in windows if w.role in _ROLES), key=lambda w: w.order)
    found = [value(window) for window in measured]
    if not all(map(math.isfinite, found)):
        return mean_spread(values)
    means = {
        role: math.fsum(v for w, v in zip(measured, found, strict=True) if w.role == role)
        / sum(w.role == role for w in measured)
        for role in {w.role for w in measured}
    }
    rest = [
        v / means[w.role] - 1 if means[w.role] else 0.0
        for w, v in zip(measured, found, strict=True)
    ]
    roles = {window.role for window in own}
    places = [place for place, window in enumerate(measured) if window.role in roles]
    correlation = neighbour_correlation(rest, cautious=True)
    return mean_spread(values, correlation, places, len(measured))
