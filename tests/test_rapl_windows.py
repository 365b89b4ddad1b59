"""RAPL by its three routes, driven by a known power: each window's interval holds the truth.

The registers count in the hardware's unit, at phases, holds and starts of all kinds, and wrap
where it hurts: at the first tick of a window, at its last, and again and again in a long one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest
from emulated_perf import PerfMachine
from emulators import (
    COUNTS,
    LAYOUTS,
    SERVER_DRAM,
    TRUE_UNITS_NJ,
    Count,
    FakePyrapl,
    Power,
    Powercap,
    VirtualClock,
)
from known_power import Truth, assert_windows_hold, random_power

from bench.meter import Channel, Meter, Reading, Unusable
from bench.meters._cpu import Cpu
from bench.meters.perf import PerfMeter
from bench.meters.powercap import PowercapMeter
from bench.meters.pyrapl import PyraplMeter

# tracing doubles the time of many windows of code that other tests cover
pytestmark = pytest.mark.no_cover

INTEL, AMD = Cpu("GenuineIntel"), Cpu("AuthenticAMD")
MOST_W = {"package": 740.0, "core": 700.0, "uncore": 290.0, "dram": 195.0, "psys": 1950.0}
HOLDS_NS = (1_000_000, 1_000_000, 2_500_000, 10_000_000)

CHANNELS: Mapping[str, Mapping[str, str]] = {
    "client": {
        "intel-rapl:0": "cpu/0/package",
        "intel-rapl:0:0": "cpu/0/core",
        "intel-rapl:0:1": "cpu/0/uncore",
        "intel-rapl:0:2": "cpu/0/dram",
        "intel-rapl:1": "board/psys",
        "intel-rapl-mmio:0": "cpu/0/package#mmio",
    },
    "xeon2s": {
        "intel-rapl:0": "cpu/0/package",
        "intel-rapl:0:0": "cpu/0/dram",
        "intel-rapl:1": "cpu/1/package",
        "intel-rapl:1:0": "cpu/1/dram",
    },
    "spr2s": {
        "intel-rapl:0": "cpu/0/package",
        "intel-rapl:0:0": "cpu/0/dram",
        "intel-rapl:1": "board/psys",
        "intel-rapl:2": "cpu/1/package",
        "intel-rapl:2:0": "cpu/1/dram",
    },
    "zen": {"intel-rapl:0": "cpu/0/package"},
    "clxap": {
        "intel-rapl:0": "cpu/0.0/package",
        "intel-rapl:0:0": "cpu/0.0/dram",
        "intel-rapl:1": "cpu/0.1/package",
        "intel-rapl:1:0": "cpu/0.1/dram",
        "intel-rapl:2": "cpu/1.0/package",
        "intel-rapl:3": "cpu/1.1/package",
    },
    "zen1_4die": {"intel-rapl:0": "cpu/0.0/package"},
    "mmio_only": {"intel-rapl-mmio:0": "cpu/0/package"},
}
"""What each zone counts, written down and not computed: a wrong channel must show."""


def domain(channel: str) -> str:
    return channel.rpartition("/")[2].partition("#")[0]


def shake(count: Count, power: Power, random: Random) -> None:
    """Gives a register another power, phase, refresh and start."""
    count.power = power
    count.hold_ns = random.choice(HOLDS_NS)
    count.phase_ns = random.randrange(count.hold_ns)
    count.start = random.randrange(COUNTS)


def near_a_wrap(count: Count, clock: VirtualClock, random: Random) -> None:
    """Puts a register so that it wraps at once, in a tick or two, or within the next seconds."""
    ahead_s = random.choice([0.0, random.uniform(0, 0.03), random.uniform(0, 3)])
    now_s = clock.now_ns / 1e9
    ahead_j = count.power.energy(now_s, now_s + ahead_s)
    count.start -= count.at(clock.now_ns)
    count.start -= int(ahead_j * 1e9 / (count.true_unit_nj or count.unit_nj)) + 1


class Only:
    """One channel of a meter, so that its ticks are waited for and not those of another."""

    unusable: tuple[Unusable, ...] = ()

    def __init__(self, meter: Meter, channel: Channel) -> None:
        self._meter, self.name, self.channels = meter, meter.name, (channel,)

    def read(self) -> tuple[Reading, ...]:
        own = self.channels[0].id
        return tuple(reading for reading in self._meter.read() if reading.channel == own)

    def close(self) -> None:
        self._meter.close()


def hold(
    meter: Meter,
    clock: VirtualClock,
    counts: Mapping[str, Count],
    random: Random,
    *,
    windows: int = 25,
    seconds: tuple[float, float] = (0.3, 3.0),
) -> None:
    """Windows over all channels, or over one whose ticks are waited for; wraps everywhere."""
    truth: dict[str, Truth] = {channel: count.power.energy for channel, count in counts.items()}
    watched = meter
    if random.random() < 0.5:
        channel = random.choice(meter.channels)
        watched, truth = Only(meter, channel), {channel.id: truth[channel.id]}
    for _ in range(windows):
        for count in counts.values():
            if random.random() < 0.5:
                near_a_wrap(count, clock, random)
        assert_windows_hold(watched, clock, truth, random, windows=1, seconds=seconds)
    meter.close()


def powercap_machine(root: Path, layout: str, random: Random) -> tuple[Powercap, dict[str, Count]]:
    """A machine whose registers count random powers in true units, by the ids of channels."""
    emulated = Powercap(root, LAYOUTS[layout], VirtualClock(50_000))
    counts: dict[str, Count] = {}
    for zone in LAYOUTS[layout]:
        count = emulated.counts[zone.where]
        count.true_unit_nj = TRUE_UNITS_NJ.get(zone.unit_nj)
        id_ = CHANNELS[layout].get(zone.where)
        if id_ is not None:
            counts[id_] = count
            shake(count, random_power(random, MOST_W[domain(id_)], 0.02), random)
    return emulated, counts


def powercap_meter(emulated: Powercap, cpu: Cpu) -> PowercapMeter:
    return PowercapMeter(
        emulated.root, clock=emulated.clock, opener=emulated.opener, pread=emulated.pread, cpu=cpu
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("layout", CHANNELS)
def test_every_window_of_powercap_holds_the_truth(tmp_path: Path, layout: str, seed: int) -> None:
    random = Random(f"{layout} {seed}")
    emulated, counts = powercap_machine(tmp_path, layout, random)
    meter = powercap_meter(emulated, AMD if layout.startswith("zen") else INTEL)
    assert {channel.id for channel in meter.channels} == set(counts)
    hold(meter, emulated.clock, counts, random)


@pytest.mark.parametrize("seed", range(20))
def test_windows_of_many_wraps_hold_the_truth_of_powercap(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    emulated, counts = powercap_machine(tmp_path, "zen", random)
    meter = powercap_meter(emulated, AMD)
    hold(meter, emulated.clock, counts, random, windows=5, seconds=(30, 900))


@pytest.mark.parametrize("ticks", range(-3, 4))
@pytest.mark.parametrize("part_of_a_tick", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("at_start", [True, False])
def test_a_wrap_at_each_tick_around_an_end_of_a_window_is_counted_once(
    tmp_path: Path, ticks: int, part_of_a_tick: float, at_start: bool
) -> None:
    random = Random(7)
    emulated, counts = powercap_machine(tmp_path, "zen", random)
    meter, clock = powercap_meter(emulated, AMD), emulated.clock
    (count,) = counts.values()
    length_s, wait_s = 0.5, 0.1
    end_s = clock.now_ns / 1e9 + wait_s + (0.0 if at_start else length_s)
    wrap_s = end_s + (ticks + part_of_a_tick) * count.hold_ns / 1e9
    count.start = COUNTS - int(count.power.energy(0, wrap_s) * 1e9 / (count.true_unit_nj or 0))
    clock.pass_s(wait_s)
    truth = {"cpu/0/package": count.power.energy}
    still = Random(3)  # of which the first wait is short and the window is as long as asked
    assert_windows_hold(meter, clock, truth, still, windows=1, seconds=(length_s, length_s))
    meter.close()


# perf


@pytest.fixture
def perf_machine(tmp_path: Path) -> Callable[[Random, str], tuple[PerfMachine, dict[str, Count]]]:
    """PMUs of several processors, whose registers count random powers."""

    def build(random: Random, kind: str) -> tuple[PerfMachine, dict[str, Count]]:
        everything = {"pkg": 1.0, "cores": 1.0, "gpu": 1.0, "ram": 1.0, "psys": 1.0}
        server, die = {"pkg": 1.0, "ram": 1.0}, {"pkg": 1.0}
        packages, esu, esus, places = {
            "client": ({0: everything}, 14, {}, None),
            "xeon2s": ({0: server, 32: server}, 14, {"ram": 16}, None),
            "spr2s": ({0: {**server, "psys": 1.0}, 56: server}, 14, {"psys": 0}, None),
            "zen": ({0: die}, 16, {}, None),
            "clxap": ({0: die, 24: server}, 14, {"ram": 16}, {0: (0, 0), 24: (0, 1)}),
        }[kind]
        machine = PerfMachine(
            tmp_path, packages, VirtualClock(50_000), esu=esu, esus=esus, places=places
        )
        counts: dict[str, Count] = {}
        for (event, cpu), register in machine.registers.items():
            id_ = PERF_CHANNELS[kind, event, cpu]
            counts[id_] = register.count
            shake(register.count, random_power(random, MOST_W[domain(id_)], 0.02), random)
            if event == "ram" and register.esu == 16 and random.random() < 0.5:
                register.count.true_unit_nj = SERVER_DRAM  # as the data sheets have it
        return machine, counts

    return build


PERF_CHANNELS: Mapping[tuple[str, str, int], str] = {
    ("client", "pkg", 0): "cpu/0/package",
    ("client", "cores", 0): "cpu/0/core",
    ("client", "gpu", 0): "cpu/0/uncore",
    ("client", "ram", 0): "cpu/0/dram",
    ("client", "psys", 0): "board/psys",
    ("xeon2s", "pkg", 0): "cpu/0/package",
    ("xeon2s", "ram", 0): "cpu/0/dram",
    ("xeon2s", "pkg", 32): "cpu/1/package",
    ("xeon2s", "ram", 32): "cpu/1/dram",
    ("spr2s", "pkg", 0): "cpu/0/package",
    ("spr2s", "ram", 0): "cpu/0/dram",
    ("spr2s", "psys", 0): "board/psys",
    ("spr2s", "pkg", 56): "cpu/1/package",
    ("spr2s", "ram", 56): "cpu/1/dram",
    ("zen", "pkg", 0): "cpu/0/package",
    ("clxap", "pkg", 0): "cpu/0.0/package",
    ("clxap", "pkg", 24): "cpu/0.1/package",
    ("clxap", "ram", 24): "cpu/0.1/dram",
}
BuildPerf = Callable[[Random, str], tuple[PerfMachine, dict[str, Count]]]


def perf_meter(machine: PerfMachine, cpu: Cpu) -> PerfMeter:
    return PerfMeter(
        machine.root,
        clock=machine.clock,
        perf_event_open=machine.perf_event_open,
        read=machine.read,
        cpu=cpu,
        paranoid=machine.paranoid,
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["client", "xeon2s", "spr2s", "zen", "clxap"])
def test_every_window_of_perf_holds_the_truth(
    perf_machine: BuildPerf, kind: str, seed: int
) -> None:
    random = Random(f"{kind} {seed}")
    machine, counts = perf_machine(random, kind)
    meter = perf_meter(machine, AMD if kind == "zen" else INTEL)
    assert {channel.id for channel in meter.channels} == set(counts)
    hold(meter, machine.clock, counts, random)


@pytest.mark.parametrize("seed", range(20))
def test_long_windows_of_perf_hold_the_truth_at_powers_its_timer_was_not_made_for(
    perf_machine: BuildPerf, seed: int
) -> None:
    random = Random(seed)
    machine, counts = perf_machine(random, "zen")
    meter = perf_meter(machine, AMD)
    hold(meter, machine.clock, counts, random, windows=5, seconds=(30, 900))


# pyRAPL


PYRAPL: Mapping[str, list[str | None]] = {
    "xeon2s": ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"],
    "spr2s": ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:2", "intel-rapl:2:0"],
    "client": ["intel-rapl:0", "intel-rapl:0:2"],
    "zen": ["intel-rapl:0", None],
}
"""What pyRAPL gives on each machine: package and DRAM, socket by socket."""


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("layout", PYRAPL)
def test_every_window_of_pyrapl_holds_the_truth(tmp_path: Path, layout: str, seed: int) -> None:
    random = Random(f"{layout} {seed}")
    emulated, counts = powercap_machine(tmp_path, layout, random)
    read = {CHANNELS[layout][slot] for slot in PYRAPL[layout] if slot}
    meter = PyraplMeter(
        FakePyrapl(emulated, PYRAPL[layout]),
        root=emulated.root,
        clock=emulated.clock,
        cpu=AMD if layout == "zen" else INTEL,
    )
    assert {channel.id for channel in meter.channels} == read
    hold(meter, emulated.clock, {id_: counts[id_] for id_ in read}, random)
