"""Numbers of few bits as bytes: fixed width, or canonical Huffman codes of at most 15 bits."""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

LONGEST = 15
"""A code length fits four bits of the table."""
BLOCK = 1 << 20
"""Bits that are looked up at a time, so that a long stream needs little memory."""


class DecodeError(ValueError):
    """What was read is no file of ours, or no longer the one that was written."""


def fixed_bytes(count: int, bits: int) -> int:
    """Bytes that *count* numbers of *bits* bits take, the last byte filled up."""
    return -(-count * bits // 8)


def pack_fixed(numbers: Ints, bits: int) -> bytes:
    """*numbers* (n,) of *bits* bits each, the highest bit first."""
    shifts = np.arange(bits - 1, -1, -1)
    return np.packbits((numbers[:, None] >> shifts & 1).astype(np.uint8)).tobytes()


def unpack_fixed(stream: Bytes, count: int, bits: int) -> Ints:
    """The first *count* numbers of *stream*, which holds at least that many."""
    flat = np.unpackbits(stream[: fixed_bytes(count, bits)], count=count * bits)
    weights = 1 << np.arange(bits - 1, -1, -1)
    return flat.reshape(count, bits) @ weights  # (count,)


def code_lengths(counts: Sequence[int] | Ints) -> Ints:
    """Bits of each symbol's Huffman code, 0 for a symbol that never comes, at most 15.

    The only symbol there is gets one bit. Where a code would be longer than 15 bits, counts are
    halved until none is: a little longer in sum than the best code under that limit.

    Source: Huffman 1952, "A Method for the Construction of Minimum-Redundancy Codes".
    """
    counts = np.asarray(counts, dtype=np.int64)
    while True:
        lengths = _unlimited_lengths(counts)
        if lengths.max(initial=0) <= LONGEST:
            return lengths
        counts = np.where(counts > 0, counts // 2 + 1, 0)


def _unlimited_lengths(counts: Ints) -> Ints:
    lengths = np.zeros(len(counts), dtype=np.int64)
    used = np.flatnonzero(counts)
    if len(used) == 1:
        lengths[used] = 1
    # the second entry makes equal counts come in the order in which they were made
    heap = [(int(counts[symbol]), order, [int(symbol)]) for order, symbol in enumerate(used)]
    heapq.heapify(heap)
    order = len(heap)
    while len(heap) > 1:
        one, _, left = heapq.heappop(heap)
        other, _, right = heapq.heappop(heap)
        joined = left + right
        lengths[joined] += 1
        heapq.heappush(heap, (one + other, order, joined))
        order += 1
    return lengths


def pack_table(lengths: Ints) -> bytes:
    """Code lengths (symbols,), four bits each."""
    return pack_fixed(lengths, 4)


def unpack_table(stream: Bytes, symbols: int) -> Ints:
    """The code lengths of *symbols* symbols.

    Raises:
        DecodeError: They are no lengths of a complete prefix code.
    """
    lengths = unpack_fixed(stream, symbols, 4)
    used = lengths[lengths > 0]
    kraft = int((1 << (LONGEST - used)).sum())
    alone = len(used) == 1 and int(used[0]) == 1
    if kraft != 1 << LONGEST and not alone:
        raise DecodeError(
            f"found code lengths {used.tolist()[:16]}, wanted those of a complete prefix code"
        )
    return lengths


def pack_huffman(symbols: Ints, lengths: Ints) -> bytes:
    """*symbols* (n,) as canonical codes of *lengths*, one after another."""
    sizes = lengths[symbols]  # (n,)
    codes = np.repeat(_canonical(lengths)[symbols], sizes)  # (bits,)
    ends = np.repeat(np.cumsum(sizes), sizes)
    places = ends - 1 - np.arange(len(codes))  # of each bit within its code, from the right
    return np.packbits((codes >> places & 1).astype(np.uint8)).tobytes()


def unpack_huffman(stream: Bytes, lengths: Ints, count: int) -> tuple[Ints, int]:
    """The first *count* symbols of *stream*, and how many bytes they took.

    Every place of the stream is looked up as if a code began there; then the codes are followed
    from one to the next.

    Raises:
        DecodeError: The stream ends before *count* symbols, or holds bits that are no code.
    """
    if count > 8 * len(stream):
        raise DecodeError(
            f"found {8 * len(stream)} bits for {count} codes, wanted one each at least"
        )
    symbol_of, length_of = _lookup(lengths)
    padded: Any = np.concatenate([stream, np.zeros(3, np.uint8)]).astype(np.int64)
    symbols = np.empty(count, np.int64)
    bits, place, done = 8 * len(stream), 0, 0
    while done < count and place < bits:
        places = np.arange(place, min(place + BLOCK, bits))
        byte = places >> 3
        window = padded[byte] << 16 | padded[byte + 1] << 8 | padded[byte + 2]
        window = window >> (24 - LONGEST - (places & 7)) & ((1 << LONGEST) - 1)
        starts, place = _follow(length_of[window].tolist(), place, count - done)
        symbols[done : done + len(starts)] = symbol_of[window[starts]]
        done += len(starts)
    if done < count or place > bits:
        raise DecodeError(f"found {bits} bits, too few for {count} codes")
    return symbols, -(-place // 8)


def _follow(steps: list[int], first: int, most: int) -> tuple[list[int], int]:
    """Where codes begin among *steps*, and the place in the stream after the last of them."""
    starts: list[int] = []
    here, end = 0, len(steps)
    while here < end and len(starts) < most:
        step = steps[here]
        if not step:
            raise DecodeError(f"found bits at {first + here} that are no code, wanted one")
        starts.append(here)
        here += step
    return starts, first + here


def _canonical(lengths: Ints) -> Ints:
    """The code of each symbol: shorter ones first, equal ones in the order of their symbols."""
    codes = np.zeros(len(lengths), dtype=np.int64)
    code = previous = 0
    for symbol in np.argsort(lengths, kind="stable"):
        length = int(lengths[symbol])
        if length:
            code <<= length - previous
            codes[symbol], previous = code, length
            code += 1
    return codes


def _lookup(lengths: Ints) -> tuple[Ints, Ints]:
    """Symbol and length of the code that each 15-bit number begins with; length 0 if none."""
    symbols = np.zeros(1 << LONGEST, dtype=np.int64)
    sizes = np.zeros(1 << LONGEST, dtype=np.int64)
    codes = _canonical(lengths)
    for symbol in np.flatnonzero(lengths):
        room = LONGEST - int(lengths[symbol])
        span = slice(int(codes[symbol]) << room, int(codes[symbol]) + 1 << room)
        symbols[span], sizes[span] = symbol, lengths[symbol]
    return symbols, sizes
