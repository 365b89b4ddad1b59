"""A torch module compiled by inductor for one shape: float32, bfloat16, or int8 by PT2E."""

import contextlib
import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch._inductor import config

from bench.model_facts import disk_bytes, stored_bytes
from bench.refusal import Refusal, for_memory, installed
from bench.runtimes._batches import AnyBatch, batch_of
from bench.runtimes._kernels import KernelCount, main_dtype
from bench.runtimes._narrowed import Narrowed
from bench.workload import Lowered, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping

Inputs = tuple[Tensor, ...]

FROZEN = {"freezing": True}
"""Weights become constants of the graph: folded, and packed once for the kernels' own layout."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a variant: what runs, its bytes, what it is, and what to know of it."""

    model: Callable[..., Tensor]
    size: int | None
    lowered: Lowered
    note: str


@dataclass(frozen=True)
class Compiled:
    """What inductor made of a module: it runs in inference mode on as many threads as then.

    Dynamo compiles anew for another number of threads, with gradients on, and for tensors that were
    made in inference mode: here none of these changes.

    Args:
        run: Takes tensors and gives one.
        threads: Of torch, on a CPU.
    """

    run: Callable[..., Tensor]
    threads: int

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What the module gives."""
        if any(each.is_inference() for each in inputs):
            with torch.inference_mode(mode=False):
                inputs = tuple(each.clone() for each in inputs)
        before = torch.get_num_threads()
        if before == self.threads and torch.is_inference_mode_enabled():
            return self.run(*inputs)
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                return self.run(*inputs)
        finally:
            torch.set_num_threads(before)


def compiled(
    model: nn.Module,
    inputs: Inputs,
    *,
    threads: int,
    options: "Mapping[str, Any]",
    calls: int = 1,
) -> "tuple[Compiled, Mapping[str, int]]":
    """*model* compiled as one graph for the shapes of *inputs*, and the kernels of that graph.

    What was compiled before keeps working, and nothing is left behind that later ones would meet:
    Dynamo keeps graphs on the code object that they come from, with a limit on how many, and each
    model is called here from a code object of its own.

    Args:
        model: In evaluation mode, on the device of *inputs*.
        inputs: What it will be called with.
        threads: CPU threads that the kernels are made for.
        options: Of inductor.
        calls: How often it runs before it is handed out: a CUDA graph is recorded at the second.
    """
    count = KernelCount()

    def run(*given: Tensor) -> Tensor:
        out: Tensor = model(*given)
        return out

    run.__code__ = run.__code__.replace()
    given: dict[str, Any] = {"post_grad_custom_pre_pass": count, **options}
    made = Compiled(torch.compile(run, fullgraph=True, dynamic=False, options=given), threads)
    # Dynamo asks inductor's configuration whether weights are constants, before it has the options
    with quiet(), config.patch(freezing=options.get("freezing", False)):
        for _ in range(calls):
            made(*inputs)
    return made, dict(count.found)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what torch's compilers and quantizers warn of in their own code from the caller."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def refused(name: str, fix: str) -> Iterator[None]:
    """Turns any failure to compile into a refusal of one line.

    Raises:
        Refusal: What was to be compiled was not.
    """
    try:
        yield
    except Refusal:
        raise
    except Exception as error:
        told = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        why = f"{name}: {type(error).__name__}: {told[:300]}"
        raise for_memory(error) or Refusal(why, fix) from error


def require_compiler() -> None:
    """Refuses where inductor finds no C++ compiler.

    Raises:
        Refusal: There is none.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise Refusal(
            "inductor finds no C++ compiler that works",
            "install one, such as by apt install g++, or name one in the variable CXX",
        ) from error


def on_cpu(variant: Variant, inputs: Inputs) -> Made:
    """The variant compiled for a CPU.

    Raises:
        Refusal: It does not compile, or not to the requested type.
    """
    require_compiler()
    request, name, model = variant.request, variant.workload.name, variant.model
    assert isinstance(model, nn.Module)  # noqa: S101 - `lower` has refused others
    with refused(f"inductor cannot compile {name}", "choose another runtime, such as eager"):
        if request is None:
            return _in_float32(variant, model.eval(), inputs)
        if request.dtype == "bfloat16":
            return _in_bfloat16(variant, model.eval(), inputs)
        if request.dtype == "int8":
            return _in_int8(variant, model.eval(), inputs)
    raise Refusal(
        f"compile on a CPU runs float32, bfloat16 and int8, not {request.dtype}",
        "choose one of these, or a GPU",
    )


def _in_float32(variant: Variant, model: nn.Module, inputs: Inputs) -> Made:
    made, kernels = compiled(model, inputs, threads=variant.workload.threads, options=FROZEN)
    return Made(_any(made, inputs), variant.size_disk, Lowered(model, None, kernels), "")


def _in_bfloat16(variant: Variant, model: nn.Module, inputs: Inputs) -> Made:
    narrow = Narrowed(model, torch.bfloat16).eval()
    made, kernels = compiled(narrow, inputs, threads=variant.workload.threads, options=FROZEN)
    dtype, note = main_dtype(kernels, "bfloat16", variant.workload.name)
    return Made(_any(made, inputs), stored_bytes(narrow), Lowered(narrow, dtype, kernels), note)


def _in_int8(variant: Variant, model: nn.Module, inputs: Inputs) -> Made:
    """In int8 with static scales of activations; with dynamic ones where that fails without convs.

    Raises:
        Refusal: torchao is not installed, or no int8 kernel came of it.
    """
    installed("torchao", "models")
    make = functools.partial(_quantized, variant, model, inputs)
    convolves = any(isinstance(each, nn.Conv1d | nn.Conv2d) for each in model.modules())
    try:
        return make(dynamic=False)
    except Exception:
        if convolves:
            raise
    return make(dynamic=True)


def _quantized(variant: Variant, model: nn.Module, inputs: Inputs, *, dynamic: bool) -> Made:
    samples = variant.request.calibration() if variant.request else ()
    with quiet():
        from bench.runtimes._pt2e import quantized, used_tensors

        graph = quantized(model, inputs, samples, dynamic=dynamic)
    made, kernels = compiled(graph, inputs, threads=variant.workload.threads, options=FROZEN)
    dtype, note = main_dtype(kernels, "int8", variant.workload.name)
    scales = "scales of activations at run time" if dynamic else "static scales of activations"
    told = "; ".join(filter(None, (scales, note)))
    size = disk_bytes(used_tensors(graph, model))
    return Made(_any(made, inputs), size, Lowered(model, dtype, kernels), told)


def _any(made: Compiled, inputs: Inputs) -> AnyBatch:
    return AnyBatch(made, batch_of(inputs))
