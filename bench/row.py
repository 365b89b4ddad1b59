"""One row of a table: the numbers of a case, recomputed from its windows.

Pure and always the same: ratios and intervals are never stored. Kinds are never mixed: a measured
energy and an estimate of the same case are two numbers, and only the first one is compared.
"""

import statistics as stdlib_statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench import average
from bench.meter import Channel
from bench.pairs import energy_ratio, pairs_of, time_ratio
from bench.quantities import Absent, Quantity
from bench.record import CaseRecord, Window
from bench.records import Journal
from bench.statistics import Interval, Verdict, half_width, seed_interval
from bench.uncertainty import Budget


@dataclass(frozen=True, slots=True)
class Margins:
    """The smallest differences that count, as shares.

    What was asked for is never taken below twice the difference that A/A controls show: the median
    of the session's, and the case's own (same workload, runtime and batch) if there is one. A
    control whose interval holds 1 shows none. Who tells a baseline from itself by 2 % can say
    nothing of 3 %.

    Args:
        asked: What the settings ask for.
        energy: What the verdicts on energy use.
        time: What the verdicts on time use.
    """

    asked: float
    energy: float
    time: float


@dataclass(frozen=True, slots=True)
class Budgets:
    """What makes the numbers of a row uncertain; None for a number that there is not.

    Args:
        energy: Of the energy per sample, J/sample.
        time: Of the time per sample, s/sample.
        power: Of the mean power, W.
        energy_ratio: Of the logarithm of the energy ratio.
        time_ratio: Of the logarithm of the time ratio.
    """

    energy: Budget | None
    time: Budget | None
    power: Budget | None
    energy_ratio: Budget | None
    time_ratio: Budget | None


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a table.

    Args:
        case: What it is.
        energy: J/sample of an instrument, gross (idle included), or `Absent` with the reason.
        net: The same without the idle power, or `Absent`.
        estimate: J/sample of a power model, a range; never ranked, plotted or gated.
        budgets: What makes its numbers uncertain.
        latency_p50_s: Median over the windows of their median latency per call, s.
        latency_p99_s: Median over the windows of their 99th percentile, s.
        power: Mean power of an instrument, W, or `Absent`.
        quality: Mean over the seeds with its interval; None where it was judged once.
        quality_change: Quality minus the baseline's, or None.
        quality_change_interval: The same with its interval, seed by seed; None for one seed.
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
    budgets: Budgets
    latency_p50_s: float | None
    latency_p99_s: float | None
    power: Quantity | Absent
    quality: Interval | None
    quality_change: float | None
    quality_change_interval: Interval | None
    windows: int
    discards: int
    flagged: int
    margins: Margins
    noisy: bool = False
    energy_verdict: Verdict = Verdict.NOT_MEASURED
    time_verdict: Verdict = Verdict.NOT_MEASURED

    @property
    def energy_ratio(self) -> Interval | None:
        """Variant ÷ baseline of the energy per sample, or None."""
        budget = self.budgets.energy_ratio
        return budget.ratio() if budget else None

    @property
    def time_ratio(self) -> Interval | None:
        """Variant ÷ baseline of the median latency of a call, or None."""
        budget = self.budgets.time_ratio
        return budget.ratio() if budget else None

    @property
    def throughput(self) -> Interval | None:
        """Samples per second, with interval; None with fewer than two windows."""
        time = self.budgets.time
        if time is None or time.n < 2:  # noqa: PLR2004 - a spread needs two
            return None
        speed, share = 1 / time.value, time.half / time.value  # GUM 5.1.6: the same share of both
        return Interval(speed, max(0.0, speed * (1 - share)), speed * (1 + share), time.n)

    @property
    def is_baseline(self) -> bool:
        """Whether the row is a workload as shipped."""
        return self.case.case == self.case.baseline


def row_of(
    journal: Journal, case: CaseRecord, channels: Sequence[Channel], idle: Quantity | Absent
) -> Row:
    """The row of one case, not judged yet.

    Args:
        journal: Where its windows are.
        case: What it is.
        channels: The cover: channels whose sum is the energy.
        idle: Power of the waiting system, W, or `Absent`.
    """
    windows = journal.windows_of(case.case)
    own = own_windows(case, windows)
    pairs = pairs_of(windows)
    energy, power = (
        average.energy_per_sample(windows, own, channels),
        average.power(windows, own, channels),
    )
    # the estimate is of the CPU: beside a GPU's work it would be of something else
    estimate = average.estimate_per_sample(windows, own) if case.device == "cpu" else None
    change, interval = quality_change(case)
    row = Row(
        case=case,
        energy=energy.quantity,
        net=average.net_of_idle(own, energy.quantity, idle),
        estimate=estimate if isinstance(estimate, Quantity) else None,
        budgets=Budgets(
            energy.budget,
            average.seconds_per_sample(windows, own),
            power.budget,
            energy_ratio(pairs, channels),
            time_ratio(pairs),
        ),
        latency_p50_s=_median([w.latency_s.p50 for w in own if w.latency_s]),
        latency_p99_s=_median([w.latency_s.p99 for w in own if w.latency_s]),
        power=power.quantity,
        quality=seed_interval(_values(case.quality)),
        quality_change=change,
        quality_change_interval=interval,
        windows=len(own),
        discards=sum(discard.case == case.case for discard in journal.discards),
        flagged=sum(bool(window.flags) for window in own),
        margins=Margins(0.0, 0.0, 0.0),
    )
    target = journal.run.settings.get("target")
    return replace(row, noisy=_is_noisy(row.energy_ratio or row.time_ratio, target))


def _is_noisy(ratio: Interval | None, target: float | None) -> bool:
    return ratio is not None and target is not None and half_width(ratio) > target


def own_windows(case: CaseRecord, windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows in which the case itself ran, without those of the baseline beside it."""
    roles = ("baseline", "control") if case.case == case.baseline else ("variant",)
    return tuple(window for window in windows if window.role in roles)


def _median(values: Sequence[float]) -> float | None:
    return stdlib_statistics.median(values) if values else None


def quality_change(case: CaseRecord) -> tuple[float | None, Interval | None]:
    """Quality minus the baseline's, and its interval where both were judged over the same seeds."""
    if case.quality is None or case.baseline_quality is None:
        return None, None
    value, before = case.quality["value"], case.baseline_quality["value"]
    if value is None or before is None:
        return None, None
    return float(value) - float(before), seed_interval(_changes(case))


def _values(quality: Mapping[str, Any] | None) -> list[float]:
    """The quality of each seed, if it was judged over several."""
    return [float(value) for value in (quality or {}).get("values", ())]


def _changes(case: CaseRecord) -> list[float]:
    """Each seed's quality minus that of the same seed's baseline."""
    own, before = _values(case.quality), _values(case.baseline_quality)
    if len(own) != len(before):
        return []
    return [value - shipped for value, shipped in zip(own, before, strict=True)]
