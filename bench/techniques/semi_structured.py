"""Two of each four neighbouring weights of linear layers are zero: 2:4 sparsity, for GPUs."""

from dataclasses import replace

from bench.refusal import Refusal
from bench.techniques._precision import DTYPES
from bench.techniques._pruning import model_copy
from bench.two_of_four import SPARSE, mask, sparsifiable
from bench.workload import Request, Variant, Workload, level

NAME = "semi_structured"
TYPES = ("bf16", "fp16")


def apply(workload: Workload, *, seed: int = 0, dtype: str = "bf16") -> Variant:  # noqa: ARG001
    """The workload's model with 2:4 weights, to be run in 16 bits by kernels that skip the zeros.

    The two smallest of each four go, by magnitude, in the linear layers whose shape the kernels
    take; nothing is retrained. Convolutions, and layers of other shapes, stay dense.

    Args:
        workload: Of a whole model.
        seed: Not used: nothing is drawn.
        dtype: ``bf16`` or ``fp16``.

    Raises:
        ValueError: *dtype* is another one.
        TypeError: The model is no torch module.
        Refusal: No layer has such a shape.

    Source: Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks".
    """
    if dtype not in TYPES:
        raise ValueError(f"dtype is {dtype}, wanted one of {', '.join(TYPES)}; choose one of them")
    model = model_copy(workload, NAME)
    layers = sparsifiable(model)
    if not layers:
        raise Refusal(
            f"{workload.name} has no linear layer with multiples of 32 outputs and 64 inputs, "
            "which 2:4 kernels want",
            "choose another technique, such as whole_pruning",
        )
    for layer in layers:
        layer.weight.data.mul_(mask(layer.weight))
    variant = Variant(workload, NAME, level(dtype=dtype), model)
    note = f"2:4 weights in {len(layers)} linear layers, not retrained"
    return replace(variant, note=note, request=Request(DTYPES[dtype] + SPARSE))
