"""The bridge into pytest-benchmark holds from 4.0 to 5.3: the real releases, side by side."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RELEASES = ["4.0.0", "5.0.1", "5.1.0", "5.2.3", "5.3.0"]
TESTS = """
import pytest

def test_ours(joules):
    joules(lambda: sum(range(300)))

def test_theirs(benchmark):
    benchmark.pedantic(sum, args=([1],), rounds=2)

def test_plain():
    pass
"""
CONFTEST = """
from bench.schedule import PROFILES, Schedule

PROFILES["tiny"] = Schedule(pairs=2, block_s=0.1, warmup_s=0.02, idle_s=0.02, margin=0.03)
"""


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that release, and with the pytest of its time; the rest is as installed."""
    folder = tmp_path_factory.mktemp("release")
    wanted = ["pytest==8.3.5", "pluggy<2", f"pytest-benchmark=={request.param}"]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot fetch pytest-benchmark {request.param}: {done.stderr[-200:]}")
    return folder


def run(release: Path, folder: Path, *arguments: str) -> tuple[dict[str, int], str]:
    """Outcomes and output of pytest in *folder*, with the release before what is installed."""
    (folder / "test_it.py").write_text(TESTS)
    (folder / "conftest.py").write_text(CONFTEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--joules-profile=tiny", "-p", "no:xdist", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(release)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    outcomes = {
        noun: int(count) for count, noun in re.findall(r"(\d+) (\w+)", last.split(" in ")[0])
    }
    return outcomes, done.stdout + done.stderr


def test_saving_comparing_only_skip_and_disable_behave_in_each_release(
    release: Path, tmp_path: Path
) -> None:
    outcomes, text = run(
        release, tmp_path, "--benchmark", "--benchmark-json=out.json", "--benchmark-save=first"
    )
    assert outcomes == {"passed": 3}, text
    rows = {
        row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["benchmarks"]
    }
    assert rows["test_ours"]["extra_info"]["joules"]["energy"]["value_j"] is None
    assert rows["test_ours"]["stats"]["rounds"] == 20
    assert "benchmark: 2 tests" in text

    outcomes, text = run(release, tmp_path, "--benchmark", "--benchmark-compare")
    assert outcomes == {"passed": 3}, text
    assert "test_ours (NOW)" in text

    outcomes, text = run(release, tmp_path, "--benchmark-only")
    assert outcomes == {"passed": 2, "skipped": 1}, text
    outcomes, text = run(release, tmp_path, "--benchmark-skip")
    assert outcomes == {"passed": 1, "skipped": 2}, text
    outcomes, text = run(release, tmp_path, "--benchmark", "--benchmark-disable")
    assert outcomes == {"passed": 3}, text
    assert "warning" not in text.lower()
