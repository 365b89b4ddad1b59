"""What a report's first screen says again: what is best, beside what; see `recompute`."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from page_pieces import label_of
from recompute import READ, Number, t95
from recompute_case import Case
from recompute_parts import in_order, is_measured
from recompute_table import Table, is_crossed

ROOFLINE = "roofline:"
ASKED = {"bf16": "bfloat16", "fp16": "float16", "int8": "int8", "fp8": "float8"}
SAVES = "saves"


def long_label(case: Case, among: Iterable[Case]) -> str:
    """``technique@level``, with the runtime behind it where there are several."""
    several = len({other.record["runtime"] for other in among}) > 1
    return f"{label_of(case)} · {case.record['runtime']}" if several else label_of(case)


def is_ceiling(case: Case) -> bool:
    return str(case.record["workload"]).startswith(ROOFLINE)


def by_workload(table: Table) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in in_order(table):
        found.setdefault(case.record["workload"], []).append(case)
    return found


def by_setting(cases: Iterable[Case]) -> dict[tuple[str, int], list[Case]]:
    """By workload and batch: those that may be ranked against each other."""
    found: dict[tuple[str, int], list[Case]] = {}
    for case in cases:
        found.setdefault((case.record["workload"], case.record["batch"]), []).append(case)
    return found


def crosses(cases: Iterable[Case]) -> bool:
    """Whether any is held against the baseline of another runtime."""
    return any(map(is_crossed, cases))


@cache
def verdict(table: Table, case: Case, *, energy: bool) -> str:
    return table.verdict(case, energy=energy)


# -- the best ---------------------------------------------------------------------------------


def best(table: Table, cases: Iterable[Case], *, energy: bool) -> Case | None:
    """What saves and has the smallest ratio to its baseline."""
    found = [
        (log.value, place, case)
        for place, case in enumerate(cases)
        if not case.is_baseline and verdict(table, case, energy=energy) == SAVES
        if (log := case.log(energy=energy))
    ]
    return min(found)[2] if found else None


def winners(table: Table, cases: Sequence[Case]) -> list[Case]:
    """The bold rows of one workload and batch."""
    energy = any(case.energy() is not None for case in cases)
    if not crosses(cases):
        return _least(table, cases)
    whole = [case for case in cases if not is_smaller(case, cases)]
    found = [best(table, chosen, energy=energy) for chosen in (whole, cases)]
    return list(dict.fromkeys(case for case in found if case))


def _least(table: Table, cases: Sequence[Case]) -> list[Case]:
    """The least joules of what saves, or of a baseline where each runtime has its own."""
    fit = [
        (energy.value, place, case)
        for place, case in enumerate(cases)
        if not is_ceiling(case) and (energy := case.energy())
        if verdict(table, case, energy=True) == SAVES
        or (case.is_baseline and not case.breaks_quality())
    ]
    least = min(fit)[2] if fit else None
    alone = sum(case.is_baseline for case in cases) == 1
    return [] if least is None or (least.is_baseline and alone) else [least]


def is_smaller(case: Case, cases: Sequence[Case]) -> bool:
    """Whether it has less than 95 % of the weights, or of the operations, of what is shipped."""
    shipped = [c for c in cases if c.record["technique"] == "baseline"] or cases

    def fewer(name: str) -> bool:
        known = case.record.get(name)
        return known is not None and known < 0.95 * max(c.record.get(name) or 0 for c in shipped)

    return any(map(fewer, ("parameters", "nonzero", "macs")))


# -- words with numbers -----------------------------------------------------------------------


def runs_in(case: Case) -> str:
    """The types in which it runs, as many of each, and what was asked for and does not run."""
    kernels: dict[str, int] = case.record.get("kernels", {})
    counts = sorted(kernels.items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{number} {dtype}" for dtype, number in counts)
    if len(counts) < 2:
        shown = counts[0][0] if counts else case.record["dtype"] or ""
    asked = ASKED.get(case.record["level"].get("dtype", ""))
    ran = kernels.get(asked or "", 0) > 0 if counts else asked == case.record["dtype"]
    return f"{shown}, asked for {asked}" if asked and shown and not ran else shown


def to_decide(ratio: Number, margin: float) -> int | None:
    """How many replicates would decide, if ratio and spread stay; None beyond ten thousand."""
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.n is not None
    if max(math.log(ratio.high), -math.log(ratio.low)) >= 345:
        return None

    def half(n: int) -> float:
        return t95((n - 2 * (n // 5) if n >= 10 else n) - 1) / math.sqrt(n)

    spread = math.log(ratio.high / ratio.low) / 2 / half(ratio.n)
    distance = math.log(1 + margin) - abs(math.log(ratio.value))
    wanted = math.hypot(distance, 0.6745 * spread / math.sqrt(ratio.n))
    return next((n for n in range(ratio.n, 10_000) if half(n) * spread <= wanted), None)


def kinds(table: Table) -> list[tuple[str, int]]:
    """How many rows have an energy of which kind, the most first."""
    return Counter(map(kind_of, in_order(table))).most_common()


def kind_of(case: Case) -> str:
    """Of the instrument; else of the estimate; else ``absent``."""
    if case.energy() is not None:
        return str(case.channels[0]["kind"])
    if case.estimate() is None:
        return "absent"
    guesses = (e for window in case.own for e in window["energy"] if e["kind"] not in READ)
    return str(next(guesses)["kind"])


def deviations(table: Table) -> list[float]:
    """By how much each baseline differs from itself."""
    logs = [case.log(energy=is_measured(table)) for case in in_order(table) if case.is_baseline]
    return [abs(math.exp(log.value) - 1) for log in logs if log]


def nearest_meter(table: Table) -> tuple[str, str]:
    """Why nothing was measured, and what helps: of the meter that is nearest to working.

    That is one that only lacks a right, then the device's own, then one that something can mend.
    """
    own = "nvml" if table.device.startswith("cuda") else ("powercap", "intel")
    found = sorted(
        table.told.run["unusable"],
        key=lambda u: (u["status"] != "permission", not u["what"].startswith(own), not u["fix"]),
    )
    if not found:
        return "no energy meter was found", "see joulebench doctor"
    return found[0]["reason"], found[0]["fix"]
