"""Finds the layers that a transformer repeats, and takes some of them out."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn


def shortened(model: nn.Module, kept: Callable[[int], Sequence[int]]) -> tuple[nn.Module, int, int]:
    """A copy of a model without some of its layers, with how many there were and are.

    What a model says elsewhere of its layers follows: their number in its configuration, their
    places in a cache, and the cache of a context, which the copy computes anew.

    Args:
        model: Any module; nothing of it is changed.
        kept: Says of a number of layers which of them stay.

    Returns:
        The copy in evaluation mode, layers before, layers after; 0 and 0 where there is no list.
    """
    student = copy.deepcopy(model).eval()
    before = after = 0
    for owner, name, layers in repeated(student):
        chosen = [layers[index] for index in kept(len(layers))]
        before, after = before + len(layers), after + len(chosen)
        setattr(owner, name, nn.ModuleList(chosen))
        for index, layer in enumerate(chosen):
            _renumber(layer, index)
        _declare(student, layers, len(chosen))
    for module in student.modules():
        refill: Any = getattr(module, "refill", None)
        if before and callable(refill):
            refill()
    return student, before, after


def repeated(model: nn.Module) -> list[tuple[nn.Module, str, nn.ModuleList]]:
    """The outermost lists of two and more layers of one class and one shape.

    Stages of convolutional nets stand in lists as well; their shapes differ.
    """
    return list(_lists(model))


def _lists(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.ModuleList]]:
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList) and _alike(child):
            yield module, name, child
        else:
            yield from _lists(child)


def _alike(layers: nn.ModuleList) -> bool:
    shapes = {
        (type(layer), *((name, each.shape) for name, each in layer.named_parameters()))
        for layer in layers
    }
    return len(layers) > 1 and len(shapes) == 1 and any(True for _ in layers[0].parameters())


def _renumber(layer: nn.Module, index: int) -> None:
    """Sets the place that a layer's attention has in a cache."""
    attention: Any
    for attention in layer.modules():
        if isinstance(getattr(attention, "layer_idx", None), int):
            attention.layer_idx = index


def _declare(model: nn.Module, before: nn.ModuleList, after: int) -> None:
    """Sets the number of layers in the configurations that say it."""
    for module in model.modules():
        config: Any = getattr(module, "config", None)
        if getattr(config, "num_hidden_layers", None) == len(before):
            config.num_hidden_layers = after
