"""Does a fully connected layer, pruned as published, use less energy per input than as it was?

Deep Compression's Tables 8 and 9 and EIE's Table IV again: the layers of AlexNet, VGG-16 and
NeuralTalk at their published densities, with random weights. Shared weights run on a kernel of our
own, the form that the paper could not time. The mask runs the dense kernel, zeros and all.
"""

from typing import Any

import pytest

from bench import Joules
from bench.workloads.layer import LAYERS

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "dense": ("baseline", {}),
    "mask": ("magnitude_pruning", {"form": "mask", "retrain": "none"}),
    "csr": ("magnitude_pruning", {"form": "csr", "retrain": "none"}),
    "shared": ("shared_sparse", {"bits": 5}),
    "block-sparse": ("block_sparse", {"block": 16}),
    "structured": ("neuron_pruning", {}),
    "bf16": ("bf16", {}),
    "int8": ("int8_static", {}),
}
DENSE = ("dense", "bf16", "int8")
"""Forms that keep every weight."""
ALL = frozenset({"alexnet-fc6", "vgg16-fc6"})
"""Layers whose dense form is measured beside itself, and whose mask shows that it saves nothing."""
FEW = ("csr", "shared")
"""Forms of NeuralTalk's layers, the second part of EIE's Table IV."""
SAME_SHAPE = frozenset({"vgg16-fc7", "vgg16-fc8"})
"""Layers of the shape of AlexNet's: the forms that keep every weight are the same there."""
BRIEF = ("csr", "shared")
"""Forms of AlexNet's FC6 that every profile measures; the rest are for ``full``."""


def marks(layer: str, form: str) -> pytest.MarkDecorator:
    """How long a form is measured: longest where a small difference is in question."""
    if layer == "alexnet-fc6" and form in BRIEF:
        return pytest.mark.joules(pairs=4)
    return pytest.mark.joules(profile="full", pairs=8 if form == "mask" else 2)


def forms(layer: str) -> tuple[str, ...]:
    """Which forms of a layer are measured."""
    if layer in ALL:
        return tuple(FORMS)
    if layer.startswith("neuraltalk"):
        return FEW
    return tuple(form for form in list(FORMS)[2:] if form not in DENSE or layer not in SAME_SHAPE)


CASES = [
    pytest.param(layer, form, marks=marks(layer, form))
    for layer in LAYERS
    if layer != "tiny-fc"
    for form in forms(layer)
]


CASES += [
    pytest.param(f"{layer}-2t", form, marks=pytest.mark.joules(profile="full", pairs=2))
    for layer in sorted(ALL)
    for form in ("csr", "shared")
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("layer", "form"), CASES)
def test_layer(joules: Joules, layer: str, form: str, batch: int) -> None:
    technique, level = FORMS[form]
    if form not in DENSE:
        level = {**level, "density": LAYERS[layer.removesuffix("-2t")].density}
    joules(joules.variant(technique, f"layer:{layer}", **level), batch=batch)
