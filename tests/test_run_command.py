"""`joulebench run`: a user's own model or program against variants of it, in one command."""

import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from own_models import CC, FACTORIES, compile_c, write_onnx, write_trace

from bench.cli import main
from bench.compare import Row, compare
from bench.quantities import Kind, Quantity
from bench.record import JournalError
from bench.records import Journal, journals, read
from bench.refusal import Refusal
from bench.run_command import refusal_of
from bench.schedule import PROFILES, Schedule

TINY = Schedule(pairs=2, block_s=0.02, warmup_s=0.01, idle_s=0.02, margin=0.03)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _loaded: None) -> Path:
    """The current folder, with a profile that is as short as the loop allows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PROFILES, "tiny", TINY)
    monkeypatch.setenv("JOULES_PROFILE", "tiny")
    monkeypatch.setenv("JOULES_METERS", "codecarbon")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "mynet", sys)  # so that it is taken away afterwards
    monkeypatch.delitem(sys.modules, "mynet")
    (tmp_path / "mynet.py").write_text(FACTORIES)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["run", *arguments])


def journal_of(folder: Path) -> Journal:
    (path,) = journals(folder / "results")
    return read(path)


def rows(folder: Path) -> Sequence[Row]:
    (table,) = compare([journal_of(folder)])
    return table.rows


def test_an_onnx_file_is_measured_against_its_variant(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    write_onnx(here / "net.onnx", 32768)
    write_onnx(here / "small.onnx", 8)

    code = run(
        "onnx:net.onnx",
        "--vs",
        "small=onnx:small.onnx",
        "--shape",
        "x=8x16",
        "--meters",
        write_trace(here),
    )

    out = capsys.readouterr().out
    assert code == 0
    baseline, small = rows(here)
    assert baseline.case.case == "onnx:net/baseline/onnxruntime/cpu/b8"
    assert small.case.case == "onnx:net/small/onnxruntime/cpu/b8"
    assert small.case.baseline == baseline.case.case
    assert isinstance(small.energy, Quantity)
    assert small.energy.kind is Kind.MEASURED
    assert small.energy_ratio is not None
    assert small.energy_ratio.value < 1
    assert baseline.case.quality is not None
    assert baseline.case.quality["value"] == pytest.approx(1)
    assert "small" in out
    assert "wrote results/" in out
    assert "wrote reports/" in out


def test_a_python_factory_is_measured_against_its_variant_as_pytest_would(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("py:mynet:wide", "--vs", "same=py:mynet:same", "--vs", "narrow=py:mynet:narrow")

    told = capsys.readouterr()
    assert code == 0
    by_name = {row.case.technique: row for row in rows(here)}
    assert set(by_name) == {"baseline", "same", "narrow"}
    assert by_name["same"].case.batch == 4
    assert by_name["same"].case.quality is not None
    assert by_name["same"].case.quality["value"] == pytest.approx(1)
    assert by_name["narrow"].case.quality is None  # its answers have another shape
    assert by_name["narrow"].case.parameters == 64 * 8 + 8
    journal = journal_of(here)
    assert journal.end is not None
    assert journal.end.exit == 0
    assert journal.run.command.startswith("joulebench run py:mynet:wide")
    page = (here / "reports" / f"{journal.path.stem}.md").read_text()
    assert "py:wide" in page
    assert "joulebench: 3 cases × " in told.err
    assert "[3/3] py:wide/narrow/eager/cpu/b4" in told.err


@pytest.mark.skipif(not CC, reason="no C compiler")
def test_a_c_program_is_measured_per_item_of_its_work(here: Path) -> None:
    compile_c(here)

    code = run(
        *("cmd:./busy 4000", "--vs", "few=cmd:./busy 40"),
        *("--work", "2000", "--unit", "image"),
    )

    assert code == 0
    busy, few = rows(here)
    assert busy.case.case == "cmd:busy/baseline/program/cpu/b2000"
    assert (few.case.unit, few.case.batch) == ("image", 2000)
    assert few.time_ratio is not None
    assert few.time_ratio.value < 1
    for row in (busy, few):
        assert row.estimate is not None
        assert row.estimate.value > 0
    windows = [window for window in journal_of(here).windows if window.role == "variant"]
    assert all(window.samples == 2000 * window.calls for window in windows)


def test_the_estimate_of_a_program_holds_what_its_processes_used(here: Path) -> None:
    spend = "end = time.process_time() + 0.05\nwhile time.process_time() < end: pass"
    command = f"cmd:'{sys.executable}' -S -c 'import time\n{spend}'"

    assert run(command, "--pairs", "2") == 0

    windows = [w for w in journal_of(here).windows if w.role in {"baseline", "control"}]
    (channel,) = journal_of(here).run.channels
    factor = float(channel.note.partition("× ")[2].partition(" W")[0])
    for window in windows:
        (energy,) = window.energy
        assert energy.kind is Kind.ESTIMATED
        assert energy.joules is not None
        assert energy.joules >= 0.05 * window.calls * factor


def test_one_run_of_a_long_program_is_a_block(here: Path) -> None:
    assert run("cmd:sleep 0.1", "--pairs", "2") == 0

    blocks = [w for w in journal_of(here).windows if w.role in {"baseline", "control"}]
    assert {window.calls for window in blocks} <= {1, 2}


def test_how_long_a_long_program_takes_is_said_before_it_is_measured(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.verbs.run._LONG_S", 0.01)

    assert run("cmd:sleep 0.02", "--pairs", "2") == 0
    assert re.search(
        r"joulebench: a run takes 0\.0\d+ s: \d+ or more of these runs", capsys.readouterr().err
    )


def test_a_shipped_workload_is_measured_against_a_technique(here: Path) -> None:
    spec = "workload:layer:tiny-fc"

    code = run(spec, "--vs", "half=technique:bf16", "--batch", "2", "--seeds", "1")

    assert code == 0
    baseline, half = rows(here)
    assert baseline.case.case == "layer:tiny-fc/baseline/eager/cpu/b2"
    assert half.case.case == "layer:tiny-fc/half/eager/cpu/b2"
    assert half.case.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("py:mynet:wrong", "RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
        ("py:mynet:fails", "RuntimeError: no such checkpoint"),
        ("py:mynet:nothing", "gave a NoneType, wanted a callable"),
        ("cmd:false", "ended with exit code 1"),
        ("technique:precision@dtype=fp8", "float8"),
    ],
)
def test_what_cannot_run_is_a_row_that_says_why_and_all_others_go_on(
    here: Path, capsys: pytest.CaptureFixture[str], other: str, why: str
) -> None:
    code = run("py:mynet:wide", "--vs", f"bad={other}", "--vs", "same=py:mynet:same")

    assert code == 0
    assert [row.case.technique for row in rows(here)] == ["baseline", "same"]
    (note,) = (each for each in journal_of(here).notes if each.case)
    assert note.case.startswith("py:wide/bad/")
    assert note.text.startswith("refused: ")
    assert why in note.text
    assert f"not run: {note.case}: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("bad=onnx:broken.onnx", "broken.onnx cannot be read as ONNX"),
        ("bad@onnxruntime=py:mynet:plain", "runs torch modules and ONNX files, not a function"),
        ("bad=onnx:other.onnx", "other.onnx takes x batchx16"),
    ],
)
def test_an_onnx_file_or_a_model_for_it_that_does_not_fit_is_a_row_too(
    here: Path, other: str, why: str
) -> None:
    pytest.importorskip("onnxruntime")
    write_onnx(here / "other.onnx", 4)
    (here / "broken.onnx").write_bytes((here / "other.onnx").read_bytes()[:99])

    code = run("py:mynet:wide", "--vs", other)

    assert code == 0
    assert any(why in note.text for note in journal_of(here).notes)


def test_a_runtime_that_is_not_installed_is_a_row_too(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )

    code = run("py:mynet:wide", "--vs", "fast@onnxruntime=py:mynet:same")

    assert code == 0
    assert any("pip install 'joulebench[onnxruntime]'" in n.text for n in journal_of(here).notes)


def test_without_its_baseline_nothing_can_be_compared_and_the_exit_code_is_1(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("py:mynet:wrong", "--shape", "1x64", "--vs", "narrow=py:mynet:narrow")

    out = capsys.readouterr().out
    assert code == 1
    assert out.count("not run: ") == 2
    assert "its baseline cannot be run: RuntimeError" in out
    assert "wrote" not in out
    assert len(journal_of(here).notes) >= 2


def test_a_baseline_that_cannot_be_had_ends_with_1_and_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("py:mynet:fails") == 1
    assert capsys.readouterr().err.startswith("joulebench: py:mynet:fails failed")
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tflite:x"], "wanted KIND:WHAT"),
        (["onnx:none.onnx"], "there is no such file"),
        (["hf:some/model"], "--allow-download"),
        (["py:mynet:wide", "--vs", "mynet:same"], "write NAME=SPEC"),
        (
            ["py:mynet:wide", "--vs", "a=py:mynet:same", "--vs", "a=py:mynet:same"],
            "found it 2 times",
        ),
        (["py:mynet:wide", "--shape", "big"], "write NAME=1x3x224x224"),
        (["py:mynet:wide", "--runtime", "abacus"], "no runtime is named abacus"),
        (["py:mynet:wide", "--profile", "endless"], "no profile is named endless"),
        (["py:mynet:wide", "--device", "abacus"], "device is 'abacus'"),
        (["py:mynet:wide", "--seed", "x"], "give a whole number"),
        (["py:mynet:wide", "--meters", "sundial"], "no meter is named sundial"),
    ],
)
def test_a_wrong_call_ends_with_2_before_anything_is_measured(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("joulebench: ") == 1
    assert not (here / "results").exists()


@pytest.mark.parametrize("option", ["--batch", "--work", "--pairs", "--threads", "--seq"])
def test_a_number_is_a_whole_one_above_0(
    here: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    with pytest.raises(SystemExit) as leaving:
        run("py:mynet:wide", option, "0")

    assert leaving.value.code == 2
    assert "found 0, wanted a whole number, 1 or more" in capsys.readouterr().err


def test_what_is_required_and_missing_ends_with_10(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("py:mynet:plain", "--require", "measured") == 10
    assert "energy cannot be measured here" in capsys.readouterr().err


def test_an_interrupt_keeps_what_was_measured_and_ends_with_130(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mynet.py").write_text(
        FACTORIES + "\ndef stops():\n    def model(*_): raise KeyboardInterrupt\n    return model\n"
    )

    code = run("py:mynet:plain", "--vs", "stops=py:mynet:stops")

    assert code == 130
    assert [row.case.technique for row in rows(here)] == ["baseline"]
    journal = journal_of(here)
    assert journal.end is not None
    assert journal.end.exit == 2
    assert "wrote reports/" in capsys.readouterr().out


def test_every_error_but_one_of_the_journal_is_a_refusal() -> None:
    assert refusal_of(JournalError("the disk is full")) is None
    known = Refusal("why", "fix")
    assert refusal_of(known) is known
    assert "memory" in str(refusal_of(MemoryError()))
    assert str(refusal_of(KeyError())).startswith("KeyError: it says no more; ")
