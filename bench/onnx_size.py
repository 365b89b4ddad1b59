"""The bytes of a model as an ONNX file, where the libraries for it are installed."""

import contextlib
import copy
import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PROFILES = frozenset({"full"})
"""Profiles that export: an export takes seconds."""

_LIBRARIES = ("onnx", "onnxscript")


@dataclass
class OnnxSizes:
    """The sizes of the models of one session, each exported once: they depend on no batch."""

    _known: list[tuple[object, int | None]] = field(default_factory=list)

    def __call__(self, model: object, inputs: object) -> int | None:
        """Bytes of *model* in ONNX; None where it does not export, or nothing can export it."""
        for known, size in self._known:
            if known is model:
                return size
        size = onnx_bytes(model, inputs)
        self._known.append((model, size))
        return size


def onnx_bytes(model: object, inputs: object) -> int | None:
    """Bytes of a torch module exported to ONNX, weights inside, as one file.

    None for any other callable, for a module with an operator that ONNX lacks (sparse and int8
    kernels of torch), and where onnx or onnxscript is not installed: ``pip install
    joulebench[onnx]``.

    Args:
        model: It is not changed.
        inputs: A tuple for positional arguments, a dict for keywords, anything else as it is.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return None
    if not all(map(is_installed, _LIBRARIES)):
        return None
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    named: Any = inputs if isinstance(inputs, Mapping) else None
    with _silence(), torch.no_grad():
        try:
            program = torch.onnx.export(
                copy.deepcopy(model).eval(),
                () if named else arguments,
                kwargs=named,
                dynamo=True,
                verbose=False,
            )
            return len(program.model_proto.SerializeToString())
        except Exception:  # noqa: BLE001 - whatever it raises: this model does not export
            return None


def is_installed(name: str) -> bool:
    """Whether a library can be imported; it is not imported to see."""
    return importlib.util.find_spec(name) is not None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No warning and no line of a log: the exporter has many, and none is about the model."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
