"""The JSON of pytest-benchmark: the tool reads it, and its numbers are those of the windows."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from export_journals import hostile, of_cpu, of_power_model, rendered, saved
from journals import SAMPLES, a_case, a_journal, package

from bench.compare import compare
from bench.exports.pytest_benchmark import export
from bench.quantities import Quantity


def document(content: object) -> dict[str, object]:
    assert isinstance(content, str)
    found: dict[str, object] = json.loads(content)
    return found


def written(folder: Path, name: str) -> Path:
    (content,) = rendered("pytest_benchmark", of_cpu()).files.values()
    assert isinstance(content, str)
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def tool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest-benchmark's own command."""
    return subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "300"},
    )


def test_pytest_benchmark_compares_two_of_its_files(tmp_path: Path) -> None:
    one, other = written(tmp_path, "one.json"), written(tmp_path, "other.json")

    done = tool(tmp_path, "compare", str(one), str(other))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("digits/student/eager/cpu/b1") == 2
    assert "Failed to load" not in done.stderr + done.stdout
    between = tool(tmp_path, "compare", "--between=mean,ops", str(one), str(other))
    if "unrecognized arguments" not in between.stderr:  # it came with 5.3
        assert between.returncode == 0, between.stderr
        assert "+0.0%" in between.stdout


def test_pytest_benchmark_compares_it_with_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "def test_own(benchmark): benchmark.pedantic(lambda: 1, rounds=3)\n", encoding="utf-8"
    )
    own = tmp_path / "own.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_benchmark.plugin", "test_own.py"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run([*command, f"--benchmark-json={own}"], cwd=tmp_path, env=alone, check=True)
    ours = written(tmp_path, "ours.json")

    done = tool(tmp_path, "compare", "--group-by=func", str(own), str(ours))
    assert done.returncode == 0, done.stderr
    assert "test_own" in done.stdout
    assert "digits/csr/eager/cpu/b1" in done.stdout

    theirs, mine = json.loads(own.read_text()), json.loads(ours.read_text())
    assert set(mine) == set(theirs)
    assert set(theirs["benchmarks"][0]) == set(mine["benchmarks"][0])
    assert set(theirs["benchmarks"][0]["stats"]) == set(mine["benchmarks"][0]["stats"])
    assert set(mine["commit_info"]) >= {"id", "dirty", "time", "project", "branch"}


def test_its_seconds_are_those_of_a_call_in_each_window(tmp_path: Path) -> None:
    costs = [0.0010, 0.0012, 0.0014, 0.0030]
    pairs = [(package(0.01, s), package(0.01, 0.001)) for s in costs]
    case = a_case("student", batch=4)
    journal = saved(a_journal([(case, [(b, a) for a, b in pairs])]), tmp_path)

    (benchmark,) = json.loads(str(rendered("pytest_benchmark", journal).files[""]))["benchmarks"]
    stats = benchmark["stats"]
    calls = [4 * s for s in costs]
    assert stats["data"] == pytest.approx(calls, rel=1e-9)
    assert stats["iterations"] == SAMPLES // 4
    assert stats["rounds"] == 4
    assert stats["min"] == pytest.approx(min(calls))
    assert stats["max"] == pytest.approx(max(calls))
    assert stats["mean"] == pytest.approx(sum(calls) / 4)
    assert stats["median"] == pytest.approx((calls[1] + calls[2]) / 2)
    assert stats["stddev"] == pytest.approx(statistics.stdev(calls))
    assert stats["total"] == pytest.approx(sum(calls))
    assert stats["ops"] == pytest.approx(4 / sum(calls))
    assert stats["q1"] == pytest.approx((calls[0] + calls[1]) / 2)
    assert stats["iqr"] == pytest.approx(stats["q3"] - stats["q1"])
    assert stats["outliers"] == "1;0"


def test_its_joules_are_objects_with_a_kind(tmp_path: Path) -> None:
    journal = saved(of_cpu(), tmp_path)
    (table,) = compare([journal])
    document_ = json.loads(str(rendered("pytest_benchmark", journal).files[""]))

    for benchmark, row in zip(document_["benchmarks"], table.rows, strict=True):
        energy = benchmark["extra_info"]["joules"]["energy"]
        assert isinstance(row.energy, Quantity)
        assert energy["value_j"] == row.energy.value
        assert energy["ci95_j"] == [row.energy.low, row.energy.high]
        assert (energy["kind"], energy["boundary"]) == ("measured", "cpu-package")
        assert (energy["per"], energy["includes_idle"]) == ("image", True)
        assert (energy["method"], energy["resolution_j"]) == (["powercap"], 6.1e-5)
        assert benchmark["extra_info"]["joules"]["estimate"] is None
    assert document_["machine_info"]["node"] == "0123456789ab"
    assert document_["commit_info"]["id"] == "1a2b3c4d5e6f"
    assert document_["datetime"] == "2026-11-23T10:15:00+00:00"


def test_an_estimate_is_a_range_that_is_called_one() -> None:
    document_ = json.loads(str(rendered("pytest_benchmark", of_power_model()).files[""]))
    joules = document_["benchmarks"][0]["extra_info"]["joules"]

    assert joules["energy"]["value_j"] is None
    assert "wanted" not in joules["energy"]["reason"]
    assert joules["energy"]["reason"]
    assert joules["estimate"]["kind"] == "estimated"
    assert joules["estimate"]["value_j"] is None
    assert joules["estimate"]["range_j"] == pytest.approx([0.0005, 0.002])


def test_a_single_window_is_left_out_for_it_has_no_spread() -> None:
    done = export.render(compare([a_journal([(a_case("x"), [(package(1), package(1))])])]))

    assert done.files == {}
    assert "1 windows show no spread" in done.left_out[0].reason


def test_the_tool_reads_hostile_names(tmp_path: Path) -> None:
    (content,) = rendered("pytest_benchmark", hostile()).files.values()
    path = tmp_path / "hostile.json"
    path.write_text(str(content), encoding="utf-8")

    data = json.loads(path.read_text(encoding="utf-8"))
    assert len(data["benchmarks"]) == 1
    assert data["benchmarks"][0]["stats"]["mean"] == pytest.approx(0.001)
