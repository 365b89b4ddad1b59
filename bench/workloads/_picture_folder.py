"""Pictures as files in a folder for each class, as ImageNet's validation set is laid out."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.refusal import Refusal

PARTS = ("val", "validation", "test")
"""Folders within a data set that hold what models are judged by."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
CROP = 224 / 256
"""Share of the shorter side that the square in the middle has: the usual one for ImageNet."""


def listed(folder: Path) -> tuple[list[tuple[Path, int]], int]:
    """Each picture with the number of its class, and how many classes there are.

    Classes are numbered in the order of their folders' names, as in ImageNet's synsets.

    Args:
        folder: With class folders in it, or in its ``val``, ``validation`` or ``test``.
    """
    for inside in (*(folder / part for part in PARTS), folder):
        classes = sorted(
            each for each in inside.glob("*") if each.is_dir() and not each.name.startswith(".")
        )
        files = [
            (file, number)
            for number, each in enumerate(classes)
            for file in sorted(each.iterdir())
            if file.suffix.lower() in SUFFIXES
        ]
        if files:
            return files, len(classes)
    return [], 0


def decoded(path: Path, side: int) -> Tensor:
    """(3, side, side), uint8: the square in the middle of a picture, scaled.

    Raises:
        Refusal: It cannot be decoded, or has more pixels than Pillow takes for harmless.
    """
    from PIL import Image

    shorter = round(side / CROP)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("JPEG", "PNG")) as file:
                file.draft("RGB", (shorter, shorter))  # a JPEG is decoded no larger than needed
                picture = file.convert("RGB")
    except (
        OSError,
        SyntaxError,  # what Pillow raises for a broken PNG
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise Refusal(
            f"--joules-data: found {path} that cannot be decoded ({error}), wanted JPEG or PNG",
            "remove that file, or unpack the data set again",
        ) from error
    square = CROP * min(picture.size)
    left, top = ((each - square) / 2 for each in picture.size)
    box = (left, top, left + square, top + square)
    picture = picture.resize((side, side), Image.Resampling.BILINEAR, box)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
