"""Runs what torch.compile makes of a model: inductor's kernels, weights frozen, one batch size."""

from dataclasses import replace
from typing import Any

from bench.refusal import Refusal
from bench.runtimes.eager import prepare
from bench.workload import Variant

__all__ = ["lower", "prepare"]


def lower(
    variant: Variant,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    *,
    device: str,
) -> Variant:
    """The variant compiled for batches of the size of *inputs*; other sizes run in pieces of it.

    On a CPU in float32 or bfloat16 with frozen weights, or in int8 by PT2E: scales of weights per
    channel, those of activations from the calibration inputs; a model without convolutions that
    cannot be quantized so finds the latter at run time. On CUDA as a graph, see `_cuda.lowered`.

    Args:
        variant: Its model is a torch module that takes tensors and gives one.
        inputs: One tensor, or several as a tuple.
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises:
        Refusal: Nothing here compiles it, or no kernel of the requested type came of it.
        ValueError: The device is unknown or not there.
    """
    import torch

    given = inputs if isinstance(inputs, tuple) else (inputs,)
    if not isinstance(variant.model, torch.nn.Module) or not all(
        isinstance(each, torch.Tensor) for each in given
    ):
        raise Refusal(
            f"{variant.workload.name}: inductor compiles torch modules that take tensors, found "
            f"{type(variant.model).__name__} of {', '.join(type(each).__name__ for each in given)}",
            "wrap the model in such a module, or choose the runtime eager",
        )
    if device != "cpu":
        from bench.runtimes._cuda import Gpu, compiled

        return compiled(variant, given, Gpu.of(device))
    from bench.runtimes._inductor import on_cpu

    made = on_cpu(variant, given)
    told = "; ".join(filter(None, (variant.note, made.note)))
    return replace(variant, model=made.model, size_disk=made.size, lowered=made.lowered, note=told)
