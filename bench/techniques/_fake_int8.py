"""Training with the rounding of int8 in it; imports torch."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.techniques._int8_modules import ACTIVATION_MAX, WEIGHT_MAX, Scale
from bench.techniques._sharing import as_plain, weighted_layers

MEMORY = 0.99
"""How much of the range so far stays at each step of training."""


class FakeWeight(nn.Module):
    """A weight rounded to int8 steps, one scale a channel; gradients pass as if it were not."""

    def forward(self, weight: Tensor) -> Tensor:
        largest = weight.detach().flatten(1).abs().amax(1)  # (out,)
        scale = torch.where(largest > 0, largest, 1.0) / WEIGHT_MAX
        zero = torch.zeros(len(scale), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(
            weight, scale, zero, 0, -WEIGHT_MAX, WEIGHT_MAX
        )


class FakeActivation:
    """Rounds a layer's inputs to uint8 steps over a moving range, in front of the layer."""

    def __init__(self) -> None:
        self.least = self.largest = 0.0
        self.seen = False

    def __call__(self, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        least, largest = (float(end) for end in torch.aminmax(inputs[0].detach()))
        kept = MEMORY if self.seen else 0.0
        self.least = kept * self.least + (1 - kept) * least
        self.largest = kept * self.largest + (1 - kept) * largest
        self.seen = True
        scale = Scale.of(self.least, self.largest)
        return torch.fake_quantize_per_tensor_affine(
            inputs[0], scale.step, scale.zero, 0, ACTIVATION_MAX
        )


def trained_for_int8(model: nn.Module, tune: Callable[[nn.Module], object]) -> nn.Module:
    """A copy of *model*, float32, whose weights were trained to bear the rounding.

    Args:
        model: Any module.
        tune: Trains what it is given in place.
    """
    fake = copy.deepcopy(model)
    for _, layer in list(weighted_layers(fake)):
        parametrize.register_parametrization(layer, "weight", FakeWeight())
        layer.register_forward_pre_hook(FakeActivation())
    tune(fake)
    return as_plain(fake, model)
