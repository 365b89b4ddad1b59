"""Builds journals for tests: a case is a list of pairs, each side a cost per sample."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.meter import Channel, Status, Unusable
from bench.quantities import Kind
from bench.record import CaseRecord, Discard, End, Latency, Note, Record, Run, Window, to_json
from bench.records import Journal
from bench.window import ChannelEnergy

SAMPLES = 1000

PACKAGE = Channel(
    "cpu/0/package", "package", Kind.MEASURED, "cpu-package", 6.1e-5, 1e-3, 262144.0, 300.0,
    "powercap:intel-rapl:0",
)  # fmt: skip
DRAM = replace(
    PACKAGE, id="cpu/0/dram", domain="dram", boundary="dram", origin="powercap:intel-rapl:0:2"
)
PROCESS = Channel(
    "process/cpu", "process", Kind.ESTIMATED, "cpu-process", 0.0, 0.0, None, 300.0, "codecarbon",
    range=(0.5, 2.0), note="CPU time × TDP share; truth within 0.5 to 2 times",
)  # fmt: skip
LOCKED = Unusable(
    "cpu/0/package",
    Status.PERMISSION,
    "RAPL exists and this user may not read it",
    "joulebench doctor --fix-rapl",
)
MACHINE: Mapping[str, Any] = {
    "id": "0123456789ab",
    "cpu": "AMD EPYC 9654",
    "vendor": "AuthenticAMD",
    "cpus": 8,
    "memory_bytes": 2**34,
    "gpu": [],
    "kernel": "Linux 6.8",
    "virtualised": None,
    "governor": "performance",
    "turbo": False,
    "python": "3.11.9",
}
SETTINGS: Mapping[str, Any] = {
    "profile": "quick",
    "pairs": 6,
    "block_s": 0.5,
    "warmup_s": 0.3,
    "idle_s": 2.0,
    "margin": 0.03,
    "meters": None,
}


class Cost(NamedTuple):
    """What one sample costs in one window.

    Args:
        joules: By channel id, J/sample; None for a channel that gave nothing.
        seconds: s/sample.
        bound: Half of the interval that each channel's readings allow, J/sample.
    """

    joules: Mapping[str, float | None] = {}
    seconds: float = 0.001
    bound: float = 0.0


def a_run(**changes: Any) -> Run:
    run = Run(
        run_id="r1",
        started="2026-11-23T10:12:03Z",
        command="pytest --benchmark suites",
        settings=SETTINGS,
        seed=0,
        git={"commit": "1a2b3c4d5e6f", "dirty": False},
        machine=MACHINE,
        packages={"torch": "2.9.0"},
        channels=(PACKAGE,),
        unusable=(),
    )
    return replace(run, **changes)


def a_case(technique: str = "baseline", **changes: Any) -> CaseRecord:
    """A case; its ids follow from workload, technique, level, runtime, device and batch."""
    fields: dict[str, Any] = {
        "workload": "digits",
        "technique": technique,
        "level": {},
        "runtime": "eager",
        "device": "cpu",
        "batch": 1,
        "threads": 1,
        "dtype": "float32",
        "quality": quality(0.97),
        "baseline_quality": quality(0.97),
        "size_bytes": {"disk": 2048, "nominal": 4096},
        "parameters": 1000,
        "nonzero": 1000,
        "macs": 5000,
        "workload_version": "v1",
        "unit": "image",
        **changes,
    }
    place = f"{fields['runtime']}/{fields['device']}/b{fields['batch']}"
    level = ",".join(f"{name}={value}" for name, value in sorted(fields["level"].items()))
    label = f"{technique}@{level}" if level else technique
    ids = {
        "case": f"{fields['workload']}/{label}/{place}",
        "baseline": f"{fields['workload']}/baseline/{place}",
    }
    return CaseRecord(technique=fields.pop("technique"), **{**ids, **fields})


def quality(value: float | None, target: float | None = 0.95, n: int = 400) -> dict[str, Any]:
    return {"metric": "test accuracy", "value": value, "target": target, "n": n}


def a_window(
    case: CaseRecord, role: str, pair: int, cost: Cost, flags: tuple[str, ...] = ()
) -> Window:
    """A window of 1000 samples; its calls take batch × seconds each, the slowest a tenth more."""
    seconds = cost.seconds * SAMPLES
    call = cost.seconds * case.batch
    return Window(
        case.case,
        role,
        pair,
        2 * pair + (role != "baseline"),
        0,
        round(seconds * 1e9),
        SAMPLES // case.batch,
        SAMPLES,
        tuple(_energy(channel, joules, cost) for channel, joules in cost.joules.items()),
        Latency(SAMPLES // case.batch, call, 1.05 * call, 1.1 * call, call),
        flags,
    )


def _energy(channel: str, joules: float | None, cost: Cost) -> ChannelEnergy:
    known = {c.id: c for c in (PACKAGE, DRAM, PROCESS)}.get(channel, replace(PACKAGE, id=channel))
    if joules is None:
        return ChannelEnergy(
            channel, None, None, None, known.kind, known.boundary, Status.RESET, "it went back"
        )
    low, high = (
        SAMPLES * (joules * f + s * cost.bound) for f, s in zip(known.range, (-1, 1), strict=True)
    )
    return ChannelEnergy(
        channel, SAMPLES * joules, low, high, known.kind, known.boundary, Status.OK
    )


def an_idle(watts: float, channel: str = "cpu/0/package", seconds: float = 2.0) -> Window:
    joules = watts * seconds
    known = {c.id: c for c in (PACKAGE, DRAM, PROCESS)}[channel]
    energy = ChannelEnergy(channel, joules, joules, joules, known.kind, known.boundary, Status.OK)
    return Window("", "idle", 0, 0, 0, round(seconds * 1e9), 0, 0, (energy,))


Pairs = Sequence[tuple[Cost | None, Cost | None]]


def a_journal(
    cases: Iterable[tuple[CaseRecord, Pairs]],
    *,
    run: Run | None = None,
    idle: Sequence[Window] = (),
    discards: Sequence[Discard] = (),
    notes: Sequence[Note] = (),
    end: End | None = End("2026-11-23T10:15:00Z", 0, {}),  # noqa: B008 - it is frozen
    path: str = "20261123T101203Z-0123456789ab-r1.jsonl",
) -> Journal:
    """A journal of some cases, each with its pairs (baseline's cost, the case's own)."""
    cases = list(cases)
    windows = list(idle)
    for case, pairs in cases:
        other = "control" if case.case == case.baseline else "variant"
        for number, sides in enumerate(pairs):
            roles = zip(("baseline", other), sides, strict=True)
            windows += [a_window(case, role, number, cost) for role, cost in roles if cost]
    return Journal(
        Path(path),
        run or a_run(),
        tuple(case for case, _ in cases),
        tuple(windows),
        tuple(discards),
        tuple(notes),
        end,
    )


def package(joules: float, seconds: float = 0.001, bound: float = 0.0) -> Cost:
    """A window in which the CPU package used so many J/sample."""
    return Cost({"cpu/0/package": joules}, seconds, bound)


def save(journal: Journal, folder: Path) -> Path:
    """Writes the journal as the tool would, and gives its path."""
    ends = [journal.end] if journal.end else []
    records: list[Record] = [
        journal.run, *journal.windows, *journal.cases, *journal.discards, *journal.notes, *ends,
    ]  # fmt: skip
    path = folder / journal.path.name
    path.write_text("".join(f"{to_json(record)}\n" for record in records), encoding="utf-8")
    return path
