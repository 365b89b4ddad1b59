"""What a run of `disturbance` says: pure functions of the run as it was written."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from bench.statistics import Interval, Verdict, ratio_interval, verdict

LIMIT = 0.003
"""Largest difference from the bare loop that this package's own may make, as a share."""

WORDS = {
    Verdict.NO_GAIN: "within",
    Verdict.COSTS: "beyond",
    Verdict.SAVES: "beyond",
    Verdict.UNRESOLVED: "open",
}

Run = Mapping[str, Any]


def ratio(run: Run, plan: str, name: str) -> Interval:
    """Median latency in a loop ÷ that in the bare loop beside it."""
    found = run["latencies_s"][plan][name]
    interval = ratio_interval(list(zip(found["bare"], found["own"], strict=True)))
    assert interval is not None  # noqa: S101 - there are many rounds
    return interval


def word(interval: Interval) -> str:
    """Whether a whole interval lies within the limit, beyond it, or across its edge.

    >>> word(Interval(1.001, 1.000, 1.002, 100)), word(Interval(1.001, 0.996, 1.006, 100))
    ('within', 'open')
    >>> word(Interval(1.005, 1.004, 1.006, 100))
    'beyond'
    """
    return WORDS[verdict(interval, LIMIT)]


def judged(run: Run) -> dict[str, list[str]]:
    """The loops of this package with each of the workloads, by that word."""
    found: dict[str, list[str]] = {}
    for name in run["ours"]:
        for plan in run["plans"]:
            said = word(ratio(run, plan["name"], name))
            found.setdefault(said, []).append(f"{name}, {plan['name']}")
    return found


def holds(run: Run) -> bool:
    """Whether the limit is shown to hold for this package's loop, with each of the workloads."""
    return set(judged(run)) == {"within"}


def page(run: Run) -> str:
    """The page of a run: the same run gives the same bytes."""
    machine, plans = run["machine"], [plan["name"] for plan in run["plans"]]
    where = f"{machine['cpu']} ({machine['kernel']}, Python {machine['python']})"
    command = f"python benchmarks/disturbance.py --page {run['path']}"
    lines = (
        "# What a loop disturbs",
        "",
        f"The median latency of a call inside a loop, beside that in a bare loop, on {where}.",
        f"Measured {run['started']} in one process, {_circumstances(run)}.",
        "",
        f"| difference from the bare loop, % [95 %] | {' | '.join(plans)} |",
        f"| :-- |{' --: |' * len(plans)}",
        *(_row(run, name, plans) for name in run["latencies_s"][plans[0]]),
        *(_missing(name, reason, len(plans)) for name, reason in run["missing"].items()),
        "",
        *_limit(run),
        "",
        *_workloads(run),
        *_how(run),
        "",
        f"Written from [this run](../{run['path']}) by `{command}`.",
        "",
    )
    return "\n".join(lines)


def _circumstances(run: Run) -> str:
    cpu, others = run["cpu"], run["others_cpu"]
    bound = "which could not be bound to a CPU" if cpu is None else f"bound to CPU {cpu}"
    bound += f" with nice {run['nice']}"
    busy = "" if others is None else f"; other programs kept {others:.1f} CPUs busy meanwhile"
    return f"{bound}{busy}"


def _row(run: Run, name: str, plans: list[str]) -> str:
    version = run["packages"].get(name, "")
    cells = " | ".join(_cell(ratio(run, plan, name)) for plan in plans)
    return f"| {f'{name} {version}'.strip()} | {cells} |"


def _cell(interval: Interval) -> str:
    """A ratio as a difference in per cent.

    >>> _cell(Interval(1.001, 0.999, 1.0025, 100))
    '+0.10 [-0.10, +0.25] within'
    """
    value, low, high = (100 * (x - 1) for x in (interval.value, interval.low, interval.high))
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}] {word(interval)}"


def _missing(name: str, reason: str, plans: int) -> str:
    return f"| {name} | not measured: {reason} |{' |' * (plans - 1)}"


def _limit(run: Run) -> Iterator[str]:
    found, limit = judged(run), f"The limit for joulebench, {LIMIT:.1%} either way,"
    if holds(run):
        yield f"{limit} holds: each whole interval lies within it."
    elif within := found.get("within"):
        yield f"{limit} holds for {'; '.join(within)}."
    for cell in found.get("beyond", ()):
        yield f"{limit} DOES NOT HOLD for {cell}."
    for cell in found.get("open", ()):
        yield f"{limit} IS NOT SHOWN to hold for {cell}: the interval crosses its edge."


def _workloads(run: Run) -> Iterator[str]:
    for plan in run["plans"]:
        sides = run["latencies_s"][plan["name"]].values()
        took_us = 1e6 * statistics.median(seconds for side in sides for seconds in side["bare"])
        yield (
            f"- {plan['name']}: {plan['products']} products of two {plan['side']} × {plan['side']}"
            f" matrices, {took_us:.0f} µs in the bare loops; {plan['rounds']} rounds,"
            f" {plan['calls']} calls a loop."
        )
    yield ""


def _how(run: Run) -> Iterator[str]:
    yield (
        "Each loop has a bare loop of the same callable on the same data as its neighbour; their"
        " order and the place of the data are drawn anew for each such pair."
    )
    yield "The bare loop beside itself shows what this comparison can tell."
    yield f"The RAPL zone is {run['zone']}."
    for name, count in run["ours"].items():
        resolved, windows = count["resolved"], count["windows"]
        yield f"{name}: {resolved} of {windows} windows gave the energy of every channel."
    yield (
        "The gauge is polled by a thread on the workload's own CPU, the worst place for it; the"
        " workload leaves the interpreter free for it meanwhile."
    )
    yield (
        "The peers run as they do by default; codecarbon's threads wake up 1 and 15 s after its"
        " start, so they sleep in blocks as short as these."
    )
