"""DistilBERT without a head: BERT-base's distilled form, 6 layers of width 768."""

from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "distilbert"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload: sequences of 128 tokens, the last hidden state of each.

    Args:
        seed: Of random weights.
        which: Empty, ``smallest`` for tiny shapes, ``2t`` for two threads, or ``smallest-2t``.
        sources: Of its weights.

    Raises:
        ValueError: There is no such form of it.
        Refusal: transformers is not installed, it does not fit, or its weights cannot be had.

    Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT"; the configuration is
    transformers' default.
    """
    from bench.workloads._encoders import encoder
    from bench.workloads._published import DISTILBERT

    return encoder(NAME, DISTILBERT, seed=seed, which=which, sources=sources)
