"""Layers whose nonzero weights are few different ones, run by our own kernel; imports torch."""

import ctypes
from typing import Any

import torch
from torch import Tensor, nn

from bench.techniques._csr_modules import PatchConv2d, bias_of, to_csr, with_layers
from bench.techniques._shared_form import SharedForm, decoded, shared_form
from bench.techniques._shared_kernel import shared_product
from bench.weight_form import WeightForm

NOTE = "sparse with shared weights: codes of 8 bits, indices of 16, our kernel"
FALLBACK_NOTE = "no C compiler for our kernel of shared weights, decoded"
FORM = ("shape", "pointers", "indices", "codes", "codebook")

_Strides = ctypes.c_long * 4


class SharedMatrix(nn.Module):
    """A sparse matrix with shared weights as the kernel reads it, and a bias.

    Args:
        weight: (rows, columns), float32, with at most 256 different nonzero values.
        bias: (rows,)

    Raises:
        ValueError: There are more different values, or more than 65,535 columns.
    """

    shape: Tensor
    pointers: Tensor
    indices: Tensor
    codes: Tensor
    codebook: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        form = shared_form(weight.detach().numpy())
        for name in FORM:
            self.register_buffer(name, torch.from_numpy(getattr(form, name)))
        self.register_buffer("bias", bias)
        self.columns = weight.shape[1]
        self.form = WeightForm(
            dense=weight.numel(),
            stored=len(form.indices),
            nonzero=int(weight.count_nonzero()),
            bits=32,
            bytes=form.nbytes,
        )

    def decoded(self) -> Tensor:
        """The weight (rows, columns) that the codes stand for."""
        return torch.from_numpy(decoded(SharedForm(*(getattr(self, n).numpy() for n in FORM))))

    def product(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Fills *outputs* (samples, rows) with matrix · inputs + bias, and gives it.

        Both may be strided in any way.

        Args:
            inputs: (samples, columns), float32 on the CPU.
            outputs: (samples, rows), float32 on the CPU.

        Raises:
            TypeError: The inputs are of another type or elsewhere.
            ValueError: They have another number of columns.
            RuntimeError: The kernel cannot be compiled here.
            MemoryError: There is none for the samples.
        """
        run = shared_product()
        if run is None:
            raise RuntimeError(
                "the kernel for shared weights does not compile here, wanted a C compiler; "
                "install gcc, or use form='csr'"
            )
        if inputs.shape[-1] != self.columns:
            raise ValueError(
                f"found inputs of {inputs.shape[-1]} features, wanted {self.columns}; reshape them"
            )
        if inputs.dtype is not torch.float32 or not inputs.is_cpu:
            raise TypeError(
                f"found inputs of {inputs.dtype} on {inputs.device}, wanted float32 on the CPU, "
                "where the kernel for shared weights runs; use form='csr' elsewhere"
            )
        parts: Any = self._buffers  # as attributes they would be looked up slower
        failed = run(
            parts["shape"].data_ptr(),
            parts["pointers"].data_ptr(),
            parts["indices"].data_ptr(),
            parts["codes"].data_ptr(),
            parts["codebook"].data_ptr(),
            parts["bias"].data_ptr(),
            inputs.data_ptr(),
            outputs.data_ptr(),
            inputs.shape[0],
            _Strides(*inputs.stride(), *outputs.stride()),
            torch.get_num_threads(),
        )
        if failed:
            raise MemoryError(f"no memory to multiply {len(inputs)} samples; use a smaller batch")
        return outputs


class SharedSparseLinear(SharedMatrix):
    """A linear layer (out, in) by the kernel, at any batch: (…, in) to (…, out)."""

    @classmethod
    def of(cls, linear: nn.Linear) -> "SharedSparseLinear":
        """*linear* with its zeros left out and its weights as codes.

        Raises:
            ValueError: It has more than 256 different nonzero weights, or more than 65,535 inputs.
        """
        return cls(linear.weight, bias_of(linear))

    @property
    def weight_form(self) -> WeightForm:
        return self.form

    def forward(self, inputs: Tensor) -> Tensor:
        rows = self.bias.shape[0]
        if inputs.dim() == 2:  # noqa: PLR2004 - samples and columns
            return self.product(inputs, torch.empty(inputs.shape[0], rows))
        flat = inputs.reshape(-1, inputs.shape[-1])  # (samples, in)
        return self.product(flat, torch.empty(len(flat), rows)).view(*inputs.shape[:-1], rows)

    def unseen_macs(self, inputs: Tensor) -> int:
        """Multiply-accumulates of a call that no operator of torch does."""
        return self.form.stored * (inputs.numel() // inputs.shape[-1])


class SharedSparseConv2d(PatchConv2d):
    """A convolution by the kernel at batch 1, and by the dense kernel above."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__(convolution)
        self.matrix = SharedMatrix(convolution.weight.flatten(1), self.bias)
        self.weight_form = self.matrix.form

    def unseen_macs(self, inputs: Tensor) -> int:
        """Multiply-accumulates of a call that no operator of torch does."""
        if len(inputs) > 1:
            return 0
        return self.weight_form.stored * self._places(inputs.shape[2], inputs.shape[3])

    def _maps(self, patches: Tensor) -> Tensor:
        maps = torch.empty(len(self.bias), patches.shape[1])
        self.matrix.product(patches.T, maps.T)
        return maps

    def _places(self, height: int, width: int) -> int:
        return self._extent(height, 0) * self._extent(width, 1)


def to_shared(model: nn.Module) -> tuple[nn.Module, str]:
    """A copy of *model* with its linear and convolutional layers by the kernel, and a note.

    Where the kernel cannot be compiled the layers are CSR instead, and the note says so.

    Raises:
        ValueError: A layer has too many different nonzero weights, or too many inputs.
    """
    if shared_product() is None:
        sparse, note = to_csr(model)
        return sparse, f"{FALLBACK_NOTE}: {note}"
    return with_layers(model, _shared, NOTE)


def _shared(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return SharedSparseLinear.of(layer)
    return SharedSparseConv2d(layer)
