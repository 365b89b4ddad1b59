"""The bytes of a model as an ONNX file, where the libraries for it are installed."""

import sys
from dataclasses import dataclass, field

from bench.onnx_export import LIBRARIES, exported, is_installed

PROFILES = frozenset({"full"})
"""Profiles that export: an export takes seconds."""


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
    if not all(map(is_installed, LIBRARIES)):
        return None
    try:
        return len(exported(model, inputs).SerializeToString())
    except Exception:  # noqa: BLE001 - whatever it raises: this model does not export
        return None
