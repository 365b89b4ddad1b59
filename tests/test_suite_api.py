"""`bench.Suite`: a user's model with its variants in a few lines, by pytest and by the command."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.cli import main
from bench.compare import compare
from bench.records import journals, read
from bench.schedule import PROFILES, Schedule

SUITE = """
import torch

import bench

suite = bench.Suite(
    "mynet",
    model=lambda: torch.nn.Linear(16, 4, bias=False).eval(),
    inputs=lambda batch: torch.ones(batch, 16),
    batches=[1, 8],
    unit="image",
)


@suite.variant("zero", kind="pruned")
def _(model):
    model.weight.data.zero_()
    return model


@suite.variant("half")
def _(model):
    return model.half().float()


suite.variant("student", kind="distilled", model=lambda: torch.nn.Linear(16, 4))
suite.accuracy(lambda model: float(model(torch.ones(1, 16)).any()), unit="works", max_drop=0.5)
"""


def a_suite(**more: Any) -> bench.Suite:
    return bench.Suite("s", model=lambda: [3, 1], inputs=lambda b: ([1] * b,), **more)  # type: ignore[arg-type,return-value]


def test_a_variant_gets_a_copy_that_it_may_change() -> None:
    suite = a_suite()

    @suite.variant("sorted")
    def made(model: Any) -> Callable[..., Any]:
        model.sort()
        return lambda _: model

    variant = suite.made("sorted")
    assert variant.model(0) == [1, 3]
    unchanged: Any = suite.workload.model
    assert unchanged == [3, 1]
    assert suite.made("sorted") is variant
    assert made is not None


def test_names_that_are_taken_or_not_there_are_said() -> None:
    suite = a_suite()
    suite.variant("fast", model=lambda: sum)

    for name in ("fast", "baseline"):
        with pytest.raises(ValueError, match=f"s has a {name} already"):
            suite.variant(name)
    with pytest.raises(ValueError, match="s has no slow; choose from baseline, fast"):
        suite.made("slow")


def test_a_function_that_returns_nothing_is_told_to_return_the_model() -> None:
    suite = a_suite()
    suite.variant("lost")(lambda model: model.sort())  # type: ignore[attr-defined]

    with pytest.raises(TypeError, match="variant lost of s: found a NoneType, wanted a callable"):
        suite.made("lost")


def test_a_variant_may_fall_by_so_much_and_the_baseline_is_judged_once() -> None:
    asked: list[Any] = []
    suite = bench.Suite("s", model=lambda: sum, inputs=lambda _: ([1],))
    suite.accuracy(
        lambda model: asked.append(model) or model([90, 1]),  # type: ignore[func-returns-value]
        unit="top-1 %",
        max_drop=1.5,
        n=200,
    )
    quality = suite.workload.quality
    assert quality is not None

    shipped, kept, lost = quality(sum), quality(max), quality(min)

    assert (shipped.metric, shipped.value, shipped.n) == ("top-1 %", 91, 200)
    assert (shipped.holds, kept.holds, lost.holds) == (True, True, False)
    assert asked == [sum, max, min]


def test_work_says_how_many_samples_a_batch_is() -> None:
    suite = a_suite(work=lambda batch: 128 * batch, unit="token")

    assert suite.samples(2) == 256
    assert suite.workload.unit == "token"
    assert suite.workload.quality is None


def test_its_test_is_one_for_each_variant_and_batch(project: pytest.Pytester) -> None:
    project.makepyfile(test_mynet=SUITE + "\ntest_mynet = suite.test\n")

    outcome = project.runpytest_inprocess("-p", "no:cacheprovider", "-v")

    outcome.assert_outcomes(passed=8)
    outcome.stdout.fnmatch_lines(["*::test_mynet[[]zero-b8] PASSED*"])


def test_pytest_measures_the_cases_that_are_selected(project: pytest.Pytester) -> None:
    project.makepyfile(test_mynet=SUITE + "\ntest_mynet = suite.test\n")

    outcome = project.runpytest_inprocess(
        "--benchmark", "-p", "no:cacheprovider", "-k", "b1 and (baseline or zero)"
    )

    outcome.assert_outcomes(passed=2, deselected=6)
    (path,) = journals(project.path / "results")
    (table,) = compare([read(path)])
    baseline, zero = table.rows
    assert (zero.case.case, zero.case.unit) == ("mynet/zero/eager/cpu/b1", "image")
    assert zero.case.baseline == baseline.case.case
    assert zero.case.note == "pruned"
    assert zero.energy_verdict == "breaks quality"


def test_a_variant_that_is_refused_skips_and_the_journal_says_why(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        import bench
        from bench.refusal import Refusal

        suite = bench.Suite("s", model=lambda: (lambda: sum(range(300))), inputs=lambda _: ())

        @suite.variant("never")
        def _(model):
            raise Refusal("no kernels", "another machine")

        test_s = suite.test
        """
    )

    outcome = project.runpytest_inprocess("--benchmark", "-p", "no:cacheprovider")

    outcome.assert_outcomes(passed=1, skipped=1)
    (path,) = journals(project.path / "results")
    notes = [(note.case, note.text) for note in read(path).notes if note.case]
    assert notes == [("s/never", "refused: no kernels; another machine")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _loaded: None) -> Path:
    """The current folder with a module ``mybench``, and a short profile."""
    monkeypatch.chdir(tmp_path)
    schedule = Schedule(pairs=2, block_s=0.02, warmup_s=0.01, idle_s=0.02, margin=0.03)
    monkeypatch.setitem(PROFILES, "tiny", schedule)
    monkeypatch.setenv("JOULES_PROFILE", "tiny")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "mybench", sys)  # so that it is taken away afterwards
    monkeypatch.delitem(sys.modules, "mybench")
    (tmp_path / "mybench.py").write_text(SUITE)
    return tmp_path


def test_the_command_measures_all_of_a_suite_and_a_variant_that_breaks_stops_no_other(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "\n\n@suite.variant('broken')\ndef _(model): raise NotImplementedError('no kernel')\n"
    (here / "mybench.py").write_text(SUITE + broken)

    code = main(["run", "py:mybench:suite", "--meters", "codecarbon", "--batch", "2"])

    assert code == 0
    (path,) = journals(here / "results")
    names = [case.case for case in read(path).cases]
    assert names == [
        f"mynet/{name}/eager/cpu/b2" for name in ("baseline", "zero", "half", "student")
    ]
    assert "not run: mynet/broken/eager/cpu/b2: NotImplementedError: no kernel" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["py:mybench:suite", "--vs", "a=py:mybench:suite"], "--vs: a suite says it itself"),
        (["py:mybench:suite", "--unit", "token"], "--unit: a suite says it itself"),
        (["cmd:true", "--vs", "a=py:mybench:suite"], "a suite stands alone"),
    ],
)
def test_a_suite_says_itself_what_it_is(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["run", *arguments]) == 2
    assert message in capsys.readouterr().err
