"""The published numbers, from the CSV files of bench/reference; see `recompute`."""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "bench" / "reference"
SURE = (
    "verbatim", "extract", "secondary", "abstract", "computed", "memory-unverified", "not-found",
)  # fmt: skip
READ = SURE[:5]
"""What someone has read somewhere; the rest is shown small, with the word."""
DEVICES = {
    "i7-5930K": "Intel Core i7-5930K",
    "Titan X": "NVIDIA GeForce GTX Titan X",
    "Tegra K1": "NVIDIA Tegra K1 (Jetson TK1)",
}
LAYERS = ("deepcompression_table8_time", "deepcompression_table9_power", "eie_table4_time")
DENSITIES = ("deepcompression_tables2-5_layers", "eie_headlines_table3")

Row = Mapping[str, str]


@cache
def read(table: str) -> tuple[Row, ...]:
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def value(row: Row) -> float:
    return float(row["value"])


def one(table: str, network: str, metric: str) -> Row:
    """The first row of a network and a metric."""
    return next(r for r in read(table) if (r["network"], r["metric"]) == (network, metric))


def sure(rows: Iterable[Row]) -> str:
    """How sure what follows from several rows is: as the least sure of them."""
    return max((row["confidence"] for row in rows), key=SURE.index)


def short(row: Row) -> str:
    """A paper without what stands in brackets."""
    return row["paper"].partition(" (")[0]


def place(row: Row) -> str:
    return f"{short(row)}, {row['table']}"


@dataclass(frozen=True)
class Quotient:
    """A published variant ÷ original.

    Args:
        values: Of each system.
        rows: What they follow from.
        place: Where they stand.
    """

    values: Sequence[float]
    rows: Sequence[Row]
    place: str

    @property
    def value(self) -> float:
        """The geometric mean."""
        return math.exp(math.fsum(map(math.log, self.values)) / len(self.values))


# -- layers -----------------------------------------------------------------------------------


@cache
def _of_layer(workload: str, tables: tuple[str, ...]) -> list[Row]:
    named = re.fullmatch(r"layer:([a-z0-9]+)-([a-z0-9]+)", workload)
    if not named:
        return []

    def bare(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower())

    return [
        row
        for table in tables
        for row in read(table)
        if bare(row["network"]).startswith(named[1]) and bare(row["layer"]) == named[2]
    ]


def layer_quotient(workload: str, batch: int, device: str, *, energy: bool) -> Quotient | None:
    """Sparse ÷ dense of one layer on a paper's device; energy is time × power of both."""
    rows = [
        row
        for row in _of_layer(workload, LAYERS)
        if row["device"] == DEVICES[device] and row["batch"] == str(batch)
    ]
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["metric"], row)
    sides = [
        [found.get(f"{what}.{form}") for form in ("sparse", "dense")]
        for what in ("latency_per_input", "power")
    ]
    used = [row for side in sides for row in side if row]
    time, power = ([value(row) for row in side if row] for side in sides)
    if len(time) < 2 or (energy and len(power) < 2):
        return None
    ratio = time[0] / time[1] * (power[0] / power[1] if energy else 1)
    return Quotient((ratio,), used, place(used[0]))


def layer_density(workload: str) -> Row | None:
    """The share of a layer's weights that stays, %."""
    rows = _of_layer(workload, DENSITIES)
    return next((row for row in rows if row["metric"] == "weight_density"), None)


# -- whole models -----------------------------------------------------------------------------


def network_of(workload: str) -> str:
    """A workload without its form, of which the smallest is another model."""
    name, _, form = workload.partition(":")
    return "" if form == "smallest" else name


@cache
def joules(workload: str) -> dict[tuple[str, str], list[Row]]:
    """The published energies of a sample by paper and setting."""
    network = network_of(workload)
    found: dict[tuple[str, str], list[Row]] = {}
    if network.startswith("llama"):
        for number, row in enumerate(read("mlenergy_leaderboard_v3")):
            of_it = row["network"].startswith("Llama 3.1 8B")
            if of_it and row["metric"] == "energy_per_output_token":
                found[str(number), f"up to {row['batch']} requests"] = [row]
        return found
    names = {"resnet50": ("resnet50", "resnet"), "bert-base": ("bert-99", "bert-99.9")}
    for table in ("mlperf_inference_v2.1_power", "mlperf_inference_v4.1_power"):
        for row in read(table):
            whole = row["metric"] == "energy_per_inference"
            of_one = row["metric"] == "energy_per_query" and row["batch"] == "SingleStream"
            if row["network"] in names.get(network, ()) and (whole or of_one):
                found.setdefault((short(row), row["batch"]), []).append(row)
    return found


def int8_quotient(workload: str, *, energy: bool) -> Quotient | None:
    """int8 ÷ float32 of one network on MLPerf's edge boards that have both."""
    network = {"mobilenet-v2": "mobilenet-v2-1.0-224"}.get(network_of(workload))
    metric = "energy_per_inference" if energy else "latency_p90"
    of_board: dict[str, dict[str, Row]] = {}
    for row in read("mlperf_inference_v2.1_edge_fp32_int8"):
        name, _, dtype = row["metric"].partition(".")
        if row["network"] == network and name == metric:
            of_board.setdefault(row["device"], {})[dtype] = row
    pairs = [(each["int8"], each["fp32"]) for each in of_board.values() if len(each) == 2]
    if not pairs:
        return None
    values = [value(small) / value(whole) for small, whole in pairs]
    rows = [row for pair in pairs for row in pair]
    return Quotient(values, rows, f"{short(rows[0])}, edge, SingleStream")


def distilled_quotient(what: str) -> Quotient:
    """DistilBERT ÷ BERT-base."""
    metric = {"parameters": "params", "time": "inference_time_full_pass"}[what]
    rows = [
        one("distillation", "DistilBERT vs BERT-base", f"{metric}.{name}")
        for name in ("distilbert", "bert_base")
    ]
    return Quotient((value(rows[0]) / value(rows[1]),), rows, place(rows[0]))


def targets(workload: str, batch: int) -> dict[str, Row]:
    """What is asked of a model, and what another machine showed."""
    network, _, form = workload.partition(":")
    rows = read("compression_notes") if not form or re.fullmatch(r"\d+t", form) else ()
    return {
        row["metric"].removeprefix("speedup_over_eager_fp32."): row
        for row in rows
        if row["network"] == network and row["batch"] == str(batch)
    }
