"""Reads pickles that hold arrays of bytes and plain values, and runs nothing that stands in them.

A pickle is a program: it names functions and calls them. Here each name that it may use stands for
a harmless one of ours, and any other name ends the reading. Not even numpy is called: an array
arrives as its parts, and is put together after they are checked.
"""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES = 2**31
"""Of a file, and of what is read from it: CIFAR's largest is 150 MB."""


class HostilePickleError(ValueError):
    """A pickle names something that could run, or is none."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as in its base
        """One of `_HARMLESS`.

        Raises:
            HostilePickleError: The pickle asks for anything else.
        """
        if (module, name) not in _HARMLESS:
            raise HostilePickleError(f"it names {module}.{name}, which could run")
        return _HARMLESS[module, name]


@dataclass
class _Dtype:
    """What a pickle says of an array's type: its code, such as ``u1``."""

    code: object = None

    def __setstate__(self, state: object) -> None:
        """Byte order and fields: bytes have neither."""


@dataclass
class _Array:
    """The parts of an array as they stand in a pickle: nothing is checked yet."""

    shape: object = ()
    dtype: object = None
    fortran: object = False
    content: object = b""
    parts: list[object] = field(default_factory=list)

    def __setstate__(self, state: object) -> None:
        """Takes ``(version, shape, dtype, is it Fortran's order, bytes)``."""
        if isinstance(state, tuple) and len(state) == len(_STATE):
            _, self.shape, self.dtype, self.fortran, self.content = state


_STATE = ("version", "shape", "dtype", "fortran", "content")


def _dtype(code: object = None, *_: object) -> _Dtype:
    return _Dtype(code.decode("ascii", "replace") if isinstance(code, bytes) else code)


def _rebuilt(*_: object) -> _Array:
    return _Array()


def _from_buffer(
    content: object = b"", dtype: object = None, shape: object = (), order: object = "C"
) -> _Array:
    return _Array(shape, dtype, order == "F", content)


def _encoded(text: object = "", *_: object) -> bytes:
    """Bytes as protocol 2 of Python 3 writes them: a text of which each character is one."""
    return text.encode("latin-1") if isinstance(text, str) else b""


_NDARRAY = object()
_HARMLESS: dict[tuple[str, str], Callable[..., Any] | object] = {
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy.core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy._core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encoded,
}


def read_pickle(path: Path) -> Any:  # noqa: ANN401 - whatever plain values it holds
    """The values of a pickle; an array of bytes is a numpy array, a text of Python 2 is bytes.

    Args:
        path: Of a file that may be hostile.

    Raises:
        HostilePickleError: It names what could run, is broken, or holds what is not plain.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise HostilePickleError(f"it has {size} bytes, wanted at most {MOST_BYTES}")
    with path.open("rb") as file:
        try:
            found = _Unpickler(file, encoding="bytes").load()
        except HostilePickleError:
            raise
        except Exception as error:  # broken pickles raise nearly every kind
            raise HostilePickleError(f"it is no whole pickle: {error}") from error
    if isinstance(found, dict):  # one level deep: a hostile one may hold itself
        return {key: _plain(value) for key, value in found.items()}
    return _plain(found)


def _plain(value: object) -> object:
    return _put_together(value) if isinstance(value, _Array) else value


def _put_together(array: _Array) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    import numpy as np

    code = array.dtype.code if isinstance(array.dtype, _Dtype) else None
    if code not in {"u1", "uint8", "|u1"}:
        raise HostilePickleError(f"it holds an array of {code}, wanted bytes")
    shape, content = array.shape, array.content
    if not (
        isinstance(shape, tuple)
        and isinstance(content, (bytes, bytearray))
        and all(type(side) is int and side >= 0 for side in shape)
        and math.prod(shape) == len(content)
    ):
        raise HostilePickleError(f"it holds an array of shape {shape} that its bytes do not fill")
    return np.frombuffer(bytes(content), np.uint8).reshape(
        shape, order="F" if array.fortran else "C"
    )
