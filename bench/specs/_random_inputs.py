"""Random tensors of a shape and a type, from a seed."""

import torch
from torch import Tensor

from bench.refusal import Refusal

LEAST_VOCABULARY = 100
"""Whole numbers are drawn below this: tables of embeddings have at least as many rows."""


def drawn(
    name: str, shape: tuple[int, ...], dtype: str, seed: int, below: int = LEAST_VOCABULARY
) -> Tensor:
    """An input: standard normal, or whole numbers that a model can look up.

    What is called a mask is all ones, and a token type all zeros: others mean something else.

    Args:
        name: Of the input.
        shape: Of the tensor.
        dtype: As torch and numpy call it, such as ``float32`` or ``int64``.
        seed: Of the numbers.
        below: Whole numbers are smaller than this.

    Raises:
        Refusal: There is no such type of tensor.
    """
    kind = getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype):
        raise Refusal(
            f"the input {name} takes {dtype}, which torch has no tensor of",
            "give a model that takes numbers",
        )
    source = torch.Generator().manual_seed(seed)
    if kind.is_floating_point:
        return torch.randn(shape, generator=source).to(kind)
    if kind is torch.bool or "mask" in name:
        return torch.ones(shape, dtype=kind)
    if "token_type" in name or "segment" in name:
        return torch.zeros(shape, dtype=kind)
    return torch.randint(0, below, shape, generator=source).to(kind)
