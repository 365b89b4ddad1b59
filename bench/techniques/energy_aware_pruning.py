"""Prunes the layer with most modelled energy first, and fits what is left to its old outputs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.refusal import Unfit
from bench.stages import stage
from bench.techniques import _pruning
from bench.techniques._trainable import Trainable, trainable
from bench.workload import Variant, Workload

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "energy_aware_pruning"

CUT = 0.25
"""Share of a layer's remaining weights that one cut removes."""

TOLERANCE = 0.01
"""Loss of accuracy on training images by cuts alone at which a layer is left as it is."""

IMAGES = 1024
"""Training images that fit the layers and judge the cuts; all, if there are fewer."""


def apply(
    workload: Workload,
    *,
    seed: int = 0,
    density: float = 0.1,
    form: str = "mask",
    retrain: str = _pruning.ITERATIVE,
) -> Variant:
    """The workload's model with all but the share *density* of its weights zero.

    As often as *retrain* says:

    1. The layer with most modelled energy is cut by a quarter of its weights, the smallest; then
       the one that has most now, until *density* of all is left. The energy is that of a chip that
       skips zeros, Σ accesses × relative cost (`bench.modelled.eyeriss`), of one sample. A cut that
       lowers the accuracy by more than a point is undone and its layer left; when no layer is left,
       all are cut again in the same order, as *density* must be met.
    2. A cut takes a tenth more than it should and gives back the weights that the layer's outputs
       miss most.
    3. Layer by layer, what is left is fitted to the outputs before, by least squares.
    4. The whole model is retrained.

    The paper stops where accuracy ends; here *density* is given, so that techniques can be compared
    at the same one. Accuracy is that on training images, which no cut has been fitted to. Biases
    are kept. Both forms have the same weights.

    Args:
        workload: One whose context can be trained with: cuts and fits need its images.
        seed: Of the choice and the order of the images.
        density: Share of the weights that stay, 0 < density <= 1.
        form: ``mask`` leaves zeros in dense kernels; ``csr`` runs sparse kernels.
        retrain: As for `bench.techniques.magnitude_pruning`: the same steps, the same epochs. With
            ``none`` the layers are fitted all the same.

    Raises:
        TypeError: The workload cannot be trained, its model is no torch module, or a weight is that
            of a layer neither linear nor convolutional of one group.
        ValueError: *density*, *form* or *retrain* is not one of the above.

    Source: Yang, Chen, Sze 2017, "Designing Energy-Efficient Convolutional Neural Networks using
    Energy-Aware Pruning", section 4.
    """
    context = trainable(workload, NAME)
    _pruning.checked(density, form, retrain)

    def make() -> "nn.Module":
        from bench.techniques import _local_fit

        model = _pruning.model_copy(workload, NAME)
        if len(_local_fit.layers_of(model)) < len(_pruning.prunable(model)):
            raise Unfit(
                f"{NAME} cannot be applied to {workload.name}: a weight is in a layer neither "
                "linear nor a convolution of one group, wanted only those",
                "use magnitude_pruning",
            )
        cuts = _Cuts(model, workload.inputs(1), *_images(context, seed))
        plan = _pruning.steps(density, retrain, context.epochs)
        _pruning.prune(model, cuts.remove, plan, seed=seed, context=context)
        return model

    key = (NAME, workload.name, workload.version, workload.model, seed, density, retrain)
    model = stage(key, make)
    return _pruning.variant_of(model, workload, NAME, density=density, form=form, retrain=retrain)


def _images(context: Trainable, seed: int) -> "tuple[Tensor, Tensor]":
    """Some training images and their labels."""
    import torch

    order = torch.randperm(
        len(context.train_inputs), generator=torch.Generator().manual_seed(seed)
    )[:IMAGES]
    return context.train_inputs[order], context.train_labels[order]


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Removes weights of a model where they cost most energy.

    Args:
        model: Changed in place.
        sample: What its energy is modelled on.
        images: What its layers are fitted to, and judged by.
        labels: Of the images.
    """

    model: "nn.Module"
    sample: Any
    images: "Tensor"
    labels: "Tensor"

    def remove(self, density: float) -> None:
        """Cuts until the share *density* of all weights is left, and fits the rest."""
        from bench.techniques import _local_fit

        before = _local_fit.observed(self.model.eval(), self.images)
        known = _local_fit.layers_of(self.model)
        layers = {name: known[name] for name in before}  # those that run
        products = {name: _local_fit.moments(inputs) for name, (inputs, _) in before.items()}
        total = sum(layer.weight.numel() for layer in layers.values())
        goal = max(len(layers), round(density * total))  # no layer ends without a weight
        least, left = self._accuracy() - TOLERANCE, set(layers)
        while (surplus := sum(map(_nonzero, layers.values())) - goal) > 0:
            if not left:
                least, left = -1.0, {name for name in layers if _nonzero(layers[name]) > 1}
            energy = self._energy()
            name = max(sorted(left), key=lambda name: energy.get(name, 0.0))
            weight = layers[name].weight
            whole, present = weight.detach().clone(), _nonzero(layers[name])
            count = present - min(surplus, max(1, round(CUT * present)))
            kept = _local_fit.kept_of(whole.flatten(1), products[name], max(1, count))
            weight.data.mul_(kept.view_as(weight))
            if present <= 1 or self._accuracy() < least:
                weight.data.copy_(whole)
                left.discard(name)
        wanted = {name: outputs for name, (_, outputs) in before.items()}
        _local_fit.fit(self.model, wanted, self.images)

    def _energy(self) -> dict[str, float]:
        """The modelled energy of each layer as it is now."""
        from bench.layer_counts import layer_counts
        from bench.modelled import eyeriss

        counted = eyeriss(layer_counts(self.model, self.sample))
        return {each.name: each.total.value for each in counted}

    def _accuracy(self) -> float:
        import torch

        self.model.eval()
        with torch.inference_mode():
            right = self.model(self.images).argmax(1) == self.labels  # (images,)
        return float(right.double().mean())


def _nonzero(layer: Any) -> int:  # noqa: ANN401 - a layer of torch
    return int(layer.weight.detach().count_nonzero())
