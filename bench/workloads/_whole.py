"""What the workloads of whole models share: their forms, weights, fit, and judges.

Weights are drawn from a seed unless the user asks for others: time and energy of a dense kernel do
not depend on them, accuracy does. So what is judged is how far a variant agrees with the fp32
model of the same weights; or its accuracy, where the user gives weights and labelled data.
"""

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import memory
from bench.refusal import Refusal
from bench.workload import RANDOM, Quality, Sources
from bench.workloads._checkpoint import HUB, checkpoint, digest, fetched, first_line

if TYPE_CHECKING:
    from torch import Tensor, nn

COPIES = 4
"""How many copies of its weights a model has to find room for: as shipped, as a variant, and two
while a runtime exports or quantizes it."""

TARGET = 0.95
"""Least share of answers that must be those of fp32. MLPerf asks for 99 % of fp32's accuracy; two
models of the same accuracy may differ in more answers than their accuracies do."""

ACCURACY_SHARE = 0.99
"""Least share of the fp32 model's own accuracy that counts.

Source: MLPerf Inference rules, quality targets of the image classification benchmark.
"""

LEAST_CALLS = 1
"""Fewest calls of a block: a batch of a whole model can take longer than a block."""

RANDOM_NOTE = "random weights: speed and energy are valid, accuracy is not"

SHIPPED = Sources()
"""Random weights, and no data but what ships."""

SMALLEST = "smallest"
"""Says that a workload is wanted in tiny shapes of the same architecture: to see that it runs."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the part of a workload's name behind the colon asks for.

    Args:
        part: What only that workload knows, such as ``prefill-128``.
        smallest: Whether in tiny shapes.
        threads: CPU threads.
    """

    part: str = ""
    smallest: bool = False
    threads: int = 1


def form(name: str, which: str, parts: Collection[str] = ("",)) -> Form:
    """Reads ``part-smallest-2t``, each piece of which may be left out.

    Args:
        name: The workload's.
        which: What stands behind the colon.
        parts: Those that the workload knows; the empty one if it need not be given.

    Raises:
        ValueError: There is no such form.

    >>> form("vgg16", "smallest-2t")
    Form(part='', smallest=True, threads=2)
    """
    pieces = which.split("-") if which else []
    threads = 1
    if pieces and re.fullmatch(r"[1-9]\d?t", pieces[-1]):
        threads = int(pieces.pop()[:-1])
    smallest = bool(pieces) and pieces[-1] == SMALLEST
    part = "-".join(pieces[:-1] if smallest else pieces)
    if part not in parts or "" in pieces:
        known = " or ".join(f"{name}:{each}" if each else name for each in parts)
        raise ValueError(
            f"found {name}:{which}, wanted {known}, with {SMALLEST} behind it for tiny shapes and"
            f" 2t for two threads, as in {name}:{SMALLEST} or {name}:2t; choose one of them"
        )
    return Form(part, smallest, threads)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with its weights, and where these come from.

    Args:
        model: In evaluation mode.
        origin: For the reader of a row, such as `RANDOM_NOTE`.
        digest: Tells its weights from others, for the workload's version.
    """

    model: "nn.Module"
    origin: str
    digest: str


def loaded(
    name: str,
    build: Callable[[], "nn.Module"],
    pretrained: Callable[[str], "nn.Module"],
    *,
    hub: str,
    seed: int,
    sources: Sources,
) -> Loaded:
    """A model with the weights that the user asks for.

    Args:
        name: The workload's, for messages and for its place in a folder of checkpoints.
        build: Makes it with fresh weights, from torch's global seed.
        pretrained: Loads it from a folder of safetensors, or from one file of them.
        hub: Its id on the Hugging Face hub; empty if it has none there.
        seed: Of random weights.
        sources: What the user asks for.

    Raises:
        Refusal: It does not fit into memory, or its checkpoint cannot be had or read.
    """
    import torch

    require_room(name, build)
    if sources.weights == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build()
        return Loaded(model.eval(), RANDOM_NOTE, f"random seed={seed}")
    asked = fetched(name, hub) if sources.weights == HUB else Path(sources.weights).expanduser()
    path = checkpoint(name, asked)
    origin = hub if sources.weights == HUB else path.name
    model = _read(name, pretrained, path)
    return Loaded(model.eval(), f"weights of {origin}", digest(path))


def _read(name: str, pretrained: Callable[[str], "nn.Module"], path: Path) -> "nn.Module":
    try:
        return pretrained(str(path))
    except Refusal:
        raise
    except Exception as error:  # a hostile or broken file may raise anything
        raise Refusal(
            f"the weights of {name} cannot be read from {path}: {first_line(error)}",
            "give a checkpoint of this architecture as safetensors, or --joules-weights=random",
        ) from error


def require_room(name: str, build: Callable[[], "nn.Module"]) -> None:
    """Refuses a model for which there is no room, before it is made.

    Raises:
        Refusal: `COPIES` of its weights are more than the memory that is left.
    """
    import torch

    available = memory.available_bytes()
    if available is None:
        return
    with torch.device("meta"):
        shape = build()
    needed = COPIES * sum(parameter.nbytes for parameter in shape.parameters())
    if needed > available:
        raise Refusal(
            f"{name} needs about {needed / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are left",
            "close other programs, or take a machine with more memory",
        )


def version(*facts: object) -> str:
    """Hash of what makes a workload."""
    return hashlib.sha256(" ".join(map(str, facts)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Agreement:
    """Judges a model by how far its answers are those of the fp32 model as shipped.

    Args:
        inputs: What it is asked, each as the model is called with it, a batch of some samples; can
            be gone through again and again.
        expected: (samples, …, classes): what the fp32 model answers to all of them.
        target: Least share of equal answers that counts.
        metric: What the share is of.
    """

    inputs: Iterable[Any]
    expected: "Tensor"
    target: float = TARGET
    metric: str = "top-1 agreement with fp32"

    def __call__(self, model: Callable[..., Any]) -> Quality:
        """The share of equal answers, with the mean cosine and the signal-to-quantization-noise.

        Raises:
            Refusal: Its answers have another shape.
        """
        found = answers(model, self.inputs)
        equal = _equal(found, self.expected)
        others = closeness(found, self.expected)
        return Quality(self.metric, _share(equal), equal.numel(), self.target, others=others)


@dataclass(frozen=True)
class Accuracy:
    """Judges a model by the share of labelled samples that it answers right.

    Args:
        inputs: As those of `Agreement`.
        expected: (samples, classes): what the fp32 model answers to them.
        labels: (samples,): the right answers, as columns of *expected*.
    """

    inputs: Iterable[Any]
    expected: "Tensor"
    labels: "Tensor"

    @property
    def reached(self) -> float:
        """The fp32 model's own accuracy."""
        return _share(self.expected.argmax(dim=1) == self.labels)

    def __call__(self, model: Callable[..., Any]) -> Quality:
        """Top-1 accuracy, with how far the answers are those of fp32.

        Raises:
            Refusal: Its answers have another shape.
        """
        found = answers(model, self.inputs)
        agreed = _share(_equal(found, self.expected))
        right = found.isfinite().all(dim=1) & (found.argmax(dim=1) == self.labels)
        return Quality(
            "top-1 accuracy",
            _share(right),
            len(self.labels),
            ACCURACY_SHARE * self.reached,
            others={"top-1 agreement with fp32": agreed, **closeness(found, self.expected)},
        )


def agreement(model: Callable[..., Any], inputs: Iterable[Any], **more: Any) -> Agreement:  # noqa: ANN401
    """Judges by the answers of *model* to *inputs*; further arguments as for `Agreement`."""
    return dataclasses.replace(Agreement(inputs, answers(model, inputs)), **more)


def answers(model: Callable[..., Any], inputs: Iterable[Any]) -> "Tensor":
    """(samples, …): what a model answers to some batches, as float32 on the CPU."""
    import torch

    with torch.inference_mode():
        found = [model(*each) if isinstance(each, tuple) else model(each) for each in inputs]
    return torch.cat([torch.as_tensor(each).detach().float().cpu() for each in found])


def closeness(found: "Tensor", expected: "Tensor") -> dict[str, float]:
    """Mean cosine over the samples, and signal-to-quantization-noise ratio, dB.

    What is no finite number is left out: the ratio of equal answers, all of what overflowed.
    """
    from torch.nn import functional

    cosine = functional.cosine_similarity(found.flatten(1), expected.flatten(1), dim=1)
    noise = float((found - expected).double().square().sum())
    signal = float(expected.double().square().sum())
    sqnr = 10 * math.log10(signal / noise) if 0 < noise < math.inf and signal > 0 else math.inf
    shown = {"cosine": float(cosine.double().mean()), "SQNR, dB": sqnr}
    return {name: value for name, value in shown.items() if math.isfinite(value)}


def _equal(found: "Tensor", expected: "Tensor") -> "Tensor":
    """(samples, …): whether the largest of the last dimension is the same; overflow never is."""
    if found.shape != expected.shape:
        raise Refusal(
            f"found answers of shape {tuple(found.shape)}, wanted {tuple(expected.shape)}",
            "give a variant that answers the same question as its baseline",
        )
    same = found.argmax(dim=-1) == expected.argmax(dim=-1)
    return same & found.isfinite().all(dim=-1)


def _share(of: "Tensor") -> float:
    return float(of.double().mean())
