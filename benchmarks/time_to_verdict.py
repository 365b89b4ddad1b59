"""How long until a right verdict on a true 5 %? Ours, and the procedures of two other tools.

    python benchmarks/time_to_verdict.py                     simulates, writes a run and its page
    python benchmarks/time_to_verdict.py --page FILE.json    writes the page of an earlier run again

A procedure is right when it tells a variant of 0.95 from its baseline, and a build of the same model
from another; its time is what it takes until both happen in 95 % of its verdicts. All of them meet
one simulated device and one noise (`simulations.py`), at 10 ms a call:

- **pytest-benchmark** with its defaults: rounds of one call for 1 s or at least five; the run of
  the variant is compared with a stored one of the baseline, of another night (its
  ``--benchmark-compare-fail=mean:5%``). Each run is a process of its own.
- **optimum-benchmark** with its defaults, latency and energy: ten warm-up calls, then calls for
  10 s for the latency, then for 10 s for the energy, each side in a process of its own, one after
  the other. It gives no verdict: a reader compares two numbers.

Where a tool leaves the threshold to the reader, it is the best there is for the two truths, half of
the difference; where one run is not right often enough, the means of several runs are compared.
Nobody who does not know the truth could do better with these tools.
"""

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from committed_run import Found, program
from simulations import CALL_S, NIGHT, session

from bench.schedule import PROFILES
from bench.session import CONTROL_PAIRS
from bench.simulated import PACKAGE, DeviceModel, SimulatedDevice, Work

RUNS = 1000
MOST_RUNS = 40
RIGHT = 0.95
TRUE = 0.95
DIFFERENT_NIGHTS = replace(NIGHT, night_effect=0.015)


def pytest_benchmark(model: DeviceModel, ratio: float, seed: int) -> tuple[float, float]:
    """Mean seconds per call that one run of pytest-benchmark gives, and how long it took, s."""
    device = SimulatedDevice(model, seed)
    began, loop = device.clock(), device.loop(Work(CALL_S * ratio))
    calibrated = loop(1)[0]  # longer than its least round: one call a round
    rounds = [loop(1)[0] for _ in range(max(5, math.ceil(1.0 / calibrated)))]
    loop(1)  # once more at the end
    return statistics.fmean(rounds), (device.clock() - began) / 1e9


def optimum_benchmark(model: DeviceModel, ratio: float, seed: int) -> tuple[float, float]:
    """Mean joules per call that one run of optimum-benchmark gives, and how long it took, s."""
    device = SimulatedDevice(model, seed)
    began, loop = device.clock(), device.loop(Work(CALL_S * ratio))
    for _ in range(1 + 10):
        loop(1)
    _for_10_s(device, loop)
    t0 = device.clock() / 1e9
    calls = _for_10_s(device, loop)
    joules = device.energy(PACKAGE, t0, device.clock() / 1e9)
    return joules / calls, (device.clock() - began) / 1e9


def _for_10_s(device: SimulatedDevice, loop: Callable[[int], Sequence[float]]) -> int:
    began, calls = device.clock(), 0
    while device.clock() - began < 10e9:
        loop(1)
        calls += 1
    return calls


def ours(profile: str, ratio: float, energy: bool, seed: int) -> tuple[str, float]:  # noqa: FBT001
    """What a session of joulebench says, and how long it measured, s."""
    model = NIGHT if energy else replace(NIGHT, counters=())
    schedule, device = PROFILES[profile], SimulatedDevice(model, seed)
    began = device.clock()
    brief = replace(schedule, pairs=CONTROL_PAIRS, target=None)
    row = session(device, ratio, schedule, seed, control=brief)
    seconds = (device.clock() - began) / 1e9 + schedule.idle_s
    return str(row.energy_verdict if energy else row.time_verdict), seconds


def seconds_to_start() -> float:
    """What a process with torch takes until it can measure here, s: the median of five."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import pytest, torch"], check=True)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def right_share(values: Sequence[tuple[float, float]], runs: int, threshold: float) -> float:
    """How often the means of several runs tell a true difference from none; the worse of both.

    Args:
        values: Logarithms of variant ÷ baseline of single runs: with the difference, and without.
        runs: How many are averaged.
        threshold: Logarithm below which the variant is said to save.
    """
    groups = [values[i : i + runs] for i in range(0, len(values) - runs + 1, runs)]
    means = [tuple(statistics.fmean(side) for side in zip(*group, strict=True)) for group in groups]
    saves = statistics.fmean(different < threshold for different, _ in means)
    none = statistics.fmean(abs(same) < -threshold for _, same in means)
    return min(saves, none)


def procedure(
    run: Callable[[DeviceModel, float, int], tuple[float, float]],
    model: DeviceModel,
    runs: int,
    pool: ProcessPoolExecutor,
) -> tuple[list[tuple[float, float]], float]:
    """Log ratios of single runs with and without a difference, and what two runs take, s."""
    sides = [
        list(pool.map(partial(run, model, ratio), range(first, first + runs), chunksize=20))
        for first, ratio in ((0, 1.0), (runs, TRUE), (2 * runs, 1.0))
    ]
    base, different, same = sides
    logs = [
        (math.log(d[0] / b[0]), math.log(s[0] / b[0]))
        for b, d, s in zip(base, different, same, strict=True)
    ]
    return logs, statistics.fmean(b[1] + d[1] for b, d in zip(base, different, strict=True))


OURS = (
    ("joulebench, energy and time", "quick", True),
    ("joulebench, energy and time", "nightly", True),
    ("joulebench, time only", "quick", False),
)
OWN, BEST = "its own: mean:5%", "half of the difference"
PEERS = (
    (
        "pytest-benchmark, another night",
        pytest_benchmark,
        DIFFERENT_NIGHTS,
        OWN,
        math.log(1 / 1.05),
    ),
    (
        "pytest-benchmark, another night",
        pytest_benchmark,
        DIFFERENT_NIGHTS,
        BEST,
        math.log(TRUE) / 2,
    ),
    ("pytest-benchmark, the same night", pytest_benchmark, NIGHT, BEST, math.log(TRUE) / 2),
    ("optimum-benchmark", optimum_benchmark, NIGHT, BEST, math.log(TRUE) / 2),
)


def simulate(runs: int, start_s: float, workers: int) -> list[Found]:
    """The rows of the page."""
    with ProcessPoolExecutor(workers) as pool:
        rows: list[Found] = [_our_row(*each, runs, pool) for each in OURS]
        for name, run, model, rule, threshold in PEERS:
            logs, seconds = procedure(run, model, runs, pool)
            shares = [right_share(logs, number, threshold) for number in range(1, MOST_RUNS)]
            rows.append(
                {
                    "name": name,
                    "rule": rule,
                    "runs": next((n for n, each in enumerate(shares, 1) if each >= RIGHT), None),
                    "starts": 2,
                    "machine_s": seconds,
                    "right": shares[0],
                }
            )
    for row in rows:
        each = row["machine_s"] + row["starts"] * start_s
        row["wall_s"] = row["runs"] * each if row["runs"] else None
    return rows


def _our_row(name: str, profile: str, energy: bool, runs: int, pool: ProcessPoolExecutor) -> Found:  # noqa: FBT001
    different, same = (
        list(pool.map(partial(ours, profile, ratio, energy), range(runs), chunksize=20))
        for ratio in (TRUE, 1.0)
    )
    calm = statistics.fmean(says not in {"saves", "costs"} for says, _ in same)
    found = statistics.fmean(says == "saves" for says, _ in different)
    open_ = statistics.fmean(says == "unresolved" for says, _ in different)
    right = min(calm, found / (1 - open_))  # one that is unresolved says so, and is run again
    return {
        "name": f"{name}, `{profile}`",
        "rule": "its verdict",
        "runs": round(1 / (1 - open_), 2) if right >= RIGHT else None,
        "starts": 1,
        "machine_s": statistics.fmean(seconds for _, seconds in different),
        "right": min(calm, found),
    }


def page(run: Found) -> str:
    """The page of a run: the same run gives the same bytes."""
    command = f"python benchmarks/time_to_verdict.py --page {run['path']}"
    quick = run["rows"][0]
    lines = [
        "# How long until a right verdict on a true 5 %?",
        "",
        "Simulated: one device, one noise, a call of 10 ms; nothing here is a measurement of a machine, but the start of a process.",
        "A verdict is right if it tells a variant of 0.95 from its baseline, and if it does not tell a build of the same model from another; what counts is the worse of both.",
        f"{run['runs']} sessions each, simulated {run['started']}; a process with torch takes {run['start_s']:.1f} s to start on the machine of the run ({run['machine']['cpu']}).",
        "",
        "| procedure | threshold | right, once | runs of each side until right in 95 % | measuring, s | processes | wall time, s | ÷ ours |",
        "| :-- | :-- | --: | --: | --: | --: | --: | --: |",
        *(_row(row, quick["wall_s"]) for row in run["rows"]),
        "",
        *(
            f"- {what}: {'holds' if holds else '**DOES NOT HOLD**'}."
            for what, holds in limits(run).items()
        ),
        "",
        "A procedure whose own threshold is the difference itself finds it in half of its runs, however many there are.",
        "Where the threshold is half of the difference, somebody knew the difference; joulebench's verdict does not.",
        "Runs of other nights take as many nights; that wait is not in the wall time. pytest-benchmark measures no energy.",
        "A session of ours that is unresolved says so, and is run again: hence its share of a run more.",
        "Ours contain the idle window before, the session's A/A control, warm-ups, and as many pairs as the verdict wanted; the idle window after it is not waited for.",
        "",
        f"Written from [this run](../{run['path']}) by `{command}`.",
        "",
    ]
    return "\n".join(lines)


def limits(run: Found) -> dict[str, bool]:
    """What issue 4 asks for, and whether it holds."""
    quick, *_ = rows = run["rows"]
    own = next(row for row in rows if row["rule"] == OWN)
    optimum = next(row for row in rows if row["name"].startswith("optimum"))

    def half_of(other: Found) -> bool:
        return bool(quick["wall_s"]) and (
            not other["wall_s"] or quick["wall_s"] <= other["wall_s"] / 2
        )

    return {
        "At most half of the wall time of pytest-benchmark's procedure, with its own threshold": half_of(
            own
        ),
        "At most half of the wall time of optimum-benchmark's procedure": half_of(optimum),
    }


def _row(row: Found, ours_s: float | None) -> str:
    runs, wall = row["runs"], row["wall_s"]
    several = runs or 1
    ratio = f"{wall / ours_s:.1f}" if wall and ours_s else "—"
    return (
        f"| {row['name']} | {row['rule']} | {100 * row['right']:.1f} % | {runs or f'not with {MOST_RUNS - 1}'}"
        f" | {several * row['machine_s']:.1f} | {several * row['starts']:g}"
        f" | {f'{wall:.1f}' if wall else 'never'} | {ratio} |"
    )


def simulated() -> Found:
    """What belongs to a run."""
    start_s = seconds_to_start()
    rows = simulate(RUNS, start_s, os.cpu_count() or 1)
    return {"runs": RUNS, "start_s": start_s, "rows": rows}


if __name__ == "__main__":
    program(__doc__ or "", "time-to-verdict", simulated, page)
