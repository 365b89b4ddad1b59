"""`pytest --benchmark --joules-processes 2`, as its users meet it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

import bench
from bench import children
from bench.records import frame, journals, read

HEAD = """
    import os
    from pathlib import Path

    import pytest

    LOG = Path(__file__).with_name("calls.txt")

    class Model:
        '''Adds numbers up; in each process its first call leaves a line.'''

        def __init__(self, name, n):
            self.name, self.n = name, n

        def __call__(self):
            if self.name:
                order = os.environ.get("JOULES_CHILD", "none")
                LOG.open("a").write(f"{self.name} {os.getpid()} {order}\\n")
                self.name = ""
            return sum(range(self.n))
"""


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # what a plug-in takes to load is waited for in each of the processes
    without = ("-p", "no:hypothesispytest")
    return project.runpytest_inprocess("--benchmark", "--joules-processes=2", *without, *arguments)


def calls(project: pytest.Pytester) -> list[tuple[str, int]]:
    """The models that ran, each with the process that it ran in."""
    lines = project.path.joinpath("calls.txt").read_text().splitlines()
    assert all(line.endswith(" none") for line in lines)  # nobody saw an order
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def await_end(pids: set[int]) -> set[int]:
    """Those that are alive after a minute; a process that has no parent any more needs a while."""
    until = time.monotonic() + 60
    while (left := {pid for pid in pids if is_alive(pid)}) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def test_each_side_of_each_case_runs_in_two_fresh_processes_of_its_own(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        HEAD
        + """
    @pytest.mark.joules(pairs=40)  # processes have a number of their own
    @pytest.mark.parametrize("n", [300, 600], ids=["a/b c", "ü[x]"])
    def test_pair(joules, n, tmp_path):
        tmp_path.joinpath("mine").touch()
        result = joules(Model(f"variant{n}", n), baseline=Model(f"baseline{n}", 3000))
        assert tmp_path.joinpath("mine").exists()
        assert result.time_ratio.n == 2
        assert result.verdict

    def test_other(joules):
        raise AssertionError("it fails, and its process is none of ours")
    """
    )

    outcome = run(project, "--junitxml=j.xml", "--benchmark-json=b.json", "-rs")

    outcome.assert_outcomes(skipped=2, failed=1)  # there is no verdict without a meter
    outcome.stdout.fnmatch_lines(["joules: 3 cases × *, each side in 2 fresh processes, *"])
    found = calls(project)
    pids = {pid for _, pid in found}
    names = dict.fromkeys(("variant300", "baseline300", "variant600", "baseline600"), 2)
    names["baseline300"] += 4  # both sides of the control
    assert Counter(name for name, _ in found) == names
    assert len(pids) == 12
    assert os.getpid() not in pids
    assert children.alive() == ()
    assert not any(is_alive(pid) for pid in pids)
    assert len(json.loads(project.path.joinpath("b.json").read_text())["benchmarks"]) == 2
    assert project.path.joinpath("j.xml").read_text().count("<testcase") == 3
    journal = read(journals(results)[0])
    assert journal.run.settings["processes"] == 2
    for case in journal.cases:
        role = "control" if case.case == case.baseline else "variant"
        kept = [w for w in journal.windows_of(case.case) if w.role != "warmup"]
        assert sorted((w.process, w.pair, w.role) for w in kept) == sorted(
            (pair // 4, pair, side) for pair in range(8) for side in ("baseline", role)
        )
    page = (project.path / "reports" / f"{journal.path.stem}.md").read_text()
    assert "Each side ran in 2 fresh processes: the intervals are over these." in page
    assert set(frame(journal)["process"]) == {0, 1}
    schema = json.loads((Path(bench.__file__).parent / "schema" / "journal-1.json").read_text())
    for line in journal.path.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema)


def test_several_measurements_of_one_test_each_have_their_processes(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        HEAD
        + """
    def test_two(joules):
        joules(Model("first", 300), name="first")
        joules(Model("second", 300), name="second")
    """
    )

    run(project).assert_outcomes(passed=1)

    found = calls(project)
    # two processes of each side of a control; those of the second run the first one once
    assert Counter(name for name, _ in found) == {"first": 8, "second": 4}
    assert len({pid for _, pid in found}) == 8
    journal = read(journals(results)[0])
    assert {window.role for window in journal.windows} == {"baseline", "control", "warmup", "idle"}
    assert len(journal.cases) == 2


def test_a_process_that_fails_costs_its_case_and_says_why(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        HEAD
        + """
    PARENT = int(os.environ.setdefault("TEST_PARENT", str(os.getpid())))

    def test_breaks(joules):
        print("before it broke")
        joules(lambda: 1 / 0)

    def test_is_other_than_in_its_parent(joules):
        joules(Model("", 300), name=f"in-{os.getpid() == PARENT}")

    def test_asserts_too_early(joules):
        assert joules(Model("", 300), name="a").latency_ms.p50 > 0
        joules(Model("", 300), name="b")

    @pytest.mark.parametrize("x", [1], ids=[str(os.getpid())])
    def test_has_another_id_in_each_process(joules, x):
        joules(Model("", 300))

    def test_works(joules):
        joules(Model("works", 300))
    """
    )

    outcome = run(project)

    outcome.assert_outcomes(passed=1, failed=4)
    text = outcome.stdout.str()
    assert "ended with exit code 1 when it should run 1 calls" in text
    assert "before it broke" in text
    assert "ZeroDivisionError" in text
    assert "ended with exit code 0 when it should reach its case; it runs the test anew" in text
    assert "nothing was measured; run with --benchmark" in text  # why that test was skipped
    assert "ended with exit code 5 when it should reach its case; it found no such test" in text
    assert len(calls(project)) == 4
    journal = read(journals(results)[0])
    assert [case.nodeid.rpartition("::")[2] for case in journal.cases] == [
        "test_asserts_too_early",
        "test_works",
    ]
    assert sum("ChildError: the fresh process" in note.text for note in journal.notes) == 4
    assert children.alive() == ()
    page = (project.path / "reports" / f"{journal.path.stem}.md").read_text()
    assert "the fresh process for the" in page


def test_a_process_that_hangs_is_ended_after_the_limit_that_was_set(
    project: pytest.Pytester, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULES_PROCESS_LIMIT_S", "2")
    project.makepyfile(
        HEAD
        + """
    import time

    def test_hangs(joules):
        time.sleep(1000 if "TEST_PARENT" in os.environ else 0)
        joules(Model("", 300))
    """
    )
    monkeypatch.delenv("TEST_PARENT", raising=False)
    project.makeconftest(
        project.path.joinpath("conftest.py").read_text()
        + "\nimport os\nif 'JOULES_CHILD' in os.environ: os.environ['TEST_PARENT'] = 'another'\n"
    )

    outcome = run(project)

    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*did not reach its case within 2 s; *JOULES_PROCESS_LIMIT_S*"])
    assert read(journals(results)[0]).cases == ()
    assert children.alive() == ()


def test_a_run_that_was_cut_off_measures_the_missing_windows_in_new_processes(
    project: pytest.Pytester, results: Path
) -> None:
    project.makepyfile(
        HEAD
        + """
    def test_pair(joules):
        joules(Model("variant", 300), baseline=Model("baseline", 3000))
    """
    )
    run(project).assert_outcomes(passed=1)
    (path,) = journals(results)
    lines = path.read_text().splitlines(keepends=True)
    cut = max(i for i, line in enumerate(lines) if '"pair":5' in line)
    path.write_text("".join(lines[:cut]))
    project.path.joinpath("calls.txt").unlink()

    refused = run(project, "--joules-resume", "--joules-processes=3")
    run(project, "--joules-resume").assert_outcomes(passed=1)

    assert refused.ret == 4
    assert "cannot resume" in refused.stdout.str()
    assert sorted(name for name, _ in calls(project)) == ["baseline", "variant"]
    assert path.read_text().startswith("".join(lines[:cut]))
    journal = read(path)
    kept = [w for w in journal.windows_of(journal.cases[1].case) if w.role != "warmup"]
    assert sorted((w.process, w.pair, w.role) for w in kept) == sorted(
        (pair // 4, pair, role) for pair in range(8) for role in ("baseline", "variant")
    )


@pytest.mark.parametrize(
    ("signal_number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 2)]
)
def test_processes_end_with_a_session_that_is_killed_or_interrupted(
    project: pytest.Pytester,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    signal_number: int,
    code: int,
) -> None:
    monkeypatch.setenv("TMPDIR", str(project.path))  # nobody is left to tidy up
    project.makepyfile(
        HEAD
        + """
    def test_pair(joules):
        joules(Model("variant", 300), baseline=Model("baseline", 3000))
    """
    )
    command = [sys.executable, "-m", "pytest", "--benchmark", "--joules-processes=1000"]
    session = subprocess.Popen(
        command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while session.poll() is None and not _windows(results):
        time.sleep(0.05)
    session.send_signal(signal_number)
    said = session.communicate(timeout=120)[0]

    assert session.returncode == code, said
    pids = {pid for _, pid in calls(project)}
    assert pids
    assert await_end(pids) == set()


def _windows(results: Path) -> list[str]:
    found = journals(results)
    text = found[0].read_text() if found else ""
    return re.findall(r'"role":"(?:baseline|variant)"', text)


@pytest.mark.parametrize("number", ["1", "many"])
def test_a_number_of_processes_that_makes_no_interval_is_said_before_anything_runs(
    project: pytest.Pytester, results: Path, number: str
) -> None:
    project.makepyfile(HEAD + "\n    def test_it(joules):\n        joules(Model('', 3))\n")

    outcome = run(project, f"--joules-processes={number}")

    assert outcome.ret == 4
    outcome.stdout.fnmatch_lines([f"*joules: --joules-processes={number}: *"])
    assert not results.exists()


def test_an_order_that_nobody_gave_is_a_usage_error(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(HEAD + "\n    def test_it(joules):\n        joules(Model('', 3))\n")
    monkeypatch.setenv("JOULES_CHILD", "1")

    outcome = project.runpytest_inprocess()

    assert outcome.ret == 4
    outcome.stderr.fnmatch_lines(["*JOULES_CHILD=1 *only joulebench sets it*unset it*"])
