"""Pairs of windows, baseline beside variant, and the ratios that they give: pure functions."""

import math
import statistics as stdlib_statistics
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from bench.cover import total
from bench.meter import Channel
from bench.quantities import Absent
from bench.record import Window
from bench.replicates import are_processes, by_source, replicates, uncertainty_of_median
from bench.statistics import log_ratio
from bench.uncertainty import (
    Budget,
    bounds_of,
    ratio_bounds,
    ratio_budget,
    specification,
    sum_of,
)

Pair = tuple[Window, Window]
"""The baseline's window, and that of the variant or control beside it."""


def pairs_of(windows: Iterable[Window]) -> list[Pair]:
    """(baseline, variant or control) of each pair that has both, in order."""
    windows = list(windows)
    baselines = {w.pair: w for w in windows if w.role == "baseline"}
    others = {w.pair: w for w in windows if w.role in {"variant", "control"}}
    return [(baselines[pair], others[pair]) for pair in sorted(baselines) if pair in others]


def time_ratio(pairs: Sequence[Pair]) -> Budget | None:
    """Variant ÷ baseline of the median latency of a call; None for fewer than two pairs."""
    return _budget(pairs, [(_typical_s(one), _typical_s(other)) for one, other in pairs])


def energy_ratio(pairs: Sequence[Pair], channels: Sequence[Channel]) -> Budget | None:
    """Variant ÷ baseline of the energy per sample; every pair counts, or there is no ratio.

    Args:
        pairs: Windows of both sides.
        channels: The cover, whose sum is the energy.
    """
    ids = [channel.id for channel in channels]
    values, bounds = [], []
    for one, other in pairs:
        first, second = total(one.energy, ids), total(other.energy, ids)
        if isinstance(first, Absent) or isinstance(second, Absent):
            return None
        if first.value <= 0 or second.value <= 0:
            return None
        values.append((first.value / one.samples, second.value / other.samples))
        halves = window_bounds(one, channels), window_bounds(other, channels)
        bounds.append(ratio_bounds(*halves, (first.value, second.value)))
    return _budget(pairs, values, bounds, _shift(pairs, channels) if pairs else 0.0)


def _budget(
    pairs: Sequence[Pair],
    values: Sequence[tuple[float, float]],
    bounds: Sequence[Mapping[str, float]] = (),
    shift: float = 0.0,
) -> Budget | None:
    """The budget over the pairs, or over the medians of the processes if there are several."""
    processes = [one.process for one, _ in pairs]
    if are_processes(processes):
        logs = [math.log(variant / baseline) for baseline, variant in values]
        logs = replicates(logs, processes, stdlib_statistics.median)
        values = [(1.0, math.exp(log)) for log in logs]
        of_median = partial(by_source, of=uncertainty_of_median)
        bounds = replicates(bounds, processes, of_median) if bounds else ()
    found = log_ratio(values)
    return ratio_budget(found, bounds, shift) if found else None


def window_bounds(window: Window, channels: Sequence[Channel]) -> dict[str, float]:
    """The bounds of a window's energy over a cover, ± J, by source; each channel has an energy."""
    known = {channel.id: channel for channel in channels}
    return sum_of(
        bounds_of(energy, known[energy.channel], window.seconds)
        for energy in window.energy
        if energy.channel in known
    )


def _shift(pairs: Sequence[Pair], channels: Sequence[Channel]) -> float:
    """By how much the meters' specification may shift the ratio, ± as a share.

    A factor on all joules of a channel cancels where both sides have the same share of them in it.
    """

    def shares(side: int) -> dict[str, float]:
        joules = dict.fromkeys([channel.id for channel in channels], 0.0)
        for pair in pairs:
            for energy in pair[side].energy:
                if energy.channel in joules:
                    joules[energy.channel] += energy.joules or 0.0
        whole = math.fsum(joules.values())
        return {id_: value / whole for id_, value in joules.items()}

    one, other = shares(0), shares(1)
    return math.fsum(specification(c) * abs(one[c.id] - other[c.id]) for c in channels)


def _typical_s(window: Window) -> float:
    """The median latency of a window's calls, s: what disturbs single calls does not move it."""
    return window.latency_s.p50 if window.latency_s else window.seconds / max(window.calls, 1)
