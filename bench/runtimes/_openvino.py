"""Models of OpenVINO: converted, quantized, compiled, and their kernels counted."""

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# openvino and nncf send events to their vendor when they are imported; without this library they
# send none. It has no other use.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov

from bench.refusal import Refusal
from bench.runtimes._batches import AnyBatch
from bench.runtimes._onnx import as_onnx, calibrating, fallback, in_one_line, most
from bench.workload import Lowered, Variant

NAME = "openvino"
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
"""The type of what is not int8, for each that can be requested."""

WEIGHTED = {"Convolution", "Deconvolution", "FullyConnected", "MatMul"}
DTYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "i8": "int8", "u8": "int8"}


@dataclass(frozen=True)
class Compiled:
    """Runs a compiled model, one request at a time; the answer is a fresh tensor.

    Args:
        request: Of the compiled model, used again and again.
    """

    request: Any

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The answer, in the shape that the model gives it."""
        for index, each in enumerate(inputs):
            tensor = ov.Tensor(each.numpy(), shared_memory=True)
            self.request.set_input_tensor(index, tensor)
        self.request.infer()
        return torch.from_numpy(self.request.get_output_tensor(0).data.copy())
