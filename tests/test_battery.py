"""Batteries: what they show while they feed the machine, and the bound of it."""

import errno
from pathlib import Path
from random import Random

import pytest
from emulated_battery import (
    ENODEV,
    PRODUCT,
    EmulatedBattery,
    machine,
    measured,
    opened,
    refusal,
    steady,
)
from emulators import holds, window
from known_power import assert_windows_hold, random_power

from bench.cover import cover, total
from bench.meter import Status
from bench.meters import battery as battery_file
from bench.quantities import Kind, Quantity
from bench.window import channel_energy

# What is shown


def test_twelve_watts_for_ten_minutes_are_two_watt_hours_by_both_routes(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    power, energy = meter.channels
    assert (power.id, power.unit, power.kind) == ("battery/0", "W", Kind.SAMPLED)
    assert (energy.id, energy.unit, energy.kind) == ("battery/0#energy", "J", Kind.MEASURED)
    assert {channel.boundary for channel in meter.channels} == {"whole-device"}
    assert energy.resolution == pytest.approx(36.0)  # 10 mWh
    assert (energy.wrap, energy.poll_s) == (None, power.poll_s)
    assert power.origin == "power_supply:BAT0:power_now"
    assert battery_file.PRECEDENCE == 60
    found = measured(meter, laptop, 600.0)
    assert found["battery/0"].joules == pytest.approx(7200, rel=0.01)
    assert found["battery/0#energy"].joules == pytest.approx(7200, rel=0.03)
    meter.close()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("files", [("power_now",), PRODUCT])
def test_power_is_read_by_either_route_whatever_its_sign(
    tmp_path: Path, files: tuple[str, ...], signed: bool
) -> None:
    meter = opened(machine(tmp_path, files=files, signed=signed))
    (channel,) = meter.channels
    assert channel.origin == f"power_supply:BAT0:{' · '.join(files)}"
    assert meter.read()[0].value == pytest.approx(12.0, abs=channel.resolution)


@pytest.mark.failure_mode(17, "battery")
def test_files_that_are_missing_leave_the_other_route(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, files=("energy_now",)))
    assert [channel.id for channel in meter.channels] == ["battery/0#energy"]
    assert {found.status for found in meter.unusable} == {Status.NOT_SUPPORTED}
    assert {found.what for found in meter.unusable} == {
        "battery/0 (BAT0) power_now",
        "battery/0 (BAT0) current_now",
    }
    assert "its driver has none" in meter.unusable[0].reason


@pytest.mark.failure_mode(17, "battery")
def test_a_battery_that_tells_neither_power_nor_energy_is_refused(tmp_path: Path) -> None:
    found = refusal(machine(tmp_path, files=()))
    assert found.status is Status.NOT_SUPPORTED
    assert "its driver has none" in found.absent.reason


@pytest.mark.parametrize("error", [ENODEV, OSError(errno.ENODATA, "No data available")])
@pytest.mark.failure_mode(6, "battery")
def test_a_file_without_data_at_opening_is_another_route_and_no_loss(
    tmp_path: Path, error: OSError
) -> None:
    laptop = machine(tmp_path, files=("power_now", *PRODUCT), faults={"power_now": error})
    assert opened(laptop).channels[0].origin == "power_supply:BAT0:current_now · voltage_now"


@pytest.mark.failure_mode(15, "battery")
def test_the_energy_is_a_second_route_and_is_never_added(tmp_path: Path) -> None:
    assert cover(opened(machine(tmp_path)).channels, "cpu") == ("battery/0",)


def test_two_batteries_that_both_feed_the_machine_are_added(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    laptop.batteries["BAT1"] = EmulatedBattery(steady(3.0))
    laptop.__post_init__()
    meter = opened(laptop)
    found = measured(meter, laptop, 300.0)
    ids = cover(meter.channels, "")
    assert ids == ("battery/0", "battery/1")
    whole = total([found[id_] for id_ in ids], ids)
    assert isinstance(whole, Quantity)
    assert whole.value == pytest.approx(15.0 * found["seconds"], rel=0.01)
    assert whole.boundary == "whole-device"


def test_batteries_of_two_kinds_have_no_sum_of_half_of_them(tmp_path: Path) -> None:
    laptop = machine(tmp_path, files=("energy_now",))
    laptop.batteries["BAT1"] = EmulatedBattery(steady(3.0))
    laptop.__post_init__()
    meter = opened(laptop)
    assert [channel.id for channel in meter.channels] == ["battery/0#energy", "battery/1#energy"]
    assert "battery/1" in {found.what for found in meter.unusable}
    laptop.batteries["BAT1"].files = ("power_now",)
    assert refusal(laptop).status is Status.NOT_SUPPORTED


@pytest.mark.parametrize(
    "files",
    [
        {"type": "Battery", "scope": "Device", "status": "Discharging", "power_now": 5},
        {"type": "USB", "status": "Discharging", "power_now": 5},
        {"type": "Mains", "online": 1},
        {"type": "Battery", "present": 0, "status": "Discharging"},
        {},
    ],
)
def test_what_does_not_feed_the_machine_is_not_its_battery(
    tmp_path: Path, files: dict[str, object]
) -> None:
    laptop = machine(tmp_path)
    laptop.add("AAA", **files)  # first in order, a mouse for one
    meter = opened(laptop)
    assert {channel.origin.split(":")[1] for channel in meter.channels} == {"BAT0"}
    assert meter.unusable == ()


@pytest.mark.parametrize(
    ("step", "shown"), [(1_000, 36.0), (10_000, 36.0), (50_000, 180.0), (1_000_000, 360.0)]
)
def test_the_step_of_the_energy_is_found_in_its_numbers(
    tmp_path: Path, step: int, shown: float
) -> None:
    laptop = machine(tmp_path, step_uwh=step, full_uwh=57_000_000 + step)
    assert opened(laptop).channels[1].resolution == pytest.approx(shown)


# Bounds


VARIANTS = [
    (files, hold_s, averaged_s, signed)
    for files in (("power_now", "energy_now"), (*PRODUCT, "energy_now"), PRODUCT)
    for hold_s, averaged_s in ((0.2, 0.0), (1.0, 1.0), (5.0, 0.0), (30.0, 1.0))
    for signed in (False, True)
]


@pytest.mark.parametrize("seed", range(48))
def test_the_true_energy_lies_within_the_bound_of_every_window(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    files, hold_s, averaged_s, signed = VARIANTS[seed % len(VARIANTS)]
    power = random_power(random, random.choice([15, 60, 120]), dwell_s=45.0)
    laptop = machine(
        tmp_path,
        power,
        files=files,
        hold_s=hold_s,
        phase_s=random.uniform(0, hold_s),
        averaged_s=averaged_s,
        signed=signed,
        step_uwh=random.choice([1_000, 10_000, 30_000]),
        start_uwh=5_000_000_000,
        full_uwh=5_100_000_000,
    )
    meter = opened(laptop)
    truth = {channel.id: power.energy for channel in meter.channels}
    checked = assert_windows_hold(
        meter, laptop.clock, truth, random, windows=22, seconds=(200.0, 500.0)
    )
    assert checked >= 22


def test_a_refresh_that_was_not_seen_is_taken_as_thirty_seconds_and_said(tmp_path: Path) -> None:
    laptop = machine(tmp_path, hold_s=5.0)
    for channel in opened(laptop).channels:
        assert channel.update_interval_s == 30.0
        assert "not seen" in channel.note
        assert "every 30 s" in channel.note
    assert laptop.clock.now_ns < 2.5e9  # it was watched for no longer than two seconds


@pytest.mark.failure_mode(12, "battery")
def test_a_refresh_that_was_seen_counts_from_a_second_on(tmp_path: Path) -> None:
    power, energy = opened(machine(tmp_path, hold_s=0.2)).channels
    assert (power.update_interval_s, power.note) == (1.0, "")
    assert energy.update_interval_s == 30.0


def test_voltage_that_moves_says_nothing_of_a_current_that_is_stale(tmp_path: Path) -> None:
    laptop = machine(tmp_path, files=PRODUCT, hold_s=0.2, faults={"current_now": "800000\n"})
    assert opened(laptop).channels[0].update_interval_s == 30.0


@pytest.mark.failure_mode(12, "battery")
def test_an_energy_that_is_held_longer_than_thirty_seconds_has_a_wider_bound(
    tmp_path: Path,
) -> None:
    laptop = machine(tmp_path, hold_s=45.0)
    meter = opened(laptop)
    found = measured(meter, laptop, 600.0)
    assert found["battery/0#energy"].status is Status.HELD
    assert holds(found["battery/0#energy"], 12.0 * found["seconds"])


@pytest.mark.failure_mode(26, "battery")
def test_a_window_shorter_than_a_refresh_has_no_energy(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    energies, _, _ = window(opened(laptop), laptop.clock, 20.0, every_s=5.0)
    assert {energy.status for energy in energies.values()} == {Status.TOO_SHORT}
    assert {energy.joules for energy in energies.values()} == {None}
    assert "give it at least" in energies["battery/0"].reason


@pytest.mark.failure_mode(23, "battery")
def test_a_time_in_which_nobody_read_is_a_gap_that_widens_the_bound(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    rows = [meter.read()]
    t0 = laptop.clock()
    laptop.clock.pass_s(400.0)
    rows += [meter.read()]
    t1 = laptop.clock()
    for _ in range(8):
        laptop.clock.pass_s(5.0)
        rows.append(meter.read())
    energy = channel_energy(meter.channels[0], [row[0] for row in rows], t0, t1)
    assert energy.status is Status.GAP
    assert holds(energy, 12.0 * (t1 - t0) / 1e9)


@pytest.mark.failure_mode(11, "battery")
def test_an_energy_that_stands_still_is_stale(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    laptop.batteries["BAT0"].faults["energy_now"] = "49000000\n"
    found = measured(meter, laptop, 600.0)["battery/0#energy"]
    assert (found.status, found.joules) == (Status.STALE, None)
    assert "stood still" in found.reason
