"""Pictures for vision models: crops of the two photographs that scikit-learn ships.

The left half of each photograph is what quantizers and batch norms look at, the right half is what
models are judged by: the two have no pixel in common. What is judged are places of the right half,
each seen from two views, moved a little: random weights can be made to recognise them.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

PLACES = 32
VIEWS = 2
"""Of each place, to be judged by."""

CALIBRATION = 32
SEED = 0
"""Of the places of the crops: the same for every workload and every seed of weights."""

LEAST_CROP, MOST_CROP = 96, 192
"""Pixels of the side of a crop, before it is scaled: most places have little in common."""

MOVED = 1 / 16
"""Share of a crop's side that a view of it is moved at most, up or down and left or right."""

RECIPE = f"photographs {PLACES} {VIEWS} {CALIBRATION} {LEAST_CROP} {MOST_CROP} {MOVED:g} {SEED}"
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
        for part in torch.split(self.pixels, self.batch):
            yield self._scaled(part)

    def first(self, count: int) -> Tensor:
        """(count, 3, side, side): the first ones, from the start again where there are fewer."""
        return self._scaled(self.pixels[torch.arange(count) % len(self.pixels)])

    def _scaled(self, pixels: Tensor) -> Tensor:
        mean, deviation = (
            torch.tensor(each).reshape(3, 1, 1) for each in (self.mean, self.deviation)
        )
        return (pixels.float() / 255 - mean) / deviation


def judged(side: int) -> Tensor:
    """(64, 3, side, side) as uint8: both views of each place."""
    return torch.cat([crops(side, PLACES, right=True, view=view + 1) for view in range(VIEWS)])


@functools.cache
def crops(side: int, count: int, *, right: bool, view: int = 0) -> Tensor:
    """(count, 3, side, side) as uint8: square crops of both photographs in turn, scaled.

    Args:
        side: Pixels of what is given.
        count: How many.
        right: From the right half of each photograph, or from the left.
        view: 0 for the places themselves, more for the same moved a little.
    """
    photographs = _photographs()
    draw = torch.Generator().manual_seed(SEED + right)
    move = torch.Generator().manual_seed(SEED + view)
    made = []
    for number in range(count):
        photograph = photographs[number % len(photographs)]  # (3, height, width)
        height, width = photograph.shape[1:]
        half = width // 2
        size = _drawn(LEAST_CROP, MOST_CROP, draw)
        most = int(MOVED * size) if view else 0
        top, left = (
            min(max(0, _drawn(0, room - size, draw) + _drawn(-most, most, move)), room - size)
            for room in (height, half)
        )
        left += right * (width - half)
        made.append(scaled(photograph[None, :, top : top + size, left : left + size], side))
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
