"""What a table says, before it is put in words: pure functions of rows."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from bench.compare import Row, Table
from bench.layer_counts import recorded
from bench.meter import Channel, Status, Unusable
from bench.modelled import horowitz, total
from bench.quantities import Absent, Quantity
from bench.record import label_of
from bench.records import Journal
from bench.report.text import escape, plain
from bench.roofline import is_ceiling
from bench.simulated_model import ORIGIN
from bench.statistics import Interval, Verdict
from bench.workload import PHASE

REPLAY = "replay:"
SIMULATED = "SIMULATED DEVICE: no machine's power, no real model's energy."
_KINDS = {
    "measured": "hardware energy counter",
    "sampled": "power gauge × time",
    "external": "external meter",
    "estimated": "CPU time × a power model",
    "modelled": "operations and bytes × pJ",
}


def is_measured(table: Table) -> bool:
    """Whether an instrument gave the energy of at least one row."""
    return any(isinstance(row.energy, Quantity) for row in table.rows)


def processes(table: Table) -> int:
    """In how many fresh processes each side ran; 0 if in that of the session."""
    found = table.journal.run.settings.get("processes")
    return found if isinstance(found, int) else 0


def how(kind: str) -> str:
    """A kind in words."""
    return _KINDS[kind]


def why_absent(table: Table) -> Absent:
    """Why a table has no energy, with what helps: the meter that is nearest to working."""
    run = table.journal.run
    if table.cover:
        absent = (row.energy for row in table.rows if isinstance(row.energy, Absent))
        return next(absent, Absent("no case was timed"))
    found = sorted(run.unusable, key=lambda each: _distance(each, table.device))
    if found:
        return Absent(found[0].reason, found[0].fix)
    return Absent("no energy meter was found", "see joulebench doctor")


def _distance(unusable: Unusable, device: str) -> tuple[bool, bool, bool]:
    """Lacking permission is nearest to working, then the device's own meter, then any fix."""
    own = unusable.what.startswith("nvml" if device.startswith("cuda") else ("powercap", "intel"))
    return unusable.status is not Status.PERMISSION, not own, not unusable.fix


def workloads(table: Table) -> list[tuple[str, list[Row]]]:
    """The rows by workload, in the table's order."""
    return [(name, list(rows)) for name, rows in groupby(table.rows, lambda row: row.case.workload)]


def compared(table: Table) -> list[tuple[str, list[Row]]]:
    """The same without the ceilings of the roofline, which are compared with nothing."""
    return [(name, rows) for name, rows in workloads(table) if not is_ceiling(rows[0].case)]


def settings(rows: Iterable[Row]) -> list[tuple[tuple[str, int], list[Row]]]:
    """The rows by workload and batch: those that may be ranked against each other."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.case.workload, row.case.batch), []).append(row)
    return list(found.items())


def ratio_of(row: Row, *, energy: bool) -> Interval | None:
    """The row's ratio to its baseline, of energy or of time."""
    return row.energy_ratio if energy else row.time_ratio


def verdict_of(row: Row, *, energy: bool) -> Verdict:
    """The row's verdict by energy or by time."""
    return row.energy_verdict if energy else row.time_verdict


def best(rows: Sequence[Row]) -> Row | None:
    """The least measured energy of one workload and batch, within quality.

    Only a row that saves against its own baseline can be best, or a baseline of another runtime
    that beats every one; kinds and boundaries are never mixed.
    """
    fit = [
        row
        for row in rows
        if isinstance(row.energy, Quantity)
        and not is_ceiling(row.case)
        and (row.energy_verdict is Verdict.SAVES or (row.is_baseline and holds(row)))
    ]
    kinds = {(r.energy.kind, r.energy.boundary) for r in fit if isinstance(r.energy, Quantity)}
    if not fit or len(kinds) > 1:
        return None
    least = min(fit, key=lambda row: row.energy.value if isinstance(row.energy, Quantity) else 0.0)
    alone = sum(row.is_baseline for row in rows) == 1
    return None if least.is_baseline and alone else least


def holds(row: Row) -> bool:
    """Whether the row reaches its quality target, or has none."""
    return row.energy_verdict is not Verdict.BREAKS_QUALITY


def words(row: Row) -> str:
    """The verdict as the table's last cell says it; time never stands for energy.

    ``noisy`` stands behind it where all pairs together left the interval wider than asked for.
    """
    noisy = ", noisy" if row.noisy else ""
    if row.case.technique == PHASE:
        return "alone"
    if row.is_baseline:
        return f"baseline{noisy}"
    if not isinstance(row.energy, Absent):
        return f"{row.energy_verdict}{noisy}"
    if row.time_verdict is Verdict.BREAKS_QUALITY:
        return f"{Verdict.NOT_MEASURED}; {row.time_verdict}"
    return f"{Verdict.NOT_MEASURED}; time: {row.time_verdict}{noisy}"


def modelled(row: Row) -> Quantity | None:
    """What a 45 nm chip would spend on the row's operations and bytes, J/sample; None if unknown.

    Of kind ``modelled``: it stands beside what was measured, and is never ranked.
    """
    layers = horowitz(recorded(row.case.layers))
    if not layers:
        return None
    return total(layer.total for layer in layers).scaled(1 / row.case.batch, "J/sample")


def is_share(row: Row) -> bool:
    """Whether a row's quality is a share, to be shown in per cent and points."""
    values = [q["value"] for q in (row.case.quality, row.case.baseline_quality) if q]
    return bool(values) and all(value is not None and 0 <= value <= 1 for value in values)


def label(row: Row, rows: Sequence[Row]) -> str:
    """The row's variant, with its runtime where the rows have several; not escaped."""
    return _named(row.case.label, row, rows)


def _named(name: str, row: Row, rows: Sequence[Row]) -> str:
    if any(other.case.runtime != rows[0].case.runtime for other in rows):
        return f"{plain(name)} · {plain(row.case.runtime)}"
    return plain(name)


def short_label(row: Row, rows: Sequence[Row]) -> str:
    """The same with only those parameters that tell rows of one technique apart; not escaped."""
    if not row.case.level:
        return label(row, rows)
    levels = [other.case.level for other in rows if other.case.technique == row.case.technique]
    telling = {
        name: value
        for name, value in row.case.level.items()
        if any(level.get(name) != value for level in levels)
    }
    return _named(label_of(row.case.technique, telling), row, rows)


def control_deviation(table: Table) -> tuple[float, int] | None:
    """Largest deviation from 1 of a baseline compared with itself, and how many there are."""
    energy = is_measured(table)
    ratios = [ratio_of(row, energy=energy) for row in table.controls]
    deviations = [abs(ratio.value - 1) for ratio in ratios if ratio]
    return (max(deviations), len(deviations)) if deviations else None


def replayed(channels: Iterable[Channel]) -> tuple[Channel, ...]:
    """The channels whose joules come from a recorded trace."""
    return tuple(channel for channel in channels if channel.origin.startswith(REPLAY))


def is_simulated(journal: Journal) -> bool:
    """Whether a simulated device was measured: no number is then any machine's.

    Without an instrument there is no channel to say so, but what ran its models does.
    """
    return any(case.runtime == ORIGIN for case in journal.cases) or any(
        channel.origin.startswith(f"{ORIGIN}:") for channel in journal.run.channels
    )


def covering(table: Table) -> tuple[Channel, ...]:
    """The channels whose sum is the table's energy."""
    return tuple(c for c in table.journal.run.channels if c.id in table.cover)


def boundary(table: Table) -> str:
    """What the table's joules contain; empty if nothing was measured."""
    found = (row.energy.boundary for row in table.rows if isinstance(row.energy, Quantity))
    return next(found, "")


def journals(tables: Sequence[Table]) -> tuple[Journal, ...]:
    """The journals behind some tables, each once."""
    return tuple({id(table.journal): table.journal for table in tables}.values())


def processor(table: Table) -> str:
    """The name of the table's device, escaped: the CPU's, or the GPU's."""
    machine = table.journal.run.machine
    if is_simulated(table.journal):
        return "a power model"
    if not table.device.startswith("cuda"):
        return escape(machine.get("cpu") or "unknown CPU")
    identity = next((row.case.device_id for row in table.rows), "")
    gpus = [
        gpu for gpu in machine.get("gpu") or () if gpu.get("uuid") == identity.partition(":")[2]
    ]
    return escape((gpus or machine.get("gpu") or [{"name": "GPU"}])[0].get("name"))


def heading(table: Table, tables: Sequence[Table]) -> str:
    """What to call a table among others, escaped: its device, and its run where there are more."""
    return escape(plain_heading(table, tables))


def plain_heading(table: Table, tables: Sequence[Table]) -> str:
    """The same, not escaped."""
    several = len(journals(tables)) > 1
    device = f"simulated {table.device}" if is_simulated(table.journal) else table.device
    return plain(f"{device} · run {table.journal.run.run_id}" if several else device)
