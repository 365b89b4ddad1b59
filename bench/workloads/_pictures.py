"""Pictures for vision models: crops of the two photographs that scikit-learn ships.

The left half of each photograph is what quantizers and batch norms look at, the right half is what
models are judged by: the two have no pixel in common.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

EVALUATED = 64
CALIBRATION = 32
SEED = 0
"""Of the places of the crops: the same for every workload and every seed of weights."""

LEAST_CROP = 128
"""Pixels of the side of the smallest crop, before it is scaled."""

RECIPE = f"photographs, {EVALUATED} and {CALIBRATION} crops of {LEAST_CROP} pixels at least, {SEED}"
"""What makes these pictures, for a workload's version."""


@dataclass(frozen=True)
class Pictures:
    """Pictures as bytes, given out in batches as a model takes them.

    Args:
        pixels: (n, 3, side, side), uint8, red first.
        mean: Of each channel, as a share of 255: what the model's training subtracted.
        deviation: What it divided by.
        batch: Pictures of a batch; the last has what is left.
    """

    pixels: Tensor
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    batch: int = 16

    def __iter__(self) -> Iterator[Tensor]:
        for part in self.pixels.split(self.batch):
            yield self._scaled(part)

    def first(self, count: int) -> Tensor:
        """(count, 3, side, side): the first ones, from the start again where there are fewer."""
        return self._scaled(self.pixels[torch.arange(count) % len(self.pixels)])

    def _scaled(self, pixels: Tensor) -> Tensor:
        mean, deviation = (
            torch.tensor(each).reshape(3, 1, 1) for each in (self.mean, self.deviation)
        )
        return (pixels.float() / 255 - mean) / deviation


@functools.cache
def crops(side: int, count: int, *, right: bool) -> Tensor:
    """(count, 3, side, side) as uint8: square crops of both photographs in turn, scaled.

    Args:
        side: Pixels of what is given.
        count: How many.
        right: From the right half of each photograph, or from the left.
    """
    photographs = _photographs()
    draw = torch.Generator().manual_seed(SEED + right)
    made = []
    for number in range(count):
        photograph = photographs[number % len(photographs)]  # (3, height, width)
        height, width = photograph.shape[1:]
        half = width // 2
        size = _drawn(LEAST_CROP, min(half, height), draw)
        top = _drawn(0, height - size, draw)
        left = _drawn(0, half - size, draw) + right * (width - half)
        crop = photograph[:, top : top + size, left : left + size]
        made.append(scaled(crop[None], side))
    return torch.cat(made)


def scaled(pixels: Tensor, side: int) -> Tensor:
    """(n, 3, side, side) as uint8: pictures (n, 3, height, width) of bytes in another size."""
    if pixels.shape[2:] == (side, side):
        return pixels
    larger = functional.interpolate(
        pixels.float(), (side, side), mode="bilinear", align_corners=False, antialias=True
    )
    return larger.round().clamp(0, 255).to(torch.uint8)


def _drawn(least: int, most: int, draw: torch.Generator) -> int:
    return int(torch.randint(least, most + 1, (), generator=draw))


@functools.cache
def _photographs() -> tuple[Tensor, ...]:
    """Each (3, 427, 640), uint8."""
    from sklearn.datasets import load_sample_images

    return tuple(torch.tensor(image).permute(2, 0, 1) for image in load_sample_images().images)
