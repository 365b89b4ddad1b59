"""Removes the weights whose absence costs least loss, by the Hessian's diagonal, and retrains."""

from typing import TYPE_CHECKING

from bench.refusal import Unfit
from bench.stages import stage
from bench.techniques import _pruning
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload

if TYPE_CHECKING:
    from torch import nn

NAME = "optimal_brain_damage"


def apply(
    workload: Workload,
    *,
    seed: int = 0,
    density: float = 0.1,
    form: str = "mask",
    retrain: str = _pruning.ITERATIVE,
) -> Variant:
    """The workload's model with all but the share *density* of its weights zero.

    The weights of smallest saliency go, of all layers together:

        s_k = h_kk u_k² / 2

    the rise of the loss if the weight u_k becomes zero, with h_kk the second derivative of the loss
    on the training images (`bench.techniques._curvature`). It is computed anew before each removal.
    Biases are kept. Both forms have the same weights.

    Args:
        workload: One whose context can be trained with: the saliency needs its images.
        seed: Of the order of the images in retraining.
        density: Share of the weights that stay, 0 < density <= 1.
        form: ``mask`` leaves zeros in dense kernels; ``csr`` runs sparse kernels.
        retrain: As for `bench.techniques.magnitude_pruning`: the same steps, the same epochs.

    Raises:
        TypeError: The workload cannot be trained, its model is no torch module, or a weight is that
            of a layer neither linear nor convolutional.
        ValueError: *density*, *form* or *retrain* is not one of the above.

    Source: LeCun, Denker, Solla 1989, "Optimal Brain Damage", equation 5 and the procedure of
    section 2.
    """
    context = trainable(workload, NAME)
    _pruning.checked(density, form, retrain)

    def make() -> "nn.Module":
        model = _pruning.model_copy(workload, NAME)
        plan = _pruning.steps(density, retrain, context.epochs)

        def remove(share: float) -> None:
            from bench.techniques._curvature import hessian_diagonal

            curvature = hessian_diagonal(model, context.train_inputs)
            weights = _pruning.prunable(model)
            if any(weight not in curvature for weight in weights):
                raise Unfit(
                    f"{NAME} cannot be applied to {workload.name}: a weight is in a layer neither "
                    "linear nor convolutional, wanted only those",
                    "use magnitude_pruning",
                )
            saliencies = [curvature[weight] * weight.detach() ** 2 / 2 for weight in weights]
            _pruning.keep_highest(weights, saliencies, share)

        _pruning.prune(model, remove, plan, seed=seed, context=context)
        return model

    key = (NAME, workload.name, workload.version, workload.model, seed, density, retrain)
    model = stage(key, make)
    return _pruning.variant_of(model, workload, NAME, density=density, form=form, retrain=retrain)
