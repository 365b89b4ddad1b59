"""One case again, from the lines of its journal and docs/recompute.md alone; see `recompute`."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from recompute import (
    FREE,
    NTP,
    READ,
    ROOT3,
    SIDES,
    Line,
    Log,
    Number,
    Told,
    Windows,
    admitted,
    bounds,
    by_process,
    correlation,
    half_of,
    joules,
    over_seeds,
    seconds,
    spread,
)


def centre_of(ratios: Sequence[float]) -> tuple[Log, int] | None:
    """The mean of the logarithms, trimmed from ten on, with its degrees of freedom."""
    logs = [math.log(ratio) for ratio in ratios]
    n = len(logs)
    if n < 2:
        return None
    cut = n // 5 if n >= 10 else 0
    kept = sorted(logs)[cut : n - cut]
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    standard = statistics.stdev(winsorised) / ((1 - 2 * cut / n) * math.sqrt(n))
    rho = correlation(logs, 0.0)
    standard *= math.sqrt((1 + rho) / (1 - rho))
    return Log(math.fsum(kept) / len(kept), [(standard, len(kept) - 1)], n), len(kept) - 1


def mean_of(
    case: "Case", value: Callable[[Line], float], limits: Iterable[Mapping[str, float]]
) -> Log:
    """A mean over the case's own windows, with its uncertainties (no logarithm, the same form)."""
    values = [value(window) for window in case.own]
    processes = [window.get("process", 0) for window in case.own]
    means = by_process(values, processes, statistics.fmean)
    if len(set(processes)) > 1:
        parts = spread(means, correlation(means, 0.0))
    else:
        both = sorted((w for w in case.windows if w["role"] in SIDES), key=lambda w: w["order"])
        series = [value(window) for window in both]
        side = {
            role: statistics.fmean(
                v for v, w in zip(series, both, strict=True) if w["role"] == role
            )
            for role in {w["role"] for w in both}
        }
        rest = [
            v / side[w["role"]] - 1 if side[w["role"]] else 0.0
            for v, w in zip(series, both, strict=True)
        ]
        own = {window["role"] for window in case.own}
        places = [place for place, w in enumerate(both) if w["role"] in own]
        parts = spread(means, correlation(rest, 1.5), places, len(both))
    listed = list(limits)
    for source in {name for each in listed for name in each}:
        half = math.fsum(each[source] for each in listed) / len(listed)
        parts += [(half / ROOT3, FREE)] if half > 0 else []
    return Log(statistics.fmean(means), parts, len(means))


@dataclass(eq=False)
class Case:
    """One row: what its record says, its windows, and the channels that are summed."""

    told: Told
    record: Line
    boundary: str = ""

    @property
    def windows(self) -> Windows:
        return self.told.windows[self.record["case"]]

    @property
    def is_baseline(self) -> bool:
        return bool(self.record["case"] == self.record["baseline"])

    @property
    def own(self) -> Windows:
        roles = ("baseline", "control") if self.is_baseline else ("variant",)
        return [window for window in self.windows if window["role"] in roles]

    @property
    def channels(self) -> list[Line]:
        return self.told.channels(self.boundary) if self.boundary else []

    @property
    def pairs(self) -> list[tuple[Line, Line]]:
        one = {w["pair"]: w for w in self.windows if w["role"] == "baseline"}
        other = {w["pair"]: w for w in self.windows if w["role"] in {"variant", "control"}}
        return [(one[pair], other[pair]) for pair in sorted(set(one) & set(other))]

    def latency(self, name: str) -> Number | None:
        found = [w["latency_s"][name] for w in self.own if w["latency_s"]]
        return Number(statistics.median(found)) if found else None

    def throughput(self) -> Number | None:
        if not self.own:
            return None
        per = [{"clock": NTP * seconds(w) / w["samples"]} for w in self.own]
        time = mean_of(self, lambda w: seconds(w) / w["samples"], per)
        if time.n < 2:
            return None
        share = half_of(time.parts) / time.value
        speed = 1 / time.value
        return Number(speed, max(0.0, speed * (1 - share)), speed * (1 + share), time.n)

    def limits(self, what: Callable[[Line], float], timed: str) -> list[dict[str, float]]:
        """Bounds of each own window's joules over *what*, by source."""
        found = []
        for window in self.own:
            each = bounds(window, self.channels)
            gauges = [c for c in self.channels if c["unit"] == timed]
            each["clock"] += NTP * (joules(window, gauges) or 0.0)
            found.append({source: half / what(window) for source, half in each.items()})
        return found

    def mean_per(self, what: Callable[[Line], float], timed: str) -> Log | None:
        """Joules over *what* of each window; our clock is in channels of the unit *timed*."""
        if not self.channels or not self.own:
            return None
        if any(joules(window, self.channels) is None for window in self.own):
            return None
        limits = self.limits(what, timed)
        return mean_of(self, lambda w: (joules(w, self.channels) or 0.0) / what(w), limits)

    def per(self, what: Callable[[Line], float], timed: str) -> Number | None:
        mean = self.mean_per(what, timed)
        if mean is None:
            return None
        half = half_of(mean.parts)
        return Number(mean.value, max(0.0, mean.value - half), mean.value + half)

    def energy(self) -> Number | None:
        return self.per(lambda w: float(w["samples"]), "W")

    def power(self) -> Number | None:
        return self.per(seconds, "J")

    def net(self) -> Number | None:
        gross, idle = self.energy(), self.idle()
        if gross is None or idle is None or gross.low is None or gross.high is None:
            return None
        time = sum(map(seconds, self.own)) / sum(w["samples"] for w in self.own)
        assert idle.low is not None
        assert idle.high is not None
        return Number(
            gross.value - idle.value * time,
            gross.low - idle.high * time,
            gross.high - idle.low * time,
        )

    def idle(self) -> Number | None:
        found = []
        for window in self.told.idle:
            if joules(window, self.channels) is None:
                return None
            alone = Told(self.told.run, windows={"": [window]})
            found.append(_Idle(alone, {"case": "", "baseline": ""}, self.boundary).power())
        known = [each for each in found if each]
        if not known or max(k.value for k in known) > 1.2 * min(k.value for k in known):
            return None
        low, high = min(k.low or 0.0 for k in known), max(k.high or 0.0 for k in known)
        return Number(statistics.fmean(k.value for k in known), low, high)

    def estimate(self) -> Number | None:
        if self.record["device"] != "cpu" or not self.own:
            return None

        def guesses(window: Line) -> list[Line]:
            found = [e for e in window["energy"] if e["kind"] not in READ]
            return [e for e in found if e["channel"].startswith("process/")][:1] or found

        def each(name: str) -> Callable[[Line], float]:
            return lambda w: math.fsum(e[name] for e in guesses(w)) / w["samples"]

        if any(not guesses(w) or any(e["joules"] is None for e in guesses(w)) for w in self.own):
            return None
        ends = [statistics.fmean(map(each(name), self.own)) for name in ("joules", "low", "high")]
        half = half_of(mean_of(self, each("joules"), ()).parts[:1])
        return Number(ends[0], max(0.0, ends[1] - half), ends[2] + half)

    def time_log(self) -> Log | None:
        return self._time_log

    def energy_log(self) -> Log | None:
        return self._energy_log

    @cached_property
    def _time_log(self) -> Log | None:
        def typical(window: Line) -> float:
            known = window["latency_s"]
            return float(known["p50"] if known else seconds(window) / max(window["calls"], 1))

        values = [(typical(one), typical(other)) for one, other in self.pairs]
        found = self._log(values) if all(min(value) > 0 for value in values) else None
        return found and found[0]

    @cached_property
    def _energy_log(self) -> Log | None:
        values, limits = [], []
        for one, other in self.pairs:
            both = joules(one, self.channels), joules(other, self.channels)
            if not both[0] or not both[1]:
                return None
            values.append((both[0] / one["samples"], both[1] / other["samples"]))
            sides = bounds(one, self.channels), bounds(other, self.channels)
            limits.append(
                {
                    source: math.hypot(sides[0][source] / both[0], sides[1][source] / both[1])
                    / ROOT3
                    for source in ("quantisation", "edges", "clock")
                }
            )
        found = self._log(values)
        if found is None:
            return None
        log, degrees = found
        processes = [one.get("process", 0) for one, _ in self.pairs]
        for source in ("quantisation", "edges", "clock"):
            each = by_process([limit[source] for limit in limits], processes, _of_median)
            squares = math.fsum(u * u for u in each)
            log.parts += [(math.sqrt(squares / log.n / (degrees + 1)), FREE)] if squares else []
        shift = self._shift()
        log.parts += [(shift / ROOT3, FREE)] if shift > 0 else []
        return log

    def _log(self, values: Sequence[tuple[float, float]]) -> tuple[Log, int] | None:
        processes = [one.get("process", 0) for one, _ in self.pairs]
        return centre_of(by_process([v / b for b, v in values], processes, statistics.median))

    def _shift(self) -> float:
        """By how much the channels' specification may move the ratio."""

        def shares(side: int) -> list[float]:
            parts = [
                math.fsum(joules(pair[side], [channel]) or 0.0 for pair in self.pairs)
                for channel in self.channels
            ]
            return [part / math.fsum(parts) for part in parts]

        moved = zip(self.channels, shares(0), shares(1), strict=True)
        return math.fsum(admitted(channel) * abs(one - other) for channel, one, other in moved)

    def log(self, *, energy: bool) -> Log | None:
        return self.energy_log() if energy else self.time_log()

    def quality(self) -> Number | None:
        found = self.record["quality"]
        if found is None:
            return None
        values = found.get("values", ())
        return over_seeds(values) if len(values) > 1 else Number(found["value"])

    def quality_change(self) -> Number | None:
        own, before = self.record["quality"], self.record["baseline_quality"]
        if own is None or before is None:
            return None
        values, shipped = own.get("values", ()), before.get("values", ())
        if len(values) == len(shipped) > 1:
            return over_seeds([a - b for a, b in zip(values, shipped, strict=True)])
        return Number(own["value"] - before["value"])

    def breaks_quality(self) -> bool:
        found = self.record["quality"]
        return bool(found and found["target"] is not None and found["value"] < found["target"])


class _Idle(Case):
    """One idle window as a case of its own: it has bounds and no spread."""

    @property
    def own(self) -> Windows:
        return self.windows


def _of_median(uncertainties: Sequence[float]) -> float:
    return math.sqrt(math.pi / 2 * math.fsum(u * u for u in uncertainties)) / len(uncertainties)
