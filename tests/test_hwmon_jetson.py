"""Jetson boards: which rail contains which, and what is not added where a part is missing."""

import errno
from pathlib import Path

import pytest
from emulated_hwmon import Ina3221, Rail, Sysfs, opened, steady, window
from emulated_jetson import LAYOUTS, NX_RAILS, POWER, add_iio, build, channels, one_rail
from known_power import KnownPower

from bench.cover import cover, total
from bench.meter import Status
from bench.meters._jetson import BOARDS, board_of
from bench.meters.hwmon import HwmonMeter
from bench.quantities import Absent, Kind, Quantity


def refusals(meter: HwmonMeter) -> dict[str, tuple[Status, str, str]]:
    return {found.what: (found.status, found.reason, found.fix) for found in meter.unusable}


@pytest.mark.failure_mode(15, "hwmon")
@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize(
    ("name", "covered", "watts"),
    [
        ("orin_nx", ["vdd_in"], 10.0),
        ("orin_nano", ["vdd_in"], 10.0),
        ("xavier_nx", ["vdd_in"], 10.0),
        ("agx_orin", ["vdd_gpu_soc", "vdd_cpu_cv", "vin_sys_5v0"], 26.0),
        ("agx_xavier", ["gpu", "cpu", "soc", "cv", "vddrq", "sys5v"], 27.0),
        ("tx2", ["vdd_in"], 10.0),
        ("tx2_nx", ["vdd_in"], 10.0),
        ("tx1", ["vdd_in"], 10.0),
        ("nano", ["pom_5v_in"], 8.0),
    ],
)
def test_the_total_of_a_board_counts_no_rail_twice(
    tmp_path: Path, name: str, covered: list[str], watts: float, *, tree: bool
) -> None:
    board = build(tmp_path, name, POWER, tree=tree, samples=1 + 63 * (name == "nano"))
    meter = opened(board.sysfs)
    ids = cover(meter.channels, "cpu")
    assert list(ids) == [f"module/{rail}" for rail in covered]
    energies, t0, t1 = window(meter, board.sysfs.clock, 2.0, 0.02)
    whole = total(energies.values(), ids)
    meter.close()
    assert isinstance(whole, Quantity)
    assert whole.kind is Kind.SAMPLED
    assert whole.value == pytest.approx(watts * (t1 - t0), rel=0.04)
    assert whole.low <= watts * (t1 - t0) <= whole.high
    assert whole.half_width < 0.08 * whole.value


def test_the_rails_of_a_total_are_inside_it_and_say_so(tmp_path: Path) -> None:
    meter = opened(build(tmp_path, "orin_nx", POWER).sysfs)
    found = channels(meter)
    assert list(found) == NX_RAILS
    boundaries = [channel.boundary for channel in found.values()]
    assert boundaries == ["module", "rail-vdd_cpu_gpu_cv", "rail-vdd_soc"]
    assert found["module/vdd_in"].origin == "hwmon:ina3221-1-0040/in1"
    assert "without its carrier board" in found["module/vdd_in"].note
    assert {channel.domain for channel in found.values()} == {"module", "rail"}


def test_a_rail_that_is_believed_to_be_inside_another_is_not_added(tmp_path: Path) -> None:
    meter = opened(build(tmp_path, "agx_orin", POWER).sysfs)
    assert "module/vin_sys_5v0/vddq_vdd2_1v8ao" in channels(meter)
    assert "the module is the sum of this and module/vdd_cpu_cv" in (
        channels(meter)["module/vdd_gpu_soc"].note
    )


def test_the_carrier_rails_of_a_tx2_are_shown_and_never_added(tmp_path: Path) -> None:
    meter = opened(build(tmp_path, "tx2", POWER).sysfs)
    sensors = [id_ for id_ in channels(meter) if id_.startswith("sensor/")]
    assert len(sensors) == 6
    assert "sensor/ina3221-0-0042/vdd_mux" in sensors
    note = channels(meter)["sensor/ina3221-0-0042/vdd_mux"].note
    assert note == "no rail map of the Jetson TX2 says what VDD_MUX contains"


def test_the_rails_of_an_unknown_board_are_sensors_with_a_note(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    rails = [Rail("VDD_X", steady(5)), Rail("", steady(2)), Rail("NC", steady(1))]
    sysfs.add("ina3221", "2-0042", Ina3221(sysfs.clock, rails).files())
    found = channels(opened(sysfs))
    assert list(found) == ["sensor/ina3221-2-0042/vdd_x", "sensor/ina3221-2-0042/in2"]
    assert found["sensor/ina3221-2-0042/vdd_x"].note == (
        "no rail map of this board says what VDD_X contains"
    )
    assert cover(found.values(), "cpu") == ()


def test_a_label_that_holds_a_known_one_is_not_that_rail(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    sysfs.tree("nvidia,p3767-0000", "NVIDIA Jetson Orin NX")
    rails = [Rail("MY_VDD_IN", steady(5)), Rail("VDD_IN", steady(9)), Rail("VDD_SOC_2", steady(1))]
    sysfs.add("ina3221", "1-0040", Ina3221(sysfs.clock, rails).files())
    found = [id_ for id_ in channels(opened(sysfs)) if id_.startswith("module")]
    assert found == ["module/vdd_in"]


def test_a_second_chip_with_a_label_of_the_module_is_no_part_of_it(tmp_path: Path) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    rails = [Rail("VDD_IN", steady(30))]
    board.sysfs.add("ina3221", "9-0040", Ina3221(board.sysfs.clock, rails).files())
    found = channels(opened(board.sysfs))
    assert set(found) == {*NX_RAILS, "sensor/ina3221-9-0040/vdd_in"}
    assert cover(found.values(), "cpu") == ("module/vdd_in",)


@pytest.mark.parametrize(
    ("compatible", "model", "name"),
    [
        (None, "NVIDIA Jetson Orin Nano Developer Kit", "Jetson Orin NX or Nano"),
        (None, "NVIDIA Jetson Nano Developer Kit", "Jetson Nano"),
        (None, "NVIDIA Jetson TX2 NX Developer Kit", "Jetson TX2 NX"),
        (None, "jetson_tx1", "Jetson TX1"),
        ("vendor,carrier nvidia,p3668-0001", "ACME Box", "Jetson Xavier NX"),
        ("nvidia,p3701-0004", "NVIDIA Jetson Nano look-alike", "Jetson AGX Orin"),
        ("nvidia,p37010-0004", "NanoPi", None),
        (None, None, None),
    ],
)
def test_a_board_is_known_by_its_module_number_and_then_by_whole_words(
    tmp_path: Path, compatible: str | None, model: str | None, name: str | None
) -> None:
    base = tmp_path / "firmware" / "devicetree" / "base"
    base.mkdir(parents=True)
    for file, text in (("compatible", compatible), ("model", model)):
        if text is not None:
            (base / file).write_bytes(text.replace(" n", "\0n").encode() + b"\0")
    board = board_of(tmp_path, [])
    assert (board and board.name) == name


def test_rails_alone_name_a_board_only_if_all_of_its_chips_have_exactly_them(
    tmp_path: Path,
) -> None:
    first, second = frozenset({"GPU", "CPU", "SOC"}), frozenset({"CV", "VDDRQ", "SYS5V"})
    found = board_of(tmp_path, [first, second, frozenset({"other"})])
    assert found is not None
    assert found.name == "a board with the rails of the Jetson AGX Xavier"
    assert board_of(tmp_path, [first]) is None
    assert board_of(tmp_path, [first | {"X"}, second]) is None


def test_every_rail_of_every_board_is_in_its_map_once() -> None:
    for board in BOARDS:
        assert len(set(board.rails.values())) == len(board.rails)
        assert set().union(*board.chips) <= set(board.rails)
    assert {len(layout.chips) for layout in LAYOUTS.values()} == {1, 2, 4}


# Parts without their whole


@pytest.mark.failure_mode(6, "hwmon")
@pytest.mark.failure_mode(15, "hwmon")
def test_rails_do_not_pass_for_a_module_that_is_switched_off(tmp_path: Path) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    board.sysfs.read_faults["1-0040/in1_input"] = OSError(errno.ENODATA, "No data available")
    meter = opened(board.sysfs)
    assert list(channels(meter)) == [
        "sensor/ina3221-1-0040/vdd_cpu_gpu_cv",
        "sensor/ina3221-1-0040/vdd_soc",
    ]
    assert "without module/vdd_in" in meter.channels[0].note
    assert isinstance(total([], cover(meter.channels, "cpu")), Absent)
    status, reason, fix = refusals(meter)["ina3221 1-0040 VDD_IN"]
    assert status is Status.NOT_SUPPORTED
    assert reason == "the channel is disabled or not there (No data available)"
    assert fix == f"echo 1 | sudo tee {tmp_path}/class/hwmon/hwmon0/in1_enable"


@pytest.mark.failure_mode(17, "hwmon")
@pytest.mark.parametrize("lost", ["in1_input", "curr2_input"])
def test_two_rails_do_not_pass_for_three(tmp_path: Path, lost: str) -> None:
    board = build(tmp_path, "agx_orin", POWER)
    board.sysfs.read_faults[f"1-0040/{lost}"] = OSError(errno.EIO, "Input/output error")
    found = channels(opened(board.sysfs))
    assert len(found) == 3
    assert all(id_.startswith("sensor/") for id_ in found)


@pytest.mark.failure_mode(6, "hwmon")
def test_a_disabled_channel_is_left_out_with_its_switch(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    sysfs.tree("nvidia,p3767-0000", "")
    rails = [Rail("VDD_IN", steady(9)), Rail("VDD_SOC", steady(2), enabled=False)]
    sysfs.add("ina3221", "1-0040", Ina3221(sysfs.clock, rails).files())
    meter = opened(sysfs)
    assert list(channels(meter)) == ["module/vdd_in"]
    status, reason, fix = refusals(meter)["ina3221 1-0040 VDD_SOC"]
    assert (status, reason) == (Status.NOT_SUPPORTED, "the channel is disabled")
    assert fix.endswith("/in2_enable")


def test_channels_that_are_not_connected_are_not_even_mentioned(tmp_path: Path) -> None:
    meter = opened(build(tmp_path, "agx_orin", POWER).sysfs)
    assert meter.unusable == ()
    assert len(meter.channels) == 4


@pytest.mark.failure_mode(6, "hwmon")
def test_a_channel_that_is_disabled_in_a_window_ends_it(tmp_path: Path) -> None:
    sysfs = one_rail(tmp_path, Rail("VDD_IN", steady(9)))
    meter = opened(sysfs)
    gone = OSError(errno.ENODATA, "No data available")
    event = 0.5, lambda: sysfs.read_faults.update({"1-0040/curr1_input": gone})
    energies, _, _ = window(meter, sysfs.clock, 1.0, 0.02, [event])
    energy = energies["module/vdd_in"]
    assert (energy.joules, energy.status) == (None, Status.NOT_SUPPORTED)
    assert "the channel is disabled or not there (No data available)" in energy.reason


# JetPack 4


def test_the_layout_of_jetpack_4_is_read_in_milliwatts(tmp_path: Path) -> None:
    board = build(tmp_path, "nano", POWER, samples=64)
    meter = opened(board.sysfs)
    found = channels(meter)
    assert list(found) == ["module/pom_5v_in", "module/pom_5v_in/pom_5v_gpu",
                           "module/pom_5v_in/pom_5v_cpu"]  # fmt: skip
    assert meter.read()[0].value == pytest.approx(8.0, rel=0.01)
    channel = found["module/pom_5v_in"]
    assert channel.origin == "hwmon:ina3221x-6-0040/in_power0"
    # its driver averages 64 rounds of six conversions
    assert channel.update_interval_s == pytest.approx(0.4224)
    assert channel.averaging_window_s == pytest.approx(0.4224)


def test_a_value_may_have_its_unit_behind_it(tmp_path: Path) -> None:
    board = build(tmp_path, "nano", POWER)
    meter = opened(board.sysfs)
    board.sysfs.read_faults["6-0040/in_power0_input"] = b"7300 mw\n"
    assert meter.read()[0].value == pytest.approx(7.3)
    board.sysfs.read_faults["6-0040/in_power0_input"] = b"7300 ma\n"
    assert meter.read()[0].status is Status.ERROR


def test_the_step_of_an_unknown_shunt_is_seen_in_its_current(tmp_path: Path) -> None:
    power = {"POM_5V_IN": KnownPower([5.0, 6.0, 7.5, 8.5, 6.6], [0.1] * 5)}
    seen = opened(build(tmp_path / "a", "nano", power).sysfs).channels[0]
    assert seen.resolution == pytest.approx(1.15 * 5 * 0.0085 + 0.001, rel=0.01)
    unseen = opened(build(tmp_path / "b", "nano", POWER).sysfs).channels[0]
    assert unseen.resolution == pytest.approx(1.15 * 5 * 0.0405 + 0.001, rel=0.01)


def test_a_rail_of_jetpack_4_at_rest_has_half_a_step_and_no_zero(tmp_path: Path) -> None:
    board = build(tmp_path, "nano", {**POWER, "POM_5V_GPU": steady(0.0)})
    meter = opened(board.sysfs)
    value = meter.read()[1].value
    assert value == pytest.approx(0.85 * 5 * 0.04 / 2, rel=0.01)


@pytest.mark.failure_mode(14, "hwmon")
def test_a_chip_in_both_layouts_is_counted_once(tmp_path: Path) -> None:
    board = build(tmp_path, "orin_nx", POWER)
    add_iio(board.sysfs, "6-0040", board.chips["1-0040"])
    home = tmp_path / "devices" / "c240000.i2c"
    link = tmp_path / "bus" / "i2c" / "drivers" / "ina3221x" / "1-0040"
    link.symlink_to(home / "i2c-1" / "1-0040", target_is_directory=True)
    (home / "i2c-1" / "1-0040" / "iio_device").mkdir()
    (home / "i2c-1" / "1-0040" / "iio_device" / "rail_name_0").write_text("VDD_IN\n")
    (home / "i2c-1" / "1-0040" / "iio_device" / "in_power0_input").write_text("10000\n")
    (home / "i2c-1" / "1-0040" / "iio_device" / "in_voltage0_input").write_text("5000\n")
    found = channels(opened(board.sysfs))
    assert [id_ for id_ in found if id_.startswith("module")] == NX_RAILS
    assert len(found) == 6  # and the other chip, seen through two links, as sensors
