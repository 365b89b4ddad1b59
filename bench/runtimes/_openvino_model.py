"""Torch modules and ONNX files as models of OpenVINO."""

import sys
import weakref
import zlib
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

# openvino and nncf tell their vendor over the network that they are imported, unless the library
# that they do so by cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402 - after the line above

from bench.onnx_export import silence  # noqa: E402
from bench.refusal import Refusal  # noqa: E402
from bench.runtimes._onnx import as_onnx, in_one_line  # noqa: E402

__all__ = ["Conversion", "check_sum", "converted", "openvino"]

EXAMPLE = 2
"""Samples that a module is exported with: with one, torch would fix the batch to one."""


@dataclass(frozen=True)
class Conversion:
    """A model of OpenVINO, and what was made of it before.

    Args:
        model: Its first dimension is free where the export left it so.
        quantized: Its int8 forms, by the check sums of their calibration inputs.
    """

    model: Any
    quantized: dict[int, "Conversion"] = field(default_factory=dict, compare=False, repr=False)

    @property
    def batch(self) -> int | None:
        """Samples that it takes; None if it can be given any number."""
        first = self.model.inputs[0].partial_shape[0]
        return None if first.is_dynamic else int(first.get_length())

    def sized(self, inputs: tuple[Tensor, ...]) -> tuple[Any, int]:
        """The model for batches of the size of *inputs*, or of the one that it has; and that size.

        Raises:
            Refusal: It does not take such inputs.
        """
        size = self.batch or len(inputs[0])
        made = self.model.clone()
        shapes = {index: [size, *each.shape[1:]] for index, each in enumerate(inputs)}
        try:
            made.reshape(shapes)
        except RuntimeError as error:
            found = ", ".join("x".join(map(str, each.shape)) for each in inputs)
            raise Refusal(
                f"the model does not take {found}: {in_one_line(error)}",
                "give inputs of the shapes that it was made for",
            ) from error
        return made, size


_last: list[tuple[weakref.ref[nn.Module], int, Conversion]] = []
"""The module converted last: its batches and its types come one after the other."""


def converted(model: Any, inputs: tuple[Tensor, ...]) -> Conversion:  # noqa: ANN401 - any callable
    """A torch module or a user's file as a model of OpenVINO.

    Args:
        model: It is set to evaluation, and not changed otherwise.
        inputs: What it is called with.

    Raises:
        Refusal: It is neither, or it does not convert.
    """
    if not isinstance(model, nn.Module):
        return _from_onnx(model, inputs)
    weights = check_sum(chain(model.parameters(), model.buffers()))
    shape = hash(tuple(each.shape[1:] for each in inputs))
    for module, known, conversion in _last:
        if module() is model and known == weights ^ shape and conversion.batch is None:
            return conversion
    _last.clear()
    made = _from_torch(model, inputs)
    _last.append((weakref.ref(model), weights ^ shape, made))
    return made


def check_sum(tensors: Any) -> int:  # noqa: ANN401 - an iterable of tensors
    """Tells the values of some tensors from others."""
    total = 0
    for each in tensors:
        content = each.detach().cpu().contiguous().flatten().view(torch.uint8)
        total = zlib.crc32(memoryview(content.numpy()), total)
    return total


def _from_torch(model: nn.Module, inputs: tuple[Tensor, ...]) -> Conversion:
    """By torch's own export, for any batch if it can be; by way of ONNX where that fails."""
    example = tuple(torch.cat([each, each])[:EXAMPLE] for each in inputs)
    for given, free in ((example, True), (inputs, False)):
        try:
            made = Conversion(_exported(model, given, free=free))
            out, size = made.sized(inputs)
        except Exception:  # noqa: BLE001, S112 - the next way may do
            continue
        if size == len(inputs[0]) == out.outputs[0].partial_shape[0].get_length():
            return made
    return _from_onnx(model, inputs)


def _exported(model: nn.Module, inputs: tuple[Tensor, ...], *, free: bool) -> Any:  # noqa: ANN401
    dims = tuple({0: torch.export.Dim.AUTO} for _ in inputs) if free else None
    with silence(), torch.no_grad():
        program = torch.export.export(model.eval(), inputs, dynamic_shapes=_for(model, dims))
        return openvino.convert_model(program)


def _for(model: nn.Module, dims: tuple[dict[int, Any], ...] | None) -> Any:  # noqa: ANN401
    """*dims* in the form of the arguments of a module's forward, which may be ``*inputs``."""
    import inspect

    kinds = [each.kind for each in inspect.signature(model.forward).parameters.values()]
    several = inspect.Parameter.VAR_POSITIONAL in kinds
    return (dims,) if dims and several else dims


def _from_onnx(model: Any, inputs: tuple[Tensor, ...]) -> Conversion:  # noqa: ANN401 - any callable
    exported = as_onnx(model, inputs, "openvino")
    try:
        return Conversion(openvino.Core().read_model(exported.SerializeToString()))
    except Exception as error:
        raise Refusal(
            f"openvino does not read the model: {in_one_line(error)}",
            "choose another runtime, or export it to another opset",
        ) from error
