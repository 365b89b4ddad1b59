"""RAPL through powercap: which counters there are, what they count, and what they refuse."""

import doctest
import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from emulators import (
    COUNTS,
    ESU14,
    ESU16,
    LAYOUTS,
    Count,
    Powercap,
    VirtualClock,
    Z,
    holds,
    joules,
    steady,
    window,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.cover import cover, total
from bench.meter import MeterUnavailable, Status
from bench.meters import _rapl, _rapl_zones, powercap
from bench.meters._cpu import Cpu
from bench.meters._rapl import energy_j, scale
from bench.meters.powercap import PowercapMeter
from bench.meters.replay import PowerTrace
from bench.quantities import Kind, Quantity

INTEL, AMD = Cpu("GenuineIntel"), Cpu("AuthenticAMD")
GUEST = Cpu("GenuineIntel", virtual=True)


def machine(root: Path, layout: str) -> Powercap:
    return Powercap(root, LAYOUTS[layout])


def opened(machine: Powercap, cpu: Cpu = INTEL) -> PowercapMeter:
    return PowercapMeter(
        machine.root, clock=machine.clock, opener=machine.opener, pread=machine.pread, cpu=cpu
    )


def refusals(meter: PowercapMeter) -> dict[str, tuple[Status, str]]:
    return {found.what.split()[0]: (found.status, found.reason) for found in meter.unusable}


DIES = ["cpu/0.0/package", "cpu/0.0/dram", "cpu/0.1/package", "cpu/0.1/dram"]
DIES += ["cpu/1.0/package", "cpu/1.1/package"]
SOCKETS = ["cpu/0/package", "cpu/0/dram", "cpu/1/package", "cpu/1/dram"]


@pytest.mark.parametrize(
    ("layout", "cpu", "found", "covered", "watts"),
    [
        (
            "client",
            INTEL,
            [*SOCKETS[:1], "cpu/0/core", "cpu/0/dram", "board/psys", "cpu/0/package#mmio"],
            SOCKETS[:2],
            23,
        ),
        ("xeon2s", INTEL, SOCKETS, SOCKETS, 208),
        ("spr2s", INTEL, [*SOCKETS[:2], "board/psys", *SOCKETS[2:]], SOCKETS, 418),
        ("zen", AMD, SOCKETS[:1], SOCKETS[:1], 65),
        ("clxap", INTEL, DIES, DIES, 560),
        ("zen1_4die", AMD, DIES[:1], DIES[:1], 120),
        ("mmio_only", INTEL, SOCKETS[:1], SOCKETS[:1], 15),
    ],
)
@pytest.mark.failure_mode(14, "powercap")
@pytest.mark.failure_mode(15, "powercap")
def test_each_layout_is_summed_over_a_cover_that_counts_nothing_twice(  # noqa: PLR0917 - a table
    tmp_path: Path, layout: str, cpu: Cpu, found: list[str], covered: list[str], watts: float
) -> None:
    emulated = machine(tmp_path, layout)
    meter = opened(emulated, cpu)
    assert [channel.id for channel in meter.channels] == found
    cover_ids = cover(meter.channels, "cpu")
    assert list(cover_ids) == covered
    energies, t0, t1 = window(meter, emulated.clock, 2.0)
    whole = total(energies.values(), cover_ids)
    meter.close()
    assert isinstance(whole, Quantity)
    assert whole.value == pytest.approx(watts * (t1 - t0), rel=2e-3)
    assert whole.low <= watts * (t1 - t0) <= whole.high


@pytest.mark.failure_mode(15, "powercap")
def test_the_dram_of_a_package_is_beside_it_and_not_inside(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "client")
    meter = opened(emulated)
    energies, t0, t1 = window(meter, emulated.clock, 2.0)
    whole = total(energies.values(), cover(meter.channels, "cpu"))
    assert isinstance(whole, Quantity)
    assert whole.boundary == "cpu-package+dram"
    assert whole.value == pytest.approx((20 + 3) * (t1 - t0), rel=2e-3)
    meter.close()


def test_a_zone_is_known_by_its_name_and_not_by_its_index(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "spr2s"))
    origins = {channel.id: channel.origin for channel in meter.channels}
    assert origins["board/psys"] == "powercap:intel-rapl:1"
    assert origins["cpu/1/package"] == "powercap:intel-rapl:2"
    meter.close()


def test_the_eleventh_zone_has_a_hexadecimal_index_and_comes_last(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "eleven"))
    assert meter.channels[-1].id == "cpu/10/package"
    assert meter.channels[-1].origin == "powercap:intel-rapl:a"
    meter.close()


@pytest.mark.failure_mode(14, "powercap")
def test_a_second_route_to_a_package_is_shown_beside_it_and_never_added(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "client")
    meter = opened(emulated)
    routes = {c.origin: c.id for c in meter.channels if c.domain == "package"}
    assert routes == {
        "powercap:intel-rapl:0": "cpu/0/package",
        "powercap:intel-rapl-mmio:0": "cpu/0/package#mmio",
    }
    assert cover(meter.channels, "cpu") == ("cpu/0/package", "cpu/0/dram")
    energies, t0, t1 = window(meter, emulated.clock, 2.0)
    assert joules(energies["cpu/0/package"]) == pytest.approx(20 * (t1 - t0), rel=2e-3)
    assert joules(energies["cpu/0/package#mmio"]) == pytest.approx(19.5 * (t1 - t0), rel=2e-3)
    meter.close()


DENIED = PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.failure_mode(14, "powercap")
@pytest.mark.parametrize("fault", [DENIED, OSError(errno.EINVAL, "Invalid argument")])
def test_the_second_route_is_the_first_where_the_first_fails(
    tmp_path: Path, fault: OSError
) -> None:
    zones = [*LAYOUTS["client"], Z("intel-rapl-mmio:0:0", "dram", watts=3)]
    emulated = Powercap(tmp_path, zones)
    emulated.open_faults["intel-rapl:0"] = emulated.open_faults["intel-rapl:0:2"] = fault
    meter = opened(emulated)
    origins = {channel.id: channel.origin for channel in meter.channels}
    assert origins["cpu/0/package"] == "powercap:intel-rapl-mmio:0"
    assert origins["cpu/0/dram"] == "powercap:intel-rapl-mmio:0:0"
    assert "cpu/0/package#mmio" not in origins
    assert {channel.boundary for channel in meter.channels} >= {"cpu-package", "dram"}
    assert len(meter.unusable) == 3


@pytest.mark.failure_mode(14, "powercap")
def test_a_second_zone_of_one_name_in_one_route_is_refused(tmp_path: Path) -> None:
    meter = opened(
        Powercap(tmp_path, [Z("intel-rapl:0", "package-0"), Z("intel-rapl:1", "package-0")])
    )
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]
    status, reason = refusals(meter)["intel-rapl:1"]
    assert status is Status.NOT_SUPPORTED
    assert reason == (
        "a second zone of cpu/0/package, which intel-rapl:0 (package-0) counts already"
    )


def test_the_second_route_of_a_mirrored_die_is_left_out_with_it(tmp_path: Path) -> None:
    zones = [
        Z("intel-rapl:0", "package-0-die-0"),
        Z("intel-rapl:1", "package-0-die-1", mirrors="intel-rapl:0"),
        Z("intel-rapl-mmio:0", "package-0-die-0"),
        Z("intel-rapl-mmio:1", "package-0-die-1", mirrors="intel-rapl-mmio:0"),
    ]
    meter = opened(Powercap(tmp_path, zones))
    ids = [channel.id for channel in meter.channels]
    assert ids == ["cpu/0.0/package", "cpu/0.0/package#mmio"]


@pytest.mark.failure_mode(5, "powercap")
def test_a_zone_without_a_readable_name_may_be_any_so_sums_name_their_socket(
    tmp_path: Path,
) -> None:
    emulated = machine(tmp_path, "xeon2s")
    (emulated.path("intel-rapl:1") / "name").write_bytes(b"\xff\n")
    meter = opened(emulated)
    boundaries = {channel.id: channel.boundary for channel in meter.channels}
    assert boundaries == {
        "cpu/0/package": "cpu-package of cpu/0 only",
        "cpu/0/dram": "dram of cpu/0 only",
    }


@pytest.mark.failure_mode(11, "powercap")
@pytest.mark.failure_mode(16, "powercap")
def test_a_counter_that_stands_still_is_stale_and_no_zero(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "client"))
    status, reason = refusals(meter)["intel-rapl:0:1"]
    assert status is Status.STALE
    assert reason == "its counter stood still for 0.25 s while it was watched"
    meter.close()


def test_zones_below_a_parent_without_links_in_the_class_are_found(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "xeon2s")
    for link in emulated.powercap.iterdir():
        if ":" in link.name:
            link.unlink()
    meter = opened(emulated)
    assert len(meter.channels) == 4
    meter.close()


def test_other_control_types_of_the_class_are_not_counters(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "zen")
    for name in ("dtpm", "idle-injection", "dtpm:0", "intel-rapl:x"):
        (emulated.powercap / name).mkdir()
    assert [channel.id for channel in opened(emulated).channels] == ["cpu/0/package", "cpu/0/core"]


@pytest.mark.failure_mode(17, "powercap")
def test_a_domain_of_an_unknown_name_is_left_out_and_named(tmp_path: Path) -> None:
    zones = [Z("intel-rapl:0", "package-0"), Z("intel-rapl:0:0", "npu"), Z("intel-rapl:1", "gpu")]
    meter = opened(Powercap(tmp_path, zones))
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]
    assert refusals(meter)["intel-rapl:0:0"][1] == "a domain of the name 'npu' is not known"
    assert refusals(meter)["intel-rapl:1"][0] is Status.NOT_SUPPORTED


def test_a_later_platform_counter_has_a_channel_of_its_own(tmp_path: Path) -> None:
    zones = [Z("intel-rapl:0", "psys"), Z("intel-rapl:1", "psys-1")]
    meter = opened(Powercap(tmp_path, zones))
    assert [channel.id for channel in meter.channels] == ["board/psys", "board/psys-1"]
    assert {channel.boundary for channel in meter.channels} == {"platform"}


# Number model


@pytest.mark.parametrize(
    ("most_uj", "unit_nj", "wrap_uj"),
    [
        (262143328850, 61035, 262143328911.36),
        (65532610987, 15258, 65532611002.368),
        (65712999613, 15300, 65712999628.8),
        (4294967295000000, 10**9, 4294967296000000),
        (137438953440, 32000, 137438953472),
        (262143999938, 61035.15625, 262144000000),  # old kernels kept the fraction
    ],
)
def test_the_modulus_is_the_largest_value_plus_one_step(
    most_uj: int, unit_nj: float, wrap_uj: float
) -> None:
    model = scale(most_uj, "package")
    assert model.wrap_j is not None
    assert model.wrap_j * 1e6 == pytest.approx(wrap_uj, abs=1.1, rel=0)
    assert model.wrap_j * 1e6 > most_uj + unit_nj / 1000 * 0.9
    assert model.resolution_j * 1e6 == pytest.approx(unit_nj / 1000 + 1, abs=1e-3)


@pytest.mark.parametrize("text", ["0\n", "rubbish\n", ""])
@pytest.mark.failure_mode(17, "powercap")
def test_a_counter_of_unknown_range_has_no_modulus(tmp_path: Path, text: str) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "package-0")])
    (emulated.path("intel-rapl:0") / "max_energy_range_uj").write_text(text)
    channel = opened(emulated).channels[0]
    assert channel.wrap is None
    assert channel.resolution == 1e-3


def test_a_platform_counter_of_unknown_range_is_taken_for_coarse() -> None:
    assert scale(None, "psys").resolution_j == 1.0


@pytest.mark.failure_mode(8, "powercap")
def test_wrap_inside_the_window_gives_the_true_energy(tmp_path: Path) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "package-0", ESU14, 100)])
    count = emulated.counts["intel-rapl:0"]
    meter = opened(emulated)
    spent = count.at(emulated.clock.now_ns)
    count.start += COUNTS - spent - 1  # one step before the wrap
    energies, t0, t1 = window(meter, emulated.clock, 1.0)
    energy = energies["cpu/0/package"]
    assert energy.status is Status.WRAPPED
    assert joules(energy) == pytest.approx(100 * (t1 - t0), abs=0.2)


def test_a_modulus_without_its_last_step_would_lose_that_step(tmp_path: Path) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "package-0", ESU14, 100)])
    meter = opened(emulated)
    emulated.read_faults["intel-rapl:0"] = b"262143328850\n"  # count 2^32 - 1
    before = meter.read()[0].value
    emulated.read_faults["intel-rapl:0"] = b"61035\n"  # count 1000
    after = meter.read()[0].value
    wrap = meter.channels[0].wrap
    assert before is not None
    assert after is not None
    assert wrap is not None
    assert (after - before) % wrap == pytest.approx(1001 * 61.035e-6, abs=2e-6)


@pytest.mark.parametrize(
    ("unit_nj", "factor"),
    [
        (61035, 1e9 / 2**14 / 61035),
        (15258, 1e9 / 2**16 / 15258),
        (30517, 1e9 / 2**15 / 30517),
        (15300, 1.0),  # fixed by a data sheet
        (10**9, 1.0),
        (32000, 1.0),  # Atoms count in 2^n µJ
        (976562, 1e9 / 2**10 / 976562),
        (12345, 12346 / 12345),  # nobody knows what was cut from it
    ],
)
def test_what_the_driver_cuts_from_its_unit_is_in_the_range(unit_nj: int, factor: float) -> None:
    most_true = scale((COUNTS - 1) * unit_nj // 1000, "package").most_true
    assert most_true == pytest.approx(factor, rel=1e-12)
    assert 1 <= most_true < 1.0001


def test_a_channel_asks_to_be_read_twice_in_a_wrap_at_its_largest_power(tmp_path: Path) -> None:
    for channel in opened(machine(tmp_path, "spr2s")).channels:
        assert channel.wrap is not None
        assert channel.poll_s == channel.wrap / (2 * channel.p_max_w)


def test_capturing_looks_once_at_each_counter_and_decodes_nothing(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "client")
    meter = opened(emulated)
    fault = OSError(errno.EIO, "Input/output error")
    emulated.read_faults = {"intel-rapl:0": b"garbage", "intel-rapl:0:0": fault}
    began = emulated.clock.now_ns
    captured = meter.capture()
    looks = 2 * emulated.clock.step_ns + emulated.clock.step_ns // 2
    assert emulated.clock.now_ns - began == 5 * looks
    assert len(captured) == 3 * 5
    assert captured[1] == b"garbage"
    assert captured[4] is fault
    readings = meter.decode(captured)
    assert [reading.channel for reading in readings] == [c.id for c in meter.channels]
    assert [reading.status for reading in readings[:3]] == [Status.ERROR, Status.ERROR, Status.OK]
    assert readings[1].t0_ns - readings[0].t0_ns == looks
    assert readings[0].t1_ns - readings[0].t0_ns == looks - emulated.clock.step_ns


def test_what_was_captured_is_decoded_after_closing_too(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "xeon2s"))
    captured = meter.capture()
    meter.close()
    assert all(reading.status is Status.OK for reading in meter.decode(captured))


def test_the_doctests_of_its_parts_hold() -> None:
    for part in (_rapl, _rapl_zones):
        found = doctest.testmod(part)
        assert found.attempted >= 1
        assert found.failed == 0


def test_a_platform_counter_in_steps_of_a_joule_is_watched_longer(tmp_path: Path) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "psys", 10**9, 5)])
    channel = opened(emulated).channels[0]
    assert channel.resolution == pytest.approx(1.0, rel=1e-5)
    assert channel.update_interval_s == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", "found nothing"),
        (b"N/A\n", r"found 'N/A\n'"),
        (b"12345", "found '12345'"),
        (b"-5\n", r"found '-5\n'"),
        (b"1\n2\n", r"found '1\n2\n'"),
        (b"\xff\n", r"found '\xff\n'"),
        (b"262143328851\n", "more than the counter can show"),
    ],
)
@pytest.mark.failure_mode(7, "powercap")
def test_a_text_that_is_no_energy_is_refused_and_shown(text: bytes, found: str) -> None:
    with pytest.raises(ValueError, match="found") as caught:
        energy_j(text, 262143328850)
    assert found.replace("\n", r"\n") in str(caught.value)


def test_microjoules_become_joules_once_at_the_border() -> None:
    assert energy_j(b"90000000\n", None) == 90.0


# Limits


@pytest.mark.parametrize(
    ("limits", "p_max"),
    [
        ({}, 750.0),
        ({0: 200.0}, 300.0),
        ({0: 200.0, 1: 240.0}, 360.0),
        ({0: 15.0}, 100.0),
        ({0: 0.0, 1: 4095.0}, 750.0),
        ({0: 150.0, 1: 4095.0}, 750.0),
    ],
)
def test_the_power_of_a_package_is_bounded_by_plausible_limits(
    tmp_path: Path, limits: dict[int, float], p_max: float
) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "package-0")])
    for constraint, watts in limits.items():
        emulated.set_limit("intel-rapl:0", watts, constraint)
    assert opened(emulated).channels[0].p_max_w == pytest.approx(p_max)


def test_domains_without_limits_have_bounds_of_their_own(tmp_path: Path) -> None:
    bounds = {
        channel.domain: channel.p_max_w for channel in opened(machine(tmp_path, "spr2s")).channels
    }
    assert bounds == {"package": 750.0, "dram": 200.0, "psys": 2000.0}


# Worth of the number


def test_intel_on_metal_is_measured_and_needs_no_note(tmp_path: Path) -> None:
    channel = opened(machine(tmp_path, "xeon2s")).channels[0]
    assert (channel.kind, channel.note) == (Kind.MEASURED, "")
    assert channel.range == (1.0, 1e9 / 2**14 / ESU14)


@pytest.mark.failure_mode(17, "powercap")
def test_amd_is_measured_with_a_note_and_its_core_zone_refused(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "zen"), AMD)
    assert meter.channels[0].kind is Kind.MEASURED
    assert "activity model" in meter.channels[0].note
    assert "counts one core" in refusals(meter)["intel-rapl:0:0"][1]


@pytest.mark.failure_mode(31, "powercap")
def test_a_guest_whose_counter_moves_once_a_second_is_an_estimate(tmp_path: Path) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "package-0")], VirtualClock(1_000_000))
    emulated.counts["intel-rapl:0"].hold_ns = 1_000_000_000
    channel = opened(emulated, GUEST).channels[0]
    assert channel.kind is Kind.ESTIMATED
    assert channel.range == (0.5, 2.0)
    assert channel.update_interval_s == pytest.approx(1.0, rel=0.01)
    assert "QEMU" in channel.note


def test_a_guest_that_sees_the_hardware_counter_is_told_whose_it_is(tmp_path: Path) -> None:
    channel = opened(machine(tmp_path, "mmio_only"), GUEST).channels[0]
    assert channel.kind is Kind.MEASURED
    assert "other guests" in channel.note


# Mirrored dies


@pytest.mark.failure_mode(13, "powercap")
def test_dies_that_mirror_one_counter_are_counted_once(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "zen1_4die"), AMD)
    assert [channel.id for channel in meter.channels] == ["cpu/0.0/package"]
    mirrors = [reason for _, reason in refusals(meter).values() if "mirrors" in reason]
    assert len(mirrors) == 3


def test_the_parts_of_a_mirrored_die_are_left_out_with_it(tmp_path: Path) -> None:
    meter = opened(machine(tmp_path, "zen1_4die"), INTEL)  # there, core is no refusal of AMD's
    assert [channel.id for channel in meter.channels] == ["cpu/0.0/package", "cpu/0.0/core"]


@pytest.mark.failure_mode(13, "powercap")
def test_mirrors_are_found_among_dies_of_packages_that_alternate(tmp_path: Path) -> None:
    zones = [
        Z("intel-rapl:0", "package-0-die-0"),
        Z("intel-rapl:1", "package-1-die-0"),
        Z("intel-rapl:2", "package-0-die-1", mirrors="intel-rapl:0"),
        Z("intel-rapl:3", "package-1-die-1", mirrors="intel-rapl:1"),
    ]
    meter = opened(Powercap(tmp_path, zones))
    assert [channel.id for channel in meter.channels] == ["cpu/0.0/package", "cpu/1.0/package"]


def test_dies_with_equal_power_and_other_counts_are_no_mirrors(tmp_path: Path) -> None:
    zones = [Z("intel-rapl:0", "package-0-die-0"), Z("intel-rapl:1", "package-0-die-1")]
    assert len(opened(Powercap(tmp_path, zones)).channels) == 2


def test_dies_with_equal_counts_and_other_power_are_no_mirrors(tmp_path: Path) -> None:
    zones = [
        Z("intel-rapl:0", "package-0-die-0", watts=10),
        Z("intel-rapl:1", "package-0-die-1", watts=5),
    ]
    emulated = Powercap(tmp_path, zones)
    emulated.counts["intel-rapl:1"].start = emulated.counts["intel-rapl:0"].start
    assert len(opened(emulated).channels) == 2


def test_dies_that_cannot_be_compared_are_all_left_out(tmp_path: Path) -> None:
    zones = [Z("intel-rapl:0", "package-0-die-0"), Z("intel-rapl:1", "package-0-die-1")]
    emulated = Powercap(tmp_path, [*zones, Z("intel-rapl:2", "psys")])
    seen: list[str] = []
    plain = emulated.read

    def read(where: str) -> bytes:
        seen.append(where)
        if where == "intel-rapl:1" and "intel-rapl:2" in seen:  # proved, and then lost
            raise OSError(errno.EINVAL, "Invalid argument")
        return plain(where)

    emulated.read = read  # type: ignore[method-assign]
    meter = opened(emulated)
    assert [channel.id for channel in meter.channels] == ["board/psys"]
    assert {status for status, _ in refusals(meter).values()} == {Status.ERROR}


# Errors


@pytest.mark.failure_mode(2, "powercap")
def test_a_counter_for_root_only_names_the_fix_and_the_side_channel(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "zen")
    denied = PermissionError(errno.EACCES, "Permission denied")
    emulated.open_faults = {"intel-rapl:0": denied, "intel-rapl:0:0": denied}
    with pytest.raises(MeterUnavailable) as caught:
        opened(emulated)
    assert caught.value.status is Status.PERMISSION
    assert caught.value.absent.reason == (
        "intel-rapl:0 (package-0): its energy counter may be read by root only"
    )
    assert "CVE-2020-8694" in caught.value.absent.fix
    assert "chgrp rapl /sys%p/energy_uj" in caught.value.absent.fix
    assert "0777" not in caught.value.absent.fix


def test_the_reason_of_a_refused_permission_comes_before_other_reasons(tmp_path: Path) -> None:
    emulated = Powercap(
        tmp_path, [Z("intel-rapl:0", "package-0", watts=0), Z("intel-rapl:1", "psys")]
    )
    emulated.open_faults["intel-rapl:1"] = PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(MeterUnavailable) as caught:
        opened(emulated)
    assert caught.value.status is Status.PERMISSION


FAULTS = [
    (OSError(errno.EINVAL, "Invalid argument"), Status.ERROR),
    (OSError(errno.EIO, "Input/output error"), Status.ERROR),
    (OSError(errno.ENODATA, "No data available"), Status.ERROR),
    (OSError(errno.ENODEV, "No such device"), Status.LOST),
    (FileNotFoundError(errno.ENOENT, "No such file or directory"), Status.LOST),
    (PermissionError(errno.EACCES, "Permission denied"), Status.PERMISSION),
    (b"", Status.ERROR),
    (b"N/A\n", Status.ERROR),
    (b"18446744073709551615\n", Status.ERROR),
]


@pytest.mark.parametrize(("fault", "status"), FAULTS)
@pytest.mark.failure_mode(2, "powercap")
@pytest.mark.failure_mode(5, "powercap")
@pytest.mark.failure_mode(6, "powercap")
@pytest.mark.failure_mode(7, "powercap")
@pytest.mark.failure_mode(29, "powercap")
def test_a_zone_that_fails_when_opened_is_left_out_and_others_go_on(
    tmp_path: Path, fault: OSError | bytes, status: Status
) -> None:
    emulated = machine(tmp_path, "xeon2s")
    emulated.read_faults["intel-rapl:1"] = fault
    meter = opened(emulated)
    assert [c.id for c in meter.channels] == ["cpu/0/package", "cpu/0/dram", "cpu/1/dram"]
    assert refusals(meter)["intel-rapl:1"][0] is status
    boundaries = [channel.boundary for channel in meter.channels]
    assert boundaries == ["cpu-package of cpu/0 only", "dram", "dram"]
    meter.close()


@pytest.mark.parametrize(("fault", "status"), FAULTS)
@pytest.mark.failure_mode(5, "powercap")
@pytest.mark.failure_mode(7, "powercap")
@pytest.mark.failure_mode(18, "powercap")
@pytest.mark.failure_mode(29, "powercap")
def test_a_zone_that_fails_while_read_has_no_joules_and_others_go_on(
    tmp_path: Path, fault: OSError | bytes, status: Status
) -> None:
    emulated = machine(tmp_path, "zen")
    meter = opened(emulated)
    emulated.read_faults["intel-rapl:0"] = fault
    package, core = meter.read()
    assert (package.value, package.status) == (None, status)
    assert package.reason.startswith("intel-rapl:0 (package-0): ")
    assert core.value is not None
    energies, _, _ = window(meter, emulated.clock, 1.0)
    assert energies["cpu/0/package"].joules is None
    assert energies["cpu/0/package"].status is status
    assert joules(energies["cpu/0/core"]) > 0
    meter.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_a_meter_twice_gives_each_descriptor_back_once(tmp_path: Path) -> None:
    held = descriptors()
    emulated = machine(tmp_path, "client")
    meter = opened(emulated)
    assert descriptors() == held + 5
    meter.close()
    meter.close()
    assert descriptors() == held
    assert len(meter.channels) == 5
    assert meter.read() == ()


def test_an_interrupted_opening_gives_its_descriptors_back(tmp_path: Path) -> None:
    emulated = machine(tmp_path, "xeon2s")
    held = descriptors()
    plain = emulated.opener

    def interrupted(path: str, flags: int) -> int:
        if "intel-rapl:1" in path:
            raise KeyboardInterrupt
        return plain(path, flags)

    emulated.opener = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        opened(emulated)
    assert descriptors() == held


# Nothing there


def unavailable(root: Path, cpu: Cpu = INTEL) -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        PowercapMeter(root, cpu=cpu)
    assert caught.value.status is Status.UNAVAILABLE
    return caught.value


@pytest.mark.failure_mode(1, "powercap")
def test_a_root_that_does_not_exist_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable, match="set JOULES_SYSFS_ROOT"):
        powercap.open_meter({"JOULES_SYSFS_ROOT": str(tmp_path / "none")})


@pytest.mark.failure_mode(1, "powercap")
def test_a_machine_without_the_class_is_told_the_module(tmp_path: Path) -> None:
    assert "modprobe intel_rapl_msr" in unavailable(tmp_path).absent.fix


@pytest.mark.failure_mode(1, "powercap")
def test_a_virtual_machine_is_told_that_rapl_is_not_passed(tmp_path: Path) -> None:
    absent = unavailable(tmp_path, GUEST).absent
    assert "this is a virtual machine" in absent.reason
    assert "do not pass RAPL through" in absent.fix


def empty_the_devices(emulated: Powercap) -> None:
    """As containerd masks them: the directory is there and empty, and the links dangle."""
    (emulated.root / "devices" / "virtual" / "powercap").rename(emulated.root / "masked")
    (emulated.root / "devices" / "virtual" / "powercap").mkdir()


def empty_the_class_too(emulated: Powercap) -> None:
    empty_the_devices(emulated)
    for link in emulated.powercap.iterdir():
        link.unlink()


def test_a_zone_whose_name_is_unreadable_is_refused_with_that_reason(tmp_path: Path) -> None:
    emulated = Powercap(tmp_path, [Z("intel-rapl:0", "package-0")])
    (emulated.path("intel-rapl:0") / "name").write_bytes(b"\xff\n")
    with pytest.raises(MeterUnavailable) as caught:
        opened(emulated)
    assert caught.value.status is Status.ERROR
    assert caught.value.absent.reason.startswith("intel-rapl:0: ")


@pytest.mark.parametrize("mask", [empty_the_devices, empty_the_class_too])
@pytest.mark.failure_mode(4, "powercap")
def test_a_container_that_hides_the_zones_is_told_its_mounts(
    tmp_path: Path, mask: Callable[[Powercap], None]
) -> None:
    emulated = machine(tmp_path, "xeon2s")
    mask(emulated)
    absent = unavailable(tmp_path, GUEST).absent
    assert "a container hides them" in absent.reason
    assert "-v /sys/devices/virtual/powercap:/host/devices/virtual/powercap:ro" in absent.fix
    assert "JOULES_SYSFS_ROOT=/host" in absent.fix


@pytest.mark.failure_mode(11, "powercap")
def test_real_files_that_never_change_are_stale_counters(tmp_path: Path) -> None:
    machine(tmp_path, "zen")  # its files do not move by themselves
    with pytest.raises(MeterUnavailable) as caught:
        PowercapMeter(tmp_path, clock=VirtualClock(1_000_000), cpu=INTEL)
    assert caught.value.status is Status.STALE
    assert "its counter stood still for 0.25 s" in caught.value.absent.reason
    assert caught.value.absent.fix


# The property that matters


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    emulated = Powercap(tmp_path_factory.mktemp("sys"), [Z("intel-rapl:0", "package-0", ESU16)])
    emulated.set_limit("intel-rapl:0", 240.0)
    return emulated.root


P_MAX = 360.0


@pytest.mark.no_cover  # other tests cover it: tracing doubles 300 windows
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    hold_ns=st.sampled_from([1_000_000, 100_000_000]),
    phase=st.floats(0, 1),
    watts=st.lists(st.floats(0.5, P_MAX), min_size=1, max_size=5),
    at_s=st.lists(st.floats(0.01, 8.0), min_size=4, max_size=4, unique=True),
    to_wrap_j=st.floats(0, 4000),
    wait_s=st.floats(0, 0.5),
    seconds=st.floats(0.1, 6),
)
def test_the_true_energy_of_any_window_lies_inside_its_interval(  # noqa: PLR0917 - drawn
    tree: Path,
    hold_ns: int,
    phase: float,
    watts: list[float],
    at_s: list[float],
    to_wrap_j: float,
    wait_s: float,
    seconds: float,
) -> None:
    steps = tuple(zip([0.0, *sorted(at_s)], watts, strict=False))
    trace = PowerTrace(steps)
    emulated = Powercap.__new__(Powercap)
    emulated.root, emulated.clock = tree, VirtualClock(150_000)
    start = COUNTS - 1 - int(to_wrap_j * 1e9 / ESU16)
    count = Count(trace, ESU16, hold_ns, int(phase * hold_ns), start)
    emulated.counts, emulated._zone_of = {"intel-rapl:0": count}, {}
    emulated.open_faults, emulated.read_faults = {}, {}
    meter = opened(emulated)
    emulated.clock.pass_s(wait_s)
    energies, t0, t1 = window(meter, emulated.clock, seconds)
    energy = energies["cpu/0/package"]
    meter.close()
    if energy.joules is None:
        assert energy.status is Status.TOO_SHORT
        assert t1 - t0 <= 2.1 * hold_ns / 1e9
        return
    assert energy.joules > 0
    assert holds(energy, trace.energy(t0, t1))


def test_the_emulator_itself_integrates_its_power_exactly(tmp_path: Path) -> None:
    count = Count(steady(100), ESU14, start=0)
    assert count.at(1_000_000_000) == int(100 * 1e9 / ESU14)
    assert count.at(1_000_999_999) == count.at(1_000_000_000)
