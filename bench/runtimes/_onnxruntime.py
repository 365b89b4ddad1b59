"""Models of onnx in ONNX Runtime: opened, quantized, and their kernels counted."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from bench.onnx_export import silence
from bench.onnx_session import OnnxSession, opened
from bench.refusal import Refusal
from bench.runtimes._batches import AnyBatch
from bench.runtimes._onnx import as_onnx, calibrating, fallback, in_one_line, most
from bench.workload import Lowered, Variant

NAME = "onnxruntime"
CONVOLUTIONS = ("Conv", "ConvTranspose")

WEIGHTS = {
    "Conv": (1, "float32"),
    "FusedConv": (1, "float32"),
    "NhwcFusedConv": (1, "float32"),
    "ConvTranspose": (1, "float32"),
    "Gemm": (1, "float32"),
    "FusedGemm": (1, "float32"),
    "MatMul": (1, "float32"),
    "FusedMatMul": (1, "float32"),
    "Attention": (1, "float32"),
    "QLinearConv": (3, "int8"),
    "ConvInteger": (1, "int8"),
    "QGemm": (3, "int8"),
    "QLinearMatMul": (3, "int8"),
    "MatMulInteger": (1, "int8"),
    "MatMulIntegerToFloat": (1, "int8"),
    "DynamicQuantizeMatMul": (1, "int8"),
    "QAttention": (1, "int8"),
}
"""Operators that may multiply by weights: which input the weights are, and the type they run in."""


def made(variant: Variant, inputs: tuple[Tensor, ...]) -> tuple[AnyBatch, Lowered, int, str]:
    """A variant as a session: the callable, what was made, bytes of its file, a note.

    Args:
        variant: Of a torch module or an ONNX file.
        inputs: A batch of the size that it is made for.

    Raises:
        Refusal: It does not export, does not run, or its type has no kernels.
    """
    wanted = variant.request.dtype if variant.request else "float32"
    if wanted not in {"float32", "int8"}:
        raise Refusal(
            f"onnxruntime has no {wanted} kernels for the CPU: it would compute in float32",
            "choose openvino, compile or eager for it",
        )
    exported = as_onnx(variant.model, inputs, NAME)
    note = ""
    if wanted == "int8":
        exported, note = quantized(exported, variant, len(inputs[0]))
    content = exported.SerializeToString()
    session, kernels = _opened(content, variant.workload.threads)
    left = fallback(kernels, wanted, NAME) if wanted != "float32" else ""
    lowered = Lowered(variant.model, most(kernels), kernels)
    told = "; ".join(filter(None, (note, left)))
    return AnyBatch(session, session.batch or len(inputs[0])), lowered, len(content), told


def _opened(content: bytes, threads: int) -> tuple[OnnxSession, dict[str, int]]:
    """A session, and how many operators with weights run in which type in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        try:
            session = opened(content, threads=threads, optimized=str(path))
        except Exception as error:  # whatever it raises
            raise Refusal(
                f"onnxruntime does not run the model: {in_one_line(error)}",
                "choose another runtime, or export it to a newer opset",
            ) from error
        return session, counted(onnx.load(path))


def counted(model: onnx.ModelProto) -> dict[str, int]:
    """How many operators with weights of a model run in which type.

    Args:
        model: As the runtime has optimized it.
    """
    fixed = {each.name for each in model.graph.initializer}
    found: Counter[str] = Counter()
    for node in model.graph.node:
        if all(name in fixed for name in node.input if name):  # made of weights only: weights too
            fixed.update(node.output)
        place, dtype = WEIGHTS.get(node.op_type, (None, ""))
        if place is not None and node.input[place] in fixed:
            found[dtype] += 1
    return dict(found)


def quantized(model: onnx.ModelProto, variant: Variant, size: int) -> tuple[onnx.ModelProto, str]:
    """The model in int8, and a note that says how.

    Args:
        model: In float32.
        variant: Whose request has calibration inputs.
        size: Samples of the model's batch.

    Raises:
        Refusal: Most are convolutions and there are no calibration inputs, or the quantizer fails.
    """
    kinds = Counter(node.op_type for node in model.graph.node)
    static = sum(map(kinds.__getitem__, CONVOLUTIONS)) > kinds["MatMul"] + kinds["Gemm"]
    pieces = calibrating(variant, size) if static else []
    try:
        with silence(), tempfile.TemporaryDirectory() as folder:
            names = ("model.onnx", "before.onnx", "after.onnx")
            given, before, after = (str(Path(folder) / name) for name in names)
            onnx.save(model, given)
            quant_pre_process(given, before, skip_symbolic_shape=True)
            if static:
                _static(before, after, [each.name for each in model.graph.input], pieces)
            else:
                quantize_dynamic(
                    before,
                    after,
                    op_types_to_quantize=["MatMul", "Gemm"],
                    per_channel=True,
                    weight_type=QuantType.QInt8,
                )
            made = onnx.load(after)
    except Exception as error:  # whatever it raises
        raise Refusal(
            f"onnxruntime does not quantize the model: {in_one_line(error)}",
            "choose openvino or compile for int8",
        ) from error
    return (
        made,
        "static int8 of convolutions and matrices" if static else "dynamic int8 of matrices",
    )


def _static(
    before: str, after: str, names: Sequence[str], pieces: Sequence[tuple[Tensor, ...]]
) -> None:
    quantize_static(
        before,
        after,
        _Reader(names, pieces),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives calibration inputs one after the other, as the quantizer asks for them."""

    def __init__(self, names: Sequence[str], pieces: Sequence[tuple[Tensor, ...]]) -> None:
        self.left = iter(
            [dict(zip(names, map(Tensor.numpy, each), strict=True)) for each in pieces]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)
