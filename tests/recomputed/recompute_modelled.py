"""What the layers of a record cost by the two models of docs/modelled.md; see `recompute`."""

import math
from collections.abc import Mapping, Sequence

from recompute import Line, Number
from recompute_published import read, value

PICO = 1e-12
SRAM_PJ, DRAM_PJ = 5.0, 640.0  # for 32 bits: Horowitz, ISSCC 2014
SUM_PJ, WHOLE_SUM_PJ = 0.9, 0.1  # of 32 bits, in floating point and in integers
PRODUCT_PJ = {32: 3.7, 16: 1.1, 8: 0.2}
REGISTERS, NETWORK, BUFFER, DRAM = 1.0, 2.0, 6.0, 200.0  # an access: Chen, Emer, Sze, ISCA 2016
INDEX_BITS = 32
ALEXNET = {
    # shape of the weight, elements that come in, places: Krizhevsky et al. 2012, two groups
    "conv1": ((96, 3, 11, 11), 3 * 227**2, 55**2),
    "conv2": ((256, 48, 5, 5), 96 * 27**2, 27**2),
    "conv3": ((384, 256, 3, 3), 256 * 13**2, 13**2),
    "conv4": ((384, 192, 3, 3), 384 * 13**2, 13**2),
    "conv5": ((256, 192, 3, 3), 384 * 13**2, 13**2),
    "fc1": ((4096, 9216), 9216, 1),
    "fc2": ((4096, 4096), 4096, 1),
    "fc3": ((1000, 4096), 4096, 1),
}


def horowitz(layer: Line) -> dict[str, float]:
    """J of one call of a layer on a 45 nm chip, by where it goes."""
    bits, macs = layer["weight_bits"], layer["macs"]
    width = next((each for each in (8, 16) if bits <= each), 32)
    sum_pj = WHOLE_SUM_PJ if width == 8 else SUM_PJ
    operands = macs * (bits + layer["activation_bits"])
    moved = 8 * layer["weight_bytes"]
    moved += layer["activation_bits"] * (layer["inputs"] + layer["outputs"])
    return {
        "DRAM": PICO * DRAM_PJ * moved / 32,
        "SRAM": PICO * SRAM_PJ * operands / 32,
        "arithmetic": PICO * macs * (PRODUCT_PJ[width] + sum_pj),
    }


def eyeriss(layer: Line) -> float:
    """One call of a layer in multiply-accumulates of 16 bits of a chip that skips zeros."""
    weight, value_ = layer["weight_bits"] / 16, layer["activation_bits"] / 16
    nonzero = layer["weights"] * layer["weight_density"] * weight
    weights = min(layer["weight_bytes"] / 2, nonzero)
    enter = value_ * layer["inputs"] * layer["activation_density"]
    leave = value_ * layer["outputs"]
    each = max(weight, value_) + REGISTERS * (weight + 3 * value_)
    once = (NETWORK + DRAM) * (weights + enter + leave)
    return float(layer["macs_nonzero"] * each + once + BUFFER * 2 * (enter + leave))


def levels(layers: Sequence[Line]) -> dict[str, float]:
    """J of one call of a whole model, by where it goes."""
    found = [horowitz(layer) for layer in layers]
    return {name: math.fsum(each[name] for each in found) for name in found[0]}


def total(layers: Sequence[Line], *, energy: str) -> float:
    """Of one call, by one of the two models."""
    if energy == "horowitz":
        return math.fsum(levels(layers).values())
    return math.fsum(map(eyeriss, layers))


def modelled(record: Line) -> Number | None:
    """Of a sample on the 45 nm chip, J; None for a record that has no layers."""
    layers = record.get("layers", ())
    return Number(total(layers, energy="horowitz") / record["batch"]) if layers else None


def alexnet(*, pruned: bool, batch: int, bits: int) -> list[Mapping[str, float]]:
    """AlexNet's layers as a record has them, at the densities of Han et al. 2015, Table 4."""
    published = {
        (row["layer"], row["metric"]): value(row) / 100
        for row in read("han2015_tables2-5_layers")
        if row["network"] == "AlexNet" and row["metric"].endswith("_density")
    }
    found: list[Mapping[str, float]] = []
    enters = 1.0  # no pixel is zero
    for name, (shape, inputs, places) in ALEXNET.items():
        kept = published[name, "weight_density"] if pruned else 1.0
        weights = math.prod(shape)
        macs = batch * weights * places * kept
        stored = kept * (bits + (INDEX_BITS if pruned else 0)) * weights / 8
        found.append(
            {
                "macs": macs, "macs_nonzero": macs * enters, "weights": weights,
                "weight_bits": bits, "activation_bits": bits, "weight_bytes": stored,
                "inputs": batch * inputs, "outputs": batch * shape[0] * places,
                "activation_density": enters, "weight_density": kept,
            }
        )  # fmt: skip
        enters = published[name, "activation_density"]
    return found
