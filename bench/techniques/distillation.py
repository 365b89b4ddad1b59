"""Trains a small model on the answers of the large one, and on the labels."""

from typing import TYPE_CHECKING, Any

from bench.model_facts import disk_bytes
from bench.techniques._trainable import trainable
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor


def apply(
    workload: Workload, *, seed: int = 0, temperature: float = 4.0, soft: float = 0.9
) -> Variant:
    """A student of the workload's small widths, taught by the workload's model on all labels.

    Its loss is soft · T² · KL(teacher_T ‖ student_T) + (1 − soft) · cross-entropy.

    Args:
        workload: One whose context can be trained with; its model is the teacher.
        seed: Of the student's initial weights and of the order of the images.
        temperature: T, divides the logits of both before the softmax, above 0.
        soft: Weight of the teacher's answers, 0 to 1. At 0 the same student learns alone: same
            initial weights, same order of the images, same steps.

    Raises:
        TypeError: The workload cannot be trained.
        ValueError: *temperature* or *soft* is out of its range.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network".
    """
    context = trainable(workload, "distillation")
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, wanted above 0; choose such as 4.0")
    if not 0 <= soft <= 1:
        raise ValueError(f"soft is {soft}, wanted 0 to 1; choose such as 0.9, or 0 for no teacher")
    import torch
    from torch.nn import functional

    with torch.inference_mode():
        answers = workload.model(context.train_inputs)  # (samples, classes)
    teacher = functional.softmax(answers / temperature, dim=1).clone()  # (samples, classes)

    def loss(logits: "Tensor", rows: "Tensor") -> "Tensor":
        student = functional.log_softmax(logits / temperature, dim=1)  # (rows, classes)
        divergence = functional.kl_div(student, teacher[rows], reduction="batchmean")
        labels = functional.cross_entropy(logits, context.train_labels[rows])
        return soft * temperature**2 * divergence + (1 - soft) * labels

    model: Any = context.build(context.student, seed=seed)
    context.train(model, seed=seed, epochs=2 * context.epochs, loss=loss)
    widths = "-".join(str(width) for width in context.student)
    note = f"student {widths}, {'distilled' if soft else 'trained alone'}, all labels"
    levels = level(temperature=temperature, soft=soft)
    return Variant(workload, "distillation", levels, model, disk_bytes(model.state_dict()), note)
