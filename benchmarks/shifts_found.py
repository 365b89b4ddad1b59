"""Which steps does the trend find, and how often does it see one that is not there? Simulated.

    python benchmarks/shifts_found.py                     simulates (a minute), writes a run and its page
    python benchmarks/shifts_found.py --page FILE.json    writes the page of an earlier run again

Beside it Apache Otava 0.8.0 with the same limits, where it is installed: it needs an environment of
its own, for it demands one version of NumPy.
"""

import importlib.metadata
import importlib.util
import math
import random
from collections.abc import Callable, Iterator, Sequence

from committed_run import Found, program

from bench.history.shifts import MAGNITUDE, NIGHTS_AFTER, P_VALUE, WINDOW, shifts

RUNS = 200
NOISES = ((0.016, 0.0), (0.016, 0.5), (0.005, 0.0), (0.005, 0.5))
"""Standard deviation of a night, and correlation of one night with the next."""
STEPS = (1.03, 1.05, 1.10)
SHORT, LONG, AFTER = 60, 400, 10
NEAR = 3
"""Nights by which a step that was found may be misplaced."""

Finder = Callable[[Sequence[float]], list[int]]


def series(seed: object, count: int, step: float, noise: float, correlation: float) -> list[float]:
    """A series that steps `AFTER` nights before its end."""
    draw, state, found = random.Random(str(seed)), 0.0, []  # noqa: S311 - noise
    for place in range(count):
        fresh = draw.gauss(0.0, 1.0)
        left = math.sqrt(1 - correlation**2)
        state = correlation * state + left * fresh if place else fresh
        level = math.log(step) if place >= count - AFTER else 0.0
        found.append(math.exp(noise * state + level))
    return found


def ours(values: Sequence[float]) -> list[int]:
    """Where the trend sees a shift."""
    return [shift.at for shift in shifts(values)]


def otava(values: Sequence[float]) -> list[int]:
    """Where Otava sees one, with the same limits."""
    from otava.analysis import compute_change_points

    found, _ = compute_change_points(
        list(values), window_len=WINDOW, max_pvalue=P_VALUE, min_magnitude=MAGNITUDE
    )
    return [each.index for each in found if len(values) - each.index >= NIGHTS_AFTER]


def simulated() -> Found:
    """What belongs to a run."""
    finders: dict[str, Finder] = {"joulebench": ours}
    packages = {"ruptures": importlib.metadata.version("ruptures")}
    if importlib.util.find_spec("otava"):
        packages["apache-otava"] = importlib.metadata.version("apache-otava")
        finders[f"Otava {packages['apache-otava']}"] = otava
    rows = [_row(name, find, *noise) for noise in NOISES for name, find in finders.items()]
    return {"runs": RUNS, "packages": packages, "rows": rows}


def _row(name: str, find: Finder, noise: float, correlation: float) -> Found:
    def share(count: int, step: float) -> Iterator[bool]:
        for seed in range(RUNS):
            found = find(series((count, step, seed), count, step, noise, correlation))
            near = [place for place in found if abs(place - (count - AFTER)) <= NEAR]
            yield bool(found if step == 1 else near)

    return {
        "name": name,
        "noise": noise,
        "correlation": correlation,
        "false_short": sum(share(SHORT, 1.0)) / RUNS,
        "false_long": sum(share(LONG, 1.0)) / RUNS,
        "found": {f"{step:g}": sum(share(SHORT, step)) / RUNS for step in STEPS},
    }


def page(run: Found) -> str:
    """The page of a run: the same run gives the same bytes."""
    steps = " | ".join(f"finds {100 * (step - 1):.0f} %" for step in STEPS)
    lines = [
        "# Which steps a trend finds",
        "",
        "Simulated series of nights, of which the truth is known; nothing here is a measurement of a machine.",
        f"{run['runs']} series each, simulated {run['started']}. A step lies {AFTER} nights before the end of {SHORT}, and counts as found if it is placed within {NEAR} nights.",
        "A series that is divided by a control of the same night has noise like the lower half of the table.",
        "",
        f"| noise of a night | correlation of neighbours | | sees one that is not there, of {SHORT} nights | of {LONG} | {steps} |",
        "| --: | --: | :-- | --: | --: | --: | --: | --: |",
        *(_line(row) for row in run["rows"]),
        "",
        f"Both: p ≤ {P_VALUE:g}, at least {100 * MAGNITUDE:g} %, window {WINDOW}, {NIGHTS_AFTER} nights after a shift.",
        "",
        f"Written from [this run](../{run['path']}) by `python benchmarks/shifts_found.py --page {run['path']}`.",
        "",
    ]
    return "\n".join(lines)


def _line(row: Found) -> str:
    shares = [row["false_short"], row["false_long"], *row["found"].values()]
    cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
    return f"| {100 * row['noise']:g} % | {row['correlation']:g} | {row['name']} | {cells} |"


if __name__ == "__main__":
    program(__doc__ or "", "shifts-found", simulated, page)
