"""Runs models in OpenVINO on the CPU: float32, bfloat16, or int8 by nncf."""

from dataclasses import replace
from typing import Any

from bench.refusal import installed
from bench.runtimes.eager import prepare
from bench.workload import Variant

__all__ = ["lower", "prepare"]

EXTRA = "openvino"


def lower(
    variant: Variant,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    *,
    device: str,
) -> Variant:
    """The variant compiled by OpenVINO for low latency, for batches of the size of *inputs*.

    int8 is static: nncf takes the scales of activations from the calibration inputs, what it
    leaves out runs in float32.

    Raises:
        Refusal: It is not installed, or the device is not the CPU, or the model does not convert,
            or the type has no kernels here.
    """
    from bench.runtimes._onnx import arguments, require_cpu

    require_cpu("openvino", device)
    installed("openvino", EXTRA)
    if variant.request and variant.request.dtype == "int8":
        installed("nncf", EXTRA)
    from bench.runtimes._openvino import made

    model, lowered, size, note = made(variant, arguments(inputs))
    told = "; ".join(filter(None, (variant.note, note)))
    return replace(variant, model=model, size_disk=size, lowered=lowered, note=told)
