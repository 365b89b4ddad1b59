"""What a GPU runs of a model: bf16 and fp16, int8 and fp8 by torchao, 2:4 sparse weights.

Nothing here waits for the GPU while a window runs: the loop of `bench.runtimes.eager` does so at
its ends. Compiled models run as CUDA graphs, recorded before they are handed out.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.model_facts import disk_bytes
from bench.refusal import Refusal, installed
from bench.runtimes import _inductor
from bench.runtimes._batches import AnyBatch, batch_of
from bench.runtimes._kernels import main_dtype
from bench.runtimes._narrowed import Narrowed, weighted
from bench.runtimes.eager import torch_device
from bench.two_of_four import SPARSE, is_two_of_four, sparsifiable
from bench.workload import Lowered, Variant

GRAPHS = {"triton.cudagraphs": True}
"""What the mode reduce-overhead stands for: one launch replays all kernels of a call."""

RECORDED = 3
"""Calls until a CUDA graph replays: torch compiles in the first and records in the second."""

ABLE = {"bfloat16": (8, 0), "int8": (7, 5), "float8": (8, 9), SPARSE: (8, 0)}
"""Least compute capability whose tensor cores have a type, from NVIDIA's CUDA C++ Programming
Guide (bf16 and 2:4: Ampere; int8: Turing; fp8: Ada and Hopper)."""

HALVES = ("bfloat16", "float16")
EIGHT_BITS = ("int8", "float8")


RECOMMENDED = {
    "coordinate_descent_tuning": True,
    "coordinate_descent_check_all_directions": True,
    "force_fuse_int_mm_with_mul": True,
}
"""What torchao would tell inductor for the whole process, for one model instead
(``torchao.quantization.utils.recommended_inductor_config_setter``)."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as far as it matters here.

    Args:
        where: The device.
        capability: Its compute capability, as CUDA counts.
    """

    where: torch.device
    capability: tuple[int, int]

    @classmethod
    def of(cls, device: str) -> "Gpu":
        """The GPU called *device*.

        Raises:
            ValueError: The device is unknown or not there.
        """
        where = torch_device(device, torch.cuda.device_count())
        return cls(where, torch.cuda.get_device_capability(where))


@dataclass(frozen=True)
class OnDevice:
    """Runs what lies on a GPU; tensors from elsewhere are brought to it.

    Args:
        run: Takes tensors on the device and gives one.
        where: The device.
    """

    run: Callable[..., Tensor]
    where: torch.device

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What *run* gives, on the device."""
        return self.run(*(each.to(self.where) for each in inputs))


@dataclass(frozen=True, slots=True)
class Form:
    """What a GPU is asked to make of a model.

    Args:
        dtype: ``float32``, ``bfloat16``, ``float16``, ``int8`` or ``float8``.
        sparse: Whether weights are 2:4 sparse.
    """

    dtype: str
    sparse: bool = False

    @classmethod
    def of(cls, variant: Variant) -> "Form":
        """What a variant asks for."""
        asked = variant.request.dtype if variant.request else "float32"
        return cls(asked.removesuffix(SPARSE), asked.endswith(SPARSE))

    @property
    def name(self) -> str:
        """The form as in the counts of kernels, such as ``bfloat16 2:4``."""
        return self.dtype + SPARSE * self.sparse

    def require(self, capability: tuple[int, int], forms: tuple[str, ...]) -> None:
        """Refuses what a runtime has no form of, and what a GPU has no tensor cores for.

        Args:
            capability: Of the GPU, as CUDA counts.
            forms: The types that the runtime has.

        Raises:
            Refusal: It came before these, or the runtime is another one's.
        """
        if self.dtype not in forms or (self.sparse and self.dtype not in HALVES):
            raise Refusal(
                f"this runtime runs {', '.join(forms)} on a GPU, not {self.name}",
                "choose one of these, or the runtime compile",
            )
        for part in (self.dtype, SPARSE) if self.sparse else (self.dtype,):
            least = ABLE.get(part, (0, 0))
            if capability < least:
                raise Refusal(
                    f"{part.strip()} needs compute capability {least[0]}.{least[1]}, this GPU has "
                    f"{capability[0]}.{capability[1]}",
                    "take a newer GPU, or another type",
                )


def eager(variant: Variant, gpu: Gpu) -> Variant:
    """The variant in the 16-bit type that it asks for, its weights 2:4 sparse if it asks for that.

    Eager torch has no kernels that quantize activations and multiply them in one go.

    Raises:
        Refusal: It asks for another type, or the GPU has no tensor cores for it.
    """
    form = Form.of(variant)
    form.require(gpu.capability, HALVES)
    model = prepared(variant, form, gpu.where)
    layers = weighted(model)
    sparse = to_sparse(model, variant.workload.name) if form.sparse else 0
    kernels = {form.name: sparse, form.dtype: layers - sparse} if sparse else {form.name: layers}
    return _made(variant, form, OnDevice(model, gpu.where), model, kernels)


def compiled(variant: Variant, inputs: _inductor.Inputs, gpu: Gpu) -> Variant:
    """The variant compiled by inductor and recorded as a CUDA graph.

    int8 and float8 are torchao's: weights with a scale for each output channel, activations with
    one for each row, found at run time; linear layers only, the rest is bfloat16.

    Raises:
        Refusal: The GPU has no tensor cores for the type, or the model does not compile to it.
    """
    form, name = Form.of(variant), variant.workload.name
    form.require(gpu.capability, ("float32", *HALVES, *EIGHT_BITS))
    with _inductor.refused(f"inductor cannot compile {name}", "choose the runtime eager"):
        model = prepared(variant, form, gpu.where)
        if form.sparse:
            to_sparse(model, name)
        run, kernels = _inductor.compiled(
            model,
            tuple(each.to(gpu.where) for each in inputs),
            threads=variant.workload.threads,
            options=options(form),
            calls=RECORDED,
        )
        if gpu.where.type == "cuda":  # what fails on a GPU is told by the next call that waits
            torch.cuda.synchronize(gpu.where)
    made = OnDevice(AnyBatch(run, batch_of(inputs)), gpu.where)
    return _made(variant, form, made, model, kernels)


def options(form: Form) -> Mapping[str, Any]:
    """What inductor is told: to record a CUDA graph, and to freeze weights that are torch's own.

    Freezing folds constants, which the weights of torchao and 2:4 ones are not.
    """
    if form.dtype in EIGHT_BITS:
        return GRAPHS | RECOMMENDED
    return GRAPHS | ({} if form.sparse else _inductor.FROZEN)


def prepared(variant: Variant, form: Form, where: torch.device) -> nn.Module:
    """A copy of the variant's model on a device, in what it asks for but for sparse weights."""
    assert isinstance(variant.model, nn.Module)  # noqa: S101 - `lower` has refused others
    if form.dtype == "float32":
        return copy.deepcopy(variant.model).eval().to(where)
    half = form.dtype if form.dtype in HALVES else "bfloat16"
    model = Narrowed(variant.model, getattr(torch, half)).eval().to(where)
    if form.dtype in EIGHT_BITS:
        quantize(model, form.dtype)
    return model


def quantize(model: nn.Module, dtype: str) -> int:
    """Gives the linear layers of a bfloat16 model weights of torchao; how many.

    Args:
        model: It is changed.
        dtype: ``int8`` or ``float8``.

    Raises:
        Refusal: torchao is not installed, or no layer can be quantized.
    """
    installed("torchao", "models")
    with _inductor.quiet():
        from torchao.quantization import quantize_

        quantize_(model, torchao_config(dtype))
    layers = [each for each in model.modules() if isinstance(each, nn.Linear)]
    count = sum(type(each.weight) not in {Tensor, nn.Parameter} for each in layers)
    if not count:
        raise Refusal(
            f"torchao quantized none of the {len(layers)} linear layers to {dtype}",
            "choose bf16: there is no such form of convolutions, or of layers of these shapes",
        )
    return count


def torchao_config(dtype: str) -> Any:  # noqa: ANN401 - a type of torchao
    """How torchao is asked for a type: a scale for each row of activations and each channel."""
    from torchao.quantization import (
        Float8DynamicActivationFloat8WeightConfig,
        Int8DynamicActivationInt8WeightConfig,
        PerRow,
    )

    # left on, this sets options of inductor for the whole process
    if dtype == "int8":
        return Int8DynamicActivationInt8WeightConfig(set_inductor_config=False)
    return Float8DynamicActivationFloat8WeightConfig(
        granularity=PerRow(), set_inductor_config=False
    )


def to_sparse(
    model: nn.Module,
    name: str,
    compress: Callable[[Tensor], Tensor] = torch.sparse.to_sparse_semi_structured,
) -> int:
    """Stores each weight of *model* that is 2:4 sparse as such; how many.

    Args:
        model: On a GPU, in a 16-bit type; it is changed.
        name: The workload's, for the message.
        compress: Gives a weight without its zeros.

    Raises:
        Refusal: No weight is, or this torch has no kernels for them.
    """
    layers = [each for each in sparsifiable(model) if is_two_of_four(each.weight)]
    if not layers:
        raise Refusal(
            f"{name} has no linear layer with 2:4 weights", "use the technique semi_structured"
        )
    with _inductor.quiet(), _inductor.refused(name, "take a GPU and a torch with cuSPARSELt"):
        for layer in layers:
            weight = compress(layer.weight.detach().contiguous())
            layer.weight = nn.Parameter(weight, requires_grad=False)
    return len(layers)


def open_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The plain tensors inside of *tensors*: torchao's and sparse ones are made of several."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if type(tensor) in {Tensor, nn.Parameter}:
            found[name] = tensor
        elif hasattr(tensor, "__tensor_flatten__"):
            inner, _ = tensor.__tensor_flatten__()
            found |= open_tensors({f"{name}.{part}": getattr(tensor, part) for part in inner})
    return found


def _made(
    variant: Variant,
    form: Form,
    made: OnDevice,
    model: nn.Module,
    kernels: Mapping[str, int],
) -> Variant:
    """The variant as it runs, unless nothing of it runs as asked."""
    kernels = {dtype: count for dtype, count in kernels.items() if count}
    dtype, note = main_dtype(kernels, form.name, variant.workload.name)
    return replace(
        variant,
        model=made,
        size_disk=disk_bytes(open_tensors(model.state_dict())),
        lowered=Lowered(variant.model, dtype, kernels),
        note="; ".join(filter(None, (variant.note, note))),
    )
