"""What makes the numbers of a case uncertain, source by source; see `recompute`."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from recompute import FREE, NTP, ROOT3, Line, Log, bounds, half_of, seconds
from recompute_case import Case, mean_of

SOURCES = ("spread", "quantisation", "edges", "specification", "clock")
PAIRED = ("quantisation", "edges", "clock")


@dataclass(frozen=True)
class Budget:
    """A value (of a ratio its logarithm) with a standard uncertainty and degrees by source."""

    value: float
    parts: Mapping[str, tuple[float, float]]
    n: int

    @property
    def half(self) -> float:
        return half_of(list(self.parts.values()))

    def share(self, source: str) -> float | None:
        """Of the variance; None where the source has none."""
        whole = sum(u * u for u, _ in self.parts.values())
        u = self.parts.get(source, (0.0, FREE))[0]
        return u * u / whole if u > 0 else None

    def log(self) -> Log:
        return Log(self.value, list(self.parts.values()), self.n)


def _samples(window: Line) -> float:
    return float(window["samples"])


def _seconds_per_sample(window: Line) -> float:
    return seconds(window) / float(window["samples"])


def energy(case: Case) -> Budget | None:
    return _mean(case.mean_per(_samples, "W"), case.limits(_samples, "W"))


def power(case: Case) -> Budget | None:
    return _mean(case.mean_per(seconds, "J"), case.limits(seconds, "J"))


def time(case: Case) -> Budget | None:
    """Seconds per sample."""
    if not case.own:
        return None
    limits = [{"clock": NTP * _seconds_per_sample(window)} for window in case.own]
    return _mean(mean_of(case, _seconds_per_sample, limits), limits)


def _mean(log: Log | None, limits: list[dict[str, float]]) -> Budget | None:
    if log is None:
        return None
    halves = {
        source: statistics.fmean(each.get(source, 0.0) for each in limits) for source in SOURCES
    }
    parts = {source: (half / ROOT3, FREE) for source, half in halves.items() if half > 0}
    if log.n > 1:
        parts["spread"] = log.parts[0]
    return Budget(log.value, parts, log.n)


def energy_ratio(case: Case) -> Budget | None:
    log = case.energy_log()
    if log is None:
        return None
    both = [bounds(window, case.channels) for pair in case.pairs for window in pair]
    there = [source for source in PAIRED if any(each[source] > 0 for each in both)]
    names = ("spread", *there, "specification")
    return Budget(log.value, dict(zip(names, log.parts, strict=False)), log.n)


def time_ratio(case: Case) -> Budget | None:
    log = case.time_log()
    return Budget(log.value, {"spread": log.parts[0]}, log.n) if log else None
