"""What holds of every export, and the verb that writes them."""

import csv
import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from export_journals import (
    HOSTILE,
    drawn,
    file_formats,
    hostile,
    of_cpu,
    of_gpu,
    of_power_model,
    rendered,
    saved,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import SAMPLES, a_case, a_journal, package, save

from bench.cli import main
from bench.compare import compare
from bench.export_format import slugs, xml_text
from bench.quantities import Quantity
from bench.records import Journal

FORMATS = file_formats()
EXAMPLES = {"cpu": of_cpu, "gpu": of_gpu, "model": of_power_model, "hostile": hostile}


def numbers(content: str | bytes) -> list[float]:
    """Every number of a document in JSON."""
    found: list[float] = []
    json.loads(content, parse_float=lambda text: found.append(float(text)))
    return found


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_same_journal_gives_the_same_bytes(name: str, example: str) -> None:
    tables = compare([EXAMPLES[example]()])

    assert drawn(FORMATS[name], tables) == drawn(FORMATS[name], compare([EXAMPLES[example]()]))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_takes_a_case_or_says_why_not(name: str) -> None:
    for example in EXAMPLES.values():
        done = drawn(FORMATS[name], compare([example()]))
        if done is None:
            pytest.skip(f"the library of {name} is not installed")

        assert done.files or done.left_out
        assert all(each.reason for each in done.left_out)


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_text_comes_out_as_a_valid_document(name: str) -> None:
    done = drawn(FORMATS[name], compare([hostile()]))
    if done is None:
        pytest.skip(f"the library of {name} is not installed")

    for ending, content in done.files.items():
        assert "/" not in ending
        if isinstance(content, str):
            text = content.encode("utf-8").decode("utf-8")
            suffix = FORMATS[name].inside or FORMATS[name].suffix
            if suffix.endswith(".json"):
                json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
            elif suffix.endswith(".xml"):
                assert "<script>" not in text
                ET.fromstring(text)
            else:
                rows = list(csv.reader(io.StringIO(text, newline="")))
                assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("name", FORMATS)
def test_a_journal_without_any_case_gives_no_file(name: str) -> None:
    done = drawn(FORMATS[name], compare([a_journal([])]))

    assert done is None or done.files == {}


def test_a_number_that_is_not_finite_is_never_written() -> None:
    journal = of_cpu()
    bad = replace(journal.cases[0], quality={"metric": "x", "value": math.nan, "target": None})
    journal = replace(journal, cases=(bad, *journal.cases[1:]))

    for name, form in FORMATS.items():
        done = drawn(form, compare([journal]))
        for content in done.files.values() if done else ():
            if isinstance(content, str):
                assert "NaN" not in content, name
                assert "Infinity" not in content, name
                assert '"nan"' not in content, name


def test_what_only_tells_of_instruments_says_nothing_of_a_power_model() -> None:
    wanted = ("RAPL exists and this user may not read it", "the format is of GPUs")
    for name in ("github_action_benchmark", "mlenergy", "mlperf_energy", "ai_energy_score"):
        done = rendered(name, of_power_model())

        assert done.files == {}, name
        assert any(why in str(done.left_out) for why in wanted), name


@given(st.lists(st.text(), unique=True, max_size=8))
@settings(max_examples=60, deadline=None)
def test_slugs_are_plain_and_no_two_are_alike(names: list[str]) -> None:
    found = slugs(names)

    assert set(found) == set(names)
    assert len({slug.lower() for slug in found.values()}) == len(names)
    assert all(slug.isascii() and ".." not in slug.split("/") for slug in found.values())
    assert all(part for slug in found.values() for part in slug.split("/"))


@given(st.text(st.characters()))
@settings(max_examples=60, deadline=None)
def test_any_text_can_stand_in_xml(text: str) -> None:
    root = ET.Element("a", name=xml_text(text))
    root.text = xml_text(text)

    assert ET.fromstring(ET.tostring(root, encoding="utf-8")).tag == "a"


def test_long_names_that_differ_at_the_end_stay_apart() -> None:
    one, other = ("x" * 300 + end for end in "ab")

    assert len(set(slugs([one, other]).values())) == 2
    assert all(len(slug) < 200 for slug in slugs([one, other]).values())


@pytest.fixture
def measured_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one measured journal, which is the working folder."""
    (tmp_path / "results").mkdir()
    save(of_cpu(), tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_format_stands_in_the_list_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--list"]) == 0
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())

    assert {name.replace("_", "-") for name in FORMATS} <= set(listed)
    assert all(len(about) > 20 for about in listed.values())


def test_the_newest_journal_goes_beside_the_reports(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", "github-action-benchmark"]) == 0

    (path,) = (measured_here / "reports").iterdir()
    assert path.name == "20261123T101203Z-0123456789ab-r1.github-action-benchmark.json"
    assert f"wrote reports/{path.name}" in capsys.readouterr().out


def test_a_dash_prints_what_the_file_would_hold(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", "junit", "-o", "here.xml"]) == 0
    capsys.readouterr()
    assert main(["export", "--to", "junit", "-o", "-"]) == 0

    assert capsys.readouterr().out == (measured_here / "here.xml").read_text(encoding="utf-8")


def test_several_files_are_not_printed(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", "boamps", "-o", "-"]) == 2
    assert "5 files; give -o FILE, or --case" in capsys.readouterr().err
    assert main(["export", "--to", "boamps", "--case", "student", "-o", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["task"]["nbRequest"] == 3 * SAMPLES


def test_several_files_stand_in_a_folder(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", "boamps", "-o", "out/mine"]) == 0
    assert capsys.readouterr().out == "wrote out/mine: 5 files\n"

    names = {path.name for path in (measured_here / "out/mine").iterdir()}
    assert "digits_student_eager_cpu_b1.json" in names
    assert len(names) == 5


def test_one_file_of_a_folder_may_have_a_name(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["export", "--to", "boamps", "-o", "one.json"]

    assert main([*call, "--case", "student"]) == 0
    assert json.loads((measured_here / "one.json").read_text("utf-8"))["task"]
    assert main(call) == 2
    assert "this export is 5 files; give a folder, or --case" in capsys.readouterr().err
    assert main([*call, "--case", "none"]) == 1


def test_each_journal_has_a_file_of_its_own(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = replace(of_cpu(), path=Path("20261124T101203Z-0123456789ab-r2.jsonl"))
    save(later, measured_here / "results")

    assert main(["export", "results", "--to", "junit"]) == 0
    assert len(list((measured_here / "reports").glob("*.junit.xml"))) == 2
    assert main(["export", "results", "--to", "junit", "-o", "one.xml"]) == 2
    assert "2 journals make as many files" in capsys.readouterr().err


def test_nothing_to_export_says_why_and_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(of_power_model(), tmp_path)

    assert main(["export", str(path), "--to", "github-action-benchmark"]) == 1
    told = capsys.readouterr()
    assert "left out digits/baseline/eager/cpu/b1 and 1 more: RAPL exists and this" in told.err
    assert "nothing was exported" in told.err
    assert not (tmp_path / "reports").exists() or not list((tmp_path / "reports").iterdir())


def test_a_case_that_is_in_no_journal_is_no_success(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", "junit", "--case", "no-such"]) == 1
    assert "nothing was exported" in capsys.readouterr().err


def test_a_format_that_there_is_not_is_a_wrong_call(
    measured_here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", "pdf"]) == 2
    assert "there is no such format; choose from" in capsys.readouterr().err


def test_a_folder_without_journals_is_a_wrong_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["export", "--to", "junit"]) == 2
    assert "no journal in results; run pytest --benchmark suites first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "library"), [("mlflow", "mlflow"), ("wandb", "wandb"), ("parquet", "pyarrow")]
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    measured_here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    to: str,
    library: str,
) -> None:
    def absent(name: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", absent)

    assert main(["export", "--to", to]) == 1
    told = capsys.readouterr().err
    assert f"{library} is not installed; pip install 'joulebench[{to}]'" in told


def test_a_format_of_somebody_else_is_found_as_a_file(
    measured_here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench.exports

    folder = measured_here / "added"
    folder.mkdir()
    (folder / "counted.py").write_text(
        "from bench.export_format import FileFormat, Rendered\n"
        "export = FileFormat('how many', '.n', lambda tables: "
        "Rendered({'': str(sum(len(t.rows) for t in tables))}))\n",
        encoding="utf-8",
    )
    (folder / "broken.py").write_text("export = len\n", encoding="utf-8")
    monkeypatch.setattr(bench.exports, "__path__", [*bench.exports.__path__, str(folder)])
    try:
        assert main(["export", "--to", "counted", "-o", "-"]) == 0
        assert capsys.readouterr().out == "5"
        assert main(["export", "--list"]) == 0
        assert "gives a builtin_function_or_method, wanted a FileFormat" in capsys.readouterr().out
        assert main(["export", "--to", "broken"]) == 2
    finally:
        for name in ("counted", "broken"):
            sys.modules.pop(f"bench.exports.{name}", None)


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("simulated:device", "a simulated device was measured, not a machine"),
        ("replay:trace", "its joules are a replayed trace, not this machine's"),
    ],
)
def test_what_no_machine_used_is_in_no_form_of_machines(origin: str, reason: str) -> None:
    journal = of_cpu()
    channel = replace(journal.run.channels[0], origin=origin)
    journal = replace(journal, run=replace(journal.run, channels=(channel,)))

    for name in ("boamps", "mlperf_energy"):
        done = rendered(name, journal)
        assert done.files == {}
        assert {each.reason for each in done.left_out} == {reason}
    (content,) = rendered("github_action_benchmark", journal).files.values()
    assert all("simulated or replayed" in entry["name"] for entry in json.loads(content))


def test_every_entry_of_a_chart_is_in_millijoules() -> None:
    journal = of_cpu()
    (content,) = rendered("github_action_benchmark", journal).files.values()
    entries = json.loads(content)

    assert {entry["unit"] for entry in entries} == {"mJ"}
    assert [entry["value"] for entry in entries] == pytest.approx([10.0, 10.1, 10.0, 5.1, 5.1])
    assert len({entry["name"] for entry in entries}) == len(entries)
    assert all(isinstance(entry["range"], str) for entry in entries)


def test_exported_joules_are_those_of_the_comparison(tmp_path: Path) -> None:
    journal = saved(of_cpu(), tmp_path)
    (table,) = compare([journal])
    (content,) = rendered("github_action_benchmark", journal).files.values()

    wanted = [1e3 * row.energy.value for row in table.rows if isinstance(row.energy, Quantity)]
    assert [entry["value"] for entry in json.loads(content)] == pytest.approx(wanted, rel=1e-12)


def test_the_joules_of_a_case_are_the_mean_of_its_windows(tmp_path: Path) -> None:
    journal = saved(
        a_journal(
            [(a_case(), [(package(0.010), package(0.012)), (package(0.014), package(0.016))])]
        ),
        tmp_path,
    )
    own = [w for w in journal.windows if w.role in {"baseline", "control"}]
    joules = [w.energy[0].joules / w.samples for w in own if w.energy[0].joules]
    by_hand = 1e3 * sum(joules) / len(joules)

    (content,) = rendered("github_action_benchmark", journal).files.values()
    (entry,) = json.loads(content)
    assert by_hand == pytest.approx(13.0)
    assert entry["value"] == pytest.approx(by_hand, rel=1e-12)


def test_hostile_is_hostile() -> None:
    journal: Journal = hostile()

    assert journal.run.run_id == HOSTILE
    assert json.loads(json.dumps(HOSTILE)) == HOSTILE
