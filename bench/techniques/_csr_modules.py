"""Layers whose zeros are neither stored nor multiplied; imports torch."""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.refusal import Unfit

NOTE = "sparse CSR kernels (fp32 values, int32 indices)"
CONVOLUTION_NOTE = "; convolutions sparse at batch 1, dense kernels with zeros above"
MATRIX = 2
"""Dimensions of what sparse products take."""


class SparseLinear(nn.Module):
    """A linear layer with its weight (out, in) in CSR form, indices int32.

    Matrix times vector at batch 1: there MKL's kernel is several times faster than the one for
    matrices of one column.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", csr(linear.weight))
        self.register_buffer("bias", bias_of(linear))

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() > MATRIX:
            return by_rows(self.forward, inputs)
        if inputs.shape[0] == 1:
            return torch.addmv(self.bias, self.weight, inputs[0])[None]  # (1, out)
        return torch.addmm(self.bias[:, None], self.weight, inputs.T).T  # (n, out)


class PatchConv2d(nn.Module):
    """A convolution whose weight is sparse as (out, in * height * width), in a form of a subclass.

    At batch 1 the patches of the image are multiplied by the sparse weight. Above, the dense kernel
    runs, zeros and all: it was 3 to 5 times faster than the sparse product at batch 64.
    """

    bias: Tensor
    dense: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        if convolution.groups != 1 or isinstance(convolution.padding, str):
            raise Unfit(
                f"cannot make {convolution} sparse, wanted one group and padding in pixels",
                "use form='mask'",
            )
        self.kernel_size, self.stride = convolution.kernel_size, convolution.stride
        self.padding, self.dilation = convolution.padding, convolution.dilation
        self.register_buffer("bias", bias_of(convolution))
        self.register_buffer("dense", convolution.weight.detach().clone(), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.shape[0] > 1:
            return functional.conv2d(
                inputs, self.dense, self.bias, self.stride, self.padding, self.dilation
            )  # (n, out, height, width)
        patches = functional.unfold(
            inputs, self.kernel_size, self.dilation, self.padding, self.stride
        )  # (1, in * kernel, places)
        maps = self._maps(patches[0])  # (out, places)
        return maps.view(1, len(self.bias), self._extent(inputs.shape[2], 0), -1)

    def _maps(self, patches: Tensor) -> Tensor:
        """The sparse weight times *patches* (in * kernel, places), plus bias: (out, places)."""
        raise NotImplementedError

    def _extent(self, pixels: int, side: int) -> int:
        """Height of the output maps for that of the inputs, or width with *side* 1."""
        reach = self.dilation[side] * (self.kernel_size[side] - 1) + 1
        return (pixels + 2 * int(self.padding[side]) - reach) // self.stride[side] + 1


class SparseConv2d(PatchConv2d):
    """A convolution with its weight (out, in * height * width) in CSR form, indices int32."""

    weight: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__(convolution)
        self.register_buffer("weight", csr(convolution.weight.flatten(1)))

    def _maps(self, patches: Tensor) -> Tensor:
        return torch.addmm(self.bias[:, None], self.weight, patches)


def by_rows(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """What the *forward* of a layer of (n, in) to (n, out) makes of inputs (…, in): (…, out)."""
    found = forward(inputs.flatten(0, -2))  # (all rows, out)
    return found.view(*inputs.shape[:-1], found.shape[-1])


def csr(weight: Tensor) -> Tensor:
    """*weight* (rows, columns) in CSR form with int32 indices, which MKL takes as they are."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        sparse = weight.detach().to_sparse_csr()
        return torch.sparse_csr_tensor(
            sparse.crow_indices().int(),
            sparse.col_indices().int(),
            sparse.values(),
            weight.shape,
            check_invariants=True,
        )


def to_csr(model: nn.Module) -> tuple[nn.Module, str]:
    """A copy of *model* with sparse linear and convolutional layers, and a note on what runs."""
    return with_layers(model, _sparse, NOTE)


def with_layers(
    model: nn.Module, form: Callable[[nn.Linear | nn.Conv2d], nn.Module], note: str
) -> tuple[nn.Module, str]:
    """A copy of *model* whose linear and convolutional layers are what *form* makes of them.

    Returns:
        The copy, and *note* with a word on convolutions if there are any.
    """
    if any(isinstance(module, nn.Conv2d) for module in model.modules()):
        note += CONVOLUTION_NOTE
    if isinstance(model, nn.Linear | nn.Conv2d):  # a layer on its own has no name to be set by
        return form(model).eval(), note
    changed = copy.deepcopy(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            changed.set_submodule(name, form(module))
    return changed.eval(), note


def _sparse(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    return SparseLinear(layer) if isinstance(layer, nn.Linear) else SparseConv2d(layer)


def bias_of(layer: nn.Linear | nn.Conv2d) -> Tensor:
    """A copy of the layer's bias (out,), zeros if it has none."""
    if layer.bias is None:
        return layer.weight.new_zeros(layer.weight.shape[0])
    return layer.bias.detach().clone()
