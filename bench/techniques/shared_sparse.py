"""Prunes and shares the weights of linear layers without training, and runs our own kernel."""

from typing import TYPE_CHECKING

from bench.model_facts import disk_bytes
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor

MOST_BITS = 8


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
    from bench.techniques._sharing import clusters_of

    notes: set[str] = set()

    def shared(layer: nn.Linear) -> nn.Module:
        kept = largest(layer.weight.detach(), density)
        layer.weight = nn.Parameter(clusters_of(kept, bits).decoded(), requires_grad=False)
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
