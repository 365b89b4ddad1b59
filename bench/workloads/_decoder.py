"""The two phases of a decoder: it reads a prompt at once, then makes one token after the other.

Reading multiplies large matrices; a step reads all weights for one token. They cost differently,
so they are two workloads.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.cache_utils import Cache, CacheLayerMixin


class Prefill(nn.Module):
    """Reads whole prompts, and gives what the next tokens might be.

    Args:
        decoder: A transformers model for causal language.
        kept: How many of a prompt's last tokens get logits. Generation needs one.
    """

    def __init__(self, decoder: nn.Module, kept: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.kept = kept

    def forward(self, ids: Tensor) -> Tensor:
        """(n, kept, vocabulary), of ids (n, tokens)."""
        # serving keeps keys and values, so keeping them is part of the work
        given = self.decoder(input_ids=ids, use_cache=True, logits_to_keep=self.kept)
        logits: Tensor = given.logits
        return logits


class Decode(nn.Module):
    """One step of generation: a token, after a context that lies in the cache.

    Every sequence of a batch has its own copy of the context's keys and values, as many bytes to
    read as in serving, with the same content, so that no answer depends on the batch. The token's
    own keys and values go to the place behind the context, at each call the same: each call does
    the same work.

    Args:
        decoder: A transformers model for causal language.
        context: (1, tokens), ids.
        slots: Most sequences of a batch.
    """

    keys: Tensor
    values: Tensor
    context: Tensor

    def __init__(self, decoder: nn.Module, context: Tensor, slots: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.slots = slots
        self.register_buffer("context", context, persistent=False)
        # (layers, slots, heads, tokens + 1, head width); in no checkpoint, but cast like weights
        self.register_buffer("keys", None, persistent=False)
        self.register_buffer("values", None, persistent=False)
        self.refill()

    def refill(self) -> None:
        """Computes the context's keys and values by the decoder as it is now."""
        with torch.no_grad():
            cache = self.decoder(input_ids=self.context, use_cache=True).cache
            self.keys = self._copies([layer.keys for layer in cache.layers])
            self.values = self._copies([layer.values for layer in cache.layers])

    def _copies(self, layers: list[Tensor]) -> Tensor:
        once = torch.stack(layers)  # (layers, 1, heads, tokens, head width)
        return functional.pad(once, (0, 0, 0, 1)).repeat(1, self.slots, 1, 1, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """(n, vocabulary): logits of what follows each of ids (n, 1), n at most *slots*.

        Raises:
            RuntimeError: It is to be exported.
        """
        if torch.compiler.is_exporting():
            raise RuntimeError(
                "a step of decoding writes to the cache that it keeps, an exported graph cannot"
            )
        n = ids.shape[0]
        layers = [
            FilledLayer(self.keys[layer, :n], self.values[layer, :n])
            for layer in range(len(self.keys))
        ]
        given = self.decoder(input_ids=ids, cache=Cache(layers=layers), use_cache=True)
        logits: Tensor = given.logits[:, -1]
        return logits


class FilledLayer(CacheLayerMixin):  # type: ignore[misc] # transformers ships no types
    """One layer's keys and values: the last place is the step's own, the others are the context.

    Args:
        keys: (n, heads, tokens + 1, head width), written to in place.
        values: Likewise.
    """

    is_compileable = False  # what is asks for a mask, and one token behind all others needs none

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys = keys
        self.values = values
        self.is_initialized = True

    def lazy_initialization(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        """There is nothing to allocate."""

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Context and step, (n, heads, tokens + 1, head width): the context is not copied."""
        self.keys[:, :, -1:] = keys.detach()
        self.values[:, :, -1:] = values.detach()
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens before the step's own."""
        return self.keys.shape[2] - 1

    def get_mask_sizes(self, *_: Any, **__: Any) -> tuple[int, int]:  # noqa: ANN401
        """Tokens that the step looks at, and the first of them."""
        return self.keys.shape[2], 0

    def get_max_length(self) -> int:
        """Most tokens."""
        return self.keys.shape[2]
