"""Removes whole units and channels, and retrains: the same kernels, smaller."""

import copy
from typing import Any

from bench.model_facts import disk_bytes
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level


def apply(workload: Workload, *, seed: int = 0, ratio: float = 0.5) -> Variant:
    """The workload's model with the share *ratio* of each hidden layer's units or channels removed.

    Those with the smallest L2 norm go, together with what reads them; the output layer keeps its
    width. Then the model is retrained as long as the baseline was trained.

    Args:
        workload: One whose context can be trained with.
        seed: Of the order of the images in retraining.
        ratio: Share of each hidden layer to remove, 0 <= ratio < 1.

    Raises:
        TypeError: The workload cannot be trained, or its model is no torch module.
        ValueError: *ratio* is outside [0, 1).

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets", there with L1; Fang et al.
    2023, "DepGraph: Towards Any Structural Pruning", for what must go together.
    """
    context = trainable(workload, "structured_pruning")
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio is {ratio}, wanted 0 or more and below 1; choose such as 0.5")
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
    context.train(model, seed=seed, epochs=context.epochs)
    note = "fewer units and channels, dense kernels"
    size = disk_bytes(model.state_dict())
    return Variant(workload, "structured_pruning", level(ratio=ratio), model, size, note)
