"""What techniques that train need of a workload, and the error if it is not there."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from bench.refusal import Unfit
from bench.workload import Workload


@runtime_checkable
class Trainable(Protocol):
    """The context of a workload that can be trained.

    ``train_inputs`` (n, …) and ``train_labels`` (n,) are tensors. ``build(widths, seed=…)`` gives a
    fresh model. ``train(model, seed=…, epochs=…, loss=…, after_step=…, rate=…, rows=…)`` trains
    one in place: ``loss(logits, rows)`` may stand in for the workload's own, ``after_step()``
    follows each step of the optimizer, ``rate`` is the peak learning rate if it is another than the
    baseline's, ``rows`` are the training rows to use if not all. ``epochs`` is the length of the
    baseline's training, ``widths`` those of its model, ``student`` the widths of a small one.
    """

    train_inputs: Any
    train_labels: Any
    build: Callable[..., Any]
    train: Callable[..., None]
    epochs: int
    widths: tuple[int, ...]
    student: tuple[int, ...]


def trainable(workload: Workload, technique: str) -> Trainable:
    """The context of *workload*.

    Raises:
        TypeError: It has none that can be trained with.
    """
    if not isinstance(workload.context, Trainable):
        raise Unfit(
            f"{technique} cannot be applied to {workload.name}: its context is "
            f"{type(workload.context).__name__}, wanted training data and a training function",
            "give the workload such a context (bench.techniques._trainable.Trainable), or compress "
            "the model yourself and measure it against its baseline",
        )
    return workload.context


@runtime_checkable
class Calibrated(Protocol):
    """The context of a workload with ``train_inputs`` (n, …), to see activations on."""

    train_inputs: Any


def calibrated(workload: Workload, technique: str) -> Calibrated:
    """The context of *workload*, for a technique that looks at activations and trains nothing.

    Raises:
        TypeError: It has no training inputs.
    """
    if not isinstance(workload.context, Calibrated):
        raise Unfit(
            f"{technique} cannot be applied to {workload.name}: its context is "
            f"{type(workload.context).__name__}, wanted one with train_inputs",
            "give the workload such a context, or compress the model yourself and measure it "
            "against its baseline",
        )
    return workload.context
