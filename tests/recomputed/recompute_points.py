"""The points of the figures again, from the journal: quality against cost and against size."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from recompute import Line, Number
from recompute_case import Case
from recompute_table import Table, number_of

Z = 1.959964
OTHER_RUNTIME = "as shipped, another runtime"


@dataclass(frozen=True)
class Spot:
    """One mark of a figure, in the axes' own units but for prefixes.

    Args:
        label: What it is called.
        group: What decides its look.
        x: J per sample or a ratio; of a sweep the share of the dense size.
        y: The quality; of a sweep its change.
        holds: Whether the quality reaches its target.
        baseline: Whether it is the model as shipped.
        quality: The quality itself.
        size: Bytes on disk, of a sweep.
    """

    label: str
    group: str
    x: Number
    y: Number
    holds: bool
    baseline: bool
    quality: float
    size: int = 0

    def beaten_by(self, other: "Spot") -> bool:
        """Whether another one costs no more and is no worse, and not the same in both."""
        return (
            other.x.value <= self.x.value
            and other.y.value >= self.y.value
            and (other.x.value, other.y.value) != (self.x.value, self.y.value)
        )


@dataclass(frozen=True)
class Plane:
    """The marks of one panel.

    Args:
        title: Above it.
        unit: Of a sample.
        metric: What the quality is.
        energy: Whether x is energy; else it is time ÷ baseline, and of a sweep the size.
        target: Least quality that counts.
        share: Whether the quality is a share, which stands in per cent.
        spots: In the order of the table.
        seeds: Of how many the qualities of a sweep are a mean.
    """

    title: str
    unit: str
    metric: str
    energy: bool
    target: float | None
    share: bool
    spots: tuple[Spot, ...]
    seeds: int = 1

    @property
    def front(self) -> list[Spot]:
        """What no other beats, cheapest first; of two that are the same, the first."""
        best: dict[tuple[float, float], Spot] = {}
        for spot in self.spots:
            if not any(map(spot.beaten_by, self.spots)):
                best.setdefault((spot.x.value, spot.y.value), spot)
        return sorted(best.values(), key=lambda spot: spot.x.value)


def is_share(record: Line) -> bool:
    found = [record[name]["value"] for name in ("quality", "baseline_quality") if record[name]]
    return bool(found) and all(value is not None and 0 <= value <= 1 for value in found)


def wilson(share: float, n: int) -> Number:
    """The score interval of a share of n, which holds the share."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2) / (1 + Z * Z / n)
    return Number(share, min(share, middle - half), max(share, middle + half))


def _quality(case: Case) -> Number:
    judged = case.record["quality"]
    value = float(judged["value"])
    seeds = case.quality()
    if len(judged.get("values", ())) > 1 and seeds:
        return Number(value, seeds.low, seeds.high)
    if is_share(case.record) and judged.get("n"):
        return wilson(value, judged["n"])
    return Number(value, value, value)


def _cost(table: Table, case: Case) -> Number | None:
    if measured(table):
        return case.energy()
    ratio = number_of(case.time_log())
    if ratio is None or not case.is_baseline:
        return ratio
    assert ratio.low is not None
    assert ratio.high is not None
    return Number(1.0, min(1.0, ratio.low), max(1.0, ratio.high))


def measured(table: Table) -> bool:
    return any(case.energy() is not None for case in table.cases.values())


def device(table: Table) -> str:
    """What a panel calls it."""
    channels = table.told.run["channels"]
    simulated = any(c["origin"].startswith("simulated:") for c in channels) or any(
        record["runtime"] == "simulated" for record in table.told.cases.values()
    )
    return f"simulated {table.device}" if simulated else table.device


def short_label(case: Case, table: Table) -> str:
    """``technique@name=value · runtime``: only what tells rows of one technique apart."""
    record = case.record
    levels = [
        other.record["level"]
        for other in table.cases.values()
        if other.record["technique"] == record["technique"]
    ]
    telling = sorted(
        f"{name}={value}"
        for name, value in record["level"].items()
        if any(level.get(name) != value for level in levels)
    )
    name = f"{record['technique']}{'@' if telling else ''}{','.join(telling)}"
    several = len({other.record["runtime"] for other in table.cases.values()}) > 1
    return f"{name} · {record['runtime']}" if several else name


def ordered(cases: Iterable[Case]) -> list[Case]:
    """Cases as the tables list them."""
    return sorted(
        cases,
        key=lambda case: (
            case.record["workload"],
            case.record["batch"],
            not case.is_baseline,
            _whole_label(case.record),
            case.record["runtime"],
        ),
    )


def planes(tables: Sequence[Table]) -> Iterator[Plane]:
    """Quality against cost, of each workload and batch of which two cases have both."""
    for table in tables:
        groups: dict[tuple[str, int], list[Case]] = {}
        for case in ordered(table.cases.values()):
            judged = case.record["quality"]
            if judged and judged["value"] is not None:
                key = case.record["workload"], case.record["batch"]
                groups.setdefault(key, []).append(case)
        for (workload, batch), cases in groups.items():
            spots = tuple(spot for case in cases if (spot := _spot(table, case)))
            first: dict[str, Any] = cases[0].record["quality"]
            if len(spots) > 1:
                yield Plane(
                    f"{workload} · {device(table)} · batch {batch}",
                    cases[0].record["unit"] or "sample",
                    first["metric"],
                    measured(table),
                    first.get("target"),
                    all(is_share(case.record) for case in cases),
                    spots,
                )


def _spot(table: Table, case: Case) -> Spot | None:
    cost, record = _cost(table, case), case.record
    if cost is None or cost.value <= 0:
        return None
    other = record["technique"] == "baseline" and not case.is_baseline
    group = OTHER_RUNTIME if other else record["technique"]
    quality = _quality(case)
    holds = not case.breaks_quality()
    label = short_label(case, table)
    return Spot(label, group, cost, quality, holds, case.is_baseline, quality.value)


def sweeps(tables: Sequence[Table]) -> Iterator[Plane]:
    """Quality against size, of each workload of which a session has judged a sweep."""
    for table in tables:
        judged = [
            Case(table.told, record, table.boundary)
            for record in table.told.cases.values()
            if record["device"] == table.device and record["runtime"] == "judged"
        ]
        for workload in sorted({case.record["workload"] for case in judged}):
            cases = {
                _whole_label(case.record): case
                for case in (*ordered(table.cases.values()), *ordered(judged))
                if case.record["workload"] == workload
                and case.record["quality"]
                and case.record["size_bytes"].get("disk")
            }
            dense = max((_dense(case.record) or 0 for case in cases.values()), default=0)
            spots = tuple(
                _step(case, dense)
                for case in cases.values()
                if dense and case.record["technique"] != "baseline" and case.quality_change()
            )
            metrics = [case.record["quality"] for case in cases.values()]
            if len(spots) > 1:
                share = all(0 <= each["value"] <= 1 for each in metrics)
                title = f"{workload} · {device(table)}"
                seeds = len(metrics[0].get("seeds", ())) or 1
                yield Plane(title, "", metrics[0]["metric"], False, None, share, spots, seeds)


def _whole_label(record: Line) -> str:
    level = ",".join(f"{name}={value}" for name, value in sorted(record["level"].items()))
    return f"{record['technique']}@{level}" if level else str(record["technique"])


def _dense(record: Line) -> int | None:
    """Bytes of the model as shipped, in float32."""
    sizes = record["size_bytes"]
    own: int | None = sizes.get("disk" if record["technique"] == "baseline" else "dense")
    return sizes.get("baseline") or own


def _step(case: Case, dense: int) -> Spot:
    record, change = case.record, case.quality_change()
    assert change is not None
    value = float(record["quality"]["value"]) - float(record["baseline_quality"]["value"])
    low, high = (value if end is None else end for end in (change.low, change.high))
    size = record["size_bytes"]["disk"]
    words = [
        f"{name}={choice}" for name, choice in sorted(record["level"].items()) if _is_word(choice)
    ]
    return Spot(
        ",".join(f"{name}={choice}" for name, choice in sorted(record["level"].items())),
        " ".join((record["technique"], *words)),
        Number(size / dense),
        Number(value, low, high),
        not case.breaks_quality(),
        False,
        float(record["quality"]["value"]),
        size,
    )


def _is_word(choice: str) -> bool:
    try:
        float(choice)
    except ValueError:
        return True
    return False
