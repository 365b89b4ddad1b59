"""A user's own things to measure: what the specs of ``joulebench run`` stand for.

A spec is ``KIND:WHAT``; each kind is a file of `bench.specs`, which is found. The first spec is the
baseline. All others are called with its inputs, so that all do the same work.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.discover import plugins
from bench.suite import Suite
from bench.workload import Sources, Variant, Workload

_SHAPE = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<sizes>[1-9]\d*(?:x[1-9]\d*)*)")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options say that a spec may need.

    Args:
        batch: Samples given together; None if not said.
        shapes: Of inputs by their names; under ``""`` that of the only one.
        seq: Tokens of a text; None if not said.
        seed: Of random inputs and random weights.
        sources: Where the weights of shipped workloads come from.
        random_weights: Draw weights instead of loading them.
        allow_download: Whether the hub may be asked.
        first: The baseline, for what is made of it; None for the first spec.
    """

    batch: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seq: int | None = None
    seed: int = 0
    sources: Sources = field(default_factory=Sources)
    random_weights: bool = False
    allow_download: bool = False
    first: Workload | None = None


PROGRAM = "program"
"""The runtime of programs, which no other can run."""


def _nothing(_: int) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Own:
    """What a spec stands for.

    Args:
        name: As it stands in case ids.
        model: What runs.
        draw: Gives its input from a seed.
        samples: In a call.
        unit: What one sample is.
        runtime: What executes it, unless another is asked for.
        version: Hash of what makes it.
        note: What the reader of its row should know.
        threads: That it chooses by itself; None where they are set.
        least_calls: As in `bench.workload.Workload`.
        seconds: How long a call took, where it was tried; 0 where it was not.
        workload: The shipped workload that it is, with its quality; None for a user's own.
        variant: What a technique made; None for what is not made of the first.
    """

    name: str
    model: Callable[..., Any]
    draw: Callable[[int], Any] = _nothing
    samples: int = 1
    unit: str = "sample"
    runtime: str = "eager"
    version: str = ""
    note: str = ""
    threads: int | None = None
    least_calls: int = 5
    seconds: float = 0.0
    workload: Workload | None = None
    variant: Variant | None = None


def load(spec: str, wish: Wish) -> Own | Suite:
    """What a spec stands for.

    Raises:
        ValueError: It is no spec, or names what is not there.
        Refusal: It cannot be had here.
    """
    kind, _, what = spec.partition(":")
    found, _ = plugins("bench.specs", "load")
    if kind not in found or not what:
        raise ValueError(
            f"found {spec!r}, wanted KIND:WHAT with one of the kinds {', '.join(found)}, such as"
            " onnx:model.onnx or cmd:'./infer --n 100'"
        )
    own: Own | Suite = found[kind].target(what, wish)
    return own


def shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """What ``--shape`` says, by the input's name.

    Raises:
        ValueError: One of them is no shape, or two are of one input.

    >>> shapes(["ids=1x128"]), shapes(["1x3x224x224"])
    ({'ids': (1, 128)}, {'': (1, 3, 224, 224)})
    """
    found: dict[str, tuple[int, ...]] = {}
    for text in texts:
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"--shape {text}: write NAME=1x3x224x224, or 1x3x224x224 for one input"
            )
        name = match["name"] or ""
        if name in found:
            raise ValueError(f"--shape {text}: that input has a shape already; give it once")
        found[name] = tuple(map(int, match["sizes"].split("x")))
    if "" in found and len(found) > 1:
        raise ValueError("--shape without a name is for a model of one input; name each of them")
    return found
