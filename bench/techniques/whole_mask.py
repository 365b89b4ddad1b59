"""Zeros in the weights of a whole model, in dense kernels: the control that gains nothing."""

import copy
from typing import TYPE_CHECKING

from bench.model_facts import stored_bytes
from bench.refusal import Unfit
from bench.techniques._cut import read_again
from bench.techniques._precision import requested
from bench.techniques._pruning import highest
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "whole_mask"


def apply(
    workload: Workload,
    *,
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
    density: float = 0.1,
    dtype: str = "fp32",
) -> Variant:
    """The workload's model with all but the share *density* of each layer's weights zero.

    The largest stay, in every linear and convolutional layer by itself; biases, norms and
    embeddings stay whole. Dense kernels multiply zeros as they multiply anything, so time and
    energy are those of the model as shipped.

    Args:
        workload: Of a whole model, a torch module.
        seed: Taken as from every technique; nothing here is drawn.
        density: Share of the weights that stay, 0 < density <= 1; of each layer at least one.
        dtype: ``fp32``, or what the runtime is to make of it: ``bf16``, ``fp16``, ``int8``,
            ``fp8``.

    Raises:
        ValueError: *density* or *dtype* is not one of the above.
        Refusal: The model has no such layers.

    Source: Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks",
    without its retraining.
    """
    import torch
    from torch import nn

    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.1")
    model = copy.deepcopy(workload.model)
    layers = _layers(model) if isinstance(model, nn.Module) else []
    if not layers or not isinstance(model, nn.Module):
        raise Unfit(
            f"{NAME} cannot be applied to {workload.name}: its model is a {type(model).__name__}, "
            "wanted a torch module with linear or convolutional layers",
            "mask it yourself and measure it against its baseline",
        )
    with torch.no_grad():
        for weight in layers:
            kept = max(1, round(density * weight.numel()))
            weight.mul_(highest(weight.abs().flatten(), kept).view_as(weight))
    read_again(model)
    size = stored_bytes(model)
    sizes = {} if size is None else {"dense": size}
    note = "masked: zeros in dense kernels; not retrained"
    made = Variant(workload, NAME, level(density=density), model, size, note, sizes)
    return requested(made, dtype)


def _layers(model: "nn.Module") -> "list[Tensor]":
    """The weights of linear and convolutional layers that are no embedding's as well."""
    from torch import nn

    embedded = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)}
    kinds = (nn.Linear, nn.modules.conv._ConvNd)  # noqa: SLF001 - torch has no public base
    found = {id(each.weight): each.weight for each in model.modules() if isinstance(each, kinds)}
    return [weight for key, weight in found.items() if key not in embedded]
