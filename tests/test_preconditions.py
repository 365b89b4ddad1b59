"""What may spoil a run is said before it, with what would help; nothing is changed."""

from pathlib import Path
from typing import Any

import pytest
from killed_session import SCHEDULE

from bench import records
from bench.guard import State
from bench.preconditions import preconditions
from bench.run import Settings
from bench.session import Session
from bench.simulated import DeviceModel, SimulatedDevice


def said(flags: tuple[str, ...] = (), channels: tuple[str, ...] = (), **state: Any) -> list[str]:
    return list(preconditions(State(**state), flags, channels))


def test_a_calm_machine_with_steady_clocks_is_worth_no_word() -> None:
    assert said(governor="performance", on_battery=False, temperature_c=45.0) == []
    assert said() == []  # a machine that tells nothing is not accused


def test_a_governor_that_follows_the_load_is_named_with_the_command_that_helps() -> None:
    (text,) = said(governor="powersave")

    assert "governor is powersave" in text
    assert "cpupower frequency-set -g performance" in text


@pytest.mark.parametrize(("channels", "warned"), [((), True), (("battery/0",), False)])
def test_a_battery_is_warned_of_unless_it_is_the_meter(
    channels: tuple[str, ...], warned: bool
) -> None:
    assert bool(said(channels=channels, on_battery=True)) is warned


def test_a_cpu_that_is_warm_before_it_begins_should_cool_first() -> None:
    assert "at 82 °C" in said(temperature_c=82.0)[0]
    assert said(temperature_c=75.0) == []


def test_what_disturbed_the_waiting_machine_is_said_and_a_doubt_of_a_meter_is_not() -> None:
    flags = ("foreign load 0.43 CPU", "shared: 2 processes on GPU-1", "GPU was not read for long")

    load, shared = said(flags)
    assert "foreign load 0.43 CPU while the machine should have waited" in load
    assert "the same flag" in shared


def test_a_session_says_it_before_its_first_case_and_notes_it_in_the_journal(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    device = SimulatedDevice(DeviceModel(ambient_c=90.0, kelvin_per_watt=0.1), seed=1)
    settings = Settings("test", SCHEDULE, results=tmp_path, command="test")

    session = Session.start(
        settings, lines.append, {"JOULES_LOCK": str(tmp_path / "lock")}, device.instruments()
    )
    session.finish(0)

    assert any("before the run: the CPU is at 90 °C" in line for line in lines)
    notes = records.read(session.ledger.path).notes
    assert any("before the run: the CPU is at 90 °C" in note.text for note in notes)
