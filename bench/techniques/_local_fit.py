"""A layer's outputs kept as they were while its weights go: Yang's local fitting; imports torch."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.techniques._pruning import highest

Layer = nn.Linear | nn.Conv2d

RESTORED = 0.1
"""Share of what a cut removes that is taken beyond it by magnitude, and given back by effect."""

RIDGE = 1e-3
"""How strongly fitted weights are held at what they were, against the mean square of an input."""


def layers_of(model: nn.Module) -> dict[str, Layer]:
    """The layers that can be fitted, by name: linear ones, and convolutions of one group."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and _fits(module))
    }


def _fits(layer: nn.Conv2d) -> bool:
    return layer.groups == 1 and not isinstance(layer.padding, str)


def observed(
    model: nn.Module, images: Tensor, names: Collection[str] | None = None
) -> dict[str, tuple[Tensor, Tensor]]:
    """What layers take, with a last column of ones, and what they give.

    Args:
        model: Runs once on *images*.
        images: Its inputs.
        names: Which layers; all that can be fitted if None.

    Returns:
        By name: tensors (rows, in + 1) and (rows, out). A row is an image, or a place in one for a
        convolution.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def hook(name: str) -> Any:  # noqa: ANN401 - torch's hook
        return lambda layer, given, output: found.update({name: _rows(layer, given[0], output)})

    layers = layers_of(model)
    chosen = layers if names is None else {name: layers[name] for name in names}
    handles = [layer.register_forward_hook(hook(name)) for name, layer in chosen.items()]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _rows(layer: Layer, inputs: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(layer, nn.Conv2d):
        places: Any = (layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        inputs = functional.unfold(inputs, *places)  # (n, in * kernel, places)
        inputs, outputs = inputs.transpose(1, 2), outputs.flatten(2).transpose(1, 2)
    inputs = inputs.flatten(0, -2)
    # copies, both: what follows may change them in place
    return torch.cat([inputs, torch.ones(len(inputs), 1)], 1), outputs.flatten(0, -2).clone()


def moments(inputs: Tensor) -> Tensor:
    """Mean products xᵀx (in, in) of a layer's inputs, as `observed` gives them."""
    values = inputs[:, :-1]
    return values.T @ values / len(values)


def kept_of(weight: Tensor, products: Tensor, count: int) -> Tensor:
    """Which *count* of the nonzero weights (out, in) stay, as a mask of the same shape.

    The largest stay, but a tenth of the removals is decided by effect: of the weights that went
    beyond *count*, those come back that lower the squared error of the outputs most. With D the
    weights removed and G the *products* (in, in), giving back w_ij lowers row i's error by
    2 w_ij (D G)_ij − w_ij² G_jj.
    """
    size = weight.abs().flatten()  # (out * in,)
    present = int(size.count_nonzero())
    restored = round(RESTORED * (present - count)) if present > count else 0
    restored = min(restored, count)
    kept = highest(size, count - restored).view_as(weight)
    removed = weight * ~kept
    gain = 2 * removed * (removed @ products) - removed.square() * products.diagonal()
    gain = gain.masked_fill(removed == 0, -torch.inf)
    return kept | highest(gain.flatten(), restored).view_as(weight)


def fit(model: nn.Module, wanted: Mapping[str, Tensor], images: Tensor) -> None:
    """Gives each layer of *model*, in order, weights with which it gives what is *wanted* of it.

    For each output the weights that are left and the bias are the least squares of
    ‖x w + b − y‖² over the images: x as the layers fitted so far give it, y (rows, out) of the
    model before weights were removed.
    """
    for name, layer in layers_of(model).items():
        if name in wanted:
            inputs, _ = observed(model, images, (name,))[name]
            rows, bias = _fitted(layer, inputs.double(), wanted[name].double())
            layer.weight.data.copy_(rows.view_as(layer.weight))
            if layer.bias is not None:
                layer.bias.data.copy_(bias)


def _fitted(layer: Layer, inputs: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (out, in) and biases (out,) that are zero where the layer's are."""
    bias = layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
    now = torch.cat([layer.weight.detach().flatten(1), bias.detach()[:, None]], 1).double()
    free = now != 0  # (out, in + 1)
    free[:, -1] = layer.bias is not None
    products = inputs.T @ inputs / len(inputs)  # (in + 1, in + 1)
    targets = (inputs.T @ wanted / len(inputs)).T  # (out, in + 1)
    ridge = RIDGE * float(products.diagonal().mean())
    for row, target, places in zip(now, targets, free, strict=True):
        chosen = places.nonzero()[:, 0]
        if len(chosen):
            square = products[chosen[:, None], chosen]  # (chosen, chosen)
            square.diagonal().add_(ridge)
            right = target[chosen] + ridge * row[chosen]
            factor = torch.linalg.cholesky(square)
            row[chosen] = torch.cholesky_solve(right[:, None], factor)[:, 0]
    return now[:, :-1], now[:, -1]
