"""A compressed model as one safetensors file, and back, to the last bit; imports torch.

Every float32 tensor of two dimensions or more becomes a tensor of bytes, as
`bench.techniques._sparse_code` writes it, with its head in the file's metadata; all others, such as
biases, stay what they are, and so does a tensor that coding would make larger. The metadata also
holds the first 128 bits of the file's SHA-256, taken with zeros in their own place. Nothing is
pickled: what a file can do is be refused.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from bench.model_facts import disk_bytes
from bench.techniques._bit_stream import DecodeError
from bench.techniques._csr_modules import to_csr
from bench.techniques._sparse_code import STAGES, Head, decode_tensor, encode_tensor

__all__ = ["STAGES", "DecodeError", "decode", "encode", "encoded_bytes", "stored_sizes"]

KEY = "deep-compression"
"""Of the metadata's entry ``version digest``; every other entry is a tensor's head."""
VERSION = "1"
BLANK = "0" * 32
MOST_BYTES = 1 << 32
"""Bytes that all decoded tensors may take, unless the caller allows another number."""

_DTYPES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def encode(state: Mapping[str, Tensor], *, stage: str = "pqh") -> bytes:
    """*state* as a file in *stage*: ``p``, ``pq`` or ``pqh``; `decode` gives the same bits back.

    The same state gives the same bytes.

    Raises:
        TypeError: A tensor is sparse, or of a type that safetensors does not have.
        ValueError: *stage* is none, or a tensor has a name that the file needs for itself.
    """
    if stage not in STAGES:
        raise ValueError(f"stage is {stage!r}, wanted one of {', '.join(STAGES)}; choose one")
    heads: dict[str, str] = {}
    entries: dict[str, Any] = {}
    contents: list[bytes] = []
    end = 0
    for name, tensor in sorted(state.items()):
        if name in (KEY, "__metadata__"):
            raise ValueError(f"found a tensor named {name!r}, a name of the file's own; rename it")
        dtype, shape, content, head = _entry(name, tensor, stage)
        if head is not None:
            heads[name] = head.text
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(content)]}
        contents.append(content)
        end += len(content)
    header = {"__metadata__": {KEY: f"{VERSION} {BLANK}", **heads}, **entries}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blank = len(text).to_bytes(8, "little") + text + b"".join(contents)
    place = blank.index(BLANK.encode())
    return blank[:place] + _digest(blank).encode() + blank[place + len(BLANK) :]


def decode(data: bytes, *, most_bytes: int = MOST_BYTES) -> dict[str, Tensor]:
    """The tensors of a file that `encode` wrote.

    Args:
        data: The whole file.
        most_bytes: What the tensors may take together; a file that asks for more is refused before
            anything is allocated.

    Raises:
        DecodeError: The file is not one of ours, was cut or changed, or is made to harm.
    """
    try:
        return _decode(data, most_bytes)
    except DecodeError as error:
        raise DecodeError(
            f"cannot decode {len(data)} bytes: {error}; encode the model again"
        ) from error


def encoded_bytes(state: Mapping[str, Tensor], *, stage: str = "pqh") -> int:
    """Bytes of the file that `encode` writes, its header included."""
    return len(encode(state, stage=stage))


def stored_sizes(model: nn.Module) -> dict[str, int]:
    """Bytes of *model* as files: ``dense``, ``csr``, ``shared`` (stage pq), ``huffman`` (pqh)."""
    state = model.state_dict()
    return {
        "dense": disk_bytes(state),
        "csr": disk_bytes(to_csr(model)[0].state_dict()),
        "shared": encoded_bytes(state, stage="pq"),
        "huffman": encoded_bytes(state),
    }


def _entry(name: str, tensor: Tensor, stage: str) -> tuple[str, list[int], bytes, Head | None]:
    """Type, shape and bytes of the tensor in the file, and the head if it is coded."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided or tensor.dtype not in _DTYPES:
        raise TypeError(
            f"cannot store {name}: found {tensor.dtype} of layout {tensor.layout}, wanted a dense "
            "tensor of a type that safetensors has; make it dense before"
        )
    if tensor.dtype is torch.float32 and tensor.ndim > 1:
        head, content = encode_tensor(tensor, stage)
        if len(content) + len(head.text) < tensor.numel() * tensor.itemsize:
            return "U8", [len(content)], content, head
    raw = tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return _DTYPES[tensor.dtype], list(tensor.shape), raw, None


def _decode(data: bytes, most_bytes: int) -> dict[str, Tensor]:
    try:
        stored = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DecodeError(f"found no safetensors file ({error})") from error
    heads = _heads(data)
    wanted = sum(head.room for head in heads.values())
    if wanted > most_bytes:
        raise DecodeError(f"found tensors of {wanted} bytes, wanted {most_bytes} at most")
    for name in heads:
        if name not in stored or stored[name].dtype is not torch.uint8 or stored[name].ndim != 1:
            raise DecodeError(f"found no bytes for {name[:80]!r}, wanted a tensor of uint8")
    return {
        name: decode_tensor(heads[name], tensor.numpy()) if name in heads else tensor
        for name, tensor in stored.items()
    }


def _heads(data: bytes) -> dict[str, Head]:
    """The heads of the coded tensors in a safetensors file, after a look at its digest."""
    text = data[8 : 8 + int.from_bytes(data[:8], "little")]
    metadata = json.loads(text).get("__metadata__") or {}
    version, _, digest = metadata.pop(KEY, "").partition(" ")
    if version != VERSION or len(digest) != len(BLANK):
        raise DecodeError(f"found {KEY} {version[:80]!r}, wanted version {VERSION} and a digest")
    if _digest(data.replace(digest.encode(), BLANK.encode(), 1)) != digest:
        raise DecodeError(f"found other bytes than were written: their digest is not {digest}")
    return {name: Head.parse(text) for name, text in metadata.items()}


def _digest(blank: bytes) -> str:
    return hashlib.sha256(blank).hexdigest()[: len(BLANK)]
