"""Text encoders as workloads: sequences in, token states out, judged by agreement with fp32."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from bench.refusal import installed
from bench.workload import Sources, Workload
from bench.workloads._text import passages, read, shapes
from bench.workloads._text_modules import TokenStates
from bench.workloads._whole import LEAST_CALLS, Loaded, agreement, form, loaded, version

SEQUENCE = 128
"""Tokens of a sequence, that of MLPerf's BERT rows being 384; no padding is among them."""

SMALL_SEQUENCE = 8
JUDGED, CALIBRATION = 16, 32
"""Sequences to judge by, and those for quantizers to look at."""

METRIC = "top-1 agreement with fp32"
"""Of each token: which feature of its state is the largest. Nothing else is asked of an encoder
that has no head, and a head would be a part of the time."""

BATCH = 8  # sequences at once, while it is judged


@dataclass(frozen=True, slots=True)
class Architecture:
    """An encoder of the transformers library.

    Args:
        config: Name of its configuration's class; the published size is its default.
        model: Name of its class.
        hub: Id of its checkpoint on the hub.
        smallest: The configuration of tiny shapes.
        options: What the class takes besides the configuration.
        wrap: Makes it a function of ids and mask.
    """

    config: str
    model: str
    hub: str
    smallest: Mapping[str, int]
    options: Mapping[str, Any] = field(default_factory=dict)
    wrap: Callable[[nn.Module], nn.Module] = TokenStates

    def build(self, small: bool, **shape: int) -> nn.Module:  # noqa: FBT001 - of two sizes
        """The module with fresh weights, from torch's global seed.

        Args:
            small: Whether in tiny shapes.
            shape: Of its configuration, for what differs.
        """
        import transformers

        given = {**(self.smallest if small else {}), **shape}
        config = getattr(transformers, self.config)(**given)
        return self.wrap(getattr(transformers, self.model)(config, **self.options))

    def read(self, small: bool, where: str) -> nn.Module:  # noqa: FBT001 - of two sizes
        """The module with the weights of a checkpoint; in its own shapes, if these are said there.

        Raises:
            ValueError: Weights are missing.
        """
        import transformers

        kind = getattr(transformers, self.model)
        fresh: Any = self.build(small)
        return self.wrap(read(kind, where, fresh.encoder, **self.options))


@dataclass(frozen=True, slots=True)
class Student:
    """What a workload's context says of its distilled form.

    Args:
        name: Of the form.
        load: Gives it, with weights from where those of the workload come from.
    """

    name: str
    load: Callable[[], Loaded]


def load_encoder(
    name: str,
    architecture: Architecture,
    *,
    small: bool,
    seed: int,
    sources: Sources,
) -> Loaded:
    """An encoder with the weights that the user asks for.

    Raises:
        Refusal: transformers is not installed, it does not fit, or its weights cannot be had.
    """
    installed("transformers", "models")
    return loaded(
        f"{name}:smallest" if small else name,
        functools.partial(architecture.build, small),
        functools.partial(architecture.read, small),
        hub="" if small else architecture.hub,
        seed=seed,
        sources=sources,
    )


def encoder(
    family: str,
    architecture: Architecture,
    *,
    seed: int,
    which: str,
    sources: Sources,
    context: Any = None,  # noqa: ANN401 - as of a workload
) -> Workload:
    """A text encoder with its text and its judge.

    Args:
        family: The workload's name without what follows the colon.
        architecture: Which.
        seed: Of random weights and random text.
        which: Empty, ``smallest``, ``2t`` or ``smallest-2t``.
        sources: Of its weights.
        context: For techniques.

    Raises:
        ValueError: There is no such form of it.
        Refusal: It cannot be had here.
    """
    asked = form(family, which)
    got = load_encoder(family, architecture, small=asked.smallest, seed=seed, sources=sources)
    tokens = SMALL_SEQUENCE if asked.smallest else SEQUENCE
    text = passages(JUDGED + CALIBRATION, tokens, vocabulary(got.model), seed)
    judged, calibration = text[:JUDGED], text[JUDGED:]
    return Workload(
        f"{family}:{which}" if which else family,
        got.model,
        text.cycled,
        agreement(got.model, judged.batches(BATCH), metric=METRIC),
        unit="sequence",
        threads=asked.threads,
        version=version(family, shapes(got.model), got.digest, text.digest, JUDGED, METRIC),
        context=context,
        seeded=False,
        least_calls=LEAST_CALLS,
        note="; ".join(filter(None, (got.origin, text.origin))),
        calibration=functools.partial(calibration.batches, 1),
    )


def vocabulary(model: Any) -> int:  # noqa: ANN401 - a wrapped model of transformers
    """How many tokens a model knows."""
    number: int = model.encoder.get_input_embeddings().num_embeddings
    return number
