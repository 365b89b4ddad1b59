"""Prunes and shares the weights of linear layers without training, and runs our own kernel."""

from typing import TYPE_CHECKING

from bench.model_facts import disk_bytes
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor

MOST_BITS = 8
ROUNDS = 50
"""Of k-means at most."""


def apply(workload: Workload, *, seed: int = 0, density: float = 0.1, bits: int = 5) -> Variant:  # noqa: ARG001 - nothing is drawn
    """The workload's model with few nonzero weights of few values in each linear layer.

    The largest weights of each layer stay; k-means gives each of them one of 2^bits values: the
    first two stages of Deep Compression as they bear on time and energy. Nothing is trained, so
    the quality is not what the pipeline reaches. Convolutions stay as they are.

    Args:
        workload: Any whose model is a torch module with linear layers.
        seed: Taken as from every technique; nothing here is drawn.
        density: Share of each layer's weights that stay, 0 < density <= 1.
        bits: Of a code, 1 to 8.

    Raises:
        TypeError: The model has no linear layers.
        ValueError: *density* or *bits* is out of its range, or a layer has more than 65,535 inputs.

    Source: Han, Mao and Dally 2016, "Deep Compression", sections 2 and 3; Han et al. 2016, "EIE",
    for multiplying with the codes.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.1")
    if not 1 <= bits <= MOST_BITS:
        raise ValueError(f"bits is {bits}, wanted 1 to {MOST_BITS}; choose such as 5")
    import torch
    from torch import nn

    from bench.techniques._linear_layers import with_layers
    from bench.techniques._shared_modules import to_shared

    notes: set[str] = set()

    def shared(layer: nn.Linear) -> nn.Module:
        kept = largest(layer.weight.detach(), density)
        layer.weight = nn.Parameter(clustered(kept, bits), requires_grad=False)
        module, note = to_shared(layer)
        notes.add(note)
        return module

    with torch.inference_mode(mode=False):
        model = with_layers(workload, "shared_sparse", shared)
    levels = level(density=density, bits=bits)
    size = disk_bytes(model.state_dict())
    return Variant(workload, "shared_sparse", levels, model, size, "; ".join(sorted(notes)))


def largest(weight: "Tensor", density: float) -> "Tensor":
    """*weight* (out, in) with all but the share *density* of largest magnitude zero."""
    import torch

    count = weight.numel() - max(1, round(density * weight.numel()))
    if not count:
        return weight.clone()
    magnitudes = weight.abs()
    threshold = magnitudes.flatten().kthvalue(count).values
    return torch.where(magnitudes > threshold, weight, 0.0)


def clustered(weight: "Tensor", bits: int) -> "Tensor":
    """*weight* with each nonzero element at the nearest of 2^bits centroids, by k-means.

    The centroids begin evenly spaced from the least to the largest element. In one dimension a
    cluster is a stretch of the sorted elements: a round costs a few differences of running sums.
    """
    import torch

    values, order = weight[weight != 0].double().sort()  # (nonzero,)
    if not len(values):
        return weight.clone()
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
    centroids = torch.linspace(float(values[0]), float(values[-1]), 1 << bits, dtype=torch.float64)
    ends = _ends(values, centroids)
    for _ in range(ROUNDS):
        counts = ends.diff()
        means = sums[ends].diff() / counts.clamp(min=1)
        centroids = torch.where(counts > 0, means, centroids)
        before, ends = ends, _ends(values, centroids)
        if torch.equal(before, ends):
            break
    shared = torch.empty_like(values).index_copy_(
        0, order, centroids.repeat_interleave(ends.diff())
    )
    return weight.masked_scatter(weight != 0, shared.to(weight.dtype))


def _ends(values: "Tensor", centroids: "Tensor") -> "Tensor":
    """Where each centroid's stretch of the sorted *values* begins, and the end: (clusters + 1,)."""
    import torch

    middles = torch.searchsorted(values, (centroids[1:] + centroids[:-1]) / 2)
    return torch.cat([middles.new_zeros(1), middles, middles.new_full((1,), len(values))])
