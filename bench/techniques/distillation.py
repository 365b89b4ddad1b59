"""Trains a small model on the answers of a large one, and on the labels."""

from typing import TYPE_CHECKING, Any

from bench.model_facts import disk_bytes
from bench.stages import stage
from bench.techniques._trainable import Trainable, trainable
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import Tensor, nn

TEACHERS = ("baseline", "wide", "narrow")
ALL = "all"


def apply(
    workload: Workload,
    *,
    seed: int = 0,
    temperature: float = 4.0,
    soft: float = 0.9,
    labels: int | str = ALL,
    teacher: str = "baseline",
) -> Variant:
    """A student of the workload's small widths, taught by a teacher and by the labels there are.

    Its loss is soft · T² · KL(teacher_T ‖ student_T) + (1 − soft) · cross-entropy, the second term
    over those images of the batch that have a label. With few labels the teacher's answers on all
    images are what a student learns from; alone it has the labelled images only, and as many steps.

    Args:
        workload: One whose context can be trained with.
        seed: Of the student's initial weights, of the order of the images, of which have labels.
        temperature: T, divides the logits of both before the softmax, above 0.
        soft: Weight of the teacher's answers, 0 to 1. At 0 the same student learns alone: same
            initial weights, same number of steps, no teacher.
        labels: How many training images have a label, as many of each class; or ``all``.
        teacher: ``baseline``, the workload's model; ``wide``, one of twice its widths, or
            ``narrow``, one of half of them, both trained on all labels like the baseline.

    Raises:
        TypeError: The workload cannot be trained.
        ValueError: A level is out of its range.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", section
    2 for the loss, section 6 for few labels.
    """
    context = trainable(workload, "distillation")
    _require(temperature, soft, labels, teacher, len(context.train_labels))
    model = student(
        workload, seed=seed, temperature=temperature, soft=soft, labels=labels, teacher=teacher
    )
    widths = "-".join(str(width) for width in context.student)
    how = "distilled" if soft else "trained alone"
    given = "all labels" if labels == ALL else f"{labels} labels"
    taught = f", {teacher} teacher" if soft and teacher != "baseline" else ""
    # what is as it always was stays out of the level: the case keeps its history
    further = {"labels": labels} if labels != ALL else {}
    further |= {"teacher": teacher} if teacher != "baseline" else {}
    return Variant(
        workload,
        "distillation",
        level(temperature=temperature, soft=soft, **further),
        model,
        disk_bytes(model.state_dict()),
        f"student {widths}, {how}, {given}{taught}",
    )


def student(
    workload: Workload,
    *,
    seed: int,
    temperature: float = 4.0,
    soft: float = 0.9,
    labels: int | str = ALL,
    teacher: str = "baseline",
) -> "nn.Module":
    """The trained student; its levels are those of `apply`. Copy it, as others share it."""
    context = trainable(workload, "distillation")
    large = _teacher(workload, teacher, seed) if soft else None
    key = (workload.name, workload.version, seed, temperature, soft, labels, teacher)
    return stage(
        ("distillation", *key),
        lambda: _taught(context, large, seed, temperature=temperature, soft=soft, labels=labels),
    )


def _require(temperature: float, soft: float, labels: int | str, teacher: str, images: int) -> None:
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, wanted above 0; choose such as 4.0")
    if not 0 <= soft <= 1:
        raise ValueError(f"soft is {soft}, wanted 0 to 1; choose such as 0.9, or 0 for no teacher")
    if labels != ALL and not (isinstance(labels, int) and 0 < labels <= images):
        raise ValueError(
            f"labels is {labels!r}, wanted {ALL!r} or a number up to {images}; choose such as 100"
        )
    if teacher not in TEACHERS:
        raise ValueError(f"teacher is {teacher!r}, wanted one of {', '.join(TEACHERS)}; choose one")


def _teacher(workload: Workload, which: str, seed: int) -> Any:  # noqa: ANN401 - any model
    """The teacher: the workload's model, or one of other widths, trained like it."""
    if which == "baseline":
        return workload.model
    context = trainable(workload, "distillation")
    factor = 2.0 if which == "wide" else 0.5

    def make() -> Any:  # noqa: ANN401
        model = context.build(tuple(round(factor * width) for width in context.widths), seed=seed)
        context.train(model, seed=seed, epochs=context.epochs)
        return model

    return stage(("distillation", workload.name, workload.version, seed, "teacher", which), make)


def _taught(
    context: Trainable,
    teacher: Any,  # noqa: ANN401 - any model
    seed: int,
    *,
    temperature: float,
    soft: float,
    labels: int | str,
) -> "nn.Module":
    import torch
    from torch.nn import functional

    known = torch.ones(len(context.train_labels), dtype=torch.bool)  # (images,)
    if labels != ALL:
        known = _labelled(context.train_labels, int(labels), seed)
    answers = torch.zeros(())
    if teacher is not None:
        with torch.inference_mode():
            logits = teacher(context.train_inputs)  # (images, classes)
        answers = functional.softmax(logits / temperature, dim=1).clone()

    def loss(logits: "Tensor", rows: "Tensor") -> "Tensor":
        own = known[rows]  # (rows,)
        hard = logits.new_zeros(())
        if own.any():
            hard = functional.cross_entropy(logits[own], context.train_labels[rows][own])
        if teacher is None:
            return hard
        log_student = functional.log_softmax(logits / temperature, dim=1)  # (rows, classes)
        divergence = functional.kl_div(log_student, answers[rows], reduction="batchmean")
        return soft * temperature**2 * divergence + (1 - soft) * hard

    model: nn.Module = context.build(context.student, seed=seed)
    rows, epochs = None, 2 * context.epochs
    if teacher is None and labels != ALL:
        rows = known.nonzero()[:, 0]  # (labels,)
        epochs = round(epochs * len(known) / len(rows))  # as many steps as with all images
    context.train(model, seed=seed, epochs=epochs, loss=loss, rows=rows)
    return model


def _labelled(labels: "Tensor", count: int, seed: int) -> "Tensor":
    """True for *count* images, as many of each class as that allows, drawn from *seed*."""
    import torch

    drawn = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    classes = labels[drawn]  # (images,)
    place = torch.zeros(len(labels), dtype=torch.int64)
    for one in range(int(labels.max()) + 1):
        members = classes == one
        place[members] = torch.arange(int(members.sum()))  # which of its class an image is
    first = torch.argsort(place, stable=True)[:count]
    known = torch.zeros(len(labels), dtype=torch.bool)
    known[drawn[first]] = True
    return known
