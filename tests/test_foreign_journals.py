"""Journals of strangers: a clear error or a visible mark, nothing is run, nothing else is lost."""

import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from foreign import (
    FORMULA,
    HOSTILE,
    Line,
    changed,
    free_texts,
    leaves,
    save_lines,
    shape,
    with_texts,
)
from foreign_edits import LINES, read_or_error, run, said_of, window
from harmless import faults_of_file, of_csv, unprintable

from bench.cli import main
from bench.compare import compare
from bench.discover import plugins
from bench.export_format import FileFormat
from bench.records import read
from bench.report.markdown import Report, page
from bench.report.terminal import lines as terminal_lines
from bench.report.write import csv, write

FORMATS: dict[str, FileFormat] = {
    name: plugin.target
    for name, plugin in plugins("bench.exports", "export")[0].items()
    if isinstance(plugin.target, FileFormat)
}
KEEP_ENERGY = {"id", "channel", "boundary", "domain", "device", "device_id", "runtime"}
"""Fields by which a channel is known: with others in them there is no energy to show."""


def test_the_journal_of_these_tests_is_sound_and_uses_every_text_of_the_schema() -> None:
    known = {shape(line, path) for line in LINES for path, _ in leaves(line)}

    assert free_texts() <= known


@pytest.mark.parametrize("keep", [set(), KEEP_ENERGY], ids=["all texts", "all but channels"])
@pytest.mark.parametrize("text", [HOSTILE, FORMULA, "\u202e", "", "|", "-1+1"])
def test_what_a_hostile_text_holds_stays_text_in_every_file(
    text: str, keep: set[str], tmp_path: Path
) -> None:
    names: dict[str, str] = {}

    def change(value: str) -> str:
        return names.setdefault(value, f"{text}{len(names)}")

    path = save_lines(with_texts(LINES, change, keep), tmp_path / "hostile.jsonl")
    written = write([path], tmp_path / "page.md")

    assert [f"{path.name} {fault}" for path in written for fault in faults_of_file(path)] == []
    shown = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "could not be written" not in shown
    for line in terminal_lines(compare([read(path)])):
        assert unprintable(line) == []
        assert len(line) <= 100


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_of_hostile_texts_is_what_its_reader_takes(name: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet") if name == "parquet" else None
    lines = with_texts(LINES, lambda text: f"{text}{HOSTILE}", KEEP_ENERGY)
    tables = compare([read(save_lines(lines, tmp_path / "hostile.jsonl"))])

    for content in FORMATS[name].render(tables).files.values():
        if parquet:
            assert isinstance(content, bytes)
            assert parquet.read_table(io.BytesIO(content)).num_rows > 0
        elif "csv" in name:
            assert of_csv(str(content)) == []
        elif "junit" in name:
            assert ET.fromstring(content).tag
        else:
            assert json.loads(content, parse_constant=pytest.fail)


@pytest.mark.parametrize("where", sorted(free_texts()), ids="/".join)
def test_a_hostile_text_in_one_field_harms_no_page(where: tuple[str, ...], tmp_path: Path) -> None:
    lines = [
        next((changed(line, p, HOSTILE) for p, _ in leaves(line) if shape(line, p) == where), line)
        for line in LINES
    ]
    path = save_lines(lines, tmp_path / "one.jsonl")
    found = read_or_error(path)
    if isinstance(found, str):
        assert unprintable(found) == []
        return
    tables = compare([found])
    target = tmp_path / "page.md"
    target.write_text(page(Report(tables)), encoding="utf-8")
    sheet = tmp_path / "page.csv"
    sheet.write_text(csv(tables), encoding="utf-8")

    assert [*faults_of_file(target), *faults_of_file(sheet)] == []
    assert unprintable("\n".join(terminal_lines(tables))) == []


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.99])
def test_of_a_journal_that_was_cut_off_what_was_finished_is_reported(
    kept: float, tmp_path: Path
) -> None:
    whole = save_lines(LINES, tmp_path / "whole.jsonl").read_bytes()
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(whole[: round(kept * len(whole))])

    said = said_of(read(torn))

    assert "torn off after" in said or "no journal holds a finished case" in said


def broken_kinds(folder: Path) -> dict[str, Path]:
    """A journal of each kind that cannot be read."""
    found = {
        "newer": save_lines(run(schema=99), folder / "newer.jsonl"),
        "missing": folder / "missing.jsonl",
        "empty": save_lines([], folder / "empty.jsonl"),
        "negative": save_lines(window(samples=-1), folder / "negative.jsonl"),
    }
    binary = folder / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00\n")
    return {**found, "binary": binary}


@pytest.mark.parametrize("kind", ["newer", "missing", "empty", "negative", "binary"])
def test_a_journal_that_cannot_be_read_costs_no_other_its_report(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = save_lines(LINES, tmp_path / "good.jsonl")
    bad = broken_kinds(tmp_path)[kind]
    out = tmp_path / "page.md"

    assert main(["report", str(bad), str(good), "-o", str(out)]) == 2

    shown = out.read_text(encoding="utf-8")
    assert bad.name in capsys.readouterr().err
    assert "pruned@density=0.1" in shown
    assert f"<code>{bad.name}</code>" in shown
    assert shown.index("Left out") < shown.index("pruned@density=0.1")
    assert faults_of_file(out) == []


def other(**changes: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [{**lines[0], "run_id": "r2", **changes}, *lines[1:]]


FOREIGN: dict[str, Callable[[list[Line]], list[Line]]] = {
    "machine": other(machine={**LINES[0]["machine"], "id": "fedcba987654", "cpu": "another CPU"}),
    "driver": other(packages={"torch": "2.9.0", "nvidia-driver": "999.9"}),
    "boundary": lambda lines: [
        *json.loads(json.dumps(other()(lines)).replace('"cpu-package"', '"cpu-package only"'))
    ],
    "kind": lambda lines: [
        *json.loads(json.dumps(other()(lines)).replace('"measured"', '"sampled"'))
    ],
    "workload version": lambda lines: [
        *json.loads(json.dumps(other()(lines)).replace('"v1"', '"v2"'))
    ],
}


@pytest.mark.parametrize("difference", FOREIGN)
def test_runs_of_different_machines_meters_and_workloads_stand_in_tables_of_their_own(
    difference: str, tmp_path: Path
) -> None:
    ours = save_lines(LINES, tmp_path / "ours.jsonl")
    theirs = save_lines(FOREIGN[difference](LINES), tmp_path / "theirs.jsonl")

    tables = compare([read(ours), read(theirs)])
    said = page(Report(tables))

    assert [table.journal.run.run_id for table in tables] == ["r1", "r2"]
    assert [len(table.rows) for table in tables] == [2, 2]
    assert said.count("Trust box") == 2
    assert "could not be written" not in said


@pytest.mark.skipif(
    importlib.util.find_spec("bench.verbs.compare") is None, reason="there is no verb compare yet"
)
@pytest.mark.parametrize("difference", [name for name in FOREIGN if name != "driver"])
def test_compare_refuses_what_differs_by_name_and_shows_both(
    difference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = save_lines(LINES, tmp_path / "ours.jsonl")
    theirs = save_lines(FOREIGN[difference](LINES), tmp_path / "theirs.jsonl")

    main(["compare", str(ours), str(theirs)])

    shown = capsys.readouterr()
    assert "not comparable" in shown.out + shown.err
    assert difference.split(maxsplit=1)[0] in shown.out + shown.err
