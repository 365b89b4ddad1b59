"""`pytest --benchmark`, as its users meet it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.quantities import Kind
from bench.records import journals, read

ONE = """
    def work():
        return sum(range(300))

    def test_work(joules):
        joules(work)
"""
PAIR = """
    def slow():
        return sum(range(3000))

    def fast():
        return sum(range(300))

    def test_fast(joules):
        joules(fast, (), baseline=slow)
"""


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_without_the_flag_each_case_runs_once_and_nothing_is_measured(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        """
        calls = []

        def test_work(joules):
            joules(lambda: calls.append(1))
            assert calls == [1]
        """
    )

    run(project).assert_outcomes(passed=1)
    assert not results.exists()


@pytest.mark.parametrize("flag", ["--benchmark", "--joules"])
def test_with_the_flag_a_journal_and_a_report_are_written(
    project: pytest.Pytester, results: Path, flag: str
) -> None:
    project.makepyfile(PAIR)

    outcome = run(project, flag)

    outcome.assert_outcomes(passed=1)
    journal = read(journals(results)[0])
    control, case = journal.cases
    assert case.nodeid.endswith(".py::test_fast")
    assert case.case == f"{case.nodeid}/variant/eager/cpu/b1"
    assert control.case == case.baseline == f"{case.nodeid}/baseline/eager/cpu/b1"
    roles = Counter(window.role for window in journal.windows)
    assert roles == {"warmup": 3, "baseline": 20, "control": 10, "variant": 10, "idle": 2}
    assert journal.end is not None
    assert journal.end.exit == 0
    page = (project.path / "reports" / f"{journal.path.stem}.md").read_text()
    assert "NOT measured" in page
    assert (project.path / "reports" / f"{journal.path.stem}.csv").exists()


def test_a_session_with_variants_has_one_control_and_a_baseline_that_asks_later_is_it(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        """
        import bench, pytest

        @pytest.mark.parametrize("technique", ["fast", "faster", "baseline"])
        def test_it(joules, technique):
            work = bench.Workload("sum", lambda n: sum(range(n)), lambda _: 300, version="1")
            joules(bench.Variant(work, technique, (), work.model))
        """
    )

    run(project, "--benchmark").assert_outcomes(passed=3)

    journal = read(journals(results)[0])
    assert [case.technique for case in journal.cases] == ["baseline", "fast", "faster"]
    windows = journal.windows_of(journal.cases[0].case)
    pairs = [window.pair for window in windows if window.role == "control"]
    assert pairs == list(range(len(pairs)))  # it went on where the brief control had ended


def test_the_plan_comes_first_and_the_table_fits_100_columns(project: pytest.Pytester) -> None:
    project.makepyfile(PAIR)

    outcome = run(project, "--benchmark")

    text = outcome.outlines
    plan = next(i for i, line in enumerate(text) if line.startswith("joules: 1 cases × "))
    table = next(i for i, line in enumerate(text) if line.strip("- ") == "joules")
    end = next(i for i, line in enumerate(text) if line.startswith("wrote reports"))
    assert plan < table < end
    assert any("NOT MEASURED" in line for line in text[table:end])
    assert all(len(line) <= 100 for line in text[table + 1 : end])


def test_a_model_alone_is_measured_beside_itself(project: pytest.Pytester, results: Path) -> None:
    project.makepyfile(ONE)

    run(project, "--benchmark").assert_outcomes(passed=1)

    journal = read(journals(results)[0])
    roles = {window.role for window in journal.windows}
    assert roles == {"warmup", "baseline", "control", "idle"}
    assert journal.cases[0].case == journal.cases[0].baseline


def test_an_assertion_on_energy_that_was_not_measured_skips_with_the_reason(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        def test_energy(joules):
            assert joules(lambda: sum(range(300))).energy_mj.high < 50

        def test_latency(joules):
            result = joules(lambda: sum(range(300)))
            assert 0 < result.latency_ms.p50 <= result.latency_ms.p99
            assert result.time_ratio.n == 10
            assert result.row.energy_verdict == "not measured"

        def test_verdict(joules):
            assert joules(lambda: sum(range(300))).verdict == "saves"
        """
    )

    outcome = run(project, "--benchmark", "-rs")

    outcome.assert_outcomes(passed=1, skipped=2)
    outcome.stdout.fnmatch_lines(["*test_energy: energy was not measured: no power source*"])


def test_in_a_smoke_run_assertions_on_numbers_skip_and_name_the_flag(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        def test_latency(joules):
            assert joules(sum, ([1],)).latency_ms.p50 < 50
        """
    )

    outcome = run(project, "-rs")

    outcome.assert_outcomes(skipped=1)
    outcome.stdout.fnmatch_lines(["*nothing was measured; run with --benchmark"])


def test_require_measured_ends_before_any_test_with_exit_code_10(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(ONE)

    outcome = run(project, "--benchmark", "--joules-require=measured")

    assert outcome.ret == 10
    outcome.assert_outcomes()
    outcome.stdout.fnmatch_lines(["*energy cannot be measured here (*powercap:*"])
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--joules-meters=sundial"], 4, "no meter is named sundial; choose from *powercap*"),
        (["--joules-meters=nvml"], 10, "*NVML*"),
        (["--joules-profile=endless"], 4, "no profile is named endless; choose from quick*"),
        (["--joules-require=luck"], 4, "*the only thing to require is 'measured'*"),
        (["--joules-seed=x"], 4, "*give a whole number*"),
        (["--joules-device=abacus"], 4, "device is 'abacus', wanted cpu, cuda or cuda:<n>*"),
        (["--joules-device=cuda:99"], 4, "device is 'cuda:99', but *"),
    ],
)
def test_a_wrong_setting_is_said_once_before_anything_runs(
    project: pytest.Pytester, arguments: list[str], code: int, message: str
) -> None:
    project.makepyfile(ONE)

    outcome = run(project, "--benchmark", *arguments)

    assert outcome.ret == code
    outcome.stdout.fnmatch_lines([f"*joules: {message}"])
    assert sum("joules: " in line for line in outcome.outlines) == 1


def test_a_results_folder_that_cannot_be_written_is_said_before_measuring(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(ONE)
    project.path.joinpath("occupied").touch()

    outcome = run(project, "--benchmark", "--joules-results=occupied/results")

    assert outcome.ret == 4
    outcome.stdout.fnmatch_lines(["*cannot write *give another folder with --joules-results*"])


def test_nothing_is_opened_when_no_test_uses_the_fixture(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile("def test_nothing(): pass")

    run(project, "--benchmark").assert_outcomes(passed=1)
    assert not results.exists()


def test_collecting_only_measures_nothing(project: pytest.Pytester, results: Path) -> None:
    project.makepyfile(ONE)

    assert run(project, "--benchmark", "--collect-only").ret == 0
    assert not results.exists()


def test_a_failing_test_stays_exit_code_1_and_loses_no_result(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        """
        def test_fails(joules):
            joules(lambda: sum(range(300)))
            assert False

        def test_breaks(joules):
            joules(lambda: 1 / 0)
        """
    )

    outcome = run(project, "--benchmark")

    outcome.assert_outcomes(failed=2)
    assert outcome.ret == 1
    journal = read(journals(results)[0])
    assert [case.nodeid.rpartition("::")[2] for case in journal.cases] == ["test_fails"]
    assert journal.end is not None
    assert journal.end.exit == 1


def test_the_same_case_twice_is_refused_with_what_to_do(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        def test_twice(joules):
            joules(sum, ([1],), name="first")
            joules(sum, ([1],), name="second")
            with pytest.raises(ValueError, match="already measured .* give the second"):
                joules(sum, ([1],), name="second")
        """
    )

    run(project, "--benchmark").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("joules(3)", "TypeError, match='found a int, wanted a variant'"),
        ("joules(sum, ([1],), runtime='abacus')", "ValueError, match='no runtime is named abacus'"),
        ("joules.variant('alchemy', 'digits-mlp')", "ValueError, match='no technique is named'"),
        ("joules.variant('baseline', 'nothing')", "ValueError, match='no workload is named'"),
    ],
)
def test_a_wrong_call_gets_an_error_that_says_what_exists(
    project: pytest.Pytester, call: str, error: str
) -> None:
    project.makepyfile(
        f"""
        import pytest

        def test_wrong(joules):
            with pytest.raises({error}):
                {call}
        """
    )

    run(project).assert_outcomes(passed=1)


def test_the_marker_sets_unit_and_pairs_and_refuses_anything_else(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.joules(unit="token", pairs=4)
        def test_marked(joules):
            joules(lambda: sum(range(300)))

        @pytest.mark.joules(colour="red")
        def test_wrong(joules):
            pass
        """
    )

    outcome = run(project, "--benchmark", "--strict-markers")

    outcome.assert_outcomes(passed=1, errors=1)
    outcome.stdout.fnmatch_lines(["*@pytest.mark.joules has no colour*"])
    journal = read(journals(results)[0])
    assert journal.cases[0].unit == "token"
    assert max(window.pair for window in journal.windows) == 19


def test_settings_come_from_command_line_over_environment_over_ini(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(ONE)
    monkeypatch.setenv("JOULES_RESULTS", "from-environment")

    run(project, "--benchmark").assert_outcomes(passed=1)
    run(project, "--benchmark", "--joules-results=from-line").assert_outcomes(passed=1)

    assert journals(project.path / "from-environment")
    assert journals(project.path / "from-line")


def test_a_torch_module_is_measured_in_samples_of_its_batch(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        """
        import torch

        def test_linear(joules):
            joules(torch.nn.Linear(8, 2), torch.rand(16, 8))
        """
    )

    run(project, "--benchmark").assert_outcomes(passed=1)

    journal = read(journals(results)[0])
    (case,) = journal.cases
    assert (case.batch, case.parameters, case.dtype) == (16, 18, "float32")
    windows = [window for window in journal.windows if window.role != "idle"]
    assert all(window.samples == 16 * window.calls for window in windows)


# -- with energy ----------------------------------------------------------------------------


def test_replayed_power_gives_measured_rows_that_hold_the_true_energy(
    project: pytest.Pytester, results: Path
) -> None:
    trace = {
        "description": "a package and its memory, at constant power",
        "channels": [
            {
                "id": f"cpu/0/{domain}",
                "domain": domain,
                "kind": "measured",
                "boundary": boundary,
                "resolution_j": 6.1e-5,
                "update_interval_s": 0.001,
                "wrap_j": 262143.3,
                "start_j": 262140.0,
                "p_max_w": 60.0,
                "power": [[0, watts]],
            }
            for domain, boundary, watts in (("package", "cpu-package", 40.0), ("dram", "dram", 5.0))
        ],
    }
    project.path.joinpath("trace.json").write_text(json.dumps(trace))
    project.makepyfile(
        PAIR
        + """
    def test_numbers(joules):
        result = joules(fast, (), baseline=slow, name="again")
        assert result.energy_mj.kind == "measured"
        assert 0 <= result.energy_mj.low < result.energy_mj.high
        assert result.energy_ratio.value < 0.5
        assert result.verdict in {"saves", "unresolved"}
    """
    )

    outcome = run(project, "--benchmark", "--joules-meters=replay:trace.json")

    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["*energy: cpu/0/package + cpu/0/dram (measured)"])
    journal = read(journals(results)[0])
    for window in journal.windows:
        package, dram = window.energy
        assert package.kind is Kind.MEASURED
        assert package.low is not None
        assert package.high is not None
        assert package.low <= 40 * window.seconds <= package.high
        assert dram.low is not None
        assert dram.high is not None
        assert dram.low <= 5 * window.seconds <= dram.high
    page = (project.path / "reports" / f"{journal.path.stem}.md").read_text()
    assert "replay" in page
    assert "cpu-package+dram" in page


# -- beside pytest-benchmark ----------------------------------------------------------------


def test_the_plugin_works_without_pytest_benchmark(project: pytest.Pytester, results: Path) -> None:
    project.makepyfile(ONE)

    outcome = run(project, "--benchmark", "-p", "no:benchmark")

    outcome.assert_outcomes(passed=1)
    assert journals(results)


def test_rows_appear_in_the_table_and_the_json_of_pytest_benchmark(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(PAIR + ONE)

    outcome = run(project, "--benchmark", "--benchmark-json=out.json")

    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["*benchmark: 2 tests*"])
    fast, work = json.loads(project.path.joinpath("out.json").read_text())["benchmarks"]
    assert fast["name"] == "test_fast"
    assert fast["stats"]["rounds"] == 10
    assert 0 < fast["stats"]["mean"] < 1e-3
    joules = fast["extra_info"]["joules"]
    assert joules["energy"]["value_j"] is None
    assert "no power source" in joules["energy"]["reason"]
    assert joules["time_verdict"] == "saves"
    assert work["stats"]["rounds"] == 20


def test_a_saved_run_of_pytest_benchmark_compares_with_the_next(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(ONE)

    run(project, "--benchmark", "--benchmark-save=first").assert_outcomes(passed=1)
    outcome = run(project, "--benchmark", "--benchmark-compare")

    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines_random(["*test_work (0001_first)*", "*test_work (NOW)*"])


@pytest.mark.parametrize(
    ("flag", "outcomes"),
    [
        ("--benchmark-only", {"passed": 2, "skipped": 1}),
        ("--benchmark-skip", {"passed": 1, "skipped": 2}),
    ],
)
def test_only_and_skip_of_pytest_benchmark_mean_our_tests_too(
    project: pytest.Pytester, flag: str, outcomes: dict[str, int]
) -> None:
    project.makepyfile(
        ONE
        + """
    def test_theirs(benchmark):
        benchmark(work)

    def test_plain():
        pass
    """
    )

    run(project, flag).assert_outcomes(**outcomes)


def test_disable_of_pytest_benchmark_makes_a_smoke_run_of_ours(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(ONE)

    run(project, "--benchmark", "--benchmark-disable").assert_outcomes(passed=1)
    assert not results.exists()


def test_both_fixtures_live_beside_each_other_in_one_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.benchmark(group="ours", max_time=0.01, min_rounds=2)
        def test_both(joules, benchmark):
            joules(lambda: sum(range(300)))
            benchmark(lambda: sum(range(300)))
        """
    )

    outcome = run(project, "--benchmark", "--benchmark-json=out.json")

    outcome.assert_outcomes(passed=1)
    rows = json.loads(project.path.joinpath("out.json").read_text())["benchmarks"]
    assert [row["group"] for row in rows] == ["ours", "ours"]
    assert sum("joules" in row["extra_info"] for row in rows) == 1


def test_another_plugin_that_owns_the_flag_leaves_our_alias_usable(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        rival="""
        def pytest_addoption(parser):
            parser.addoption("--benchmark", action="store_true", dest="rival")
        """,
        test_ours=ONE,
    )
    project.syspathinsert()

    outcome = project.runpytest_subprocess("-p", "rival", "--joules")

    outcome.assert_outcomes(passed=1)
    assert journals(results)


def test_parallel_workers_are_refused_with_the_reason(project: pytest.Pytester) -> None:
    project.makepyfile(ONE)

    outcome = project.runpytest_subprocess("--benchmark", "-n2")

    assert outcome.ret == 4
    outcome.stderr.fnmatch_lines(["*cannot measure under parallel workers*run * with -n0*"])


def test_a_smoke_run_under_parallel_workers_passes(project: pytest.Pytester) -> None:
    project.makepyfile(ONE)

    project.runpytest_subprocess("-n2").assert_outcomes(passed=1)


# -- the host -------------------------------------------------------------------------------


def test_two_runs_at_once_measure_one_after_the_other(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(ONE)
    command = [sys.executable, "-m", "pytest", "--benchmark", "-p", "no:cacheprovider"]
    runs = [
        subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    outputs = [process.communicate()[0] for process in runs]

    assert [process.returncode for process in runs] == [0, 0]
    assert sum("another joulebench run measures on this host" in out for out in outputs) == 1
    spans = [
        (min(w.t0_ns for w in journal.windows), max(w.t1_ns for w in journal.windows))
        for journal in map(read, journals(results))
    ]
    (_, first_end), (second_start, _) = sorted(spans)
    assert first_end < second_start


def test_a_run_that_was_cut_off_is_resumed_and_measures_only_what_is_missing(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(PAIR + ONE)
    run(project, "--benchmark").assert_outcomes(passed=2)
    (path,) = journals(results)
    lines = path.read_text().splitlines(keepends=True)
    cut = next(i for i, line in enumerate(lines) if line.startswith('{"record":"case"'))
    kept = "".join(lines[: cut + 2])
    path.write_text(kept + lines[cut + 2][:40])

    run(project, "--benchmark", "--joules-resume").assert_outcomes(passed=2)

    assert journals(results) == [path]
    assert path.read_text().startswith(kept)
    journal = read(path)
    tests = [case.nodeid.rpartition("::")[2] for case in journal.cases]
    assert tests == ["test_fast", "test_fast", "test_work"]  # the control, and the two that ask
    assert len(journal.windows_of(journal.cases[0].case)) == 21  # one model, one warm-up
    assert journal.end is not None


def test_a_journal_of_other_settings_is_not_resumed(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(ONE)
    run(project, "--benchmark").assert_outcomes(passed=1)
    (path,) = journals(results)
    path.write_text(re.sub(r'\{"record":"end".*\n', "", path.read_text()))

    outcome = run(project, "--benchmark", "--joules-resume", "--joules-seed=7")

    assert outcome.ret == 4
    outcome.stdout.fnmatch_lines(["*cannot resume *its seed are 0, now they are 7*"])


def test_a_run_that_ended_with_a_failure_is_resumed_too(
    project: pytest.Pytester, results: Path
) -> None:
    switch = project.path / "mended"
    project.makepyfile(
        f"""
        from pathlib import Path

        def test_works(joules):
            joules(lambda: sum(range(300)))

        def test_breaks_at_first(joules):
            joules(lambda: 1 if Path({str(switch)!r}).exists() else 1 / 0)
        """
    )
    assert run(project, "--benchmark").ret == 1
    switch.touch()

    outcome = run(project, "--benchmark", "--joules-resume")

    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["joules: going on with * which has 1 finished cases"])
    (path,) = journals(results)
    journal = read(path)
    assert len(journal.cases) == 2
    assert any("ZeroDivisionError" in note.text for note in journal.notes)
    assert journal.end is not None
    assert journal.end.exit == 0


def test_a_report_that_cannot_be_written_costs_neither_summary_nor_journal(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(ONE + "\n    def test_fails():\n        assert 0, 'seen'\n")
    project.path.joinpath("reports").touch()

    outcome = run(project, "--benchmark")

    assert outcome.ret == pytest.ExitCode.INTERNAL_ERROR
    outcome.assert_outcomes(passed=1, failed=1)
    outcome.stdout.fnmatch_lines(["*the report could not be written: FileExistsError*"])
    assert read(journals(results)[0]).end is not None


def test_resuming_where_every_journal_ended_in_order_starts_a_new_one(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(ONE)
    run(project, "--benchmark").assert_outcomes(passed=1)

    run(project, "--benchmark", "--joules-resume").assert_outcomes(passed=1)

    assert len(journals(results)) == 2


# -- what every pytest run pays -------------------------------------------------------------


def test_importing_the_plugin_loads_no_heavy_library() -> None:
    code = (
        "import sys, bench.plugin;"
        "heavy = {'torch', 'pandas', 'matplotlib', 'codecarbon', 'pynvml', 'pyRAPL', 'numpy',"
        " 'sklearn', 'scipy', 'jsonschema', 'safetensors'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )

    assert done.stdout.strip() == "[]"


def test_a_smoke_run_of_a_plain_callable_loads_no_torch(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def test_light(joules):
            joules(sum, ([1],))
            assert "torch" not in sys.modules
        """
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)


LEVELS = """
    import pytest

    def work():
        sum(range(2000))

    @pytest.mark.joules(unit="call")
    @pytest.mark.parametrize(
        "which",
        [
            pytest.param("short", marks=pytest.mark.joules(pairs=2)),
            pytest.param("long", marks=pytest.mark.joules(profile="full")),
        ],
    )
    def test_of(joules, which):
        joules(work)
"""


@pytest.mark.parametrize(("profile", "run"), [("quick", 1), ("nightly", 1), ("full", 2)])
def test_a_test_marked_for_a_profile_runs_in_that_one_and_longer_ones(
    project: pytest.Pytester, profile: str, run: int
) -> None:
    project.makepyfile(test_levels=LEVELS)
    outcome = project.runpytest_inprocess(f"--joules-profile={profile}", "-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=run, deselected=2 - run)


def test_a_marker_that_names_no_profile_is_refused_with_the_profiles(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(test_levels=LEVELS.replace('"full"', '"whole"'))
    outcome = project.runpytest_inprocess("-p", "no:cacheprovider")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*profile is 'whole', wanted one of quick, nightly, full*"])


def test_markers_of_a_test_and_of_its_parameter_both_count(project: pytest.Pytester) -> None:
    project.makepyfile(test_levels=LEVELS)
    outcome = project.runpytest_inprocess("--benchmark", "-p", "no:cacheprovider", "-k", "short")
    assert outcome.ret == 0
    (journal,) = (project.path / "results").glob("*.jsonl")
    assert '"unit":"call"' in journal.read_text()
