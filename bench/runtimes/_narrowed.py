"""A whole torch module in a 16-bit type, its inputs and outputs in float32."""

import copy

import torch
from torch import Tensor, nn


class Narrowed(nn.Module):
    """A copy of a module in a narrower type; float inputs are cast, outputs come back as float32.

    Args:
        model: Takes tensors and gives one.
        dtype: ``torch.bfloat16`` or ``torch.float16``.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).eval().to(dtype)
        if any(isinstance(each, nn.Conv2d) for each in self.model.modules()):
            self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the module gives, as float32."""
        cast = [each.to(self.dtype) if each.is_floating_point() else each for each in inputs]
        out: Tensor = self.model(*cast)
        return out.float()


def weighted(model: nn.Module) -> int:
    """How many modules multiply by a weight."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d)
    return sum(isinstance(each, kinds) for each in model.modules())
