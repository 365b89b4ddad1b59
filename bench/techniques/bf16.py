"""The whole model in bfloat16: weights, activations, and what comes in."""

import copy
from typing import TYPE_CHECKING, Any

from bench.model_facts import disk_bytes
from bench.refusal import Unfit
from bench.workload import Variant, Workload, level

if TYPE_CHECKING:
    from torch import nn


def apply(workload: Workload, *, seed: int = 0) -> Variant:  # noqa: ARG001 - nothing is drawn
    """The workload's model in bfloat16, its inputs rounded to it, its outputs float32 again.

    Weights are rounded once, not at every call as by autocast: that reads the float32 ones too.

    Args:
        workload: Any whose model is a torch module that takes tensors of float32.
        seed: Taken as from every technique; nothing here is drawn.

    Raises:
        TypeError: The model is no torch module.

    Source: Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training".
    """
    from torch import nn

    if not isinstance(workload.model, nn.Module):
        raise Unfit(
            f"bf16 cannot be applied to {workload.name}: its model is a "
            f"{type(workload.model).__name__}, wanted a torch module",
            "cast it yourself and measure it against its baseline",
        )
    model = in_bf16(workload.model)
    note = "weights and activations bfloat16, torch's kernels"
    return Variant(workload, "bf16", level(), model, disk_bytes(model.state_dict()), note)


def in_bf16(model: "nn.Module") -> "nn.Module":
    """A copy of *model* in bfloat16 that takes and gives float32."""
    import torch
    from torch import nn

    class Bfloat16(nn.Module):
        """A model in bfloat16 that takes tensors of float32 and gives one of float32."""

        def __init__(self) -> None:
            super().__init__()
            self.model = copy.deepcopy(model).to(torch.bfloat16)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            cast = (x.to(torch.bfloat16) if x.is_floating_point() else x for x in inputs)
            outputs: Any = self.model(*cast)
            return outputs.float()  # type: ignore[no-any-return]

    return Bfloat16().eval()
