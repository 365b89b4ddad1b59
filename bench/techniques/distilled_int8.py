"""A small model taught by the large one, in 8 bits."""

from bench.model_facts import disk_bytes, float_size
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level


def apply(
    workload: Workload, *, seed: int = 0, temperature: float = 4.0, soft: float = 0.9
) -> Variant:
    """The student of ``distillation``, on oneDNN's int8 kernels as by ``int8_static``.

    Args:
        workload: One that can be trained, whose student is an `nn.Sequential` of linear,
            convolutional, ReLU, max-pooling and flatten layers.
        seed: Of the student's initial weights and of the order of the images.
        temperature: Divides the logits of both before the softmax, above 0.
        soft: Weight of the teacher's answers, 0 to 1.

    Raises:
        TypeError: The workload cannot be trained, or its student has another layer.
        ValueError: *temperature* or *soft* is out of its range.
        RuntimeError: This torch has no int8 kernels of oneDNN.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network"; Jacob et
    al. 2018; both together as in Polino, Pascanu and Alistarh 2018, "Model Compression via
    Distillation and Quantization", there with the quantized student trained.
    """
    context = trainable(workload, "distilled_int8")
    from bench.techniques import distillation
    from bench.techniques._int8_modules import to_int8

    student = distillation.apply(workload, seed=seed, temperature=temperature, soft=soft)
    model = to_int8(student.model, context.train_inputs)
    note = f"{student.note}; weights int8, activations uint8, oneDNN kernels"
    levels = level(temperature=temperature, soft=soft)
    size = disk_bytes(model.state_dict())
    sizes = float_size(student.model)
    return Variant(workload, "distilled_int8", levels, model, size, note, sizes)
