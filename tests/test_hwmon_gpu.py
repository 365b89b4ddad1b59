"""GPUs in the hwmon class: AMD's gauge, which may sleep, and Intel's counters, which lose count."""

import errno
from pathlib import Path

import pytest
from emulated_hwmon import Energy, Gauge, Live, Sysfs, opened, steady, window
from emulators import VirtualClock, holds, joules

from bench.cover import cover
from bench.meter import MeterUnavailable, Status
from bench.meters.hwmon import HwmonMeter
from bench.quantities import Kind

PCI = "0000:03:00.0"
BOARD = f"gpu/{PCI}/board"
POWER = f"{PCI}/power1_average"
ENERGY = f"{PCI}/energy1_input"


def amdgpu(root: Path, files: dict[str, str | Live] | None = None, watts: float = 200.0) -> Sysfs:
    sysfs = Sysfs(root, VirtualClock(500_000))
    gauge = Gauge(steady(watts), sysfs.clock, 0.01, 0.1, 1.0)
    basic: dict[str, str | Live] = {"power1_average": gauge, "power1_cap": "250000000"}
    sysfs.add("amdgpu", PCI, basic if files is None else files, bus="pci0000:00")
    return sysfs


def intel(root: Path, name: str = "i915", device: str = PCI, **energy: float) -> Sysfs:
    sysfs = Sysfs(root, VirtualClock(200_000))
    count = Energy(steady(100.0), sysfs.clock, on_read=True, **energy)  # type: ignore[arg-type]
    files: dict[str, str | Live] = {"energy1_input": count, "power1_rated_max": "225000000"}
    sysfs.add(name, device, files, bus="pci0000:00")
    return sysfs


def ids(meter: HwmonMeter) -> list[str]:
    return [channel.id for channel in meter.channels]


# AMD


def test_the_board_of_a_discrete_gpu_is_sampled_in_watts(tmp_path: Path) -> None:
    sysfs = amdgpu(tmp_path)
    meter = opened(sysfs)
    channel = meter.channels[0]
    assert ids(meter) == [BOARD]
    assert (channel.kind, channel.unit, channel.boundary) == (Kind.SAMPLED, "W", "gpu-board")
    assert channel.p_max_w == 375.0
    assert channel.resolution == 1.0
    assert channel.averaging_window_s == 1.0
    assert meter.read()[0].value == pytest.approx(200.0)
    energies, t0, t1 = window(meter, sysfs.clock, 5.0, 0.1)
    assert joules(energies[BOARD]) == pytest.approx(200 * (t1 - t0), rel=0.01)


def test_a_newer_gpu_shows_the_instant_and_no_mean(tmp_path: Path) -> None:
    files: dict[str, str | Live] = {"power1_input": "180000000", "power1_cap": "250000000"}
    meter = opened(amdgpu(tmp_path, files))
    assert meter.channels[0].origin == f"hwmon:amdgpu-{PCI}/power1_input"
    assert meter.read()[0].value == 180.0


@pytest.mark.failure_mode(14, "hwmon")
def test_the_mean_and_the_instant_are_one_channel(tmp_path: Path) -> None:
    files: dict[str, str | Live] = {
        "power1_input": "180000000",
        "power1_average": "170000000",
        "power1_label": "PPT",
        "power1_cap": "250000000",
    }
    meter = opened(amdgpu(tmp_path, files))
    assert ids(meter) == [BOARD]
    assert meter.read()[0].value == 170.0


@pytest.mark.parametrize(
    ("labels", "cap", "found"),
    [
        ({"1": "slowPPT", "2": "fastPPT"}, True, ["slowppt", "fastppt"]),
        ({"1": "PPT"}, False, ["ppt"]),
    ],
)
@pytest.mark.failure_mode(15, "hwmon")
def test_the_limits_of_an_apu_hold_its_cpu_too_and_are_never_added(
    tmp_path: Path, labels: dict[str, str], found: list[str], *, cap: bool
) -> None:
    files: dict[str, str | Live] = {}
    for number, label in labels.items():
        files |= {f"power{number}_average": "9000000", f"power{number}_label": label}
    if cap:
        files["power1_cap"] = "15000000"
    meter = opened(amdgpu(tmp_path, files))
    assert ids(meter) == [f"sensor/amdgpu-{PCI}/{label}" for label in found]
    assert "contains its CPU cores" in meter.channels[0].note
    assert cover(meter.channels, f"cuda:{PCI}") == cover(meter.channels, "cpu") == ()


@pytest.mark.failure_mode(3, "hwmon")
def test_eperm_of_an_amd_gpu_is_a_gpu_that_sleeps_and_no_refused_right(tmp_path: Path) -> None:
    asleep = PermissionError(errno.EPERM, "Operation not permitted")
    sysfs = amdgpu(tmp_path)
    meter = opened(sysfs)
    sysfs.read_faults[POWER] = asleep
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.LOST)
    assert "the GPU is in reset or suspend" in reading.reason
    assert "retry" in reading.reason
    for faults in (sysfs.open_faults, sysfs.read_faults):
        sysfs.open_faults.clear()
        sysfs.read_faults.clear()
        faults[POWER] = asleep
        with pytest.raises(MeterUnavailable, match=r"in reset or suspend .* retry") as caught:
            opened(sysfs)
        assert caught.value.status is Status.LOST


@pytest.mark.failure_mode(2, "hwmon")
def test_eacces_of_an_amd_gpu_is_a_refused_right(tmp_path: Path) -> None:
    sysfs = amdgpu(tmp_path)
    sysfs.open_faults[POWER] = PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(MeterUnavailable, match="may be read by root only") as caught:
        opened(sysfs)
    assert caught.value.status is Status.PERMISSION


@pytest.mark.failure_mode(7, "hwmon")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "found nothing"),
        (b"N/A\n", r"found 'N/A\n', wanted a line with a number of µW"),
        (b"4294967274\n", "it showed 4294.97 W, and 0 to 375 W is plausible"),
        (b"18446744073709551594\n", "an error that was printed as a number"),
        (b"-5000000\n", "it showed -5 W"),
        (b"20000", "found '20000'"),
    ],
)
def test_a_text_that_is_no_power_is_dropped_and_the_window_goes_on(
    tmp_path: Path, text: bytes, said: str
) -> None:
    sysfs = amdgpu(tmp_path)
    meter = opened(sysfs)
    events = [
        (2.0, lambda: sysfs.read_faults.update({POWER: text})),
        (2.1, sysfs.read_faults.clear),
    ]
    energies, t0, t1 = window(meter, sysfs.clock, 5.0, 0.1, events)
    assert energies[BOARD].status is Status.OK
    assert holds(energies[BOARD], 200 * (t1 - t0))
    sysfs.read_faults[POWER] = text
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert said in reading.reason
    assert reading.reason.startswith(f"amdgpu {PCI} power1: ")


@pytest.mark.failure_mode(7, "hwmon")
@pytest.mark.parametrize("trick", ["empty", "dangling", "directory"])
def test_real_files_that_are_no_powers_are_left_out(tmp_path: Path, trick: str) -> None:
    sysfs = amdgpu(tmp_path)
    path = next((tmp_path / "class" / "hwmon").iterdir()) / "power1_average"
    path.unlink()
    if trick == "directory":
        path.mkdir()
    else:
        path.symlink_to({"empty": "/dev/null", "dangling": "/nothing/here"}[trick])
    with pytest.raises(MeterUnavailable) as caught:
        HwmonMeter(sysfs.root, clock=sysfs.clock)
    status = Status.LOST if trick == "dangling" else Status.ERROR
    assert caught.value.status is status


@pytest.mark.failure_mode(16, "hwmon")
def test_a_gauge_that_shows_zero_and_nothing_else_is_not_supported(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable, match="exactly 0 W, which stands for no value") as caught:
        opened(amdgpu(tmp_path, watts=0.0))
    assert caught.value.status is Status.NOT_SUPPORTED


@pytest.mark.failure_mode(16, "hwmon")
def test_a_gauge_that_shows_zero_for_a_whole_window_has_no_energy(tmp_path: Path) -> None:
    sysfs = amdgpu(tmp_path)
    meter = opened(sysfs)
    sysfs.read_faults[POWER] = b"0\n"
    energies, _, _ = window(meter, sysfs.clock, 5.0, 0.1)
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.NOT_SUPPORTED)
    assert "exactly 0 W" in energies[BOARD].reason
    assert "is it on" in energies[BOARD].reason


@pytest.mark.failure_mode(17, "hwmon")
def test_a_gpu_that_does_not_support_its_sensor_is_not_supported(tmp_path: Path) -> None:
    sysfs = amdgpu(tmp_path)
    sysfs.read_faults[POWER] = OSError(errno.EOPNOTSUPP, "Operation not supported")
    with pytest.raises(MeterUnavailable, match="disabled or not there") as caught:
        opened(sysfs)
    assert caught.value.status is Status.NOT_SUPPORTED


@pytest.mark.failure_mode(18, "hwmon")
@pytest.mark.parametrize("code", [errno.ENODEV, errno.ENOENT, errno.ENXIO])
def test_a_gpu_that_is_unplugged_in_a_window_ends_it(tmp_path: Path, code: int) -> None:
    sysfs = amdgpu(tmp_path)
    meter = opened(sysfs)
    event = 2.0, lambda: sysfs.read_faults.update({POWER: OSError(code, "gone")})
    energies, _, _ = window(meter, sysfs.clock, 5.0, 0.1, [event])
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.LOST)
    assert "was its driver unloaded, the device unplugged" in energies[BOARD].reason


# Intel


@pytest.mark.parametrize("name", ["i915", "xe"])
def test_intels_counter_is_measured_and_asks_to_be_read_every_minute(
    tmp_path: Path, name: str
) -> None:
    sysfs = intel(tmp_path, name)
    meter = opened(sysfs)
    channel = meter.channels[0]
    assert ids(meter) == [BOARD]
    assert (channel.kind, channel.unit, channel.boundary) == (Kind.MEASURED, "J", "gpu-board")
    assert channel.p_max_w == 337.5
    assert channel.poll_s == 60.0
    energies, t0, t1 = window(meter, sysfs.clock, 30.0, 30.0)
    assert joules(energies[BOARD]) == pytest.approx(100 * (t1 - t0), rel=0.001)


def test_a_card_without_limits_is_polled_for_the_largest_power(tmp_path: Path) -> None:
    sysfs = intel(tmp_path)
    (next((tmp_path / "class" / "hwmon").iterdir()) / "power1_rated_max").write_text("0\n")
    channel = opened(sysfs).channels[0]
    assert channel.p_max_w == 1000.0
    assert channel.poll_s == pytest.approx(65536 / 2000)


@pytest.mark.failure_mode(8, "hwmon")
def test_a_register_that_wraps_in_a_window_that_is_polled_loses_nothing(tmp_path: Path) -> None:
    sysfs = intel(tmp_path, start=2**32 - 20_000_000)  # 1221 J before its end
    meter = opened(sysfs)
    energies, t0, t1 = window(meter, sysfs.clock, 60.0, 20.0)
    assert energies[BOARD].status in {Status.OK, Status.WRAPPED}
    assert joules(energies[BOARD]) == pytest.approx(100 * (t1 - t0), rel=0.001)


@pytest.mark.failure_mode(8, "hwmon")
def test_what_is_shown_wraps_at_what_the_driver_can_tell_apart(tmp_path: Path) -> None:
    sysfs = intel(tmp_path, start=2**30 - 20_000_000)  # 1221 J before 65536 J
    meter = opened(sysfs)
    energies, t0, t1 = window(meter, sysfs.clock, 60.0, 20.0)
    assert energies[BOARD].status is Status.WRAPPED
    assert joules(energies[BOARD]) == pytest.approx(100 * (t1 - t0), rel=0.001)


@pytest.mark.failure_mode(9, "hwmon")
def test_a_counter_that_was_not_read_for_an_hour_has_no_energy(tmp_path: Path) -> None:
    sysfs = intel(tmp_path)
    meter = opened(sysfs)
    energies, _, _ = window(meter, sysfs.clock, 3600.0, 3600.0)
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.INVALID)
    assert "read it more often" in energies[BOARD].reason


def test_an_hour_without_a_reading_before_a_window_costs_it_nothing(tmp_path: Path) -> None:
    sysfs = intel(tmp_path)
    meter = opened(sysfs)
    sysfs.clock.pass_s(3600)
    energies, t0, t1 = window(meter, sysfs.clock, 30.0, 30.0)
    assert joules(energies[BOARD]) == pytest.approx(100 * (t1 - t0), rel=0.001)


@pytest.mark.failure_mode(10, "hwmon")
def test_a_driver_that_was_reloaded_ends_the_window(tmp_path: Path) -> None:
    # 100 J before 65536 J when it happens: a wrap would explain the 101 J that seem to pass
    sysfs = intel(tmp_path, start=2**30 - 1600 * 2**14)
    meter = opened(sysfs)
    event = 5.0, lambda: sysfs.live.update({ENERGY: lambda: b"1000000\n"})
    energies, _, _ = window(meter, sysfs.clock, 10.0, 1.0, [event])
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.RESET)
    assert "was the driver reloaded, or the machine suspended?" in energies[BOARD].reason


@pytest.mark.failure_mode(11, "hwmon")
def test_a_counter_that_stands_still_is_stale(tmp_path: Path) -> None:
    sysfs = intel(tmp_path)
    sysfs.read_faults[ENERGY] = b"5000000\n"
    with pytest.raises(MeterUnavailable, match="stood still for 3 s") as caught:
        opened(sysfs)
    assert caught.value.status is Status.STALE


@pytest.mark.failure_mode(5, "hwmon")
def test_a_counter_that_fails_after_its_first_reading_is_an_error_and_not_stale(
    tmp_path: Path,
) -> None:
    sysfs = intel(tmp_path)
    texts = iter([b"5000000\n"])
    sysfs.live[ENERGY] = lambda: next(texts, b"")
    with pytest.raises(MeterUnavailable, match="found nothing") as caught:
        opened(sysfs)
    assert caught.value.status is Status.ERROR


@pytest.mark.failure_mode(11, "hwmon")
def test_a_counter_that_freezes_in_a_window_is_stale(tmp_path: Path) -> None:
    sysfs = intel(tmp_path)
    meter = opened(sysfs)
    frozen = sysfs.live[ENERGY]()
    sysfs.live[ENERGY] = lambda: frozen
    energies, _, _ = window(meter, sysfs.clock, 10.0, 1.0)
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.STALE)
    assert "the counter stood still for" in energies[BOARD].reason
    assert "is the driver alive?" in energies[BOARD].reason


@pytest.mark.failure_mode(15, "hwmon")
@pytest.mark.parametrize("labels", [True, False])
def test_the_package_of_a_card_is_inside_the_card(tmp_path: Path, *, labels: bool) -> None:
    sysfs = Sysfs(tmp_path)
    files: dict[str, str | Live] = {}
    for number, (label, watts) in enumerate((("card", 150.0), ("pkg", 110.0)), start=1):
        files[f"energy{number}_input"] = Energy(steady(watts), sysfs.clock, on_read=True)
        if labels:
            files[f"energy{number}_label"] = label
    sysfs.add("xe", PCI, files, bus="pci0000:00")
    meter = opened(sysfs)
    assert ids(meter) == [BOARD, f"gpu/{PCI}/package"]
    assert cover(meter.channels, f"cuda:{PCI}") == (BOARD,)
    energies, t0, t1 = window(meter, sysfs.clock, 10.0, 5.0)
    assert joules(energies[BOARD]) == pytest.approx(150 * (t1 - t0), rel=0.001)


def test_a_card_that_counts_only_its_package_says_so_by_its_label(tmp_path: Path) -> None:
    sysfs = intel(tmp_path, "xe")
    path = next((tmp_path / "class" / "hwmon").iterdir())
    (path / "energy1_label").write_text("pkg\n")
    assert ids(opened(sysfs)) == [f"gpu/{PCI}/package"]


def test_the_tiles_of_a_gpu_are_inside_its_board_and_never_alone(tmp_path: Path) -> None:
    sysfs = intel(tmp_path)
    for tile in (0, 1):
        count = Energy(steady(40.0), sysfs.clock, on_read=True)
        path = sysfs.root / "devices" / "pci0000:00" / PCI / "hwmon" / f"hwmon{7 + tile}"
        path.mkdir()
        (path / "name").write_text(f"i915_gt{tile}\n")
        (path / "device").symlink_to(path.parent.parent, target_is_directory=True)
        (sysfs.root / "class" / "hwmon" / path.name).symlink_to(path, target_is_directory=True)
        sysfs.fill(path, f"gt{tile}", {"energy1_input": count})
    assert ids(opened(sysfs)) == [BOARD, f"{BOARD}/gt0", f"{BOARD}/gt1"]
    sysfs.read_faults[ENERGY] = b"5\n"
    assert ids(opened(sysfs)) == [f"sensor/i915_gt{n}-{PCI}/energy1" for n in (0, 1)]


def test_a_gpu_inside_the_processor_is_counted_with_the_processor(tmp_path: Path) -> None:
    meter = opened(intel(tmp_path, device="0000:00:02.0"))
    assert ids(meter) == ["sensor/i915-0000:00:02.0/energy1"]
    assert "in the CPU package already" in meter.channels[0].note
