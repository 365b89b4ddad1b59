"""Models of OpenVINO: compiled, run, and their kernels counted."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.refusal import Refusal
from bench.runtimes._batches import AnyBatch
from bench.runtimes._onnx import fallback, in_one_line, most
from bench.runtimes._openvino_model import converted, openvino
from bench.workload import Lowered, Variant

NAME = "openvino"
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
"""The type of what is not int8, for each type that can be requested."""

DTYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "i8": "int8", "u8": "int8"}
WEIGHTED = {"Convolution", "Deconvolution", "FullyConnected"}
"""Layers of the CPU plug-in that always multiply by weights; MatMul may."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Runs a compiled model, one batch at a time; tensors are read where they lie.

    Args:
        request: Of the compiled model, used again and again.
    """

    request: Any

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The answer, in the shape that the model gives it: a fresh tensor."""
        for index, each in enumerate(inputs):
            values = each.contiguous().numpy()  # itself if it is contiguous already
            self.request.set_input_tensor(index, openvino.Tensor(values, shared_memory=True))
        self.request.infer()
        return torch.from_numpy(self.request.get_output_tensor(0).data.copy())


def made(variant: Variant, inputs: tuple[Tensor, ...]) -> tuple[AnyBatch, Lowered, int, str]:
    """A variant compiled: the callable, what was made, bytes of its files, a note.

    Args:
        variant: Of a torch module or an ONNX file.
        inputs: A batch of the size that it is made for.

    Raises:
        Refusal: It does not convert or compile, or its type has no kernels here.
    """
    wanted = variant.request.dtype if variant.request else "float32"
    if wanted not in HINTS:
        raise Refusal(
            f"openvino has no {wanted} kernels for the CPU", f"request {', '.join(HINTS)}"
        )
    conversion = converted(variant.model, inputs)
    note = ""
    if wanted == "int8":
        from bench.runtimes._nncf import quantized

        conversion, note = quantized(conversion, variant)
    model, size = conversion.sized(inputs)
    compiled = _compiled(model, HINTS[wanted], variant.workload.threads)
    kernels = counted(compiled, model)
    left = fallback(kernels, wanted, NAME) if kernels or wanted != "float32" else ""
    told = "; ".join(filter(None, (note, left)))
    runner = AnyBatch(Compiled(compiled.create_infer_request()), size)
    return runner, Lowered(variant.model, most(kernels), kernels), stored(model), told


def _compiled(model: Any, hint: str, threads: int) -> Any:  # noqa: ANN401 - of openvino
    """The model for the CPU, one batch after the other, each on all of the threads.

    The type of what is float is always set: by default OpenVINO takes bfloat16 where the CPU has
    it, and a row of float32 would be none.
    """
    wanted = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": hint,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        return openvino.Core().compile_model(model, "CPU", wanted)
    except Exception as error:
        raise Refusal(
            f"openvino does not compile the model: {in_one_line(error)}", "choose another runtime"
        ) from error


def counted(compiled: Any, model: Any) -> dict[str, int]:  # noqa: ANN401 - of openvino
    """How many operators with weights run in which type, as the compiled model tells it itself.

    Args:
        compiled: The model for the CPU.
        model: What it was compiled from.
    """
    found: Counter[str] = Counter()
    hint = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    matrices = _matrices(model)
    for node in compiled.get_runtime_model().get_ordered_ops():
        layer, told = _layer(node), _told(node, "runtimePrecision")
        if layer in WEIGHTED or (layer == "MatMul" and _multiplies_weights(node)):
            found[DTYPES.get(told, told)] += 1
        if layer == "Subgraph":  # a small perceptron becomes one, and tells the type of its input
            names = set(_told(node, "originalLayersNames").split(","))
            inside = "int8" if _multiplies_int8(node) else DTYPES.get(hint, hint)
            found[inside] += len(matrices & names)
    return {dtype: count for dtype, count in found.items() if count}


def _matrices(model: Any) -> set[str]:  # noqa: ANN401 - of openvino
    """Names of the products with a matrix of weights."""
    fixed: set[str] = set()
    found = set()
    for node in model.get_ordered_ops():
        given = [each.get_node().get_name() for each in node.input_values()]
        if node.get_type_name() == "Constant" or (given and fixed.issuperset(given)):
            fixed.add(node.get_name())
        elif node.get_type_name() == "MatMul" and not fixed.isdisjoint(given):
            found.add(node.get_friendly_name())
    return found


def _multiplies_int8(node: Any) -> bool:  # noqa: ANN401 - of openvino
    given = [each.get_node() for each in node.input_values()]
    return any(
        _layer(each) == "Const" and _told(each, "runtimePrecision") == "i8" for each in given
    )


def _multiplies_weights(node: Any) -> bool:  # noqa: ANN401 - of openvino
    return any(_layer(each.get_node()) == "Const" for each in node.input_values())


def _layer(node: Any) -> str:  # noqa: ANN401 - of openvino
    return _told(node, "layerType")


def _told(node: Any, what: str) -> str:  # noqa: ANN401 - of openvino
    return str(node.get_rt_info()[what].astype(str))


def stored(model: Any) -> int:  # noqa: ANN401 - of openvino
    """Bytes of the two files of a model, its float weights as they are."""
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, Path(folder) / "model.xml", compress_to_fp16=False)
        return sum(file.stat().st_size for file in Path(folder).iterdir())
