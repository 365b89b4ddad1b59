"""2:4 sparsity: of four neighbouring weights two are zero, which the tensor cores of GPUs skip.

Source: Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks".
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

SPARSE = " 2:4"
"""Follows the type of the weights where a runtime is asked to skip their zeros."""

GROUP = 4
KEPT = 2

ROWS, COLUMNS = 32, 64
"""Outputs and inputs of a layer are multiples of these: what both of torch's libraries can do, in
16 bits (`torch.sparse.SparseSemiStructuredTensorCUTLASS`, and ``…CUSPARSELT`` asks for less)."""


def sparsifiable(model: "nn.Module") -> "list[nn.Linear]":
    """The linear layers of *model* whose shape the kernels take."""
    from torch import nn

    return [
        each
        for each in model.modules()
        if isinstance(each, nn.Linear)
        and each.out_features % ROWS == 0
        and each.in_features % COLUMNS == 0
    ]


def mask(weight: "Tensor") -> "Tensor":
    """True for the two largest of each four neighbours in a row, by magnitude.

    Args:
        weight: (out, in); in is a multiple of 4.

    >>> import torch
    >>> mask(torch.tensor([[1.0, -4.0, 2.0, 0.5]]))
    tensor([[False,  True,  True, False]])
    """
    import torch

    groups = weight.detach().abs().reshape(-1, GROUP)  # (groups, 4)
    kept = torch.zeros_like(groups, dtype=torch.bool)
    kept.scatter_(1, groups.topk(KEPT, dim=1).indices, value=True)
    return kept.view_as(weight)


def is_two_of_four(weight: "Tensor") -> bool:
    """Whether at least two of each four neighbours in a row of *weight* (out, in) are zero."""
    if weight.shape[-1] % GROUP:
        return False
    nonzero = (weight.detach() != 0).reshape(-1, GROUP).sum(dim=1)  # (groups,)
    return bool((nonzero <= KEPT).all())
