"""Weights in 8 bits beforehand, activations in 8 bits at each call, int8 kernels."""

from bench.model_facts import disk_bytes, float_size
from bench.workload import Variant, Workload, level


def apply(workload: Workload, *, seed: int = 0) -> Variant:  # noqa: ARG001 - nothing is drawn
    """The workload's model on oneDNN's int8 kernels, without training or calibration.

    Weights are int8, symmetric, with a scale for each output channel. In front of each layer the
    activations become uint8, w · x ≈ s_w · s_x · Σ q_w · (q_x − z), with step and zero point
    from the least to the largest value of that call; each layer gives float32 again. No data are
    needed beforehand, at the price of one more pass over the activations.

    Args:
        workload: One whose model is an `nn.Sequential` of linear, convolutional, ReLU, max-pooling
            and flatten layers, or one such layer with weights.
        seed: Taken as from every technique; nothing here is drawn.

    Raises:
        TypeError: The model has another layer.
        RuntimeError: This torch has no int8 kernels of oneDNN.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", section 2.1; with the range of each call in place of
    a calibrated one.
    """
    from bench.techniques._int8_run_time import to_int8_at_run_time

    model = to_int8_at_run_time(workload.model)
    note = "weights int8 per channel, activations uint8 by the range of each call, oneDNN kernels"
    size, sizes = disk_bytes(model.state_dict()), float_size(workload.model)
    return Variant(workload, "int8_dynamic", level(), model, size, note, sizes)
