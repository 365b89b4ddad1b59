"""Removes the smallest weights, one by one, and retrains the rest: unstructured pruning."""

from typing import TYPE_CHECKING

from bench.stages import stage
from bench.techniques import _pruning
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload

if TYPE_CHECKING:
    from torch import nn

NAME = "magnitude_pruning"


def apply(
    workload: Workload,
    *,
    seed: int = 0,
    density: float = 0.1,
    form: str = "mask",
    retrain: str = _pruning.ITERATIVE,
) -> Variant:
    """The workload's model with all but the share *density* of its weights zero.

    A weight w stays if |w| > t, with one threshold t for all layers, chosen so that *density* is
    met exactly. The paper's threshold of each layer is a parameter times the deviation of the
    layer's weights, the parameter found by hand. One parameter for all layers thins the first
    convolution as much as the widest layer and costs digits-cnn a point of accuracy; one |w| leaves
    it the densities that the authors came to (LeNet-5, Table 4: 66, 12, 8 and 19 % of each layer).
    Biases are kept. Both forms have the same weights.

    ``once`` is the paper's recipe, whose low rate cannot undo the loss of so many weights at a time
    on these few images. At the rate of the last iteration, and as long, pruning once did as well as
    iterating on held-out training images of digits-mlp: here iterations are not what counts.

    Args:
        workload: One whose context can be trained with, unless *retrain* is ``none``.
        seed: Of the order of the images in retraining.
        density: Share of the weights that stay, 0 < density <= 1.
        form: ``mask`` leaves zeros in dense kernels; ``csr`` runs sparse kernels.
        retrain: ``none``, prune and be done; ``once``, prune and retrain at a tenth of the learning
            rate; ``iterative``, prune and retrain in four steps, the last the longest.

    Raises:
        TypeError: The workload cannot be trained, or its model is no torch module.
        ValueError: *density*, *form* or *retrain* is not one of the above.

    Source: Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks",
    sections 3 and 4; Figure 5 sets the three ways of *retrain* side by side.
    """
    model = pruned_model(workload, density, seed, retrain=retrain, form=form)
    return _pruning.variant_of(model, workload, NAME, density=density, form=form, retrain=retrain)


def pruned_model(
    workload: Workload,
    density: float,
    seed: int,
    retrain: str = _pruning.ITERATIVE,
    *,
    form: str = "mask",
) -> "nn.Module":
    """The pruned model, dense with zeros; copy it, as others share it. *form* is only checked.

    Raises:
        TypeError: The workload cannot be trained, or its model is no torch module.
        ValueError: A level is not one that `apply` takes.
    """
    _pruning.checked(density, form, retrain)
    context = None if retrain == "none" else trainable(workload, NAME)

    def make() -> "nn.Module":
        model = _pruning.model_copy(workload, NAME)
        weights = _pruning.prunable(model)
        plan = _pruning.steps(density, retrain, context.epochs if context else 0)

        def remove(share: float) -> None:
            _pruning.keep_highest(weights, [weight.abs() for weight in weights], share)

        _pruning.prune(model, remove, plan, seed=seed, context=context)
        return model

    # the model itself, as workloads of a user may share name and version
    key = (NAME, workload.name, workload.version, workload.model, seed, density, retrain)
    return stage(key, make)
