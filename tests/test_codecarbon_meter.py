"""The estimate from CPU time: what it multiplies, how it is marked, whose numbers it takes."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from emulators import VirtualClock, holds, joules, ticking, window

from bench.cover import cover
from bench.meter import MeterUnavailable, Status
from bench.meters import codecarbon
from bench.meters._cpu import Cpu, read_cpu, this_cpu
from bench.meters.codecarbon import (
    CodecarbonMeter,
    PowerModel,
    grid_factor,
    known_powers,
    plain_model,
    power_model,
)
from bench.quantities import Kind
from bench.window import channel_energy, shortest_block_s

MODEL = PowerModel(watts=5.0, threads=4, range=(0.3, 1.3), source="a table")
CPUINFO = """processor\t: {cpu}
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7763 64-Core Processor
physical id\t: {socket}
cpu cores\t: 2
flags\t\t: fpu vme{virtual}

"""


def opened(clock: VirtualClock, busy: float = 1.0) -> CodecarbonMeter:
    return CodecarbonMeter(MODEL, lambda: busy * clock.now_ns / 1e9, clock=clock)


def test_one_busy_second_counts_the_watts_of_one_cpu() -> None:
    clock = VirtualClock()
    energies, t0, t1 = window(opened(clock), clock, 2.0)
    energy = energies["process/cpu"]
    assert joules(energy) == pytest.approx(5 * (t1 - t0), rel=1e-3)
    assert energy.low == pytest.approx(0.3 * joules(energy))
    assert energy.high == pytest.approx(1.3 * joules(energy))
    assert holds(energy, 5 * (t1 - t0))


@pytest.mark.failure_mode(31, "codecarbon")
def test_the_channel_is_an_estimate_that_no_cover_takes() -> None:
    meter = opened(VirtualClock())
    (channel,) = meter.channels
    assert (channel.id, channel.domain, channel.boundary) == (
        "process/cpu",
        "process",
        "process-cpu",
    )
    assert channel.kind is Kind.ESTIMATED
    assert channel.p_max_w == 20.0
    assert channel.note == (
        "CPU seconds of this process, its fresh processes and its ended children × 5 W (a table);"
        " the truth may lie between 0.3 and 1.3 times this"
    )
    assert channel.origin == "codecarbon:data/hardware/cpu_power.csv"
    assert cover(meter.channels, "cpu") == ()
    assert shortest_block_s(meter.channels) == 0
    assert meter.unusable == ()
    meter.close()


@pytest.mark.failure_mode(26, "codecarbon")
def test_a_window_without_cpu_time_is_too_short_and_no_zero() -> None:
    clock = VirtualClock()
    values = ticking([0.0, 1.0, 2.0, 3.0])
    energies, _, _ = window(CodecarbonMeter(MODEL, values, clock=clock), clock, 1.0)
    assert energies["process/cpu"].joules is None
    assert energies["process/cpu"].status is Status.TOO_SHORT
    assert "the estimate did not move in" in energies["process/cpu"].reason
    assert "give it a longer window" in energies["process/cpu"].reason


@pytest.mark.failure_mode(11, "codecarbon")
def test_a_cpu_time_that_stands_still_is_refused() -> None:
    with pytest.raises(MeterUnavailable, match="stands still") as caught:
        opened(VirtualClock(), busy=0.0)
    assert caught.value.status is Status.STALE
    assert caught.value.absent.fix == "report it, with your kernel"


def test_more_cpu_time_than_there_are_cpus_is_not_believed() -> None:
    clock = VirtualClock()
    ended = [0.0]
    meter = CodecarbonMeter(MODEL, lambda: clock.now_ns / 1e9 + ended[-1], clock=clock)
    (before,) = meter.read()
    ended.append(100.0)  # a child that had run for long ended in the window
    clock.pass_s(1)
    (after,) = meter.read()
    energy = channel_energy(meter.channels[0], [before, after], before.t1_ns, after.t0_ns)
    assert (energy.joules, energy.status) == (None, Status.INVALID)


def test_a_known_processor_shares_its_design_power_among_its_cpus() -> None:
    cpu = Cpu("AuthenticAMD", "AMD EPYC 7763 64-Core Processor", sockets=2, threads=256)
    model = power_model(cpu, {"amd epyc 7763": 280.0}, 4.0)
    assert model.watts == pytest.approx(2.1875)
    assert model.range == (0.3, 1.3)
    assert "280 W of AMD EPYC 7763" in model.source
    assert "2 socket(s) / 256 logical CPUs" in model.source


def test_a_thread_with_a_core_to_itself_is_within_the_range() -> None:
    cpu = Cpu("GenuineIntel", "Core", threads=8, threads_per_core=2.0)
    assert power_model(cpu, {"core": 16.0}, 4.0).range == (0.3, 2.6)


@pytest.mark.parametrize("cpu", [Cpu("GenuineIntel", "Core", threads=2, virtual=True), Cpu("", "")])
def test_an_unknown_or_virtual_processor_gets_the_default_and_a_wide_range(cpu: Cpu) -> None:
    model = power_model(cpu, {"core": 99.0}, 4.0)
    assert (model.watts, model.range) == (4.0, (0.25, 4.0))
    assert "default per thread" in model.source


@pytest.mark.parametrize(
    ("shown", "plain"),
    [
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "intel core i7-8550u"),
        ("13th Gen Intel(R) Core(TM) i7-1365U", "intel core i7-1365u"),
        ("AMD Ryzen 7 PRO 6850U with Radeon Graphics", "amd ryzen 7 pro 6850u"),
        ("INTEL(R) XEON(R) PLATINUM 8480+", "intel xeon platinum 8480+"),
    ],
)
def test_a_model_is_known_without_what_its_maker_adds(shown: str, plain: str) -> None:
    assert plain_model(shown) == plain


def test_a_name_with_two_powers_and_a_power_that_is_no_number_are_left_out() -> None:
    rows = [("A", "15"), ("B", "27.29.5"), ("C", "9"), ("C CPU", "12"), ("", "7"), ("D", "nan")]
    assert known_powers(rows) == {"a": 15.0}


def test_the_kernels_text_gives_sockets_cpus_and_hypervisor() -> None:
    text = "".join(CPUINFO.format(cpu=n, socket=n // 4, virtual="") for n in range(8))
    cpu = read_cpu(text)
    assert (cpu.sockets, cpu.threads, cpu.threads_per_core, cpu.virtual) == (2, 8, 2.0, False)
    assert cpu.model == "AMD EPYC 7763 64-Core Processor"
    assert read_cpu(CPUINFO.format(cpu=0, socket=0, virtual=" hypervisor")).virtual


def test_a_machine_that_does_not_describe_its_processor_has_an_unknown_one(tmp_path: Path) -> None:
    assert this_cpu(tmp_path / "none") == Cpu()
    assert read_cpu("processor : 0\nBogoMIPS : 50\n") == Cpu()


def test_the_estimate_opens_here_and_counts_this_process() -> None:
    meter = codecarbon.open_meter({})
    first = meter.read()[0].value
    sum(range(200_000))
    second = meter.read()[0].value
    assert first is not None
    assert second is not None
    assert second > first > 0


def test_the_cpu_time_of_a_child_counts_when_it_has_ended() -> None:
    seconds = codecarbon._cpu_clock()
    before, own = seconds(), os.times()
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    after = os.times()
    children = after.children_user - own.children_user
    assert children > 0
    assert seconds() - before >= children * 0.9


def test_opening_logs_nothing_and_leaves_the_logger_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("codecarbon")
    before = logger.disabled
    codecarbon.open_meter({}).close()
    assert not caplog.records
    assert logger.disabled == before


@pytest.mark.failure_mode(1, "codecarbon")
@pytest.mark.parametrize(
    ("module", "fix"), [("codecarbon.input", "pip install codecarbon"), ("resource", "Linux")]
)
def test_a_missing_module_names_what_to_do(
    monkeypatch: pytest.MonkeyPatch, module: str, fix: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MeterUnavailable, match=fix):
        codecarbon.open_meter({})


@pytest.mark.parametrize(
    ("country", "low", "high"), [("FRA", 20, 80), ("POL", 550, 850), ("usa", 300, 450)]
)
def test_a_grid_factor_is_in_grams_per_kilowatt_hour(country: str, low: float, high: float) -> None:
    grams, source = grid_factor(country)
    assert low < grams < high
    assert source.startswith("codecarbon:data/private_infra/global_energy_mix.json ")


def test_an_unknown_country_is_refused_and_not_averaged() -> None:
    with pytest.raises(ValueError, match="found country 'FR', wanted a three-letter code"):
        grid_factor("FR")


def test_a_country_without_a_number_is_refused_and_not_zero() -> None:
    with pytest.raises(ValueError, match="has no carbon intensity for Central African Republic"):
        grid_factor("CAF")
