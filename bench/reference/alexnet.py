"""AlexNet's layers as counts, from its shapes and from the densities that Han et al. published.

No weight is needed: the shapes give operations and bytes, the published tables give the shares of
weights and activations that are not zero.
"""

import math
from dataclasses import dataclass

from bench.layer_counts import LayerCount
from bench.reference.published import load

_BYTE = 8
_INDEX_BITS = 32  # CSR with int32 indices, as our sparse layers


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer of a network.

    Args:
        name: As in Han et al. 2015, Table 4.
        weight: Of its weight: (out, in / groups, height, width), or (out, in).
        inputs: Elements of one image that come in.
        places: At how many places the weight is multiplied.
    """

    name: str
    weight: tuple[int, ...]
    inputs: int
    places: int = 1

    @property
    def weights(self) -> int:
        """Elements of the weight."""
        return math.prod(self.weight)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return self.weights * self.places


ALEXNET = (
    Shape("conv1", (96, 3, 11, 11), 3 * 227 * 227, 55 * 55),
    Shape("conv2", (256, 48, 5, 5), 96 * 27 * 27, 27 * 27),
    Shape("conv3", (384, 256, 3, 3), 256 * 13 * 13, 13 * 13),
    Shape("conv4", (384, 192, 3, 3), 384 * 13 * 13, 13 * 13),
    Shape("conv5", (256, 192, 3, 3), 384 * 13 * 13, 13 * 13),
    Shape("fc1", (4096, 9216), 9216),
    Shape("fc2", (4096, 4096), 4096),
    Shape("fc3", (1000, 4096), 4096),
)
"""Krizhevsky et al. 2012 with its two groups: 61 million weights, 724 million operations."""


def alexnet(*, pruned: bool, batch: int = 1, bits: int = 32) -> tuple[LayerCount, ...]:
    """The layers of AlexNet in one call.

    Args:
        pruned: At the densities of Han et al. 2015, Table 4, in a sparse kernel with CSR weights;
            else all weights, in a dense one.
        batch: Images.
        bits: Of weights and activations.

    The activations of both are those that the paper found: those of a layer's own row leave it and
    enter the next; those of the first layer are pixels, none of them zero.
    """
    published = {
        (row.layer, row.metric): row.value / 100
        for row in load("han2015_tables2-5_layers")
        if row.network == "AlexNet" and row.metric.endswith("_density") and row.value is not None
    }
    enter = [1.0, *(published[shape.name, "activation_density"] for shape in ALEXNET)]
    return tuple(
        _count(
            shape, published[shape.name, "weight_density"] if pruned else 1.0, density, batch, bits
        )
        for shape, density in zip(ALEXNET, enter, strict=False)
    )


def _count(shape: Shape, kept: float, entering: float, batch: int, bits: int) -> LayerCount:
    stored_bits = bits * kept + (_INDEX_BITS * kept if kept < 1 else 0)
    macs = batch * shape.macs
    return LayerCount(
        name=shape.name,
        kind="Conv2d" if shape.places > 1 else "Linear",
        macs=round(macs * kept),
        macs_nonzero=round(macs * kept * entering),
        weights=shape.weights,
        weight_bits=bits,
        activation_bits=bits,
        weight_bytes=round(shape.weights * stored_bits / _BYTE),
        inputs=batch * shape.inputs,
        outputs=batch * shape.weight[0] * shape.places,
        activation_density=entering,
        weight_density=kept,
    )
