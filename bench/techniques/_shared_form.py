"""Where the weights of a sparse matrix with shared weights lie: chunks of columns of one weight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_COLUMNS = 65535
"""A column index has 16 bits, and one value of them stands for no column."""
MOST_WEIGHTS = 256
"""A code has 8 bits."""
CHUNKS = (4, 2, 1)
CHUNK_LOADS = 3
"""Loads that a chunk costs beside those of its inputs: its indices, its code, its weight."""
BLOCK_COLUMNS = 6144
"""Columns whose inputs, 24 kB, stay in the smallest first caches beside what streams through."""
BLOCK_CHUNKS = 32
"""Chunks of a row in a block that are worth ending the row's loop once more."""


@dataclass(frozen=True, slots=True)
class SharedForm:
    """A sparse matrix (rows, columns) with at most 256 different weights, for the kernel.

    Args:
        shape: Blocks, rows, columns, indices of a chunk.
        pointers: First chunk of each row, block by block, and the end: (blocks · rows + 1,).
        indices: Columns, (chunks · indices of a chunk,); the number of columns stands for none.
        codes: Of each chunk's weight in the codebook, (chunks,).
        codebook: The different weights, ascending.
    """

    shape: NDArray[np.int32]
    pointers: NDArray[np.int32]
    indices: NDArray[np.uint16]
    codes: NDArray[np.uint8]
    codebook: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes that one product reads of it."""
        parts = (self.pointers, self.indices, self.codes, self.codebook)
        return sum(part.nbytes for part in parts)


def shared_form(weight: NDArray[np.float32]) -> SharedForm:
    """The form of *weight* (rows, columns) that takes the fewest loads.

    The longer a chunk, the fewer codes and multiplications, but the more fillers where few weights
    of a row are the same. Loads limit, not bytes: chunks of 4 were faster even where they took an
    eighth more bytes than chunks of 2.

    Raises:
        ValueError: It has more than 65,535 columns, or more than 256 different nonzero weights.
    """
    rows, columns = weight.shape
    if columns > MOST_COLUMNS:
        raise ValueError(
            f"the layer has {columns} inputs, wanted at most {MOST_COLUMNS}, as a column index has "
            "16 bits; use form='csr'"
        )
    row, column = weight.nonzero()
    weights, code = np.unique(weight[row, column], return_inverse=True)
    if len(weights) > MOST_WEIGHTS:
        raise ValueError(
            f"the layer has {len(weights)} different nonzero weights, wanted at most "
            f"{MOST_WEIGHTS}, as a code has 8 bits; share its weights first, or use form='csr'"
        )
    shared = max(1, len(weights))
    group = row * shared + code.reshape(-1)  # (nonzero,): one for each weight of each row
    counts = np.bincount(group, minlength=rows * shared)
    chunk = min(CHUNKS, key=lambda size: int((-(-counts // size)).sum()) * (size + CHUNK_LOADS))
    order = np.argsort(group, kind="stable")  # a group's columns stay ascending
    indices = _chunked(column[order], group[order], counts, chunk, columns)
    owner = np.repeat(np.arange(rows * shared), -(-counts // chunk))  # (chunks,): group of each
    blocks = max(1, min(round(columns / BLOCK_COLUMNS), len(owner) // (rows * BLOCK_CHUNKS)))
    middle = indices.sum(1, where=indices < columns) // np.maximum((indices < columns).sum(1), 1)
    place = middle * blocks // columns * rows + owner // shared  # (chunks,): block, then row
    order = np.argsort(place, kind="stable")
    ends = np.bincount(place, minlength=blocks * rows).cumsum()
    return SharedForm(
        np.array([blocks, rows, columns, chunk], np.int32),
        np.concatenate([[0], ends]).astype(np.int32),
        indices[order].astype(np.uint16).reshape(-1),
        (owner % shared)[order].astype(np.uint8),
        weights.astype(np.float32),
    )


def decoded(form: SharedForm) -> NDArray[np.float32]:
    """The weight (rows, columns) that *form* stands for."""
    blocks, rows, columns, chunk = (int(number) for number in form.shape)
    owner = np.repeat(np.tile(np.arange(rows), blocks), np.diff(form.pointers))  # (chunks,)
    weight = np.zeros((rows, columns + 1), np.float32)
    weight[owner.repeat(chunk), form.indices] = form.codebook[form.codes].repeat(chunk)
    return weight[:, :columns]


def _chunked(
    column: NDArray[np.int64],
    group: NDArray[np.int64],
    counts: NDArray[np.int64],
    chunk: int,
    columns: int,
) -> NDArray[np.int64]:
    """Columns, sorted by group, in chunks that no two groups share: (chunks, chunk)."""
    chunks = -(-counts // chunk)
    before = np.concatenate([[0], counts.cumsum()])[group]  # (nonzero,): of the groups before
    start = np.concatenate([[0], chunks.cumsum()]) * chunk
    indices = np.full(start[-1], columns)
    indices[start[group] + np.arange(len(column)) - before] = column
    return indices.reshape(-1, chunk)
