"""Runs models in ONNX Runtime on the CPU: float32, or int8 by its own quantizer."""

from dataclasses import replace
from typing import Any

from bench.refusal import installed
from bench.runtimes.eager import prepare
from bench.workload import Variant

__all__ = ["lower", "prepare"]

EXTRA = "onnxruntime"


def lower(
    variant: Variant,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    *,
    device: str,
) -> Variant:
    """The variant as a session of ONNX Runtime, for batches of the size of *inputs*.

    int8 of a net of convolutions is static: scales of weights per channel, those of activations
    from the calibration inputs. Of one of matrices it is dynamic, with scales of activations from
    each input: faster and closer to float32 there, for the layer norms between would have to
    quantize and dequantize (measured in docs/runtimes.md).

    Raises:
        Refusal: It is not installed, or the device is not the CPU, or the model does not export,
            or the type has no kernels.
    """
    from bench.runtimes._onnx import arguments, require_cpu

    require_cpu("onnxruntime", device)
    installed("onnxruntime", EXTRA)
    installed("onnx", EXTRA)
    from bench.runtimes._onnxruntime import made

    session, lowered, size, note = made(variant, arguments(inputs))
    told = "; ".join(filter(None, (variant.note, note)))
    return replace(variant, model=session, size_disk=size, lowered=lowered, note=told)
