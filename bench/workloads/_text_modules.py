"""What the text encoders run: a transformers model as a function of two tensors that gives one."""

from torch import Tensor, nn
from torch.nn import functional


class TokenStates(nn.Module):
    """The last hidden state of an encoder.

    Args:
        encoder: A transformers model that takes ``input_ids`` and ``attention_mask``.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(n, tokens, width), of ids and mask (n, tokens)."""
        states: Tensor = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states


class Embedding(TokenStates):
    """A sentence's embedding: the mean of its tokens' states, of length 1.

    Source: Reimers and Gurevych 2019, "Sentence-BERT", for the pooling.
    """

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(n, width), of ids and mask (n, tokens); padding does not count."""
        states = super().forward(ids, mask)  # (n, tokens, width)
        weights = mask.unsqueeze(-1).to(states.dtype)  # (n, tokens, 1)
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return functional.normalize(mean, dim=-1)
