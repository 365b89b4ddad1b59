"""What the roofline's workloads run; imports torch."""

import torch
from torch import Tensor, nn


class Copy(nn.Module):
    """Copies the next *elements* of source to their place in target, both (all,) of float32.

    From the end it goes on at the beginning: *elements* must divide the whole.
    """

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.elements = elements
        self.bytes_moved = 2 * 4 * elements  # read and written
        self.start = 0

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        if len(source) == self.elements:
            return target.copy_(source)
        start, end = self.start, self.start + self.elements
        self.start = end % len(source)
        return target[start:end].copy_(source[start:end])  # (elements,)


class Int8Product(nn.Module):
    """uint8 (rows, side) times int8 weight (side, side) to uint8, by oneDNN, scales all one.

    As `bench.techniques._int8_modules.Int8Linear` calls it, without bias.

    Raises:
        RuntimeError: This torch has no int8 kernels of oneDNN.
    """

    weight: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        if not hasattr(torch.ops.onednn, "qlinear_pointwise"):
            raise RuntimeError(
                f"torch {torch.__version__} has no operator onednn::qlinear_pointwise, wanted for "
                "int8; run on an x86 CPU with a torch that is built with oneDNN"
            )
        self.register_buffer("weight", weight)
        self.scales, self.zeros = torch.ones(len(weight)), torch.zeros(len(weight)).long()
        self.packed = torch.ops.onednn.qlinear_prepack(weight, None)

    def forward(self, left: Tensor) -> Tensor:
        scales, zeros = self.scales, self.zeros
        output: Tensor = torch.ops.onednn.qlinear_pointwise(
            left, 1.0, 0, self.packed, scales, zeros, None, 1.0, 0, torch.uint8, "none", [], ""
        )
        return output


def product(dtype: str, side: int) -> tuple[nn.Module, Tensor]:
    """A square product of matrices as a layer, and its left operand (side, side).

    Args:
        dtype: ``fp32``, ``bf16`` or ``int8``; int8 takes and gives uint8.
        side: Rows and columns of all three matrices.

    Raises:
        RuntimeError: This torch has no int8 kernels of oneDNN.
    """
    if dtype == "int8":
        weight = torch.randint(-127, 128, (side, side), dtype=torch.int8)
        return Int8Product(weight).eval(), torch.randint(0, 256, (side, side), dtype=torch.uint8)
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]
    return nn.Linear(side, side, bias=False, dtype=kind).eval(), torch.rand(side, side).to(kind)
