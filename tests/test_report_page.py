"""The page as a whole, its plug-ins, and the files that are written."""

import io
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from journals import (
    MACHINE,
    PACKAGE,
    PROCESS,
    SETTINGS,
    Cost,
    a_case,
    a_journal,
    a_run,
    package,
    save,
)

import bench.report.sections
from bench.compare import compare
from bench.meter import Status, Unusable
from bench.quantities import Kind
from bench.record import Discard, Note, Run, Window
from bench.records import Journal
from bench.report.markdown import GridFactor, Report, page
from bench.report.write import write
from bench.window import ChannelEnergy
from reports import HALF, estimated, measured, report_of

HOSTILE = "<script>alert(1)</script>|x\n# y"


def test_several_runs_each_have_their_verdict_trust_box_and_table() -> None:
    other = measured(run=a_run(run_id="r2"), path="b.jsonl")
    report = Report(compare([measured(), other]), grid=GridFactor(36.0, "x"))
    text = page(report)

    for said in ("> cpu · run r1: ", "> cpu · run r2: ", "**Trust box: cpu · run r2**"):
        assert said in text
    assert text.count("## cpu · run r") == 2
    assert text.count("Provenance · run") == 2


def test_a_page_without_any_table_says_that_nothing_was_measured() -> None:
    assert "no journal holds a finished case" in page(Report(()))


def hostile_journal() -> Journal:
    """A journal of which every string that anyone may choose is hostile."""
    channel = replace(PACKAGE, origin=HOSTILE, boundary=HOSTILE, note=HOSTILE)
    guess = replace(PROCESS, id=HOSTILE, boundary=HOSTILE, origin=HOSTILE, note=HOSTILE)
    run = Run(
        HOSTILE, HOSTILE, HOSTILE, {**SETTINGS, "profile": HOSTILE, HOSTILE: HOSTILE}, 0,
        {"commit": HOSTILE, "dirty": True},
        {**{name: HOSTILE for name in MACHINE if name not in ("gpu", "memory_bytes")},
         "gpu": [{"name": HOSTILE, "uuid": HOSTILE}], "memory_bytes": 1},
        {HOSTILE: HOSTILE}, (channel, guess),
        (Unusable(HOSTILE, Status.PERMISSION, HOSTILE, HOSTILE),),
    )  # fmt: skip
    judged = {"metric": HOSTILE, "value": 0.97, "target": 0.95, "n": 10}
    strings: dict[str, Any] = {
        "level": {HOSTILE: HOSTILE},
        "runtime": HOSTILE,
        "workload": HOSTILE,
        "unit": HOSTILE,
        "note": HOSTILE,
        "device": HOSTILE,
        "device_id": HOSTILE,
        "quality": judged,
        "baseline_quality": judged,
    }
    cases = [(a_case(**strings), HALF), (a_case(HOSTILE, **strings), HALF)]
    lost = (a_case("lost", **strings), [(package(1.0), Cost({PACKAGE.id: None}))] * 2)
    journal = a_journal(
        [*cases, lost], run=run, discards=[Discard(HOSTILE, 0, HOSTILE)],
        notes=[Note(HOSTILE, HOSTILE)], path=f"{HOSTILE.replace('/', '')}.jsonl",
    )  # fmt: skip
    return replace(journal, windows=tuple(_hostile_window(w) for w in journal.windows))


def _hostile_window(window: Window) -> Window:
    def change(energy: ChannelEnergy) -> ChannelEnergy:
        return replace(energy, boundary=HOSTILE, reason=HOSTILE)

    guess = ChannelEnergy(HOSTILE, 1.0, 0.5, 2.0, Kind.ESTIMATED, HOSTILE, Status.OK)
    energy = (*map(change, window.energy), guess)
    return replace(window, energy=energy, flags=(HOSTILE,))


def test_hostile_strings_are_harmless_and_keep_every_table_intact() -> None:
    text = page(
        report_of(hostile_journal(), figure=f"{HOSTILE}.svg", grid=GridFactor(1.0, HOSTILE))
    )

    assert "<script" not in text
    assert not any(line.lstrip("> -").startswith("# y") for line in text.splitlines())
    tags = set(re.findall(r"</?[a-z]+", text))
    allowed = {"details", "summary", "pre", "code", "sub", "br"}
    assert {tag.strip("</") for tag in tags} <= allowed
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1
    assert "could not be written" not in text
    assert text.replace("\n", "").replace("\u202f", "").isprintable()


@pytest.fixture
def section_folder(tmp_path: Path) -> Iterator[Path]:
    bench.report.sections.__path__.append(str(tmp_path))
    yield tmp_path
    bench.report.sections.__path__.remove(str(tmp_path))


def test_a_section_that_is_put_into_the_folder_appears_in_its_place(section_folder: Path) -> None:
    (section_folder / "greeting_of_a_test.py").write_text(
        "ORDER = 15\ndef section(report):\n    return 'Hello from a plug-in.'\n", encoding="utf-8"
    )
    text = page(report_of(measured()))

    assert text.index("Costs more energy") < text.index("Hello from") < text.index("Trust box")


def test_a_section_that_fails_leaves_a_visible_line_and_the_others_stand(
    section_folder: Path,
) -> None:
    (section_folder / "failing_of_a_test.py").write_text(
        "def section(report):\n    raise KeyError('<b>')\n", encoding="utf-8"
    )
    (section_folder / "broken_of_a_test.py").write_text("import nothing_at_all\n", encoding="utf-8")
    text = page(report_of(measured()))

    assert "**The section failing_of_a_test could not be written:** KeyError: '&lt;b&gt;'" in text
    assert "**The section broken_of_a_test could not be written:** ModuleNotFoundError" in text
    assert "Run it again" in text


def test_the_same_journal_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    journal = save(measured(), tmp_path)
    first = write([journal], tmp_path / "one" / "report.md")
    second = write([journal], tmp_path / "two" / "report.md")

    assert [path.name for path in first] == ["report.md", "report.csv", "report.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert "](report.svg)" in first[0].read_text(encoding="utf-8")
    assert sorted(p.name for p in first[0].parent.iterdir()) == sorted(p.name for p in first)


def test_the_csv_holds_si_values_with_unit_kind_boundary_or_the_reason(tmp_path: Path) -> None:
    _, csv = write([save(estimated(), tmp_path)], tmp_path / "r.md")[:2]
    frame: Any = pd.read_csv(io.StringIO(csv.read_text(encoding="utf-8")))
    by_quantity = frame[frame.technique == "masked"].set_index("quantity")

    guess = by_quantity.loc["energy_estimate"]
    assert (guess["value"], guess["unit"], guess["kind"]) == (0.001, "J/sample", "estimated")
    assert math.isnan(by_quantity.loc["energy", "value"])
    assert "no power source" in by_quantity.loc["energy", "reason"]
    assert by_quantity.loc["time_ratio", "n"] == 3
    assert by_quantity.loc["latency_p50", "unit"] == "s"


def test_a_report_without_figure_has_no_svg_and_no_image(tmp_path: Path) -> None:
    journal = a_journal([(a_case("a", quality=None), HALF)])
    files = write([save(journal, tmp_path)], tmp_path / "r.md")

    assert [path.name for path in files] == ["r.md", "r.csv"]
    assert "![" not in files[0].read_text(encoding="utf-8")


def test_a_report_of_no_journal_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give at least one"):
        write([], tmp_path / "r.md")


def test_a_report_that_cannot_be_put_in_place_leaves_no_temporary_file(tmp_path: Path) -> None:
    journal = save(measured(), tmp_path)
    (tmp_path / "out" / "r.md" / "in the way").mkdir(parents=True)

    with pytest.raises(OSError, match=r"r\.md"):
        write([journal], tmp_path / "out" / "r.md")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.md"]
