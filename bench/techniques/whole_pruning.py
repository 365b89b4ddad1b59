"""Heads, feed-forward units and channels cut out of a whole model: the same kernels, smaller."""

from typing import TYPE_CHECKING, Any

from bench.model_facts import float_size, stored_bytes
from bench.techniques._cut import cut
from bench.techniques._precision import requested
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import nn

NAME = "whole_pruning"


def apply(
    workload: Workload,
    *,
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
    ratio: float = 0.5,
    dtype: str = "fp32",
) -> Variant:
    """The workload's model without the share *ratio* of each layer's heads, units and channels.

    Those of the smallest weights go (L2 norm over all layers that lose something by it), together
    with all that depends on them, by Torch-Pruning's dependency graph. Where tokens are embedded
    the width of the embedding stays, for it is most of the parameters and little of the work, and
    heads and feed-forward units go. It is not retrained: what is measured is the speed of the
    shape, and its quality is that of the cut.

    Args:
        workload: Of a whole model, a torch module that gives a tensor.
        seed: Taken as from every technique; nothing here is drawn.
        ratio: Share of each layer to remove, 0 < ratio < 1. Widths are rounded down to multiples of
            eight where they are large enough, so that more may go.
        dtype: ``fp32``, or what the runtime is to make of it: ``bf16``, ``fp16``, ``int8``,
            ``fp8``.

    Raises:
        ValueError: *ratio* or *dtype* is not one of the above.
        Refusal: The model cannot be cut.

    Source: Fang et al. 2023, "DepGraph: Towards Any Structural Pruning"; Li et al. 2017, "Pruning
    Filters for Efficient ConvNets"; Michel et al. 2019, "Are Sixteen Heads Really Better than One?"
    """
    if not 0 < ratio < 1:
        raise ValueError(f"ratio is {ratio}, wanted above 0 and below 1; choose such as 0.5")

    def make(model: "nn.Module", inputs: tuple[Any, ...]) -> "tuple[nn.Module, str]":
        from bench.techniques._whole_pruning import pruned

        return pruned(model, inputs, ratio)

    model, removed = cut(workload, NAME, make)
    size, sizes = stored_bytes(model), float_size(workload.model)
    note = f"{removed}; not retrained"
    return requested(Variant(workload, NAME, level(ratio=ratio), model, size, note, sizes), dtype)
