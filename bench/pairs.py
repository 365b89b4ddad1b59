"""Pairs of windows, baseline beside variant, and the ratios that they give: pure functions."""

import math
import statistics as stdlib_statistics
from collections.abc import Iterable, Sequence

from bench.cover import total
from bench.quantities import Absent, Quantity
from bench.record import Window
from bench.replicates import are_processes, replicates, uncertainty_of_median
from bench.statistics import Interval, ratio_interval

Pair = tuple[Window, Window]
"""The baseline's window, and that of the variant or control beside it."""


def pairs_of(windows: Iterable[Window]) -> list[Pair]:
    """(baseline, variant or control) of each pair that has both, in order."""
    windows = list(windows)
    baselines = {w.pair: w for w in windows if w.role == "baseline"}
    others = {w.pair: w for w in windows if w.role in {"variant", "control"}}
    return [(baselines[pair], others[pair]) for pair in sorted(baselines) if pair in others]


def time_ratio(pairs: Sequence[Pair]) -> Interval | None:
    """Variant ÷ baseline of the median latency of a call; None for fewer than two pairs."""
    return _interval(pairs, [(_typical_s(one), _typical_s(other)) for one, other in pairs])


def energy_ratio(pairs: Sequence[Pair], ids: Sequence[str]) -> Interval | None:
    """Variant ÷ baseline of the energy per sample; every pair counts, or there is no ratio."""
    values, uncertainties = [], []
    for one, other in pairs:
        first, second = total(one.energy, ids), total(other.energy, ids)
        if isinstance(first, Absent) or isinstance(second, Absent):
            return None
        baseline = first.scaled(1 / one.samples, "J/sample")
        variant = second.scaled(1 / other.samples, "J/sample")
        if baseline.value <= 0 or variant.value <= 0:
            return None
        values.append((1.0, variant.over(baseline)))
        # a bound of ±a as a rectangular distribution has the standard uncertainty a/√3 (GUM 4.3.7)
        uncertainties.append(math.hypot(_half(baseline), _half(variant)) / math.sqrt(3))
    return _interval(pairs, values, uncertainties)


def _interval(
    pairs: Sequence[Pair], values: Sequence[tuple[float, float]], type_b: Sequence[float] = ()
) -> Interval | None:
    """The interval over the pairs, or over the medians of the processes if there are several."""
    processes = [one.process for one, _ in pairs]
    if are_processes(processes):
        logs = [math.log(variant / baseline) for baseline, variant in values]
        logs = replicates(logs, processes, stdlib_statistics.median)
        values = [(1.0, math.exp(log)) for log in logs]
        type_b = replicates(type_b, processes, uncertainty_of_median) if type_b else ()
    return ratio_interval(values, type_b=type_b)


def _half(energy: Quantity) -> float:
    """Half the bound of an energy, as a share of it; its lower end may be cut off at zero."""
    return max(energy.high - energy.value, (energy.high - energy.low) / 2) / energy.value


def _typical_s(window: Window) -> float:
    """The median latency of a window's calls, s: what disturbs single calls does not move it."""
    return window.latency_s.p50 if window.latency_s else window.seconds / max(window.calls, 1)
