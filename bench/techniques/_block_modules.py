"""A linear layer of square blocks of weights, all others zero; imports torch."""

import warnings
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.techniques._csr_modules import MATRIX, bias_of, by_rows
from bench.weight_form import WeightForm


class BlockSparseLinear(nn.Module):
    """A linear layer (…, in) to (…, out) whose weight is in BSR form, indices int32.

    Args:
        linear: The layer as it was.
        density: Share of its blocks that stay, those with the largest L2 norm.
        block: Side of a block.
    """

    values: Tensor
    columns: Tensor
    pointers: Tensor
    bias: Tensor

    def __init__(self, linear: nn.Linear, density: float, block: int) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.outputs, self.missing = len(weight), -weight.shape[1] % block
        padded = functional.pad(weight, (0, self.missing, 0, -self.outputs % block))
        self.register_buffer("bias", functional.pad(bias_of(linear), (0, -self.outputs % block)))
        self._keep(padded, density, block)
        self.shape = padded.shape
        self._matrix: Tensor | None = None
        parts = (self.values, self.columns, self.pointers)
        self.weight_form = WeightForm(
            dense=weight.numel(),
            stored=self.values.numel(),
            nonzero=int(self.values.count_nonzero()),
            bits=8 * self.values.itemsize,
            bytes=sum(part.numel() * part.itemsize for part in parts),
        )

    def _keep(self, padded: Tensor, density: float, block: int) -> None:
        """Stores the strongest blocks of *padded*, whose sides are multiples of *block*."""
        rows, columns = (side // block for side in padded.shape)
        blocks = padded.view(rows, block, columns, block).transpose(1, 2)  # (rows, columns, b, b)
        norms = blocks.square().sum((2, 3))  # (rows, columns)
        chosen = norms.flatten().topk(max(1, round(density * norms.numel()))).indices.sort().values
        self.register_buffer("values", blocks.flatten(0, 1)[chosen])  # (kept, block, block)
        self.register_buffer("columns", (chosen % columns).int())
        counts = torch.bincount(chosen // columns, minlength=rows)
        self.register_buffer("pointers", functional.pad(counts.cumsum(0), (1, 0)).int())

    def matrix(self) -> Tensor:
        """The weight as torch's block-sparse tensor, which shares the memory of the buffers."""
        if self._matrix is None:  # making one takes longer than a small layer
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Sparse BSR tensor support is in beta")
                self._matrix = torch.sparse_bsr_tensor(
                    self.pointers, self.columns, self.values, self.shape, check_invariants=True
                )
        return self._matrix

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_matrix": None}  # a copy's would not share the copy's buffers

    def _apply(self, *arguments: Any, **keywords: Any) -> Self:  # noqa: ANN401 - as torch's own
        self._matrix = None
        super()._apply(*arguments, **keywords)  # type: ignore[no-untyped-call]
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() > MATRIX:
            return by_rows(self.forward, inputs)
        if self.missing:
            inputs = functional.pad(inputs, (0, self.missing))
        if inputs.shape[0] == 1:
            product = torch.addmv(self.bias, self.matrix(), inputs[0])[None]  # (1, padded out)
        else:
            product = torch.addmm(self.bias[:, None], self.matrix(), inputs.T).T
        return product[:, : self.outputs]
