"""From journals to rows: what each case costs, beside its baseline, with a verdict.

Pure and always the same: ratios, intervals and verdicts are never stored, they are computed here
from the windows of a journal. Kinds are never mixed: a measured energy and an estimate of the
same case stand in two columns, and only the first one is compared.
"""

import math
import statistics as stdlib_statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.quantities import Absent, Kind, Quantity
from bench.record import CaseRecord, Window
from bench.records import Journal
from bench.statistics import Interval, Verdict, mean_interval, ratio_interval, verdict
from bench.window import ChannelEnergy, cover, total


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
    energy_verdict: Verdict = Verdict.NOT_MEASURED
    time_verdict: Verdict = Verdict.NOT_MEASURED

    @property
    def is_baseline(self) -> bool:
        """Whether the row is a workload as shipped."""
        return self.case.case == self.case.baseline


@dataclass(frozen=True, slots=True)
class Margins:
    """The smallest differences that count, as shares.

    What was asked for is never taken below twice the median difference that the A/A controls of
    the same session show: who tells a baseline from itself by 2 % can say nothing of 3 %.

    Args:
        asked: What the settings ask for.
        energy: What the verdicts on energy use.
        time: What the verdicts on time use.
    """

    asked: float
    energy: float
    time: float


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one device of one machine in one run, baselines before their variants.

    Args:
        journal: Where they come from.
        device: ``cpu`` or ``cuda:0``.
        cover: The channels whose sum is the energy, chosen once; empty if there is none.
        idle: Power of the waiting system, W, or `Absent`.
        rows: The cases.
        margins: The smallest differences that count.
    """

    journal: Journal
    device: str
    cover: tuple[str, ...]
    idle: Quantity | Absent
    rows: tuple[Row, ...]
    margins: Margins

    @property
    def controls(self) -> tuple[Row, ...]:
        """The A/A rows: baselines compared with themselves."""
        return tuple(row for row in self.rows if row.is_baseline and row.time_ratio)

    @property
    def margin(self) -> float:
        """The margin of what the table compares: of energy if it was measured, else of time."""
        measured = any(isinstance(row.energy, Quantity) for row in self.rows)
        return self.margins.energy if measured else self.margins.time


def compare(journals: Sequence[Journal]) -> tuple[Table, ...]:
    """The tables of some journals: one for each journal and device, in the order given."""
    return tuple(
        _table(journal, device)
        for journal in journals
        for device in dict.fromkeys(case.device for case in journal.cases)
    )


def _table(journal: Journal, device: str) -> Table:
    cases = [case for case in journal.cases if case.device == device]
    identity = next((case.device_id for case in cases if case.device_id), device)
    ids = cover(journal.run.channels, identity)
    idle = _idle_power(journal, ids)
    ordered = sorted(cases, key=_table_order)
    rows = [_row(journal, case, ids, idle) for case in ordered]
    margins = _margins(journal, [row for row in rows if row.is_baseline])
    judged = tuple(_judge(row, margins) for row in rows)
    return Table(journal, device, ids, idle, judged, margins)


def _margins(journal: Journal, controls: Sequence[Row]) -> Margins:
    asked = float(journal.run.settings.get("margin", 0.03))
    energy = _twice_median([row.energy_ratio for row in controls])
    time = _twice_median([row.time_ratio for row in controls])
    return Margins(asked, max(asked, energy), max(asked, time))


def _twice_median(ratios: Sequence[Interval | None]) -> float:
    differences = [abs(math.log(ratio.value)) for ratio in ratios if ratio]
    return math.expm1(2 * stdlib_statistics.median(differences)) if differences else 0.0


def _judge(row: Row, margins: Margins) -> Row:
    breaks = _breaks_quality(row.case)
    measured = isinstance(row.energy, Quantity)
    return replace(
        row,
        energy_verdict=_verdict(row.energy_ratio, margins.energy, breaks=breaks, known=measured),
        time_verdict=_verdict(row.time_ratio, margins.time, breaks=breaks, known=row.windows > 0),
    )


def _table_order(case: CaseRecord) -> tuple[object, ...]:
    return (case.workload, case.batch, case.case != case.baseline, case.label, case.runtime)


def _row(journal: Journal, case: CaseRecord, ids: Sequence[str], idle: Quantity | Absent) -> Row:
    windows = journal.windows_of(case.case)
    own = own_windows(case, windows)
    pairs = _pairs(windows)
    energy = _per_sample(own, lambda w: total(w.energy, ids))
    estimate = _per_sample(own, _estimate_of)
    energy_ratio = _energy_ratio(pairs, ids)
    time_ratio = ratio_interval([(_typical_s(one), _typical_s(other)) for one, other in pairs])
    return Row(
        case=case,
        energy=energy,
        net=_net(own, energy, idle),
        estimate=None if isinstance(estimate, Absent) else estimate,
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
    )


def _verdict(ratio: Interval | None, margin: float, *, breaks: bool, known: bool) -> Verdict:
    """The verdict; a value that is *known* and has no ratio is not comparable with its baseline."""
    if breaks:
        return Verdict.BREAKS_QUALITY
    if ratio is None and known:
        return Verdict.NOT_COMPARABLE
    return verdict(ratio, margin)


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
        values.append((baseline.value, variant.value))
        # a bound of ±a as a rectangular distribution has the standard uncertainty a/√3 (GUM 4.3.7)
        uncertainties.append(
            math.hypot(baseline.half_width / baseline.value, variant.half_width / variant.value)
            / math.sqrt(3)
        )
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
    """The window's estimated energy; an estimate is of one channel, never a sum."""
    estimates: list[ChannelEnergy] = [e for e in window.energy if not e.kind.is_reading]
    return estimates[0].quantity() if estimates else Absent("no estimate was made")


def _idle_power(journal: Journal, ids: Sequence[str]) -> Quantity | Absent:
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


def _breaks_quality(case: CaseRecord) -> bool:
    quality: Mapping[str, float | None] | None = case.quality
    if quality is None or quality["target"] is None or quality["value"] is None:
        return False
    return quality["value"] < quality["target"]


def kinds(tables: Sequence[Table]) -> tuple[Kind, ...]:
    """The kinds of instrument reading that the tables hold, each once."""
    found = [
        row.energy.kind
        for table in tables
        for row in table.rows
        if isinstance(row.energy, Quantity)
    ]
    return tuple(dict.fromkeys(found))
