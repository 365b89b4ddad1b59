"""How a session went, from the lines of its journal; see `recompute`."""

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from recompute import Line, Number, Told, joules, seconds
from recompute_case import Case
from recompute_table import Table

LOAD = "foreign load"
HELD_BACK = ("throttled", "clock of", "temperature of")
SORTS = (
    r"foreign load", r"throttled: [^(,]*", r"clock of \S+", r"temperature of \S+",
    r"changed: [^,]* was", r"shared",
)  # fmt: skip
AGREE = (0.95, 1.05)
DRIFT = 1.1


def sort_of(told: str) -> str | None:
    """What sort of disturbance words tell of, without its numbers."""
    found = re.match("|".join(SORTS), told)
    return found[0].strip() if found else None


def windows(table: Table) -> list[Line]:
    """Of the cases of a device, but those of a training."""
    found = [window for case in table.cases.values() for window in case.windows]
    return [window for window in found if window["role"] != "training"]


def largest_load(found: Iterable[Line]) -> float | None:
    flags = [flag for window in found for flag in window["flags"]]
    loads = [re.fullmatch(rf"{LOAD} ([0-9.]+) CPU", flag) for flag in flags]
    return max((float(load[1]) for load in loads if load), default=None)


def flagged(table: Table) -> dict[str, int]:
    """How many windows of a device have each sort of flag."""
    found = [
        {sort_of(flag) or flag.partition(":")[0] for flag in window["flags"]}
        for window in windows(table)
    ]
    return Counter(sort for sorts in found for sort in sorts)


def discarded(table: Table) -> dict[str, int]:
    found = [each["reason"] for each in table.told.discards if each["case"] in table.cases]
    return Counter(sort_of(reason) or reason for reason in found)


def variation(values: Sequence[float]) -> float | None:
    """Standard deviation ÷ mean; None where there is none."""
    mean = statistics.fmean(values) if len(values) > 1 else 0.0
    return statistics.stdev(values) / abs(mean) if mean else None


def variation_of_energy(case: Case) -> float | None:
    found = [(joules(window, case.channels), window["samples"]) for window in case.own]
    return variation([value / n for value, n in found if value is not None])


def variation_of_time(case: Case) -> float | None:
    return variation([seconds(window) / window["samples"] for window in case.own])


def wandered(table: Table, workload: str, batch: int) -> tuple[float, float] | None:
    """Least and largest median latency of a baseline; None where it wandered by 10 % at most."""
    found = [
        window["latency_s"]["p50"]
        for case in table.cases.values()
        if (case.record["workload"], case.record["batch"]) == (workload, batch)
        for window in case.windows
        if window["role"] == "baseline" and window["latency_s"]
    ]
    return (min(found), max(found)) if found and max(found) > DRIFT * min(found) else None


def shortest(table: Table) -> float:
    """Length of the shortest window, s, warm-ups left out."""
    return min(seconds(w) for w in windows(table) if w["role"] != "warmup")


@dataclass(frozen=True)
class Routes:
    """Two routes to one energy: the ratio of the second to the first, as bounds allow it."""

    channel: str
    second: str
    ratio: Number
    windows: int

    @property
    def agree(self) -> bool:
        return AGREE[0] <= self.ratio.value <= AGREE[1]

    @property
    def may_agree(self) -> bool:
        assert self.ratio.low is not None
        assert self.ratio.high is not None
        return self.ratio.low <= AGREE[1] and self.ratio.high >= AGREE[0]


def routes(told: Told) -> Iterator[Routes]:
    """Each second route (``id#name``) beside its first, over the windows that have both."""
    every = [*told.idle, *(w for found in told.windows.values() for w in found)]
    known = [
        {each["channel"]: each for each in window["energy"] if each["joules"] is not None}
        for window in every
        if window["role"] != "training"
    ]
    for name in sorted({name for energies in known for name in energies if "#" in name}):
        channel, _, second = name.partition("#")
        both = [(each[channel], each[name]) for each in known if {channel, name} <= set(each)]
        first = {end: math.fsum(one[end] for one, _ in both) for end in ("joules", "low", "high")}
        other = {end: math.fsum(two[end] for _, two in both) for end in ("joules", "low", "high")}
        if first["joules"] > 0:
            least = other["high"] / first["low"] if first["low"] > 0 else math.inf
            ratio = Number(other["joules"] / first["joules"], other["low"] / first["high"], least)
            yield Routes(channel, second, ratio, len(both))
