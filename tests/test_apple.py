"""Apple silicon's energy model: what it is, what it is not, and what becomes of its failures."""

from random import Random
from typing import Any

import pytest
from emulated_apple import Chip, Counted, FakeZeus, batches
from emulators import VirtualClock, joules, window
from known_power import KnownPower, Truth, assert_windows_hold, random_power

from bench.cover import cover, total
from bench.meter import MeterUnavailable, Status
from bench.meters.apple import AppleMeter
from bench.quantities import Absent, Kind

CPU, DRAM, GPU, ANE = "cpu/0/package", "cpu/0/dram", "gpu/apple/board", "cpu/0/ane"
ALL = [CPU, DRAM, GPU, ANE]
FIELD = {CPU: "cpu_total_mj", DRAM: "dram_mj", GPU: "gpu_mj", ANE: "ane_mj"}


def steady(watts: float) -> KnownPower:
    return KnownPower([watts], [1.0])


def opened(
    parts: dict[str, Counted] | None = None, chip: str = "Apple M4"
) -> tuple[AppleMeter, FakeZeus]:
    library = FakeZeus(parts or Chip(steady(20)).parts(), VirtualClock(1_000))
    return AppleMeter(library, chip=chip, clock=library.clock), library


def refused(parts: dict[str, Counted], **how: Any) -> MeterUnavailable:
    library = FakeZeus(parts, VirtualClock(1_000))
    vars(library).update(how)
    with pytest.raises(MeterUnavailable) as caught:
        AppleMeter(library, clock=library.clock)
    return caught.value


def left_out(meter: AppleMeter) -> dict[str, tuple[Status, str]]:
    return {found.what.split()[0]: (found.status, found.reason) for found in meter.unusable}


def alone(channel: str, part: Counted, *others: str) -> dict[str, Counted]:
    """One part, and others that show nothing new."""
    return {FIELD[channel]: part} | {FIELD[other]: Counted(steady(5)) for other in others}


# What is opened


def test_each_part_of_the_chip_is_a_channel_of_its_own() -> None:
    meter, _ = opened()
    assert [channel.id for channel in meter.channels] == ALL
    domains = [channel.domain for channel in meter.channels]
    boundaries = [channel.boundary for channel in meter.channels]
    assert domains == ["package", "dram", "gpu", "ane"]
    assert boundaries == ["apple-cpu", "apple-dram", "apple-gpu", "apple-ane"]
    assert meter.channels[0].origin == "zeus_apple_silicon:cpu_total_mj"
    assert {channel.resolution for channel in meter.channels} == {1e-3}
    assert {channel.wrap for channel in meter.channels} == {None}
    assert meter.unusable == ()


@pytest.mark.failure_mode(15, "apple")
@pytest.mark.failure_mode(31, "apple")
def test_a_model_is_an_estimate_and_never_in_a_total() -> None:
    meter, library = opened()
    assert {channel.kind for channel in meter.channels} == {Kind.ESTIMATED}
    assert {channel.range for channel in meter.channels} == {(0.5, 2.0)}
    for channel in meter.channels:
        assert "never added to a total" in channel.note
        assert "between 0.5 and 2 times this" in channel.note
    energies, _, _ = window(meter, library.clock, 5)
    assert cover(meter.channels, "cpu") == cover(meter.channels, "") == ()
    assert isinstance(total(energies.values(), cover(meter.channels, "")), Absent)


def test_millijoules_become_joules_once_at_the_border() -> None:
    meter, library = opened()
    library.given = {"cpu_total_mj": 90_000, "gpu_mj": 1_500}
    values = {reading.channel: reading.value for reading in meter.read()}
    assert (values[CPU], values[GPU]) == (90.0, 1.5)


def test_all_parts_are_read_at_one_time() -> None:
    meter, _ = opened()
    readings = meter.read()
    assert len({(reading.t0_ns, reading.t1_ns) for reading in readings}) == 1
    assert readings[0].t1_ns - readings[0].t0_ns >= 3_500_000


def test_each_part_gives_its_own_energy() -> None:
    meter, library = opened()
    energies, t0, t1 = window(meter, library.clock, 60)
    for channel, watts in zip(ALL, (20, 2, 9, 1), strict=True):
        assert joules(energies[channel]) == pytest.approx(watts * (t1 - t0), rel=1e-3)


def test_a_part_that_moves_often_has_the_interval_that_was_seen() -> None:
    for hold_s in (0.001, 0.02, 0.1):
        channel = opened(Chip(steady(20)).parts(hold_s=hold_s))[0].channels[0]
        assert hold_s <= channel.update_interval_s <= hold_s + 0.0111


@pytest.mark.failure_mode(12, "apple")
def test_parts_published_in_batches_are_taken_to_hold_for_2_5_s_at_least() -> None:
    times = batches(Random(1), 0.3, 1.7, 1000)
    parts = Chip(steady(20)).parts(times=times) | {"gpu_mj": Counted(steady(9))}
    intervals = {c.id: c.update_interval_s for c in opened(parts)[0].channels}
    assert {intervals[CPU], intervals[DRAM], intervals[ANE]} == {2.5}
    assert intervals[GPU] < 0.02


def test_a_gap_that_was_seen_is_never_shortened_to_that_of_a_batch() -> None:
    part = Counted(steady(20), times=[0.0, 0.5, 3.5])
    (channel,) = opened(alone(CPU, part))[0].channels
    assert 3.0 <= channel.update_interval_s <= 3.02


def test_the_two_dies_of_an_ultra_are_cut_to_millijoules_each() -> None:
    meter, _ = opened(Chip(steady(20)).parts(dies=2), "Apple M2 Ultra")
    assert {channel.resolution for channel in meter.channels} == {2e-3}


def test_the_cpu_of_an_ultra_is_left_out_for_only_one_die_is_told() -> None:
    meter, _ = opened(chip="Apple M1 Ultra")
    assert [channel.id for channel in meter.channels] == [DRAM, GPU, ANE]
    status, reason = left_out(meter)[CPU]
    assert status is Status.NOT_SUPPORTED
    assert reason == "zeus-apple-silicon gives one of the two dies of an Ultra, and not their sum"


def test_whether_the_memory_of_the_gpu_is_in_it_is_said_to_be_unknown() -> None:
    notes = {channel.id: channel.note for channel in opened()[0].channels}
    assert "whether the GPU's SRAM" in notes[GPU]
    assert "SRAM" not in notes[CPU]


# The truth lies in every interval


@pytest.mark.parametrize("seed", range(48))
def test_the_interval_holds_what_the_model_counted_times_any_factor_of_its_range(seed: int) -> None:
    random = Random(seed)
    ultra, in_batches = random.random() < 0.25, random.random() < 0.5
    longest_s = random.choice([1.7, 2.23, 2.5])
    dwell_s = random.choice([0.01, 0.3, 2.0])
    chip = Chip(
        random_power(random, 150, dwell_s),
        dram=random_power(random, 40, dwell_s),
        gpu=random_power(random, 150, 0.05),
    )
    dies = 2 if ultra else 1
    parts = chip.parts(hold_s=random.choice([0.001, 0.01, 0.1]), dies=dies)
    if in_batches:
        times = batches(random, 0.3, longest_s, 2000)
        parts |= {
            name: Counted(parts[name].power, times=times, dies=dies) for name in FIELD.values()
        }
        parts["gpu_mj"] = Counted(chip.gpu, hold_s=1e-6)
    meter, library = opened(parts, "Apple M2 Ultra" if ultra else "Apple M4")
    factor = [0.5, 1.0, 2.0][seed % 3]
    truth = {
        channel.id: _times(factor, parts[FIELD[channel.id]].power) for channel in meter.channels
    }
    assert len(truth) == (3 if ultra else 4)
    slowest = max(channel.update_interval_s for channel in meter.channels)
    checked = assert_windows_hold(
        meter, library.clock, truth, random, windows=25, seconds=(1.1 * slowest, 6 * slowest)
    )
    assert checked == 25 * len(truth)


def _times(factor: float, power: KnownPower) -> Truth:
    return lambda t0_s, t1_s: factor * power.energy(t0_s, t1_s)
