"""A linear layer of which some inputs and outputs are gone; imports torch."""

from torch import Tensor, nn

from bench.techniques._csr_modules import MATRIX, bias_of, by_rows


class NarrowLinear(nn.Module):
    """A smaller dense layer between some of the inputs and some outputs: (…, in) to (…, out).

    Args:
        linear: The layer as it was.
        share: Of its inputs, and of its outputs, that stay.
    """

    inputs: Tensor
    outputs: Tensor
    bias: Tensor

    def __init__(self, linear: nn.Linear, share: float) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.register_buffer("inputs", strongest(weight.norm(dim=0), share))
        self.register_buffer("outputs", strongest(weight.norm(dim=1), share))
        self.register_buffer("bias", bias_of(linear))
        self.kept = nn.Linear(len(self.inputs), len(self.outputs), bias=False)
        self.kept.weight = nn.Parameter(
            weight[self.outputs][:, self.inputs].contiguous(), requires_grad=False
        )

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() > MATRIX:
            return by_rows(self.forward, inputs)
        found = self.kept(inputs.index_select(1, self.inputs))  # (n, kept outputs)
        return self.bias.repeat(len(inputs), 1).index_add_(1, self.outputs, found)


def strongest(norms: Tensor, share: float) -> Tensor:
    """Places of the share of largest *norms*, ascending; at least one."""
    return norms.topk(max(1, round(share * len(norms)))).indices.sort().values
