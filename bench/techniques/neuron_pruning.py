"""Keeps the strongest inputs and outputs of linear layers: a smaller dense layer, no training."""

from bench.model_facts import disk_bytes
from bench.workload import Variant, Workload, level


def apply(workload: Workload, *, seed: int = 0, density: float = 0.1) -> Variant:  # noqa: ARG001 - nothing is drawn
    """The workload's model with the weights of the strongest inputs and outputs only.

    Of each linear layer the share √density of the inputs and of the outputs stays, those with the
    largest L2 norm: as many weights as a sparse layer of that density, in one dense block. What it
    does not read is left out of the inputs in the call; the outputs that are gone are their bias.
    Nothing is trained.

    Args:
        workload: Any whose model is a torch module with linear layers.
        seed: Taken as from every technique; nothing here is drawn.
        density: Share of each layer's weights that stay, 0 < density <= 1.

    Raises:
        TypeError: The model has no linear layers.
        ValueError: *density* is out of its range.

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets", there with L1 and filters.
    """
    if not 0 < density <= 1:
        raise ValueError(f"density is {density}, wanted above 0 and at most 1; choose such as 0.1")
    from bench.techniques._linear_layers import with_layers
    from bench.techniques._narrow_modules import NarrowLinear

    share = density**0.5
    model = with_layers(workload, "neuron_pruning", lambda layer: NarrowLinear(layer, share))
    note = f"the strongest {share:.0%} of inputs and of outputs, dense kernel"
    size = disk_bytes(model.state_dict())
    return Variant(workload, "neuron_pruning", level(density=density), model, size, note)
