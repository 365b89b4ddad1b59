"""What the workloads of whole models share: their weights, their fit, their agreement with fp32.

Weights are drawn from a seed unless the user asks for others: time and energy of a dense kernel do
not depend on them, accuracy does. So what is judged is how far a variant agrees with the fp32
model of the same weights.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import memory
from bench.refusal import Refusal
from bench.workload import RANDOM, Quality, Sources

if TYPE_CHECKING:
    from torch import Tensor, nn

HUB = "hub"
COPIES = 4
"""How many copies of its weights a model has to find room for: as shipped, as a variant, and two
while a runtime exports or quantizes it."""

TARGET = 0.95
"""Least share of answers that must be those of fp32. MLPerf asks for 99 % of fp32's accuracy; two
models of the same accuracy may differ in more answers than their accuracies do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with its weights, and where these come from.

    Args:
        model: In evaluation mode.
        origin: For the reader of a row, such as ``random weights: speed and energy are valid,
            accuracy is not``.
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
        pretrained: Loads it from a folder or a hub id, safetensors only.
        hub: Its id there.
        seed: Of random weights.
        sources: What the user asks for.

    Raises:
        Refusal: It does not fit into memory, or its checkpoint cannot be read.
    """
    import torch

    require_room(name, build)
    if sources.weights == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build()
        origin = "random weights: speed and energy are valid, accuracy is not"
        return Loaded(model.eval(), origin, f"random seed={seed}")
    if sources.weights == HUB:
        return Loaded(_read(name, pretrained, hub).eval(), f"weights of {hub}", f"hub {hub}")
    path = checkpoint(name, Path(sources.weights))
    model = _read(name, pretrained, str(path))
    return Loaded(model.eval(), f"weights of {path.name}", _digest(path))


def checkpoint(name: str, path: Path) -> Path:
    """The checkpoint of a workload: *path* itself, or what has its name in that folder.

    Raises:
        Refusal: There is none that can be read without unpickling.
    """
    inside = path / name.replace(":", "-")
    found = inside if inside.exists() else path
    files = [found] if found.is_file() else sorted(found.glob("*.safetensors"))
    if not files or any(file.suffix != ".safetensors" for file in files):
        there = [file.name for file in sorted(found.glob("*"))] if found.is_dir() else [found.name]
        listed = ", ".join(there[:5]) or "nothing"
        raise Refusal(
            f"--joules-weights={path}: found {listed}, wanted .safetensors; a pickle can run code"
            " of whoever made it and is not opened",
            "save the weights with save_pretrained or safetensors.torch.save_file",
        )
    return found


def _read(name: str, pretrained: Callable[[str], "nn.Module"], where: str) -> "nn.Module":
    try:
        return pretrained(where)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refusal(
            f"the weights of {name} cannot be read from {where}: {first}",
            "give a checkpoint of this architecture as safetensors, or --joules-weights=random",
        ) from error


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.glob("*.safetensors")):
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


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
        inputs: What it is asked, each as the model is called with it, a batch of some samples.
        expected: (samples, classes): what the fp32 model answers to all of them.
        target: Least share of equal answers that counts.
        metric: What the share is of.
    """

    inputs: Sequence[Any]
    expected: "Tensor"
    target: float = TARGET
    metric: str = "top-1 agreement with fp32"

    def __call__(self, model: Callable[..., Any]) -> Quality:
        """The share of equal answers, with the mean cosine and the signal-to-quantization-noise."""
        found = answers(model, self.inputs)
        equal = found.argmax(dim=-1) == self.expected.argmax(dim=-1)
        return Quality(
            self.metric,
            float(equal.double().mean()),
            equal.numel(),
            self.target,
            others=closeness(found, self.expected),
        )


def agreement(model: Callable[..., Any], inputs: Sequence[Any], **more: Any) -> Agreement:  # noqa: ANN401
    """Judges by the answers of *model* to *inputs*; further arguments as for `Agreement`."""
    return dataclasses.replace(Agreement(inputs, answers(model, inputs)), **more)


def answers(model: Callable[..., Any], inputs: Sequence[Any]) -> "Tensor":
    """(samples, …): what a model answers to some batches, as float32 on the CPU."""
    import torch

    with torch.inference_mode():
        found = [model(*each) if isinstance(each, tuple) else model(each) for each in inputs]
    return torch.cat([torch.as_tensor(each).detach().float().cpu() for each in found])


def closeness(found: "Tensor", expected: "Tensor") -> dict[str, float]:
    """Mean cosine over the samples, and signal-to-quantization-noise ratio, dB."""
    import torch

    cosine = torch.nn.functional.cosine_similarity(found.flatten(1), expected.flatten(1), dim=1)
    noise = float((found - expected).double().square().sum())
    signal = float(expected.double().square().sum())
    sqnr = 10 * math.log10(signal / noise) if noise > 0 and signal > 0 else None
    shown = {} if sqnr is None else {"SQNR, dB": sqnr}
    return {"cosine": float(cosine.double().mean()), **shown}
