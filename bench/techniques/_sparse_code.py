"""One weight tensor as Deep Compression stores it: relative indices, a codebook, Huffman codes.

Three forms, the paper's stages:

- ``p``: each nonzero weight's distance from the one before, in *i* bits, and its value in float32;
- ``pq``: the same distances, and codes of *b* bits into a codebook of float32 centroids;
- ``pqh``: both as canonical Huffman codes, their tables of code lengths before them.

A distance counts the zeros between two weights. Where more than 2^i − 2 lie between them, filler
zeros stand in: the index 2^i − 1 says that so many zeros follow and no weight. The paper's fillers
carry a code, that of zero; here the index says it all. *i* is whatever makes the tensor smallest,
and the weights are scanned by rows or by columns, whichever is smaller. A tensor without a zero
needs no indices: there *i* is 0.

Source: Han, Mao and Dally 2016, "Deep Compression", sections 2 to 4.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.techniques._bit_stream import (
    Bytes,
    DecodeError,
    Ints,
    code_lengths,
    fixed_bytes,
    pack_fixed,
    pack_huffman,
    pack_table,
    unpack_fixed,
    unpack_huffman,
    unpack_table,
)

if TYPE_CHECKING:
    from torch import Tensor

STAGES = ("p", "pq", "pqh")
SCANS = ("rows", "columns")
WIDEST = 8
"""Bits of the widest index, and of the widest code."""
DIGITS = 18
"""Of the largest number in a head: no 64-bit integer overflows."""
FLOAT = 4
"""Bytes of a float32."""
EXAMPLE = "pqh rows 5 16 23456 300 784"
LEAST_WORDS = 7
"""Stage, scan, three numbers, and a shape of two dimensions."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the decoder must know before it reads a tensor's bytes.

    Args:
        stage: ``p``, ``pq`` or ``pqh``.
        scan: ``rows``, or ``columns``: along the first dimension before all others.
        index_bits: Width of an index, 1 to 8; 0 without indices, where no element is zero.
        centroids: Entries of the codebook, at most 256; 0 in stage ``p``.
        entries: Indices, fillers included.
        shape: Of the tensor.
    """

    stage: str
    scan: str
    index_bits: int
    centroids: int
    entries: int
    shape: tuple[int, ...]

    @property
    def text(self) -> str:
        """The head as it stands in the file, such as `EXAMPLE`."""
        numbers = (self.index_bits, self.centroids, self.entries, *self.shape)
        return " ".join([self.stage, self.scan, *map(str, numbers)])

    @classmethod
    def parse(cls, text: str) -> "Head":
        """The head that *text* stands for.

        Raises:
            DecodeError: It stands for none, or for one that no tensor can have.
        """
        words = text.split(" ")
        if len(words) < LEAST_WORDS or not all(_plain(word) for word in words[2:]):
            raise DecodeError(f"found the head {text[:80]!r}, wanted such as {EXAMPLE!r}")
        index_bits, centroids, entries, *shape = (int(word) for word in words[2:])
        head = cls(words[0], words[1], index_bits, centroids, entries, tuple(shape))
        if not head._sound():
            raise DecodeError(f"found the head {text[:80]!r}, wanted one of a tensor of ours")
        return head

    def _sound(self) -> bool:
        least = 1 if self.stage != "p" and self.entries else 0
        most = 1 << WIDEST if least else 0
        known = self.stage in STAGES and self.scan in SCANS
        indexed = 1 <= self.index_bits <= WIDEST
        full = self.index_bits == 0 and self.entries == self.elements
        return known and (indexed or full) and least <= self.centroids <= most

    @property
    def elements(self) -> int:
        """Elements of the decoded tensor."""
        return math.prod(self.shape)

    @property
    def room(self) -> int:
        """Bytes that the decoded tensor may take; a dimension of 0 hides no absurd other one."""
        return FLOAT * math.prod(max(size, 1) for size in self.shape)

    @property
    def filler(self) -> int:
        """The index that stands for zeros only; −1, which none is, without indices."""
        return (1 << self.index_bits) - 1 if self.index_bits else -1

    @property
    def code_bits(self) -> int:
        """Width of a code where codes have one."""
        return max(1, (self.centroids - 1).bit_length())


def encode_tensor(tensor: "Tensor", stage: str) -> tuple[Head, bytes]:
    """The smallest form of *tensor* in *stage*; decoded, it is the same to the last bit.

    Args:
        tensor: float32 of two dimensions or more. More than 256 different nonzero values have no
            codes: then the form is that of stage ``p``.
        stage: ``p``, ``pq`` or ``pqh``.
    """
    best: tuple[Head, bytes] | None = None
    for scan in SCANS:
        made = _encode(tensor, stage, scan)
        if best is None or len(made[1]) < len(best[1]):
            best = made
    assert best is not None  # noqa: S101 - there are two scans
    return best


def decode_tensor(head: Head, content: Bytes) -> "Tensor":
    """The tensor of *head* and *content*, a float32 of *head*'s shape.

    Raises:
        DecodeError: *content* is not what *head* says.
    """
    import torch

    _at_least(content, fixed_bytes(head.entries, 1))  # an entry has a bit at least
    flat = np.zeros(head.elements, dtype=np.int32)
    if head.entries:
        indices, rest = _indices(head, content)
        filler = indices == head.filler
        ends = np.cumsum(np.where(filler, head.filler, indices + 1))
        if int(ends[-1]) > head.elements:
            raise DecodeError(
                f"found a weight at {int(ends[-1]) - 1}, wanted below {head.elements}"
            )
        places = ends[~filler] - 1
        flat[places] = _values(head, rest, len(places))
    elif len(content):
        raise DecodeError(f"found {len(content)} bytes for no weight, wanted 0")
    tensor = torch.from_numpy(flat).view(torch.float32)
    if head.scan == "rows":
        return tensor.view(head.shape)
    return tensor.view(head.elements // max(head.shape[0], 1), -1).T.reshape(head.shape)


def _encode(tensor: "Tensor", stage: str, scan: str) -> tuple[Head, bytes]:
    import torch

    matrix = tensor.detach().cpu().contiguous().view(torch.int32)  # bits: −0.0 is no zero
    if scan == "columns":
        matrix = matrix.flatten(1).T
    flat = matrix.reshape(-1).numpy()
    places = np.flatnonzero(flat)
    values = flat[places]
    codebook, codes = np.unique(values, return_inverse=True)
    if stage == "p" or len(codebook) > 1 << WIDEST:
        stage, codebook = "p", codebook[:0]
    gaps = np.diff(places, prepend=-1) - 1
    full = 0 < len(places) == len(flat)
    widths = range(1, WIDEST + 1)
    bits = 0 if full else min(widths, key=lambda bits: _index_size(gaps, bits, stage))
    indices = gaps if full else _with_fillers(gaps, bits)
    head = Head(stage, scan, bits, len(codebook), len(indices), tuple(tensor.shape))
    if not len(indices):
        return head, b""
    if stage == "p":
        return head, pack_fixed(indices, bits) + values.astype("<i4").tobytes()
    book = codebook.astype("<i4").tobytes()
    if stage == "pq":
        return head, book + pack_fixed(indices, bits) + pack_fixed(codes, head.code_bits)
    index_lengths = code_lengths(np.bincount(indices, minlength=1 << bits)) if bits else gaps[:0]
    lengths = code_lengths(np.bincount(codes, minlength=len(codebook)))
    tables = pack_table(index_lengths) + pack_table(lengths)
    packed = pack_huffman(indices, index_lengths) if bits else b""
    return head, book + tables + packed + pack_huffman(codes, lengths)


def _index_size(gaps: Ints, bits: int, stage: str) -> int:
    """Bits that the indices of *gaps* take, with their table."""
    filler = (1 << bits) - 1
    fillers = int((gaps // filler).sum())
    if stage != "pqh":
        return (len(gaps) + fillers) * bits
    counts = np.bincount(gaps % filler, minlength=filler + 1)
    counts[filler] = fillers
    return int(counts @ code_lengths(counts)) + 4 * (filler + 1)


def _with_fillers(gaps: Ints, bits: int) -> Ints:
    filler = (1 << bits) - 1
    fillers = gaps // filler
    indices = np.full(len(gaps) + int(fillers.sum()), filler, dtype=np.int64)
    indices[np.cumsum(fillers + 1) - 1] = gaps % filler
    return indices


def _indices(head: Head, content: Bytes) -> tuple[Ints, Bytes]:
    """The indices; and what comes with and after them: codebook, table of codes, codes."""
    book = FLOAT * head.centroids
    if not head.index_bits:
        _at_least(content, book)
        return np.zeros(head.entries, np.int64), content
    if head.stage != "pqh":
        size = fixed_bytes(head.entries, head.index_bits)
        _at_least(content, book + size)
        indices = unpack_fixed(content[book:], head.entries, head.index_bits)
        return indices, np.concatenate([content[:book], content[book + size :]])
    table = fixed_bytes(1 << head.index_bits, 4)
    codes = book + table + fixed_bytes(head.centroids, 4)
    _at_least(content, codes)
    lengths = unpack_table(content[book : book + table], 1 << head.index_bits)
    indices, size = unpack_huffman(content[codes:], lengths, head.entries)
    rest = (content[:book], content[book + table : codes], content[codes + size :])
    return indices, np.concatenate(rest)


def _values(head: Head, rest: Bytes, count: int) -> NDArray[np.int32]:
    """The bits of *count* float32 values."""
    if head.stage == "p":
        _exactly(rest, FLOAT * count)
        return rest.view("<i4")
    book, rest = rest[: FLOAT * head.centroids].view("<i4"), rest[FLOAT * head.centroids :]
    if head.stage == "pq":
        _exactly(rest, fixed_bytes(count, head.code_bits))
        codes = unpack_fixed(rest, count, head.code_bits)
        if codes.max(initial=0) >= head.centroids:
            raise DecodeError(f"found code {codes.max()}, wanted below {head.centroids}")
        return book[codes]
    table = fixed_bytes(head.centroids, 4)
    _at_least(rest, table)
    lengths = unpack_table(rest[:table], head.centroids)
    codes, size = unpack_huffman(rest[table:], lengths, count)
    _exactly(rest, table + size)
    return book[codes]


def _plain(text: str) -> bool:
    """Whether *text* is a number as we write it, and none that int() refuses for its length."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS


def _at_least(content: Bytes, size: int) -> None:
    if len(content) < size:
        raise DecodeError(f"found {len(content)} bytes, wanted {size} at least")


def _exactly(content: Bytes, size: int) -> None:
    if len(content) != size:
        raise DecodeError(f"found {len(content)} bytes of values, wanted {size}")
