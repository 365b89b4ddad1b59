"""A user's ONNX file: what it takes, and what it answers where ONNX Runtime is installed."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.refusal import Refusal, installed


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """What one input of a file takes.

    Args:
        name: As the file calls it.
        shape: A number, or the name of a dimension that is free; ``?`` where it has none.
        dtype: As numpy calls it, such as ``float32``.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model as an ONNX file, weights inside or beside it.

    The runtimes onnxruntime and openvino take it as they take a torch module. It can be called as
    well, in ONNX Runtime on one thread: that is how its answers are judged by.

    Args:
        path: The file.
    """

    path: Path

    def __call__(self, *inputs: Any) -> Any:  # noqa: ANN401 - tensors of torch, which is not loaded here
        """What it answers: its first output.

        Raises:
            Refusal: The file cannot be read, or onnxruntime is not installed.
        """
        return _runner(self.path)(*inputs)

    def inputs(self) -> tuple[OnnxInput, ...]:
        """What it takes, in the order in which it is called.

        Raises:
            Refusal: The file cannot be read, or onnx is not installed.
        """
        from onnx.helper import tensor_dtype_to_np_dtype

        graph = self.read(weights=False).graph
        stored = {weight.name for weight in graph.initializer}
        taken = [each for each in graph.input if each.name not in stored]
        kinds = [each.type.tensor_type for each in taken]
        return tuple(
            OnnxInput(each.name, _shape(kind), tensor_dtype_to_np_dtype(kind.elem_type).name)
            for each, kind in zip(taken, kinds, strict=True)
        )

    def read(self, *, weights: bool = True) -> Any:  # noqa: ANN401 - onnx.ModelProto
        """The model in the file, as onnx gives it.

        Args:
            weights: Whether to load weights that lie in files beside it.

        Raises:
            Refusal: The file cannot be read, or onnx is not installed.
        """
        installed("onnx", "onnx")
        import onnx

        try:
            model = onnx.load(self.path, load_external_data=weights)
            onnx.checker.check_model(model if weights else str(self.path))
        except Exception as error:  # whatever a damaged file makes of the parser
            raise _unreadable(self.path, error) from error
        return model


def _shape(kind: Any) -> tuple[int | str, ...]:  # noqa: ANN401 - onnx.TypeProto.Tensor
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
        for dim in kind.shape.dim
    )


def _unreadable(path: Path, error: Exception) -> Refusal:
    told = str(error).strip() or type(error).__name__
    return Refusal(
        f"{path} cannot be read as ONNX: {told.splitlines()[0]}",
        "give a file that onnx.checker accepts, its external data beside it",
    )


@functools.lru_cache(maxsize=2)
def _runner(path: Path) -> Callable[..., Any]:
    """Runs the file; the last two stay open."""
    installed("onnxruntime", "onnxruntime")
    from bench.onnx_session import opened

    try:
        return opened(str(path), threads=1)
    except Exception as error:
        raise _unreadable(path, error) from error
