"""What takes batches of one size, run on batches of any: runtimes compile for one size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AnyBatch:
    """Runs a function of batches of one size on others in pieces, the last filled up.

    Args:
        run: Takes tensors, each with *size* samples along its first dimension, and gives one.
        size: Samples of a batch.
    """

    run: "Callable[..., Tensor]"
    size: int

    def __call__(self, *inputs: "Tensor") -> "Tensor":
        """(samples, …): what *run* gives, for as many samples as there are."""
        samples = len(inputs[0])
        if samples == self.size:
            return self.run(*inputs)
        pieces = []
        for first in range(0, samples, self.size):
            parts = [each[first : first + self.size] for each in inputs]
            missing = self.size - len(parts[0])
            filled = [
                torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) for part in parts
            ]
            pieces.append(self.run(*filled).clone())  # the next run may write into the same place
        return torch.cat(pieces)[:samples]


def batch_of(inputs: object) -> int:
    """Samples of a batch: the first dimension of the first tensor."""
    first = inputs[0] if isinstance(inputs, tuple) else inputs
    assert isinstance(first, torch.Tensor)  # noqa: S101 - whole models take tensors
    return len(first)
