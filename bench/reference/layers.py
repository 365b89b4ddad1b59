"""Published time and energy of the fully connected layers that ``layer:…`` workloads make again."""

import functools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bench.reference.published import Confidence, Published, load

TABLES = ("deepcompression_table8_time", "deepcompression_table9_power", "eie_table4_time")
DENSITIES = ("deepcompression_tables2-5_layers", "eie_headlines_table3")
DEVICES = {
    "Intel Core i7-5930K": "i7-5930K",
    "NVIDIA GeForce GTX Titan X": "Titan X",
    "NVIDIA Tegra K1 (Jetson TK1)": "Tegra K1",
}
_WORKLOAD = re.compile(r"layer:([a-z0-9]+)-([a-z0-9]+)")


@dataclass(frozen=True, slots=True)
class PublishedRatio:
    """What a sparse layer cost beside the same dense one, on one device of a paper.

    Args:
        device: Short, such as ``i7-5930K``.
        time: Sparse ÷ dense, time per input.
        energy: Sparse ÷ dense, energy per input, or None where no power was published.
        table: Where: paper and table.
        confidence: The least sure of the numbers behind it.
    """

    device: str
    time: float
    energy: float | None
    table: str
    confidence: Confidence


@functools.cache
def layer_ratios(workload: str, batch: int) -> tuple[PublishedRatio, ...]:
    """The published ratios of one layer at one batch; empty for what no paper timed.

    Deep Compression's tables come before EIE's, which repeat them.

    Args:
        workload: Such as ``layer:alexnet-fc6``.
        batch: Samples given together; the papers have 1 and 64.
    """
    ratios = (_ratio(workload, batch, device) for device in DEVICES)
    return tuple(ratio for ratio in ratios if ratio)


def _ratio(workload: str, batch: int, device: str) -> PublishedRatio | None:
    found: dict[str, Published] = {}
    for row in _rows(workload, TABLES):
        if row.device == device and row.batch == batch:
            found.setdefault(row.metric, row)
    times = [found.get(f"latency_per_input.{form}") for form in ("sparse", "dense")]
    powers = [found.get(f"power.{form}") for form in ("sparse", "dense")]
    time = _quotient(times)
    power = _quotient(powers)
    first = times[0]
    if time is None or first is None:
        return None
    return PublishedRatio(
        DEVICES[device],
        time,
        None if power is None else power * time,
        f"{short(first.paper)}, {first.table}",
        least_sure(row for row in (*times, *powers) if row),
    )


def _quotient(rows: list[Published | None]) -> float | None:
    """The first value over the second, or None if one is missing."""
    one, other = (row.value if row else None for row in rows)
    return one / other if one is not None and other else None


@functools.cache
def layer_density(workload: str) -> Published | None:
    """The published share of the weights of one layer that stay, in per cent."""
    rows = (row for row in _rows(workload, DENSITIES) if row.metric == "weight_density")
    return next(rows, None)


def _rows(workload: str, tables: Iterable[str]) -> Iterable[Published]:
    """The rows that speak of the layer of a workload, in the order of the tables."""
    match = _WORKLOAD.fullmatch(workload.lower())
    if match is None:
        return []
    network, layer = match.groups()
    return [
        row
        for table in tables
        for row in load(table)
        if _plain(row.network).startswith(network) and _plain(row.layer) == layer
    ]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def short(paper: str) -> str:
    """A paper in two or three words.

    >>> short("Han2016 Deep Compression ICLR (arXiv 1510.00149v5)")
    'Han2016 Deep Compression ICLR'
    """
    return paper.partition(" (")[0]


def least_sure(rows: Iterable[Published]) -> Confidence:
    """The confidence of what follows from several rows: that of the least sure one."""
    order = list(Confidence)
    return max((row.confidence for row in rows), key=order.index)


def geomean(values: Iterable[float]) -> float:
    """The geometric mean of some positive ratios.

    Raises:
        ValueError: There is none, or one is not positive.
    """
    logs = [math.log(value) for value in values]
    if not logs:
        raise ValueError("found no ratio, wanted at least one")
    return math.exp(sum(logs) / len(logs))
