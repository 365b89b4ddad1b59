"""Some of a transformer's layers, the others left out: the shape of a distilled student."""

import copy
from typing import TYPE_CHECKING, Any

from bench.model_facts import float_size, stored_bytes
from bench.refusal import Unfit
from bench.techniques._cut import cut
from bench.techniques._precision import requested
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import nn

NAME = "layer_dropping"


def apply(
    workload: Workload,
    *,
    seed: int = 0,  # noqa: ARG001 - nothing is drawn
    depth: float = 0.5,
    dtype: str = "fp32",
) -> Variant:
    """The workload's model with the share *depth* of its layers, evenly spread, the first included.

    Half of BERT's is how DistilBERT began, before it was distilled. Here nothing is distilled: what
    is measured is the speed of the shape, and its quality is where distillation starts from.

    Args:
        workload: Of a model with a stack of layers of one kind.
        seed: Taken as from every technique; nothing here is drawn.
        depth: Share of the layers that stay, 0 < depth < 1; at least one does.
        dtype: ``fp32``, or what the runtime is to make of it: ``bf16``, ``fp16``, ``int8``,
            ``fp8``.

    Raises:
        ValueError: *depth* or *dtype* is not one of the above.
        Refusal: The model has no such stack, or does not run without some of it.

    Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT", section 3.
    """
    if not 0 < depth < 1:
        raise ValueError(f"depth is {depth}, wanted above 0 and below 1; choose such as 0.5")

    def make(model: "nn.Module", _: tuple[Any, ...]) -> "tuple[nn.Module, str]":
        shallow = copy.deepcopy(model)
        stack = _deepest(shallow)
        if stack is None:
            raise Unfit(
                f"{NAME} cannot be applied to {workload.name}: its model is a "
                f"{type(model).__name__}, wanted a stack of two or more layers of one kind",
                "leave layers out yourself and measure it against its baseline",
            )
        total = len(stack)
        _thin(stack, max(1, round(depth * total)))
        return shallow, f"{len(stack)} of {total} layers"

    model, left = cut(workload, NAME, make)
    size, sizes = stored_bytes(model), float_size(workload.model)
    note = f"{left}; not distilled"
    return requested(Variant(workload, NAME, level(depth=depth), model, size, note, sizes), dtype)


def _deepest(model: "nn.Module") -> "nn.ModuleList | None":
    """The longest list of modules of one class, two at least."""
    from torch import nn

    stacks = [
        module
        for module in model.modules()
        if isinstance(module, nn.ModuleList)
        and len(module) > 1
        and len(set(map(type, module))) == 1
    ]
    return max(stacks, key=len, default=None)


def _thin(stack: "nn.ModuleList", kept: int) -> None:
    """Leaves *kept* layers, and tells those that store keys and values which place is theirs."""
    total = len(stack)
    places = {number * total // kept for number in range(kept)}
    for place in reversed(range(total)):
        if place not in places:
            del stack[place]
    for place, layer in enumerate(stack):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = place  # type: ignore[assignment]
