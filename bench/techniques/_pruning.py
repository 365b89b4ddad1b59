"""What the prunings of single weights share: their levels, the steps of retraining, the forms."""

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.model_facts import disk_bytes
from bench.refusal import Unfit
from bench.techniques._trainable import Trainable
from bench.workload import Level, Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMS = ("mask", "csr")
ITERATIVE = "iterative"
RETRAININGS = ("none", "once", ITERATIVE)

ITERATIONS = 4

ONCE_RATE = 2e-4
"""Peak rate where pruned once: a tenth of the digits' own, as Han et al. 2015 do (section 4.1)."""

LAST_RATE = 4e-3
"""Peak rate of the last and longest retraining of iterations: twice the digits' own. A lower one
lost half a point; chosen on training images that were held out of training."""

Remove = Callable[[float], None]
"""Sets all but a share of the model's weights to zero; the share is of the unpruned model's."""


@dataclass(frozen=True, slots=True)
class Step:
    """One removal and the retraining after it.

    Args:
        density: Share of all weights that stay.
        epochs: Of the retraining; 0 for none.
        rate: Its peak learning rate; None for the baseline's.
    """

    density: float
    epochs: int = 0
    rate: float | None = None


def checked(density: float, form: str, retrain: str) -> None:
    """Nothing, if the levels are possible.

    Raises:
        ValueError: One is not.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.1")
    for name, value, known in (("form", form, FORMS), ("retrain", retrain, RETRAININGS)):
        if value not in known:
            raise ValueError(
                f"{name} is {value!r}, wanted one of {', '.join(known)}; choose one of them"
            )


def levels(density: float, form: str, retrain: str) -> Level:
    """The level as it stands in case ids.

    ``retrain`` is left out where it is the default: cases of before it could be chosen keep their
    ids, and so their history.
    """
    chosen = {} if retrain == ITERATIVE else {"retrain": retrain}
    return level(density=density, form=form, **chosen)


def steps(density: float, retrain: str, epochs: int) -> tuple[Step, ...]:
    """What is removed and retrained, in order; *epochs* is the length of the baseline's training.

    Iterations remove the same share of what is left each time. The first ones are followed by a
    tenth of the baseline's epochs, the last by one and a half times as many as the baseline had.
    """
    if retrain == "none":
        return (Step(density),)
    if retrain == "once":
        return (Step(density, epochs, ONCE_RATE),)
    first = [
        Step(density ** (done / ITERATIONS), max(1, epochs // 10)) for done in range(1, ITERATIONS)
    ]
    return (*first, Step(density, max(1, 3 * epochs // 2), LAST_RATE))


def model_copy(workload: Workload, technique: str) -> "nn.Module":
    """A copy of the workload's model to prune.

    Raises:
        TypeError: It is no torch module, or has no weight that can be pruned.
    """
    from torch import nn

    model = workload.model
    if not isinstance(model, nn.Module) or not prunable(model):
        raise Unfit(
            f"{technique} cannot be applied to {workload.name}: its model is "
            f"{type(model).__name__}, wanted a torch module with weights of two or more dimensions",
            "give the workload such a model",
        )
    return copy.deepcopy(model)


def prunable(model: "nn.Module") -> "list[nn.Parameter]":
    """The weights that may go: those of two or more dimensions. Biases and norms stay."""
    return [parameter for parameter in model.parameters() if parameter.ndim > 1]


def prune(
    model: "nn.Module",
    remove: Remove,
    plan: Sequence[Step],
    *,
    seed: int,
    context: Trainable | None = None,
) -> None:
    """Prunes *model* in place by the steps of *plan*; what is zero after a removal stays zero."""
    for number, step in enumerate(plan, start=1):
        remove(step.density)
        if step.epochs and context is not None:
            weights = prunable(model)
            kept = [weight.detach() != 0 for weight in weights]
            context.train(
                model,
                seed=seed + number,
                epochs=step.epochs,
                rate=step.rate,
                after_step=functools.partial(apply_masks, weights, kept),
            )


def keep_highest(
    weights: "Sequence[nn.Parameter]", ranks: "Sequence[Tensor]", density: float
) -> None:
    """Sets all but the share *density* of *weights* to zero, those of the lowest ranks together."""
    import torch

    flat = torch.cat([rank.detach().float().flatten() for rank in ranks])  # (weights,)
    kept = highest(flat, max(1, round(density * len(flat))))
    parts = torch.split(kept, [weight.numel() for weight in weights])
    apply_masks(
        weights, [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
    )


def highest(values: "Tensor", count: int) -> "Tensor":
    """True for exactly the *count* highest of *values* (n,); the first ones among equals.

    A selection, no sort: the 103 million weights of AlexNet's FC6 take about a second.
    """
    import numpy as np
    import torch

    if count <= 0 or count >= len(values):
        return torch.full_like(values, count > 0, dtype=torch.bool)
    place = len(values) - count
    threshold = float(np.partition(values.numpy(), place)[place])
    kept = values > threshold  # (n,)
    equal = (values == threshold).nonzero()[:, 0]
    kept[equal[: count - int(kept.sum())]] = True
    return kept


def apply_masks(weights: "Sequence[nn.Parameter]", kept: "Sequence[Tensor]") -> None:
    """Sets to zero what is not *kept*."""
    for weight, mask in zip(weights, kept, strict=True):
        weight.data.mul_(mask)


def variant_of(
    model: "nn.Module",
    workload: Workload,
    technique: str,
    *,
    density: float,
    form: str,
    retrain: str,
) -> Variant:
    """The variant that runs a copy of the pruned *model* in *form*, with its bytes in each form.

    Raises:
        TypeError: A layer has no sparse form, and *form* is ``csr``.
    """
    from bench.techniques._csr_modules import to_csr

    runs, note = copy.deepcopy(model), "masked: zeros in dense kernels"
    sizes = {"dense": disk_bytes(model.state_dict())}
    try:
        sparse, sparse_note = to_csr(model)
    except TypeError:
        if form == "csr":
            raise
    else:
        sizes["csr"] = disk_bytes(sparse.state_dict())
        if form == "csr":
            runs, note = sparse, sparse_note
    if retrain != ITERATIVE:
        note += "; not retrained" if retrain == "none" else "; pruned and retrained once"
    size = sizes["csr" if form == "csr" else "dense"]
    found = levels(density, form, retrain)
    return Variant(workload, technique, found, runs, size, note, sizes)
