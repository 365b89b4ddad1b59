"""BERT-base without a head: 12 layers of width 768, sequences of 128 tokens."""

import functools

from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "bert-base"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload. It gives the last hidden state of each token; there is no pooler.

    Args:
        seed: Of random weights.
        which: Empty, ``smallest`` for tiny shapes, ``2t`` for two threads, or ``smallest-2t``.
        sources: Of its weights.

    Raises:
        ValueError: There is no such form of it.
        Refusal: transformers is not installed, it does not fit, or its weights cannot be had.

    Source: Devlin et al. 2019, "BERT"; the configuration is transformers' default.
    """
    from bench.workloads._encoders import Student, encoder, load_encoder
    from bench.workloads._published import BERT, DISTILBERT
    from bench.workloads._whole import form

    small = form(NAME, which).smallest
    distilled = functools.partial(
        load_encoder, "distilbert", DISTILBERT, small=small, seed=seed, sources=sources
    )
    context = Student("DistilBERT", distilled)
    return encoder(NAME, BERT, seed=seed, which=which, sources=sources, context=context)
