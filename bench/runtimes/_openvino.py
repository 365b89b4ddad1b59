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
from bench.runtimes._openvino_model import converted, ov
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
            self.request.set_input_tensor(index, ov.Tensor(values, shared_memory=True))
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
    kernels = counted(compiled.get_runtime_model())
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
        return ov.Core().compile_model(model, "CPU", wanted)
    except Exception as error:
        raise Refusal(
            f"openvino does not compile the model: {in_one_line(error)}", "choose another runtime"
        ) from error


def counted(runtime_model: Any) -> dict[str, int]:  # noqa: ANN401 - of openvino
    """How many operators with weights run in which type.

    Args:
        runtime_model: The graph that a compiled model runs, as it tells it itself.
    """
    found: Counter[str] = Counter()
    for node in runtime_model.get_ordered_ops():
        if _layer(node) in WEIGHTED or (_layer(node) == "MatMul" and _multiplies_weights(node)):
            told = _told(node, "runtimePrecision")
            found[DTYPES.get(told, told)] += 1
    return dict(found)


def _multiplies_weights(node: Any) -> bool:  # noqa: ANN401 - of openvino
    return any(_layer(each.get_node()) == "Const" for each in node.input_values())


def _layer(node: Any) -> str:  # noqa: ANN401 - of openvino
    return _told(node, "layerType")


def _told(node: Any, what: str) -> str:  # noqa: ANN401 - of openvino
    return str(node.get_rt_info()[what].astype(str))


def stored(model: Any) -> int:  # noqa: ANN401 - of openvino
    """Bytes of the two files of a model, its float weights as they are."""
    with tempfile.TemporaryDirectory() as folder:
        ov.save_model(model, Path(folder) / "model.xml", compress_to_fp16=False)
        return sum(file.stat().st_size for file in Path(folder).iterdir())
