"""Makes a model smaller and proves that it still runs: what the cuts of whole models share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.refusal import Refusal, Unfit, for_memory
from bench.workload import Workload

if TYPE_CHECKING:
    from torch import nn

Make = Callable[["nn.Module", tuple[Any, ...]], "tuple[nn.Module, str]"]
"""A model and a small batch to a smaller copy, and what was removed, in words."""


def cut(workload: Workload, technique: str, make: Make) -> "tuple[nn.Module, str]":
    """What *make* makes of the workload's model: fewer parameters, outputs of the same shape.

    Raises:
        Refusal: The model is no torch module, cannot be cut, or does not run afterwards.
    """
    import torch
    from torch import nn

    def unfit(why: str, fix: str) -> Refusal:
        fix = f"{fix}compress the model yourself and measure it against its baseline"
        return Unfit(f"{technique} cannot be applied to {workload.name}: {why}", fix)

    model = workload.model
    if not isinstance(model, nn.Module):
        raise unfit(f"its model is a {type(model).__name__}, wanted a torch module", "")
    another = "choose another share, or "
    inputs = _example(workload)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    try:
        smaller, removed = make(model, arguments)
        with torch.inference_mode():
            found, wanted = (tuple(each(*arguments).shape) for each in (smaller, model))
    except Refusal:
        raise
    except Exception as error:
        lines = str(error).splitlines() or [""]
        why = f"{type(error).__name__}: {lines[0]}"
        raise for_memory(error) or unfit(why, another) from error
    if found != wanted:
        raise unfit(f"found outputs of {found}, wanted {wanted}", another)
    if _parameters(smaller) >= _parameters(model):
        raise unfit("nothing could be removed", another)
    return smaller, removed


def _example(workload: Workload) -> Any:  # noqa: ANN401 - a model's input may be anything
    """A batch of one sample; of the calibration, where one is too few for a batch."""
    try:
        return workload.inputs(1)
    except ValueError:
        return next(iter(workload.calibration()))


def _parameters(model: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def read_again(model: "nn.Module") -> None:
    """Lets a model that holds a context read it anew: it was read with the weights of before."""
    for module in model.modules():
        if callable(refill := getattr(module, "refill", None)):
            refill()
