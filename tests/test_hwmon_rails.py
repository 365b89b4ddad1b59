"""A rail of an INA3221: what a voltage and a current make, its steps, its alarms, its errors."""

import errno
from pathlib import Path

import pytest
from emulated_hwmon import Ina3221, Rail, Sysfs, opened, steady, window
from emulated_jetson import NX_RAILS, POWER, build, channels, one_rail
from emulators import holds
from known_power import KnownPower

from bench.cover import cover, total
from bench.meter import MeterUnavailable, Status
from bench.quantities import Quantity


def test_power_is_the_bus_voltage_times_the_current_in_watts(tmp_path: Path) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(10.0)))
    meter = opened(sysfs)
    assert meter.read()[0].value == pytest.approx(5.0 * 2.0)
    assert sysfs.reads["1-0040/in1_input"] == 2 * sysfs.reads["1-0040/curr1_input"] + 1
    assert not {"1-0040/in4_input", "1-0040/in7_input", "1-0040/curr4_input"} & set(sysfs.reads)


@pytest.mark.parametrize(
    ("volts", "ohms", "resolution", "share"),
    [(5.0, 0.005, 1.15 * 5 * 0.0085, 0.033 / 4.25), (20.0, 0.002, 1.15 * 20 * 0.0205, 0.108 / 17)],
)
def test_the_steps_of_the_chip_are_stated_in_watts_and_as_a_share(
    tmp_path: Path, volts: float, ohms: float, resolution: float, share: float
) -> None:
    meter = opened(one_rail(tmp_path, Rail("VDD_IN", steady(10.0), volts, ohms)))
    channel = meter.channels[0]
    assert channel.resolution == pytest.approx(resolution)
    assert channel.range == pytest.approx((1 - share, 1 + share))


def test_a_rail_without_a_map_can_draw_what_its_shunt_can_show(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    sysfs.add("ina3221", "2-0042", Ina3221(sysfs.clock, [Rail("X", steady(5))]).files())
    assert opened(sysfs).channels[0].p_max_w == pytest.approx(1.15 * 5 * 4095 * 0.008)


@pytest.mark.parametrize(
    ("files", "interval_s"),
    [
        ({"update_interval": "7"}, 0.0075),
        ({"update_interval": "422"}, 0.4225),
        ({"update_interval": "0"}, 0.0066),
        ({"update_interval": "none"}, 0.0066),
        ({"update_interval": "none", "in3_enable": "0"}, 0.0044),
    ],
)
def test_the_interval_is_that_of_the_driver_or_of_its_default_conversions(
    tmp_path: Path, files: dict[str, str], interval_s: float
) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    path = next((tmp_path / "class" / "hwmon").iterdir())
    for attribute, text in files.items():
        (path / attribute).write_text(f"{text}\n")
    channel = opened(board.sysfs).channels[0]
    assert channel.update_interval_s == pytest.approx(interval_s)
    assert channel.averaging_window_s == pytest.approx(interval_s)
    assert channel.poll_s == pytest.approx(max(interval_s, 0.005))


def test_a_rail_that_moves_more_slowly_than_its_driver_says_has_the_longer_interval(
    tmp_path: Path,
) -> None:
    power = KnownPower([5.0, 9.0, 7.0], [0.03, 0.03, 0.03])
    sysfs = one_rail(tmp_path, Rail("VDD_IN", power))
    assert opened(sysfs).channels[0].update_interval_s == pytest.approx(0.03, abs=0.003)


@pytest.mark.failure_mode(16, "hwmon")
def test_a_rail_at_rest_has_half_a_step_and_no_zero(tmp_path: Path) -> None:
    power = {**POWER, "CV": steady(0.0), "GPU": steady(0.0)}
    board = build(tmp_path, "agx_xavier", power)
    meter = opened(board.sysfs)
    ids = cover(meter.channels, "cpu")
    energies, t0, t1 = window(meter, board.sysfs.clock, 1.0, 0.02)
    whole = total(energies.values(), ids)
    assert isinstance(whole, Quantity)
    assert whole.low <= 16.0 * (t1 - t0) <= whole.high
    assert energies["module/cv"].joules == pytest.approx(19 * 0.004 * (t1 - t0), rel=0.01)
    assert energies["module/cv"].low == 0.0


@pytest.mark.parametrize(("text", "status"), [(b"-8\n", Status.OK), (b"-16\n", Status.ERROR)])
def test_a_current_may_be_below_zero_by_a_step_of_noise_and_no_more(
    tmp_path: Path, text: bytes, status: Status
) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(5.0)))
    meter = opened(sysfs)
    sysfs.read_faults["1-0040/curr1_input"] = text
    assert meter.read()[0].status is status


@pytest.mark.failure_mode(16, "hwmon")
def test_a_rail_without_a_voltage_is_not_supported(tmp_path: Path) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(5.0)))
    sysfs.read_faults["1-0040/in1_input"] = b"0\n"
    with pytest.raises(MeterUnavailable, match="the rail has no voltage") as caught:
        opened(sysfs)
    assert caught.value.status is Status.NOT_SUPPORTED


@pytest.mark.failure_mode(5, "hwmon")
def test_a_voltage_that_moves_while_the_current_is_read_gives_no_product(tmp_path: Path) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(5.0)))
    meter = opened(sysfs)
    count = 0

    def restless() -> bytes:
        nonlocal count
        count += 1
        return b"%d\n" % (4900 + 100 * (count % 2))

    sysfs.live["1-0040/in1_input"] = restless
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "its voltage moved from" in reading.reason
    assert "is the supply strong enough?" in reading.reason


def test_a_voltage_that_moved_once_is_read_again(tmp_path: Path) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(10.0)))
    meter = opened(sysfs)
    texts = iter([b"4800\n"])
    sysfs.live["1-0040/in1_input"] = lambda: next(texts, b"5000\n")
    assert meter.read()[0].value == pytest.approx(10.0)


def test_a_supply_that_was_exchanged_gives_no_product(tmp_path: Path) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(5.0)))
    meter = opened(sysfs)
    sysfs.live["1-0040/in1_input"] = lambda: b"12000\n"
    reading = meter.read()[0]
    assert reading.status is Status.ERROR
    assert "its voltage is 12000 mV, and 4.25 to 5.75 V is near what it was" in reading.reason


def test_a_driver_that_waits_for_each_conversion_is_read_as_well(tmp_path: Path) -> None:
    board = build(tmp_path, "agx_orin", POWER, blocking=True)
    meter = opened(board.sysfs)
    reading = meter.read()[0]
    assert reading.value == pytest.approx(12.0, rel=0.05)
    round_s = board.chips["1-0040"].round_s
    assert (reading.t1_ns - reading.t0_ns) / 1e9 > 1.9 * round_s
    assert meter.channels[0].poll_s == pytest.approx(9 * round_s, rel=0.2)
    energies, t0, t1 = window(meter, board.sysfs.clock, 2.0, meter.channels[0].poll_s or 0.0)
    assert energies["module/vdd_gpu_soc"].status is Status.OK
    assert holds(energies["module/vdd_gpu_soc"], 12.0 * (t1 - t0))


# Alarms


@pytest.mark.failure_mode(25, "hwmon")
@pytest.mark.parametrize("alarm", ["curr1_crit_alarm", "curr1_max_alarm"])
def test_an_over_current_alarm_is_a_flag_with_the_name_of_its_rail(
    tmp_path: Path, alarm: str
) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    meter = opened(board.sysfs)
    assert meter.flags() == ()
    board.sysfs.read_faults[f"1-0040/{alarm}"] = b"1\n"
    assert meter.flags() == ("throttled: over-current alarm VDD_IN",)
    board.sysfs.read_faults[f"1-0040/{alarm}"] = OSError(errno.EREMOTEIO, "Remote I/O error")
    assert meter.flags() == ()
    meter.close()


# Errors of the bus


@pytest.mark.failure_mode(5, "hwmon")
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EREMOTEIO, "Remote I/O error"),
        TimeoutError(errno.ETIMEDOUT, "Connection timed out"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EINVAL, "Invalid argument"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    ],
)
@pytest.mark.parametrize("attribute", ["in1_input", "curr1_input"])
def test_a_bus_that_fails_now_and_then_costs_readings_and_no_energy(
    tmp_path: Path, error: OSError, attribute: str
) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    board.sysfs.failing[f"1-0040/{attribute}"] = 7, error
    meter = opened(board.sysfs)
    assert list(channels(meter)) == NX_RAILS
    energies, t0, t1 = window(meter, board.sysfs.clock, 1.0, 0.01)
    assert energies["module/vdd_in"].status is Status.OK
    assert holds(energies["module/vdd_in"], 10.0 * (t1 - t0))
    board.sysfs.read_faults[f"1-0040/{attribute}"] = error
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert str(error.strerror) in reading.reason
    assert "see dmesg" in reading.reason


@pytest.mark.failure_mode(5, "hwmon")
def test_a_bus_that_always_fails_is_left_out_with_its_error(tmp_path: Path) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    error = OSError(errno.EREMOTEIO, "Remote I/O error")
    board.sysfs.read_faults = {f"1-0040/in{n}_input": error for n in (1, 2, 3)}
    with pytest.raises(MeterUnavailable, match="could not read the sensor") as caught:
        opened(board.sysfs)
    assert caught.value.status is Status.ERROR
