"""ACPI power meters: the platform of a server, and the nested parts of Grace and Grace Hopper."""

import errno
from pathlib import Path

import pytest
from emulated_hwmon import Gauge, Live, Sysfs, opened, steady, window
from emulators import VirtualClock, holds, joules
from known_power import KnownPower

from bench.cover import cover, total
from bench.meter import Channel, MeterUnavailable, Status
from bench.meters._hwmon_acpi import part_of
from bench.meters.hwmon import HwmonMeter
from bench.quantities import Quantity

GRACE = {
    "Module Power Socket 0": ("module/0", 600.0),
    "Grace Power Socket 0": ("cpu/0/socket", 200.0),
    "CPU Power Socket 0": ("cpu/0/socket/cpu", 120.0),
    "SysIO Power Socket 0": ("cpu/0/socket/sysio", 30.0),
}
FIRMWARE = {
    "Total Power in uW socket 0": ("cpu/0/socket", 150.0),
    "CPU Rail Power in uW socket 0": ("cpu/0/socket/cpu", 70.0),
    "SOC Rail Power in uW socket 0": ("cpu/0/socket/sysio", 6.0),
    "DRAM Power in uW socket 0": ("cpu/0/socket/dram", 8.0),
    "CPU Rail Output Power in uW socket 0": ("", 55.0),
    "Total CPU Energy In uJ socket 0": ("", 1.0),
    "Chipthrot DDR Throttle (samples x1000) socket 0": ("", 2.0),
}


def channels(meter: HwmonMeter) -> dict[str, Channel]:
    return {channel.id: channel for channel in meter.channels}


def meters(root: Path, texts: dict[str, tuple[str, float]], *, legacy: bool = True) -> Sysfs:
    sysfs = Sysfs(root)
    for index, (text, (_, watts)) in enumerate(texts.items()):
        files: dict[str, str | Live] = {
            "power1_average": Gauge(steady(watts), sysfs.clock),
            "power1_average_interval": "50",
            "power1_oem_info": text,
        }
        sysfs.add("power_meter", f"ACPI000D:{index:02x}", files, legacy=legacy)
    return sysfs


def server(root: Path, gauge: Gauge | None = None, **files: str) -> Sysfs:
    sysfs = Sysfs(root, VirtualClock(1_000_000))
    if gauge is not None:
        gauge.clock = sysfs.clock
    average = gauge or Gauge(steady(300.0), sysfs.clock, 0.5, 1.0, 1.0)
    sysfs.add("power_meter", "ACPI000D:00", {"power1_average": average, **files}, legacy=True)
    return sysfs


@pytest.mark.failure_mode(15, "hwmon")
@pytest.mark.parametrize("legacy", [True, False])
def test_the_meters_of_grace_hopper_nest_and_are_counted_once(
    tmp_path: Path, *, legacy: bool
) -> None:
    sysfs = meters(tmp_path, GRACE, legacy=legacy)
    meter = opened(sysfs)
    assert list(channels(meter)) == [place for place, _ in GRACE.values()]
    ids = cover(meter.channels, "cpu")
    assert ids == ("cpu/0/socket",)  # the module gives way to the socket inside it
    energies, t0, t1 = window(meter, sysfs.clock, 5.0, 0.05)
    whole = total(energies.values(), ids)
    assert isinstance(whole, Quantity)
    assert whole.value == pytest.approx(200 * (t1 - t0), rel=0.001)
    assert whole.boundary == "cpu-socket"
    assert channels(meter)["cpu/0/socket"].averaging_window_s == 0.05


@pytest.mark.failure_mode(15, "hwmon")
def test_other_firmware_names_the_same_parts_and_what_is_no_power_is_left_out(
    tmp_path: Path,
) -> None:
    meter = opened(meters(tmp_path, FIRMWARE))
    assert list(channels(meter)) == [place for place, _ in FIRMWARE.values() if place]
    assert cover(meter.channels, "cpu") == ("cpu/0/socket",)
    reasons = [found.reason for found in meter.unusable]
    assert [reason.partition(" (")[0] for reason in reasons] == [
        "it is a second view of a rail whose input is measured",
        "it holds an energy in a file for powers",
        "it counts throttling and no power",
    ]
    assert {found.status for found in meter.unusable} == {Status.NOT_SUPPORTED}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Total Input Power in uW socket 3", "cpu/3/socket"),
        ("CPU Rail Input Power in uW socket 0", "cpu/0/socket/cpu"),
        ("SoC Rail Input Power in uW socket 0", "cpu/0/socket/sysio"),
        ("grace power socket 12", "cpu/12/socket"),
        ("Total Power socket 0", "cpu/0/socket"),
        ("CPU Rail Output Power in uW socket 0", None),
        ("My Grace Power Socket 0", None),
        ("CPU Power Socket x", None),
        ("NVSwitch Power Socket 0", None),
        ("", None),
    ],
)
def test_only_whole_texts_of_the_firmware_are_known(text: str, place: str | None) -> None:
    found = part_of(text)
    assert (found and found[1]) == place


@pytest.mark.failure_mode(17, "hwmon")
def test_a_rail_does_not_pass_for_a_socket_that_cannot_be_read(tmp_path: Path) -> None:
    sysfs = meters(tmp_path, GRACE)
    sysfs.read_faults["ACPI000D:01/power1_average"] = OSError(errno.ENODEV, "No such device")
    meter = opened(sysfs)
    assert list(channels(meter)) == [
        "module/0",
        "sensor/power_meter-ACPI000D:02/cpu_power_socket_0",
        "sensor/power_meter-ACPI000D:03/sysio_power_socket_0",
    ]
    assert "without cpu/0/socket" in meter.channels[1].note
    assert cover(meter.channels, "cpu") == ("module/0",)


def test_a_text_that_is_not_known_makes_a_sensor(tmp_path: Path) -> None:
    texts = {**GRACE, "NVSwitch Power 0": ("", 50.0)}
    found = channels(opened(meters(tmp_path, texts)))
    sensor = found["sensor/power_meter-ACPI000D:04/nvswitch_power_0"]
    assert sensor.note == "nobody knows what 'NVSwitch Power 0' contains"


@pytest.mark.failure_mode(14, "hwmon")
def test_two_meters_of_one_socket_are_one_channel(tmp_path: Path) -> None:
    sysfs = meters(tmp_path, GRACE)
    files: dict[str, str | Live] = {
        "power1_average": "1000000",
        "power1_oem_info": "Grace Power Socket 0",
    }
    sysfs.add("power_meter", "ACPI000D:09", files)
    meter = opened(sysfs)
    assert list(channels(meter)) == [place for place, _ in GRACE.values()]
    assert "a second route to cpu/0/socket" in meter.unusable[0].reason


@pytest.mark.failure_mode(14, "hwmon")
def test_an_attribute_in_both_directories_is_read_once(tmp_path: Path) -> None:
    sysfs = server(tmp_path)
    path = next((tmp_path / "class" / "hwmon").iterdir())
    sysfs.fill(path, "new", {"power1_average": Gauge(steady(300.0), sysfs.clock)})
    meter = opened(sysfs)
    assert list(channels(meter)) == ["board/acpi0"]
    assert not [key for key in sysfs.reads if key.startswith("ACPI")]


def test_the_meter_of_a_server_is_its_platform(tmp_path: Path) -> None:
    sysfs = server(tmp_path, power1_average_interval="1000")
    meter = opened(sysfs)
    channel = meter.channels[0]
    assert (channel.id, channel.boundary) == ("board/acpi0", "platform")
    assert channel.averaging_window_s == 1.0
    assert channel.update_interval_s == 2.0  # it is not told, and its load is steady
    assert channel.resolution == 3.0  # one value tells little: one percent of it
    assert meter.read()[0].value == 300.0
    energies, t0, t1 = window(meter, sysfs.clock, 10.0, 1.0)
    assert joules(energies["board/acpi0"]) == pytest.approx(300 * (t1 - t0), rel=0.01)
    assert holds(energies["board/acpi0"], 300 * (t1 - t0))


def test_of_several_meters_without_a_text_none_is_added(tmp_path: Path) -> None:
    sysfs = server(tmp_path)
    sysfs.add("power_meter", "ACPI000D:01", {"power1_average": "90000000"})
    meter = opened(sysfs)
    found = ["sensor/power_meter-ACPI000D:00/power1", "sensor/power_meter-ACPI000D:01/power1"]
    assert list(channels(meter)) == found
    assert "nobody knows which of them contain which" in meter.channels[0].note
    assert cover(meter.channels, "cpu") == ()


def test_a_meter_that_gives_only_the_instant_is_read(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    files: dict[str, str | Live] = {
        "power1_input": "141250000",
        "power1_oem_info": "Total Power in uW socket 0",
    }
    sysfs.add("power_meter", "ACPI000D:00", files, legacy=True)
    assert opened(sysfs).read()[0].value == 141.25


@pytest.mark.failure_mode(12, "hwmon")
def test_a_meter_that_holds_its_value_longer_than_it_averages_has_the_longer_interval(
    tmp_path: Path,
) -> None:
    power = KnownPower([200.0, 300.0, 250.0], [0.2, 0.2, 0.2])
    gauge = Gauge(power, VirtualClock(), hold_s=0.2, window_s=0.05)
    files = {"power1_average_interval": "50", "power1_oem_info": "Grace Power Socket 0"}
    channel = opened(server(tmp_path, gauge, **files)).channels[0]
    assert channel.update_interval_s == pytest.approx(0.2, abs=0.01)
    assert channel.averaging_window_s == 0.05


@pytest.mark.failure_mode(7, "hwmon")
def test_an_unknown_power_of_the_firmware_is_no_power(tmp_path: Path) -> None:
    sysfs = server(tmp_path)
    meter = opened(sysfs)
    sysfs.read_faults["ACPI000D:00/power1_average"] = b"4294967295000\n"
    assert meter.read()[0].status is Status.ERROR
    with pytest.raises(MeterUnavailable, match="0 to 10000 W is plausible"):
        opened(sysfs)


@pytest.mark.failure_mode(25, "hwmon")
def test_a_power_cap_that_holds_a_server_back_is_a_flag(tmp_path: Path) -> None:
    sysfs = server(tmp_path, power1_alarm="0")
    meter = opened(sysfs)
    assert meter.flags() == ()
    sysfs.read_faults["ACPI000D:00/power1_alarm"] = b"1\n"
    assert meter.flags() == ("throttled: power-cap alarm power_meter-ACPI000D:00",)


@pytest.mark.failure_mode(23, "hwmon")
def test_a_gauge_that_is_not_read_for_too_long_has_a_gap(tmp_path: Path) -> None:
    sysfs = meters(tmp_path, GRACE)
    meter = opened(sysfs)
    event = 3.0, lambda: sysfs.clock.pass_s(4.0)
    energies, t0, t1 = window(meter, sysfs.clock, 10.0, 0.1, [event])
    energy = energies["cpu/0/socket"]
    assert energy.status is Status.GAP
    assert holds(energy, 200 * (t1 - t0))
    assert energy.high is not None
    assert energy.high > 200 * 6 + 1500 * 4


@pytest.mark.failure_mode(26, "hwmon")
def test_a_window_shorter_than_a_gauge_can_resolve_has_no_energy(tmp_path: Path) -> None:
    sysfs = server(tmp_path, power1_average_interval="1000")
    meter = opened(sysfs)
    energies, _, _ = window(meter, sysfs.clock, 1.0, 0.1)
    energy = energies["board/acpi0"]
    assert (energy.joules, energy.status) == (None, Status.TOO_SHORT)
    assert "give it at least 100 s" in energy.reason
