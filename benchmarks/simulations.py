"""Simulated sessions, of which truth is known, through the loop and the statistics of real ones.

Nothing here is a measurement of a machine: `bench.simulated.SimulatedDevice` lives in virtual time.
`trust.py` and `time_to_verdict.py` count what these sessions say.
"""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.block import Side
from bench.compare import compare
from bench.measure import measure_case
from bench.pairs import energy_ratio, pairs_of
from bench.quantities import Quantity
from bench.record import CaseRecord, Run, Window
from bench.records import Journal
from bench.row import Row
from bench.schedule import PROFILES, Schedule
from bench.simulated import PACKAGE, DeviceModel, SimulatedDevice, Work
from bench.simulated import Counter as Meter
from bench.statistics import Verdict, pairs_to_decide, verdict

NIGHT = DeviceModel(
    noise=0.01, power_noise=0.005, correlation=0.5, process_effect=0.006, spikes=0.02
)
"""Process effect 0.6 %, noise of a block 1 % with lag-1 correlation 0.5, and rare spikes."""

CALL_S = 0.01


def case(name: str, baseline: str) -> CaseRecord:
    """The record of a simulated case."""
    technique = "baseline" if name == baseline else "variant"
    return CaseRecord(
        name, "simulated", technique, {}, "simulated", "cpu", 1, 1, None, baseline, None, None,
        {}, None, None, None, "1", "call",
    )  # fmt: skip


def measured(
    name: str, device: SimulatedDevice, works: Sequence[Work], schedule: Schedule, seed: int
) -> list[Window]:
    """The windows of one case: the baseline's work, and the variant's or again the baseline's."""
    role = "variant" if len(works) > 1 else "control"
    loops = [device.loop(work) for work in works]
    sides = Side("baseline", loops[0], 1), Side(role, loops[-1], 1)
    blocks = measure_case(name, sides, schedule, device.instruments(), seed)
    return [block for block in blocks if isinstance(block, Window)]


def session(
    device: SimulatedDevice,
    ratio: float,
    schedule: Schedule,
    seed: int,
    control: Schedule | None = None,
) -> Row:
    """The row of a variant beside its baseline, in a session with an A/A control or without."""
    works = Work(CALL_S), Work(CALL_S * ratio)
    settings = {"target": schedule.target, "margin": schedule.margin}
    run = Run(
        "simulated", "", "", settings, seed, None, {"id": "simulated"}, {}, device.channels, ()
    )
    windows = measured("a", device, works[:1], control, seed) if control else []
    windows += measured("b", device, works, schedule, seed)
    cases = (case("a", "a"), case("b", "a")) if control else (case("b", "a"),)
    return compare([Journal(Path(), run, cases, tuple(windows))])[0].rows[-1]


def joules(work: Work, model: DeviceModel) -> float:
    """The true energy of a call, J."""
    return SimulatedDevice(model).joules_per_call(work)


def coverage(model: DeviceModel, profile: str, seed: int) -> dict[str, Any]:
    """Does a session's interval hold the truth?"""
    schedule, ratio = PROFILES[profile], 0.95
    row = session(SimulatedDevice(model, seed), ratio, schedule, seed)
    assert isinstance(row.energy, Quantity)  # noqa: S101 - the device has a counter
    assert row.energy_ratio is not None  # noqa: S101 - and so is there a ratio
    truth = joules(Work(CALL_S * ratio), model)
    return {
        "joules": row.energy.low <= truth <= row.energy.high,
        "ratio": row.energy_ratio.low <= ratio <= row.energy_ratio.high,
        "noisy": row.noisy,
        "pairs": row.energy_ratio.n,
        "half": (row.energy_ratio.high - row.energy_ratio.low) / 2,
    }


def verdicts(ratio: float, profile: str, pairs: int | None, seed: int) -> dict[str, Any]:
    """What a session says of a variant with a true *ratio*."""
    schedule = PROFILES[profile]
    if pairs is not None:
        schedule = replace(schedule, pairs=pairs, target=None)
    row = session(SimulatedDevice(NIGHT, seed), ratio, schedule, seed, control=schedule)
    return {"verdict": str(row.energy_verdict)}


def drift(seed: int) -> dict[str, Any]:
    """How far 5 % of linear drift in power over a session moves the ratio, in pairs and in turn."""
    schedule = replace(PROFILES["nightly"], pairs=12, target=None)
    blocks = 2 * 12 * schedule.fit(SimulatedDevice(NIGHT).channels).aim_s
    model = DeviceModel(drift=0.05 / (blocks + 4))  # with the warm-ups
    device = SimulatedDevice(model, seed)
    works = Work(CALL_S), Work(CALL_S * 0.95)
    found = energy_ratio(pairs_of(measured("b", device, works, schedule, seed)), device.channels)
    assert found is not None  # noqa: S101 - there are twelve pairs
    device = SimulatedDevice(model, seed)
    begin = device.now_ns / 1e9
    spent = []
    for work in works:  # all of one side, then all of the other
        began = device.now_ns / 1e9
        device.loop(work)(round(blocks / 2 / work.seconds))
        passed = device.now_ns / 1e9 - began
        spent.append(device.energy(PACKAGE, began, began + passed) / passed * work.seconds)
    return {
        "pairs": abs(found.ratio().value / 0.95 - 1),
        "in turn": abs(spent[1] / spent[0] / 0.95 - 1),
        "seconds": device.now_ns / 1e9 - begin,
    }


def named(noise: float, correlation: float, ratio: float, seed: int) -> dict[str, Any]:
    """How many pairs an unresolved session of twelve names, and at which numbers it is decided."""
    model = DeviceModel(noise=noise, power_noise=noise / 2, correlation=correlation, spikes=0.02)
    schedule = replace(PROFILES["nightly"], pairs=120, target=None)
    device = SimulatedDevice(model, seed)
    works = Work(CALL_S), Work(CALL_S * ratio)
    pairs = pairs_of(measured("b", device, works, schedule, seed))
    decided, asked = [], None
    for number in range(12, 121, 2):
        found = energy_ratio(pairs[:number], device.channels)
        assert found is not None  # noqa: S101 - there are pairs
        says = verdict(found.ratio(), schedule.margin)
        if number == 12 and says is Verdict.UNRESOLVED:
            asked = pairs_to_decide(found.ratio(), schedule.margin)
        decided.append(says is not Verdict.UNRESOLVED)
    return {"asked": asked, "decided": decided}


def phases(seed: int, *, shifted: bool) -> dict[str, Any]:
    """J per call of a load with the sensor's own period, as a share of the truth.

    The sensor sees 25 ms of every 100 ms; half of each call of 100 ms is work, and where in the
    call it lies is another in each session.
    """
    meter = Meter(update_s=0.1, seen_s=0.025, resolution=1e-3)
    device = SimulatedDevice(DeviceModel(counters=(meter,)), seed)
    start = 0.1 * (seed * 0.618034 % 1)
    early = max(0.0, start - 0.05)  # what is left of the work at the beginning of the call
    pieces = [
        (early, 60.0),
        (start - early, 0.0),
        (0.05 - early, 60.0),
        (0.05 - start + early, 0.0),
    ]
    work = Work(0.1, shape=tuple((s, w) for s, w in pieces if s > 1e-9))
    schedule = replace(PROFILES["nightly"], target=None, shifted=shifted)
    found = [
        (window.energy[0].joules or 0.0) / window.samples
        for window in measured("a", device, [work], schedule, seed)
        if window.role != "warmup"
    ]
    return {"joules": statistics.fmean(found) / device.joules_per_call(work)}
