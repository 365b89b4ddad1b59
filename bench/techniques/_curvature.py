"""The diagonal of the Hessian of cross-entropy, after Levenberg and Marquardt; imports torch."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK = 256
"""Images that go through the model together."""


def hessian_diagonal(model: nn.Module, inputs: Tensor) -> dict[Tensor, Tensor]:
    """h_kk = ∂²E/∂u_k² of the weights of linear and convolutional layers, each in its shape.

    E is the mean cross-entropy over *inputs* (n, …). The curvature of the model itself is left out
    (Levenberg–Marquardt), so that no labels are needed: with logits z, p = softmax(z) and
    diag(p) − p pᵀ = Σ_c s_c s_cᵀ, s_c = √p_c (e_c − p),

        h_kk = 1/n Σ_n Σ_c Σ_places (s_cᵀ ∂z/∂a_i · x_j)²

    for the weight from input x_j to sum a_i; the places are those where a convolution uses its
    weight, each taken as a connection of its own.

    Source: LeCun et al. 1989, equations 6 to 8: there the same sum, with the cross terms between
    hidden units left out too.
    """
    total: dict[Tensor, Tensor] = {}
    model.eval()
    for chunk in torch.split(inputs, CHUNK):
        for weight, curvature in _of_chunk(model, chunk):
            total[weight] = total.get(weight, torch.zeros_like(weight)) + curvature / len(inputs)
    return total


def _of_chunk(model: nn.Module, inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The sum over *inputs*, once for each call of a layer."""
    calls: list[tuple[nn.Linear | nn.Conv2d, Tensor, Tensor]] = []

    def note(layer: Any, given: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ANN401 - torch's hook
        calls.append((layer, given[0].detach(), output))
        return output.clone()  # an activation in place would change what is kept

    layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.enable_grad():
            logits = model(inputs)  # (n, classes)
    finally:
        for handle in handles:
            handle.remove()
    if not calls:
        return []
    sums = [output for _, _, output in calls]
    squares = [torch.zeros_like(output) for output in sums]
    shares = logits.detach().softmax(1)  # (n, classes)
    for chosen in range(shares.shape[1]):
        column = -shares * shares[:, chosen : chosen + 1].sqrt()  # (n, classes)
        column[:, chosen] += shares[:, chosen].sqrt()
        gradients = torch.autograd.grad(logits, sums, column, retain_graph=True)
        for square, gradient in zip(squares, gradients, strict=True):
            square.add_(gradient.square())
    return [
        (layer.weight, _of_layer(layer, given.square(), square))
        for (layer, given, _), square in zip(calls, squares, strict=True)
    ]


def _of_layer(layer: nn.Linear | nn.Conv2d, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Σ outputs_i · inputs_j over images and places: the layer's weight gradient, of squares."""
    weight = torch.zeros_like(layer.weight, requires_grad=True)
    with torch.enable_grad():
        if isinstance(layer, nn.Linear):
            result = functional.linear(inputs, weight)
        else:
            places: Any = (layer.stride, layer.padding, layer.dilation, layer.groups)
            result = functional.conv2d(inputs, weight, None, *places)
    return torch.autograd.grad(result, weight, outputs)[0]
