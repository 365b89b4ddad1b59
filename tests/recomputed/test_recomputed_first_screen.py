"""The first screen of a page, made again from journals that say what the committed ones do not."""

import csv
import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import recompute
import shown_best
import shown_first_screen
import shown_main_table
import shown_trust
import shown_verdict
from journals import PACKAGE, SETTINGS, Cost, a_case, a_journal, a_run, an_idle, package, save
from page_pieces import Piece, Source, altered, has_number, is_known, is_right, pieces, plain
from recompute_screen import crosses
from recompute_table import Table
from recomputed_journals import COMMITTED, source, written
from shown_first_screen import settings

from bench.meter import Status, Unusable
from bench.record import CaseRecord
from bench.report.write import write

MODULES = (
    shown_best, shown_first_screen, shown_main_table, shown_trust, shown_verdict,
)  # fmt: skip
ROWS = {p: check for each in MODULES for p, check in getattr(each, "ROWS", {}).items()}
LINES = {p: check for each in MODULES for p, check in getattr(each, "LINES", {}).items()}
BEST = ("workload", "batch", "best within the quality budget")
IN_ONE_RUNTIME, IN_SEVERAL = (
    next(each.stem for each in COMMITTED if each.stem.endswith(run)) for run in ("61e41a", "13029b")
)
BRIEF, OF_ALL = (*BEST, "quality (Δ)"), (*BEST, "runtime")


Cases = Iterator[tuple[CaseRecord, list[Any]]]


def wobbling(factor: float, noise: float = 0.004) -> list[tuple[Cost, Cost]]:
    """Ten pairs that differ without any randomness."""
    return [
        (
            package(0.01 * (1 + 0.003 * math.sin(2.1 * number)), 0.001, 1e-5),
            package(0.01 * factor * (1 + noise * math.sin(1.3 * number + factor)), 0.001, 1e-5),
        )
        for number in range(10)
    ]


def in_another(technique: str, runtime: str, **changes: Any) -> CaseRecord:
    """A case that is held against the baseline of the runtime ``eager``."""
    case = a_case(technique, runtime=runtime, **changes)
    return replace(case, baseline=a_case(**{**changes, "level": {}}).case)


def bleu(value: float) -> dict[str, Any]:
    return {"metric": "BLEU", "value": value, "target": 30.125, "n": 12345}


def in_several_runtimes() -> Cases:
    """Each kind of winner: a type, a smaller model, a runtime, none; a metric that is no share."""
    for batch in (1, 8):
        net: dict[str, Any] = {"workload": "a-net", "batch": batch, "baseline_quality": bleu(31.2)}
        yield a_case(**net, quality=bleu(31.2)), wobbling(1.0)
        yield in_another("baseline", "openvino", **net, quality=bleu(31.2)), wobbling(0.8)
        int8: dict[str, Any] = {"level": {"dtype": "int8"}, "kernels": {"int8": 13, "float32": 2}}
        yield in_another("precision", "openvino", **net, **int8, quality=bleu(30.9)), wobbling(0.5)
        fp16: dict[str, Any] = {"level": {"dtype": "fp16"}, "kernels": {"float32": 15}}
        yield in_another("precision", "eager", **net, **fp16, quality=bleu(31.2)), wobbling(0.9)
        pruned = in_another("pruning", "eager", **net, nonzero=500, quality=bleu(30.13))
        yield pruned, wobbling(0.4 + batch / 100)
    yield a_case(workload="b-same"), wobbling(1.0)
    yield in_another("baseline", "openvino", workload="b-same"), wobbling(0.6)


def of_other_verdicts() -> Cases:
    """What costs, what cannot be decided, compared or measured."""
    yield a_case(workload="c-bad", quality=None, baseline_quality=None), wobbling(1.0)
    for technique, factor in {"t1": 1.2, "t2": 1.3, "t3": 1.4, "t4": 1.5, "t5": 1.6}.items():
        yield a_case(technique, workload="c-bad", quality=None), wobbling(factor)
    yield a_case("wild", workload="c-bad", quality=None), wobbling(1.03, 0.4)
    alone = [(None, after) for _, after in wobbling(0.5)]
    yield a_case("alone", workload="d7"), alone
    yield a_case(workload="d7"), wobbling(1.0)
    broken = [(Cost({PACKAGE.id: None}), Cost({PACKAGE.id: None}))] * 3
    yield a_case("broken", workload="d7"), broken
    yield a_case(workload="e5"), wobbling(1.0)
    yield a_case("saving", workload="e5"), wobbling(0.7)


def of_many_workloads() -> Cases:
    """More than the brief table has room for."""
    for number in range(25):
        name: dict[str, Any] = {"workload": f"w-{chr(ord('a') + number)}"}
        name |= {"quality": None, "baseline_quality": None} if number % 3 else {}
        yield a_case(**name), wobbling(1.0)
        yield a_case("t5", **name), wobbling(0.85 + number / 100)


def by_time_alone() -> Cases:
    """Nothing is measured, and nothing is faster."""
    for number in range(5):
        pairs = [(Cost({}, before.seconds), Cost({}, 0.002)) for before, _ in wobbling(1.0)]
        yield a_case(workload=f"w{number}"), [(before, before) for before, _ in pairs]
        yield a_case("t9", workload=f"w{number}", size_bytes={"disk": 900, "nominal": 1}), pairs


OLD = Unusable("nvml", Status.UNAVAILABLE, "the driver 470 is too old", "install 535 or newer")
SCREENS: dict[str, tuple[Callable[[], Cases], dict[str, Any]]] = {
    "several runtimes": (in_several_runtimes, {"settings": {**SETTINGS, "processes": 5}}),
    "other verdicts": (
        of_other_verdicts,
        {
            "settings": {**SETTINGS, "processes": 5},
            "channels": (replace(PACKAGE, origin="replay:trace-7.csv"),),
        },
    ),
    "many workloads": (of_many_workloads, {}),
    "by time alone": (by_time_alone, {"channels": (), "unusable": (OLD,)}),
}


def page_of(name: str, folder: Path) -> tuple[str, Source]:
    """A page of some cases, and what it was written from."""
    make, changes = SCREENS[name]
    fresh = changes.get("settings", {}).get("processes", 1)
    idle = [an_idle(4.0), an_idle(4.1)] if changes.get("channels", (PACKAGE,)) else ()
    journal = a_journal(list(make()), run=a_run(**changes), idle=idle)
    windows = [replace(w, process=w.pair % fresh) for w in journal.windows]
    path = save(replace(journal, windows=tuple(windows)), folder)
    page, sheet = write([path], folder / "page.md")[:2]
    told = recompute.read(path)
    lines = csv.DictReader(sheet.read_text(encoding="utf-8").splitlines())
    boundary = next((each["boundary"] for each in lines if each["quantity"] == "energy"), "")
    return page.read_text(encoding="utf-8"), Source(told, {"cpu": Table(told, "cpu", boundary)})


@pytest.fixture(scope="module", params=SCREENS)
def screen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Piece]:
    """What stands above the first folded part, and the main table, with a number in it."""
    page, told = page_of(request.param, tmp_path_factory.mktemp("screen"))
    return [
        each
        for each in pieces(page, told)
        if has_number(each) and each.place.fold in {"", "Main table, all rows"}
    ]


def test_every_number_of_an_odd_first_screen_can_be_made_again(screen: list[Piece]) -> None:
    assert [each.text for each in screen if not is_known(each, ROWS, LINES)] == []
    assert [each.text for each in screen if not is_right(each, ROWS, LINES)] == []


def test_a_number_of_an_odd_first_screen_that_is_altered_is_found(screen: list[Piece]) -> None:
    chance = random.Random(7)
    changed = [altered(each, chance.randrange) for each in screen for _ in range(12)]

    assert [each.text for each in changed if is_right(each, ROWS, LINES)] == []


@pytest.mark.parametrize("name", [IN_ONE_RUNTIME, IN_SEVERAL])
def test_no_workload_and_batch_is_missing_among_the_best(name: str) -> None:
    found = list(pieces(written(name)[1][".md"], source(name)))
    for table in source(name).tables.values():
        both = {
            several: [
                (plain(workload), str(batch))
                for (workload, batch), cases in settings(table).items()
                if crosses(cases) == several
            ]
            for several in (False, True)
        }
        rows = {
            several: [each.cells[:2] for each in found if each.place.header[:4] == header]
            for several, header in ((False, BRIEF), (True, OF_ALL))
        }

        assert list(dict.fromkeys(rows[True])) == both[True]
        assert not rows[False] or rows[False] == both[False][: len(rows[False])]


def test_a_row_that_saves_less_than_another_is_not_the_best() -> None:
    rows = [
        each
        for each in pieces(written(IN_ONE_RUNTIME)[1][".md"], source(IN_ONE_RUNTIME))
        if each.place.header[:4] == BRIEF
    ]
    for shown in rows:
        kept = shown.cells[:3]
        others = [each for each in rows if each.cells[2] != kept[2]]
        wrong = [replace(shown, cells=(*kept[:2], *each.cells[2:])) for each in others]

        assert is_right(shown, ROWS, LINES)
        assert wrong
        assert not any(is_right(each, ROWS, LINES) for each in wrong)


@pytest.fixture(scope="module")
def in_runtimes() -> list[Piece]:
    """The rows of a main table in several runtimes."""
    return [
        each
        for each in pieces(written(IN_SEVERAL)[1][".md"], source(IN_SEVERAL))
        if each.place.header[:3] == ("variant", "runtime", "runs in")
    ]


def test_a_row_that_is_bold_without_being_best_is_found(in_runtimes: list[Piece]) -> None:
    assert in_runtimes

    def toggled(header: str, cell: str) -> str:
        if not header.startswith(("variant", "runtime", "time", "verdict")):
            return cell
        return cell.strip("*") if cell.startswith("**") else f"**{cell}**"

    for row in in_runtimes:
        cells = tuple(toggled(*each) for each in zip(row.place.header, row.cells, strict=True))

        assert is_right(row, ROWS, LINES)
        assert not is_right(replace(row, cells=cells), ROWS, LINES)


def test_a_mark_of_the_front_in_the_wrong_place_is_found(in_runtimes: list[Piece]) -> None:
    for row in in_runtimes:
        first, *rest = row.cells
        stars = "**" if first.startswith("**") else ""
        name = re.sub(" [●○]$", "", first.strip("*"))
        forms = {f"{stars}{name}{mark}{stars}" for mark in ("", " ●", " ○")} - {first}

        assert len(forms) == 2
        assert not any(is_right(replace(row, cells=(each, *rest)), ROWS, LINES) for each in forms)
