"""Fewer units and channels, and these in 8 bits: both gains on kernels that are there."""

from bench.model_facts import disk_bytes, float_size
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level


def apply(workload: Workload, *, seed: int = 0, ratio: float = 0.5) -> Variant:
    """The workload's structurally pruned and retrained model, on oneDNN's int8 kernels.

    Units and channels are removed as by ``structured_pruning``, then weights and activations become
    8-bit as by ``int8_static``. It is not the single weights that are removed: int8 kernels are
    dense and multiply zeros too, while a smaller layer is less work for them.

    Args:
        workload: One that can be trained, whose model is an `nn.Sequential` of linear,
            convolutional, ReLU, max-pooling and flatten layers.
        seed: Of the order of the images in retraining.
        ratio: Share of each hidden layer to remove, 0 <= ratio < 1.

    Raises:
        TypeError: The workload cannot be trained, or its model has another layer.
        ValueError: *ratio* is outside [0, 1).
        RuntimeError: This torch has no int8 kernels of oneDNN.

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets"; Jacob et al. 2018.
    """
    context = trainable(workload, "pruned_int8")
    from bench.techniques import structured_pruning
    from bench.techniques._int8_modules import to_int8

    pruned = structured_pruning.apply(workload, seed=seed, ratio=ratio)
    model = to_int8(pruned.model, context.train_inputs)
    note = "fewer units and channels; weights int8, activations uint8, oneDNN kernels"
    size = disk_bytes(model.state_dict())
    return Variant(
        workload, "pruned_int8", level(ratio=ratio), model, size, note, float_size(pruned.model)
    )
