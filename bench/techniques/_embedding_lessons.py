"""A student of sentence embeddings learns those of its teacher."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from bench.workloads._text import Text

BATCH = 32
RATE = 5e-4
"""Peak learning rate of AdamW; it rises over a tenth of the steps and falls to 0 (one cycle)."""


def taught(
    student: nn.Module, teacher: nn.Module, text: "Text", *, seed: int, epochs: int
) -> nn.Module:
    """The student, trained in place until its embeddings are like its teacher's.

    Its loss is 1 − cosine. Embeddings of length 1 differ by a squared distance of just twice that,
    so a term of mean squared error would add nothing. There is no dropout: the teacher has none.

    Args:
        student: Gives embeddings (n, width) of length 1 for ids and mask (n, tokens).
        teacher: Likewise.
        text: Sentences to learn from.
        seed: Of their order.
        epochs: How often each is seen.

    Source: Reimers and Gurevych 2020, "Making Monolingual Sentence Embeddings Multilingual using
    Knowledge Distillation", for embeddings as what is to be learnt.
    """
    lessons = list(_lessons(teacher.eval(), text))
    optimizer = torch.optim.AdamW(student.eval().parameters(), lr=RATE)
    steps = epochs * len(lessons)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps, pct_start=0.1
    )
    draw = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for number in torch.randperm(len(lessons), generator=draw).tolist():
            ids, mask, wanted = lessons[number]
            loss = (1 - (student(ids, mask) * wanted).sum(dim=1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return student


def _lessons(teacher: Any, text: "Text") -> Iterator[tuple[Tensor, Tensor, Tensor]]:  # noqa: ANN401
    """Batches of ids, masks and the teacher's embeddings, without padding that all of them have.

    Sentences of about one length are together, so that little padding is left.
    """
    order = text.mask.sum(dim=1).argsort(stable=True)
    for rows in torch.split(order, BATCH):
        longest = int(text.mask[rows].sum(dim=1).max())
        ids, mask = text.ids[rows, :longest], text.mask[rows, :longest]
        with torch.no_grad():
            yield ids, mask, teacher(ids, mask)
