"""One row of a table: the numbers of a case, recomputed from its windows.

Pure and always the same: ratios and intervals are never stored. Kinds are never mixed: a measured
energy and an estimate of the same case are two numbers, and only the first one is compared.
"""

import math
import statistics as stdlib_statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.cover import total
from bench.pairs import energy_ratio, pairs_of, time_ratio
from bench.quantities import Absent, Quantity
from bench.record import CaseRecord, Window
from bench.records import Journal
from bench.replicates import are_processes, replicates
from bench.statistics import (
    Interval,
    Verdict,
    half_width,
    mean_interval,
    neighbour_correlation,
)

_ROLES = {"baseline", "variant", "control"}
IDLE_DRIFT = 0.2
"""Most by which the idle power may change in a session that still has net energies, as a share."""


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
        noisy: Whether the ratio's interval is wider than the run aimed at, with all its pairs.
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
    noisy: bool = False
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
    pairs = pairs_of(windows)
    energy = _per_sample(windows, own, lambda w: total(w.energy, ids))
    # the estimate is of the CPU: beside a GPU's work it would be of something else
    guess = _per_sample(windows, own, _estimate_of) if case.device == "cpu" else Absent("no model")
    ratios = (energy_ratio(pairs, ids), time_ratio(pairs))
    return Row(
        case=case,
        energy=energy,
        net=_net(own, energy, idle),
        estimate=None if isinstance(guess, Absent) else guess,
        energy_ratio=ratios[0],
        time_ratio=ratios[1],
        latency_p50_s=_median([w.latency_s.p50 for w in own if w.latency_s]),
        latency_p99_s=_median([w.latency_s.p99 for w in own if w.latency_s]),
        throughput=mean_interval(
            replicates([w.samples / w.seconds for w in own], [w.process for w in own]),
            correlation=_correlation(windows, own, lambda w: w.samples / w.seconds),
        ),
        power=_power(own, ids),
        quality_change=_quality_change(case),
        windows=len(own),
        discards=sum(discard.case == case.case for discard in journal.discards),
        flagged=sum(bool(window.flags) for window in own),
        margins=Margins(0.0, 0.0, 0.0),
        noisy=_is_noisy(ratios[0] or ratios[1], journal.run.settings.get("target")),
    )


def _is_noisy(ratio: Interval | None, target: float | None) -> bool:
    return ratio is not None and target is not None and half_width(ratio) > target


def own_windows(case: CaseRecord, windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows in which the case itself ran, without those of the baseline beside it."""
    roles = ("baseline", "control") if case.case == case.baseline else ("variant",)
    return tuple(window for window in windows if window.role in roles)


def _per_sample(
    windows: Sequence[Window],
    own: Sequence[Window],
    energy: Callable[[Window], Quantity | Absent],
) -> Quantity | Absent:
    """Energy per sample over the *own* windows of a case, with interval."""

    def joules(window: Window) -> float:
        found = energy(window)
        return math.nan if isinstance(found, Absent) else found.value / window.samples

    correlation = _correlation(windows, own, joules)
    return _mean_of(own, energy, lambda w: 1 / w.samples, "J/sample", correlation)


def _power(windows: Sequence[Window], ids: Sequence[str]) -> Quantity | Absent:
    return _mean_of(windows, lambda w: total(w.energy, ids), lambda w: 1 / w.seconds, "W")


def _correlation(
    windows: Sequence[Window], own: Sequence[Window], value: Callable[[Window], float]
) -> float:
    """How much a value of an *own* window correlates with the next, as all windows show it.

    Both sides feel what goes on in the machine: the deviations of each from its own mean, in the
    order of time, are one series, of which those of one side are a part. Of fresh processes it is
    that of one process with the next.
    """
    if are_processes(processes := [window.process for window in own]):
        own_values = replicates([value(window) for window in own], processes)
        finite = all(map(math.isfinite, own_values))
        return neighbour_correlation(own_values) if finite else 0.0
    measured = sorted((w for w in windows if w.role in _ROLES), key=lambda w: w.order)
    values = [value(window) for window in measured]
    if not own or not all(map(math.isfinite, values)):
        return 0.0
    means = {
        role: math.fsum(v for w, v in zip(measured, values, strict=True) if w.role == role)
        / sum(w.role == role for w in measured)
        for role in {w.role for w in measured}
    }
    rest = [
        v / means[w.role] - 1 if means[w.role] else 0.0
        for w, v in zip(measured, values, strict=True)
    ]
    return math.pow(neighbour_correlation(rest, cautious=True), len(measured) / len(own))


def _mean_of(
    windows: Sequence[Window],
    energy: Callable[[Window], Quantity | Absent],
    factor: Callable[[Window], float],
    unit: str,
    correlation: float = 0.0,
) -> Quantity | Absent:
    """The mean over windows: spread and meter bound both inside the interval."""
    if not windows:
        return Absent("no window was measured")
    terms = []
    for window in windows:
        term = energy(window)
        if isinstance(term, Absent):
            return term
        terms.append(term.scaled(factor(window), unit))
    values = replicates([term.value for term in terms], [window.process for window in windows])
    spread = mean_interval(values, correlation=correlation)
    half = spread.high - spread.value if spread else 0.0
    low, mean, high = (
        math.fsum(ends) / len(terms)
        for ends in zip(*((t.low, t.value, t.high) for t in terms), strict=True)
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
    """Power of the waiting system over the cover *ids*, W, from the journal's idle windows.

    It was measured before and after the cases and lay in between meanwhile, so the interval spans
    all of the windows. Where they differ by more than `IDLE_DRIFT`, nobody knows what it was.
    """
    powers = []
    for window in (window for window in journal.windows if window.role == "idle"):
        power = _power([window], ids)
        if isinstance(power, Absent):
            return power
        powers.append(power)
    if not powers:
        return Absent("no idle window was measured")
    least, most = min(p.value for p in powers), max(p.value for p in powers)
    if most > (1 + IDLE_DRIFT) * least:
        return Absent(
            f"the idle power went from {least:.3g} W to {most:.3g} W in the session",
            "let the machine come to rest before the run, and end what else it does",
        )
    return replace(
        powers[0],
        value=math.fsum(p.value for p in powers) / len(powers),
        low=min(p.low for p in powers),
        high=max(p.high for p in powers),
    )


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
