"""The true energy of a window lies in the bound: from the meter's line to the joules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from emulated_trace import (
    EPOCH_S,
    Line,
    Room,
    Wattmeter,
    assert_trace_windows_hold,
    in_memory,
    iso,
    ptd,
)
from known_power import assert_windows_hold, random_power

GARBLED: Sequence[Callable[[str], str]] = (
    lambda line: line[: len(line) // 2],
    lambda line: "",
    lambda line: "\x00\x00",
    lambda line: "N/A",
)


@dataclass(frozen=True)
class Kind:
    """What a meter writes, and what is asked of it."""

    line: Line
    query: str = ""
    header: tuple[str, ...] = ()
    intervals: tuple[float, ...] = (1.0,)
    counts: bool = False
    own_clock: bool = False
    most_w: float = 100.0
    late_s: tuple[float, ...] = (0.0, 0.2, 1.0)
    prompt_s: float = 0.03
    jitter_s: float = 0.02
    bad: tuple[float, ...] = (0.0, 0.1)
    bad_lines: Sequence[Callable[[str], str]] = GARBLED
    hold: int = 1
    stream: dict[str, object] = field(default_factory=dict)


def invalid_ptd(line: str) -> str:
    fields = line.split(",")
    fields[3] = "-1.000000"
    return ",".join(fields)


KINDS = {
    "a PTDaemon log": Kind(ptd, bad_lines=(invalid_ptd, lambda line: line.replace("Watts", "W"))),
    "PTDaemon on a clock of its own": Kind(
        ptd, "clock=device", own_clock=True, stream={"interval_s": 1.0, "period_s": 0.25}
    ),
    "a table in mW and unix ms": Kind(
        lambda t, watts: f"{t * 1e3:.0f},{watts * 1e3:.0f},5.0",
        "watts=Main&scale=1e-3",
        ("Timestamp,Main,Voltage (V)",),
        intervals=(0.2, 0.5, 1.0),
        bad_lines=(lambda line: "1", lambda line: line.replace(",", ";")),
    ),
    "a table in UTC with a constant voltage": Kind(
        lambda t, watts: f"{iso(t)};{1000 * watts / 5.1:.2f}".replace(".", ","),
        "volts=5.1&amps=Current (mA)",
        ("Time;Current (mA)",),
        intervals=(0.5, 1.0),
        most_w=20.0,
    ),
    "an accumulator on a clock of its own": Kind(
        lambda t, joules: f"{t:.4f},{joules:.6f}",
        "joules=energy",
        ("#time,energy",),
        intervals=(0.1, 0.5),
        counts=True,
        own_clock=True,
        most_w=15.0,
    ),
    "a total in mWh and UTC": Kind(
        lambda t, joules: f"{iso(t)}\t{joules / 3.6:.3f}",
        "",
        ("Date\tEnergy [mWh]",),
        counts=True,
        intervals=(0.5, 1.0),
        most_w=40.0,
    ),
    "a pipe of times and watts": Kind(
        lambda t, watts: f"{t:.3f} {watts:.2f}", own_clock=True, intervals=(0.1, 0.5, 1.0)
    ),
    "a pipe of watts": Kind(lambda t, watts: f"{watts:.2f}", late_s=(0.0,), intervals=(0.2, 1.0)),
    "monotonic times of this machine": Kind(
        lambda t, watts: f"{t - EPOCH_S:.4f},{watts:.1f}",
        "clock=monotonic&unit=W",
        ("time,power",),
        intervals=(0.2, 1.0),
    ),
    "a plug that holds its value, logged more often": Kind(
        lambda t, watts: f"{t:.3f},{watts:.1f}",
        "time=t&watts=p",
        ("t,p",),
        intervals=(0.2,),
        hold=5,
        bad=(0.0,),
    ),
}


def room(kind: Kind, random: Random) -> tuple[Room, str, Wattmeter]:
    """A room with one meter of a kind, what is asked of the trace, and the meter."""
    interval = random.choice(kind.intervals)
    bad = random.choice(kind.bad)
    # a gauge cannot show what is shorter than its lag and two gaps, of which each may have lost one
    dwell = 2 * interval * kind.hold + 2 * interval * (3 if bad else 2)
    source = Wattmeter(
        random_power(random, kind.most_w, dwell),
        random,
        kind.line,
        interval_s=interval,
        counts=kind.counts,
        offset_s=random.uniform(0, 1e5)
        if kind.own_clock
        else EPOCH_S + random.uniform(-1, 1) * 0.09,
        drift=random.uniform(-4e-4, 4e-4) if kind.own_clock else 0.0,
        late_s=random.choice(kind.late_s),
        prompt_s=kind.prompt_s,
        jitter_s=min(kind.jitter_s, interval / 10),
        bad=bad,
        bad_lines=kind.bad_lines,
        hold=kind.hold,
    )
    if kind.query.startswith("clock=monotonic"):
        source.offset_s = EPOCH_S
    most = kind.most_w * random.uniform(1.0, 1.5)
    query = "&".join(part for part in (kind.query, f"p_max_w={most}") if part)
    return in_memory(source, kind.header, **kind.stream), query, source


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", KINDS)
def test_the_true_energy_lies_in_the_bound(name: str, seed: int) -> None:
    random = Random(f"{name} {seed}")
    emulated, query, source = room(KINDS[name], random)
    meter = emulated.open(query)
    (channel,) = meter.channels

    shortest = max(1.05 * channel.lag_s, 3 * channel.update_interval_s)
    checked = assert_trace_windows_hold(
        meter,
        emulated.clock,
        source.power.energy,
        random,
        windows=10,
        seconds=(shortest, 6 * shortest),
    )

    assert checked >= 9  # what is late and next to a lost line is left out
    meter.close()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", [name for name in KINDS if not KINDS[name].counts])
def test_it_lies_there_whoever_reads_the_gauge(name: str, seed: int) -> None:
    random = Random(f"{seed} {name}")
    emulated, query, source = room(KINDS[name], random)
    meter = emulated.open(query)
    (channel,) = meter.channels

    shortest = 1.1 * channel.lag_s
    truth = {channel.id: source.power.energy}
    times = (shortest, 4 * shortest)
    assert_windows_hold(meter, emulated.clock, truth, random, windows=5, seconds=times)
    meter.close()
