"""One row of a table: the numbers of a case, recomputed from its windows.

Pure and always the same: ratios and intervals are never stored. Kinds are never mixed: a measured
energy and an estimate of the same case are two numbers, and only the first one is compared.
"""

import math
import statistics as stdlib_statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.cover import total
from bench.quantities import Absent, Quantity
from bench.record import CaseRecord, Window
from bench.records import Journal
from bench.statistics import Interval, Verdict, mean_interval, ratio_interval


@dataclass(frozen=True, slots=True)
class Margins:
    """The smallest differences that count, as shares.

    What was asked for is never taken below twice the difference that A/A controls show: the median
    of the session's, and the case's own (same workload, runtime and batch) if there is one. Who
    tells a baseline from itself by 2 % can say nothing of 3 %.

    Args:
        asked: What the settings ask for.
        energy: What the verdicts on energy use.
        time: What the verdicts on time use.
    """

    asked: float
    energy: float
    time: float


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a table.

    Args:
        case: What it is.
        energy: J/sample of an instrument, gross (idle included), or `Absent` with the reason.
        net: The same without the idle power, or `Absent`.
        estimate: J/sample of a power model, a range; never ranked, plotted or gated.
        energy_ratio: Variant ÷ baseline of *energy*, or None.
        time_ratio: Variant ÷ baseline of the median latency of a call, or None.
        latency_p50_s: Median over the windows of their median latency per call, s.
        latency_p99_s: Median over the windows of their 99th percentile, s.
        throughput: Samples per second, with interval; None with fewer than two windows.
        power: Mean power of an instrument, W, or `Absent`.
        quality_change: Quality minus the baseline's, or None.
        windows: How many windows of the case itself.
        discards: How many blocks were thrown away.
        flagged: How many of its windows carry a flag.
        margins: The smallest differences that count for it.
        energy_verdict: What the energy says.
        time_verdict: What the time says; it never stands for the energy.
    """

    case: CaseRecord
    energy: Quantity | Absent
    net: Quantity | Absent
    estimate: Quantity | None
    energy_ratio: Interval | None
    time_ratio: Interval | None
    latency_p50_s: float | None
    latency_p99_s: float | None
    throughput: Interval | None
    power: Quantity | Absent
    quality_change: float | None
    windows: int
    discards: int
    flagged: int
    margins: Margins
    energy_verdict: Verdict = Verdict.NOT_MEASURED
    time_verdict: Verdict = Verdict.NOT_MEASURED

    @property
    def is_baseline(self) -> bool:
        """Whether the row is a workload as shipped."""
        return self.case.case == self.case.baseline


def row_of(journal: Journal, case: CaseRecord, ids: Sequence[str], idle: Quantity | Absent) -> Row:
    """The row of one case, not judged yet.

    Args:
        journal: Where its windows are.
        case: What it is.
        ids: The cover: channels whose sum is the energy.
        idle: Power of the waiting system, W, or `Absent`.
    """
    windows = journal.windows_of(case.case)
    own = own_windows(case, windows)
    pairs = _pairs(windows)
    energy = _per_sample(own, lambda w: total(w.energy, ids))
    # the estimate is of the CPU: beside a GPU's work it would be of something else
    guess = _per_sample(own, _estimate_of) if case.device == "cpu" else Absent("no model")
    energy_ratio = _energy_ratio(pairs, ids)
    time_ratio = ratio_interval([(_typical_s(one), _typical_s(other)) for one, other in pairs])
    return Row(
        case=case,
        energy=energy,
        net=_net(own, energy, idle),
        estimate=None if isinstance(guess, Absent) else guess,
        energy_ratio=energy_ratio,
        time_ratio=time_ratio,
        latency_p50_s=_median([w.latency_s.p50 for w in own if w.latency_s]),
        latency_p99_s=_median([w.latency_s.p99 for w in own if w.latency_s]),
        throughput=mean_interval([w.samples / w.seconds for w in own]),
        power=_power(own, ids),
        quality_change=_quality_change(case),
        windows=len(own),
        discards=sum(discard.case == case.case for discard in journal.discards),
        flagged=sum(bool(window.flags) for window in own),
        margins=Margins(0.0, 0.0, 0.0),
    )


def own_windows(case: CaseRecord, windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows in which the case itself ran, without those of the baseline beside it."""
    roles = ("baseline", "control") if case.case == case.baseline else ("variant",)
    return tuple(window for window in windows if window.role in roles)


def _pairs(windows: Sequence[Window]) -> list[tuple[Window, Window]]:
    """(baseline, variant or control) of each pair that has both."""
    baselines = {w.pair: w for w in windows if w.role == "baseline"}
    others = {w.pair: w for w in windows if w.role in {"variant", "control"}}
    return [(baselines[pair], others[pair]) for pair in sorted(baselines) if pair in others]


def _typical_s(window: Window) -> float:
    """The median latency of a window's calls, s: what disturbs single calls does not move it."""
    return window.latency_s.p50 if window.latency_s else window.seconds / max(window.calls, 1)


def _energy_ratio(pairs: Sequence[tuple[Window, Window]], ids: Sequence[str]) -> Interval | None:
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
        # a bound of ±a as a rectangular distribution has the standard uncertainty a/√3 (GUM 4.3.7);
        # the upper end tells a, for the lower one may have been cut off at zero
        above = [(side.high - side.value) / side.value for side in (baseline, variant)]
        uncertainties.append(math.hypot(*above) / math.sqrt(3))
    return ratio_interval(values, type_b=uncertainties)


def _per_sample(
    windows: Sequence[Window], energy: Callable[[Window], Quantity | Absent]
) -> Quantity | Absent:
    """Energy per sample over the windows: spread and meter bound both inside the interval."""
    return _mean_of(windows, energy, lambda w: 1 / w.samples, "J/sample")


def _power(windows: Sequence[Window], ids: Sequence[str]) -> Quantity | Absent:
    return _mean_of(windows, lambda w: total(w.energy, ids), lambda w: 1 / w.seconds, "W")


def _mean_of(
    windows: Sequence[Window],
    energy: Callable[[Window], Quantity | Absent],
    factor: Callable[[Window], float],
    unit: str,
) -> Quantity | Absent:
    if not windows:
        return Absent("no window was measured")
    terms = []
    for window in windows:
        term = energy(window)
        if isinstance(term, Absent):
            return term
        terms.append(term.scaled(factor(window), unit))
    spread = mean_interval([term.value for term in terms])
    half = spread.high - spread.value if spread else 0.0
    low, mean, high = (
        math.fsum(values) / len(terms)
        for values in zip(*((t.low, t.value, t.high) for t in terms), strict=True)
    )
    first = terms[0]
    return Quantity(
        mean, max(0.0, low - half), high + half, unit, first.kind, first.boundary, first.channels
    )


def _estimate_of(window: Window) -> Quantity | Absent:
    """The window's estimated energy: of this process if there is one, else of all its channels."""
    estimates = [energy.channel for energy in window.energy if not energy.kind.is_reading]
    own = [channel for channel in estimates if channel.startswith("process/")]
    return total(window.energy, own[:1] or estimates)


def idle_power(journal: Journal, ids: Sequence[str]) -> Quantity | Absent:
    """Power of the waiting system over the cover *ids*, W, from the journal's idle windows."""
    windows = [window for window in journal.windows if window.role == "idle"]
    if not windows:
        return Absent("no idle window was measured")
    return _power(windows, ids)


def _net(
    windows: Sequence[Window], gross: Quantity | Absent, idle: Quantity | Absent
) -> Quantity | Absent:
    """Gross energy minus idle power times time; the intervals add, as nothing links them."""
    if isinstance(gross, Absent):
        return gross
    if isinstance(idle, Absent):
        return idle
    seconds = math.fsum(w.seconds for w in windows) / math.fsum(w.samples for w in windows)
    return Quantity(
        gross.value - idle.value * seconds,
        gross.low - idle.high * seconds,
        gross.high - idle.low * seconds,
        gross.unit,
        gross.kind,
        gross.boundary,
        gross.channels,
    )


def _median(values: Sequence[float]) -> float | None:
    return stdlib_statistics.median(values) if values else None


def _quality_change(case: CaseRecord) -> float | None:
    if case.quality is None or case.baseline_quality is None:
        return None
    value, before = case.quality["value"], case.baseline_quality["value"]
    return None if value is None or before is None else float(value) - float(before)
