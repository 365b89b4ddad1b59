"""Pairs of windows, baseline beside variant, and the ratios that they give: pure functions."""

import math
import statistics
from collections.abc import Iterable, Sequence

from bench.cover import total
from bench.meter import Channel
from bench.quantities import Absent
from bench.record import Window
from bench.replicates import are_processes, replicates, uncertainty_of_median
from bench.statistics import log_ratio
from bench.uncertainty import (
    CLOCK,
    EDGES,
    QUANTISATION,
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
    """Variant ÷ baseline of the median latency of a call; None for fewer than two pairs.

    Every pair counts: one in which a call took no time leaves no ratio.
    """
    values = [(_typical_s(one), _typical_s(other)) for one, other in pairs]
    if any(min(value) <= 0 for value in values):
        return None
    found = log_ratio(_replicates(pairs, values))
    return ratio_budget(found) if found else None


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
    found = log_ratio(_replicates(pairs, values))
    if found is None:
        return None
    processes = [one.process for one, _ in pairs]
    by_source = {
        source: replicates([each[source] for each in bounds], processes, uncertainty_of_median)
        for source in (QUANTISATION, EDGES, CLOCK)
    }
    return ratio_budget(found, by_source, _shift(pairs, channels))


def window_bounds(window: Window, channels: Sequence[Channel]) -> dict[str, float]:
    """The bounds of a window's energy over a cover, ± J, by source; each channel has an energy."""
    known = {channel.id: channel for channel in channels}
    return sum_of(
        bounds_of(energy, known[energy.channel], window.seconds)
        for energy in window.energy
        if energy.channel in known
    )


def _replicates(
    pairs: Sequence[Pair], values: Sequence[tuple[float, float]]
) -> Sequence[tuple[float, float]]:
    """The values of the pairs, or if several processes ran the median ratio of each of them."""
    processes = [one.process for one, _ in pairs]
    if not are_processes(processes):
        return values
    ratios = [variant / baseline for baseline, variant in values]
    return [(1.0, ratio) for ratio in replicates(ratios, processes, statistics.median)]


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
