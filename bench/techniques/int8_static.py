"""Weights and activations in 8 bits, scales fixed beforehand on training data, int8 kernels."""

from bench.model_facts import disk_bytes
from bench.techniques._trainable import calibrated
from bench.workload import Variant, Workload, level


def apply(workload: Workload, *, seed: int = 0) -> Variant:  # noqa: ARG001 - nothing is drawn
    """The workload's model on oneDNN's int8 kernels, without retraining.

    Weights are int8, symmetric, with a scale for each output channel; activations are uint8 with a
    scale for each layer, from the least to the largest value over the training inputs. They stay
    uint8 from the first layer to the last, which gives float32 logits.

    Args:
        workload: One with training inputs, whose model is an `nn.Sequential` of linear,
            convolutional, ReLU, max-pooling and flatten layers.
        seed: Taken as from every technique; nothing here is drawn.

    Raises:
        TypeError: The workload has no training inputs, or its model has another layer.
        RuntimeError: This torch has no int8 kernels of oneDNN.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference".
    """
    context = calibrated(workload, "int8_static")
    from bench.techniques._int8_modules import to_int8

    model = to_int8(workload.model, context.train_inputs)
    note = "weights int8 per channel, activations uint8, oneDNN kernels"
    return Variant(workload, "int8_static", level(), model, disk_bytes(model.state_dict()), note)
