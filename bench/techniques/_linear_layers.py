"""Exchanges the linear layers of a model, whatever the model is; imports torch."""

import copy
from collections.abc import Callable

from torch import nn

from bench.refusal import Unfit
from bench.workload import Workload


def with_layers(
    workload: Workload, technique: str, form: Callable[[nn.Linear], nn.Module]
) -> nn.Module:
    """A copy of the workload's model with ``form(layer)`` in place of each linear layer.

    Raises:
        TypeError: The model is no torch module, or has no linear layer.
    """
    model = workload.model
    if not isinstance(model, nn.Module) or not any(
        isinstance(module, nn.Linear) for module in model.modules()
    ):
        raise Unfit(
            f"{technique} cannot be applied to {workload.name}: its model is a "
            f"{type(model).__name__}, wanted a torch module with linear layers",
            "compress the model yourself and measure it against its baseline",
        )
    if isinstance(model, nn.Linear):
        return form(copy.deepcopy(model)).eval()
    changed = copy.deepcopy(model)
    for name, layer in list(changed.named_modules()):
        if isinstance(layer, nn.Linear):
            changed.set_submodule(name, form(layer))
    return changed.eval()
