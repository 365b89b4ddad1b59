"""The true energy lies in every window of a replayed trace, and of an estimate within its range."""

import json
from pathlib import Path
from random import Random

import pytest
from emulators import VirtualClock
from known_power import KnownPower, assert_windows_hold, random_power

from bench.meters.codecarbon import CodecarbonMeter, PowerModel
from bench.meters.replay import ReplayMeter


@pytest.mark.parametrize("seed", range(40))
def test_every_window_of_a_replayed_trace_holds_its_energy(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    hold_s = random.choice([0.001, 0.01, 0.1])
    power = random_power(random, 200.0, random.uniform(0.3, 5) * hold_s, levels=50)
    starts, at = [], 0.0
    for seconds in power.seconds:
        starts.append(at)
        at += seconds
    step_j = random.choice([6.1e-5, 1e-3])
    trace = {
        "id": "cpu/0/package",
        "domain": "package",
        "kind": "measured",
        "boundary": "cpu-package",
        "resolution_j": step_j,
        "update_interval_s": hold_s,
        "wrap_j": 240.0 * 200 * hold_s * 10,
        "start_j": random.uniform(0, 1e4),
        "p_max_w": 240.0,
        "power": list(zip(starts, power.watts, strict=True)),
        "period_s": at,
    }
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"channels": [trace]}))
    clock = VirtualClock(max(200, round(hold_s * 1e5)), now_ns=random.randrange(10**12))
    meter = ReplayMeter(path, clock=clock)
    began_s = clock.now_ns / 1e9

    def truth(t0: float, t1: float) -> float:
        return power.energy(t0 - began_s, t1 - began_s)

    checked = assert_windows_hold(
        meter,
        clock,
        {"cpu/0/package": truth},
        random,
        windows=25,
        seconds=(4 * hold_s, 60 * hold_s),
    )

    assert checked == 25


@pytest.mark.parametrize("seed", range(40))
def test_every_window_of_an_estimate_holds_what_its_range_allows(seed: int) -> None:
    """The processor draws some share of what the table says, anywhere within the stated range."""
    random = Random(seed)
    model = PowerModel(watts=random.uniform(2, 20), threads=4, range=(0.3, 3.0), source="a table")
    clock = VirtualClock(20_000)
    busy: KnownPower = random_power(random, 3.9, 0.05, levels=50)  # CPUs in use
    factor = random.uniform(*model.range)
    meter = CodecarbonMeter(model, lambda: busy.energy(0, clock.now_ns / 1e9), clock=clock)

    def truth(t0: float, t1: float) -> float:
        return factor * model.watts * busy.energy(t0, t1)

    (channel,) = meter.channels
    checked = assert_windows_hold(
        meter, clock, {channel.id: truth}, random, windows=25, seconds=(0.5, 5.0)
    )

    assert checked == 25
