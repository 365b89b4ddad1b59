"""What was published of whole models that ``workloads/`` makes again: joules, ratios, sizes."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.reference.layers import geomean, least_sure, short
from bench.reference.published import Confidence, Published, load

WALL = "wall"
GPU_BOARD = "gpu-board"
MLPERF = ("mlperf_inference_v2.1_power", "mlperf_inference_v4.1_power")
EDGE = "mlperf_inference_v2.1_edge_fp32_int8"
_BERT_LARGE = "BERT-large with 384 tokens"
_NETWORKS: Mapping[str, tuple[frozenset[str], str]] = {
    "resnet50": (frozenset({"resnet50", "resnet"}), ""),
    "bert-base": (frozenset({"bert-99", "bert-99.9"}), _BERT_LARGE),
}
"""MLPerf's names of a workload's network, and which other model it is."""
_EDGE_NETWORKS = {"mobilenet-v2": "mobilenet-v2-1.0-224"}
_DECODERS = ("llama",)
_ENERGY = "energy_per_inference"
_ENERGY_OF_ONE = "energy_per_query"  # of SingleStream alone: a query of MultiStream has 8 samples


@dataclass(frozen=True, slots=True)
class PublishedJoules:
    """The energy of a sample, from the least of some systems to the most.

    Args:
        paper: Short, such as ``MLPerf Inference v4.1``.
        setting: MLPerf's scenario, or how many requests ran together.
        systems: How many there are.
        least: Its name.
        low: J per sample of the least.
        high: Of the most.
        unit: What a sample is.
        boundary: What their meter held, in our words.
        other_model: Which model it is, if it is another one; else empty.
        confidence: The least sure of the numbers behind it.
    """

    paper: str
    setting: str
    systems: int
    least: str
    low: float
    high: float
    unit: str
    boundary: str
    other_model: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class PublishedQuotient:
    """What a form of a model cost beside another one, on some systems.

    Args:
        paper: Short.
        what: ``time``, ``energy`` or ``parameters``.
        value: Variant ÷ original; the geometric mean if there are several systems.
        low: The least.
        high: The most.
        systems: How many there are.
        device: Its name, if there is one.
        confidence: The least sure of the numbers behind it.
    """

    paper: str
    what: str
    value: float
    low: float
    high: float
    systems: int
    device: str
    confidence: Confidence


def base(workload: str) -> str:
    """The network of a workload: its name without threads; the smallest shapes are another."""
    name, _, form = workload.partition(":")
    return "" if form == "smallest" else name


@functools.cache
def joules(workload: str) -> tuple[PublishedJoules, ...]:
    """The published energies of a workload's network, by paper and setting; empty if there is none.

    Args:
        workload: Such as ``resnet50``, ``bert-base`` or ``llama-small``.
    """
    network = base(workload)
    if network.startswith(_DECODERS):
        return _tokens()
    names, other = _NETWORKS.get(network, (frozenset(), ""))
    rows = [
        row
        for table in MLPERF
        for row in load(table)
        if row.network in names
        and (
            row.metric == _ENERGY or (row.metric == _ENERGY_OF_ONE and row.batch == "SingleStream")
        )
    ]
    groups: dict[tuple[str, str], list[Published]] = {}
    for row in rows:
        groups.setdefault((short(row.paper), str(row.batch)), []).append(row)
    return tuple(
        _joules(setting, found, "sample", WALL, other) for (_, setting), found in groups.items()
    )


def _tokens() -> tuple[PublishedJoules, ...]:
    """ML.ENERGY's Llama of 8 billion parameters: the smallest of the family that it has."""
    rows = [
        row
        for row in load("mlenergy_leaderboard_v3")
        if row.network.startswith("Llama 3.1 8B") and row.metric == "energy_per_output_token"
    ]
    return tuple(
        _joules(f"up to {row.batch} requests", [row], "token", GPU_BOARD, row.network)
        for row in rows
    )


def _joules(
    setting: str, rows: list[Published], unit: str, boundary: str, other: str
) -> PublishedJoules:
    known = [(row.value, row.device) for row in rows if row.value is not None]
    (low, least), (high, _) = min(known), max(known)
    return PublishedJoules(
        short(rows[0].paper), setting, len(known), least, low, high, unit, boundary, other,
        least_sure(rows),
    )  # fmt: skip


@functools.cache
def int8_quotients(workload: str) -> tuple[PublishedQuotient, ...]:
    """What int8 cost beside float32 of the same network and runtime, on edge boards at batch 1.

    Args:
        workload: Such as ``mobilenet-v2``.
    """
    network = _EDGE_NETWORKS.get(base(workload), "")
    rows = [row for row in load(EDGE) if network and row.network == network]
    return tuple(
        quotient
        for what, metric in (("energy", _ENERGY), ("time", "latency_p90"))
        if (quotient := _int8_quotient(rows, what, metric))
    )


def _int8_quotient(rows: Iterable[Published], what: str, metric: str) -> PublishedQuotient | None:
    of_device: dict[str, dict[str, Published]] = {}
    for row in rows:
        if row.metric.partition(".")[0] == metric:
            of_device.setdefault(row.device, {})[row.metric.partition(".")[2]] = row
    pairs = [(each["int8"], each["fp32"]) for each in of_device.values() if len(each) > 1]
    values = [one.value / other.value for one, other in pairs if one.value and other.value]
    if not values:
        return None
    used = [row for pair in pairs for row in pair]
    return PublishedQuotient(
        f"{short(used[0].paper)}, edge, SingleStream", what, geomean(values), min(values),
        max(values), len(values), "", least_sure(used),
    )  # fmt: skip


@functools.cache
def distilled_quotients() -> tuple[PublishedQuotient, ...]:
    """DistilBERT beside BERT-base: parameters, and the time of a pass on a CPU at batch 1."""
    rows = {row.metric: row for row in load("distillation") if row.network.startswith("DistilBERT")}
    found = []
    for what, name in (("parameters", "params"), ("time", "inference_time_full_pass")):
        one, other = rows[f"{name}.distilbert"], rows[f"{name}.bert_base"]
        if one.value and other.value:
            value = one.value / other.value
            paper = f"{short(one.paper)}, {one.table}"
            sure = least_sure((one, other))
            found.append(PublishedQuotient(paper, what, value, value, value, 1, one.device, sure))
    return tuple(found)
