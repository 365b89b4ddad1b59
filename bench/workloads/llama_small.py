"""A small Llama-style decoder, 168 million parameters: prefill and decode are two workloads.

``llama-small:prefill-128`` reads prompts of 128 tokens; ``llama-small:decode-128`` makes one token
after 128 others. A sample is a token: a batch of 128 is one prompt, or a step of 128 sequences.
"""

from bench.refusal import installed
from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "llama-small"
LENGTHS = (128, 512, 1024)
"""Tokens of a prompt, and of what a step looks back at."""

PHASES = tuple(f"{phase}-{length}" for phase in ("decode", "prefill") for length in LENGTHS)


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """One phase of the decoder.

    Args:
        seed: Of random weights and of the tokens.
        which: One of `PHASES`, with ``smallest`` behind it for tiny shapes, with ``2t`` for two
            threads: ``prefill-128-smallest-2t``. Without a phase it is ``decode-128``.
        sources: Of its weights: random ones, or a folder with a checkpoint of this architecture.

    Raises:
        ValueError: There is no such form of it.
        Refusal: transformers is not installed, it does not fit, or its weights cannot be had.

    Source: Touvron et al. 2023, "LLaMA", for the architecture; the size is ours.
    """
    installed("transformers", "models")  # its modules stand on it
    from bench.workloads._phases import decode, prefill
    from bench.workloads._whole import form

    asked = form(NAME, which.replace(":", "-"), ("", *PHASES))
    phase, _, length = (asked.part or PHASES[0]).partition("-")
    make = prefill if phase == "prefill" else decode
    name = f"{NAME}:{which}" if which else NAME
    return make(name, int(length), asked, seed=seed, sources=sources)
