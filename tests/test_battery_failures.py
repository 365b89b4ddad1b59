"""Batteries: on the charger nothing is believed, nor what cannot be read."""

import errno
import threading
from pathlib import Path

import pytest
from emulated_battery import (
    ENODEV,
    EmulatedBattery,
    machine,
    opened,
    refusal,
    steady,
)
from emulators import holds

from bench.meter import MeterUnavailable, Reading, Status
from bench.meters.battery import open_meter
from bench.source import Source
from bench.window import channel_energy

# On the charger


@pytest.mark.failure_mode(28, "battery")
@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_on_the_charger_the_meter_does_not_open(tmp_path: Path, status: str) -> None:
    found = refusal(machine(tmp_path, status=status))
    assert found.status is Status.INVALID
    assert found.absent.reason == (
        f"battery/0 (BAT0) is {status}: on the charger: it shows what flows into the battery"
    )
    assert found.absent.fix == "unplug the charger"


@pytest.mark.failure_mode(28, "battery")
@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_a_visit_to_the_charger_voids_the_window(tmp_path: Path, status: str) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    readings = [meter.read()]
    t0 = laptop.clock()
    for shown in ("Discharging", status, "Discharging", "Discharging"):
        laptop.batteries["BAT0"].status = shown
        laptop.clock.pass_s(60.0)
        readings.append(meter.read())
    for index, channel in enumerate(meter.channels):
        own = [row[index] for row in readings]
        energy = channel_energy(channel, own, t0, own[-1].t0_ns)
        assert (energy.status, energy.joules) == (Status.INVALID, None)
        assert f"is {status}: on the charger" in energy.reason
        assert energy.reason.endswith("unplug the charger")


@pytest.mark.failure_mode(28, "battery")
def test_a_charger_that_comes_between_the_value_and_the_status_is_seen(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    before = laptop.reads

    def plug_in(read: int) -> None:
        if read > before + 1:  # after the first file of this reading
            laptop.batteries["BAT0"].status = "Charging"

    laptop.on_read = plug_in
    for reading in meter.read():
        assert (reading.status, reading.value) == (Status.INVALID, None)
        assert "battery/0 (BAT0) is Charging: on the charger" in reading.reason
        assert "unplug the charger" in reading.reason


@pytest.mark.failure_mode(28, "battery")
def test_a_battery_at_rest_is_left_out_and_voids_the_window_when_it_joins(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    laptop.batteries["BAT1"] = EmulatedBattery(steady(3.0), status="Not charging")
    laptop.__post_init__()
    meter = opened(laptop)
    assert {channel.id for channel in meter.channels} == {"battery/0", "battery/0#energy"}
    (idle,) = meter.unusable
    assert (idle.what, idle.status) == ("battery/1 (BAT1)", Status.INVALID)
    assert "another battery feeds the machine" in idle.reason
    assert {reading.status for reading in meter.read()} == {Status.OK}
    laptop.batteries["BAT1"].status = "Discharging"
    for reading in meter.read():
        assert (reading.value, reading.status) == (None, Status.INVALID)
        assert "battery/1 (BAT1) feeds the machine too; open the meters again" in reading.reason


@pytest.mark.failure_mode(18, "battery")
def test_a_battery_at_rest_that_is_taken_out_voids_nothing(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    laptop.batteries["BAT1"] = EmulatedBattery(steady(3.0), status="Full")
    laptop.__post_init__()
    meter = opened(laptop)
    laptop.batteries["BAT1"].faults["status"] = ENODEV
    assert {reading.status for reading in meter.read()} == {Status.OK}


# Failures


@pytest.mark.failure_mode(1, "battery")
def test_a_machine_without_a_battery_is_told_what_measures_it(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        open_meter({"JOULES_SYSFS_ROOT": str(tmp_path)})
    assert caught.value.status is Status.UNAVAILABLE
    assert caught.value.absent.reason == f"{tmp_path}/class/power_supply lists no battery"
    assert "--meters plug:http" in caught.value.absent.fix


def test_a_real_tree_is_read_below_the_given_root(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    laptop.write("BAT0", energy_now=50_000_000, power_now=12_000_000)
    meter = open_meter({"JOULES_SYSFS_ROOT": str(tmp_path)})
    assert [reading.value for reading in meter.read()] == [12.0, 0.0]
    laptop.write("BAT0", energy_now=49_990_000)
    assert meter.read()[1].value == pytest.approx(36.0)
    (tmp_path / "class/power_supply/BAT0/power_now").unlink()
    assert meter.read()[0].status is Status.LOST
    meter.close()


FAULTS: list[tuple[str | Exception, Status, str]] = [
    (OSError(errno.EIO, "Input/output error"), Status.ERROR, "Input/output error"),
    (OSError(errno.ETIMEDOUT, "Connection timed out"), Status.ERROR, "timed out"),
    (OSError(errno.EBUSY, "Device busy"), Status.ERROR, "see dmesg"),
    (ENODEV, Status.LOST, "was the battery taken out?"),
    (OSError(errno.ENODATA, "No data available"), Status.LOST, "it is gone"),
    (FileNotFoundError(errno.ENOENT, "No such file"), Status.LOST, "it is gone"),
    (PermissionError(errno.EACCES, "Permission denied"), Status.PERMISSION, "may not be read"),
    ("", Status.ERROR, "found nothing"),
    ("N/A\n", Status.ERROR, "wanted a number"),
    ("1200", Status.ERROR, "found '1200'"),
    ("1.2e7\n", Status.ERROR, "wanted a number"),
    ("9" * 400 + "\n", Status.ERROR, "wanted a number"),
]


@pytest.mark.failure_mode(2, "battery")
@pytest.mark.failure_mode(5, "battery")
@pytest.mark.failure_mode(6, "battery")
@pytest.mark.failure_mode(7, "battery")
@pytest.mark.failure_mode(18, "battery")
@pytest.mark.parametrize(("fault", "status", "said"), FAULTS)
def test_a_file_that_cannot_be_read_gives_a_reason_and_no_number(
    tmp_path: Path, fault: str | Exception, status: Status, said: str
) -> None:
    laptop = machine(tmp_path)
    battery, meter = laptop.batteries["BAT0"], opened(laptop)
    for index, name in enumerate(("power_now", "energy_now")):
        battery.faults = {name: fault}
        failed, other = meter.read()[index], meter.read()[1 - index]
        assert (failed.value, failed.status) == (None, status)
        assert said in failed.reason
        assert "battery/0 (BAT0): " in failed.reason
        assert other.status is Status.OK
    battery.faults = {"status": fault}
    assert all(reading.value is None for reading in meter.read())


@pytest.mark.failure_mode(7, "battery")
@pytest.mark.failure_mode(16, "battery")
@pytest.mark.parametrize(
    ("text", "said"),
    [("0\n", "exactly 0 W"), ("300000001\n", "no battery gives more than 300 W")],
)
def test_a_power_that_no_machine_draws_is_left_out(tmp_path: Path, text: str, said: str) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    laptop.batteries["BAT0"].faults["power_now"] = text
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert said in reading.reason
    only = machine(tmp_path / "b", files=("power_now",), faults={"power_now": text})
    assert said in refusal(only).absent.reason


@pytest.mark.failure_mode(5, "battery")
def test_every_fifth_read_that_fails_is_left_out_and_the_energy_is_right(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    readings: list[Reading] = []
    for number in range(60):
        fault = {"power_now": OSError(errno.EIO, "Input/output error")}
        laptop.batteries["BAT0"].faults = {**fault} if number % 5 == 0 else {}
        laptop.clock.pass_s(5.0)
        readings.append(meter.read()[0])
    usable = [reading for reading in readings if reading.value is not None]
    assert len(usable) == 48
    t0, t1 = usable[0].t1_ns, usable[-9].t0_ns
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    assert energy.status is Status.OK
    assert holds(energy, 12.0 * (t1 - t0) / 1e9)


@pytest.mark.failure_mode(18, "battery")
def test_a_battery_that_is_taken_out_voids_the_window(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    rows = [meter.read()]
    t0 = laptop.clock()
    laptop.clock.pass_s(60.0)
    laptop.batteries["BAT0"].faults = dict.fromkeys(("status", "power_now", "energy_now"), ENODEV)
    rows.append(meter.read())
    for index, channel in enumerate(meter.channels):
        energy = channel_energy(channel, [row[index] for row in rows], t0, rows[-1][0].t0_ns)
        assert (energy.status, energy.joules) == (Status.LOST, None)
        assert "battery/0 (BAT0): it is gone" in energy.reason


@pytest.mark.failure_mode(10, "battery")
def test_a_battery_that_is_fuller_than_before_was_replaced_and_resets(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    laptop.clock.pass_s(60.0)
    rows = [meter.read()]
    t0 = laptop.clock()
    laptop.clock.pass_s(60.0)
    laptop.batteries["BAT0"].start_uwh += 5_000_000
    rows += [meter.read()]
    energy = channel_energy(meter.channels[1], [row[1] for row in rows], t0, rows[-1][1].t0_ns)
    assert (energy.status, energy.joules) == (Status.RESET, None)
    assert "went back" in energy.reason


def test_an_energy_that_falls_faster_than_any_machine_draws_is_not_believed(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    rows = [meter.read()]
    t0 = laptop.clock()
    laptop.clock.pass_s(60.0)
    laptop.batteries["BAT0"].start_uwh -= 20_000_000
    rows += [meter.read()]
    energy = channel_energy(meter.channels[1], [row[1] for row in rows], t0, rows[-1][1].t0_ns)
    assert (energy.status, energy.joules) == (Status.INVALID, None)


@pytest.mark.failure_mode(2, "battery")
def test_a_type_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")
    found = refusal(machine(tmp_path, faults={"type": denied}))
    assert found.status is Status.PERMISSION
    assert "BAT0: it may not be read" in found.absent.reason


@pytest.mark.failure_mode(22, "battery")
def test_a_controller_that_hangs_stops_its_own_readings_only(tmp_path: Path) -> None:
    laptop = machine(tmp_path)
    meter = opened(laptop)
    ids = {channel.id: channel.id for channel in meter.channels}
    source = Source(meter, ids, laptop.clock, deadline_s=0.2)
    answers = threading.Event()

    def hang(_: int) -> None:
        answers.wait()

    laptop.on_read = hang
    try:
        for reading in source.read():
            assert (reading.status, reading.value) == (Status.TIMEOUT, None)
            assert "battery did not answer within 0.2 s" in reading.reason
            assert "is the device still there?" in reading.reason
    finally:
        answers.set()
        source.close()
