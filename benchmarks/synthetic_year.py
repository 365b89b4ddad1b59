"""A year of nights as journals: made of numbers, fast, with some true changes in it.

Nothing here is a measurement of a machine. Noise as in shared/benchmark-tools.md §3.2: a night
effect of 1.5 % on all of a night, 0.6 % on a case in a night, 1 % on a window.
"""

import json
import math
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from bench.meter import Channel
from bench.quantities import Kind
from bench.record import CaseRecord, Run, to_json

MACHINE = {
    "id": "5ca1e5ca1e00", "cpu": "synthetic", "vendor": "nobody", "cpus": 2, "gpu": [],
    "memory_bytes": 2**34, "kernel": "Linux 6.18", "virtualised": None, "governor": "performance",
    "turbo": False, "python": "3.11.9",
}  # fmt: skip
PACKAGE = Channel(
    "cpu/0/package", "package", Kind.MEASURED, "cpu-package", 6.1e-5, 1e-3, 262144.0, 300.0,
    "synthetic:package",
)  # fmt: skip
VARIANTS = 10
"""Cases of a workload: its baseline beside itself, and nine variants beside it."""

NIGHT, PROCESS, WINDOW = 0.015, 0.006, 0.010
"""Standard deviations of the logarithm of a night, a case in it, a window of that."""

SHIFTS = {3: (0.25, 1.06), 55: (0.4, 0.93), 122: (0.5, 1.10), 190: (0.7, 1.04), 266: (0.8, 1.08)}
"""True changes: the case's number, after which share of the nights, and by how much."""

TONIGHT = (42, 1.25)
"""What only the newest night has: the case's number, and by how much."""

UPDATE = 0.6
"""After which share of the nights a package is another one."""


@dataclass(frozen=True, slots=True)
class Year:
    """How much there is.

    Args:
        nights: Journals.
        cases: Of each night; a multiple of `VARIANTS`.
        windows: Of each case.
        seed: Of all numbers.
    """

    nights: int = 400
    cases: int = 300
    windows: int = 10
    seed: int = 7


def write(year: Year, folder: Path, workers: int = 2) -> list[Path]:
    """Writes the journals of a year, and gives their paths, oldest first."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return list(pool.map(partial(write_night, year, folder), range(year.nights), chunksize=4))


def write_night(year: Year, folder: Path, night: int) -> Path:
    """Writes one night."""
    run = _run(year, night)
    stamp = run.started.replace("-", "").replace(":", "")
    path = folder / f"{stamp}-{MACHINE['id']}-{run.run_id}.jsonl"
    path.write_text("\n".join((to_json(run), *_lines(year, night), "")), encoding="utf-8")
    return path


def case_of(year: Year, number: int) -> CaseRecord:
    """The case of a number; the last workload is a roofline, which is beside nothing else."""
    place, variant = divmod(number, VARIANTS)
    last = place == year.cases // VARIANTS - 1
    workload = f"roofline:gemm-{variant}" if last else f"net{place:02d}"
    label = "baseline" if last or not variant else "magnitude_pruning"
    level = {} if label == "baseline" else {"density": f"{variant / VARIANTS:g}"}
    ending = "eager/cpu/b1"
    name = f"{label}@density={level['density']}" if level else label
    judged = {"metric": "test accuracy", "value": 0.97 - variant / 1000, "n": 540, "target": 0.95}
    return CaseRecord(
        f"{workload}/{name}/{ending}", workload, label, level, "eager", "cpu", 1, 1, "float32",
        f"{workload}/baseline/{ending}", judged, {**judged, "value": 0.97},
        {"disk": 200_000 - 1000 * variant, "nominal": 200_000}, 50_000, 50_000, 50_000, "v1",
        "image", device_id="cpu",
    )  # fmt: skip


def _run(year: Year, night: int) -> Run:
    when = datetime(2025, 11, 1, 2, tzinfo=UTC) + timedelta(days=night)
    torch = "2.10.0" if night < UPDATE * year.nights else "2.11.0"
    return Run(
        f"{night:06x}", when.strftime("%Y-%m-%dT%H:%M:%SZ"), "pytest --benchmark suites",
        {"profile": "nightly", "pairs": year.windows // 2, "block_s": 0.5, "margin": 0.03}, 0,
        {"commit": f"{night:08x}" * 5, "dirty": False}, MACHINE,
        {"joulebench": "0.1.0", "torch": torch}, (PACKAGE,), (),
    )  # fmt: skip


def level_of(year: Year, number: int, night: int) -> float:
    """By what a case's cost differs from what it was in the first night, in truth."""
    level = 1.0
    share, factor = SHIFTS.get(number, (1.0, 1.0))
    level *= factor if night >= share * year.nights else 1.0
    return level * (TONIGHT[1] if night == year.nights - 1 and number == TONIGHT[0] else 1.0)


def _lines(year: Year, night: int) -> Iterator[str]:
    draw = random.Random(f"{year.seed}/{night}")  # noqa: S311 - noise
    of_night = draw.gauss(0.0, NIGHT)
    for number in range(year.cases):
        case = case_of(year, number)
        seconds = 0.001 * (1 + number // VARIANTS % 7)
        moved = level_of(year, number, night)
        alone = case.case == case.baseline
        own = 1.0 if alone else 0.5 + (number % VARIANTS) / 20
        effects = [of_night + draw.gauss(0.0, PROCESS) for _ in range(2)]
        # whoever is changed: of a variant itself, of a baseline both sides
        sides = [
            seconds * math.exp(effects[0]) * (moved if alone else 1.0),
            seconds * math.exp(effects[1]) * own * moved,
        ]
        for place in range(year.windows):
            side = place % 2
            role = "baseline" if not side else "control" if alone else "variant"
            took = sides[side] * math.exp(draw.gauss(0.0, WINDOW))
            joules = 25.0 * took * math.exp(draw.gauss(0.0, WINDOW / 2))
            yield _window(case.case, role, place, took, joules)
        yield to_json(case)
    yield json.dumps({"record": "end", "finished": "2026-01-01T00:00:00Z", "exit": 0, "counts": {}})


def _window(case: str, role: str, order: int, took: float, joules: float) -> str:
    """A window of 500 calls as its line, written by hand: there are more than a million."""
    pair = order // 2
    t0 = 1_000_000_000 * (order + 1)
    t1 = t0 + round(500e9 * took)
    whole = 500 * joules
    return (
        f'{{"record":"window","case":"{case}","role":"{role}","pair":{pair},"order":{order},'
        f'"t0_ns":{t0},"t1_ns":{t1},"calls":500,"samples":500,"energy":[{{"channel":"cpu/0/package",'
        f'"joules":{whole!r},"low":{whole - 0.06!r},"high":{whole + 0.06!r},"kind":"measured",'
        f'"boundary":"cpu-package","status":"ok","reason":""}}],"latency_s":{{"n":500,"p50":{took!r},'
        f'"p95":{1.05 * took!r},"p99":{1.1 * took!r},"mean":{took!r}}},"flags":[],'
        f'"observer_cpu_s":0.0,"process":0}}'
    )
