"""Judges sentence embeddings by what they are for: which sentence is most like which."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from bench.refusal import Refusal
from bench.workload import Quality
from bench.workloads._whole import TARGET, answers, closeness

METRIC = "nearest-neighbour agreement with fp32"


@dataclass(frozen=True)
class Neighbours:
    """Judges by the share of sentences whose nearest other sentence is that of the fp32 model.

    Args:
        inputs: The sentences, each batch as the model is called with it.
        expected: (sentences, width): what the fp32 model gives for all of them.
        target: Least share that counts.
    """

    inputs: Sequence[Any]
    expected: Tensor
    target: float = TARGET

    def __call__(self, model: Callable[..., Any]) -> Quality:
        """The share; with Spearman's correlation of all similarities, mean cosine, and SQNR.

        Raises:
            Refusal: Its embeddings have another shape.
        """
        found = answers(model, self.inputs)
        if found.shape != self.expected.shape:
            raise Refusal(
                f"found embeddings of shape {tuple(found.shape)}, wanted"
                f" {tuple(self.expected.shape)}",
                "give a variant that answers the same question as its baseline",
            )
        alike, wanted = similarities(found), similarities(self.expected)
        equal = (nearest(alike) == nearest(wanted)) & found.isfinite().all(dim=1)
        ranks = spearman(alike, wanted)
        others = {} if ranks is None else {"Spearman of similarities": ranks}
        return Quality(
            METRIC,
            float(equal.double().mean()),
            len(equal),
            self.target,
            others={**others, **closeness(found, self.expected)},
        )


def similarities(embeddings: Tensor) -> Tensor:
    """(n, n): the cosine of each pair of embeddings (n, width)."""
    lengths = embeddings.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    directions: Tensor = embeddings / lengths
    return directions.mm(directions.T)


def nearest(alike: Tensor) -> Tensor:
    """(n,): which other one is most like each, of similarities (n, n)."""
    others = alike.clone().fill_diagonal_(-math.inf)
    return others.argmax(dim=1)


def spearman(one: Tensor, other: Tensor) -> float | None:
    """Rank correlation of the similarities of all pairs; None where all of them are the same.

    Args:
        one: (n, n), symmetric.
        other: Likewise.

    >>> three = torch.tensor([[1.0, 0.1, 0.2], [0.1, 1.0, 0.3], [0.2, 0.3, 1.0]])
    >>> round(spearman(three, three**2), 6), spearman(three, torch.ones(3, 3)) is None
    (1.0, True)
    """
    rows, columns = torch.triu_indices(len(one), len(one), offset=1)
    pairs = [each[rows, columns].double().numpy() for each in (one, other)]
    if any(not np.isfinite(each).all() or np.ptp(each) == 0 for each in pairs):
        return None
    ranks = np.stack([rankdata(each) for each in pairs])  # (2, pairs)
    return float(np.corrcoef(ranks)[0, 1])
