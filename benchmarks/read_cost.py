"""What reading one RAPL zone at both ends of a window costs, beside the system calls it is made of.

    python benchmarks/read_cost.py                     measures, writes a run and its page
    python benchmarks/read_cost.py --page FILE.json    writes the page of an earlier run again

Other tools are measured where they are installed (``pip install '.[peers]'``): pyRAPL, pyJoules,
zeus and codecarbon, each by the function with which it reads one counter. On a machine without
RAPL the script runs itself in a mount namespace (``unshare -Urm``) with one emulated zone at
/sys/class/powercap, so that tools with fixed paths find it too; a read then costs what a read of
a file in memory costs, and none of the time in which real hardware answers.

All candidates run in every round, in an order that is drawn anew; a ratio compares a candidate
with the raw system calls of its own round.
"""

import argparse
import contextlib
import gc
import io
import json
import os
import random
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import emulated_zone
from emulated_zone import ZONE

from bench.machine import fingerprint, git_state, versions
from bench.meters._cpu import Cpu
from bench.meters.powercap import PowercapMeter
from bench.statistics import Interval, ratio_interval

ROOT = Path(__file__).resolve().parent.parent
RAW = "two clock reads and one pread, twice"
BESIDE = "joulebench, beside the window"
ROUNDS = 40
ROUND_S = 0.02
LIMIT = 1.5
PEERS = ("pyRAPL", "pyJoules", "zeus", "codecarbon")
Window = Callable[[], object]


def raw() -> Window:
    """The system calls alone: clock, pread, clock, at both ends."""
    clock, pread = time.monotonic_ns, os.pread
    fd = os.open(ZONE / "energy_uj", os.O_RDONLY)

    def window() -> None:
        clock(), pread(fd, 64, 0), clock()
        clock(), pread(fd, 64, 0), clock()

    return window


def ours(meter: PowercapMeter, *, decoded: bool) -> Window:
    """The meter of this package: what stands beside the window, or that and its decoding."""
    capture, read = meter.capture, meter.read

    def beside() -> None:
        capture()
        capture()

    def whole() -> None:
        read()
        read()

    return whole if decoded else beside


def pyrapl() -> Window:
    """pyRAPL: the sensor of all sockets, of which there is one."""
    import pyRAPL

    sensor = pyRAPL.Sensor()
    return lambda: (sensor.energy(), sensor.energy())


def pyjoules() -> Window:
    """pyJoules: the device with its one package."""
    from pyJoules.device.rapl_device import RaplDevice, RaplPackageDomain

    device = RaplDevice()
    device.configure([RaplPackageDomain(0)])
    return lambda: (device.get_energy(), device.get_energy())


def zeus() -> Window:
    """zeus: the CPU with index 0; its process that counts wraps runs beside it, as always."""
    from zeus.device.cpu.rapl import RAPLCPU

    cpu = RAPLCPU(0, str(ZONE.parent))
    read = cpu.get_total_energy_consumption
    read()  # starts that process
    return lambda: (read(), read())


def codecarbon() -> Window:
    """codecarbon: one RAPL file, started and read."""
    from codecarbon.core.rapl import RAPLFile
    from codecarbon.core.units import Time

    file = RAPLFile("package-0", str(ZONE / "energy_uj"), str(ZONE / "max_energy_range_uj"))
    second = Time.from_seconds(1.0)
    return lambda: (file.start(), file.delta(second))


def candidates(meter: PowercapMeter) -> tuple[dict[str, Window], dict[str, str]]:
    """What can run here, by name, and why the rest cannot."""
    found: dict[str, Window] = {
        RAW: raw(),
        BESIDE: ours(meter, decoded=False),
        "joulebench, with its decoding": ours(meter, decoded=True),
    }
    missing = {}
    for make in (pyrapl, pyjoules, zeus, codecarbon):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                window = make()
                window()
        except Exception as error:  # noqa: BLE001 - whatever a peer raises, the others are measured
            missing[make.__name__] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            found[make.__name__] = window
    return found, missing


def measure(found: dict[str, Window], seed: int = 0) -> dict[str, list[float]]:
    """Seconds per window of each candidate in each round."""
    calls = {}
    for name, window in found.items():
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < ROUND_S:
            window()
            count += 1
        calls[name] = count
    source = random.Random(seed)  # noqa: S311 - it orders rounds, it keeps no secret
    seconds: dict[str, list[float]] = {name: [] for name in found}
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name in source.sample(list(found), len(found)):
            window, count = found[name], calls[name]
            began = time.perf_counter()
            for _ in range(count):
                window()
            seconds[name].append((time.perf_counter() - began) / count)
    gc.enable()
    return seconds


def over_raw(run: dict[str, Any], name: str) -> Interval:
    """How many times the raw system calls a candidate takes."""
    seconds = run["seconds"]
    ratio = ratio_interval(list(zip(seconds[RAW], seconds[name], strict=True)))
    assert ratio is not None  # noqa: S101 - there are many rounds
    return ratio


def page(run: dict[str, Any]) -> str:
    """The page of a run: the same run gives the same bytes."""
    machine = run["machine"]
    where = f"{machine['cpu']} ({machine['kernel']}, Python {machine['python']})"
    rows = [_row(run, name) for name in run["seconds"]]
    rows += [f"| {name} | not measured: {reason} | |" for name, reason in run["missing"].items()]
    held = "holds" if over_raw(run, BESIDE).high <= LIMIT else "DOES NOT HOLD"
    command = f"python benchmarks/read_cost.py --page {run['path']}"
    lines = (
        "# What a reading costs",
        "",
        f"One RAPL zone, read at both ends of a window, on {where}.",
        f"Measured {run['started']} in {run['rounds']} rounds; the zone is {run['zone']}.",
        "",
        "| what | µs per window | ÷ raw system calls [95 %] |",
        "| :-- | --: | --: |",
        *rows,
        "",
        f"The limit for what stands beside the window, {LIMIT:g} × the raw system calls, {held}.",
        "A value is decoded after the window; that is the difference of the second and third row.",
        "µs are medians of rounds; a ratio compares neighbours of one round.",
        "",
        f"Written from [this run](../{run['path']}) by `{command}`.",
        "",
    )
    return "\n".join(lines)


def _row(run: dict[str, Any], name: str) -> str:
    ratio, rounds = over_raw(run, name), run["seconds"][name]
    version = run["packages"].get(name, "")
    microseconds = statistics.median(rounds) * 1e6
    interval = f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    return f"| {f'{name} {version}'.strip()} | {microseconds:.2f} | {interval} |"


def main() -> None:
    """Measures and writes, or writes an earlier run's page again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, metavar="FILE", help="an earlier run")
    options = parser.parse_args()
    if options.page:
        write_page(json.loads(options.page.read_text(encoding="utf-8")))
        return
    emulated_zone.ensure()
    run = measured_run()
    path = ROOT / run["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    print(write_page(run))


def measured_run() -> dict[str, Any]:
    """Measures everything that can be measured here."""
    warnings.simplefilter("ignore")  # peers leave files open
    emulated = emulated_zone.is_emulated()
    with emulated_zone.ticking(ZONE / "energy_uj") if emulated else contextlib.nullcontext():
        meter = PowercapMeter(Path("/sys"), cpu=Cpu("GenuineIntel"))
    found, missing = candidates(meter)
    machine, started = fingerprint(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stamp = started.replace("-", "").replace(":", "")
    path = Path("results/read-cost") / f"{stamp}-{machine.id}.json"
    git = git_state(ROOT)
    return {
        "path": str(path),
        "started": started,
        "git": asdict(git) if git else None,
        "machine": asdict(machine),
        "zone": emulated_zone.origin(),
        "packages": {name.lower(): v for name, v in versions(PEERS).items()},
        "rounds": ROUNDS,
        "missing": missing,
        "seconds": measure(found),
    }


def write_page(run: dict[str, Any]) -> str:
    """Writes the page, and gives its text."""
    text = page(run)
    (ROOT / "reports" / "read-cost.md").write_text(text, encoding="utf-8")
    return text


if __name__ == "__main__":
    main()
