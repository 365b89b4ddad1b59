"""Weights and activations in 8 bits, the model trained to bear the rounding, int8 kernels."""

from bench.model_facts import disk_bytes, float_size
from bench.stages import stage
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level

RATE = 2e-4
"""Peak learning rate of fine-tuning, a tenth of the digits workloads' own."""
SHORTER = 3
"""Fine-tuning takes a third of the baseline's epochs."""


def apply(workload: Workload, *, seed: int = 0) -> Variant:
    """The workload's model, fine-tuned with rounding in it, on oneDNN's int8 kernels.

    In training, weights and the inputs of each layer are rounded as the kernels will round them:
    r(x) = s · (clamp(⌊x / s⌉ + z) − z), weights with one scale a channel, activations with one
    scale a layer over a moving range. The gradient passes the rounding as if it were not there,
    and is 0 beyond the range (straight-through estimator). The kernels and the form are those of
    ``int8_static``.

    Args:
        workload: One that can be trained, whose model is an `nn.Sequential` of linear,
            convolutional, ReLU, max-pooling and flatten layers.
        seed: Of the order of the images in fine-tuning.

    Raises:
        TypeError: The workload cannot be trained, or its model has another layer.
        RuntimeError: This torch has no int8 kernels of oneDNN.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", section 3.
    """
    context = trainable(workload, "int8_qat")
    from bench.techniques._fake_int8 import trained_for_int8
    from bench.techniques._int8_modules import quantizable, to_int8

    model = quantizable(workload.model)
    epochs = max(1, context.epochs // SHORTER)
    key = ("int8_qat", workload.name, workload.version, workload.model, seed)
    trained = stage(
        key,
        lambda: trained_for_int8(
            model, lambda fake: context.train(fake, seed=seed, epochs=epochs, rate=RATE)
        ),
    )
    quantized = to_int8(trained, context.train_inputs)
    note = "trained with rounding; weights int8 per channel, activations uint8, oneDNN kernels"
    size = disk_bytes(quantized.state_dict())
    return Variant(workload, "int8_qat", level(), quantized, size, note, float_size(trained))
