"""The loops of `disturbance`: each runs the same work n times, and gives the median latency."""

import contextlib
import io
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import emulated_zone
from emulated_zone import MOST_UJ, ZONE

from bench.block import Place, measure_window
from bench.instruments import Instruments
from bench.meter import Channel, Meter, Reading, Unusable
from bench.meters._cpu import Cpu
from bench.meters.powercap import PowercapMeter
from bench.quantities import Kind
from bench.runtimes.eager import prepare

Work = Callable[[], object]
Loop = Callable[[Work, int], float]
"""Runs a work so many times, and gives the median of their latencies, s."""

BARE = "bare loop, beside itself"
COUNTER = "joulebench, reading RAPL"
GAUGE = "joulebench, with a gauge polled every 20 ms as well"
GAUGE_S = 0.02  # as often as any power gauge of a GPU is refreshed
_PLACE = Place("disturbance", "baseline", 0, 0)
_REFRESHES_PER_S, _STEP_UJ = 1000, 20_000  # 20 W, in the steps in time of the hardware


def bare(work: Work, calls: int) -> float:
    """What anyone would write: a look at the clock after each call, and nothing else."""
    clock, stamps = time.perf_counter_ns, [0] * (calls + 1)
    stamps[0] = clock()
    for index in range(1, calls + 1):
        work()
        stamps[index] = clock()
    return median_s(stamps)


def median_s(stamps: list[int]) -> float:
    """The median of the times between neighbouring stamps in ns, s.

    >>> median_s([0, 1000, 3000, 10_000])
    2e-06
    """
    return statistics.median(after - before for before, after in pairwise(stamps)) / 1e9


@dataclass
class Count:
    """How many windows were run, and how many of them gave the energy of every channel."""

    windows: int = 0
    resolved: int = 0


class JoulebenchLoop:
    """This package's own loop around its own instruments, as a measurement runs it.

    Args:
        instruments: What it reads.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._instruments, self.count = instruments, Count()

    def __call__(self, work: Work, calls: int) -> float:
        """The median latency of one window."""
        run = partial(prepare(work, ()), calls)
        window = measure_window(self._instruments, run, _PLACE, calls=calls, samples=calls)
        self.count.windows += 1
        self.count.resolved += all(each.joules is not None for each in window.energy)
        assert window.latency_s is not None  # noqa: S101 - there are calls
        return window.latency_s.p50


class FileGauge:
    """A power gauge that is a file, read as a sensor of hwmon is: it shows 21.5 W."""

    name = "gauge"
    prompt = True
    unusable: tuple[Unusable, ...] = ()
    channels = (
        Channel(
            "gpu/emulated/board",
            "gpu",
            Kind.SAMPLED,
            "gpu-board",
            resolution=1e-6,
            update_interval_s=GAUGE_S,
            wrap=None,
            p_max_w=400.0,
            origin="file",
            unit="W",
            poll_s=GAUGE_S,
        ),
    )

    def __init__(self, path: Path) -> None:
        path.write_text("21500000\n", encoding="ascii")
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> tuple[Reading, ...]:
        """One reading."""
        before = time.monotonic_ns()
        microwatts = os.pread(self._fd, 64, 0)
        value = int(microwatts) / 1e6
        return (Reading(self.channels[0].id, before, time.monotonic_ns(), value),)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)


def counting(fd: int, size: int, offset: int) -> bytes:
    """Reads the emulated counter, and shows what it would if it counted 20 W.

    No program writes the file meanwhile: it would disturb the loops more than any reading.
    """
    os.pread(fd, size, offset)
    refreshes = time.monotonic_ns() * _REFRESHES_PER_S // 10**9
    return b"%d\n" % (refreshes * _STEP_UJ % MOST_UJ)


def powercap() -> PowercapMeter:
    """The meter of this machine's RAPL, or of the emulated zone."""
    if emulated_zone.is_emulated():
        return PowercapMeter(Path("/sys"), pread=counting, cpu=Cpu("GenuineIntel"))
    return PowercapMeter(Path("/sys"))


def joulebench(folder: Path) -> dict[str, JoulebenchLoop]:
    """This package's loop with a counter, and with a gauge beside it that must be polled."""
    gauge: Meter = FileGauge(folder / "power1_average")
    return {
        COUNTER: JoulebenchLoop(Instruments((powercap(),))),
        GAUGE: JoulebenchLoop(Instruments((powercap(), gauge))),
    }


def pytest_benchmark() -> Loop:
    """pytest-benchmark: its fixture's pedantic mode, with the options that it has by default."""
    from pytest_benchmark import fixture, utils

    make: Any = fixture.BenchmarkFixture  # what it is made of has no types
    timer: Any = utils.NameWrapper
    silent: Any = SimpleNamespace(debug=_nothing, info=_nothing, warning=_nothing)
    node = SimpleNamespace(name="disturbance", nodeid="disturbance")
    options = {
        "disable_gc": False,
        "timer": timer(time.perf_counter),
        "min_rounds": 5,
        "min_time": 0.000005,
        "max_time": 1.0,
        "precision": None,
        "confidence": None,
        "warmup": False,
        "warmup_iterations": 100_000,
        "calibration_precision": 10,
        "cprofile": None,
        "cprofile_loops": None,
        "cprofile_dump": None,
    }

    def loop(work: Work, calls: int) -> float:
        benchmark = make(
            node, add_stats=_nothing, logger=silent, warner=_nothing, disabled=False, **options
        )
        benchmark.pedantic(work, rounds=calls)
        return float(benchmark.stats.stats.median)

    return loop


def codecarbon() -> Loop:
    """codecarbon: a tracker around the bare loop, with the intervals it has by default."""
    from codecarbon import OfflineEmissionsTracker

    def loop(work: Work, calls: int) -> float:
        tracker = OfflineEmissionsTracker(
            country_iso_code="FRA", save_to_file=False, log_level="error", allow_multiple_runs=True
        )
        tracker.start()
        try:
            return bare(work, calls)
        finally:
            tracker.stop()

    return loop


def zeus() -> Loop:
    """zeus: a window of its monitor around the bare loop."""
    from zeus.monitor import ZeusMonitor

    monitor = ZeusMonitor(gpu_indices=[])
    if not monitor.cpu_indices:
        raise RuntimeError(f"it finds no RAPL at {ZONE.parent}")

    def loop(work: Work, calls: int) -> float:
        monitor.begin_window("loop")
        try:
            return bare(work, calls)
        finally:
            monitor.end_window("loop")

    return loop


PEERS = {"pytest-benchmark": pytest_benchmark, "codecarbon": codecarbon, "zeus": zeus}


def peers() -> tuple[dict[str, Loop], dict[str, str]]:
    """Loops of other tools that can run here, by name, and why the rest cannot."""
    found, missing = {}, {}
    for name, make in PEERS.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                loop = make()
                loop(_nothing, 5)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises, the others are measured
            missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            found[name] = loop
    return found, missing


def _nothing(*_: object, **__: object) -> None:
    """Does nothing."""
