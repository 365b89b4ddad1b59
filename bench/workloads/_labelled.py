"""Labelled pictures in a folder of the user's: class folders, MNIST's IDX files, CIFAR's batches.

A folder is told by the names of its files. What a file says of itself is not trusted: it is read
only if it holds as many bytes as its header or its format says, and a pickle only as
`bench.workloads._plain_pickle` does.
"""

import functools
import gzip
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from bench.refusal import Refusal
from bench.workloads._picture_folder import decoded, listed
from bench.workloads._pictures import scaled
from bench.workloads._plain_pickle import MOST_BYTES, HostilePickleError, read_pickle

MOST = 512
"""Pictures that a model is judged by: the standard error of an accuracy of 75 % is 1.9 points."""

Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Labelled:
    """Pictures with the numbers of their classes.

    Args:
        pixels: (n, 3, side, side), uint8.
        labels: (n,), int64, from 0.
        classes: How many classes the data has.
        origin: Of what kind, and how many of how many, for the reader of a row.
    """

    pixels: Tensor
    labels: Tensor
    classes: int
    origin: str


@dataclass(frozen=True)
class _Raw:
    """Pictures (n, channels, height, width) as they lie in a file, and their labels (n,)."""

    pixels: Bytes
    labels: Bytes
    classes: int
    kind: str


@functools.cache
def labelled(folder: Path, side: int, most: int = MOST) -> Labelled:
    """The pictures of a folder, evenly spread over it where there are more than *most*.

    Args:
        folder: With class folders of JPEG or PNG files (in it, or in its ``val`` or ``test``), the
            IDX files of MNIST, or the binary or Python batches of CIFAR-10 or CIFAR-100. Test data
            are taken before training data.
        side: Pixels of a side, as the model takes them.
        most: Pictures.

    Raises:
        Refusal: There is no such data, or it cannot be trusted or read.
    """
    if not folder.is_dir():
        raise _refused(folder, "no such folder", "a folder of labelled pictures")
    for read in (_idx, _cifar_binary, _cifar_python):
        raw = read(folder)
        if raw is not None:
            return _from_arrays(raw, side, most)
    files, classes = listed(folder)
    if not files:
        there = ", ".join(sorted(each.name for each in folder.iterdir())[:5]) or "nothing"
        raise _refused(
            folder, there, "class folders of JPEG or PNG, MNIST's IDX or CIFAR's batches"
        )
    chosen = [files[place] for place in _spread(len(files), most)]
    pixels = torch.stack([decoded(path, side) for path, _ in chosen])
    labels = torch.tensor([label for _, label in chosen])
    origin = f"{len(chosen)} of {len(files)} pictures in class folders"
    return Labelled(pixels, labels, classes, origin)


def _from_arrays(raw: _Raw, side: int, most: int) -> Labelled:
    places = _spread(len(raw.labels), most)
    pixels = torch.from_numpy(np.ascontiguousarray(raw.pixels[places]))
    pixels = pixels.expand(-1, 3, -1, -1)  # grey as red, green and blue
    labels = torch.from_numpy(raw.labels[places].astype(np.int64))
    origin = f"{len(places)} of {len(raw.labels)} pictures of {raw.kind}"
    return Labelled(scaled(pixels, side).contiguous(), labels, raw.classes, origin)


def _spread(there: int, most: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Places of at most *most* of *there* things, evenly spread: files are sorted by class."""
    count = min(there, most)
    return np.arange(count) * there // count


def _refused(path: Path, found: str, wanted: str) -> Refusal:
    return Refusal(
        f"--joules-data={path}: found {found}, wanted {wanted}",
        "give the folder of the data set as it was unpacked, or leave --joules-data out",
    )


def _idx(folder: Path) -> _Raw | None:
    """MNIST and what has its form: big-endian sizes, then bytes.

    Source: LeCun, Cortes and Burges, "The MNIST database", FILE FORMATS.
    """
    there = sorted(folder.glob("*images*ubyte*"))
    if not there:
        return None
    path = next((each for each in there if "t10k" in each.name or "test" in each.name), there[0])
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    pixels, labels = _idx_file(path, 3), _idx_file(beside, 1)
    if len(pixels) != len(labels):
        raise _refused(beside, f"{len(labels)} labels", f"{len(pixels)}, one for each picture")
    return _Raw(pixels[:, None], labels, int(labels.max()) + 1, path.name)


def _idx_file(path: Path, dimensions: int) -> Bytes:
    """The bytes of an IDX file, gzipped or not, in its shape."""
    opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            header = file.read(4 + 4 * dimensions)
            magic = bytes([0, 0, 8, dimensions])
            if header[:4] != magic or len(header) < 4 + 4 * dimensions:
                raise _refused(
                    path, f"the header {header[:4].hex()}", f"{magic.hex()}, IDX of bytes"
                )
            sizes = struct.unpack(f">{dimensions}I", header[4:])
            total = int(np.prod([int(size) for size in sizes], dtype=object))
            if not 0 < total <= MOST_BYTES:
                raise _refused(path, f"{sizes} bytes in its header", f"1 to {MOST_BYTES}")
            content = file.read(total + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _refused(path, f"no readable file ({error})", "an IDX file") from error
    if len(content) != total:
        more = "more than that" if len(content) > total else f"{len(content)}"
        raise _refused(path, more, f"{total} bytes after its header")
    return np.frombuffer(content, np.uint8).reshape(sizes)


_CIFAR = (
    ("test_batch", 1, 10),
    ("test", 2, 100),
    ("data_batch_1", 1, 10),
    ("train", 2, 100),
)
"""Names of CIFAR-10's and CIFAR-100's batches, bytes of a picture's labels, classes."""

_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_BYTES = 3072


def _cifar_binary(folder: Path) -> _Raw | None:
    """The binary version: a picture's labels, the last the finest, then its bytes by colour.

    Source: Krizhevsky, "The CIFAR-10 and CIFAR-100 datasets", Binary version.
    """
    for stem, of_labels, classes in _CIFAR:
        path = folder / f"{stem}.bin"
        if path.is_file():
            row, size = of_labels + _CIFAR_BYTES, path.stat().st_size
            if size == 0 or size % row or size > MOST_BYTES:
                raise _refused(path, f"{size} bytes", f"a multiple of {row}, a picture's")
            rows = np.fromfile(path, np.uint8).reshape(-1, row)
            return _cifar(path, rows[:, of_labels:], rows[:, of_labels - 1], classes)
    return None


def _cifar_python(folder: Path) -> _Raw | None:
    """The Python version: a pickle of a dictionary with ``data`` and the labels."""
    for stem, of_labels, classes in _CIFAR:
        path = folder / stem
        if path.is_file():
            try:
                found = read_pickle(path)
            except (HostilePickleError, OSError) as error:
                raise _refused(path, f"a pickle that is not read: {error}", "CIFAR's") from error
            named = (
                {_text(key): value for key, value in found.items()}
                if isinstance(found, dict)
                else {}
            )
            data = named.get("data")
            labels = named.get("labels" if of_labels == 1 else "fine_labels")
            return _cifar(path, _rows(path, data), _numbers(path, labels), classes)
    return None


def _cifar(path: Path, rows: Bytes, labels: Bytes, classes: int) -> _Raw:
    if len(rows) != len(labels) or not len(rows):
        raise _refused(path, f"{len(labels)} labels for {len(rows)} pictures", "one for each")
    if int(labels.max()) >= classes:
        raise _refused(path, f"the label {labels.max()}", f"0 to {classes - 1}")
    return _Raw(rows.reshape(-1, *_CIFAR_SHAPE), labels, classes, f"CIFAR-{classes}'s {path.name}")


def _text(key: object) -> object:
    return key.decode("ascii", "replace") if isinstance(key, bytes) else key


def _rows(path: Path, data: object) -> Bytes:
    if not isinstance(data, np.ndarray) or data.shape[1:] != (_CIFAR_BYTES,):
        raise _refused(path, f"data {getattr(data, 'shape', None)}", f"(n, {_CIFAR_BYTES}) bytes")
    return data


def _numbers(path: Path, labels: object) -> Bytes:
    if not isinstance(labels, list) or not all(
        type(label) is int and 0 <= label <= np.iinfo(np.uint8).max for label in labels
    ):
        raise _refused(path, f"labels of type {type(labels).__name__}", "a list of small integers")
    return np.array(labels, np.uint8)
