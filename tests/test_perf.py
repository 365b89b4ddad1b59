"""RAPL through perf events: which events are opened and how, what they count, what they refuse."""

import doctest
import errno
import os
import platform
import struct
from pathlib import Path

import pytest
from emulated_perf import TYPE, Domains, PerfMachine
from emulators import Powercap, VirtualClock, Z, holds, joules, window

from bench.cover import cover, total
from bench.discover import plugins
from bench.meter import MeterUnavailable, Status
from bench.meters import _perf, perf
from bench.meters._cpu import Cpu
from bench.meters._perf import attributes, count, cpu_list, perf_event_open
from bench.meters.perf import PerfMeter
from bench.quantities import Kind, Quantity

INTEL, AMD = Cpu("GenuineIntel"), Cpu("AuthenticAMD")
CLIENT: Domains = {"pkg": 20, "cores": 12, "gpu": 2, "ram": 3, "psys": 31}
SERVER: Domains = {"pkg": 100, "ram": 10}


def opened(machine: PerfMachine, cpu: Cpu = INTEL) -> PerfMeter:
    return PerfMeter(
        machine.root,
        clock=machine.clock,
        perf_event_open=machine.perf_event_open,
        read=machine.read,
        cpu=cpu,
        paranoid=machine.paranoid,
    )


def refused(machine: PerfMachine, cpu: Cpu = INTEL) -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        opened(machine, cpu)
    return caught.value


def refusals(meter: PerfMeter) -> dict[str, tuple[Status, str]]:
    return {found.what: (found.status, found.reason) for found in meter.unusable}


# What is opened


def test_the_doctests_of_its_parts_hold() -> None:
    assert doctest.testmod(_perf).attempted >= 2
    assert doctest.testmod(_perf).failed == 0


def test_each_event_has_the_channel_that_powercap_gives_it(tmp_path: Path) -> None:
    meter = opened(PerfMachine(tmp_path, {0: CLIENT}))
    origins = {channel.id: channel.origin for channel in meter.channels}
    assert origins == {
        "cpu/0/package": "perf:energy-pkg:cpu0",
        "cpu/0/core": "perf:energy-cores:cpu0",
        "cpu/0/uncore": "perf:energy-gpu:cpu0",
        "cpu/0/dram": "perf:energy-ram:cpu0",
        "board/psys": "perf:energy-psys:cpu0",
    }
    boundaries = [channel.boundary for channel in meter.channels]
    assert boundaries == ["cpu-package", "cpu-core", "cpu-uncore", "dram", "platform"]
    assert {channel.kind for channel in meter.channels} == {Kind.MEASURED}
    meter.close()


def test_the_sum_takes_packages_and_dram_and_nothing_inside_or_around(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: CLIENT})
    meter = opened(machine)
    energies, t0, t1 = window(meter, machine.clock, 2.0)
    whole = total(energies.values(), cover(meter.channels, "cpu"))
    assert isinstance(whole, Quantity)
    assert whole.value == pytest.approx((20 + 3) * (t1 - t0), rel=2e-3)
    assert whole.low <= 23 * (t1 - t0) <= whole.high


def test_sockets_are_those_of_the_cpus_in_the_mask_and_not_their_order(tmp_path: Path) -> None:
    packages = {0: {"pkg": 100.0}, 32: {"pkg": 70.0}}
    machine = PerfMachine(tmp_path, packages, places={0: (1, 0), 32: (0, 0)})
    meter = opened(machine)
    energies, t0, t1 = window(meter, machine.clock, 1.0)
    assert holds(energies["cpu/1/package"], 100 * (t1 - t0))
    assert holds(energies["cpu/0/package"], 70 * (t1 - t0))


def test_dies_that_are_apart_have_the_ids_that_powercap_gives_them(tmp_path: Path) -> None:
    packages = {0: SERVER, 24: SERVER, 48: SERVER, 72: SERVER}
    places = {0: (0, 0), 24: (0, 1), 48: (1, 0), 72: (1, 1)}
    meter = opened(PerfMachine(tmp_path, packages, places=places))
    packages_found = [channel.id for channel in meter.channels if channel.domain == "package"]
    assert packages_found == [
        "cpu/0.0/package",
        "cpu/0.1/package",
        "cpu/1.0/package",
        "cpu/1.1/package",
    ]
    assert len(cover(meter.channels, "cpu")) == 8


@pytest.mark.failure_mode(13, "perf")
def test_dies_of_amd_share_one_counter_which_is_counted_once(tmp_path: Path) -> None:
    die = {"pkg": 120.0}
    places = {0: (0, 0), 8: (0, 1), 16: (1, 0), 24: (1, 1)}
    machine = PerfMachine(tmp_path, dict.fromkeys(places, die), esu=16, places=places)
    for cpu, first in ((8, 0), (24, 16)):
        machine.registers["pkg", cpu] = machine.registers["pkg", first]
    meter = opened(machine, AMD)
    assert [channel.id for channel in meter.channels] == ["cpu/0.0/package", "cpu/1.0/package"]
    status, reason = refusals(meter)["energy-pkg on CPU 8"]
    assert status is Status.NOT_SUPPORTED
    assert "energy-pkg on CPU 0 once more; a sum would double it" in reason
    energies, t0, t1 = window(meter, machine.clock, 1.0)
    whole = total(energies.values(), cover(meter.channels, "cpu"))
    assert isinstance(whole, Quantity)
    assert whole.low <= 240 * (t1 - t0) <= whole.high


def test_a_platform_counter_of_a_later_package_has_a_channel_of_its_own(tmp_path: Path) -> None:
    packages = {0: {"pkg": 50.0, "psys": 300.0}, 32: {"pkg": 50.0, "psys": 200.0}}
    meter = opened(PerfMachine(tmp_path, packages, esus={"psys": 0}))
    ids = [channel.id for channel in meter.channels]
    assert ids == ["cpu/0/package", "board/psys", "cpu/1/package", "board/psys-1"]


@pytest.mark.failure_mode(17, "perf")
def test_the_core_event_of_amd_counts_one_core_and_is_refused(tmp_path: Path) -> None:
    meter = opened(PerfMachine(tmp_path, {0: {"pkg": 65, "cores": 2}}, esu=16), AMD)
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]
    assert "activity model" in meter.channels[0].note
    status, reason = refusals(meter)["energy-cores on CPU 0"]
    assert status is Status.NOT_SUPPORTED
    assert "one core" in reason


# How it is opened


def test_the_attributes_are_laid_out_as_the_kernel_reads_them() -> None:
    attr = attributes(0x01020304, 0x05)
    assert len(attr) == 64  # PERF_ATTR_SIZE_VER0
    assert struct.unpack_from("=I", attr, 0) == (0x01020304,)  # type
    assert struct.unpack_from("=I", attr, 4) == (64,)  # size
    assert struct.unpack_from("=Q", attr, 8) == (5,)  # config
    assert not any(attr[16:])  # no sampling, no filter: RAPL refuses both


def test_each_event_is_opened_for_a_whole_cpu_and_all_processes(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: {"pkg": 20, "ram": 3}, 32: {"pkg": 20}})
    opened(machine)
    asked = [
        (*struct.unpack_from("=IIQ", attr), pid, cpu, group)
        for attr, pid, cpu, group, _ in machine.asked
    ]
    assert asked == [
        (TYPE, 64, 2, -1, 0, -1),
        (TYPE, 64, 3, -1, 0, -1),
        (TYPE, 64, 2, -1, 32, -1),
        (TYPE, 64, 3, -1, 32, -1),
    ]


def test_the_real_system_call_opens_and_counts() -> None:
    """A clock of this process, which needs no hardware: PERF_TYPE_SOFTWARE, cpu-clock."""
    try:
        fd = perf_event_open(attributes(1, 0), 0, -1, -1, 0)
    except OSError as error:
        pytest.skip(f"this kernel allows no event: {error}")
    try:
        first = count(os.read(fd, 8))
        sum(range(10_000))
        assert count(os.read(fd, 8)) > first >= 0
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


def test_the_real_system_call_gives_the_error_of_the_kernel() -> None:
    with pytest.raises(OSError, match=r"Errno") as caught:
        perf_event_open(b"\0" * 64, 0, -1, -1, 0)  # a struct without its size, of no event
    assert caught.value.errno not in {None, 0}


def test_a_machine_whose_system_calls_are_not_known_has_no_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(OSError, match="not known for riscv64") as caught:
        perf_event_open(attributes(1, 0), 0, -1, -1, 0)
    assert caught.value.errno == errno.ENOSYS
    machine = PerfMachine(tmp_path, {0: SERVER})
    machine.open_faults["pkg"] = machine.open_faults["ram"] = caught.value
    error = refused(machine)
    assert error.status is Status.UNAVAILABLE
    assert "perf_event_open" in error.absent.reason


# Number model


def test_counts_become_joules_by_the_scale_of_the_event(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: {"pkg": 20}})
    meter = opened(machine)
    machine.read_faults["pkg"] = struct.pack("=Q", 90 * 2**32)
    assert meter.read()[0].value == 90.0
    machine.read_faults["pkg"] = struct.pack("=q", -(2**32))  # the kernel's sum went below zero
    assert meter.read()[0].value == -1.0


@pytest.mark.parametrize(("esu", "step_j"), [(14, 2**-14), (16, 2**-16), (10, 2**-10), (0, 1.0)])
def test_the_resolution_is_that_of_the_register_and_not_of_the_count(
    tmp_path: Path, esu: int, step_j: float
) -> None:
    (channel,) = opened(PerfMachine(tmp_path, {0: {"psys": 137.0}}, esu=esu)).channels
    assert channel.resolution == step_j
    assert channel.wrap == step_j * 2**32


def test_the_dram_unit_of_older_servers_is_not_certain_and_its_range_says_so(
    tmp_path: Path,
) -> None:
    package, dram = opened(PerfMachine(tmp_path, {0: SERVER}, esus={"ram": 16})).channels
    assert package.range == (1.0, 1.0)
    assert dram.range[0] == 1.0
    assert dram.range[1] == pytest.approx(15.3e-6 * 2**16)
    assert "0.27 % more" in dram.note
    assert not package.note


def test_it_is_read_before_the_kernels_signed_difference_overflows(tmp_path: Path) -> None:
    for channel in opened(PerfMachine(tmp_path, {0: CLIENT})).channels:
        assert channel.poll_s is not None
        assert channel.poll_s * channel.p_max_w <= 2**31 * 2**-14 / 2


@pytest.mark.failure_mode(9, "perf")
def test_an_overflow_between_two_reads_gives_the_truth_or_nothing(tmp_path: Path) -> None:
    """At 400 W the kernel's own timer comes too late: its sum then goes back by a whole turn."""
    machine = PerfMachine(tmp_path, {0: {"pkg": 400}})
    meter = opened(machine)
    kept = lost = 0
    for seconds in range(20, 900, 20):
        energies, t0, t1 = window(meter, machine.clock, seconds)
        energy = energies["cpu/0/package"]
        if energy.joules is None:
            lost += 1
            assert energy.status is Status.INVALID
            assert "read it more often" in energy.reason
        else:
            kept += 1
            assert holds(energy, 400 * (t1 - t0))
    assert kept >= 10
    assert lost >= 10


def test_the_power_limit_is_read_from_powercap_where_its_energy_may_not_be(tmp_path: Path) -> None:
    zones = Powercap(
        tmp_path, [Z("intel-rapl:0", "package-0"), Z("intel-rapl-mmio:0", "package-0")]
    )
    zones.set_limit("intel-rapl:0", 200)
    zones.set_limit("intel-rapl-mmio:0", 900)
    (channel,) = opened(PerfMachine(tmp_path, {0: {"pkg": 20}})).channels
    assert channel.p_max_w == pytest.approx(300)


def test_capturing_looks_once_at_each_counter_and_decodes_nothing(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: CLIENT})
    meter = opened(machine)
    machine.read_faults["pkg"] = b"garbage"
    began = machine.clock.now_ns
    captured = meter.capture()
    looks = 2 * machine.clock.step_ns + machine.clock.step_ns // 2
    assert machine.clock.now_ns - began == 5 * looks
    assert captured[1] == b"garbage"
    assert len(captured) == 3 * 5
    assert meter.decode(captured)[0].status is Status.ERROR
    assert [reading.channel for reading in meter.decode(captured)] == [
        channel.id for channel in meter.channels
    ]


# Errors


@pytest.mark.failure_mode(2, "perf")
@pytest.mark.parametrize(
    ("level", "code", "reason", "fix"),
    [
        ("4", errno.EACCES, "says 4, and events of a whole CPU need 0 or less", "sysctl kernel."),
        ("2", errno.EPERM, "says 2", "setcap cap_perfmon=ep"),
        ("-1", errno.EPERM, "is -1 and would allow it, but something else", "--cap-add PERFMON"),
        ("0", errno.EACCES, "is 0 and would allow it", "--cap-add PERFMON"),
        ("rubbish", errno.EACCES, "says rubbish", "PLATYPUS"),
        (None, errno.EACCES, "says unreadable", "CVE-2020-8694"),
    ],
)
def test_a_refused_permission_names_the_setting_its_value_and_the_fix(
    tmp_path: Path, level: str | None, code: int, reason: str, fix: str
) -> None:
    machine = PerfMachine(tmp_path, {0: SERVER})
    machine.paranoid.unlink()
    if level is not None:
        machine.paranoid.write_text(f"{level}\n")
    machine.open_faults["pkg"] = PermissionError(code, "denied")
    machine.open_faults["ram"] = PermissionError(code, "denied")
    error = refused(machine)
    assert error.status is Status.PERMISSION
    assert "perf_event_paranoid" in error.absent.reason
    assert reason in error.absent.reason
    assert fix in error.absent.fix


@pytest.mark.failure_mode(17, "perf")
@pytest.mark.failure_mode(29, "perf")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        (errno.EINVAL, Status.NOT_SUPPORTED),
        (errno.EOPNOTSUPP, Status.NOT_SUPPORTED),
        (errno.ENOENT, Status.NOT_SUPPORTED),
        (errno.ENODEV, Status.LOST),
        (errno.EMFILE, Status.ERROR),
        (errno.EBUSY, Status.ERROR),
        (errno.EACCES, Status.PERMISSION),
    ],
)
def test_an_event_that_cannot_be_opened_is_left_out_and_others_go_on(
    tmp_path: Path, code: int, status: Status
) -> None:
    machine = PerfMachine(tmp_path, {0: SERVER, 32: SERVER})
    machine.open_faults["pkg", 32] = OSError(code, os.strerror(code))
    meter = opened(machine)
    assert [channel.id for channel in meter.channels] == [
        "cpu/0/package",
        "cpu/0/dram",
        "cpu/1/dram",
    ]
    assert refusals(meter)["energy-pkg on CPU 32"][0] is status
    assert meter.unusable[0].fix
    boundaries = [channel.boundary for channel in meter.channels]
    assert boundaries == ["cpu-package of cpu/0 only", "dram", "dram"]


@pytest.mark.failure_mode(29, "perf")
@pytest.mark.failure_mode(18, "perf")
def test_an_event_whose_package_went_offline_reads_nothing_and_is_lost(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: SERVER})
    meter = opened(machine)
    machine.read_faults["pkg"] = b""  # what a read of an event in the state of error gives
    package, dram = meter.read()
    assert (package.value, package.status) == (None, Status.LOST)
    assert package.reason.startswith("energy-pkg on CPU 0: ")
    assert "the CPU offlined" in package.reason
    assert dram.value is not None


def test_an_event_that_reads_garbage_when_opened_is_left_out(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: SERVER})
    machine.read_faults["ram"] = b"1234"
    meter = opened(machine)
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]
    assert refusals(meter)["energy-ram on CPU 0"] == (
        Status.ERROR,
        "found 4 bytes, wanted a count of 8",
    )


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_a_meter_twice_gives_each_descriptor_back_once(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: {**CLIENT, "gpu": 0}})
    held = descriptors()
    meter = opened(machine)
    assert descriptors() == held + 4  # the one that stands still is closed
    captured = meter.capture()
    meter.close()
    meter.close()
    assert descriptors() == held
    assert meter.read() == ()
    assert len(meter.decode(captured)) == 4


def test_an_interrupted_opening_gives_its_descriptors_back(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: SERVER})
    held = descriptors()
    plain = machine.perf_event_open

    def interrupted(attr: bytes, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        if len(machine.asked) == 1:
            raise KeyboardInterrupt
        return plain(attr, pid, cpu, group_fd, flags)

    machine.perf_event_open = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        opened(machine)
    assert descriptors() == held


# Nothing there, or nothing that makes sense


@pytest.mark.failure_mode(1, "perf")
@pytest.mark.parametrize(
    ("cpu", "reason", "fix"),
    [
        (INTEL, "the kernel offers no RAPL events", "sudo modprobe rapl"),
        (Cpu("GenuineIntel", virtual=True), "this is a virtual machine", "measure on bare metal"),
        (Cpu(), "in processors of Intel and AMD only", "use a meter of this board"),
    ],
)
def test_a_machine_without_the_pmu_is_told_why(
    tmp_path: Path, cpu: Cpu, reason: str, fix: str
) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        PerfMeter(tmp_path, cpu=cpu)
    assert caught.value.status is Status.UNAVAILABLE
    assert reason in caught.value.absent.reason
    assert fix in caught.value.absent.fix


def test_a_root_that_does_not_exist_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable, match="set JOULES_SYSFS_ROOT"):
        perf.open_meter({"JOULES_SYSFS_ROOT": str(tmp_path / "none")})


@pytest.mark.failure_mode(7, "perf")
@pytest.mark.parametrize(
    ("where", "text", "reason"),
    [
        ("type", "rubbish\n", "does not say what it is"),
        ("cpumask", "0-x\n", "wanted a list of CPUs such as 0,32"),
        ("cpumask", "0-999999999\n", "found CPU 999999999, and no kernel has more than 65535"),
        ("cpumask", "\n", "counts on no CPU"),
        ("events/energy-pkg.unit", "Watts\n", "found the unit 'Watts', wanted Joules"),
        ("events/energy-pkg.scale", "N/A\n", "makes no sense"),
        ("events/energy-pkg.scale", "-1\n", "wanted a part of one joule"),
        ("events/energy-pkg.scale", "nan\n", "wanted a part of one joule"),
        ("events/energy-pkg", "event=\n", "another text than event=0x02"),
        ("format/event", "config1:0-7\n", "another text than event=0x02"),
    ],
)
def test_a_pmu_that_makes_no_sense_is_refused_with_what_was_found(
    tmp_path: Path, where: str, text: str, reason: str
) -> None:
    machine = PerfMachine(tmp_path, {0: {"pkg": 20}})
    (machine.pmu / where).write_text(text)
    error = refused(machine)
    assert error.status in {Status.ERROR, Status.UNAVAILABLE}
    assert reason in error.absent.reason


def test_the_code_of_an_event_goes_where_the_format_says(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: {"pkg": 20}})
    (machine.pmu / "format" / "event").write_text("config:4-11\n")
    assert refused(machine).status is Status.NOT_SUPPORTED  # the emulator knows 0x02 only
    assert struct.unpack_from("=Q", machine.asked[0][0], 8) == (0x20,)


def test_an_event_of_an_unknown_name_is_left_out_and_named(tmp_path: Path) -> None:
    meter = opened(PerfMachine(tmp_path, {0: {"pkg": 20, "npu": 5}}))
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]
    assert refusals(meter)["energy-npu"][1] == "an event of that name is not known"


def test_a_pmu_without_any_energy_event_is_unavailable(tmp_path: Path) -> None:
    assert "the PMU has no energy event" in refused(PerfMachine(tmp_path, {0: {}})).absent.reason


@pytest.mark.parametrize("text", ["-1\n", "rubbish\n", None])
def test_a_cpu_of_no_known_socket_is_counted_for_none(tmp_path: Path, text: str | None) -> None:
    machine = PerfMachine(tmp_path, {0: {"pkg": 20}})
    path = machine.root / "devices/system/cpu/cpu0/topology/physical_package_id"
    path.unlink()
    if text is not None:
        path.write_text(text)
    error = refused(machine)
    assert error.status is Status.ERROR
    assert "which socket a CPU is in" in error.absent.reason


@pytest.mark.parametrize("text", ["0,", "a", "1-", "-1", "0 1"])
def test_a_text_that_is_no_list_of_cpus_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ValueError, match="wanted a list of CPUs") as caught:
        cpu_list(text)
    assert repr(text) in str(caught.value)


def test_it_is_found_after_powercap_and_reads_at_once() -> None:
    found, _ = plugins("bench.meters", "open_meter")
    assert found["powercap"].precedence < found["perf"].precedence
    assert not found["perf"].opt_in
    assert PerfMeter.prompt


def test_a_platform_counter_in_steps_of_a_joule_is_watched_longer(tmp_path: Path) -> None:
    (channel,) = opened(PerfMachine(tmp_path, {0: {"psys": 5}}, esus={"psys": 0})).channels
    assert channel.resolution == 1.0
    assert channel.update_interval_s == pytest.approx(0.2, rel=0.01)


def test_a_register_that_starts_right_before_its_end_counts_on(tmp_path: Path) -> None:
    machine = PerfMachine(tmp_path, {0: {"pkg": 100}}, VirtualClock(50_000))
    machine.registers["pkg", 0].count.start = 2**32 - 1
    meter = opened(machine)
    energies, t0, t1 = window(meter, machine.clock, 1.0)
    assert joules(energies["cpu/0/package"]) == pytest.approx(100 * (t1 - t0), rel=2e-3)
