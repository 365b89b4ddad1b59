"""What one process says of one case: medians of its blocks, and what must be alike. Pure.

A block that was disturbed is left out while two others remain.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare import own_windows
from bench.cover import cover, total
from bench.gate.answer import ENERGY, TIME
from bench.gate.plan import Name
from bench.meter import Channel
from bench.quantities import Absent, Kind
from bench.record import CaseRecord, Run, Window
from bench.records import Journal

_ENOUGH = 2  # undisturbed blocks of a process


@dataclass(frozen=True, slots=True)
class Value:
    """What a process says of one case.

    Args:
        name: Of the process.
        quantities: J/sample and s/sample, or why there is none.
        kind: Of the energy; empty if there is none.
        boundary: Of the energy.
        step: One step of the meters in a block, J/sample.
        alike: What must be the same on both sides, by what it is.
        disturbed: Blocks that carry a flag.
        blocks: All of them.
    """

    name: Name
    quantities: Mapping[str, float | Absent]
    kind: str
    boundary: str
    step: float
    alike: Mapping[str, str]
    disturbed: int
    blocks: int

    @property
    def keeps_disturbed(self) -> bool:
        """Whether disturbed blocks count, for want of others."""
        return self.disturbed > 0 and self.blocks - self.disturbed < _ENOUGH


def value_of(name: Name, journal: Journal, record: CaseRecord) -> Value:
    """What a process says of a case, from its journal."""
    everything = own_windows(record, journal.windows_of(record.case))
    calm = [window for window in everything if not window.flags]
    blocks = calm if len(calm) >= _ENOUGH else list(everything)
    channels = _channels(journal.run, record)
    energy, kind, boundary = _energy(blocks, channels, record)
    times = [window.seconds / window.samples for window in blocks]
    return Value(
        name,
        {ENERGY: energy, TIME: statistics.median(times) if times else _NO_BLOCK},
        kind,
        boundary,
        _step(blocks, channels),
        {
            "machine": str(journal.run.machine["id"]),
            "version of the workload": record.workload_version,
            "device": record.device_id or record.device,
            "energy": ", ".join(f"{c.id} ({c.kind}, {c.boundary})" for c in channels) or "none",
        },
        len(everything) - len(calm),
        len(everything),
    )


_NO_BLOCK = Absent("no block was measured")


def _channels(run: Run, record: CaseRecord) -> list[Channel]:
    """The channels whose sum is the energy; an estimate only where no instrument reads it."""
    ids = cover(run.channels, record.device_id or record.device)
    chosen = [channel for channel in run.channels if channel.id in ids]
    if chosen or record.device != "cpu":
        return chosen
    estimates = [channel for channel in run.channels if channel.kind is Kind.ESTIMATED]
    own = [channel for channel in estimates if channel.id.startswith("process/")]
    return own[:1] or estimates


def _energy(
    blocks: Sequence[Window], channels: Sequence[Channel], record: CaseRecord
) -> tuple[float | Absent, str, str]:
    """Median joules per sample of the blocks that have them, with kind and boundary."""
    ids = [channel.id for channel in channels]
    if not ids:
        where = "" if record.device == "cpu" else f" of {record.device}"
        return Absent(f"no instrument reads the energy{where}", "see joulebench doctor"), "", ""
    totals = [(total(window.energy, ids), window.samples) for window in blocks]
    known = [(each, samples) for each, samples in totals if not isinstance(each, Absent)]
    if not known:
        absent = next((each for each, _ in totals if isinstance(each, Absent)), _NO_BLOCK)
        return absent, str(channels[0].kind), channels[0].boundary
    value = statistics.median(each.value / samples for each, samples in known)
    return value, str(known[0][0].kind), known[0][0].boundary


def _step(blocks: Sequence[Window], channels: Sequence[Channel]) -> float:
    """One step of the meters in a block, J/sample; a gauge's step is of its power."""
    steps = [
        math.fsum(c.resolution * (window.seconds if c.unit == "W" else 1.0) for c in channels)
        / window.samples
        for window in blocks
    ]
    return statistics.median(steps) if steps else 0.0
