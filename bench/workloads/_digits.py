"""What the digit workloads share: images, deterministic training, and the cache of what it made.

The images are scikit-learn's 1,797 handwritten digits of 8×8 pixels, scaled to [0, 1] and split
once for all: 1,257 to train on, 540 to judge by.
"""

import contextlib
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.workload import Quality, Workload
from bench.workloads._weights_cache import load_weights, save_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST_ACCURACY = 0.97
TOLERANCE = 0.01
"""A variant may lose one point of accuracy."""

TEST_IMAGES = 540
SIDE = 8
"""Pixels of a side of the original images."""

SPLIT_SEED = 0
RECIPE = {"batch": 32, "rate": 2e-3, "weight_decay": 0.05, "label_smoothing": 0.1}

Loss = Callable[["Tensor", "Tensor"], "Tensor"]
"""Logits (rows, 10) and the rows of the training set they belong to, to a scalar."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Images (n, …) as float32 in [0, 1] and labels (n,) as int64, to train on and to judge by."""

    train_inputs: "Tensor"
    train_labels: "Tensor"
    test_inputs: "Tensor"
    test_labels: "Tensor"


@dataclass(frozen=True, slots=True)
class Context:
    """What techniques may use of a digits workload.

    Args:
        train_inputs: Training images; also what int8 is calibrated on.
        train_labels: Their labels.
        build: Gives a fresh, seeded model for a tuple of widths.
        train: Trains a model in place; see `train`.
        epochs: Epochs of the baseline's training.
        widths: Widths of the baseline.
        student: Widths of the student of distillation.
    """

    train_inputs: "Tensor"
    train_labels: "Tensor"
    build: Callable[..., "nn.Module"]
    train: Callable[..., None]
    epochs: int
    widths: tuple[int, ...]
    student: tuple[int, ...]


@functools.cache
def digits(shape: tuple[int, ...]) -> Digits:
    """The images, each of *shape*, in a split that is the same everywhere and for every seed.

    A shape of more pixels than 64 takes them bilinearly interpolated to a square of that many.
    """
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)  # (1797, 64) in 0…16, (1797,)
    parts = train_test_split(
        pixels / 16, labels, test_size=TEST_IMAGES, stratify=labels, random_state=SPLIT_SEED
    )
    images = [_scaled(torch.tensor(part, dtype=torch.float32), shape) for part in parts[:2]]
    answers = [torch.tensor(part, dtype=torch.int64) for part in parts[2:]]
    return Digits(images[0], answers[0], images[1], answers[1])


def _scaled(pixels: "Tensor", shape: tuple[int, ...]) -> "Tensor":
    """Images (n, 64) as (n, *shape), larger if *shape* has more pixels."""
    from torch.nn import functional

    side = math.isqrt(math.prod(shape))
    if side == SIDE:
        return pixels.reshape(-1, *shape)
    images = pixels.reshape(-1, 1, SIDE, SIDE)
    larger = functional.interpolate(images, (side, side), mode="bilinear", align_corners=False)
    return larger.reshape(-1, *shape)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draws torch's random numbers from *seed*, on one CPU thread, and puts both back after."""
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # sums in parallel depend on the number of threads
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def train(
    model: "nn.Module",
    data: Digits,
    *,
    seed: int,
    epochs: int,
    loss: Loss | None = None,
    after_step: Callable[[], None] | None = None,
    rate: float | None = None,
    rows: "Tensor | None" = None,
) -> None:
    """Trains *model* in place; the same arguments give the same bits on the same machine.

    Args:
        model: Maps the images of *data* to logits (n, 10).
        data: Only its training part is used.
        seed: Orders the images.
        epochs: Passes over the training images.
        loss: Stands in for cross-entropy with label smoothing, such as distillation's.
        after_step: Runs after each step of the optimizer, such as to keep pruned weights zero.
        rate: Peak learning rate; the baseline's if None.
        rows: Rows (n,) of the training images to use; all if None.
    """
    import torch

    def cross_entropy(logits: "Tensor", chosen: "Tensor") -> "Tensor":
        return torch.nn.functional.cross_entropy(
            logits, data.train_labels[chosen], label_smoothing=RECIPE["label_smoothing"]
        )

    objective = loss or cross_entropy
    used = torch.arange(len(data.train_inputs)) if rows is None else rows  # (used,)
    batch, peak = int(RECIPE["batch"]), RECIPE["rate"] if rate is None else rate
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, weight_decay=RECIPE["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=peak, total_steps=epochs * -(-len(used) // batch)
    )
    model.train()
    with seeded(seed):
        for _ in range(epochs):
            for chosen in torch.split(used[torch.randperm(len(used))], batch):
                optimizer.zero_grad()
                torch.autograd.backward(objective(model(data.train_inputs[chosen]), chosen))
                optimizer.step()
                schedule.step()
                if after_step is not None:
                    after_step()
    model.eval()


def accuracy(model: Callable[..., Any], data: Digits) -> float:
    """Share of the test images whose largest logit is the right one's; for any callable."""
    import torch

    if isinstance(model, torch.nn.Module):
        model.eval()
    with torch.inference_mode():
        logits = torch.as_tensor(model(data.test_inputs))  # (540, 10)
    return int((logits.argmax(1) == data.test_labels).sum()) / len(data.test_labels)


def digits_workload(
    name: str,
    architecture: Callable[..., "nn.Module"],
    *,
    shape: tuple[int, ...],
    widths: tuple[int, ...],
    student: tuple[int, ...],
    epochs: int,
    seed: int,
) -> Workload:
    """The trained baseline of *architecture* with its images, its quality and its target.

    Args:
        name: The workload's name.
        architecture: Gives a model for a tuple of widths.
        shape: Of one image as the model takes it.
        widths: Of the baseline.
        student: Widths of the student of distillation.
        epochs: Passes over the training images.
        seed: Of the initial weights and of the order of the images.

    Raises:
        RuntimeError: The trained model stays below 97 % on the test images.
    """
    import torch

    data = digits(shape)

    def build(widths: tuple[int, ...] = widths, *, seed: int = seed) -> "nn.Module":
        with seeded(seed):
            return architecture(widths).eval()

    model = build()
    made_by = {"architecture": repr(model), "data": _digest(data), "seed": seed, "epochs": epochs}
    version = _short_hash(made_by | RECIPE)
    file = f"{name}-{_short_hash({'version': version, 'torch': torch.__version__})}"
    if not load_weights(file, model):
        train(model, data, seed=seed, epochs=epochs)
        save_weights(file, model)
    reached = accuracy(model, data)
    if reached < LEAST_ACCURACY:
        raise RuntimeError(
            f"{name} with seed {seed} reaches {reached:.3f} of the test images, wanted at least "
            f"{LEAST_ACCURACY}; take another seed"
        )

    def quality(judged: Callable[..., Any]) -> Quality:
        value = accuracy(judged, data)
        return Quality("test accuracy", value, TEST_IMAGES, reached - TOLERANCE)

    def inputs(batch: int) -> "Tensor":
        return data.test_inputs[torch.arange(batch) % TEST_IMAGES]  # (batch, *shape)

    context = Context(
        data.train_inputs,
        data.train_labels,
        build,
        functools.partial(train, data=data),
        epochs,
        widths,
        student,
    )
    return Workload(
        name, model, inputs, quality, unit="image", threads=1, version=version, context=context
    )


def _digest(data: Digits) -> str:
    digest = hashlib.sha256()
    for tensor in (data.train_inputs, data.train_labels, data.test_inputs, data.test_labels):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _short_hash(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
