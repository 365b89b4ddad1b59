"""What a training cost, and after how many samples it is earned back; see `recompute`."""

import math
from dataclasses import dataclass
from itertools import product

from recompute import READ, Line, Number, joules, seconds
from recompute_case import Case
from recompute_roofline import energy_of, ratio_of, typical


def trainings(case: Case) -> list[Line]:
    return [window for window in case.windows if window["role"] == "training"]


def training_seconds(case: Case) -> float:
    return math.fsum(map(seconds, trainings(case)))


def training_joules(case: Case) -> Number | None:
    """What the instruments read; None if one of them did not."""
    channels = case.channels
    ids = {channel["id"] for channel in channels}
    if not channels or any(joules(window, channels) is None for window in trainings(case)):
        return None
    read = [
        energy
        for window in trainings(case)
        for energy in window["energy"]
        if energy["channel"] in ids
    ]
    return _sum(read)


def _sum(energies: list[Line]) -> Number:
    value, low, high = (
        math.fsum(each[end] for each in energies) for end in ("joules", "low", "high")
    )
    return Number(value, low, high)


def training_estimate(case: Case) -> Number | None:
    """What a power model makes of it, of the process alone if it is known."""
    found: list[Line] = []
    for window in trainings(case):
        guesses = [energy for energy in window["energy"] if energy["kind"] not in READ]
        own = [energy for energy in guesses if energy["channel"].startswith("process/")]
        found += own[:1] or guesses
    if not found or any(each["joules"] is None for each in found):
        return None
    return _sum(found)


def saved(case: Case, *, energy: bool) -> Number | None:
    """Per sample: what the case costs × (1 / ratio − 1), over the ends of both intervals."""
    ratio, cost = ratio_of(case, energy=energy), energy_of(case) if energy else typical(case)
    if ratio is None or cost is None or (ratio.low or 0.0) <= 0:
        return None
    ends = [
        (one or 0.0) * (1 / (other or 1.0) - 1)
        for one, other in product((cost.low, cost.high), (ratio.low, ratio.high))
    ]
    return Number(cost.value * (1 / ratio.value - 1), min(ends), max(ends))


@dataclass(frozen=True)
class Earned:
    """A number of samples; the value and the upper end may be infinite."""

    value: float
    low: float
    high: float


def earned_back(spent: Number, gain: Number) -> Earned | None:
    """What was spent over what a sample saves; None if nothing can be saved."""
    low, high = gain.low or 0.0, gain.high or 0.0
    if high <= 0:
        return None
    least, most = (spent.value if end is None else end for end in (spent.low, spent.high))
    return Earned(
        spent.value / gain.value if gain.value > 0 else math.inf,
        least / high,
        most / low if low > 0 else math.inf,
    )
