"""`joulebench measure` end to end by each meter: which it takes, and when it gives no number.

Sources of power that are live in real time stand in test_measure_meters_live.py.
"""

import json
import re
import sys
from pathlib import Path

import pytest
from emulated_hwmon import Sysfs
from live_sources import (
    Measure,
    bare_sensor,
    battery,
    command,
    holds,
    jetson,
    only_this_tree,
    rapl,
    server_meter,
    total_j,
)

from bench.cli import main
from bench.discover import plugins

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
NO_DIRECTORY = r"there is no directory \S+/none; set JOULES_SYSFS_ROOT to where sysfs is mounted"


@pytest.fixture
def measure(capfd: pytest.CaptureFixture[str]) -> Measure:
    return Measure(capfd)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sysfs root beside which this machine has no source of power."""
    return only_this_tree(tmp_path, monkeypatch)


# What the documents say


def test_the_table_of_the_readme_has_every_meter_and_no_other() -> None:
    section = README.partition("## What can be measured")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE))
    found, broken = plugins("bench.meters", "open_meter")
    ours = {name: each for name, each in found.items() if each.module.startswith("bench.meters.")}

    assert broken == ()
    assert set(rows) == set(ours)
    to_be_named = {name for name, row in rows.items() if "to be named" in row}
    assert to_be_named == {name for name, each in ours.items() if each.opt_in}


# A named meter that is not there


@pytest.mark.parametrize(
    ("meter", "message"),
    [
        ("powercap", NO_DIRECTORY),
        ("perf", NO_DIRECTORY),
        ("hwmon", NO_DIRECTORY),
        ("battery", r"power_supply lists no battery; .*: --meters plug:http://"),
        ("raspberry_pi", r"there is no vcgencmd here; on a Raspberry Pi 5: sudo apt install"),
        ("nvml", r"pynvml is not installed; pip install nvidia-ml-py"),
        ("amdsmi", r"amdsmi is not installed; pip install amdsmi in the release of your ROCm"),
        ("apple", r"only on Apple silicon, and this is Linux$"),
        ("pyrapl", r"pyRAPL is not installed; pip install pyRAPL"),
        ("codecarbon", r"codecarbon is not installed; pip install codecarbon"),
        ("trace", r"JOULES_TRACE is not set; name a file, a pipe, or ptd://host:port: --meters"),
        ("trace:none.csv", r"there is no none\.csv; start the logger first"),
        ("plug", r"JOULES_PLUG is not set; name it: --meters plug:http://"),
        ("plug:http://127.0.0.1:1", r"127\.0\.0\.1:1 cannot be reached .*; is the plug on"),
        ("replay:none.json", r"none\.json cannot be read .*; set JOULES_REPLAY to the path"),
    ],
)
def test_a_named_meter_that_is_not_there_ends_with_10_before_the_command_runs(
    meter: str,
    message: str,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("JOULES_SYSFS_ROOT", str(tree / "none"))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    for module in ("pyRAPL", "codecarbon.core.cpu"):
        monkeypatch.setitem(sys.modules, module, None)
    witness = tree / "it ran"
    program = f"open({str(witness)!r}, 'w').close()"

    asked = meter if meter.startswith("replay") else f"replay,{meter}"  # one that opens before it
    code = main(["measure", "--json", "--meters", asked, "--", sys.executable, "-c", program])

    out, err = capfd.readouterr()
    assert code == 10
    assert out == ""
    assert err.startswith("joulebench: ")
    assert re.search(message, err.rstrip())
    assert not witness.exists()


def test_a_battery_on_the_charger_ends_with_10_and_the_reason(
    tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    battery(tree, 20.0, "Charging")

    code = main(["measure", "--meters", "battery", "--", *command(0)])

    assert code == 10
    err = capfd.readouterr().err
    assert "battery/0 (BAT0) is Charging: on the charger" in err
    assert "unplug the charger" in err


# A window that is too short


def scripted(path: Path, update_interval_s: float) -> str:
    channel = {
        "id": "gpu/GPU-1/board",
        "domain": "gpu",
        "kind": "measured",
        "boundary": "gpu-board",
        "resolution_j": 0.001,
        "update_interval_s": update_interval_s,
        "start_j": 5000.0,
        "power": [[0, 250.0]],
    }
    path.write_text(json.dumps({"channels": [channel]}))
    return f"replay:{path}"


def test_50_ms_of_a_counter_of_100_ms_never_give_a_number(tmp_path: Path, measure: Measure) -> None:
    meter = scripted(tmp_path / "slow.json", 0.1)
    short = 0
    for _ in range(300):
        found = measure(meter, 0.05)
        if found["duration_s"] >= 0.1:
            continue  # the machine was busy, as it may be for many in a row
        short += 1
        (energy,) = found["energy"]
        assert energy["status"] == "too_short"
        assert (energy["joules"], energy["low"], energy["high"]) == (None, None, None)
        assert found["total"] is None
        for reason in (energy["reason"], found["reason"]):
            assert "moves every 0.1 s" in reason
            assert "give it at least 5 s" in reason
        if short == 5:
            break

    assert short > 0


def test_longer_windows_of_that_counter_hold_the_truth(tmp_path: Path, measure: Measure) -> None:
    found = measure(scripted(tmp_path / "slow.json", 0.1), 0.6)

    energy = holds(found, "gpu/GPU-1/board", 250.0)
    assert (energy["kind"], energy["boundary"]) == ("measured", "gpu-board")
    assert total_j(found, "measured", "gpu-board") == energy["joules"]


# Which meter the total takes if none is named


def test_a_cpu_counter_is_the_total_and_what_surrounds_it_stands_beside_it(
    tree: Path, measure: Measure
) -> None:
    sysfs = Sysfs(tree)
    rails = jetson(sysfs)
    server_meter(sysfs, 60.0)
    battery(tree, 30.0)
    with rapl(tree, {"intel-rapl:0": 40.0, "intel-rapl-mmio:0": 40.0}):
        found = measure(None, 0.6)

    energies = {energy["channel"]: energy for energy in found["energy"]}
    package, route = energies["cpu/0/package"], energies["cpu/0/package#mmio"]
    assert total_j(found, "measured", "cpu-package") == package["joules"]
    assert {package["status"], route["status"]} <= {"ok", "held"}
    assert holds(found, "module/vdd_in", rails["VDD_IN"])["kind"] == "sampled"
    assert energies["board/acpi0"]["boundary"] == "platform"
    assert energies["battery/0"]["status"] == "too_short"
    assert "moves every 30 s" in energies["battery/0"]["reason"]
    assert energies["process/cpu"]["kind"] == "estimated"
    (check,) = found["cross_checks"]
    assert (check["channel"], check["route"]) == ("cpu/0/package", "cpu/0/package#mmio")
    assert check["ratio"] == pytest.approx(route["joules"] / package["joules"])
    assert 1 / 3 < check["ratio"] < 3


def test_without_a_cpu_counter_the_module_is_the_total_and_its_rails_are_inside(
    tree: Path, measure: Measure
) -> None:
    rails = jetson(Sysfs(tree))
    battery(tree, 30.0, "Not charging")

    found = measure(None, 0.5)

    energies = {energy["channel"]: energy for energy in found["energy"]}
    inside = ["module/vdd_in/vdd_cpu_gpu_cv", "module/vdd_in/vdd_soc"]
    assert list(energies) == ["module/vdd_in", *inside, "process/cpu"]
    whole = holds(found, "module/vdd_in", rails["VDD_IN"])
    assert whole["joules"] == pytest.approx(12.0 * found["duration_s"])
    assert total_j(found, "sampled", "module") == whole["joules"]
    for channel in inside:
        rail = channel.rpartition("/")[2]
        assert holds(found, channel, rails[rail.upper()])["boundary"] == f"rail-{rail}"
    assert found["cross_checks"] == []


def test_of_several_sockets_and_routes_each_energy_is_counted_once(
    tree: Path, measure: Measure
) -> None:
    sockets = ("intel-rapl:0", "intel-rapl:1")
    zones = dict.fromkeys((*sockets, "intel-rapl-mmio:0", "intel-rapl-mmio:1"), 20.0)
    with rapl(tree, zones):
        found = measure("codecarbon,powercap", 0.6)

    energies = {energy["channel"]: energy["joules"] for energy in found["energy"]}
    both = energies["cpu/0/package"] + energies["cpu/1/package"]
    assert total_j(found, "measured", "cpu-package") == pytest.approx(both)
    routes = [(check["channel"], check["route"]) for check in found["cross_checks"]]
    assert routes == [(f"cpu/{n}/package", f"cpu/{n}/package#mmio") for n in range(2)]


def test_a_source_of_which_nobody_knows_what_it_contains_is_shown_and_never_a_total(
    tree: Path, measure: Measure
) -> None:
    bare_sensor(Sysfs(tree), 25.0)

    found = measure("hwmon", 0.3)

    (energy,) = found["energy"]
    assert energy["channel"] == "sensor/ina226-1-0041/power1"
    assert energy["boundary"] == "unknown: power1"
    assert energy["joules"] == pytest.approx(25.0 * found["duration_s"])
    assert found["total"] is None
    assert "no power source can be read here" in found["reason"]
