"""What the runtimes of whole models share: models as ONNX, calibration in batches, notes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.onnx_export import LIBRARIES, exported
from bench.onnx_file import OnnxFile
from bench.refusal import Refusal, installed

if TYPE_CHECKING:
    from bench.workload import Variant


def arguments(inputs: Any) -> tuple[Tensor, ...]:  # noqa: ANN401 - a model's input may be anything
    """The tensors that a whole model is called with.

    Raises:
        Refusal: They are something else.
    """
    taken = inputs if isinstance(inputs, tuple) else (inputs,)
    odd = [type(each).__name__ for each in taken if not isinstance(each, Tensor)]
    if odd or not taken:
        raise Refusal(
            f"the model takes {', '.join(odd) or 'nothing'}, wanted tensors",
            "wrap it in a torch module whose forward takes tensors only",
        )
    return taken


def require_cpu(runtime: str, device: str) -> None:
    """Refuses any device but the CPU.

    Raises:
        Refusal: It is another.
    """
    if device != "cpu":
        raise Refusal(f"{runtime} runs on cpu here, not on {device}", "choose eager or compile")


def as_onnx(model: Any, inputs: tuple[Tensor, ...], runtime: str) -> Any:  # noqa: ANN401 - of onnx
    """A torch module or a user's file as a model of onnx, for the shapes of *inputs*.

    Args:
        model: It is not changed.
        inputs: What it is called with.
        runtime: Who asks, for messages.

    Raises:
        Refusal: It is neither, or it does not export, or the file takes other inputs.
    """
    if isinstance(model, OnnxFile):
        return _in_shape(model, inputs)
    if not isinstance(model, torch.nn.Module):
        raise Refusal(
            f"{runtime} runs torch modules and ONNX files, not a {type(model).__name__}",
            "give one of these, or choose the runtime eager",
        )
    for library in LIBRARIES:
        installed(library, "onnx")
    try:
        return exported(model, inputs)
    except Exception as error:  # whatever the exporter raises
        raise Refusal(
            f"{type(model).__name__} does not export to ONNX: {in_one_line(error)}",
            "choose the runtime eager or compile, or write its forward with operators of ONNX",
        ) from error


def _in_shape(file: OnnxFile, inputs: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - onnx.ModelProto
    """The file's model with its free dimensions set to those of *inputs*."""
    wanted = file.inputs()
    given = [tuple(each.shape) for each in inputs]
    fits = len(wanted) == len(given) and all(
        len(one.shape) == len(shape)
        and all(isinstance(a, str) or a == b for a, b in zip(one.shape[1:], shape[1:], strict=True))
        for one, shape in zip(wanted, given, strict=True)
    )
    if not fits:
        takes = ", ".join(f"{one.name} {shaped(one.shape)}" for one in wanted)
        raise Refusal(
            f"{file.path.name} takes {takes}; found {', '.join(map(shaped, given))}",
            "give inputs of these shapes",
        )
    model = file.read()
    by_name = {each.name: each for each in model.graph.input}
    for one, shape in zip(wanted, given, strict=True):
        dims = by_name[one.name].type.tensor_type.shape.dim
        for dim, size in zip(dims, shape, strict=True):
            if not dim.HasField("dim_value"):
                dim.dim_value = size
    del model.graph.value_info[:]  # it speaks of the free dimensions
    return model


def shaped(shape: Sequence[int | str]) -> str:
    """``1x3x224x224``."""
    return "x".join(map(str, shape)) or "scalar"


def in_one_line(error: BaseException) -> str:
    """The first line that says something of the error that began it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:200] if lines else type(error).__name__


def calibrating(variant: "Variant", size: int) -> list[tuple[Tensor, ...]]:
    """The calibration inputs of a request for int8, in batches of one size.

    Args:
        variant: Whose request has them, each as the model is called with it.
        size: Samples of a batch; the last one is filled up with samples from the beginning.

    Raises:
        Refusal: There are none.
    """
    request = variant.request
    given = [arguments(each) for each in request.calibration()] if request else []
    if not given:
        raise Refusal(
            f"static int8 takes the scales of activations from calibration inputs, and "
            f"{variant.workload.name} has none",
            "give Workload.calibration, or request bfloat16",
        )
    together = [torch.cat(parts) for parts in zip(*given, strict=True)]
    return list(_pieces(together, size))


def _pieces(together: list[Tensor], size: int) -> Iterator[tuple[Tensor, ...]]:
    samples = len(together[0])
    for first in range(0, samples, size):
        picked = torch.arange(first, first + size) % samples
        yield tuple(each[picked] for each in together)


def fallback(kernels: dict[str, int], wanted: str, runtime: str) -> str:
    """A note on what does not run in the type that was asked for; empty if all of it does.

    Args:
        kernels: How many operators with weights run in which type.
        wanted: The type.
        runtime: Who ran them.

    Raises:
        Refusal: None of them runs in it.
    """
    total, right = sum(kernels.values()), kernels.get(wanted, 0)
    if not right:
        found = ", ".join(f"{count} in {dtype}" for dtype, count in kernels.items()) or "none"
        raise Refusal(
            f"{runtime} runs no operator of this model in {wanted}: {found}",
            "choose another type or another runtime",
        )
    others = {dtype: count for dtype, count in kernels.items() if dtype != wanted}
    told = ", ".join(f"{count} in {dtype}" for dtype, count in others.items())
    return f"of {total} operators with weights, {told}" if others else ""


def most(kernels: dict[str, int]) -> str:
    """The type that most of the operators with weights run in; float32 where none has any."""
    return max(kernels, key=kernels.__getitem__, default="float32")
