"""The folded parts about cost again: points and front, one channel, emissions; see `recompute`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from recompute import NTP, READ, Line, Number, half_of, joules, seconds
from recompute_case import Case, mean_of
from recompute_table import Table

JOULES_PER_KWH = 3.6e6


@cache
def in_order(table: Table) -> list[Case]:
    """The cases as tables list them: workload, batch, the baseline before its variants, name."""

    def place(case: Case) -> tuple[object, ...]:
        record = case.record
        level = ",".join(f"{name}={value}" for name, value in sorted(record["level"].items()))
        name = f"{record['technique']}@{level}" if level else record["technique"]
        return record["workload"], record["batch"], not case.is_baseline, name, record["runtime"]

    return sorted(table.cases.values(), key=place)


@cache
def is_measured(table: Table) -> bool:
    """Whether an instrument gave the energy of at least one case."""
    return any(case.energy() for case in table.cases.values())


def is_share(cases: Sequence[Case]) -> bool:
    """Whether all qualities of some cases, and of their baselines, lie from 0 to 1."""
    found = [
        quality["value"]
        for case in cases
        for quality in (case.record["quality"], case.record["baseline_quality"])
        if quality is not None
    ]
    return all(0 <= value <= 1 for value in found)


# -- quality against cost -----------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A case in the plane of cost and quality: J per sample, or time ÷ baseline."""

    name: str
    cost: Number
    quality: float

    def beats(self, other: "Point") -> bool:
        """Whether it is as cheap and as good, and one of the two by more."""
        mine, its = (self.cost.value, -self.quality), (other.cost.value, -other.quality)
        return mine != its and mine[0] <= its[0] and mine[1] <= its[1]


@cache
def points(table: Table, workload: str, batch: int) -> list[Point]:
    """What the figure draws of one workload and batch, in the order of the table."""
    found = []
    for case in in_order(table):
        if (case.record["workload"], case.record["batch"]) != (workload, batch):
            continue
        quality, cost = case.quality(), _cost(case, energy=is_measured(table))
        if quality is not None and cost is not None and cost.value > 0:
            found.append(Point(case.record["case"], cost, case.record["quality"]["value"]))
    return found


def _cost(case: Case, *, energy: bool) -> Number | None:
    if energy:
        return case.energy()
    log = case.time_log()
    if log is None:
        return None
    ratio = log.number()
    assert ratio.low is not None
    assert ratio.high is not None
    value = 1.0 if case.is_baseline else ratio.value
    return Number(value, min(value, ratio.low), max(value, ratio.high))


def front(found: Sequence[Point]) -> set[str]:
    """The points that no other beats; of two that are the same, the first."""
    return {
        point.name
        for place, point in enumerate(found)
        if not any(other.beats(point) for other in found)
        and not any(
            (other.cost.value, other.quality) == (point.cost.value, point.quality)
            for other in found[:place]
        )
    }


# -- where the energy goes ----------------------------------------------------------------------


@dataclass(eq=False)
class _Alone(Case):
    """A case of which only one channel is looked at."""

    channel: Line | None = None

    @property
    def channels(self) -> list[Line]:
        return [self.channel] if self.channel else []


def of_channel(case: Case, channel: Line) -> Number | None:
    """Energy per sample of one channel, J, by the rule of the sum."""
    return _Alone(case.told, case.record, case.boundary, channel).energy()


def read_channels(table: Table) -> list[Line]:
    """The instruments that gave anything in the windows of the device's cases."""
    given = {
        energy["channel"]
        for case in table.cases.values()
        for window in case.windows
        for energy in window["energy"]
        if energy["joules"] is not None
    }
    run = table.told.run["channels"]
    return [channel for channel in run if channel["kind"] in READ and channel["id"] in given]


def idle_share(case: Case) -> float | None:
    """Per cent of the gross energy that the waiting system would have used."""
    gross, net = case.energy(), case.net()
    if gross is None or net is None or gross.value <= 0:
        return None
    return 100 * (1 - net.value / gross.value)


def why_no_energy(case: Case, channels: Sequence[Line]) -> str | None:
    """What the first own window without joules of one of some channels says; None if all have."""
    if not case.own:
        return "no window was measured"
    return next((why for window in case.own if (why := _why_none(window, channels))), None)


def why_no_net(case: Case) -> str | None:
    """Why a case has no net energy: it has no energy, or nobody knows the idle power."""
    return why_no_energy(case, case.channels) or why_no_idle(case)


def why_no_idle(case: Case) -> str | None:
    """What the first idle window without joules says, or by how much the idle power changed."""
    idle = case.told.idle
    if not idle:
        return "no idle window was measured"
    if case.idle():
        return None
    why = next((why for window in idle if (why := _why_none(window, case.channels))), None)
    if why:
        return why
    powers = [(joules(window, case.channels) or 0.0) / seconds(window) for window in idle]
    return (
        f"the idle power went from {min(powers):.3g} W to {max(powers):.3g} W in the session;"
        " let the machine come to rest before the run, and end what else it does"
    )


def _why_none(window: Line, channels: Sequence[Line]) -> str | None:
    """Of the first of some channels that has no joules in a window."""
    known = {energy["channel"]: energy for energy in window["energy"]}
    for channel in channels:
        name = channel["id"]
        if name not in known:
            return f"{name} was not read in this window"
        if known[name]["joules"] is None:
            return f"{name}: {known[name]['reason'] or known[name]['status']}"
    return None


def emission(case: Case, grams_per_kwh: float) -> tuple[Number, str] | None:
    """Grams CO2e of 1000 samples and the kind of the energy behind them: measured, or estimated."""
    energy, kind = case.energy(), "estimated"
    if energy is None:
        energy = case.estimate()
    else:
        kind = str(case.channels[0]["kind"])
    if energy is None:
        return None
    factor = 1000 * grams_per_kwh / JOULES_PER_KWH
    low, high = (end * factor for end in (energy.low or 0.0, energy.high or 0.0))
    return Number(energy.value * factor, low, high), kind


# -- batches ------------------------------------------------------------------------------------


def time_per_sample(case: Case) -> Number | None:
    """Mean seconds per sample of the own windows, with its interval."""
    if not case.own:
        return None
    clock = [{"clock": NTP * seconds(w) / w["samples"]} for w in case.own]
    mean = mean_of(case, lambda w: seconds(w) / w["samples"], clock)
    half = half_of(mean.parts)
    return Number(mean.value, mean.value - half, mean.value + half, mean.n)
