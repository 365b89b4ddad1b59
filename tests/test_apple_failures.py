"""What becomes of Apple silicon's energy model in each of the ways in which it fails."""

import platform
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from emulated_apple import AppleEnergyMetrics, Chip, Counted, FakeZeus, batches
from emulators import VirtualClock, window
from known_power import CARRIES_ENERGY
from test_apple import ALL, ANE, CPU, DRAM, FIELD, GPU, alone, left_out, opened, refused, steady

from bench.meter import MeterUnavailable, Reading, Status
from bench.meters import apple
from bench.meters.apple import AppleMeter, chip_name, refuse_others
from bench.source import Source
from bench.window import ChannelEnergy, channel_energy

# Machines that are no Mac with Apple silicon


@pytest.mark.failure_mode(1, "apple")
def test_another_system_is_refused_before_any_library_is_touched() -> None:
    if platform.system() == "Darwin":
        pytest.skip("this is the system that it is for")
    with pytest.raises(MeterUnavailable) as caught:
        apple.open_meter({})
    assert caught.value.status is Status.UNAVAILABLE
    assert caught.value.absent.reason == f"only on Apple silicon, and this is {platform.system()}"
    assert "zeus_apple_silicon" not in sys.modules


@pytest.mark.failure_mode(1, "apple")
@pytest.mark.parametrize(
    ("machine", "chip", "status", "reason", "fix"),
    [
        ("x86_64", "Intel(R) Core(TM) i7", Status.UNAVAILABLE, "this Mac is x86_64", "wall meter"),
        ("x86_64", "VirtualApple @ 2.50GHz", Status.UNAVAILABLE, "Rosetta", "Python for arm64"),
        ("x86_64", "Apple M2", Status.UNAVAILABLE, "Rosetta", "Python for arm64"),
        ("arm64", "Apple M1 (Virtual)", Status.NOT_SUPPORTED, "virtual machine", "Mac itself"),
    ],
)
def test_another_mac_is_refused_with_reason_and_fix(
    machine: str, chip: str, status: Status, reason: str, fix: str
) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        refuse_others("Darwin", machine, chip)
    assert caught.value.status is status
    assert reason in caught.value.absent.reason
    assert fix in caught.value.absent.fix


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this machine look like a Mac whose ``sysctl`` answers with a chip."""

    def become(chip: str = "Apple M2 Pro") -> None:
        def run(command: Any, **how: Any) -> subprocess.CompletedProcess[str]:
            assert how["timeout"] <= 2
            return subprocess.CompletedProcess(command, 0, f"{chip}\n", "")

        monkeypatch.setattr(platform, "system", lambda: "Darwin")
        monkeypatch.setattr(platform, "machine", lambda: "arm64")
        monkeypatch.setattr(apple.chip_name, "__defaults__", (run,))

    return become


@pytest.mark.failure_mode(1, "apple")
def test_a_mac_without_the_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, mac: Callable[..., None]
) -> None:
    mac()
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", None)
    with pytest.raises(MeterUnavailable) as caught:
        apple.open_meter({})
    assert (
        str(caught.value) == "zeus-apple-silicon is not installed; pip install zeus-apple-silicon"
    )


@pytest.mark.failure_mode(19, "apple")
def test_a_package_of_another_architecture_does_not_load(
    monkeypatch: pytest.MonkeyPatch, mac: Callable[..., None], tmp_path: Path
) -> None:
    mac()
    text = "raise ImportError('incompatible architecture (have x86_64, need arm64)')\n"
    (tmp_path / "zeus_apple_silicon.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MeterUnavailable, match="does not load: incompatible architecture") as told:
        apple.open_meter({})
    assert told.value.status is Status.UNAVAILABLE
    assert told.value.absent.fix == "pip install --force-reinstall zeus-apple-silicon"


def test_the_plug_in_opens_the_package_and_tells_it_the_chip(
    monkeypatch: pytest.MonkeyPatch, mac: Callable[..., None]
) -> None:
    mac("Apple M1 Ultra")
    library = FakeZeus(Chip(steady(20)).parts(), VirtualClock())
    library.refuses = RuntimeError("Failed to create IOReport subscription.")
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", library)
    with pytest.raises(MeterUnavailable, match="macOS gives no energy model"):
        apple.open_meter({})


@pytest.mark.failure_mode(22, "apple")
@pytest.mark.parametrize(
    "error",
    [
        subprocess.TimeoutExpired("sysctl", 2),
        FileNotFoundError(2, "no sysctl"),
        subprocess.CalledProcessError(1, "sysctl"),
    ],
)
def test_a_system_that_does_not_name_its_chip_is_asked_no_longer(error: Exception) -> None:
    def run(*_: object, **how: Any) -> None:
        assert how["timeout"] == 2
        raise error

    assert chip_name(run) == ""
    refuse_others("Darwin", "arm64", "")


# Parts that are left out


@pytest.mark.failure_mode(19, "apple")
def test_a_system_without_energy_model_is_unavailable() -> None:
    error = refused({}, refuses=RuntimeError("Failed to create IOReport subscription."))
    assert error.status is Status.UNAVAILABLE
    assert "Failed to create IOReport subscription" in error.absent.reason
    assert "wall meter" in error.absent.fix


@pytest.mark.failure_mode(17, "apple")
def test_a_part_that_a_chip_does_not_count_is_left_out() -> None:
    meter, _ = opened(alone(CPU, Counted(steady(20)), GPU))
    assert [channel.id for channel in meter.channels] == [CPU, GPU]
    assert left_out(meter)[DRAM] == (
        Status.NOT_SUPPORTED,
        "this chip or this macOS does not count it",
    )


@pytest.mark.failure_mode(1, "apple")
@pytest.mark.failure_mode(17, "apple")
def test_a_chip_that_counts_nothing_is_refused() -> None:
    error = refused({})
    assert error.status is Status.NOT_SUPPORTED
    assert error.absent.reason.startswith("cpu/0/package (cpu_total_mj): ")


@pytest.mark.failure_mode(16, "apple")
def test_exactly_zero_since_the_start_is_no_value() -> None:
    parts = alone(CPU, Counted(steady(20))) | {"ane_mj": Counted(steady(0), start_mj=0)}
    meter, _ = opened(parts)
    status, reason = left_out(meter)[ANE]
    assert status is Status.NOT_SUPPORTED
    assert reason.startswith("it shows exactly 0 J since the Mac was started")
    dead = {field: Counted(steady(0), start_mj=0) for field in FIELD.values()}
    assert refused(dead).status is Status.NOT_SUPPORTED


@pytest.mark.failure_mode(11, "apple")
def test_a_counter_that_stands_still_when_it_is_opened_is_stale() -> None:
    meter, library = opened(alone(CPU, Counted(steady(20))) | {"gpu_mj": Counted(steady(0))})
    status, reason = left_out(meter)[GPU]
    assert status is Status.STALE
    assert reason == "its counter stood still for 5 s while it was watched: is it idle?"
    assert library.clock.now_ns < 5.1e9


def test_opening_takes_no_longer_than_the_slowest_part_that_moves() -> None:
    parts = Chip(steady(20)).parts(hold_s=0.01)
    _, library = opened(parts | {"ane_mj": Counted(steady(0), start_mj=0)})
    assert library.clock.now_ns < 1e9


# A reading that fails


def around(
    meter: AppleMeter, library: FakeZeus, *, given: Any = None, fault: Any = None
) -> ChannelEnergy:
    """The CPU's energy over 40 s, of five readings of which the third is spoiled."""
    readings: list[Reading] = []
    for index in range(5):
        library.given = given if given and index == 2 else {}
        library.fault = fault if index == 2 else None
        readings.append(meter.read()[0])
        library.clock.pass_s(10)
    return channel_energy(meter.channels[0], readings, readings[0].t1_ns, readings[-1].t0_ns)


@pytest.mark.failure_mode(5, "apple")
@pytest.mark.parametrize(
    "fault", [ValueError("Unsupported or invalid energy unit provided: kWh"), RuntimeError("x")]
)
def test_a_model_that_cannot_be_read_is_dropped_and_the_window_stays_right(
    fault: Exception,
) -> None:
    meter, library = opened()
    library.fault = fault
    readings = meter.read()
    assert {(reading.value, reading.status) for reading in readings} == {(None, Status.ERROR)}
    assert str(fault) in readings[0].reason
    energy = around(meter, library, fault=fault)
    assert energy.joules == pytest.approx(20 * 40, rel=1e-3)


@pytest.mark.failure_mode(7, "apple")
@pytest.mark.parametrize("garbage", [None, -(2**63), "12 mJ", [1, 2], float("nan"), True])
def test_what_is_no_energy_is_dropped_and_the_other_parts_go_on(garbage: Any) -> None:
    meter, library = opened()
    library.given = {"cpu_total_mj": garbage}
    first, second, *_ = meter.read()
    assert (first.value, first.status) == (None, Status.ERROR)
    assert f"cpu_total_mj shows {garbage!r}, which is no energy; restart" in first.reason
    assert second.value is not None
    energy = around(meter, library, given={"cpu_total_mj": garbage})
    assert energy.joules == pytest.approx(20 * 40, rel=1e-3)


def test_a_model_that_cannot_be_read_when_it_is_opened_is_refused() -> None:
    error = refused({}, fault=ValueError("Unsupported or invalid energy unit provided: kWh"))
    assert error.status is Status.ERROR
    assert "energy unit provided: kWh" in error.absent.reason


@pytest.mark.failure_mode(10, "apple")
def test_a_counter_that_falls_is_a_reset_and_no_wrap() -> None:
    meter, library = opened()
    before = meter.read()[0]
    library.parts["cpu_total_mj"].start_mj = 0
    library.clock.pass_s(1)
    after = meter.read()[0]
    energy = channel_energy(meter.channels[0], [before, after], before.t1_ns, after.t0_ns)
    assert (energy.joules, energy.status) == (None, Status.RESET)
    assert "went back" in energy.reason
    assert "was the driver reloaded" in energy.reason


@pytest.mark.failure_mode(11, "apple")
def test_a_counter_that_stops_while_it_is_used_ends_its_window() -> None:
    meter, library = opened()
    library.given = {"cpu_total_mj": 1_000_000}
    energies, _, _ = window(meter, library.clock, 10)
    assert (energies[CPU].joules, energies[CPU].status) == (None, Status.STALE)
    assert "the counter stood still for" in energies[CPU].reason
    assert "is the driver alive?" in energies[CPU].reason
    assert energies[GPU].status in CARRIES_ENERGY


@pytest.mark.failure_mode(18, "apple")
def test_a_part_that_vanishes_costs_its_own_energy_only() -> None:
    meter, library = opened()
    (first, *_), t0 = meter.read(), library.clock()
    library.given = {"cpu_total_mj": None}
    library.clock.pass_s(10)
    t1 = library.clock()
    (last, dram, *_) = meter.read()
    energy = channel_energy(meter.channels[0], [first, last], t0, t1)
    assert (energy.joules, energy.status) == (None, Status.ERROR)
    assert "cpu_total_mj shows None" in energy.reason
    assert dram.value is not None


@pytest.mark.failure_mode(22, "apple")
def test_a_library_that_hangs_is_given_up_on() -> None:
    meter, library = opened()
    released = threading.Event()

    def hang() -> AppleEnergyMetrics:
        released.wait()
        return AppleEnergyMetrics()

    meter._monitor.get_cumulative_energy = hang
    source = Source(meter, {id_: id_ for id_ in ALL}, library.clock, deadline_s=0.05)
    readings = source.read()
    assert {reading.status for reading in readings} == {Status.TIMEOUT}
    assert "apple did not answer within 0.05 s" in readings[0].reason
    released.set()


@pytest.mark.failure_mode(26, "apple")
def test_a_window_shorter_than_a_batch_is_refused() -> None:
    parts = Chip(steady(20)).parts(times=batches(Random(3), 2.03, 2.23, 100))
    meter, library = opened(parts)
    energies, _, _ = window(meter, library.clock, 2.0)
    for energy in energies.values():
        assert (energy.joules, energy.status) == (None, Status.TOO_SHORT)
    assert "give it at least 125 s" in energies[CPU].reason


def test_a_closed_meter_reads_nothing() -> None:
    meter, _ = opened()
    meter.close()
    meter.close()
    assert meter.read() == ()
    assert len(meter.channels) == 4
