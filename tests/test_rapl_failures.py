"""How RAPL fails by each of its three routes, and what is said of it: shared/counters.md §8.

In each case the status is that of the table, the energy is absent or right, and the message names
the cause and what to do.
"""

import errno
import inspect
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from emulated_perf import PerfMachine
from emulators import (
    COUNTS,
    LAYOUTS,
    Count,
    FakePyrapl,
    Powercap,
    VirtualClock,
    Z,
    holds,
    joules,
    window,
)

from bench.cover import cover, total
from bench.instruments import Instruments
from bench.meter import Meter, MeterUnavailable, Reading, Status
from bench.meters import perf, powercap, pyrapl
from bench.meters._cpu import Cpu
from bench.meters.perf import PerfMeter
from bench.meters.powercap import PowercapMeter
from bench.meters.pyrapl import PyraplMeter
from bench.quantities import Kind, Quantity
from bench.source import Source
from bench.window import ChannelEnergy, channel_energy

INTEL = Cpu("GenuineIntel")
GUEST = Cpu("GenuineIntel", virtual=True)
WATTS = {"cpu/0/package": 100.0, "cpu/0/dram": 10.0, "cpu/1/package": 90.0, "cpu/1/dram": 8.0}
PACKAGE = "cpu/0/package"
LOST = OSError(errno.ENODEV, "No such device")
REFUSED = OSError(errno.EINVAL, "Invalid argument")


@dataclass
class Rig:
    """Two sockets read by one route: powers as in `WATTS`, registers and faults by channel."""

    name: str
    clock: VirtualClock
    counts: Mapping[str, Count]
    fault: Callable[[str, OSError | bytes | None], None]
    make: Callable[[Cpu], Meter]
    denied: Callable[[], None]
    garbage: bytes

    def open(self, cpu: Cpu = INTEL) -> Meter:
        return self.make(cpu)

    def refused(self, cpu: Cpu = INTEL) -> MeterUnavailable:
        with pytest.raises(MeterUnavailable) as caught:
            self.open(cpu)
        return caught.value

    def watts(self, channel: str, watts: float) -> None:
        """Another power from now on, which starts where the old one has come to."""
        count, now_s = self.counts[channel], self.clock.now_ns / 1e9
        before = count.power

        class Changed:
            def energy(self, t0_s: float, t1_s: float, /) -> float:
                early = before.energy(min(t0_s, now_s), min(t1_s, now_s))
                return early + watts * (max(t1_s, now_s) - max(t0_s, now_s))

        count.power = Changed()


ZONES = {
    "cpu/0/package": "intel-rapl:0",
    "cpu/0/dram": "intel-rapl:0:0",
    "cpu/1/package": "intel-rapl:1",
    "cpu/1/dram": "intel-rapl:1:0",
}
EVENTS = {
    "cpu/0/package": ("pkg", 0),
    "cpu/0/dram": ("ram", 0),
    "cpu/1/package": ("pkg", 32),
    "cpu/1/dram": ("ram", 32),
}


def powercap_rig(root: Path) -> Rig:
    machine = Powercap(root, LAYOUTS["xeon2s"])
    return Rig(
        "powercap",
        machine.clock,
        {channel: machine.counts[zone] for channel, zone in ZONES.items()},
        lambda channel, fault: _set(machine.read_faults, ZONES[channel], fault),
        lambda cpu: PowercapMeter(
            machine.root, clock=machine.clock, opener=machine.opener, pread=machine.pread, cpu=cpu
        ),
        lambda: machine.open_faults.update(
            dict.fromkeys(ZONES.values(), PermissionError(errno.EACCES, "Permission denied"))
        ),
        b"N/A\n",
    )


def perf_rig(root: Path) -> Rig:
    packages = {0: {"pkg": 100.0, "ram": 10.0}, 32: {"pkg": 90.0, "ram": 8.0}}
    machine = PerfMachine(root, packages)
    return Rig(
        "perf",
        machine.clock,
        {channel: machine.registers[event].count for channel, event in EVENTS.items()},
        lambda channel, fault: _set(machine.read_faults, EVENTS[channel], fault),
        lambda cpu: PerfMeter(
            machine.root,
            clock=machine.clock,
            perf_event_open=machine.perf_event_open,
            read=machine.read,
            cpu=cpu,
            paranoid=machine.paranoid,
        ),
        lambda: machine.open_faults.update(
            dict.fromkeys(("pkg", "ram"), PermissionError(errno.EACCES, "Permission denied"))
        ),
        b"\x01\x02\x03",
    )


def pyrapl_rig(root: Path) -> Rig:
    machine = Powercap(root, LAYOUTS["xeon2s"])
    library = FakePyrapl(machine, list(ZONES.values()))

    def deny() -> None:
        library.refuses = PermissionError(errno.EACCES, "Permission denied")

    return Rig(
        "pyrapl",
        machine.clock,
        {channel: machine.counts[zone] for channel, zone in ZONES.items()},
        lambda channel, fault: _set(machine.read_faults, ZONES[channel], fault),
        lambda cpu: PyraplMeter(library, root=machine.root, clock=machine.clock, cpu=cpu),
        deny,
        b"N/A\n",
    )


def _set(faults: dict[Any, OSError | bytes], key: object, fault: OSError | bytes | None) -> None:
    faults.pop(key, None)
    if fault is not None:
        faults[key] = fault


RIGS = {"powercap": powercap_rig, "perf": perf_rig, "pyrapl": pyrapl_rig}


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return RIGS[request.param](tmp_path)


def by_each_route(*rows: int) -> pytest.MarkDecorator:
    """The test is one of these rows for each meter."""
    params = [
        pytest.param(name, marks=[pytest.mark.failure_mode(row, name) for row in rows], id=name)
        for name in RIGS
    ]
    return pytest.mark.parametrize("rig", params, indirect=True)


def energy_of(meter: Meter, readings: list[Reading], channel: str = PACKAGE) -> ChannelEnergy:
    """The energy of a channel between its first reading and its last."""
    own = [reading for reading in readings if reading.channel == channel]
    (known,) = [each for each in meter.channels if each.id == channel]
    return channel_energy(known, own, own[0].t1_ns, own[-1].t0_ns)


def truth(readings: list[Reading], watts: float) -> float:
    own = [reading for reading in readings if reading.channel == PACKAGE]
    return watts * (own[-1].t0_ns - own[0].t1_ns) / 1e9


def width(energy: ChannelEnergy) -> float:
    assert energy.low is not None
    assert energy.high is not None
    return energy.high - energy.low


# Rows that all three have


@by_each_route(2)
def test_counters_that_only_root_may_read_name_the_fix_and_the_caution(rig: Rig) -> None:
    rig.denied()
    error = rig.refused()
    assert error.status is Status.PERMISSION
    assert error.absent.reason
    assert "PLATYPUS" in error.absent.fix
    assert "sudo" in error.absent.fix
    assert not any(
        wrong in error.absent.fix for wrong in ("chmod 0777", "chmod 0444", "paranoid=-1")
    )


@by_each_route(5)
def test_a_read_that_fails_in_a_window_is_dropped_and_the_energy_is_right(rig: Rig) -> None:
    meter = rig.open()
    readings = [*meter.read()]
    rig.clock.pass_s(0.5)
    rig.fault(PACKAGE, REFUSED)
    failed = meter.read()
    readings += failed
    rig.fault(PACKAGE, None)
    rig.clock.pass_s(0.5)
    readings += meter.read()
    energy = energy_of(meter, readings)
    assert {reading.status for reading in failed if reading.channel == PACKAGE} == {Status.ERROR}
    assert energy.status is Status.OK
    assert holds(energy, truth(readings, 100))


@by_each_route(5, 6)
@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO, errno.ENODATA, errno.EREMOTEIO])
def test_a_driver_that_fails_at_the_end_of_a_window_leaves_it_without_energy(
    rig: Rig, code: int
) -> None:
    meter = rig.open()
    readings = [*meter.read()]
    rig.clock.pass_s(1)
    rig.fault(PACKAGE, OSError(code, "it cannot"))
    readings += meter.read()
    energy = energy_of(meter, readings)
    assert (energy.joules, energy.status) == (None, Status.ERROR)
    assert "the driver could not read the counter (it cannot); see dmesg" in energy.reason


@by_each_route(6)
def test_a_channel_that_gives_no_data_when_opened_is_skipped_and_named(rig: Rig) -> None:
    rig.fault("cpu/1/dram", OSError(errno.ENODATA, "No data available"))
    if rig.name == "pyrapl":  # which reads all or nothing
        assert rig.refused().status is Status.ERROR
        return
    meter = rig.open()
    assert [channel.id for channel in meter.channels] == list(WATTS)[:3]
    assert meter.unusable[0].status is Status.ERROR
    assert "No data available" in meter.unusable[0].reason


@by_each_route(7)
def test_what_is_no_number_is_an_error_and_is_shown(rig: Rig) -> None:
    meter = rig.open()
    rig.fault(PACKAGE, rig.garbage)
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "found" in reading.reason or "could not convert" in reading.reason


@pytest.mark.failure_mode(7, "powercap")
@pytest.mark.failure_mode(7, "pyrapl")
@pytest.mark.parametrize("name", ["powercap", "pyrapl"])
def test_a_number_that_the_counter_cannot_show_is_an_error(tmp_path: Path, name: str) -> None:
    rig = RIGS[name](tmp_path)
    meter = rig.open()
    rig.fault(PACKAGE, b"18446744073709551615\n")
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "the counter can" in reading.reason


@by_each_route(8)
def test_a_wrap_inside_a_window_gives_the_true_energy(rig: Rig) -> None:
    meter = rig.open()
    count = rig.counts[PACKAGE]
    count.start += COUNTS - count.at(rig.clock.now_ns) - 1  # one step before the wrap
    energies, t0, t1 = window(meter, rig.clock, 1.0)
    energy = energies[PACKAGE]
    # what perf counts has no wrap of its own: the kernel takes it away
    assert energy.status is (Status.OK if rig.name == "perf" else Status.WRAPPED)
    assert energy.joules == pytest.approx(100 * (t1 - t0), abs=0.2)
    assert holds(energy, 100 * (t1 - t0))


@by_each_route(9)
def test_an_hour_without_a_reading_is_ambiguous_and_no_energy(rig: Rig) -> None:
    meter = rig.open()
    energy = window(meter, rig.clock, 3600)[0][PACKAGE]
    assert (energy.joules, energy.status) == (None, Status.INVALID)
    assert "read it more often" in energy.reason


@by_each_route(9)
def test_readings_as_often_as_the_channel_asks_count_every_wrap(rig: Rig) -> None:
    meter = rig.open()
    rig.watts(PACKAGE, 740)  # which wraps every six minutes
    (channel,) = [each for each in meter.channels if each.id == PACKAGE]
    assert channel.poll_s is not None
    energies, t0, t1 = window(meter, rig.clock, 3600, every_s=channel.poll_s)
    assert energies[PACKAGE].status is (Status.OK if rig.name == "perf" else Status.WRAPPED)
    assert holds(energies[PACKAGE], 740 * (t1 - t0))
    assert joules(energies[PACKAGE]) == pytest.approx(740 * (t1 - t0), rel=1e-5)


@by_each_route(10)
def test_a_register_that_a_suspend_has_cleared_is_a_reset_and_no_wrap(rig: Rig) -> None:
    meter = rig.open()
    readings = [*meter.read()]
    rig.clock.pass_s(1)
    count = rig.counts[PACKAGE]
    count.start -= count.at(rig.clock.now_ns)
    readings += meter.read()
    energy = energy_of(meter, readings)
    assert (energy.joules, energy.status) == (None, Status.RESET)
    assert "was the driver reloaded, or the machine suspended?" in energy.reason


@by_each_route(11)
def test_a_counter_that_stands_still_beside_one_that_moves_is_stale_and_no_zero(rig: Rig) -> None:
    meter = rig.open()
    rig.watts(PACKAGE, 0)
    rig.clock.pass_s(0.01)
    energies, t0, t1 = window(meter, rig.clock, 1.0)
    assert (energies[PACKAGE].joules, energies[PACKAGE].status) == (None, Status.STALE)
    assert "is the driver alive?" in energies[PACKAGE].reason
    assert holds(energies["cpu/1/package"], 90 * (t1 - t0))


@by_each_route(11, 16)
def test_a_counter_that_never_moves_is_left_out_and_its_sum_says_what_is_in_it(rig: Rig) -> None:
    rig.watts("cpu/1/package", 0)
    meter = rig.open()
    assert "cpu/1/package" not in [channel.id for channel in meter.channels]
    expected = Status.NOT_SUPPORTED if rig.name == "perf" else Status.STALE  # perf counts from 0
    assert [found.status for found in meter.unusable] == [expected]
    boundaries = {channel.id: channel.boundary for channel in meter.channels}
    assert boundaries[PACKAGE] == "cpu-package of cpu/0 only"
    assert boundaries["cpu/1/dram"] == "dram"


@by_each_route(16)
def test_a_counter_that_shows_exactly_zero_stands_for_nothing(rig: Rig) -> None:
    rig.watts("cpu/0/dram", 0)
    rig.counts["cpu/0/dram"].start = 0
    meter = rig.open()
    (found,) = meter.unusable
    assert found.status is Status.NOT_SUPPORTED
    assert "exactly 0 J" in found.reason
    assert found.fix


@by_each_route(12)
def test_a_counter_that_holds_longer_than_when_it_was_probed_has_a_wider_bound(rig: Rig) -> None:
    meter = rig.open()
    before = window(meter, rig.clock, 0.5, every_s=0.001)[0][PACKAGE]
    rig.counts[PACKAGE].hold_ns = 8_000_000
    energies, t0, t1 = window(meter, rig.clock, 0.5, every_s=0.001)
    energy = energies[PACKAGE]
    assert energy.status is Status.HELD
    assert holds(energy, 100 * (t1 - t0))
    assert width(energy) > width(before)


@by_each_route(18, 29)
def test_a_zone_that_is_unplugged_is_lost_and_keeps_what_went_before(rig: Rig) -> None:
    meter = rig.open()
    first, t0, t1 = window(meter, rig.clock, 1.0)
    rig.fault(PACKAGE, LOST)
    second, _, _ = window(meter, rig.clock, 1.0)
    assert holds(first[PACKAGE], 100 * (t1 - t0))
    assert (second[PACKAGE].joules, second[PACKAGE].status) == (None, Status.LOST)
    assert "was the module unloaded, the CPU offlined" in second[PACKAGE].reason
    if rig.name != "pyrapl":  # which reads all or nothing
        assert joules(second["cpu/1/package"]) == pytest.approx(90, rel=1e-2)


@by_each_route(24)
def test_a_step_of_the_wall_clock_is_not_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def wall() -> int:
        raise AssertionError("somebody looked at the wall clock, which an administrator may set")

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", wall)
        patch.setattr(time, "time_ns", wall)
        meter = rig.open()
        energies, t0, t1 = window(meter, rig.clock, 1.0)
    assert holds(energies[PACKAGE], 100 * (t1 - t0))
    parameters = inspect.signature(type(meter)).parameters
    assert parameters["clock"].default is time.monotonic_ns


@by_each_route(26)
def test_a_window_shorter_than_a_refresh_is_too_short_and_names_the_length(rig: Rig) -> None:
    meter = rig.open()
    rig.counts[PACKAGE].phase_ns = -rig.clock.now_ns  # it has just ticked
    energy = window(meter, rig.clock, 0.0002)[0][PACKAGE]
    assert (energy.joules, energy.status) == (None, Status.TOO_SHORT)
    assert "give it at least 0.5 s" in energy.reason


@by_each_route(31)
def test_what_a_hypervisor_shares_out_is_an_estimate_and_never_measured(rig: Rig) -> None:
    rig.clock.step_ns = 1_000_000
    for count in rig.counts.values():
        count.hold_ns = 1_000_000_000
    meter = rig.open(GUEST)
    for channel in meter.channels:
        assert channel.kind is Kind.ESTIMATED
        assert channel.range == (0.5, 2.0)
        assert "QEMU" in channel.note
    assert cover(meter.channels, "cpu") == ()


# Rows that two of them have


@pytest.mark.failure_mode(14, "perf")
@pytest.mark.failure_mode(14, "pyrapl")
@pytest.mark.failure_mode(14, "powercap")
def test_three_routes_to_one_counter_are_all_shown_and_one_is_summed(tmp_path: Path) -> None:
    first = powercap_rig(tmp_path / "a")
    second, third = perf_rig(tmp_path / "b"), pyrapl_rig(tmp_path / "c")
    instruments = Instruments((first.open(), second.open(), third.open()))
    ids = [channel.id for channel in instruments.channels]
    assert ids[:4] == list(WATTS)
    assert ids[4:8] == [f"{id_}#perf" for id_ in WATTS]
    assert ids[8:] == [f"{id_}#pyrapl" for id_ in WATTS]
    assert [channel.id for channel in instruments.summed] == list(WATTS)
    assert powercap.PRECEDENCE < perf.PRECEDENCE < pyrapl.PRECEDENCE
    instruments.close()


@by_each_route(15)
def test_a_sum_holds_no_part_twice(rig: Rig) -> None:
    meter = rig.open()
    energies, t0, t1 = window(meter, rig.clock, 1.0)
    whole = total(energies.values(), cover(meter.channels, "cpu"))
    assert isinstance(whole, Quantity)
    assert whole.low <= sum(WATTS.values()) * (t1 - t0) <= whole.high


@pytest.mark.failure_mode(1, "powercap")
@pytest.mark.failure_mode(1, "perf")
@pytest.mark.parametrize("module", [powercap, perf])
@pytest.mark.parametrize("tree", ["none", "empty"])
def test_a_machine_without_any_source_says_so_and_what_to_do(
    tmp_path: Path, module: object, tree: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MeterUnavailable) as caught:
        module.open_meter({"JOULES_SYSFS_ROOT": str(tmp_path / tree)})  # type: ignore[attr-defined]
    assert caught.value.status is Status.UNAVAILABLE
    assert str(tmp_path / tree) in caught.value.absent.reason
    assert caught.value.absent.fix


# Rows of powercap


@pytest.mark.failure_mode(6, "powercap")
def test_power_limits_that_cannot_be_read_are_skipped(tmp_path: Path) -> None:
    machine = Powercap(tmp_path, [Z("intel-rapl:0", "package-0")])
    machine.set_limit("intel-rapl:0", 200)
    (machine.path("intel-rapl:0") / "constraint_1_max_power_uw").mkdir()  # reading it fails
    (machine.path("intel-rapl:0") / "constraint_2_power_limit_uw").write_text("N/A\n")
    meter = PowercapMeter(
        machine.root, clock=machine.clock, opener=machine.opener, pread=machine.pread, cpu=INTEL
    )
    assert meter.channels[0].p_max_w == pytest.approx(300)


@pytest.mark.failure_mode(17, "powercap")
@pytest.mark.failure_mode(17, "pyrapl")
def test_a_driver_that_does_not_tell_its_range_counts_without_a_modulus(tmp_path: Path) -> None:
    machine = Powercap(tmp_path, LAYOUTS["xeon2s"])
    for zone in ZONES.values():
        (machine.path(zone) / "max_energy_range_uj").write_text("0\n")
    meters: list[Meter] = [
        PowercapMeter(
            machine.root, clock=machine.clock, opener=machine.opener, pread=machine.pread, cpu=INTEL
        ),
        PyraplMeter(
            FakePyrapl(machine, list(ZONES.values())),
            root=machine.root,
            clock=machine.clock,
            cpu=INTEL,
        ),
    ]
    for meter in meters:
        assert {(channel.wrap, channel.poll_s) for channel in meter.channels} == {(None, None)}
        energies, t0, t1 = window(meter, machine.clock, 1.0)
        assert holds(energies[PACKAGE], 100 * (t1 - t0))
        count = machine.counts["intel-rapl:0"]
        count.start += COUNTS - count.at(machine.clock.now_ns) - 1
        energy = window(meter, machine.clock, 1.0)[0][PACKAGE]
        assert (energy.joules, energy.status) == (None, Status.RESET)  # a wrap is not known


# Rows of pyRAPL


@pytest.mark.failure_mode(22, "pyrapl")
def test_a_library_that_hangs_times_out_and_the_window_has_no_energy(tmp_path: Path) -> None:
    rig = pyrapl_rig(tmp_path)
    meter = rig.open()
    assert not getattr(meter, "prompt", False)  # so it is read in a thread with a time limit
    release = threading.Event()
    ids = {channel.id: channel.id for channel in meter.channels}
    source = Source(meter, ids, rig.clock, deadline_s=0.01)
    plain = meter._sensor.energy  # type: ignore[attr-defined]

    def hangs() -> list[float]:
        release.wait()
        found: list[float] = plain()
        return found

    before = source.read()
    meter._sensor.energy = hangs  # type: ignore[attr-defined]
    after = source.read()
    release.set()
    source.close()
    assert {reading.status for reading in after} == {Status.TIMEOUT}
    energy = energy_of(meter, [*before, *after])
    assert (energy.joules, energy.status) == (None, Status.TIMEOUT)
    assert "did not answer" in energy.reason
