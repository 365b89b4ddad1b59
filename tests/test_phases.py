"""Phases of a test are measured as they come: rows without a ratio."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.phases import Phases

pytest_plugins = ["pytester"]

SUITE = """
    import time

    def test_generate(joules):
        for _ in range(3):
            with joules.window("prefill", work=16, unit="token"):
                time.sleep(0.02)
            with joules.window("decode", work=4, unit="token"):
                time.sleep(0.02)
"""


def run(pytester: pytest.Pytester, *arguments: str, suite: str = SUITE) -> pytest.RunResult:
    pytester.makepyfile(suite)
    quiet = ("-p", "no:cacheprovider", "-q")
    return pytester.runpytest_subprocess(*quiet, *arguments)


def records(pytester: pytest.Pytester) -> list[dict[str, object]]:
    (path,) = pytester.path.glob("results/*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_windows_of_one_name_are_one_row_and_two_names_are_two(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--benchmark")
    assert result.ret == 0
    found = records(pytester)
    cases = {str(r["case"]): r for r in found if r["record"] == "case"}
    assert [(case["batch"], case["unit"]) for case in cases.values()] == [
        (16, "token"),
        (4, "token"),
    ]
    for case, record in cases.items():
        windows = [r for r in found if r["record"] == "window" and r["case"] == case]
        assert [w["samples"] for w in windows] == [record["batch"]] * 3
        assert record["baseline"] == case
    (page,) = pytester.path.glob("reports/*.md")
    assert page.read_text().count("| alone |") == 2


def test_a_window_is_in_the_journal_when_the_test_fails_after_it(pytester: pytest.Pytester) -> None:
    suite = f"{SUITE}        raise RuntimeError('broken')\n"
    assert run(pytester, "--benchmark", suite=suite).ret == 1
    assert sum(r["record"] == "case" for r in records(pytester)) == 2


def test_without_benchmark_phases_just_run(pytester: pytest.Pytester) -> None:
    result = run(pytester)
    assert result.ret == 0
    assert not (pytester.path / "results").exists()


def test_a_phase_of_another_length_wants_another_name(pytester: pytest.Pytester) -> None:
    suite = """
    def test_it(joules):
        with joules.window("decode", work=4):
            pass
        with joules.window("decode", work=5):
            pass
    """
    result = run(pytester, "--benchmark", suite=suite)
    assert result.ret == 1
    assert "found work=4 in the windows before" in result.stdout.str()


def test_a_resumed_session_does_not_measure_a_phase_again(pytester: pytest.Pytester) -> None:
    suite = f"{SUITE}        import os; assert not os.environ.get('BREAK')\n"
    os.environ["BREAK"] = "1"
    try:
        assert run(pytester, "--benchmark", suite=suite).ret == 1
    finally:
        del os.environ["BREAK"]
    assert run(pytester, "--benchmark", "--joules-resume", suite=suite).ret == 0
    assert sum(r["record"] == "case" for r in records(pytester)) == 2


@given(st.integers(max_value=0))
def test_a_phase_has_work(work: int) -> None:
    phases = Phases("test", "cpu", None)
    with (
        pytest.raises(ValueError, match="wanted 1 sample or more"),
        phases.window("decode", work=work, unit="token"),
    ):
        pass
