"""Removes whole units and channels, and retrains: the same kernels, smaller."""

import copy
from typing import Any

from bench.model_facts import disk_bytes
from bench.stages import stage
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level

NAME = "structured_pruning"
PRUNED = "pruned"
STARTS = (PRUNED, "scratch")


def apply(workload: Workload, *, seed: int = 0, ratio: float = 0.5, start: str = PRUNED) -> Variant:
    """The workload's model with the share *ratio* of each hidden layer's units or channels removed.

    Those with the smallest L2 norm go, together with what reads them; the output layer keeps its
    width. Then the model is retrained as long as the baseline was trained. Beside it the same small
    shape can be trained from fresh weights, as long as both trainings together: what pruning gives
    beyond its shape is the difference (Liu et al. 2019 found none on large nets).

    Args:
        workload: One whose context can be trained with.
        seed: Of the order of the images in retraining, and of fresh weights.
        ratio: Share of each hidden layer to remove, 0 <= ratio < 1.
        start: ``pruned`` retrains the weights that are left; ``scratch`` draws them anew.

    Raises:
        TypeError: The workload cannot be trained, or its model is no torch module.
        ValueError: *ratio* is outside [0, 1), or *start* is not one of the above.

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets", there with L1; Fang et al.
    2023, "DepGraph: Towards Any Structural Pruning", for what must go together; Liu et al. 2019,
    "Rethinking the Value of Network Pruning", for the shape trained from scratch.
    """
    context = trainable(workload, NAME)
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio is {ratio}, wanted 0 or more and below 1; choose such as 0.5")
    if start not in STARTS:
        raise ValueError(
            f"start is {start!r}, wanted one of {', '.join(STARTS)}; choose one of them"
        )

    def make() -> Any:  # noqa: ANN401 - a torch module
        model = _smaller(workload, ratio)
        epochs = context.epochs
        if start != PRUNED:
            _draw_anew(model, seed)
            epochs = 2 * context.epochs
        context.train(model, seed=seed, epochs=epochs)
        return model

    key = (NAME, workload.name, workload.version, workload.model, seed, ratio, start)
    model = copy.deepcopy(stage(key, make))
    note = "fewer units and channels, dense kernels"
    if start != PRUNED:
        note += "; trained from scratch"
    size = disk_bytes(model.state_dict())
    # cases of before `start` could be chosen keep their ids, and so their history
    levels = level(ratio=ratio) if start == PRUNED else level(ratio=ratio, start=start)
    return Variant(workload, NAME, levels, model, size, note, {"dense": size})


def _smaller(workload: Workload, ratio: float) -> Any:  # noqa: ANN401 - a torch module
    """A copy of the workload's model without the share *ratio* of its hidden units."""
    import torch_pruning
    from torch import nn

    model: Any = copy.deepcopy(workload.model)
    outputs = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1:]
    torch_pruning.pruner.BasePruner(
        model,
        workload.inputs(1),
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=ratio,
        ignored_layers=outputs,
    ).step()
    return model


def _draw_anew(model: Any, seed: int) -> None:  # noqa: ANN401 - a torch module
    """Fresh weights, as torch initialises each layer."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in model.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
