"""Runs a model as torch does by default, operator by operator; any other callable as it is."""

import copy
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from bench.refusal import Refusal
from bench.two_of_four import SPARSE
from bench.workload import Loop, Lowered, Variant

if TYPE_CHECKING:
    import torch

TIMED_CALLS = 1000
"""Most calls of a window whose latency a GPU tells: an event pair costs some microseconds."""


def prepare(
    model: Callable[..., Any],
    inputs: Any,  # noqa: ANN401 - what the model takes
    *,
    device: str = "cpu",
    threads: int = 1,
) -> Loop:
    """A loop that runs *model* on *inputs* n times, back to back.

    Args:
        model: A torch module, run in inference mode on the device, a copy if it lies elsewhere;
            or any callable, for which torch is not imported.
        inputs: A tuple for positional arguments, a dict for keywords, anything else as it is.
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        threads: CPU threads of torch while the loop runs.

    Returns:
        Runs n inferences and gives latencies in seconds: of each on a CPU, of at most 1,000 evenly
        spread ones on a GPU.

    Raises:
        ValueError: The device is unknown or not there, or the model cannot be moved to it.
    """
    if device == "cpu" and "torch" not in sys.modules:
        return partial(timed_calls, _call(model, inputs))
    import torch

    where = torch_device(device, torch.cuda.device_count())
    moved = _moved(inputs, where)
    if isinstance(model, torch.nn.Module):
        model = _on_device(model.eval(), where)
    call = _call(model, moved)
    run = partial(timed_calls, call)
    if where.type == "cuda":
        run = partial(event_timed_calls, call, torch.cuda, where)

    def loop(calls: int) -> Sequence[float]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                return run(calls)
        finally:
            torch.set_num_threads(before)

    return loop


def lower(
    variant: Variant,
    inputs: Any,  # noqa: ANN401, ARG001 - torch needs no shapes
    *,
    device: str,
) -> Variant:
    """The variant as it is, or all of it in a 16-bit type; on a GPU with 2:4 sparse weights too.

    Raises:
        Refusal: Another type is requested, or something that is no torch module.
    """
    request = variant.request
    if request is None:
        return variant
    import torch

    model = variant.model
    if isinstance(model, torch.nn.Module) and device != "cpu":
        from bench.runtimes import _cuda

        return _cuda.eager(variant, _cuda.Gpu.of(device))
    if request.dtype.endswith(SPARSE):
        raise Refusal(
            f"no CPU skips the zeros of {request.dtype} weights",
            "run on a GPU: --joules-device cuda",
        )
    if request.dtype not in {"bfloat16", "float16"} or not isinstance(model, torch.nn.Module):
        raise Refusal(
            f"eager torch runs whole models in float32, bfloat16 or float16, not {request.dtype}",
            "choose another runtime: compile, onnxruntime or openvino",
        )
    from bench.runtimes._narrowed import Narrowed, weighted

    narrow = Narrowed(model, getattr(torch, request.dtype))
    made = Lowered(narrow, request.dtype, {request.dtype: weighted(narrow)})
    return replace(variant, model=narrow, lowered=made)


def timed_calls(call: Callable[[], Any], calls: int) -> Sequence[float]:
    """Seconds of each of *calls* runs of *call*; together they are the whole loop, without gaps."""
    import numpy as np

    stamps = array("q", bytes(8 * (calls + 1)))
    clock = time.perf_counter_ns
    stamps[0] = clock()
    for index in range(1, calls + 1):
        call()
        stamps[index] = clock()
    seconds = np.diff(np.frombuffer(stamps, dtype=np.int64)) / 1e9
    return array("d", seconds.tobytes())  # ten thousand stamps to seconds in microseconds


def event_timed_calls(
    call: Callable[[], Any],
    cuda: Any,  # noqa: ANN401 - torch.cuda, or what stands for it
    where: "torch.device",
    calls: int,
) -> Sequence[float]:
    """Seconds on the GPU of evenly spread ones of *calls* runs, at most 1,000.

    The host waits for the GPU before the first call and after the last, and nowhere between.
    """
    stride = -(-calls // TIMED_CALLS)
    with cuda.device(where):
        pairs = [
            (cuda.Event(enable_timing=True), cuda.Event(enable_timing=True))
            for _ in range(0, calls, max(stride, 1))
        ]
        cuda.synchronize(where)
        for number, (start, stop) in enumerate(pairs):
            start.record()
            call()
            stop.record()
            for _ in range(min(stride, calls - number * stride) - 1):
                call()
        cuda.synchronize(where)
        return [start.elapsed_time(stop) / 1000 for start, stop in pairs]  # CUDA tells milliseconds


def _call(model: Callable[..., Any], inputs: Any) -> Callable[[], Any]:  # noqa: ANN401
    if isinstance(inputs, tuple):
        return partial(model, *inputs)
    if isinstance(inputs, Mapping):
        return partial(model, **inputs)
    return partial(model, inputs)


def torch_device(name: str, gpus: int) -> "torch.device":
    """The device called *name* on a machine with that many GPUs that torch can use.

    Raises:
        ValueError: The name is none, or there is no such GPU.
    """
    import torch

    kind, _, number = name.partition(":")
    if name == "cpu":
        return torch.device("cpu")
    if kind != "cuda" or (":" in name and not number.isdecimal()):
        raise ValueError(f"device is {name!r}, wanted cpu, cuda or cuda:<n>; choose one of them")
    if not gpus:
        raise ValueError(
            f"device is {name!r}, but torch {torch.__version__} finds no GPU it can use; run on "
            "cpu, or install the driver and a build of torch for CUDA"
        )
    index = int(number or 0)
    if index >= gpus:
        raise ValueError(
            f"device is {name!r}, but the GPUs end at cuda:{gpus - 1}; choose cuda:0 to "
            f"cuda:{gpus - 1}"
        )
    return torch.device("cuda", index)


def _on_device(model: "torch.nn.Module", where: "torch.device") -> "torch.nn.Module":
    """*model* itself if all of it lies there, else a copy that does."""
    if all(tensor.device == where for tensor in chain(model.parameters(), model.buffers())):
        return model
    try:
        return copy.deepcopy(model).to(where)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"{type(model).__name__} cannot be moved to {where}: {error}; give a variant made for "
            "that device, or run on the device it lies on"
        ) from error


def _moved(inputs: Any, where: "torch.device") -> Any:  # noqa: ANN401
    """*inputs* with every tensor in them on the device."""
    import torch

    if isinstance(inputs, torch.Tensor):
        return inputs.to(where)
    if isinstance(inputs, Mapping):
        return {name: _moved(value, where) for name, value in inputs.items()}
    if type(inputs) in (tuple, list):
        return type(inputs)(_moved(value, where) for value in inputs)
    return inputs
