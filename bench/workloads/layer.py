"""One fully connected layer of a published network, by name: ``layer:alexnet-fc6``.

Its weights and inputs are random: time and energy of a dense or sparse kernel do not depend on
their values, and there is no quality to judge.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

NAME = "layer"
CALIBRATION = 64
"""Inputs from which an activation's scale is taken."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's size and the share of its weights that the paper kept.

    Args:
        inputs: Columns of the weight.
        outputs: Rows of the weight.
        density: Share of the weights that are not zero after pruning.
    """

    inputs: int
    outputs: int
    density: float


LAYERS = {
    "alexnet-fc6": Layer(9216, 4096, 0.09),
    "alexnet-fc7": Layer(4096, 4096, 0.09),
    "alexnet-fc8": Layer(4096, 1000, 0.25),
    "vgg16-fc6": Layer(25088, 4096, 0.04),
    "vgg16-fc7": Layer(4096, 4096, 0.04),
    "vgg16-fc8": Layer(4096, 1000, 0.23),
    "neuraltalk-we": Layer(4096, 600, 0.10),
    "neuraltalk-wd": Layer(600, 8791, 0.11),
    "neuraltalk-lstm": Layer(1201, 2400, 0.10),
    "tiny-fc": Layer(64, 48, 0.10),
}
"""Deep Compression's Tables 4 and 5, and EIE's Table III; ``tiny-fc`` is ours, for smoke tests.

NeuralTalk's densities are those of `bench.reference` whose confidence is ``memory-unverified``.
"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Inputs for techniques that look at activations; a layer has nothing to be trained on.

    Args:
        train_inputs: (samples, inputs)
        density: The published share of weights that are not zero.
    """

    train_inputs: "Tensor"
    density: float


def load(*, seed: int = 0, which: str = "tiny-fc") -> Workload:
    """The layer *which* with random weights, as an `nn.Sequential` of one linear layer.

    Args:
        seed: Of the weights, of the inputs, and of those to calibrate on.
        which: A key of `LAYERS`; it runs on one CPU thread, or on as many as the name ends with:
            ``alexnet-fc6-2t``.

    Raises:
        ValueError: There is no such layer.

    Source: Han, Mao and Dally 2016, "Deep Compression", Tables 4 and 5; Han et al. 2016, "EIE",
    Table III.
    """
    match = re.fullmatch(r"(.+?)(?:-([1-9]\d?)t)?", which)
    name, threads = (match[1], int(match[2] or 1)) if match else (which, 1)
    if name not in LAYERS:
        raise ValueError(
            f"no layer is named {name}; choose from {', '.join(LAYERS)}, with -2t behind it for"
            " two threads"
        )
    import torch
    from torch import nn

    layer = LAYERS[name]
    draw = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # its own initial weights would cost a second, and be lost
        linear = nn.Linear(layer.inputs, layer.outputs)
    linear = linear.to_empty(device="cpu")
    with torch.no_grad():
        # variance 1 / inputs keeps outputs as large as inputs
        linear.weight.normal_(std=layer.inputs**-0.5, generator=draw)
        linear.bias.normal_(std=layer.inputs**-0.5, generator=draw)
    calibration = torch.randn(CALIBRATION, layer.inputs, generator=draw)

    def inputs(batch: int) -> "Tensor":
        fresh = torch.Generator().manual_seed(seed + 1)
        return torch.randn(batch, layer.inputs, generator=fresh)  # (batch, inputs)

    return Workload(
        f"{NAME}:{which}",
        nn.Sequential(linear).eval(),
        inputs,
        unit="input",
        threads=threads,
        version=_version(name, layer, seed),
        context=Calibration(calibration, layer.density),
    )


def _version(which: str, layer: Layer, seed: int) -> str:
    """Hash of what makes the workload: size, seed, and how weights are drawn."""
    made = f"{which} {layer.inputs} {layer.outputs} {seed} normal std=inputs**-0.5"
    return hashlib.sha256(made.encode()).hexdigest()[:12]
