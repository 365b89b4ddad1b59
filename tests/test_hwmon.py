"""The hwmon class: AMD's energy driver, bare sensors, and what is not there."""

import errno
import threading
from pathlib import Path

import pytest
from emulated_hwmon import Energy, Gauge, Live, Sysfs, opened, steady, window
from emulators import VirtualClock, joules

from bench.cover import cover, total
from bench.meter import Channel, MeterUnavailable, Status
from bench.meters import hwmon
from bench.meters._hwmon_device import number
from bench.meters.hwmon import HwmonMeter
from bench.quantities import Kind, Quantity
from bench.source import Source


def channels(meter: HwmonMeter) -> dict[str, Channel]:
    return {channel.id: channel for channel in meter.channels}


# AMD's energy driver


def amd_energy(root: Path) -> Sysfs:
    sysfs = Sysfs(root)
    files: dict[str, str | Live] = {}
    for index in range(4):
        files |= {f"energy{index + 1}_input": "5", f"energy{index + 1}_label": f"Ecore00{index}"}
    for socket, watts in enumerate((100.0, 80.0)):
        files |= {
            f"energy{5 + socket}_input": Energy(steady(watts), sysfs.clock, 2.0**-16),
            f"energy{5 + socket}_label": f"Esocket{socket}",
        }
    sysfs.add("amd_energy", "amd_energy.0", files)
    return sysfs


@pytest.mark.failure_mode(15, "hwmon")
def test_sockets_of_amd_energy_are_packages_and_their_cores_are_inside(tmp_path: Path) -> None:
    sysfs = amd_energy(tmp_path)
    meter = opened(sysfs)
    ids = cover(meter.channels, "cpu")
    assert ids == ("cpu/0/package", "cpu/1/package")
    assert {channel.kind for channel in meter.channels} == {Kind.MEASURED}
    assert "activity model" in meter.channels[0].note
    energies, t0, t1 = window(meter, sysfs.clock, 5.0, 5.0)
    whole = total(energies.values(), ids)
    assert isinstance(whole, Quantity)
    assert whole.value == pytest.approx(180 * (t1 - t0), rel=0.001)
    assert whole.boundary == "cpu-package"
    assert meter.unusable[0].reason == "4 cores (Ecore000 to Ecore003) are inside their sockets"
    assert not [key for key in sysfs.reads if key.endswith(("energy1_input", "energy4_input"))]


@pytest.mark.failure_mode(2, "hwmon")
def test_a_counter_for_root_only_names_a_rule_for_one_group(tmp_path: Path) -> None:
    sysfs = amd_energy(tmp_path)
    denied = PermissionError(errno.EACCES, "Permission denied")
    sysfs.open_faults = {f"amd_energy.0/energy{n}_input": denied for n in (5, 6)}
    with pytest.raises(MeterUnavailable) as caught:
        opened(sysfs)
    assert caught.value.status is Status.PERMISSION
    assert caught.value.absent.reason == (
        "amd_energy amd_energy.0 Esocket0: energy5_input may be read by root only"
    )
    fix = caught.value.absent.fix
    where = f"{tmp_path}/devices/platform/amd_energy.0/hwmon/hwmon*/energy*_input"
    assert f"echo 'z {where} 0440 root energy'" in fix
    assert 'sudo groupadd -f energy && sudo usermod -aG energy "$USER"' in fix
    assert "/etc/tmpfiles.d/amd_energy.conf" in fix
    assert "CVE-2020-8694" in fix


@pytest.mark.failure_mode(2, "hwmon")
def test_a_counter_whose_right_is_taken_away_ends_the_window(tmp_path: Path) -> None:
    sysfs = amd_energy(tmp_path)
    meter = opened(sysfs)
    denied = PermissionError(errno.EACCES, "Permission denied")
    sysfs.read_faults["amd_energy.0/energy5_input"] = denied
    first, second = meter.read()
    assert (first.value, first.status) == (None, Status.PERMISSION)
    assert "groupadd" in first.reason
    assert second.value is not None


@pytest.mark.failure_mode(10, "hwmon")
def test_a_counter_that_goes_back_is_a_reset_and_no_wrap(tmp_path: Path) -> None:
    sysfs = amd_energy(tmp_path)
    meter = opened(sysfs)
    event = 1.0, lambda: sysfs.read_faults.update({"amd_energy.0/energy5_input": b"12\n"})
    energies, _, _ = window(meter, sysfs.clock, 5.0, 0.5, [event])
    energy = energies["cpu/0/package"]
    assert (energy.joules, energy.status) == (None, Status.RESET)
    assert "was the driver reloaded" in energy.reason


@pytest.mark.failure_mode(26, "hwmon")
def test_a_window_shorter_than_a_counter_can_resolve_has_no_energy(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    count = Energy(steady(100.0), sysfs.clock, 2.0**-16, hold_s=0.1)
    files: dict[str, str | Live] = {"energy1_input": count, "energy1_label": "Esocket0"}
    sysfs.add("amd_energy", "amd_energy.0", files)
    meter = opened(sysfs)
    energies, _, _ = window(meter, sysfs.clock, 0.05, 0.05)
    energy = energies["cpu/0/package"]
    assert (energy.joules, energy.status) == (None, Status.TOO_SHORT)
    assert "is shorter than the counter can resolve" in energy.reason
    assert "give it at least 5" in energy.reason


@pytest.mark.failure_mode(22, "hwmon")
def test_a_driver_that_hangs_costs_its_readings_and_nobody_waits(tmp_path: Path) -> None:
    sysfs = amd_energy(tmp_path)
    meter = opened(sysfs)
    answers = threading.Event()
    sysfs.live["amd_energy.0/energy6_input"] = lambda: b"7\n" if answers.wait(30) else b""
    ids = {channel.id: channel.id for channel in meter.channels}
    readings = Source(meter, ids, sysfs.clock, deadline_s=0.05).read()
    answers.set()
    assert {(reading.value, reading.status) for reading in readings} == {(None, Status.TIMEOUT)}
    assert "hwmon did not answer within 0.05 s" in readings[0].reason


@pytest.mark.failure_mode(29, "hwmon")
def test_a_socket_whose_driver_is_unloaded_is_lost_on_its_open_descriptor(tmp_path: Path) -> None:
    sysfs = amd_energy(tmp_path)
    meter = opened(sysfs)
    gone = OSError(errno.ENODEV, "No such device")
    event = 1.0, lambda: sysfs.read_faults.update({"amd_energy.0/energy5_input": gone})
    energies, t0, t1 = window(meter, sysfs.clock, 5.0, 0.5, [event])
    assert (energies["cpu/0/package"].joules, energies["cpu/0/package"].status) == (
        None,
        Status.LOST,
    )
    assert "the sensor is gone or hidden" in energies["cpu/0/package"].reason
    assert "was its driver unloaded" in energies["cpu/0/package"].reason
    assert joules(energies["cpu/1/package"]) == pytest.approx(80 * (t1 - t0), rel=0.001)


# Bare sensors


def bare(root: Path, name: str = "ina226", device: str = "1-0044", **files: str) -> Sysfs:
    sysfs = Sysfs(root)
    gauge = Gauge(steady(24.0), sysfs.clock, 0.035, 0.035, 25 * 2.5e-6 / 0.01)
    basic = {"in1_input": "12000", "shunt_resistor": "10000", "update_interval": "35"}
    sysfs.add(name, device, {"power1_input": gauge, **basic, **files}, bus="i2c-1")
    return sysfs


def test_a_bare_sensor_is_shown_and_never_added(tmp_path: Path) -> None:
    meter = opened(bare(tmp_path))
    channel = meter.channels[0]
    assert channel.id == "sensor/ina226-1-0044/power1"
    assert (channel.kind, channel.boundary) == (Kind.SAMPLED, "unknown: power1")
    assert channel.update_interval_s == pytest.approx(0.0355)
    assert channel.p_max_w == pytest.approx(1.15 * 12 * 8.192)
    amps_step = 2.5e-6 / 0.01
    assert channel.resolution == pytest.approx(25 * amps_step + 36 * (amps_step + 0.0005))
    assert cover(meter.channels, "cpu") == ()
    assert meter.read()[0].value == pytest.approx(24.0, abs=0.01)


@pytest.mark.parametrize(
    "name", ["ina226/power1", "ina226-1-0044/power1", "ina226/Input", "ina226-1-0044/Input"]
)
def test_a_sensor_is_placed_by_who_knows_what_it_measures(tmp_path: Path, name: str) -> None:
    meter = opened(bare(tmp_path, power1_label="Input"), f" {name} = board/dc ;")
    channel = meter.channels[0]
    assert (channel.id, channel.boundary, channel.kind) == ("board/dc", "dc", Kind.SAMPLED)
    assert channel.domain == "board"
    assert channel.note.startswith("placed by JOULES_HWMON")
    assert cover(meter.channels, "cpu") == ("board/dc",)


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ("ina226/power1", "JOULES_HWMON says 'ina226/power1', wanted"),
        ("power1=board/dc", "JOULES_HWMON says"),
        ("ina226/power1=dc", "JOULES_HWMON says"),
        ("ina226/power1=process/1", "JOULES_HWMON says"),
        ("ina226/power1=board/dc#2", "JOULES_HWMON says"),
        ("ina226/power1=board//dc", "JOULES_HWMON says"),
        ("ina226/power1=board/", "JOULES_HWMON says"),
        ("ina226/power1=board/a;ina226/power1=board/b", "wanted each sensor once"),
        ("ina226/power2=board/dc", "no sensor is called that; choose from ina226-1-0044/power1"),
        ("ina219/power1=board/dc", "names ina219/power1, and no sensor is called that"),
    ],
)
def test_a_place_that_does_not_fit_is_refused_with_what_would(
    tmp_path: Path, places: str, reason: str
) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        opened(bare(tmp_path), places)
    assert reason in str(caught.value)
    assert caught.value.status is Status.INVALID


def test_a_name_that_several_sensors_have_is_refused_with_their_own(tmp_path: Path) -> None:
    sysfs = bare(tmp_path)
    sysfs.add("ina226", "1-0045", {"power1_input": "5000000"}, bus="i2c-1")
    with pytest.raises(MeterUnavailable, match="several sensors are called that") as caught:
        opened(sysfs, "ina226/power1=board/dc")
    assert caught.value.absent.fix == ("choose from ina226-1-0044/power1, ina226-1-0045/power1")
    meter = opened(sysfs, "ina226-1-0045/power1=board/dc")
    assert set(channels(meter)) == {"board/dc", "sensor/ina226-1-0044/power1"}


def test_a_device_keeps_its_name_when_its_number_changes(tmp_path: Path) -> None:
    first, second = bare(tmp_path / "a"), Sysfs(tmp_path / "b")
    second.add("nvme", "nvme0", {"temp1_input": "40000"})
    second.add("ina226", "1-0044", {"power1_input": "24000000"}, bus="i2c-1")
    ids = [set(channels(opened(sysfs))) for sysfs in (first, second)]
    assert ids[0] == ids[1] == {"sensor/ina226-1-0044/power1"}
    numbers = {path.name for path in (tmp_path / "b" / "class" / "hwmon").iterdir()}
    assert numbers == {"hwmon0", "hwmon1"}


def test_counters_and_gauges_of_an_unknown_device_are_sensors_of_their_kind(
    tmp_path: Path,
) -> None:
    sysfs = Sysfs(tmp_path, VirtualClock(1_000_000))
    files: dict[str, str | Live] = {
        "energy1_input": Energy(steady(50.0), sysfs.clock, 0.001, 1.0),
        "power1_average": "50000000",
        "power1_average_interval": "1000",
        "power2_input": "20000000",
        "power2_average": "19000000",
        "power2_label": "PSU / in",
        "power3_input": "21000000",
        "power3_label": "psu / in",
        "power4_cap": "99000000",
    }
    sysfs.add("ibmaem", "aem.0", files)
    meter = opened(sysfs)
    found = channels(meter)
    sensor = "sensor/ibmaem-aem.0"
    assert list(found) == [
        f"{sensor}/energy1",
        f"{sensor}/psu___in",
        f"{sensor}/psu___in-power3",
        f"{sensor}/power1",
    ]
    assert found[f"{sensor}/energy1"].kind is Kind.MEASURED
    assert found[f"{sensor}/energy1"].update_interval_s == pytest.approx(1.0, rel=0.01)
    assert found[f"{sensor}/power1"].kind is Kind.SAMPLED
    assert found[f"{sensor}/power1"].averaging_window_s == 1.0
    assert found[f"{sensor}/psu___in"].boundary == "unknown: PSU / in"
    values = {reading.channel: reading.value for reading in meter.read()}
    assert values[f"{sensor}/psu___in"] == 20.0


def test_the_limits_of_an_unknown_gauge_bound_its_power(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    files: dict[str, str | Live] = {
        "power1_input": "20000000",
        "power1_max": "80000000",
        "power1_crit": "100000000",
        "power1_cap_max": "0",
    }
    sysfs.add("pmbus", "3-0058", files)
    channel = opened(sysfs).channels[0]
    assert channel.p_max_w == 150.0
    assert channel.resolution == 1.0  # one value with many zeros
    assert channel.update_interval_s == 2.0
    assert "how often it is refreshed is not told" in channel.note


def test_devices_that_measure_no_power_are_passed_over_in_silence(tmp_path: Path) -> None:
    sysfs = bare(tmp_path)
    sysfs.add("coretemp", "coretemp.0", {"temp1_input": "50000", "power1_cap": "1"})
    meter = opened(sysfs)
    assert list(channels(meter)) == ["sensor/ina226-1-0044/power1"]
    assert meter.unusable == ()


def test_a_machine_full_of_bare_sensors_opens_in_time(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path, VirtualClock(2_000_000))
    files: dict[str, str | Live] = {f"power{n}_input": f"{n}000000" for n in range(1, 51)}
    sysfs.add("pmbus", "3-0058", files)
    began = sysfs.clock()
    meter = opened(sysfs)
    assert len(meter.channels) == 50
    assert sysfs.clock() - began < 32e9


# Nothing there


def unavailable(root: Path, environment: dict[str, str] | None = None) -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        hwmon.open_meter({"JOULES_SYSFS_ROOT": str(root), **(environment or {})})
    return caught.value


@pytest.mark.failure_mode(1, "hwmon")
def test_a_root_that_does_not_exist_names_its_variable(tmp_path: Path) -> None:
    error = unavailable(tmp_path / "none")
    assert error.status is Status.UNAVAILABLE
    assert "set JOULES_SYSFS_ROOT" in str(error)


@pytest.mark.failure_mode(1, "hwmon")
@pytest.mark.parametrize("devices", [[], ["nvme", "coretemp"]])
def test_a_machine_without_a_sensor_is_told_what_it_has(tmp_path: Path, devices: list[str]) -> None:
    sysfs = Sysfs(tmp_path)
    for name in devices:
        sysfs.add(name, name, {"temp1_input": "40000"})
    error = unavailable(tmp_path)
    assert error.status is Status.UNAVAILABLE
    found = "coretemp, nvme" if devices else "no device at all"
    assert f"measures power or energy (found {found})" in error.absent.reason
    assert "modprobe acpi_power_meter" in error.absent.fix


@pytest.mark.failure_mode(4, "hwmon")
def test_a_container_that_hides_the_devices_is_told_its_mount(tmp_path: Path) -> None:
    bare(tmp_path)
    (tmp_path / "devices").rename(tmp_path / "masked")
    error = unavailable(tmp_path)
    assert error.status is Status.UNAVAILABLE
    assert "1 devices that lead nowhere: a container hides them" in error.absent.reason
    assert "-v /sys:/host/sys:ro -e JOULES_SYSFS_ROOT=/host/sys" in error.absent.fix


def test_a_name_for_a_sensor_where_there_is_none_is_refused(tmp_path: Path) -> None:
    error = unavailable(tmp_path, {"JOULES_HWMON": "ina226/power1=board/dc"})
    assert "there is no sensor" in error.absent.fix


def test_a_refused_right_comes_before_other_reasons(tmp_path: Path) -> None:
    sysfs = bare(tmp_path)
    sysfs.add("pmbus", "3-0058", {"power1_input": "7000000"})
    sysfs.read_faults["1-0044/power1_input"] = b"0\n"
    denied = PermissionError(errno.EACCES, "Permission denied")
    sysfs.open_faults["3-0058/power1_input"] = denied
    with pytest.raises(MeterUnavailable) as caught:
        opened(sysfs)
    assert caught.value.status is Status.PERMISSION


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_descriptors_are_given_back_once_whatever_becomes_of_the_meter(tmp_path: Path) -> None:
    held = descriptors()
    sysfs = amd_energy(tmp_path)
    meter = opened(sysfs)
    assert descriptors() == held + 2
    meter.close()
    meter.close()
    assert descriptors() == held
    assert meter.read() == ()
    assert len(meter.channels) == 2
    sysfs.read_faults = {f"amd_energy.0/energy{n}_input": b"1\n" for n in (5, 6)}
    with pytest.raises(MeterUnavailable, match="stood still"):
        opened(sysfs)
    assert descriptors() == held


def test_real_files_are_read_with_the_real_clock(tmp_path: Path) -> None:
    Sysfs(tmp_path).add("ina226", "1-0044", {"power1_input": "24000000", "update_interval": "2"})
    meter = hwmon.open_meter({"JOULES_SYSFS_ROOT": str(tmp_path)})
    assert meter.read()[0].value == 24.0
    meter.close()


def test_microunits_become_units_once_at_the_border(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    sysfs.add("pmbus", "3-0058", {"power1_input": "90000000"})
    assert opened(sysfs).read()[0].value == 90.0


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        (b"12\n", "mV", 12),
        (b" -8 \n", "mA", -8),
        (b"32760 ma\n", "mA", 32760),
        (b"5 uW\n", "µW", 5),
    ],
)
def test_a_number_may_have_its_own_unit_behind_it(text: bytes, unit: str, value: int) -> None:
    assert number(text, unit) == value


@pytest.mark.parametrize("text", [b"", b"12", b"1.5\n", b"12 mv\n", b"1 2\n", b"\xff\n", b"x\n"])
def test_a_text_that_is_no_number_of_its_unit_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="wanted a line with a number of mA"):
        number(text, "mA")
