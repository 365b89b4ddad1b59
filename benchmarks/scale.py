"""What does a year of nights cost? Time and memory of gate, trend, compare and report, as it grows.

    python benchmarks/scale.py                     makes a year of journals (some minutes), writes a run
    python benchmarks/scale.py --page FILE.json    writes the page of an earlier run again

The journals are synthetic (`synthetic_year.py`), of 100, 200 and 400 nights, and are deleted
afterwards. Each number is the median of fresh processes, the start of Python and every import
included; memory is the largest resident set of the process.
"""

import compileall
import contextlib
import importlib.metadata
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from committed_run import ROOT, Found, program
from synthetic_year import Year, write, write_night

from bench.history.index import FOLDER

NIGHTS = (100, 200, 400)
REPEATS = 3
MOST_S, MOST_BYTES = 2.0, 1e9
LINEAR = 1.25
"""By how much more a night of the largest year may cost than one of the smallest."""

_VERB = "import sys; from bench.cli import main; raise SystemExit(main(sys.argv[1:]))"
_INDEX = (
    "import sys; from pathlib import Path; from bench.history.index import index_of;"
    "index_of(Path(sys.argv[1]), workers=int(sys.argv[2]))"
)
_PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "pyarrow", "ruptures")


def cost(arguments: Sequence[str], allowed: Sequence[int] = (0,)) -> Found:
    """Wall time and largest resident set of one fresh process, s and bytes.

    Raises:
        RuntimeError: It ended otherwise than it may.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 - our own verbs
            [sys.executable, *arguments], env=environment, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in allowed:
            said.seek(0)
            raise RuntimeError(f"{arguments} ended with {child.returncode}: {said.read().decode()}")
    return {
        "seconds": seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "bytes": 1024 * usage.ru_maxrss,
    }


def repeated(arguments: Sequence[str], allowed: Sequence[int] = (0,)) -> Found:
    """The medians of several fresh processes, and every one of their times."""
    found = [cost(arguments, allowed) for _ in range(REPEATS)]
    return {
        **_medians(found),
        "all_s": [round(each["seconds"], 3) for each in found],
    }


def _medians(found: Sequence[Found]) -> Found:
    names = ("seconds", "cpu_s", "bytes")
    return {name: statistics.median(each[name] for each in found) for name in names}


def verbs(folder: Path, newest: Sequence[Path]) -> dict[str, Found]:
    """What each verb costs where the index is up to date."""
    page = folder / "page.md"
    return {
        "gate": repeated(["-c", _VERB, "gate", "--history", str(folder)], (0, 8, 9)),
        "trend": repeated(["-c", _VERB, "trend", str(folder), "-o", str(page)]),
        "compare": repeated(["-c", _VERB, "compare", *map(str, newest)]),
        "report": repeated(["-c", _VERB, "report", str(newest[-1]), "-o", str(page)]),
    }


def measured() -> Found:
    """What belongs to a run."""
    compileall.compile_dir(ROOT / "bench", quiet=1)  # as pip leaves what it installs
    year, folder = Year(), Path(tempfile.mkdtemp(prefix="joulebench-scale-"))
    before = os.getloadavg()
    try:
        paths = write(year, folder / "year")
        sizes = [_size(folder, paths, nights, year) for nights in NIGHTS]
    finally:
        shutil.rmtree(folder)
    return {
        "year": {"cases": year.cases, "windows": year.windows},
        "repeats": REPEATS,
        "load": {"before": before, "after": os.getloadavg()},
        "packages": _packages(),
        "sizes": sizes,
    }


def _size(folder: Path, paths: Sequence[Path], nights: int, year: Year) -> Found:
    """One size: the last nights of the year, in a folder of their own."""
    own = folder / f"n{nights}"
    own.mkdir()
    chosen = paths[-nights:]
    for path in chosen:
        os.link(path, own / path.name)
    first = cost(["-c", _INDEX, str(own), str(os.cpu_count() or 1)])
    size = sum(path.stat().st_size for path in (own / FOLDER).iterdir())
    found = verbs(own, chosen[-2:])
    added = []
    for number in range(REPEATS):
        write_night(year, own, year.nights + number)
        added.append(cost(["-c", _VERB, "gate", "--history", str(own)], (0, 8, 9)))
    shutil.rmtree(own)
    return {
        "nights": nights,
        "journal_bytes": sum(path.stat().st_size for path in chosen),
        "index_bytes": size,
        "first": first,
        **found,
        "new night": _medians(added),
    }


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def limits(run: Found) -> dict[str, bool]:
    """What issue 7 asks for, and whether it holds."""
    small, large = run["sizes"][0], run["sizes"][-1]
    asked = [large[name] for name in ("gate", "trend", "report")]
    per_night = [each["first"]["seconds"] / each["nights"] for each in (small, large)]
    grows = [
        (large[name]["seconds"] - small[name]["seconds"])
        <= LINEAR * small[name]["seconds"] * (large["nights"] / small["nights"] - 1)
        for name in ("gate", "trend", "compare", "report", "new night")
    ]
    return {
        f"gate, trend and report of {large['nights']} nights in at most {MOST_S:g} s each": all(
            each["seconds"] <= MOST_S for each in asked
        ),
        "each within 1 GB": all(each["bytes"] <= MOST_BYTES for each in asked),
        "the first indexing costs at most a quarter more for a night of the largest year": per_night[
            1
        ]
        <= LINEAR * per_night[0],
        "no verb grows faster than the number of nights": all(grows),
    }


def page(run: Found) -> str:
    """The page of a run: the same run gives the same bytes."""
    machine, year = run["machine"], run["year"]
    load = run["load"]
    windows = year["cases"] * year["windows"] * run["sizes"][-1]["nights"]
    packages = ", ".join(f"{name} {version}" for name, version in run["packages"].items())
    lines = [
        "# What a year of nights costs",
        "",
        f"Synthetic journals of {year['cases']} cases with {year['windows']} windows each, {windows / 1e6:g} million windows in all; nothing here is a measurement of a machine's energy.",
        f"Measured {run['started']} on {machine['cpu']} with {machine['cpus']} CPUs ({machine['kernel']}, Python {machine['python']}; {packages}); load {load['before'][0]:.1f} before and {load['after'][0]:.1f} after, so {_busy(load['before'][0])}.",
        f"Medians of {run['repeats']} fresh processes, the start of Python and all imports included, of files that are compiled, as pip leaves them; the first indexing once, in {machine['cpus']} processes.",
        "",
        *(
            f"- {what}: {'holds' if is_so else '**DOES NOT HOLD**'}."
            for what, is_so in limits(run).items()
        ),
        "",
        "| nights | journals | first indexing | a night of it | index | gate | trend | compare | report | a new night, then gate |",
        "| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        *(_row(each) for each in run["sizes"]),
        "",
        "Seconds of wall time, in brackets of CPU time, and largest resident memory of the process. `gate` is `gate --history`; it and `trend` find their index up to date. `report` is of the newest journal and `compare` of the two newest, which need none.",
        "The last column is what a nightly run does: one journal of 300 cases is new, is summarised and added to the index, and the night is judged.",
        "",
        f"Written from [this run](../{run['path']}) by `python benchmarks/scale.py --page {run['path']}`.",
        "",
    ]
    return "\n".join(lines)


def _busy(load: float) -> str:
    return "the machine was calm" if load < 0.5 else "other programs ran beside it"


def _row(each: dict[str, Any]) -> str:
    cell: Callable[[str], str] = lambda name: (  # noqa: E731 - one line of a table
        f"{each[name]['seconds']:.2f} s ({each[name]['cpu_s']:.2f}), {each[name]['bytes'] / 1e6:.0f} MB"
    )
    names = ("gate", "trend", "compare", "report", "new night")
    cells = " | ".join(cell(name) for name in names)
    first = each["first"]["seconds"]
    return (
        f"| {each['nights']} | {each['journal_bytes'] / 1e6:.0f} MB | {first:.1f} s"
        f" | {first / each['nights']:.3f} s | {each['index_bytes'] / 1e6:.1f} MB | {cells} |"
    )


if __name__ == "__main__":
    program(__doc__ or "", "scale", measured, page)
