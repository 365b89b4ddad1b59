"""The numbers of a report again, from the lines of its journal and docs/recompute.md alone.

Nothing of `bench` is imported: a fault of the report's code is not in here as well. Only json,
math and scipy's quantile of Student's t.
"""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from scipy.stats import t as student

Line = Mapping[str, Any]
Windows = Sequence[Line]
Uncertainties = list[tuple[float, float]]
"""Standard uncertainties of a value, each with its degrees of freedom."""

READ = ("measured", "sampled", "external")
FREE = math.inf
ROOT3 = math.sqrt(3)
NTP = 5e-4
SIDES = ("baseline", "variant", "control")


@dataclass(frozen=True)
class Number:
    """A value, and where it has one its interval and the number of its replicates."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass
class Log:
    """The logarithm of a ratio with what makes it uncertain."""

    value: float
    parts: Uncertainties
    n: int

    def number(self) -> Number:
        half = half_of(self.parts)
        low, high = math.exp(self.value - half), math.exp(self.value + half)
        return Number(math.exp(self.value), low, high, self.n)


@dataclass
class Told:
    """What a journal says, sorted: finished cases, their windows, the idle ones, the rest."""

    run: Line
    cases: dict[str, Line] = field(default_factory=dict)
    windows: dict[str, list[Line]] = field(default_factory=dict)
    idle: list[Line] = field(default_factory=list)
    discards: list[Line] = field(default_factory=list)
    notes: list[Line] = field(default_factory=list)
    end: Line | None = None
    name: str = ""

    def channels(self, boundary: str) -> list[Line]:
        """The instruments whose joules are summed, by the boundary that the report states.

        A second route to a channel (``id#route``) is no part of the sum.
        """
        parts, ids = boundary.split("+"), {channel["id"] for channel in self.run["channels"]}
        return [
            channel
            for channel in self.run["channels"]
            if channel["kind"] in READ
            and channel["boundary"] in parts
            and ("#" not in channel["id"] or channel["id"].partition("#")[0] not in ids)
        ]


def read(path: Path) -> Told:
    """A journal; what belongs to a case that was never finished does not count."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    told = Told(lines[0], end=lines[-1] if lines[-1]["record"] == "end" else None, name=path.name)
    told.notes = [line for line in lines if line["record"] == "note"]
    waiting: dict[str, list[Line]] = {}
    begun: set[str] = set()
    for line in lines[1:]:
        kind, case = line["record"], line.get("case", "")
        if kind == "window" and line["role"] == "idle":
            told.idle.append(line)
        elif kind in {"window", "discard"}:
            waiting.setdefault(case, []).append(line)
        elif kind == "begin":
            waiting.pop(case, None)
            begun.add(case)
        elif kind == "note" and case:
            waiting.pop(case, None)
        elif kind == "note" and "resumed after it" in line["text"]:
            waiting = {name: found for name, found in waiting.items() if name in begun}
        elif kind == "case":
            told.cases[case] = line
            blocks = waiting.pop(case, [])
            told.windows[case] = [each for each in blocks if each["record"] == "window"]
            told.discards = [each for each in told.discards if each["case"] != case]
            told.discards += [each for each in blocks if each["record"] == "discard"]
    return told


# -- statistics -------------------------------------------------------------------------------


def t95(degrees: float) -> float:
    return float(student.ppf(0.975, min(degrees, 1e12)))


def half_of(parts: Uncertainties) -> float:
    """Half of the 95 % interval: quadrature, with Welch and Satterthwaite's degrees."""
    whole = math.sqrt(sum(u * u for u, _ in parts))
    if not whole:
        return 0.0
    lost = sum((u / whole) ** 4 / degrees for u, degrees in parts)
    return whole * t95(1 / lost if lost else FREE)


def correlation(values: Sequence[float], errors: float) -> float:
    """Of neighbours, with the bias of few values taken out, and some standard errors on top."""
    n = len(values)
    mean = sum(values) / n if n else 0.0
    squares = sum((v - mean) ** 2 for v in values)
    if n < 6 or squares == 0:
        return 0.0
    products = sum((a - mean) * (b - mean) for a, b in pairwise(values))
    found = min(max((n * products / squares + 1) / (n - 4), 0.0), 0.98)
    return min(found + errors * math.sqrt((1 - found**2) / n), 0.98)


def spread(
    values: Sequence[float], rho: float, places: Sequence[int] = (), among: int = 0
) -> Uncertainties:
    """Standard uncertainty of a mean of neighbours that correlate."""
    n = len(values)
    if n < 2:
        return []
    where = list(places) or list(range(n))
    f = sum(rho ** abs(i - j) for i in where for j in where) / n**2
    standard = statistics.stdev(values) * math.sqrt(f / max((1 - f) * n / (n - 1), 0.05))
    whole = among or n
    tau = 1 + 2 * sum((1 - k / whole) * rho**k for k in range(1, whole))
    return [(standard, min(n - 1, max(whole / tau - (2 if among else 1), 2.0)))]


def by_process(
    values: Sequence[float], processes: Sequence[int], typical: Callable[[list[float]], float]
) -> list[float]:
    """One value for each process, if there are several."""
    if len(set(processes)) < 2:
        return list(values)
    return [
        typical([v for v, p in zip(values, processes, strict=True) if p == each])
        for each in sorted(set(processes))
    ]


def over_seeds(values: Sequence[float]) -> Number:
    mean, n = sum(values) / len(values), len(values)
    half = t95(n - 1) * statistics.stdev(values) / math.sqrt(n)
    return Number(mean, mean - half, mean + half, n)


# -- windows ----------------------------------------------------------------------------------


def seconds(window: Line) -> float:
    return float(window["t1_ns"] - window["t0_ns"]) / 1e9


def joules(window: Line, channels: Sequence[Line]) -> float | None:
    """The sum over channels; None if one of them has none."""
    known = {energy["channel"]: energy["joules"] for energy in window["energy"]}
    ids = [channel["id"] for channel in channels]
    if not ids or any(known.get(each) is None for each in ids):
        return None
    return math.fsum(known[each] for each in ids)


def admitted(channel: Line) -> float:
    low, high = channel["range"]
    return float(max(high - 1, 1 - low))


def bounds(window: Line, channels: Sequence[Line]) -> dict[str, float]:
    """± J of the channels' sum by source: specification, quantisation, clock, and edges."""
    total = dict.fromkeys(("specification", "quantisation", "clock", "edges"), 0.0)
    for channel in channels:
        energy = next(e for e in window["energy"] if e["channel"] == channel["id"])
        value, low, high = (energy[name] for name in ("joules", "low", "high"))
        left = max(high - value, (high - low) / 2)
        wanted = {
            "specification": admitted(channel) * value,
            "quantisation": channel["resolution"]
            * (1 if channel["unit"] == "J" else seconds(window)),
            "clock": 2 * channel.get("clock_s", 0.0) * value / seconds(window),
        }
        for source, half in wanted.items():
            total[source] += min(half, left)
            left -= min(half, left)
        total["edges"] += left
    return total
