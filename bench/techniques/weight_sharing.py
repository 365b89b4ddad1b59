"""A few values for all weights of a layer, found by k-means and then trained."""

import copy
from typing import TYPE_CHECKING, Any

from bench.stages import stage
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import nn

WIDEST = 8
"""Bits of a code: a codebook of 256 values."""
TUNING_RATE = 2e-4
"""Peak learning rate of the centroids, a tenth of the digits workloads' own."""
SHORTER = 5
"""The centroids are trained for a fifth of the baseline's epochs."""


def apply(workload: Workload, *, seed: int = 0, bits: int = 5) -> Variant:
    """The workload's model with at most 2^*bits* different weights in each layer.

    Each layer's weights are clustered by k-means, C = argmin Σ_k Σ_{w ∈ c_k} |w − c_k|², from
    centroids that lie evenly between the least and the largest weight. Then the centroids and the
    biases are trained, with the gradients summed per centroid:
    ∂L/∂C_k = Σ_ij ∂L/∂W_ij · 1(I_ij = k). Biases are not shared.

    What runs are the decoded float32 weights: sharing alone saves bytes on disk, no work. The size
    is that of a file with *bits* bits a weight and the codebooks, which
    `bench.techniques._codec.decode` reads back.

    Args:
        workload: One whose context can be trained with.
        seed: Of the order of the images in training the centroids.
        bits: Of a code, 1 to 8.

    Raises:
        TypeError: The workload cannot be trained.
        ValueError: *bits* is not 1 to 8.

    Source: Han, Mao and Dally 2016, "Deep Compression", section 3.
    """
    trainable(workload, "weight_sharing")
    check_bits(bits)
    from bench.techniques._codec import stored_sizes

    key = ("weight_sharing", workload.name, workload.version, workload.model, seed, bits)
    model = stage(key, lambda: tuned(workload, workload.model, bits, seed))
    sizes = stored_sizes(model)
    note = f"{1 << bits} values a layer; runs decoded, on dense float32 kernels"
    own = copy.deepcopy(model)  # what a stage made belongs to all
    size = sizes["shared"]
    return Variant(workload, "weight_sharing", level(bits=bits), own, size, note, sizes)


def check_bits(bits: int) -> None:
    """Refuses a code of no bits, or of more than the codec's 8.

    Raises:
        ValueError: *bits* is not 1 to 8.
    """
    if not 1 <= bits <= WIDEST:
        raise ValueError(f"bits is {bits}, wanted 1 to {WIDEST}; choose such as 5")


def tuned(workload: Workload, model: Any, bits: int, seed: int) -> "nn.Module":  # noqa: ANN401
    """A copy of *model* with shared weights, whose centroids and biases were trained.

    Args:
        workload: Whose training data and training function are used.
        model: The workload's own, or a pruned form of it, whose zeros stay.
        bits: Of a code, 1 to 8.
        seed: Of the order of the images.
    """
    from bench.techniques._sharing import share

    context = trainable(workload, "weight_sharing")
    epochs = max(1, context.epochs // SHORTER)

    def tune(shared: "nn.Module") -> None:
        context.train(shared, seed=seed, epochs=epochs, rate=TUNING_RATE)

    return share(model, bits, tune)
