"""The phases of a small decoder as workloads; a sample of both is a token."""

from typing import Any

import torch
from torch import Tensor, nn

from bench.workload import Sources, Workload
from bench.workloads._decoder import Decode, Prefill
from bench.workloads._text import read, shapes
from bench.workloads._whole import LEAST_CALLS, Form, Loaded, agreement, loaded, version

FAMILY = "llama-small"
FULL = {
    "vocab_size": 32000,
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "max_position_embeddings": 2048,
}
"""Of Llama's proportions; 673 MB in float32."""

SMALLEST = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
}

KEPT = 16
"""Last tokens of a prompt that get logits. Generation needs one; 16 give the judge 16 answers of a
prompt, at 4 % more multiplications."""

PROMPTS = 16
"""To judge prefill by: with `KEPT`, 256 answers."""

STEPS = 256
"""To judge decode by: as many tokens that may follow the context."""

SLOTS = 32
"""Most sequences of a batch of steps: each has a cache of its own."""

CALIBRATION = 8
_AT_ONCE = 4  # prompts, while prefill is judged


def prefill(name: str, length: int, asked: Form, *, seed: int, sources: Sources) -> Workload:
    """Reading prompts: a batch is counted in tokens, and is a multiple of the prompt's length.

    Args:
        name: The workload's.
        length: Tokens of a prompt.
        asked: Threads, and whether in tiny shapes.
        seed: Of random weights and of the tokens.
        sources: Of its weights.

    Raises:
        Refusal: It cannot be had here.
    """
    got = _decoder(asked, seed=seed, sources=sources)
    tokens = _drawn(PROMPTS + CALIBRATION, length, got.model, seed)
    judged, others = tokens[:PROMPTS], tokens[PROMPTS:]
    model = Prefill(got.model, min(KEPT, length)).eval()

    def inputs(batch: int) -> Tensor:
        if batch % length:
            raise ValueError(
                f"found batch {batch} for {name}, wanted a multiple of {length}: a sample is a"
                f" token, a batch is whole prompts; give batch={length} for one of them"
            )
        return tokens[torch.arange(batch // length) % len(tokens)]  # (prompts, length)

    return Workload(
        name,
        model,
        inputs,
        agreement(model, torch.split(judged, _AT_ONCE)),
        calibration=lambda: torch.split(others, 1),
        version=_version(got, "prefill", length, KEPT, tokens),
        **_common(got, asked),
    )


def decode(name: str, length: int, asked: Form, *, seed: int, sources: Sources) -> Workload:
    """A step of generation for up to `SLOTS` sequences, each behind the same context.

    The context is what the model as shipped made of it; a variant in another type has it cast. How
    well a variant reads is what prefill judges.

    Args:
        name: The workload's.
        length: Tokens of the context.
        asked: Threads, and whether in tiny shapes.
        seed: Of random weights and of the tokens.
        sources: Of its weights.

    Raises:
        Refusal: It cannot be had here.
    """
    got = _decoder(asked, seed=seed, sources=sources)
    context = _drawn(1, length, got.model, seed)
    tokens = _drawn(STEPS + CALIBRATION, 1, got.model, seed + 1)
    judged, others = tokens[:STEPS], tokens[STEPS:]
    model = Decode(got.model, context, SLOTS).eval()

    def inputs(batch: int) -> Tensor:
        if batch > SLOTS:
            raise ValueError(
                f"found batch {batch} for {name}, wanted at most {SLOTS} sequences, for which"
                " there is a cache; take a smaller batch"
            )
        return tokens[:batch]  # (sequences, 1)

    return Workload(
        name,
        model,
        inputs,
        agreement(model, torch.split(judged, SLOTS)),
        calibration=lambda: torch.split(others, 1),
        version=_version(got, "decode", length, SLOTS, context, tokens),
        **_common(got, asked),
    )


def _decoder(asked: Form, *, seed: int, sources: Sources) -> Loaded:
    import transformers

    shape = SMALLEST if asked.smallest else FULL

    def build() -> nn.Module:
        model: nn.Module = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
        return model

    def pretrained(where: str) -> nn.Module:
        return read(transformers.LlamaForCausalLM, where, build())

    name = f"{FAMILY}:smallest" if asked.smallest else FAMILY
    return loaded(name, build, pretrained, hub="", seed=seed, sources=sources)


def _drawn(rows: int, tokens: int, model: Any, seed: int) -> Tensor:  # noqa: ANN401
    draw = torch.Generator().manual_seed(seed + 1)
    known = model.get_input_embeddings().num_embeddings
    return torch.randint(known, (rows, tokens), generator=draw)  # (rows, tokens)


def _common(got: Loaded, asked: Form) -> dict[str, Any]:
    note = f"{got.origin}; random tokens"
    return {
        "unit": "token",
        "threads": asked.threads,
        "seeded": False,
        "least_calls": LEAST_CALLS,
        "note": note,
    }


def _version(got: Loaded, *facts: Any) -> str:  # noqa: ANN401
    content = [each.numpy().tobytes() if isinstance(each, Tensor) else each for each in facts]
    return version(FAMILY, shapes(got.model), got.digest, *content)
