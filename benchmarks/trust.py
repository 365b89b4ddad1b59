"""Do the intervals hold, and do the verdicts cry wolf? Simulated sessions, of which truth is known.

    python benchmarks/trust.py                     simulates (some minutes), writes a run and its page
    python benchmarks/trust.py --page FILE.json    writes the page of an earlier run again

The sessions themselves: `simulations.py`. Each section of the page ends in a limit, and says
whether it holds.
"""

import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from committed_run import Found, program
from simulations import coverage, drift, named, phases, verdicts

from bench.schedule import PROFILES
from bench.simulated import DeviceModel

RUNS = {"coverage": 2000, "verdicts": 1000, "drift": 200, "pairs": 200, "phases": 100}
NOISES = (("quick", 0.01), ("quick", 0.03), ("full", 0.01))
CORRELATIONS = (0.0, 0.5, 0.9)
NAMED = ((0.02, 0.0, 0.99), (0.02, 0.5, 0.97), (0.03, 0.0, 0.965), (0.015, 0.5, 0.975))
"""Noise, correlation and true ratio where twelve pairs leave most sessions unresolved."""

Section = list[Found]


def simulate(runs: dict[str, int], workers: int) -> dict[str, Section]:
    """Everything, by section: a list of rows."""
    with ProcessPoolExecutor(workers) as pool:

        def many(what: Callable[[int], Found], section: str) -> Section:
            return list(pool.map(what, range(runs[section]), chunksize=20))

        return {
            "coverage": [
                _coverage_row(
                    profile, rho, noise, many(partial(coverage, model, profile), "coverage")
                )
                for profile, noise in NOISES
                for rho in CORRELATIONS
                for model in [DeviceModel(noise=noise, power_noise=noise / 2, correlation=rho)]
            ],
            "verdicts": [
                {
                    "profile": profile,
                    "ratio": ratio,
                    "pairs": pairs,
                    "margin": PROFILES[profile].margin,
                    "said": dict(
                        Counter(
                            each["verdict"]
                            for each in many(partial(verdicts, ratio, profile, pairs), "verdicts")
                        ).most_common()
                    ),
                }
                for profile in ("quick", "nightly", "full")
                for ratio, pairs in ((1.0, None), (0.95, None), (0.95, 12))
            ],
            "drift": [_most(many(drift, "drift"))],
            "pairs": [_named_row(each, many(partial(named, *each), "pairs")) for each in NAMED],
            "phases": [
                _phase_row(shifted, many(partial(phases, shifted=shifted), "phases"))
                for shifted in (True, False)
            ],
        }


def _coverage_row(profile: str, rho: float, noise: float, found: Sequence[Found]) -> Found:
    def share(holds: Callable[[Found], bool]) -> float:
        return sum(map(holds, found)) / len(found)

    return {
        "profile": profile,
        "correlation": rho,
        "noise": noise,
        "joules": share(lambda each: each["joules"]),
        "ratio": share(lambda each: each["ratio"]),
        "joules_or_noisy": share(lambda each: each["joules"] or each["noisy"]),
        "ratio_or_noisy": share(lambda each: each["ratio"] or each["noisy"]),
        "noisy": share(lambda each: each["noisy"]),
        "pairs": statistics.median(each["pairs"] for each in found),
        "half": statistics.median(each["half"] for each in found),
    }


def _most(found: Sequence[Found]) -> Found:
    return {key: max(each[key] for each in found) for key in ("pairs", "in turn", "seconds")}


def _named_row(each: tuple[float, float, float], found: Sequence[Found]) -> Found:
    asked = [one["asked"] or 10_000 for one in found if not one["decided"][0]]
    shares = [
        statistics.fmean(column) for column in zip(*(o["decided"] for o in found), strict=True)
    ]
    half = next((12 + 2 * i for i, share in enumerate(shares) if share >= 0.5), None)
    return {
        "noise": each[0],
        "correlation": each[1],
        "ratio": each[2],
        "unresolved": len(asked) / len(found),
        "named": statistics.median(asked),
        "decided": half,
    }


def _phase_row(shifted: bool, found: Sequence[Found]) -> Found:  # noqa: FBT001
    joules_ = [each["joules"] for each in found]
    return {
        "shifted": shifted,
        "mean": statistics.fmean(joules_),
        "spread": statistics.stdev(joules_),
        "least": min(joules_),
        "most": max(joules_),
    }


def limits(run: Found) -> dict[str, bool]:
    """What issue 4 asks for, section by section, and whether it holds."""
    sections = run["sections"]
    covered = [
        each[key] for each in sections["coverage"] for key in ("joules_or_noisy", "ratio_or_noisy")
    ]
    said = {(each["profile"], each["ratio"], each["pairs"]): each for each in sections["verdicts"]}

    def share(each: Found, *words: str) -> float:
        said_it = sum(each["said"].get(word, 0) for word in words)
        return float(said_it / sum(each["said"].values()))

    profiles = dict.fromkeys(each["profile"] for each in sections["verdicts"])
    alarms = [share(said[profile, 1.0, None], "saves", "costs") for profile in profiles]
    found = [share(said[profile, 0.95, None], "saves") for profile in profiles]
    twelve = [share(e, "saves") for e in said.values() if e["pairs"] and e["margin"] <= 0.02]
    factors = [each["named"] / each["decided"] for each in sections["pairs"] if each["decided"]]
    with_, without = sections["phases"]
    return {
        "the 95 % intervals hold the truth in at least 93 % of runs, or the run is noisy": min(
            covered
        )
        >= 0.93,
        "5 % of drift over a session moves the ratio by less than 0.3 %": sections["drift"][0][
            "pairs"
        ]
        < 0.003,
        "A/A sessions end in saves or costs in at most 5 %": max(alarms) <= 0.05,
        "a true 5 % is found in at least 95 %, as long as it takes": min(found) >= 0.95,
        "a true 5 % is found in at least 95 % with 12 pairs, at the margin of 2 %": min(twelve)
        >= 0.95,
        "the number of pairs that is named is right within a factor of 1.5": len(factors)
        == len(NAMED)
        and all(1 / 1.5 <= factor <= 1.5 for factor in factors),
        "a load of the sensor's own period spreads by at most 5 % with phases, and 20 % or more without": with_[
            "spread"
        ]
        <= 0.05
        and without["spread"] >= 0.20,
    }


def page(run: Found) -> str:
    """The page of a run: the same run gives the same bytes."""
    command = f"python benchmarks/trust.py --page {run['path']}"
    held = [
        f"| {what} | {'holds' if holds else '**DOES NOT HOLD**'} |"
        for what, holds in limits(run).items()
    ]
    lines = [
        "# Do the intervals hold, and do the verdicts cry wolf?",
        "",
        "Simulated sessions, of which the truth is known, through the loop, the statistics and the verdicts of real ones.",
        "Nothing here is a measurement of a machine; it ranks methods under one family of noise.",
        f"Simulated {run['started']}.",
        "",
        "| demand | |",
        "| :-- | :-- |",
        *held,
        "",
        *(
            line
            for name, body in _BODIES.items()
            for line in (*body(run["sections"][name], run["runs"][name]), "")
        ),
        f"Written from [this run](../{run['path']}) by `{command}`.",
        "",
    ]
    return "\n".join(lines)


def _coverage_body(rows: Section, runs: int) -> Iterator[str]:
    yield "## Coverage"
    yield ""
    yield f"{runs} sessions each; a variant of 0.95; noise of each block in time, half of it in power, correlated with the next block's."
    yield ""
    yield "| profile | noise | lag-1 correlation | pairs, median | ratio ±, median | J/sample holds | ratio holds | noisy | J/sample holds or noisy | ratio holds or noisy |"
    yield "| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
    for row in rows:
        shares = (
            row[key] for key in ("joules", "ratio", "noisy", "joules_or_noisy", "ratio_or_noisy")
        )
        percents = " | ".join(f"{100 * share:.1f} %" for share in shares)
        yield f"| `{row['profile']}` | {100 * row['noise']:g} % | {row['correlation']:g} | {row['pairs']:g} | {100 * row['half']:.1f} % | {percents} |"


def _verdicts_body(rows: Section, runs: int) -> Iterator[str]:
    yield "## Verdicts"
    yield ""
    yield f"{runs} sessions each, with an A/A control; process effect 0.6 %, block noise 1 % of correlation 0.5, one block in fifty hit by a spike of 2 to 10 %."
    yield "`true ratio 1` compares two builds of the same model, each with the luck of its own process effect."
    yield ""
    yield "| profile | margin | true ratio | pairs | saves | costs | no gain | unresolved |"
    yield "| :-- | --: | --: | --: | --: | --: | --: | --: |"
    for row in rows:
        shares = (
            row["said"].get(word, 0) / runs for word in ("saves", "costs", "no gain", "unresolved")
        )
        percents = " | ".join(f"{100 * share:.1f} %" for share in shares)
        yield f"| `{row['profile']}` | {100 * row['margin']:g} % | {row['ratio']:g} | {row['pairs'] or 'as long as it takes'} | {percents} |"


def _drift_body(rows: Section, runs: int) -> Iterator[str]:
    (row,) = rows
    yield "## Drift"
    yield ""
    yield f"{runs} sessions of 12 pairs in which the power grows by 5 % from beginning to end: the ratio is off by at most {100 * row['pairs']:.2f} %."
    yield f"One side after the other, in the same time, it would be off by {100 * row['in turn']:.2f} %."


def _pairs_body(rows: Section, runs: int) -> Iterator[str]:
    yield "## How many pairs `unresolved` asks for"
    yield ""
    yield f"{runs} sessions each, at a margin of 2 %: what those that twelve pairs leave unresolved ask for, and how many pairs decide half of all."
    yield "One session's own number scatters by about twice that factor: spread and ratio of twelve pairs are known no better."
    yield ""
    yield "| noise | correlation | true ratio | unresolved with 12 | asked for, median | half are decided with | factor |"
    yield "| --: | --: | --: | --: | --: | --: | --: |"
    for row in rows:
        factor = f"{row['named'] / row['decided']:.2f}" if row["decided"] else "—"
        yield f"| {100 * row['noise']:g} % | {row['correlation']:g} | {row['ratio']:g} | {100 * row['unresolved']:.0f} % | {row['named']:g} | {row['decided'] or 'more than 120'} | {factor} |"


def _phases_body(rows: Section, runs: int) -> Iterator[str]:
    yield "## A load that hides from its sensor"
    yield ""
    yield f"{runs} sessions each of 12 pairs; the sensor sees 25 ms of every 100 ms, and the load works 50 ms of every 100 ms, at another place of the call in each session."
    yield ""
    yield "| pairs begin | J per call ÷ truth, mean | standard deviation | least | most |"
    yield "| :-- | --: | --: | --: | --: |"
    for row in rows:
        name = "at all phases of the sensor" if row["shifted"] else "at its refresh"
        yield f"| {name} | {row['mean']:.3f} | {100 * row['spread']:.1f} % | {row['least']:.2f} | {row['most']:.2f} |"


_BODIES: dict[str, Callable[[Section, int], Iterator[str]]] = {
    "coverage": _coverage_body,
    "verdicts": _verdicts_body,
    "drift": _drift_body,
    "pairs": _pairs_body,
    "phases": _phases_body,
}


def simulated() -> Found:
    """What belongs to a run."""
    return {"runs": RUNS, "sections": simulate(RUNS, os.cpu_count() or 1)}


if __name__ == "__main__":
    program(__doc__ or "", "trust", simulated, page)
