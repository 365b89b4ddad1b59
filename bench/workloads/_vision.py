"""Image classifiers as workloads: their pictures, their weights, and what they are judged by."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.refusal import Refusal
from bench.workload import RANDOM, Quality, Sources, Workload
from bench.workloads._checkpoint import tensors
from bench.workloads._labelled import Labelled, labelled
from bench.workloads._pictures import CALIBRATION, PLACES, RECIPE, Pictures, crops, judged
from bench.workloads._whole import (
    LEAST_CALLS,
    RANDOM_NOTE,
    Accuracy,
    agreement,
    answers,
    form,
    loaded,
    version,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
"""Mean and deviation where a model takes pixels from -1 to 1."""

READY = "batch norms settled, last layer fitted"
"""Part of the version: how random weights are made ready."""


RIDGE = 0.1
"""Of the fit, as a share of the mean square of what is fitted."""

OTHERS = 0.05
"""Typical logit of the classes that are no picture, where a picture's own is 1."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One size of an architecture.

    Args:
        options: What its maker takes.
        side: Pixels of a side of its pictures.
        classes: Logits, unless a checkpoint has another number.
    """

    options: Mapping[str, Any]
    side: int = 224
    classes: int = 1000


@dataclass(frozen=True, slots=True)
class Net:
    """An architecture of image classifiers.

    Args:
        name: The workload's.
        make: Gives a module with fresh weights for options and a number of classes.
        fill: Gives one with the tensors of a checkpoint, as its third argument.
        full: Its shape as published.
        smallest: Tiny, of the same kinds of layers.
        head: Name there of the weight of its last layer, whose rows are the classes.
        hub: Id of its checkpoint on the hub; empty if it has none as safetensors.
        mean: Of each channel of the pictures that it was trained on.
        deviation: Of each channel.
    """

    name: str
    make: Callable[[Mapping[str, Any], int], nn.Module]
    fill: Callable[[Mapping[str, Any], int, Mapping[str, Tensor]], nn.Module]
    full: Shape
    smallest: Shape
    head: str
    hub: str = ""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    deviation: tuple[float, float, float] = IMAGENET_DEVIATION


def classifier(net: Net, *, seed: int, which: str, sources: Sources) -> Workload:
    """An image classifier with its pictures and its judge.

    Args:
        net: The architecture.
        seed: Of random weights.
        which: Empty, ``smallest``, ``2t`` or ``smallest-2t``.
        sources: Of its weights, and of labelled data to judge by.

    Raises:
        ValueError: There is no such form of it.
        Refusal: It does not fit, or its weights or data cannot be had.
    """
    asked = form(net.name, which)
    shape = net.smallest if asked.smallest else net.full
    name = f"{net.name}:{which}" if which else net.name
    got = loaded(
        f"{net.name}:smallest" if asked.smallest else net.name,
        functools.partial(net.make, shape.options, shape.classes),
        functools.partial(_read, net, shape),
        hub="" if asked.smallest else net.hub,
        seed=seed,
        sources=sources,
    )
    pictures_of = functools.partial(Pictures, mean=net.mean, deviation=net.deviation)
    calibration = pictures_of(crops(shape.side, CALIBRATION, right=False))
    if sources.weights == RANDOM:
        settle(got.model, calibration)
        recognise(got.model, pictures_of(crops(shape.side, PLACES, right=True)))
    data = labelled(Path(sources.data).expanduser(), shape.side) if sources.data else None
    pictures = pictures_of(data.pixels if data else judged(shape.side))
    judge, note = _judge(name, got.model, pictures, data, got.origin)
    made = (shape, net.mean, net.deviation, got.digest, READY, RECIPE)
    return Workload(
        name,
        got.model,
        pictures.first,
        judge,
        unit="image",
        threads=asked.threads,
        version=version(net.name, *made, _content(data)),
        seeded=False,
        least_calls=LEAST_CALLS,
        note=note,
        calibration=functools.partial(_one_by_one, calibration),
    )


def settle(model: nn.Module, pictures: Iterable[Tensor]) -> None:
    """Gives batch norms the mean and variance of what they see, as training would have.

    With those that they begin with, the activations of random weights grow or vanish from layer to
    layer, and all pictures get the same answer.

    Args:
        model: Changed in place; without batch norms it stays as it is.
        pictures: Batches of more than one.
    """
    norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, each with the same weight
        norm.train()
    with torch.no_grad():
        for batch in pictures:
            model(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def recognise(model: nn.Module, pictures: Iterable[Tensor]) -> None:
    """Fits the last layer by ridge regression, so that each picture is a class of its own.

    With a last layer of random weights nearly all answers are the same, or hang on a hair's
    breadth: neither tells whether a variant still computes what the model does, as the answers of
    trained weights do. What all pictures share is left out of the fit, for its rounding in a
    narrow type would be larger than what tells them apart.

    Args:
        model: Changed in place; its last linear layer gives the logits.
        pictures: In batches; no more of them than classes are fitted.

    Source: Hoerl and Kennard 1970, "Ridge Regression".
    """
    head = [each for each in model.modules() if isinstance(each, nn.Linear)][-1]
    seen: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    answers(model, pictures)
    hook.remove()
    features = torch.cat(seen)[: head.out_features].double()  # (pictures, inputs)
    shared = functional.normalize(features.mean(dim=0), dim=0)
    with torch.no_grad():
        own, rows = (
            each - torch.outer(each @ shared, shared) for each in (features, head.weight.double())
        )  # (pictures, inputs), (classes, inputs)
        likeness = own @ own.T
        ridge = RIDGE * likeness.diagonal().mean() * torch.eye(len(own), dtype=own.dtype)
        fitted = torch.linalg.solve(likeness + ridge, own)
        size = OTHERS * head.in_features**0.5 / own.norm(dim=1).mean()
        rows = functional.normalize(rows) * size
        rows[: len(own)] = fitted / (fitted * own).sum(dim=1, keepdim=True)
        head.weight.copy_(rows)
        head.bias.zero_()


def _read(net: Net, shape: Shape, where: str) -> nn.Module:
    """The net with the weights of a checkpoint, and as many classes as that has."""
    found = tensors(Path(where))
    head = found.get(net.head)
    if head is None:
        raise ValueError(f"found no {net.head}, wanted that of its last layer")
    return net.fill(shape.options, len(head), found)


def _judge(
    name: str,
    model: Callable[..., Any],
    pictures: Pictures,
    data: Labelled | None,
    origin: str,
) -> tuple[Callable[[Callable[..., Any]], Quality], str]:
    """What judges variants, and the note of its rows."""
    if data is None:
        return agreement(model, pictures), origin
    if origin == RANDOM_NOTE:
        return agreement(model, pictures), f"{origin}: the labels of --joules-data are not used"
    expected = answers(model, pictures)
    judge = Accuracy(pictures, expected, data.labels + _shift(name, expected.shape[1], data))
    if judge.reached <= 1 / data.classes:
        raise Refusal(
            f"{name} is right on {judge.reached:.1%} of {data.origin}, which is guessing",
            "give data whose classes are those of the weights, in the same order",
        )
    return judge, f"{origin}, judged by {data.origin}"


_IMAGENET = 1000
_BACKGROUND = 1
"""Classes more than ImageNet's that TensorFlow's checkpoints have, before all others."""


def _shift(name: str, answered: int, data: Labelled) -> int:
    """What is added to the labels of the data to get the columns of the answers."""
    if answered == data.classes:
        return 0
    if data.classes == _IMAGENET and answered == _IMAGENET + _BACKGROUND:
        return _BACKGROUND
    raise Refusal(
        f"--joules-data has {data.classes} classes, {name} with these weights has {answered}",
        "give data of the same classes, or with --joules-weights a model that was trained on these",
    )


def _content(data: Labelled | None) -> str:
    """Hash of labelled data; empty for none."""
    if data is None:
        return ""
    made = hashlib.sha256(data.pixels.numpy().tobytes())
    made.update(data.labels.numpy().tobytes())
    return made.hexdigest()


def _one_by_one(pictures: Pictures) -> list[Tensor]:
    """Each (1, 3, side, side)."""
    return [each[None] for batch in pictures for each in batch]
