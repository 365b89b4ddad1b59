"""What a runtime makes of a model, what it is held against, and what is said where it cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import memory
from bench.catalogue import make_workload
from bench.record import CaseRecord
from bench.records import Journal, journals, read
from bench.refusal import Refusal, for_memory, installed
from bench.workload import Case

RUNTIME = """
from dataclasses import replace
from bench.refusal import Refusal
from bench.runtimes.eager import prepare as prepare
from bench.workload import Lowered

def lower(variant, inputs, *, device):
    dtype = variant.request.dtype if variant.request else "float32"
    if dtype == "float8":
        raise Refusal("found no float8 here, wanted some", "take int8")
    if dtype == "float16":
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes")
    model = variant.workload.context[dtype]
    made = Lowered(variant.model, dtype, {dtype: 3})
    return replace(variant, model=model, size_disk=77, lowered=made, note="made quickly")
"""

WORKLOAD = """
from bench import Quality, Workload

def load(*, seed=0, which="", sources=None):
    slow = lambda n: sum(range(n))
    forms = {"float32": lambda n: sum(range(n)), "int8": lambda n: n * (n - 1) // 2}
    judge = lambda model: Quality("exactness", float(model(4) == 6), 1, 1.0, others={"dB": 9.5})
    return Workload(
        "counting-up", slow, lambda batch: (300 * batch,), judge, version="v1", context=forms,
        seeded=False, note=f"weights: {sources.weights}",
    )
"""


@pytest.fixture
def measured(house: Path, project: pytest.Pytester) -> Callable[..., Journal]:
    """Measures a test's body with the plug-ins above, and gives its journal."""
    (house / "runtimes" / "quick.py").write_text(RUNTIME)
    (house / "workloads" / "counting_up.py").write_text(WORKLOAD)

    def run(body: str, *arguments: str, **outcomes: int) -> Journal:
        project.makepyfile(body)
        result = project.runpytest_inprocess("-p", "no:cacheprovider", "--benchmark", *arguments)
        result.assert_outcomes(**outcomes)
        return read(journals(project.path / "results")[0])

    return run


def case_of(journal: Journal, label: str) -> CaseRecord:
    return next(case for case in journal.cases if label in case.case)


def test_a_lowered_model_is_held_against_the_eager_baseline_and_says_what_it_is(
    measured: Callable[..., Journal],
) -> None:
    journal = measured(
        """
        def test_int8(joules):
            variant = joules.variant("precision", "counting-up", dtype="int8")
            result = joules(variant, runtime="quick", against="eager")
            assert result.time_ratio.high < 1
        """,
        "--joules-weights=mine.safetensors",
        passed=1,
    )

    control = case_of(journal, "baseline")
    case = case_of(journal, "int8")
    assert control.case == "counting-up/baseline/eager/cpu/b1"
    assert case.case == "counting-up/precision@dtype=int8/quick/cpu/b1"
    assert (case.baseline, case.dtype, case.kernels) == (control.case, "int8", {"int8": 3})
    assert case.size_bytes["disk"] == 77
    assert case.note == "weights: mine.safetensors; made quickly"
    assert journal.run.settings["weights"] == "mine.safetensors"
    assert case.quality == {
        "metric": "exactness",
        "value": 1.0,
        "n": 1,
        "target": 1.0,
        "others": {"dB": 9.5},
    }
    assert {w.role for w in journal.windows_of(case.case)} == {"warmup", "baseline", "variant"}
    assert case.memory_bytes["peak"] >= case.memory_bytes["before"] > 0


def test_the_workload_as_shipped_on_another_runtime_is_a_row_and_no_control(
    measured: Callable[..., Journal],
) -> None:
    journal = measured(
        """
        def test_float32(joules):
            variant = joules.variant("baseline", "counting-up")
            joules(variant, runtime="quick", against="eager")
        """,
        passed=1,
    )

    case = case_of(journal, "/quick/")
    assert case.baseline == "counting-up/baseline/eager/cpu/b1"
    assert {w.role for w in journal.windows_of(case.case)} == {"warmup", "baseline", "variant"}
    own = journal.windows_of(case.baseline)
    assert {w.role for w in own} == {"warmup", "baseline", "control"}


def test_what_is_refused_is_noted_with_its_fix_and_the_others_go_on(
    measured: Callable[..., Journal],
) -> None:
    journal = measured(
        """
        import pytest

        @pytest.mark.parametrize("dtype", ["fp8", "fp16", "int8"])
        def test_form(joules, dtype):
            variant = joules.variant("precision", "counting-up", dtype=dtype)
            joules(variant, runtime="quick", against="eager")

        def test_eager(joules):
            joules(joules.variant("precision", "counting-up", dtype="int8"))
        """,
        passed=1,
        skipped=3,
    )

    said = {note.case: note.text for note in journal.notes if note.case}
    name = "counting-up/precision@dtype={}/{}/cpu/b1".format
    assert said[name("fp8", "quick")] == "refused: found no float8 here, wanted some; take int8"
    assert said[name("fp16", "quick")].startswith("refused: there is not enough memory: Default")
    assert "choose another runtime" in said[name("int8", "eager")]
    assert journal.end is not None
    assert journal.end.exit == 0


def test_a_workload_that_no_seed_changes_is_judged_once(measured: Callable[..., Journal]) -> None:
    journal = measured(
        "def test_it(joules): joules(joules.variant('baseline', 'counting-up'))", passed=1
    )

    assert "seeds" not in (journal.cases[0].quality or {})
    assert make_workload("layer:tiny-fc", 0).again is not None


def test_a_case_is_a_baseline_only_in_the_runtime_that_others_are_held_against() -> None:
    shipped = Case("net", "baseline", "eager", "cpu", 1)
    other = Case("net", "baseline", "openvino", "cpu", 1, "eager")

    assert (shipped.is_baseline, other.is_baseline) == (True, False)
    assert other.baseline == shipped
    assert Case("net", "baseline", "eager", "cpu", 1, "eager").is_baseline


def test_the_memory_of_a_process_is_read_from_the_kernels_files(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4 kB\n")

    memory.reset_peak(tmp_path)

    assert (tmp_path / "clear_refs").read_text() == "5"
    assert memory.peak_bytes(tmp_path) == 2 * 2**20
    assert memory.resident_bytes(tmp_path) == 2**20
    assert memory.available_bytes(tmp_path / "meminfo") == 4096
    assert memory.available_bytes(tmp_path / "nothing") is None
    assert memory.peak_bytes(tmp_path / "meminfo") is None


def test_a_peak_is_forgotten_when_the_kernel_is_asked_to() -> None:
    block = bytearray(64 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    high = memory.peak_bytes()
    del block

    memory.reset_peak()

    low = memory.peak_bytes()
    assert high is not None
    assert low is not None
    assert low < high - 32 * 2**20


def test_a_library_that_is_not_there_is_refused_with_the_command_that_brings_it() -> None:
    installed("json", "any")
    with pytest.raises(Refusal, match=r"no_such is not installed; pip install 'joulebench\[any\]'"):
        installed("no_such", "any")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("CUDA out of memory. Tried"), RuntimeError("std: bad allocation")],
)
def test_errors_of_memory_are_refusals(error: Exception) -> None:
    refusal = for_memory(error)
    assert refusal is not None
    assert "smaller batch" in str(refusal)


def test_other_errors_are_none() -> None:
    assert for_memory(RuntimeError("shapes differ")) is None
