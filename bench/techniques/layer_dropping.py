"""A student that keeps some of an encoder's or decoder's layers: DistilBERT's way to begin."""

import copy
from typing import Any

from bench.model_facts import float_size, stored_bytes
from bench.refusal import Refusal
from bench.stages import stage
from bench.techniques._precision import requested
from bench.workload import Variant, Workload, level

NAME = "layer_dropping"


def apply(
    workload: Workload,
    *,
    seed: int = 0,
    keep: float = 0.5,
    epochs: int = 0,
    dtype: str = "fp32",
) -> Variant:
    """The workload's model with the share *keep* of its layers, evenly spread.

    The first and the last stay; of BERT-base's 12, at a half, 0, 2, 4, 7, 9 and 11, which are those
    that DistilBERT began with. Embeddings and head stay whole. Without training a student that
    lacks layers answers otherwise than its teacher: what is measured then is the speed of the
    shape. Training needs a workload with sentences to learn from, which MiniLM's is.

    Args:
        workload: Of a model with a list of layers of one kind.
        seed: Of the order of the sentences.
        keep: Share of the layers, 0 < keep < 1; at least one stays.
        epochs: How often the student sees each sentence of the workload, with its teacher's
            embedding to reach; 0 trains nothing.
        dtype: ``fp32``, or what the runtime is to make of the student: ``bf16``, ``fp16``,
            ``int8``, ``fp8``.

    Raises:
        ValueError: A level is out of its range.
        Refusal: The model has no such layers, or the workload has nothing to learn from.

    Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT", section 2.
    """
    if not 0 < keep < 1:
        raise ValueError(f"keep is {keep}, wanted above 0 and below 1; choose such as 0.5")
    if epochs < 0:
        raise ValueError(f"epochs is {epochs}, wanted 0 or more; choose such as 2")
    model, said = _student(workload, seed, keep, epochs)
    further = {"epochs": epochs} if epochs else {}
    size, sizes = stored_bytes(model), float_size(workload.model)
    made = Variant(workload, NAME, level(keep=keep, **further), model, size, said, sizes)
    return requested(made, dtype)


def kept(layers: int, keep: float) -> list[int]:
    """Which of some layers stay: the share *keep* of them, evenly spread from first to last.

    >>> kept(12, 0.5), kept(6, 0.5), kept(4, 0.1)
    ([0, 2, 4, 7, 9, 11], [0, 3, 5], [0])
    """
    number = max(1, round(keep * layers))
    steps = max(1, number - 1)
    # in whole numbers, halves up: each step is at least one layer, so no layer comes twice
    return [(2 * index * (layers - 1) + steps) // (2 * steps) for index in range(number)]


def _student(workload: Workload, seed: int, keep: float, epochs: int) -> tuple[Any, str]:
    """The student in evaluation mode, and what it is."""
    from torch import nn

    from bench.techniques._layer_lists import shortened

    teacher = workload.model
    if not isinstance(teacher, nn.Module):
        raise Refusal(
            f"{NAME} cannot be applied to {workload.name}: its model is a"
            f" {type(teacher).__name__}, wanted a torch module",
            "make the student yourself and measure it against its baseline",
        )
    model, before, after = shortened(teacher, lambda layers: kept(layers, keep))
    if not before:
        raise Refusal(
            f"{NAME} cannot be applied to {workload.name}: found no list of layers of one shape,"
            " of which some could go",
            "take a workload of a transformer, such as bert-base, minilm, vit-small or llama-small",
        )
    what = f"{after} of {before} layers"
    if not epochs:
        return model, f"{what}, not retrained"
    lessons = getattr(workload.context, "sentences", None)
    if lessons is None:
        raise Refusal(
            f"{NAME} cannot train for {workload.name}: its context is"
            f" {type(workload.context).__name__}, wanted one with sentences to learn from",
            "leave epochs out, or take minilm",
        )
    from bench.techniques._embedding_lessons import taught

    key = (NAME, workload.name, workload.version, seed, keep, epochs)
    trained = stage(key, lambda: taught(model, teacher, lessons, seed=seed, epochs=epochs))
    times = f"{epochs} epoch{'s' if epochs > 1 else ''}"
    return copy.deepcopy(trained), f"{what}, distilled for {times}"
