"""Where a series moved to another level: change points by ruptures, confirmed and sized here.

ruptures cuts the logarithms of a segment where a new level explains more than a penalty is worth
(least squares, solved exactly: Killick et al. 2012). Each cut is then confirmed as Otava does it:
the weakest one is taken away until each has a t test with p ≤ 1e-5 between the up to 50 nights on
either side, and 2 % of change. The t test is widened by the correlation of neighbours that the
nights themselves show, for slow drift makes cuts where nothing stepped.

Apache Otava itself is not used: its releases demand one version of NumPy, and BigQuery's and
Slack's clients. How often both are right on the same series: docs/history.md.

Source: Truong et al. 2020 for ruptures; Fleming et al. 2023, "Hunter", for the way to confirm;
shared/benchmark-tools.md §3.2 for the limits.
"""

import functools
import importlib.util
import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.history.noise import NORMAL, Nights, nights_of
from bench.quantities import Absent
from bench.statistics import Interval, neighbour_correlation, t_quantile

P_VALUE = 1e-5
"""Largest p value of a shift."""

MAGNITUDE = 0.02
"""Least shift, as a share."""

WINDOW = 50
"""Nights on either side of a shift that are held against each other."""

NIGHTS_AFTER = 3
"""Nights that must lie after a shift before it counts, and the fewest of any level."""

_PENALTY = 15.0  # variances of a night: what a cut of p = 1e-4 explains; the rest is confirmed
_FEWEST = 2 * NIGHTS_AFTER
_LEAST = 1e-9  # standard deviation of nights that are all equal


@dataclass(frozen=True, slots=True)
class Shift:
    """A series moved to another level.

    Args:
        at: Place of the first night at the new level.
        ratio: The new level ÷ the old one.
        p: Of a t test between both levels.
    """

    at: int
    ratio: Interval
    p: float


def unavailable() -> Absent | None:
    """Why shifts cannot be looked for; None if they can."""
    if importlib.util.find_spec("ruptures") is None:
        return Absent("ruptures is not installed", "pip install joulebench[trend]")
    return None


def shifts(values: Sequence[float]) -> tuple[Shift, ...]:
    """The confirmed shifts of one segment, in the order of time.

    Args:
        values: Positive, one a night; none of them missing.

    Raises:
        ImportError: ruptures is not installed.
    """
    logs = [math.log(value) for value in values]
    if len(logs) < _FEWEST or max(logs) - min(logs) < math.log1p(MAGNITUDE):
        return ()
    at = _cuts(logs)
    while at:
        found = _sized(logs, at)
        weakest = max(found, key=lambda shift: (shift.p, shift.at))
        if weakest.p <= P_VALUE:
            weakest = min(found, key=_size)
            if _size(weakest) >= math.log1p(MAGNITUDE):
                return found
        at.remove(weakest.at)
    return ()


Cutter = Callable[[Any, float, int], Sequence[int]]
"""Takes a signal (nights, 1), a penalty and the fewest nights of a level."""


@functools.cache
def cutter() -> Cutter:
    """The compiled part of ruptures that cuts; the rest of it where that stands elsewhere.

    The package loads all of scipy.stats for what is not used here, which takes longer than to cut
    the series of a year.

    Raises:
        ImportError: ruptures is not installed.
    """
    spec = importlib.util.find_spec("ruptures")
    folders = spec.submodule_search_locations or () if spec else ()
    for folder, suffix in itertools.product(folders, EXTENSION_SUFFIXES):
        path = Path(folder, "detection", "_detection", f"ekcpd{suffix}")
        loaded = importlib.util.spec_from_file_location("ekcpd", path) if path.is_file() else None
        if loaded and loaded.loader:
            module = importlib.util.module_from_spec(loaded)
            loaded.loader.exec_module(module)
            if hasattr(module, "ekcpd_pelt_L2"):
                cut: Cutter = module.ekcpd_pelt_L2
                return cut
    return by_package


def by_package(signal: Any, penalty: float, fewest: int) -> Sequence[int]:  # noqa: ANN401 - of NumPy
    """The same by what ruptures promises to keep."""
    from ruptures import KernelCPD

    ends = KernelCPD(kernel="linear", min_size=fewest).fit(signal).predict(pen=penalty)
    last = [0] * (len(signal) + 1)
    for begin, end in pairwise([0, *ends]):
        last[end] = int(begin)
    return last


def levels(values: Sequence[float], found: Sequence[Shift]) -> list[tuple[int, int, Nights]]:
    """The levels of a segment: from, to (not included), and where its nights lie."""
    edges = [0, *(shift.at for shift in found), len(values)]
    return [(begin, end, nights_of(values[begin:end])) for begin, end in pairwise(edges)]


def _cuts(logs: Sequence[float]) -> list[int]:
    """Where ruptures cuts logarithms into levels."""
    import numpy as np

    signal = np.array(logs).reshape(-1, 1) / _one_night(logs)  # (nights, 1)
    last = cutter()(signal - signal[0], _PENALTY, NIGHTS_AFTER)  # by an end, where its level begins
    found, end = [], int(last[len(logs)])
    while end > 0:
        found.append(end)
        end = int(last[end])
    return found[::-1]


def _one_night(logs: Sequence[float]) -> float:
    """Standard deviation of a night, from the steps between neighbours: levels do not widen it."""
    steps = [abs(after - before) for before, after in pairwise(logs)]
    return max(NORMAL * statistics.median(steps) / math.sqrt(2), _LEAST)


def _sized(logs: Sequence[float], at: Sequence[int]) -> tuple[Shift, ...]:
    """Each cut with its p value and size, between the levels on its two sides."""
    edges = [0, *at, len(logs)]
    parts = [logs[begin:end] for begin, end in pairwise(edges)]
    means = [math.fsum(part) / len(part) for part in parts]
    rest = [x - mean for part, mean in zip(parts, means, strict=True) for x in part]
    correlation = neighbour_correlation(rest)
    wider = math.sqrt((1 + correlation) / (1 - correlation))
    return tuple(
        _shift(place, before[-WINDOW:], after[:WINDOW], wider)
        for place, (before, after) in zip(at, pairwise(parts), strict=True)
    )


def _shift(at: int, before: Sequence[float], after: Sequence[float], wider: float) -> Shift:
    """The ratio of two levels from their logarithms, by Student's t with a common spread.

    Three nights of either side must be nearer to their own level than to the other one.
    """
    from scipy.special import stdtr

    n, m = len(before), len(after)
    means = [math.fsum(part) / len(part) for part in (before, after)]
    squares = math.fsum(
        (x - mean) ** 2 for part, mean in zip((before, after), means, strict=True) for x in part
    )
    degrees = n + m - 2
    standard = max(wider * math.sqrt(squares / degrees * (1 / n + 1 / m)), _LEAST)
    step = means[1] - means[0]
    half = t_quantile(0.95, degrees) * standard
    middle, side = means[0] + step / 2, math.copysign(1.0, step)
    there = [
        sum(side * (x - middle) > 0 for x in after),
        sum(side * (x - middle) < 0 for x in before),
    ]
    p = 2 * float(stdtr(degrees, -abs(step) / standard)) if min(there) >= NIGHTS_AFTER else 1.0
    ratio = Interval(math.exp(step), math.exp(step - half), math.exp(step + half), min(n, m))
    return Shift(at, ratio, p)


def _size(shift: Shift) -> float:
    return abs(math.log(shift.ratio.value))
