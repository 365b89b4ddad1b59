"""Weights of three values whose two scales are trained; imports torch."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.techniques._bit_stream import pack_fixed
from bench.techniques._sharing import as_plain, weighted_layers

THRESHOLD = 0.05
"""The share of a layer's largest magnitude below which a weight is 0: the paper's t."""


class _Ternary(torch.autograd.Function):
    """Latent weights and both scales to ternary weights; back, the paper's gradients.

    With Δ = 0.05 · max|w|: w_t = W_p where w > Δ, −W_n where w < −Δ, else 0.
    ∂L/∂W_p = Σ_{w > Δ} ∂L/∂w_t and ∂L/∂W_n = −Σ_{w < −Δ} ∂L/∂w_t. The latent weight gets
    ∂L/∂w_t times W_p, 1 or W_n, where it is above Δ, between, or below −Δ.

    Source: Zhu et al. 2017, equations 6 to 8; the sign of ∂L/∂W_n, which the paper leaves out,
    follows from w_t = −W_n.
    """

    @staticmethod
    def forward(ctx: Any, latent: Tensor, positive: Tensor, negative: Tensor) -> Tensor:  # noqa: ANN401
        limit = THRESHOLD * latent.abs().max()
        above, below = latent > limit, latent < -limit
        ctx.save_for_backward(above, below, positive, negative)
        return above * positive - below * negative

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
        above, below, positive, negative = ctx.saved_tensors
        latent = gradient * torch.where(above, positive, torch.where(below, negative, 1.0))
        return latent, (gradient * above).sum(), -(gradient * below).sum()


class Ternary(nn.Module):
    """A weight of three values, given by latent weights and two scales; torch's parametrization."""

    def forward(self, latent: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        ternary: Tensor = _Ternary.apply(latent, positive, negative)  # type: ignore[no-untyped-call]
        return ternary

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Begins with the trained weights, and with the mean magnitude of each side as scale."""
        latent = weight.detach().clone()
        limit = THRESHOLD * latent.abs().max()
        scales = [
            torch.where(side.any(), (latent.abs() * side).sum() / side.sum().clamp(min=1), limit)
            for side in (latent > limit, latent < -limit)
        ]
        return latent, scales[0], scales[1]


def ternary(
    model: nn.Module, *, ends: bool, tune: Callable[[nn.Module], object]
) -> tuple[nn.Module, dict[str, Tensor]]:
    """A copy of *model* with ternary layers, and the ternary weights of it by their names.

    Args:
        model: Any module.
        ends: Whether the first and the last layer become ternary too.
        tune: Trains what it is given in place: latent weights, scales and biases.
    """
    trained = copy.deepcopy(model)
    layers = list(weighted_layers(trained))
    for _, layer in layers if ends else layers[1:-1]:
        parametrize.register_parametrization(layer, "weight", Ternary())
    tune(trained)
    plain = as_plain(trained, model)
    names = [name for name, layer in layers if parametrize.is_parametrized(layer, "weight")]
    return plain, {f"{name}.weight": plain.get_parameter(f"{name}.weight") for name in names}


def packed(weight: Tensor) -> dict[str, Tensor]:
    """A ternary weight as it is stored: two bits an element (0, 1 for W_p, 2 for −W_n), scales.

    Returns:
        ``codes``, uint8 (a quarter of the elements,), and ``scales`` (2,): W_p and −W_n.
    """
    flat = weight.detach().flatten()
    codes = (flat > 0).long() + 2 * (flat < 0).long()
    stream = pack_fixed(codes.numpy(), 2)
    scales = torch.stack([flat.clamp(min=0).max(), flat.clamp(max=0).min()])
    return {"codes": torch.frombuffer(bytearray(stream), dtype=torch.uint8), "scales": scales}
