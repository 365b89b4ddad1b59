"""Removes the smallest weights, one by one, and retrains the rest: unstructured pruning."""

import copy
import functools
from typing import TYPE_CHECKING

from bench.model_facts import disk_bytes
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMS = ("mask", "csr")
STEPS = 4
LAST_STEP_LONGER = 4
"""The last retraining, after which nothing more is removed, is four times as long."""


def apply(
    workload: Workload, *, seed: int = 0, density: float = 0.1, form: str = "mask"
) -> Variant:
    """The workload's model with all but the share *density* of its weights zero.

    Pruning and retraining alternate in four steps, the last the longest. A weight's rank is its
    magnitude over the standard deviation of its layer's weights: the paper's thresholds, one
    quality parameter times each layer's deviation, with that parameter chosen so that *density* is
    met exactly. Biases are kept. Both forms have the same weights.

    Args:
        workload: One whose context can be trained with.
        seed: Of the order of the images in retraining.
        density: Share of the weights that stay, 0 < density <= 1.
        form: ``mask`` leaves zeros in dense kernels; ``csr`` runs sparse kernels.

    Raises:
        TypeError: The workload cannot be trained.
        ValueError: *density* or *form* is not one of the above.

    Source: Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks".
    """
    trainable(workload, "magnitude_pruning")
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.1")
    if form not in FORMS:
        raise ValueError(f"form is {form!r}, wanted one of {', '.join(FORMS)}; choose one of them")
    model = copy.deepcopy(pruned_model(workload, density, seed))
    note = "masked: zeros in dense kernels"
    if form == "csr":
        from bench.techniques._csr_modules import to_csr

        model, note = to_csr(model)
    size = disk_bytes(model.state_dict())
    levels = level(density=density, form=form)
    return Variant(workload, "magnitude_pruning", levels, model, size, note)


@functools.lru_cache(maxsize=8)
def pruned_model(workload: Workload, density: float, seed: int) -> "nn.Module":
    """The pruned and retrained model, dense with zeros; copy it, as others share it."""
    context = trainable(workload, "magnitude_pruning")
    model: nn.Module = copy.deepcopy(workload.model)  # type: ignore[assignment]
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    for step in range(1, STEPS + 1):
        masks = _masks(weights, density ** (step / STEPS))
        keep_pruned = functools.partial(_apply_masks, weights, masks)
        keep_pruned()
        epochs = max(1, context.epochs // 5) * (LAST_STEP_LONGER if step == STEPS else 1)
        context.train(model, seed=seed + step, epochs=epochs, after_step=keep_pruned)
    return model


def _masks(weights: "list[nn.Parameter]", density: float) -> "list[Tensor]":
    """1 for the weights to keep, 0 for the others, in each layer's shape."""
    import torch

    ranks = torch.cat([(weight / weight.std()).abs().detach().flatten() for weight in weights])
    kept = torch.zeros_like(ranks)  # (weights,)
    kept[ranks.topk(round(density * len(ranks))).indices] = 1
    parts = torch.split(kept, [weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]


def _apply_masks(weights: "list[nn.Parameter]", masks: "list[Tensor]") -> None:
    for weight, mask in zip(weights, masks, strict=True):
        weight.data.mul_(mask)
