"""PyRAPL as a cross-check of powercap: the same counters, the same units, no silent -1."""

import contextlib
import errno
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from emulators import ESU14, ESU16, LAYOUTS, FakePyrapl, Powercap, Z, holds, joules, window

from bench.discover import plugins
from bench.meter import MeterUnavailable, Status
from bench.meters import pyrapl
from bench.meters._cpu import Cpu
from bench.meters.powercap import PowercapMeter
from bench.meters.pyrapl import PyraplMeter

INTEL = Cpu("GenuineIntel")
XEON = ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"]


def opened(library: FakePyrapl) -> PyraplMeter:
    machine = library.machine
    return PyraplMeter(library, root=machine.root, clock=machine.clock, cpu=INTEL)


def library(root: Path, slots: Sequence[str | None] = XEON) -> FakePyrapl:
    return FakePyrapl(Powercap(root, LAYOUTS["xeon2s"]), slots)


def refused(library: FakePyrapl) -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        opened(library)
    return caught.value


def test_packages_and_dram_of_each_socket_are_channels(tmp_path: Path) -> None:
    meter = opened(library(tmp_path))
    ids = [channel.id for channel in meter.channels]
    assert ids == ["cpu/0/package", "cpu/0/dram", "cpu/1/package", "cpu/1/dram"]
    assert {channel.origin for channel in meter.channels} == {"pyrapl"}


def test_its_energy_agrees_with_powercap_over_one_window(tmp_path: Path) -> None:
    fake = library(tmp_path)
    machine = fake.machine
    direct = PowercapMeter(
        machine.root, clock=machine.clock, opener=machine.opener, pread=machine.pread, cpu=INTEL
    )
    meter = opened(fake)
    ours, t0, t1 = window(direct, machine.clock, 2.0)
    theirs, _, _ = window(meter, machine.clock, 2.0)
    for channel, watts in zip(ours, (100, 10, 90, 8), strict=True):
        assert joules(theirs[channel]) == pytest.approx(joules(ours[channel]), rel=2e-3)
        assert holds(ours[channel], watts * (t1 - t0))
    walls = [channel.wrap for channel in meter.channels]
    assert walls == [channel.wrap for channel in direct.channels]
    direct.close()


def test_microjoules_become_joules_once_at_the_border(tmp_path: Path) -> None:
    fake = library(tmp_path)
    meter = opened(fake)
    fake.machine.read_faults["intel-rapl:0"] = b"90000000\n"
    assert meter.read()[0].value == 90


@pytest.mark.failure_mode(17, "pyrapl")
def test_minus_one_is_no_value_and_makes_no_channel(tmp_path: Path) -> None:
    meter = opened(library(tmp_path, ["intel-rapl:0", None]))
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]


@pytest.mark.failure_mode(7, "pyrapl")
def test_minus_one_while_read_has_no_joules_but_a_reason(tmp_path: Path) -> None:
    fake = library(tmp_path)
    meter = opened(fake)
    fake.slots = [None, *XEON[1:]]
    missing, *others = meter.read()
    assert (missing.value, missing.status) == (None, Status.ERROR)
    assert missing.reason.startswith("pyRAPL gave -1, which stands for no value; ")
    assert all(reading.value is not None for reading in others)


@pytest.mark.failure_mode(18, "pyrapl")
@pytest.mark.failure_mode(29, "pyrapl")
def test_a_read_that_fails_takes_all_of_its_channels_along(tmp_path: Path) -> None:
    fake = library(tmp_path)
    meter = opened(fake)
    fake.machine.read_faults["intel-rapl:1"] = OSError(errno.ENODEV, "No such device")
    readings = meter.read()
    assert [reading.value for reading in readings] == [None] * 4
    assert {reading.status for reading in readings} == {Status.LOST}
    assert readings[0].reason == (
        "pyRAPL: the zone is gone or hidden (No such device);"
        " was the module unloaded, the CPU offlined, or /sys masked?"
    )


@pytest.mark.failure_mode(11, "pyrapl")
def test_a_counter_that_stands_still_is_left_out_as_stale(tmp_path: Path) -> None:
    zones = [Z("intel-rapl:0", "package-0"), Z("intel-rapl:0:0", "dram", watts=0)]
    meter = opened(FakePyrapl(Powercap(tmp_path, zones), XEON[:2]))
    assert [channel.id for channel in meter.channels] == ["cpu/0/package"]
    assert meter.unusable[0].what == "cpu/0/dram"
    assert meter.unusable[0].status is Status.STALE
    assert meter.unusable[0].fix


@pytest.mark.failure_mode(7, "pyrapl")
@pytest.mark.parametrize("text", [b"nan\n", b"inf\n", b"-5\n", b"1e99\n"])
def test_what_no_counter_can_show_is_an_error(tmp_path: Path, text: bytes) -> None:
    fake = library(tmp_path)
    meter = opened(fake)
    fake.machine.read_faults["intel-rapl:0"] = text
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "which the counter cannot show" in reading.reason


def test_units_and_limits_are_those_of_the_route_that_pyrapl_reads(tmp_path: Path) -> None:
    zones = [
        Z("intel-rapl:0", "package-0", ESU14, 50),
        Z("intel-rapl-mmio:0", "package-0", ESU16, 50),
    ]
    (channel,) = opened(FakePyrapl(Powercap(tmp_path, zones), ["intel-rapl:0", None])).channels
    assert channel.wrap == pytest.approx(2**32 * ESU14 / 1e9)
    assert channel.range == (1.0, 1e9 / 2**14 / ESU14)
    assert channel.poll_s == pytest.approx(2**32 * ESU14 / 1e9 / (2 * channel.p_max_w))


def test_a_socket_that_pyrapl_cannot_read_is_named_by_those_that_it_can(tmp_path: Path) -> None:
    meter = opened(library(tmp_path, [*XEON[:2], None, None]))
    assert [channel.id for channel in meter.channels] == ["cpu/0/package", "cpu/0/dram"]
    boundaries = [channel.boundary for channel in meter.channels]
    assert boundaries == ["cpu-package of cpu/0 only", "dram of cpu/0 only"]


@pytest.mark.failure_mode(1, "pyrapl")
def test_a_sensor_without_any_counter_is_unavailable(tmp_path: Path) -> None:
    assert "found no package" in refused(library(tmp_path, [None, None])).absent.reason


@pytest.mark.failure_mode(5, "pyrapl")
def test_a_sensor_that_fails_at_its_first_read_is_unavailable(tmp_path: Path) -> None:
    fake = library(tmp_path)
    fake.machine.read_faults["intel-rapl:0"] = OSError(errno.EINVAL, "Invalid argument")
    assert refused(fake).status is Status.ERROR


@pytest.mark.parametrize(
    ("error", "status", "fix"),
    [
        (PermissionError(errno.EACCES, "denied"), Status.PERMISSION, "CVE-2020-8694"),
        (FileNotFoundError(errno.ENOENT, "none"), Status.LOST, "/sys masked"),
        (FakePyrapl.PyRAPLException(), Status.UNAVAILABLE, "use the meter powercap"),
    ],
)
@pytest.mark.failure_mode(1, "pyrapl")
@pytest.mark.failure_mode(2, "pyrapl")
@pytest.mark.failure_mode(4, "pyrapl")
def test_a_sensor_that_cannot_be_made_says_why(
    tmp_path: Path, error: Exception, status: Status, fix: str
) -> None:
    fake = library(tmp_path)
    fake.refuses = error
    caught = refused(fake)
    assert caught.status is status
    assert fix in caught.absent.fix


def test_it_is_used_only_when_it_is_named() -> None:
    assert plugins("bench.meters", "open_meter")[0]["pyrapl"].opt_in


@pytest.mark.failure_mode(19, "pyrapl")
def test_a_meter_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyRAPL", None)
    with pytest.raises(MeterUnavailable, match="pip install pyRAPL"):
        pyrapl.open_meter({})


@pytest.fixture
def redirected(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Powercap:
    """The real pyRAPL with its paths, which it has written into its code, led to a tree."""
    with pyrapl._quiet():
        import pyRAPL.device_api

    layout, sockets = getattr(request, "param", ("xeon2s", 2))
    machine = Powercap(tmp_path, LAYOUTS[layout] if layout else [])
    for cpu in range(2):
        topology = tmp_path / f"devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{cpu % sockets}\n")
    (tmp_path / "devices/system/cpu/present").write_text("0-1\n")

    class Live:
        """A file of the tree whose text is the counter's."""

        def __init__(self, where: str) -> None:
            self.where, self.closed = where, False

        def seek(self, offset: int, whence: int) -> None:
            assert (offset, whence) == (0, 0)

        def readline(self) -> str:
            return machine.read(self.where).decode()

        def close(self) -> None:
            self.closed = True

    def led(path: str) -> str:
        return str(tmp_path) + path.removeprefix("/sys")

    def opens(path: str, mode: str = "r") -> Any:
        where = Path(path).parent.name
        if where in machine.open_faults:
            raise machine.open_faults[where]
        return Live(where) if path.endswith("energy_uj") else Path(led(path)).open(mode)

    monkeypatch.setattr(pyRAPL.device_api, "open", opens, raising=False)
    exists = SimpleNamespace(path=SimpleNamespace(exists=lambda path: Path(led(path)).exists()))
    monkeypatch.setattr(pyRAPL.device_api, "os", exists)
    return machine


def test_the_real_library_reads_the_counters_of_an_emulated_machine(redirected: Powercap) -> None:
    import pyRAPL

    meter = PyraplMeter(pyRAPL, root=redirected.root, clock=redirected.clock, cpu=INTEL)
    energies, t0, t1 = window(meter, redirected.clock, 2.0)
    for channel, watts in zip(energies, (100, 10, 90, 8), strict=True):
        assert holds(energies[channel], watts * (t1 - t0))
    files = [file for device in meter._sensor._device_api.values() for file in device._sys_files]
    meter.close()
    assert [file.closed for file in files] == [True] * 4


@pytest.mark.failure_mode(2, "pyrapl")
def test_the_real_library_without_permission_gives_the_fix(redirected: Powercap) -> None:
    import pyRAPL

    redirected.open_faults["intel-rapl:1"] = PermissionError(errno.EACCES, "denied")
    with pytest.raises(MeterUnavailable, match="CVE-2020-8694"):
        PyraplMeter(pyRAPL, root=redirected.root, clock=redirected.clock, cpu=INTEL)


def test_importing_the_library_logs_nothing_and_adds_no_handler(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyRAPL"]:
        monkeypatch.delitem(sys.modules, name)
    handlers = logging.getLogger().handlers[:]
    with contextlib.suppress(MeterUnavailable):  # whether or not this machine has RAPL
        pyrapl.open_meter({}).close()
    assert logging.getLogger().handlers == handlers
    assert not caplog.records


@pytest.mark.failure_mode(1, "pyrapl")
@pytest.mark.failure_mode(4, "pyrapl")
@pytest.mark.failure_mode(13, "pyrapl")
@pytest.mark.parametrize("redirected", [("zen1_4die", 1), ("", 1)], indirect=True)
def test_the_real_library_refuses_dies_and_machines_without_zones(redirected: Powercap) -> None:
    import pyRAPL

    with pytest.raises(MeterUnavailable, match="use the meter powercap") as caught:
        PyraplMeter(pyRAPL, root=redirected.root, clock=redirected.clock, cpu=INTEL)
    assert caught.value.status is Status.UNAVAILABLE


@pytest.mark.failure_mode(14, "pyrapl")
@pytest.mark.parametrize("redirected", [("client", 1)], indirect=True)
def test_the_real_library_reads_one_route_of_a_machine_with_two(redirected: Powercap) -> None:
    import pyRAPL

    meter = PyraplMeter(pyRAPL, root=redirected.root, clock=redirected.clock, cpu=INTEL)
    energies, t0, t1 = window(meter, redirected.clock, 2.0)
    assert list(energies) == ["cpu/0/package", "cpu/0/dram"]
    assert holds(energies["cpu/0/package"], 20 * (t1 - t0))
    assert holds(energies["cpu/0/dram"], 3 * (t1 - t0))
    meter.close()
