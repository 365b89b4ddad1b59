"""The records of a journal as frozen values, and as lines of JSON.

SI units throughout; the schema is `bench/schema/journal-1.json`, after shared/design.md §5.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.journal_line import parse, short
from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Kind
from bench.soundness import fault_of
from bench.window import ChannelEnergy

SCHEMA = 1
_RESTORE = "restore the file from git"


class JournalError(ValueError):
    """A journal cannot be read or written; the message says which line, and what to do."""


@dataclass(frozen=True, slots=True)
class Run:
    """The first record of a journal: where, when and how it was measured."""

    run_id: str
    started: str
    command: str
    settings: Mapping[str, Any]
    seed: int
    git: Mapping[str, Any] | None
    machine: Mapping[str, Any]
    packages: Mapping[str, str]
    channels: tuple[Channel, ...]
    unusable: tuple[Unusable, ...]


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What one case is; it follows the case's windows and makes them count.

    ``case`` and ``baseline`` are ids of `bench.workload.Case`; a baseline names itself.
    ``macs`` are multiply-accumulates per sample; ``size_bytes["nominal"]`` counts nonzero weights;
    ``bytes_moved`` are weights, inputs and outputs of a call, each once, per sample.
    ``layers`` hold the fields of `bench.layer_counts.LayerCount`, of one call with its whole batch;
    they are empty in journals of before there were any, and for what is no torch module.
    ``kernels`` say how many operators with weights a runtime runs in which type;
    ``memory_bytes["peak"]`` is the most that was resident while the case ran, other models of the
    session included, ``["before"]`` what was resident before it was made.
    """

    case: str
    workload: str
    technique: str
    level: Mapping[str, str]
    runtime: str
    device: str
    batch: int
    threads: int
    dtype: str | None
    baseline: str
    quality: Mapping[str, Any] | None
    baseline_quality: Mapping[str, Any] | None
    size_bytes: Mapping[str, int | None]
    parameters: int | None
    nonzero: int | None
    macs: int | None
    workload_version: str
    unit: str
    note: str = ""
    device_id: str = ""
    nodeid: str = ""
    bytes_moved: int | None = None
    layers: tuple[Mapping[str, Any], ...] = ()
    kernels: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``technique@level`` as in `bench.workload.Variant.label`."""
        return label_of(self.technique, self.level)


def label_of(technique: str, level: Mapping[str, str]) -> str:
    """What a variant is called: ``technique@level``, or the technique alone."""
    parameters = ",".join(f"{name}={value}" for name, value in sorted(level.items()))
    return f"{technique}@{parameters}" if parameters else technique


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency of the calls of one window, in seconds."""

    n: int
    p50: float
    p95: float
    p99: float
    mean: float


@dataclass(frozen=True, slots=True)
class Window:
    """One measured stretch of time, with the energy that belongs to just that time.

    ``role`` is baseline, variant, control, idle, warmup or training; ``order`` counts within the
    case; variants that share a training, and cases of one variant, each have its window;
    ``observer_cpu_s`` is the CPU time that reading the meters took in it, s; ``process`` counts
    the fresh processes in which the sides ran, 0 if they ran in that of the session; ``readings``
    are all from which its energies were made, if they were to be kept.
    """

    case: str
    role: str
    pair: int
    order: int
    t0_ns: int
    t1_ns: int
    calls: int
    samples: int
    energy: tuple[ChannelEnergy, ...]
    latency_s: Latency | None = None
    flags: tuple[str, ...] = ()
    observer_cpu_s: float = 0.0
    process: int = 0
    readings: tuple[Reading, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return (self.t1_ns - self.t0_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Begin:
    """The measuring of a case begins: its windows follow, and in the end its `CaseRecord`.

    A session that goes on with the case after it was cut off writes no second one, unless the
    workload has another version by then.
    """

    case: str
    workload_version: str


@dataclass(frozen=True, slots=True)
class Discard:
    """A block that was thrown away, and why."""

    case: str
    pair: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Why a case was skipped or refused, or what a reader found odd about the journal."""

    case: str
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The last record: the session ended in order."""

    finished: str
    exit: int
    counts: Mapping[str, int]


Record = Run | CaseRecord | Begin | Window | Discard | Note | End
NAMES: dict[type, str] = {
    Run: "run",
    CaseRecord: "case",
    Begin: "begin",
    Window: "window",
    Discard: "discard",
    Note: "note",
    End: "end",
}
TYPES: dict[str, Any] = {name: type_ for type_, name in NAMES.items()}


def to_json(record: Record) -> str:
    """One line of a journal, without its newline.

    Raises:
        ValueError: A number is not finite: JSON has no word for that, nor has a result.
    """
    fields: dict[str, Any] = {"record": NAMES[type(record)]}
    if isinstance(record, Run):
        fields["schema"] = SCHEMA
    fields.update(dataclasses.asdict(record))
    if isinstance(record, Window) and not record.readings:
        del fields["readings"]
    if isinstance(record, CaseRecord) and record.bytes_moved is None:
        del fields["bytes_moved"]
    if isinstance(record, CaseRecord) and not record.layers:
        del fields["layers"]
    return json.dumps(fields, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> Record:
    """The record of one line.

    Raises:
        JournalError: The line is no record of a schema that this version reads, or holds what the
            schema refuses: a wrong type, a negative energy, a number that is not finite.
    """
    try:
        fields = parse(line)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise JournalError(f"{error}; {_RESTORE}") from error
    name = fields.get("record") if isinstance(fields, dict) else None
    if not isinstance(name, str) or name not in TYPES:
        raise JournalError(f"found the record type {short(name)}, wanted one of {', '.join(TYPES)}")
    if name == "run":
        _require_schema(fields.get("schema"))
    if (fault := fault_of(name, fields)) is not None:
        raise JournalError(f"{fault}; {_RESTORE}")
    del fields["record"]
    return _record(name, fields)


def _record(name: str, fields: dict[str, Any]) -> Record:
    """The record that sound fields make."""
    if name == "run":
        del fields["schema"]
        fields["channels"] = tuple(_channel(c) for c in fields["channels"])
        fields["unusable"] = tuple(
            Unusable(**{**u, "status": Status(u["status"])}) for u in fields["unusable"]
        )
    if name == "case":
        fields["layers"] = tuple(fields.get("layers", ()))
    if name == "window":
        fields["energy"] = tuple(_energy(e) for e in fields["energy"])
        fields["latency_s"] = Latency(**fields["latency_s"]) if fields["latency_s"] else None
        fields["flags"] = tuple(fields["flags"])
        fields["readings"] = tuple(_reading(*r) for r in fields.get("readings", ()))
    record: Record = TYPES[name](**fields)
    return record


def _require_schema(found: object) -> None:
    if not isinstance(found, int) or found > SCHEMA:
        raise JournalError(
            f"the journal has schema {short(found)}, this joulebench reads up to {SCHEMA};"
            " install a newer one: pip install --upgrade joulebench"
        )


def _channel(fields: dict[str, Any]) -> Channel:
    return Channel(**{**fields, "kind": Kind(fields["kind"]), "range": tuple(fields["range"])})


def _reading(  # noqa: PLR0917 - as it stands in the line
    channel: str,
    t0_ns: int,
    t1_ns: int,
    value: float | None,
    status: str,
    reason: str,
    t_device: float | None,
) -> Reading:
    return Reading(channel, t0_ns, t1_ns, value, Status(status), reason, t_device)


def _energy(fields: dict[str, Any]) -> ChannelEnergy:
    kind, status = Kind(fields["kind"]), Status(fields["status"])
    return ChannelEnergy(**{**fields, "kind": kind, "status": status})
