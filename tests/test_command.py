"""`joulebench measure -- COMMAND`, on a machine without and with a power source."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from virtual import Clock, KnownMeter, steady

from bench.cli import main
from bench.command import Outcome, measure_command
from bench.instruments import Instruments
from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Absent, Kind
from bench.window import ChannelEnergy, doubts

CONSTANT = {
    "description": "a package at 40 W",
    "channels": [
        {
            "id": "cpu/0/package",
            "domain": "package",
            "kind": "measured",
            "boundary": "cpu-package",
            "resolution_j": 6.1e-5,
            "update_interval_s": 0.001,
            "wrap_j": 262143.3,
            "start_j": 262143.0,
            "p_max_w": 60.0,
            "power": [[0, 40.0]],
        }
    ],
}
PYTHON = sys.executable


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(CONSTANT))
    return str(path)


def test_the_object_has_the_window_the_energy_and_the_exit_code(
    trace: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = time.monotonic_ns()

    code = main(
        ["measure", "--json", "--meters", f"replay:{trace}", "--", PYTHON, "-c", "print(6 * 7)"]
    )

    out = capfd.readouterr().out.splitlines()
    found = json.loads(out[-1])
    assert code == 0
    assert out[0] == "42"
    assert before <= found["t0_ns"] < found["t1_ns"] <= time.monotonic_ns()
    assert found["duration_s"] == (found["t1_ns"] - found["t0_ns"]) / 1e9
    assert found["exit_code"] == 0
    assert found["cpu_seconds"] > 0
    (energy,) = found["energy"]
    assert energy["domain"] == "package"
    assert energy["boundary"] == "cpu-package"
    assert energy["kind"] == "measured"
    assert energy["status"] in {"ok", "wrapped"}
    assert energy["low"] <= 40 * found["duration_s"] <= energy["high"]
    assert found["total"]["low"] <= 40 * found["duration_s"] <= found["total"]["high"]
    assert found["total"]["boundary"] == "cpu-package"
    assert found["reason"] is None


def test_without_a_power_source_the_total_is_null_with_the_reason(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = main(
        ["measure", "--json", "--meters", "codecarbon", "--", PYTHON, "-c", "sum(range(9))"]
    )

    found = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert code == 0
    assert found["total"] is None
    assert "no power source can be read here" in found["reason"]
    (estimate,) = found["energy"]
    assert estimate["kind"] == "estimated"
    assert 0 < estimate["low"] < estimate["joules"] < estimate["high"]


@pytest.mark.parametrize("script", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_the_exit_code_of_the_command_is_passed_on(
    trace: str, script: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code = main(["measure", "--meters", f"replay:{trace}", "--", PYTHON, "-c", script])

    assert code == (3 if "SystemExit" in script else 137)
    assert "energy  " in capfd.readouterr().err


def test_what_is_required_and_missing_is_said_before_the_command_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    witness = tmp_path / "it ran"

    code = main(
        ["measure", "--meters", "codecarbon", "--require", "measured", "--", "touch", str(witness)]
    )

    assert code == 10
    assert not witness.exists()
    assert "energy cannot be measured here" in capfd.readouterr().err


def test_a_meter_that_was_named_and_cannot_open_ends_with_10_and_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOULES_SYSFS_ROOT", str(tmp_path))

    code = main(["measure", "--meters", "powercap", "--", "true"])

    assert code == 10
    assert "joulebench: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["--", "no-such-program-here"], 127, "no-such-program-here: not found"),
        (["--", "/"], 126, "/ cannot be executed: Permission denied"),
        ([], 2, "no command; write joulebench measure -- COMMAND"),
    ],
)
def test_a_command_that_cannot_start_gives_the_codes_of_a_shell(
    trace: str, command: list[str], code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", "--meters", f"replay:{trace}", *command]) == code
    assert message in capfd.readouterr().err


def test_a_person_reads_joules_watts_and_the_estimate_apart(
    trace: str, capfd: pytest.CaptureFixture[str]
) -> None:
    meters = f"replay:{trace},codecarbon"
    main(["measure", "--meters", meters, "--", PYTHON, "-c", "sum(range(10**6))"])

    text = capfd.readouterr().err
    assert "measured" in text
    assert " W " in text
    assert "process/cpu: ≈ " in text


def test_the_object_goes_to_a_file_when_one_is_given(tmp_path: Path, trace: str) -> None:
    out = tmp_path / "energy.json"

    main(["measure", "-o", str(out), "--meters", f"replay:{trace}", "--", PYTHON, "-c", "pass"])

    assert json.loads(out.read_text())["total"]["kind"] == "measured"


def test_a_counter_that_wraps_often_is_read_while_the_command_runs() -> None:
    class Impatient(KnownMeter):
        @property
        def channels(self) -> tuple[Channel, ...]:
            return tuple(replace(each, wrap=1.0, p_max_w=50.0) for each in super().channels)

    meter = Impatient(Clock(), {"cpu/0/package": steady(10)})

    measure_command([PYTHON, "-c", "import time; time.sleep(0.3)"], Instruments((meter,)))

    assert meter.reads > 2


GAUGE = Channel(
    "board/0", "board", Kind.SAMPLED, "board-dc", 0.01, 0.001, None, 100.0, "a test", unit="W"
)


@dataclass
class Gauge:
    every: Callable[[], None] = lambda: None
    channels: tuple[Channel, ...] = (GAUGE,)
    name: str = "gauge"
    unusable: tuple[Unusable, ...] = ()
    children_cpu_s: float = 0.0

    def read(self) -> tuple[Reading, ...]:
        self.every()
        now = time.monotonic_ns()
        return (Reading(GAUGE.id, now, time.monotonic_ns(), 50.0),)

    def close(self) -> None:
        """Nothing is held."""


def test_an_interrupt_while_meters_are_awaited_does_not_lose_the_outcome() -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    instruments = Instruments((Gauge(),), sleep=interrupted)
    program = "import sys, time; time.sleep(0.05); sys.exit(7)"

    outcome = measure_command([PYTHON, "-c", program], instruments)

    assert outcome.exit_code == 7
    assert outcome.duration_s > 0.05


def test_an_interrupt_goes_to_the_command_and_not_to_the_measurement() -> None:
    program = "import os, signal; os.kill(os.getppid(), signal.SIGINT)"

    assert measure_command([PYTHON, "-c", program], Instruments()).exit_code == 0


def test_the_command_can_be_interrupted_as_if_it_were_alone() -> None:
    program = "import signal, sys; sys.exit(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"

    assert measure_command([PYTHON, "-c", program], Instruments()).exit_code == 0


def test_the_cpu_time_of_programs_that_meters_run_is_not_the_commands() -> None:
    def spend() -> None:
        meter.children_cpu_s += 1.0

    meter = Gauge(spend)
    outcome = measure_command([PYTHON, "-c", "import time; time.sleep(0.1)"], Instruments((meter,)))

    assert outcome.cpu_seconds < 0.5 - 1.0  # what it did not use itself is taken off


def test_a_gap_is_told_with_the_outcome() -> None:
    gap = ChannelEnergy(
        "board/0", 100, 0, 900, Kind.SAMPLED, "board-dc", Status.GAP, ""
    )  # fmt: skip
    flags = doubts([gap])

    outcome = Outcome(0, 10**9, 0, (GAUGE,), (gap,), Absent("a test"), 0.0, flags)

    assert any("board/0 was not read for too long" in line for line in outcome.lines())
    assert outcome.as_json()["flags"] == list(flags)
