"""How much a loop changes the latency that it measures, beside a bare loop of the same work.

    python benchmarks/disturbance.py                     measures, writes a run and its page
    python benchmarks/disturbance.py --page FILE.json    writes the page of an earlier run again

Other tools are measured where they are installed (``pip install '.[peers]'``). On a machine without
RAPL the script runs itself in a mount namespace (``unshare -Urm``) with one emulated zone.

Everything runs in one process on one core. Each loop has a bare loop of its own as neighbour, a
fraction of a second away; which of the two comes first is drawn, and turned round in the round
after (ABBA), as is the order of the loops. A bare loop stands beside itself too: its row shows
what this comparison can tell. The exit code is 0 if the limit is shown to hold, else 1.
"""

import argparse
import gc
import json
import os
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import contenders
import emulated_zone
from contenders import Loop, Work, bare
from disturbance_page import holds, page

from bench.guard import foreign_cpu_s
from bench.machine import fingerprint, git_state, versions

ROOT = Path(__file__).resolve().parent.parent
SPIN_UP_S = 0.01
LINE, PAGE = 64, 4096  # bytes
SIDE = 64  # three matrices of 16 KiB: a work whose data a disturbance can push out of a cache


@dataclass(frozen=True, slots=True)
class Plan:
    """How one workload is measured.

    Args:
        name: What it is called.
        seconds: How long one call is to take.
        block_s: How long one loop runs.
        rounds: How often all loops run; even, for two of them mirror each other.
    """

    name: str
    seconds: float
    block_s: float
    rounds: int

    @property
    def calls(self) -> int:
        """Calls of one loop."""
        return round(self.block_s / self.seconds)


PLANS = (
    Plan("50 µs", 50e-6, block_s=0.05, rounds=100),
    Plan("1 ms", 1e-3, block_s=0.05, rounds=100),
    Plan("20 ms", 20e-3, block_s=0.14, rounds=80),
)


def product(times: int, source: random.Random) -> Work:
    """So many products of two matrices that fit the first cache, into a third: one call of numpy.

    A work written in Python ran faster in some contenders than in others, and in other ones the
    next time, by how the addresses of stack and data meet (Mytkowicz et al. 2009, "Producing wrong
    data without doing anything obviously wrong"). So it is C alone, and where data lie is drawn.
    """
    import numpy as np

    numbers = np.random.default_rng(0).standard_normal((3, SIDE, SIDE))
    placed = (_placed(matrix, source) for matrix in numbers)
    again = (np.lib.stride_tricks.as_strided(m, (times, *m.shape), (0, *m.strides)) for m in placed)
    return partial(np.matmul, *again)


def _placed(matrix: Any, source: random.Random) -> Any:  # noqa: ANN401 - numpy is imported late
    """A copy in single precision that begins at a drawn cache line of a page."""
    import numpy as np

    room = np.empty(matrix.size * 4 + LINE + PAGE, dtype=np.uint8)
    begin = -room.ctypes.data % LINE + LINE * source.randrange(PAGE // LINE)
    copy = room[begin : begin + matrix.size * 4].view(np.float32).reshape(matrix.shape)
    copy[:] = matrix
    return copy


def calibrated(seconds: float) -> int:
    """How many products take so long."""
    times = 10
    work = product(times, random.Random(0))  # noqa: S311 - it places data, it keeps no secret
    return max(1, round(times * seconds / bare(work, 2000)))


def order(names: list[str], rounds: int, source: random.Random) -> Iterator[list[tuple[str, bool]]]:
    """For each round the loops in their order, each with whether its bare neighbour goes first.

    Every second round mirrors the one before: what drifts steadily cancels in the two.
    """
    for _ in range(0, rounds, 2):
        drawn = [(name, source.random() < 0.5) for name in source.sample(names, len(names))]  # noqa: PLR2004
        yield drawn
        yield [(name, not first) for name, first in reversed(drawn)]


def measure(
    loops: Mapping[str, Loop], plan: Plan, make: Callable[[random.Random], Work]
) -> dict[str, Any]:
    """Median latencies of each loop and of its bare neighbour in each round, s.

    Args:
        loops: By name.
        plan: How long and how often.
        make: Gives the work of a loop and its neighbour, somewhere in memory.
    """
    source = random.Random(plan.name)  # noqa: S311 - it orders loops, it keeps no secret
    found: dict[str, dict[str, list[float]]] = {name: {"bare": [], "own": []} for name in loops}
    for sequence in order(list(loops), plan.rounds, source):
        for name, bare_first in sequence:
            work = make(source)
            for side in ("bare", "own") if bare_first else ("own", "bare"):
                spin_up(work)
                loop = bare if side == "bare" else loops[name]
                found[name][side].append(round(loop(work, plan.calls), 10))
    return found


def spin_up(work: Work) -> None:
    """Works for a moment: none profits from the end of another, which may have slept."""
    until = time.perf_counter() + SPIN_UP_S
    while time.perf_counter() < until:
        work()


def pinned() -> int | None:
    """Binds this process, and all threads that it will have, to one CPU; None if it cannot."""
    try:
        cpu = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpu})
    except (AttributeError, OSError):
        return None
    return cpu


def measured_run() -> dict[str, Any]:
    """Measures everything that can be measured here."""
    warnings.simplefilter("ignore")  # peers leave files open
    machine, started = fingerprint(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    git, cpu = git_state(ROOT), pinned()
    began, busy = time.monotonic(), foreign_cpu_s()
    with tempfile.TemporaryDirectory() as folder:
        ours = contenders.joulebench(Path(folder))
        peers, missing = contenders.peers()
        latencies, plans = measure_all({contenders.BARE: bare, **ours, **peers})
    taken = foreign_cpu_s()
    others = None if busy is None or taken is None else (taken - busy) / (time.monotonic() - began)
    stamp = started.replace("-", "").replace(":", "")
    return {
        "path": f"results/disturbance/{stamp}-{machine.id}.json",
        "started": started,
        "git": asdict(git) if git else None,
        "machine": asdict(machine),
        "cpu": cpu,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "others_cpu": others,
        "zone": emulated_zone.origin(),
        "packages": versions(contenders.PEERS),
        "missing": missing,
        "plans": plans,
        "ours": {name: asdict(loop.count) for name, loop in ours.items()},
        "latencies_s": latencies,
    }


def measure_all(loops: Mapping[str, Loop]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The latencies of every plan, and the plans with the work that they came to."""
    times = {plan: calibrated(plan.seconds) for plan in PLANS}
    gc.collect()
    gc.freeze()  # as in a measurement: no collection walks what was alive before
    latencies = {plan.name: measure(loops, plan, partial(product, times[plan])) for plan in PLANS}
    return latencies, [
        {**asdict(p), "calls": p.calls, "products": times[p], "side": SIDE} for p in PLANS
    ]


def write(run: Mapping[str, Any]) -> None:
    """Writes a run, one line for each of its fields."""
    fields = ",\n".join(f" {json.dumps(key)}: {json.dumps(run[key])}" for key in run)
    path = ROOT / run["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{{\n{fields}\n}}\n", encoding="utf-8")


def write_page(run: Mapping[str, Any]) -> str:
    """Writes the page, and gives its text."""
    text = page(run)
    (ROOT / "reports" / "disturbance.md").write_text(text, encoding="utf-8")
    return text


def main() -> int:
    """Measures and writes, or writes an earlier run's page again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, metavar="FILE", help="an earlier run")
    options = parser.parse_args()
    if options.page:
        run = json.loads(options.page.read_text(encoding="utf-8"))
    else:
        emulated_zone.ensure()
        run = measured_run()
        write(run)
    print(write_page(run))
    return 0 if holds(run) else 1


if __name__ == "__main__":
    sys.exit(main())
