"""What no committed page has, made again as well: parts of a report in rare cases; see `recompute`.

The rules are those of `test_recomputed_page`.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import recompute
from journals import (
    DRAM,
    LOCKED,
    PACKAGE,
    PROCESS,
    Cost,
    a_case,
    a_journal,
    a_run,
    an_idle,
    package,
    quality,
    save,
)
from page_cases import name_of
from page_pieces import Piece, Source, altered, has_number, is_right, pieces, plain
from recompute_case import Case
from recompute_parts import emission, in_order, is_measured, points, read_channels
from recompute_sizes import sweep as sweep_of
from recompute_table import Table
from test_recomputed_page import LINES, ROWS

from bench.compare import compare
from bench.records import Journal
from bench.report import findings
from bench.report.markdown import GridFactor, Report
from bench.report.sections import (
    batches,
    carbon,
    channels,
    closeness,
    compression,
    energy,
    memory,
    pareto,
    size,
    sweep,
)

PARTS = (
    pareto, sweep, compression, size, closeness, batches, memory, energy, channels, carbon,
)  # fmt: skip
GRID, BUDGET = GridFactor(34.0, "RTE, 2025"), 7000


def over(values: list[float]) -> dict[str, Any]:
    seeds = {"values": values, "seeds": [1, 2, 3]} if len(values) > 1 else {}
    return {**quality(sum(values) / len(values)), **seeds}


def two_runtimes() -> Journal:
    """Without an instrument: models of several files, and twelve variants in a budget."""
    cases = []
    for batch in (1, 8, 64):
        for runtime, disk in (("eager", 9000), ("openvino", 411 if batch == 1 else 611)):
            close = {"cosine": 0.9876 - 0.001 * (batch == 1), "SQNR, dB": 31.46}
            judged = {**quality(0.80 if batch == 1 else 0.97), "others": close}
            more = {"memory_bytes": {"peak": 2**30 + batch, "before": 2**31}} if batch < 64 else {}
            sizes = {"disk": disk, "nominal": 3000, "dense": 12_345, "baseline": 12_345}
            cases.append(
                a_case(
                    "int8", runtime=runtime, batch=batch, quality=judged, size_bytes=sizes,
                    level={"bits": "8"}, nonzero=877, macs=None if batch == 1 else 5000, **more,
                )
            )  # fmt: skip
    cases += [a_case(f"v{n}", size_bytes={"disk": 700 + 37 * n}) for n in range(11)]
    run = a_run(channels=(PROCESS,), unusable=(LOCKED,))
    guesses = [Cost({PROCESS.id: 1e-3 * 1.07**n}, 1e-3 * 1.03**n) for n in range(len(cases))]
    pairs = [[(guesses[0], guess)] * 3 for guess in guesses]
    return a_journal(zip(cases, pairs, strict=True), run=run)


def restless() -> Journal:
    """The idle power drifts, a channel is lost in one case, and another gives nothing."""
    lost = Cost({PACKAGE.id: 0.0101, DRAM.id: None})
    both = Cost({PACKAGE.id: 0.0101, DRAM.id: 0.0012}, bound=3e-5)
    cases = [(a_case(), [(both, both)] * 3), (a_case("student"), [(both, lost)] * 3)]
    journal = a_journal(
        [*cases, (a_case("tiny", batch=16), [(both, Cost({PACKAGE.id: 0.005}))] * 3)],
        run=a_run(channels=(PACKAGE, DRAM)),
        idle=[an_idle(3.0), an_idle(4.26)],
    )
    cold = [
        replace(w, energy=(*w.energy, replace(w.energy[0], channel=DRAM.id)))
        for w in journal.windows[:2]
    ]
    return replace(journal, windows=(*cold, *journal.windows[2:]))


def a_sweep(*seeds: float) -> Journal:
    """Steps that were judged alone, one of which was timed as well, in a metric that is no share.

    Args:
        seeds: By what each seed is better than the first; none for a single one.
    """
    before = over([41.2, *(41.2 + more for more in seeds)])

    def case(technique: str, lost: float, disk: int, runtime: str = "judged", **level: str) -> Any:
        own = over([value - lost * (1 + 0.1 * n) for n, value in enumerate(before_values)])
        return a_case(
            technique, level=level, runtime=runtime, quality=own, baseline_quality=before,
            size_bytes={"disk": disk, "nominal": None, "dense": 400_123},
        )  # fmt: skip

    before_values = before.get("values", [41.2])
    steps = [
        case("sharing", 0.1, 50_321, bits="4"),
        case("sharing", 2.25, 25_777, bits="2"),
        case("pruning", 0.5, 60_001, density="0.08", form="csr"),
        case("pruning", 0.4, 70_001, "eager", density="0.08", form="csr"),
    ]
    return a_journal(
        [(steps[3], [(package(0.01), package(0.009))] * 3), *((s, []) for s in steps[:3])]
    )


def many_panels() -> Journal:
    cases = [a_case(technique, batch=2**n) for n in range(13) for technique in ("baseline", "b")]
    rising = [(package(0.010), package(0.0101 - 1e-4 * n)) for n in range(3)]
    return a_journal([(case, rising) for case in cases])


JOURNALS = {
    "two runtimes": two_runtimes,
    "restless": restless,
    "a sweep of one seed": a_sweep,
    "a sweep of three seeds": lambda: a_sweep(0.3, 0.5),
    "many panels": many_panels,
}


def all_pieces(name: str, folder: Path) -> Iterator[Piece]:
    """The pieces of all parts of a journal."""
    journal = JOURNALS[name]()
    report = Report(compare([journal]), grid=GRID, size_budget=BUDGET, figure="page.svg")
    told = recompute.read(save(journal, folder))
    tables = {t.device: Table(told, t.device, findings.boundary(t)) for t in report.tables}
    source = Source(told, tables, None, GRID.grams_per_kwh, BUDGET)
    text = "\n\n".join(part.section(report) for part in PARTS)
    return pieces(text, source)


def parts(name: str, folder: Path) -> Iterator[Piece]:
    """Those with a number."""
    return (piece for piece in all_pieces(name, folder) if has_number(piece))


@pytest.mark.parametrize("name", JOURNALS)
def test_every_number_of_a_rare_part_can_be_made_again(name: str, tmp_path: Path) -> None:
    found = list(parts(name, tmp_path))

    assert found
    assert [(p.place.header, p.text) for p in found if not is_right(p, ROWS, LINES)] == []


@pytest.mark.parametrize("name", JOURNALS)
def test_a_number_of_a_rare_part_that_is_altered_is_found(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    others = [altered(p, chance.randrange) for p in parts(name, tmp_path) for _ in range(3)]

    assert [(p.place.header, p.text) for p in others if is_right(p, ROWS, LINES)] == []


def wanted(table: Table) -> dict[str, int]:
    """How many batches of variants each part of a device has to show."""
    cases = in_order(table)
    settings = {setting(case) for case in cases}
    several = Counter(workload for workload, _ in settings)
    panels = [points(table, *each) for each in settings]
    swept = [sweep_of(table, workload) for workload in several]
    measured, emitting = is_measured(table), [emission(c, GRID.grams_per_kwh) for c in cases]
    return {
        "Data of the figure": sum(len(panel) for panel in panels if len(panel) > 1),
        "Quality against size": sum(len(each.steps) for each in swept if each),
        "What compression did": len(cases),
        "Size in each form": len(cases),
        "Quality by other measures": sum("others" in (c.record["quality"] or {}) for c in cases),
        "Batch sweep": sum(several[c.record["workload"]] > 1 for c in cases),
        "Memory": sum(bool(c.record["memory_bytes"]) for c in cases),
        "Where the energy goes": len(cases) if measured else 0,
        "Where the energy goes, by channel": (
            len(cases) if measured and len(read_channels(table)) > 1 else 0
        ),
        "Carbon": sum(map(bool, emitting)),
    }


def setting(case: Case) -> tuple[str, int]:
    return case.record["workload"], case.record["batch"]


def batches_in(row: Piece) -> int:
    """Of how many batches a row tells; without a word of them, all of the variant."""
    if "batch" in row.row:
        return len(row.row["batch"].split(", "))
    if row.place.fold.startswith(("Data of the figure", "Quality against")):
        return 1
    table, label = row.place.table, plain(row.cells[0])
    return sum(name_of(table, case) == label for case in in_order(table))


@pytest.mark.parametrize("name", JOURNALS)
def test_no_row_of_a_part_is_missing_or_twice(name: str, tmp_path: Path) -> None:
    rows = [piece for piece in all_pieces(name, tmp_path) if piece.cells]
    (table,) = rows[0].place.source.tables.values()
    found = Counter[str]()
    for row in rows:
        fold = row.place.fold.partition(":")[0]
        found["Data of the figure" if fold == "Quality against cost" else fold] += batches_in(row)

    assert len({(row.place.fold, row.place.bold, row.text) for row in rows}) == len(rows)
    assert found == Counter({part: count for part, count in wanted(table).items() if count})


def words(name: str, folder: Path) -> str:
    return "\n".join(piece.text for piece in parts(name, folder))


def test_the_rare_parts_are_there(tmp_path: Path) -> None:
    runtimes, idle = words("two runtimes", tmp_path), words("restless", tmp_path)

    assert "</code> at batch 8, 64 (611 B as disk)" in runtimes
    assert " more." in runtimes
    assert "est.* | estimated |" in runtimes
    assert "Idle power was not measured: the idle power went from 6 W to 8.52 W" in idle
    assert "¹ " in idle
    assert "² " in idle
    assert "has 13 panels here" in words("many panels", tmp_path)
    assert "mean of 3 seeds" in words("a sweep of three seeds", tmp_path)
