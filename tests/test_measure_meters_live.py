"""`joulebench measure` on live sources of known power, by each meter: from the device to the JSON.

Which meter is taken and when there is no number stands in test_measure_meters.py.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import live_sources
import pytest
from emulated_hwmon import Sysfs
from live_sources import (
    Measure,
    arguments,
    bare_sensor,
    battery,
    energy_of,
    flickering,
    holds,
    logger,
    only_this_tree,
    outcome,
    perf_clock,
    ptdaemon,
    rapl,
    raspberry_pi,
    shelly,
    total_j,
    zeus_apple_silicon,
)

from bench.meters._perf import attributes, perf_event_open


@pytest.fixture
def measure(capfd: pytest.CaptureFixture[str]) -> Measure:
    return Measure(capfd)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sysfs root beside which this machine has no source of power."""
    return only_this_tree(tmp_path, monkeypatch)


# Counters of the CPU


def test_powercap_measures_the_package(tree: Path, measure: Measure) -> None:
    with rapl(tree, {"intel-rapl:0": 30.0}):
        found = measure("powercap", 0.6)

    (energy,) = found["energy"]
    assert energy["channel"] == "cpu/0/package"
    assert energy["domain"] == "package"
    assert energy["status"] in {"ok", "held"}
    assert total_j(found, "measured", "cpu-package") == energy["joules"]
    # the file is moved by a process, which a busy machine may hold up
    assert 10.0 < energy["joules"] / found["duration_s"] < 90.0


def test_perf_counts_in_the_kernel(tree: Path, measure: Measure) -> None:
    try:
        os.close(perf_event_open(attributes(1, 0), -1, 0, -1, 0))
    except OSError as error:
        pytest.skip(f"events of a whole CPU may not be counted here ({error})")
    perf_clock(tree, 500.0)

    found = measure("perf", 0.4)

    (energy,) = found["energy"]
    true_j = 500.0 * found["duration_s"]
    between_clocks = 0.002 * true_j  # that of the CPU is not steered by NTP
    assert energy["channel"] == "cpu/0/package"
    assert energy["low"] - between_clocks <= true_j <= energy["high"] + between_clocks
    assert total_j(found, "measured", "cpu-package") == energy["joules"]


@pytest.mark.parametrize("meters", ["pyrapl", "pyrapl,powercap"])
def test_pyrapl_reads_the_real_place_and_is_checked_against_powercap(meters: str) -> None:
    namespace = ["unshare", "-Urm"]
    allowed = [*namespace, "mount", "-t", "tmpfs", "none", "/sys/class"]
    try:
        subprocess.run(allowed, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here: util-linux has it")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no namespace may be made here ({error.stderr.strip()})")

    done = subprocess.run(
        [*namespace, sys.executable, live_sources.__file__, "30", *arguments(meters, 0.6)],
        check=False,
        capture_output=True,
        text=True,
    )

    found = outcome(done.stdout, done.returncode, 0.6)
    first = energy_of(found, "cpu/0/package")
    assert total_j(found, "measured", "cpu-package") == first["joules"]
    assert 10.0 < first["joules"] / found["duration_s"] < 90.0
    if meters == "pyrapl":
        assert len(found["energy"]) == 1
        assert found["cross_checks"] == []
    else:
        (check,) = found["cross_checks"]
        second = energy_of(found, "cpu/0/package#pyrapl")
        assert (check["channel"], check["route"]) == ("cpu/0/package", "cpu/0/package#pyrapl")
        assert check["ratio"] == pytest.approx(second["joules"] / first["joules"])
        assert 1 / 3 < check["ratio"] < 3


# Sensors of a board, and its battery


def test_hwmon_measures_a_sensor_that_is_given_its_place(tree: Path, measure: Measure) -> None:
    bare_sensor(Sysfs(tree), 25.0)

    found = measure("hwmon:ina226/power1=board/dc", 0.4)

    energy = holds(found, "board/dc", 25.0)
    assert len(found["energy"]) == 1
    assert energy["joules"] == pytest.approx(25.0 * found["duration_s"])
    assert total_j(found, "sampled", "dc") == energy["joules"]


def test_raspberry_pi_sums_its_rails(
    tmp_path: Path, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", raspberry_pi(tmp_path / "bin", 6.0))

    found = measure("raspberry_pi", 0.5)

    pmic = holds(found, "board/dc/pmic", 6.0)
    assert pmic["joules"] == pytest.approx(6.0 * found["duration_s"], rel=0.01)
    assert total_j(found, "sampled", "pmic-outputs") == pmic["joules"]
    board = energy_of(found, "board/dc")
    assert (board["kind"], board["boundary"]) == ("estimated", "bare-board")
    assert found["flags"] == []
    # while it was opened it ran a hundred programs, and in the window a few
    assert found["observer_cpu_s"] < 0.25 * found["duration_s"]


def test_a_battery_is_measured_while_it_feeds_the_machine(tree: Path, measure: Measure) -> None:
    with flickering(battery(tree, 20.0), 20.0):
        found = measure("battery", 2.5)

    energy = holds(found, "battery/0", 20.0)
    assert energy["joules"] == pytest.approx(20.0 * found["duration_s"], rel=1e-3)
    assert total_j(found, "sampled", "whole-device") == energy["joules"]


# Meters outside


def test_a_plug_measures_the_wall_and_is_checked_against_its_own_total(
    tree: Path, measure: Measure
) -> None:
    began = time.monotonic()
    with shelly(100.0) as address, rapl(tree, {"intel-rapl:0": 30.0}):
        found = measure(f"powercap,plug:{address}", 2.5)
    took_s = time.monotonic() - began

    # it is awaited until it has shown the end, and not as long as a counter needs to wrap
    assert took_s < 90
    power = holds(found, "wall/0", 100.0)
    assert power["joules"] == pytest.approx(100.05 * found["duration_s"], rel=1e-3)
    # it was attached on purpose, so it is the total, and the counter inside it is not added
    assert total_j(found, "external", "wall") == power["joules"]
    assert energy_of(found, "cpu/0/package")["kind"] == "measured"
    holds(found, "wall/0#total", 100.0)
    (check,) = found["cross_checks"]
    assert (check["channel"], check["route"]) == ("wall/0", "wall/0#total")


@pytest.mark.parametrize("how", ["a file, named", "a pipe, by the environment"])
def test_a_trace_is_read_while_a_logger_writes_it(
    how: str, tmp_path: Path, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, meter = tmp_path / "power.csv", f"trace:{tmp_path}/power.csv"
    if how == "a pipe, by the environment":
        os.mkfifo(path)
        monkeypatch.setenv("JOULES_TRACE", str(path))
        meter = "trace"

    for _ in range(3):  # a busy machine may hold up a logger, but not each time
        with logger(path, 40.0):
            found = measure(meter, 0.5)
        energy = holds(found, "wall/0", 40.0)
        if tight := energy["high"] < 2 * energy["joules"]:
            break

    assert tight, "its last samples were not awaited"
    assert len(found["energy"]) == 1
    assert energy["joules"] == pytest.approx(40.05 * found["duration_s"], rel=2e-3)
    assert total_j(found, "external", "wall") == energy["joules"]


def test_a_trace_of_ptdaemon_is_placed_by_when_its_lines_come(measure: Measure) -> None:
    with ptdaemon(80.0) as source:
        found = measure(f"trace:{source}?channel=board/dc&boundary=dc-input", 2.1)

    energy = holds(found, "board/dc", 80.0)
    assert energy["joules"] == pytest.approx(80.0 * found["duration_s"])
    assert total_j(found, "external", "dc-input") == energy["joules"]


# Libraries


def test_amdsmi_measures_each_gpu_and_sums_them(tmp_path: Path) -> None:
    watts = {"0000:03:00.0": 300, "0000:83:00.0": 150}
    library = live_sources.amdsmi(tmp_path / "library", watts)
    path = os.pathsep.join(filter(None, (str(library), os.environ.get("PYTHONPATH"))))

    done = subprocess.run(
        [Path(sys.executable).parent / "joulebench", *arguments("amdsmi", 0.3)],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
    )

    found = outcome(done.stdout, done.returncode, 0.3)
    gpus = [holds(found, f"gpu/{pci}/board", power) for pci, power in watts.items()]
    assert {(gpu["kind"], gpu["boundary"]) for gpu in gpus} == {("measured", "gpu-board")}
    both = pytest.approx(sum(gpu["joules"] for gpu in gpus))
    assert total_j(found, "measured", "gpu-board") == both
    assert found["total"]["low"] <= 450 * found["duration_s"] <= found["total"]["high"]


def test_apple_estimates_the_parts_of_the_chip_and_no_total(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", zeus_apple_silicon(20.0, 2.0))

    found = measure("apple", 0.3)

    cpu, dram = holds(found, "cpu/0/package", 20.0), holds(found, "cpu/0/dram", 2.0)
    assert [energy["channel"] for energy in found["energy"]] == ["cpu/0/package", "cpu/0/dram"]
    assert (cpu["kind"], cpu["boundary"]) == ("estimated", "apple-cpu")
    assert (dram["kind"], dram["boundary"]) == ("estimated", "apple-dram")
    assert cpu["high"] > 1.9 * cpu["joules"]
    assert found["total"] is None
    assert "no power source can be read here" in found["reason"]


def test_codecarbon_estimates_and_a_replay_beside_it_is_the_total(measure: Measure) -> None:
    found = measure("codecarbon,replay", 0.6)

    (estimate,) = (energy for energy in found["energy"] if energy["kind"] == "estimated")
    assert (estimate["channel"], estimate["boundary"]) == ("process/cpu", "process-cpu")
    assert estimate["low"] < estimate["joules"] < estimate["high"]
    replayed = [energy["joules"] for energy in found["energy"] if energy["kind"] == "measured"]
    assert len(replayed) == 2
    assert total_j(found, "measured", "cpu-package+dram") == pytest.approx(sum(replayed))
    assert 30 < found["total"]["joules"] / found["duration_s"] < 70  # 30 to 60 W, and 5 W
