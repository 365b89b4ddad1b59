"""From readings to energy: wraps, resets, silence, bounds, covers and sums."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cover import cover, total
from bench.meter import Channel, Reading, Status
from bench.quantities import Absent, Kind, MixedError, Quantity, contains
from bench.window import ChannelEnergy, channel_energy, shortest_block_s

SECOND = 1_000_000_000


def channel(name: str = "cpu/0/package", **changes: object) -> Channel:
    """A counter that wraps at 100 J, may draw 20 W, and moves every 10 ms by 1 mJ."""
    plain = Channel(
        id=name,
        domain="process" if name == "process/cpu" else name.rpartition("/")[2],
        kind=Kind.MEASURED,
        boundary=name.rpartition("/")[2],
        resolution=0.001,
        update_interval_s=0.01,
        wrap=100.0,
        p_max_w=20.0,
        origin="a test",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def reading(joules: float | None, at_s: float, status: Status = Status.OK) -> Reading:
    at_ns = round(at_s * SECOND)
    return Reading("cpu/0/package", at_ns, at_ns, joules, status, "" if joules else "it failed")


def energy(counter: Channel, *readings: Reading) -> ChannelEnergy:
    return channel_energy(counter, readings, readings[0].t1_ns, readings[-1].t0_ns)


def test_a_window_has_the_difference_of_its_readings() -> None:
    found = energy(channel(), reading(10, 0), reading(35, 2))
    assert (found.joules, found.status) == (25, Status.OK)
    assert found.quantity() == Quantity(
        25, 24.799, 25.201, "J", Kind.MEASURED, "package", ("cpu/0/package",)
    )


def test_wrap_inside_the_window_gives_the_true_energy() -> None:
    found = energy(channel(), reading(90, 0), reading(15, 2))
    assert (found.joules, found.status) == (25, Status.WRAPPED)


def test_each_of_several_wraps_is_added_between_readings_in_the_window() -> None:
    shown = [90, 15, 55, 95, 35, 75, 15]
    found = energy(channel(), *(reading(joules, 2 * n) for n, joules in enumerate(shown)))
    assert (found.joules, found.status) == (225, Status.WRAPPED)


def test_a_counter_without_modulus_that_falls_was_reset() -> None:
    found = energy(channel(wrap=None), reading(90, 0), reading(15, 2))
    assert (found.joules, found.status) == (None, Status.RESET)
    assert "went back from 90 J to 15 J" in found.reason


def test_a_fall_that_no_power_explains_as_a_wrap_is_a_reset() -> None:
    found = energy(channel(), reading(50, 0), reading(15, 2))  # a wrap would be 65 J in 2 s
    assert found.status is Status.RESET


def test_a_gap_that_could_hide_a_whole_wrap_is_refused() -> None:
    found = energy(channel(), reading(10, 0), reading(20, 5))  # 100 J are possible at 20 W
    assert (found.joules, found.status) == (None, Status.INVALID)
    assert "5 s passed between two readings" in found.reason
    assert "read it more often" in found.reason


def test_a_gap_just_shorter_than_a_wrap_is_believed() -> None:
    assert energy(channel(), reading(10, 0), reading(20, 4.98)).joules == 10


def test_a_rise_that_no_power_explains_is_refused() -> None:
    found = energy(channel(), reading(10, 0), reading(51, 2))
    assert (found.joules, found.status) == (None, Status.INVALID)
    assert "more than the 20 W" in found.reason


def test_a_counter_that_stands_still_for_ten_intervals_is_stale() -> None:
    found = energy(channel(), reading(10, 0), reading(10, 0.1))
    assert (found.joules, found.status) == (None, Status.STALE)
    assert "is the driver alive?" in found.reason


def test_a_window_in_which_nothing_could_move_is_too_short_and_no_zero() -> None:
    found = energy(channel(), reading(10, 0), reading(10, 0.05))
    assert (found.joules, found.status) == (None, Status.TOO_SHORT)
    assert "give it at least 0.5 s" in found.reason


def test_a_window_shorter_than_one_interval_is_refused_though_it_moved() -> None:
    found = energy(channel(), reading(10, 0), reading(10.1, 0.005))
    assert (found.joules, found.status) == (None, Status.TOO_SHORT)


def test_an_estimate_that_did_not_move_is_too_short_and_no_zero() -> None:
    found = energy(channel("process/cpu", kind=Kind.ESTIMATED), reading(10, 0), reading(10, 1))
    assert (found.joules, found.status) == (None, Status.TOO_SHORT)
    assert "the estimate did not move in 1 s" in found.reason


def test_an_estimate_refreshed_once_a_second_says_nothing_of_half_a_second() -> None:
    slow = channel(kind=Kind.ESTIMATED, update_interval_s=1.0, range=(0.5, 2.0))
    assert energy(slow, reading(10, 0), reading(20, 0.5)).status is Status.TOO_SHORT
    assert energy(slow, reading(10, 0), reading(20, 1.5)).joules == 10


def test_an_estimate_has_the_range_of_its_model_as_bounds() -> None:
    guess = channel("process/cpu", kind=Kind.ESTIMATED, range=(0.25, 4.0))
    found = energy(guess, reading(10, 0), reading(20, 1))
    assert (found.low, found.joules, found.high) == (2.5, 10, 40)


def test_the_time_that_readings_enclose_beyond_the_window_is_in_the_bound() -> None:
    readings = [reading(10, 0), reading(35, 2)]
    wide = channel_energy(channel(), readings, SECOND // 10, 2 * SECOND - SECOND // 10)
    assert wide.low == pytest.approx(24.799 - 0.2 * 20)
    assert wide.high == pytest.approx(25.001)  # the last reading began an interval after the end


def test_a_bound_below_zero_is_cut_at_zero() -> None:
    found = energy(channel(), reading(10, 0), reading(10.1, 1))
    assert found.low == 0


def test_a_reading_that_failed_takes_its_window_with_it() -> None:
    found = energy(channel(), reading(10, 0), reading(None, 1, Status.LOST), reading(35, 2))
    assert (found.joules, found.status, found.reason) == (None, Status.LOST, "it failed")
    assert found.quantity() == Absent("cpu/0/package: it failed")


def test_one_reading_is_no_window_and_has_no_energy() -> None:
    found = channel_energy(channel(), [reading(10, 0)], 0, SECOND)
    assert found.status is Status.INVALID
    assert found.reason == (
        "1 reading, and a window needs one before it and one after it;"
        " was the device there all the time?"
    )


@given(
    watts=st.floats(0.01, 20),
    start=st.floats(0, 99.999),
    gaps=st.lists(st.floats(0.02, 4.9), min_size=1, max_size=8),
)
def test_energy_does_not_depend_on_where_the_counter_stood(
    watts: float, start: float, gaps: list[float]
) -> None:
    at, readings = 0.0, [reading(start, 0)]
    for gap in gaps:
        at += gap
        readings.append(reading((start + watts * at) % 100, at))
    found = energy(channel(), *readings)
    assert found.joules == pytest.approx(watts * at, abs=1e-5)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= watts * at <= found.high


def test_a_block_lasts_fifty_intervals_of_the_slowest_counter() -> None:
    slow = channel("gpu/GPU-1/board", update_interval_s=0.1)
    assert shortest_block_s([channel(), slow]) == pytest.approx(5)
    assert shortest_block_s([channel(update_interval_s=0.001)]) == 0.5


def test_without_an_instrument_no_window_is_too_short() -> None:
    assert shortest_block_s([]) == 0
    assert shortest_block_s([channel(kind=Kind.ESTIMATED, update_interval_s=9)]) == 0


PACKAGE, CORE, DRAM = channel(), channel("cpu/0/core"), channel("cpu/0/dram")
PSYS, WALL = channel("board/psys"), channel("wall/0", kind=Kind.EXTERNAL)
ONE, TWO = channel("gpu/GPU-1/board"), channel("gpu/GPU-2/board")
PROCESS = channel("process/cpu", kind=Kind.ESTIMATED)


@pytest.mark.parametrize("found", [[PACKAGE, CORE, DRAM, PSYS], [PSYS, DRAM, CORE, PACKAGE]])
def test_a_cover_has_neither_psys_nor_what_a_package_contains(found: list[Channel]) -> None:
    assert set(cover(found, "cpu")) == {"cpu/0/package", "cpu/0/dram"}


def test_a_cover_has_psys_where_nothing_inside_it_is_read() -> None:
    assert cover([PSYS], "cpu") == ("board/psys",)


def test_a_cover_is_the_wall_alone_where_there_is_a_wall_meter() -> None:
    assert cover([PACKAGE, WALL, PSYS, ONE], "") == ("wall/0",)


def test_a_cover_has_the_gpu_of_its_case_and_no_other() -> None:
    found = [PACKAGE, ONE, TWO]
    assert cover(found, "cpu") == ("cpu/0/package",)
    assert cover(found, "cuda:GPU-2") == ("cpu/0/package", "gpu/GPU-2/board")
    assert cover(found, "") == ("cpu/0/package", "gpu/GPU-1/board", "gpu/GPU-2/board")


def test_a_cover_takes_one_channel_of_two_with_the_same_name() -> None:
    assert cover([PACKAGE, replace(PACKAGE, origin="pyrapl")], "cpu") == ("cpu/0/package",)


def test_a_cover_takes_no_estimate_even_if_there_is_nothing_else() -> None:
    assert cover([PROCESS], "cpu") == ()


def measured(name: str, joules: float | None, kind: Kind = Kind.MEASURED) -> ChannelEnergy:
    if joules is None:
        return ChannelEnergy(name, None, None, None, kind, "dram", Status.ERROR, "it failed")
    boundary = name.rpartition("/")[2]
    return ChannelEnergy(name, joules, joules - 1, joules + 1, kind, boundary, Status.OK)


def test_a_total_adds_values_bounds_and_boundaries() -> None:
    found = total(
        [measured("cpu/0/package", 25), measured("cpu/0/dram", 5)], ["cpu/0/package", "cpu/0/dram"]
    )
    assert isinstance(found, Quantity)
    assert (found.low, found.value, found.high) == (28, 30, 32)
    assert found.boundary == "package+dram"


def test_a_total_with_a_missing_member_is_absent_and_no_smaller_sum() -> None:
    ids = ["cpu/0/package", "cpu/0/dram"]
    assert total([measured("cpu/0/package", 25)], ids) == Absent(
        "cpu/0/dram was not read in this window"
    )
    assert total([measured("cpu/0/package", 25), measured("cpu/0/dram", None)], ids) == Absent(
        "cpu/0/dram: it failed"
    )


def test_a_total_over_no_channel_is_absent_and_names_the_doctor() -> None:
    assert total([], []) == Absent("no power source can be read here", "see joulebench doctor")


def test_a_total_of_several_kinds_is_absent_with_both_named() -> None:
    energies = [measured("cpu/0/package", 25), measured("gpu/GPU-1/board", 5, Kind.SAMPLED)]
    found = total(energies, ["cpu/0/package", "gpu/GPU-1/board"])
    assert isinstance(found, Absent)
    assert "measured+sampled" in found.reason


def test_energies_of_different_boundaries_are_not_ordered() -> None:
    one, other = measured("cpu/0/package", 25).quantity(), measured("cpu/0/dram", 5).quantity()
    assert isinstance(one, Quantity)
    assert isinstance(other, Quantity)
    with pytest.raises(MixedError):
        sorted([one, other])


def test_a_gpu_without_its_own_counter_has_no_energy() -> None:
    assert cover([PACKAGE, DRAM], "cuda:GPU-1") == ()
    assert cover([PACKAGE, TWO], "cuda:GPU-1") == ()
    assert cover([PACKAGE, ONE, TWO], "cuda:GPU-1") == ("cpu/0/package", "gpu/GPU-1/board")
    assert cover([PACKAGE, WALL], "cuda:GPU-1") == ("wall/0",)


def test_an_estimate_that_rises_all_at_once_counts_over_the_whole_window() -> None:
    guess = channel("process/cpu", kind=Kind.ESTIMATED, wrap=None, p_max_w=20)
    found = energy(guess, reading(0, 0), reading(0, 60), reading(0, 120), reading(1300, 130))
    assert found.joules == 1300


RAIL, INNER = channel("module/vdd_in"), channel("module/vdd_in/vdd_soc")


def test_a_cover_has_the_input_of_a_module_and_not_its_rails_beside_it() -> None:
    assert cover([INNER, RAIL, channel("module/vdd_in/vdd_cpu_gpu_cv")], "cpu") == (RAIL.id,)


def test_a_cover_adds_the_rails_of_a_board_that_has_no_common_input() -> None:
    rails = [channel(f"module/{rail}") for rail in ("vdd_gpu_soc", "vdd_cpu_cv", "vin_sys_5v0")]
    inner = channel("module/vin_sys_5v0/vddq_vdd2_1v8ao")
    assert cover([*rails, inner], "cpu") == tuple(rail.id for rail in rails)


def test_a_battery_gives_way_to_a_package_and_not_to_a_gpu() -> None:
    battery = channel("battery/0", kind=Kind.SAMPLED)
    assert cover([battery, PACKAGE], "") == (PACKAGE.id,)
    assert cover([battery, ONE], "") == (battery.id,)


def test_a_module_gives_way_to_the_socket_inside_it_and_to_no_other() -> None:
    module, here, there = channel("module/0"), channel("cpu/0/socket"), channel("cpu/1/socket")
    assert cover([module, here], "cpu") == (here.id,)
    assert cover([module, there], "cpu") == (module.id, there.id)


def test_of_several_modules_none_stands_for_a_gpu_that_may_be_on_another() -> None:
    modules, cpu = [channel("module/0"), channel("module/1")], channel("cpu/0/socket")
    assert cover([*modules, cpu, ONE], "cuda:GPU-1") == (cpu.id, ONE.id)
    assert cover([*modules, cpu], "cuda:GPU-1") == ()
    assert cover(modules, "cpu") == ("module/0", "module/1")
    assert cover([modules[0]], "cuda:GPU-1") == ("module/0",)


def test_psys_never_stands_for_a_gpu_of_which_nobody_says_that_it_is_inside() -> None:
    assert cover([PSYS, ONE], "cuda:GPU-1") == (ONE.id,)
    assert cover([PSYS], "cuda:GPU-1") == ()
    assert cover([PSYS, ONE], "cpu") == (PSYS.id,)


def test_a_battery_gives_way_to_psys_and_to_a_module() -> None:
    battery = channel("battery/0", kind=Kind.SAMPLED)
    assert cover([battery, PSYS], "cpu") == (PSYS.id,)
    assert cover([battery, channel("module/0", kind=Kind.SAMPLED)], "cpu") == ("module/0",)


def test_a_sensor_of_unknown_boundary_is_never_added() -> None:
    assert cover([channel("sensor/ina226-1-0041/power1"), PACKAGE], "") == (PACKAGE.id,)


def test_a_total_is_of_one_kind_and_of_the_gpus_own_where_there_is_a_gpu() -> None:
    sampled = replace(ONE, kind=Kind.SAMPLED)
    assert cover([PACKAGE, sampled], "") == (PACKAGE.id,)
    assert cover([PACKAGE, sampled], "cuda:GPU-1") == (sampled.id,)


def test_a_second_route_stands_in_where_the_first_is_not_there() -> None:
    second = channel("cpu/0/package#perf")
    assert cover([second], "cpu") == (second.id,)
    assert cover([second, PACKAGE], "cpu") == (PACKAGE.id,)


@given(st.permutations([PACKAGE, CORE, DRAM, PSYS, ONE, RAIL, INNER, channel("cpu/0/dram#mmio")]))
def test_no_member_of_a_cover_contains_another_in_whatever_order_they_were_found(
    found: list[Channel],
) -> None:
    for device in ("cpu", "", "cuda:GPU-1"):
        chosen = cover(found, device)
        assert chosen
        assert overlap_of(chosen) == []


def overlap_of(chosen: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(a, b) for a in chosen for b in chosen if a != b and contains(a, b)]
