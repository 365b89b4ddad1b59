"""Which route to a GPU's energy is taken: counter, gauges, scopes; each holds the truth."""

from pathlib import Path

import pytest
from emulated_nvml import (
    ENERGY,
    FIELDS,
    GPU,
    MEMORY,
    MODULE,
    USAGE,
    Board,
    Nvml,
    board,
    level,
    machine,
    without_counter,
)
from emulators import Count, VirtualClock, joules, steady, window
from known_power import KnownPower

from bench.cover import cover
from bench.meter import Channel, MeterUnavailable, Status
from bench.meters.nvml import NvmlMeter
from bench.quantities import Kind, contains
from bench.window import channel_energy

NOTHING = {FIELDS: 3, USAGE: 3}


def opened(*boards: Board, absent: tuple[str, ...] = (), **errors: int) -> tuple[NvmlMeter, Nvml]:
    library = Nvml(boards, VirtualClock(500_000), errors, absent)
    return NvmlMeter(library, clock=library.clock), library


def only(meter: NvmlMeter) -> Channel:
    (channel,) = meter.channels
    return channel


def refused(*boards: Board) -> MeterUnavailable:
    library = Nvml(boards, VirtualClock(500_000))
    with pytest.raises(MeterUnavailable) as caught:
        NvmlMeter(library, clock=library.clock)
    assert library.open == 0
    return caught.value


# Precedence


def test_a_board_with_everything_is_read_by_its_counter_alone() -> None:
    channel = only(opened(board("GPU-a", level(300)))[0])
    assert (channel.kind, channel.unit, channel.poll_s) == (Kind.MEASURED, "J", None)
    assert channel.origin == "nvml:GPU-a:total_energy"


@pytest.mark.failure_mode(17, "nvml")
@pytest.mark.parametrize("code", [3, 13])
@pytest.mark.parametrize(
    ("fields", "origin", "averaging_s"),
    [
        ((185, 186), "field_186_instant", 0.2),
        ((185,), "field_185_average", 1.0),
        ((), "power_usage_average", 1.0),
    ],
)
def test_without_a_counter_the_best_gauge_is_sampled(
    code: int, fields: tuple[int, ...], origin: str, averaging_s: float
) -> None:
    lacking = without_counter("GPU-a", level(300.0005), *fields)
    lacking.errors[ENERGY] = code
    channel = only(opened(lacking)[0])
    assert (channel.id, channel.kind, channel.unit) == ("gpu/GPU-a/board", Kind.SAMPLED, "W")
    assert channel.origin == f"nvml:GPU-a:{origin}"
    assert channel.averaging_window_s == averaging_s
    assert channel.boundary == "gpu-board"
    assert f"NVML code {code}" in channel.note
    assert cover([channel], "cuda:GPU-a") == ("gpu/GPU-a/board",)


def test_a_release_without_the_calls_for_fields_reads_power_usage() -> None:
    lacking = without_counter("GPU-a", level(300.0005), 185, 186)
    meter, _ = opened(lacking, absent=(FIELDS, "nvmlDeviceGetArchitecture"))
    assert only(meter).origin == "nvml:GPU-a:power_usage_average"


@pytest.mark.parametrize(
    ("architecture", "name", "kind"),
    [
        (2, "Tesla K80", "instant"),
        (4, "Tesla P100-PCIE-16GB", "instant"),
        (6, "Tesla T4", "instant"),
        (7, "NVIDIA A100-SXM4-80GB", "instant"),
        (7, "NVIDIA A30", "instant"),
        (7, "NVIDIA A800 80GB PCIe", "instant"),
        (7, "NVIDIA A40", "average"),
        (7, "NVIDIA RTX A3000 Laptop GPU", "average"),
        (8, "NVIDIA L4", "average"),
        (9, "NVIDIA H100 80GB HBM3", "average"),
        (0xFFFFFFFF, "NVIDIA A100-SXM4-80GB", "average"),
        (None, "NVIDIA A100-SXM4-80GB", "average"),
    ],
)
def test_what_power_usage_averages_depends_on_the_architecture_and_is_said(
    architecture: int | None, name: str, kind: str
) -> None:
    lacking = without_counter("GPU-a", level(100.0005), architecture=architecture, name=name)
    channel = only(opened(lacking)[0])
    assert channel.origin == f"nvml:GPU-a:power_usage_{kind}"
    assert channel.averaging_window_s == {"instant": 0.2, "average": 1.0}[kind]
    assert {"instant": "of the instant", "average": "averaged over 1 s"}[kind] in channel.note


def test_a_kepler_board_is_accurate_to_five_percent_only() -> None:
    channel = only(opened(without_counter("GPU-a", level(100.0005), architecture=2))[0])
    assert channel.range == pytest.approx((0.952, 1.053), abs=1e-3)
    assert "±5 %" in channel.note


def test_the_refresh_of_a_gauge_is_probed_where_it_moves() -> None:
    channel = only(opened(without_counter("GPU-a", level(100.0005), 186, hold_s=0.02))[0])
    assert 0.02 <= channel.update_interval_s <= 0.023
    assert channel.poll_s == channel.update_interval_s


def test_a_gauge_that_keeps_its_value_has_the_slowest_refresh_known() -> None:
    steady = without_counter("GPU-a", level(100), 186, hold_s=0.02, flicker=False)
    channel = only(opened(steady)[0])
    assert (channel.update_interval_s, channel.poll_s) == (0.1, 0.1)


def test_a_gauge_that_moved_rarely_is_not_polled_more_rarely() -> None:
    slow = KnownPower([100, 200], [0.7, 0.7])
    channel = only(opened(without_counter("GPU-a", slow, 186, flicker=False))[0])
    assert channel.update_interval_s > 0.6
    assert channel.poll_s == 0.1


@pytest.mark.parametrize("value_type", range(7))
def test_a_field_is_read_from_the_member_that_its_type_names(value_type: int) -> None:
    lacking = without_counter("GPU-a", level(45), 186, flicker=False, value_type=value_type)
    meter, _ = opened(lacking)
    assert meter.read()[0].value == pytest.approx(45)


def test_a_field_of_an_unknown_type_is_no_power() -> None:
    error = refused(without_counter("GPU-a", level(45), 186, value_type=7))
    assert error.status is Status.ERROR
    assert "unknown value type 7" in error.absent.reason


def test_milliwatts_become_watts_once_at_the_border() -> None:
    for fields in ((186,), (185,), ()):
        meter, _ = opened(without_counter("GPU-a", level(250), *fields, flicker=False))
        assert meter.read()[0].value == pytest.approx(250)
        assert only(meter).resolution == 1e-3


@pytest.mark.failure_mode(17, "nvml")
@pytest.mark.parametrize("name", ["Orin (nvgpu)", "NVIDIA GeForce GTX 660"])
def test_a_gpu_that_tells_nothing_is_refused_and_named_its_rails(name: str) -> None:
    jetson = without_counter("GPU-a", level(30), name=name)
    jetson.errors.update(NOTHING)
    error = refused(jetson)
    assert error.status is Status.NOT_SUPPORTED
    assert error.absent.reason.startswith("GPU 0 (GPU-a): it has no energy counter (NVML code 3)")
    assert "power_usage_average: NVML code 3" in error.absent.reason
    assert "use the module's power rails" in error.absent.fix
    assert "hwmon meter" in error.absent.fix


@pytest.mark.failure_mode(16, "nvml")
def test_where_the_counter_reads_zero_the_power_is_sampled() -> None:
    empty = board("GPU-a", level(300.0005))
    empty.energy = Count(steady(0), 1_000_000, start=0, wrap=None)
    meter, _ = opened(empty)
    assert only(meter).origin == "nvml:GPU-a:field_186_instant"
    assert "stands for no value" in only(meter).note
    assert meter.read()[0].value == pytest.approx(300, abs=0.01)


@pytest.mark.failure_mode(16, "nvml")
def test_a_gauge_of_zero_watts_stands_for_no_value() -> None:
    error = refused(without_counter("GPU-a", level(30), 185, 186, shows_mw=0))
    assert error.status is Status.NOT_SUPPORTED
    assert "0 W, which stands for no value" in error.absent.reason


@pytest.mark.failure_mode(16, "nvml")
def test_a_gauge_that_shows_zero_watts_for_a_while_has_no_reading_then() -> None:
    gauge = without_counter("GPU-a", level(300), 186)
    meter, _ = opened(gauge)
    before = meter.read()[0]
    gauge.shows_mw = 0

    during = meter.read()[0]

    assert before.value == pytest.approx(300, abs=0.01)
    assert during.value is None
    assert during.status is not Status.OK
    assert "exactly 0 W, which stands for no value" in during.reason


def test_a_gauge_that_fails_otherwise_is_no_missing_one() -> None:
    lost = without_counter("GPU-a", level(30), 185, 186)
    lost.fields[186, GPU] = 15
    error = refused(lost)
    assert error.status is Status.LOST
    assert "field 186: NVML code 15" in error.absent.reason


# A gauge while it is read


@pytest.mark.failure_mode(7, "nvml")
@pytest.mark.parametrize("milliwatts", [4_294_967_295, 1_050_001, -1])
def test_an_implausible_power_is_dropped_and_said(milliwatts: int) -> None:
    meter, library = opened(without_counter("GPU-a", level(300), 186))
    library.boards[0].shows_mw = milliwatts
    (reading,) = meter.read()
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert f"shows {milliwatts / 1000:.6g} W, and can draw 0 to 1050 W" in reading.reason
    assert "dropped" in reading.reason


@pytest.mark.failure_mode(7, "nvml")
def test_one_implausible_power_among_good_ones_leaves_the_energy_right() -> None:
    meter, library = opened(without_counter("GPU-a", level(300), 186, flicker=False))
    readings = [*meter.read()]
    t0 = library.clock()
    for index in range(40):
        library.boards[0].shows_mw = 4_294_967_295 if index == 20 else None
        readings += meter.read()
        library.clock.pass_s(0.1)
    t1 = library.clock()
    for _ in range(5):
        readings += meter.read()
        library.clock.pass_s(0.1)
    energy = channel_energy(only(meter), readings, t0, t1)
    assert joules(energy) == pytest.approx(300 * (t1 - t0) / 1e9, rel=1e-6)


@pytest.mark.failure_mode(23, "nvml")
def test_a_gauge_that_was_not_read_for_long_has_a_gap_in_its_bound() -> None:
    meter, library = opened(without_counter("GPU-a", level(300), 186))
    readings = [*meter.read()]
    t0 = library.clock()
    library.clock.pass_s(5)
    t1 = library.clock()
    for _ in range(10):
        readings += meter.read()
        library.clock.pass_s(0.1)
    energy = channel_energy(only(meter), readings, t0, t1)
    assert energy.status is Status.GAP
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low < 1 < 300 * 5 < 5 * 1049 < energy.high


@pytest.mark.failure_mode(18, "nvml")
@pytest.mark.parametrize("code", [15, 16, 999])
def test_a_gauge_of_a_lost_gpu_ends_its_window_and_others_go_on(code: int) -> None:
    meter, library = opened(without_counter("GPU-a", level(300), 186), board("GPU-b", level(50)))
    library.boards[0].fields[186, GPU] = code
    energies, _, _ = window(meter, library.clock, 6)
    lost, alive = energies["gpu/GPU-a/board"], energies["gpu/GPU-b/board"]
    assert (lost.joules, lost.status) == (None, Status.LOST)
    assert "dmesg" in lost.reason
    assert joules(alive) == pytest.approx(300, rel=0.05)


@pytest.mark.failure_mode(26, "nvml")
def test_a_window_shorter_than_a_gauge_shows_is_too_short() -> None:
    meter, library = opened(without_counter("GPU-a", level(300), 185))
    energies, _, _ = window(meter, library.clock, 0.9)
    found = energies["gpu/GPU-a/board"]
    assert (found.joules, found.status) == (None, Status.TOO_SHORT)
    assert "give it at least" in found.reason


# Scopes


def grace(uuid: str = "GPU-a", **settings: object) -> Board:
    return board(uuid, level(300), cpu=level(120), name="NVIDIA GH200 480GB", **settings)


@pytest.mark.failure_mode(15, "nvml")
def test_a_module_contains_its_gpu_and_is_never_added_to_it() -> None:
    meter, library = opened(grace())
    module, gpu = meter.channels
    assert (module.id, module.boundary, module.kind) == ("module/0", "module", Kind.MEASURED)
    assert module.origin == "nvml:GPU-a:field_83_module"
    assert (gpu.id, gpu.note) == ("gpu/GPU-a/board", "")
    assert contains(module.id, gpu.id)
    assert contains(module.id, "cpu/0/package")
    assert len(cover(meter.channels, "")) == 1
    energies, t0, t1 = window(meter, library.clock, 10)
    assert joules(energies["module/0"]) == pytest.approx(420 * (t1 - t0), rel=0.02)
    assert joules(energies["gpu/GPU-a/board"]) == pytest.approx(300 * (t1 - t0), rel=0.02)


def test_where_the_total_counts_the_module_the_gpu_is_read_by_its_scope() -> None:
    meter, library = opened(grace(module_energy=True))
    _, gpu = meter.channels
    assert gpu.origin == "nvml:GPU-a:field_83_gpu"
    energies, t0, t1 = window(meter, library.clock, 10)
    assert joules(energies["gpu/GPU-a/board"]) == pytest.approx(300 * (t1 - t0), rel=0.02)


@pytest.mark.failure_mode(15, "nvml")
def test_where_only_the_module_is_counted_no_board_is_made_of_it() -> None:
    same = grace(module_energy=True, fields={(83, GPU): 3, (185, GPU): 3, (186, GPU): 3})
    meter, _ = opened(same)  # its power usage may be the module's too
    assert only(meter).id == "module/0"
    assert meter.unusable[0].what == "GPU 0 (GPU-a)"
    assert meter.unusable[0].status is Status.NOT_SUPPORTED


@pytest.mark.failure_mode(15, "nvml")
def test_where_every_counter_is_the_modules_it_is_said() -> None:
    alone = board("GPU-c", level(420), name="NVIDIA GH200 480GB", every_scope=True)
    meter, _ = opened(alone)
    assert only(meter).id == "module/0"
    assert "shows what the module's shows" in meter.unusable[0].reason


def test_a_gpu_whose_counter_is_the_modules_is_sampled_by_its_field() -> None:
    meter, library = opened(grace(module_energy=True, fields={(83, GPU): 3}))
    module, gpu = meter.channels
    assert (module.id, gpu.id, gpu.kind) == ("module/0", "gpu/GPU-a/board", Kind.SAMPLED)
    assert gpu.origin == "nvml:GPU-a:field_186_instant"
    assert meter.read()[1].value == pytest.approx(300, abs=0.01)
    assert library.boards[0].module_energy


@pytest.mark.failure_mode(14, "nvml")
def test_two_gpus_on_one_module_share_its_counter() -> None:
    first, second = grace("GPU-a"), grace("GPU-b")
    second.energy = first.energy  # both fields show the one module
    third = grace("GPU-c")
    third.energy.start += 50_000_000
    meter, _ = opened(first, second, third)
    modules = [channel for channel in meter.channels if channel.domain == "module"]
    assert [channel.id for channel in modules] == ["module/0", "module/1"]
    assert modules[1].origin.startswith("nvml:GPU-c:")


def test_only_a_grace_board_is_asked_for_its_module() -> None:
    asked = board("GPU-a", level(300), cpu=level(120), name="NVIDIA H100 80GB HBM3")
    assert only(opened(asked)[0]).id == "gpu/GPU-a/board"


@pytest.mark.parametrize("code", [3, 13])
def test_a_grace_board_without_the_scope_is_noted_as_maybe_the_module(code: int) -> None:
    channel = only(opened(grace(fields={(83, MODULE): code}))[0])
    assert channel.id == "gpu/GPU-a/board"
    assert "may cover the module" in channel.note


def test_a_grace_board_of_which_the_scope_is_lost_is_left_out() -> None:
    assert refused(grace(fields={(83, MODULE): 15})).status is Status.LOST


def test_the_memory_of_a_board_is_a_part_of_it() -> None:
    meter, library = opened(board("GPU-a", level(300), memory=0.2))
    board_channel, memory = meter.channels
    assert (memory.id, memory.domain) == ("gpu/GPU-a/memory", "gpu.memory")
    assert contains(board_channel.id, memory.id)
    assert cover(meter.channels, "cuda:GPU-a") == (board_channel.id,)
    energies, t0, t1 = window(meter, library.clock, 10)
    assert joules(energies[memory.id]) == pytest.approx(60 * (t1 - t0), rel=0.03)


@pytest.mark.failure_mode(16, "nvml")
def test_a_memory_that_reads_zero_is_not_supported() -> None:
    meter, _ = opened(board("GPU-a", level(300), memory=0.0))
    assert only(meter).id == "gpu/GPU-a/board"
    (found,) = meter.unusable
    assert (found.what, found.status) == ("GPU 0 (GPU-a) memory", Status.NOT_SUPPORTED)
    assert "stands for no value" in found.reason


@pytest.mark.failure_mode(14, "nvml")
def test_a_driver_that_ignores_the_scope_shows_no_memory() -> None:
    meter, _ = opened(board("GPU-a", level(300), memory=1.0))
    assert only(meter).id == "gpu/GPU-a/board"
    assert "shows what the board's shows" in meter.unusable[0].reason


def test_a_memory_that_fails_is_left_out_and_its_board_stays() -> None:
    meter, _ = opened(board("GPU-a", level(300), memory=0.2, fields={(83, MEMORY): 4}))
    assert only(meter).id == "gpu/GPU-a/board"
    assert meter.unusable[0].status is Status.PERMISSION


# Who is there


@pytest.mark.failure_mode(21, "nvml")
def test_a_gpu_is_known_by_its_uuid_wherever_the_driver_lists_it() -> None:
    for order in ([0, 1], [1, 0]):
        boards = [board("GPU-a", level(300)), board("GPU-b", level(50))]
        meter, library = opened(*(boards[index] for index in order))
        energies, t0, t1 = window(meter, library.clock, 10)
        assert joules(energies["gpu/GPU-a/board"]) == pytest.approx(300 * (t1 - t0), rel=0.02)
        assert joules(energies["gpu/GPU-b/board"]) == pytest.approx(50 * (t1 - t0), rel=0.02)
        assert cover(meter.channels, "cuda:GPU-z") == ()


def test_a_container_says_that_it_cannot_see_its_neighbours(tmp_path: Path) -> None:
    processes = machine(tmp_path, {100: 1, 1: 0})
    library = Nvml([board("GPU-a", level(300))], VirtualClock(500_000))
    assert only(NvmlMeter(library, clock=library.clock, processes=processes)).note == ""
    (tmp_path / "self" / "ns" / "pid").unlink()
    (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4026532999]")
    contained = only(NvmlMeter(library, clock=library.clock, processes=processes))
    assert "another container" in contained.note
