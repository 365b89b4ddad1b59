"""From journals to rows: what each case costs, beside its baseline, with a verdict.

Pure and always the same: ratios, intervals and verdicts are never stored, they are computed here
from the windows of a journal. Kinds are never mixed: a measured energy and an estimate of the
same case stand in two columns, and only the first one is compared.
"""

import math
import statistics as stdlib_statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.average import idle_power
from bench.cover import cover
from bench.quantities import Absent, Quantity
from bench.record import CaseRecord
from bench.records import Journal
from bench.row import Margins, Row, own_windows, row_of
from bench.statistics import Interval, Verdict, verdict
from bench.workload import JUDGED

__all__ = ["Margins", "Row", "Table", "compare", "own_windows"]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one device of one machine in one run, baselines before their variants.

    Args:
        journal: Where they come from.
        device: ``cpu`` or ``cuda:0``.
        cover: The channels whose sum is the energy, chosen once; empty if there is none.
        idle: Power of the waiting system, W, or `Absent`.
        rows: The cases.
        judged: Variants of which only quality and size are known: the steps of a sweep.
    """

    journal: Journal
    device: str
    cover: tuple[str, ...]
    idle: Quantity | Absent
    rows: tuple[Row, ...]
    judged: tuple[CaseRecord, ...] = ()

    @property
    def controls(self) -> tuple[Row, ...]:
        """The A/A rows: baselines compared with themselves."""
        return tuple(row for row in self.rows if row.is_baseline and row.time_ratio)

    @property
    def margin(self) -> float:
        """The largest margin of the verdicts."""
        return self.margins[1]

    @property
    def margins(self) -> tuple[float, float]:
        """The least and the largest margin of the verdicts: of energy if measured, else of time.

        A row that is held against nothing but itself has no verdict, and its margin judges nothing;
        where there is no other, it tells what the margin would be.
        """
        measured = any(isinstance(row.energy, Quantity) for row in self.rows)
        judged = [row for row in self.rows if not row.is_baseline] or self.rows
        found = [row.margins.energy if measured else row.margins.time for row in judged]
        return min(found, default=self.asked_margin), max(found, default=self.asked_margin)

    @property
    def asked_margin(self) -> float:
        """The margin that the settings ask for."""
        return asked_margin(self.journal)


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
    channels = [channel for channel in journal.run.channels if channel.id in ids]
    idle = idle_power(journal, channels)
    ordered = sorted(cases, key=_table_order)
    rows = [row_of(journal, case, channels, idle) for case in ordered if case.runtime != JUDGED]
    # each control's ratios once: every row asks for all of them
    controls = {
        row.case.case: (row.energy_ratio, row.time_ratio) for row in rows if row.is_baseline
    }
    judged = tuple(_judge(row, controls, asked_margin(journal)) for row in rows)
    swept = tuple(case for case in ordered if case.runtime == JUDGED)
    return Table(journal, device, ids, idle, judged, swept)


Ratios = tuple[Interval | None, Interval | None]
"""Of a control: of its energy, and of its time."""


def asked_margin(journal: Journal) -> float:
    """The margin that a journal's settings ask for."""
    return float(journal.run.settings.get("margin", 0.03))


def _twice_control(ratios: Sequence[Interval | None], own: Interval | None) -> float:
    """Twice the difference of the controls: their median, or the case's own if that is larger."""
    differences = [_shown(ratio) for ratio in ratios if ratio]
    largest = stdlib_statistics.median(differences) if differences else 0.0
    if own:
        largest = max(largest, _shown(own))
    return math.expm1(2 * largest)


def _shown(control: Interval) -> float:
    """The difference that a control shows; none if its interval holds 1: that is its own noise."""
    return 0.0 if control.low <= 1 <= control.high else abs(math.log(control.value))


def _judge(row: Row, controls: Mapping[str, Ratios], asked: float) -> Row:
    own = controls.get(row.case.baseline, (None, None))
    energy, time = (
        _twice_control([ratios[place] for ratios in controls.values()], own[place])
        for place in (0, 1)
    )
    margins = Margins(asked, max(asked, energy), max(asked, time))
    breaks = _breaks_quality(row.case)
    measured = isinstance(row.energy, Quantity)
    return replace(
        row,
        margins=margins,
        energy_verdict=_verdict(row.energy_ratio, margins.energy, breaks=breaks, known=measured),
        time_verdict=_verdict(row.time_ratio, margins.time, breaks=breaks, known=row.windows > 0),
    )


def _table_order(case: CaseRecord) -> tuple[object, ...]:
    return (case.workload, case.batch, case.case != case.baseline, case.label, case.runtime)


def _verdict(ratio: Interval | None, margin: float, *, breaks: bool, known: bool) -> Verdict:
    """The verdict; a value that is *known* and has no ratio is not comparable with its baseline."""
    if breaks:
        return Verdict.BREAKS_QUALITY
    if ratio is None and known:
        return Verdict.NOT_COMPARABLE
    return verdict(ratio, margin)


def _breaks_quality(case: CaseRecord) -> bool:
    quality: Mapping[str, float | None] | None = case.quality
    if quality is None or quality["target"] is None or quality["value"] is None:
        return False
    return quality["value"] < quality["target"]
