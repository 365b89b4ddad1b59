"""An ONNX model that runs: a session of ONNX Runtime as a callable of torch tensors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """Runs a model on the CPU; tensors are read where they lie, and the answer is a fresh one.

    Args:
        session: Of ONNX Runtime.
        names: Of its inputs, in the order in which it is called.
        output: Name of the answer.
    """

    session: Any
    names: tuple[str, ...]
    output: str

    def __call__(self, *inputs: "Tensor") -> "Tensor":
        """The answer, in the shape that the model gives it."""
        import torch

        feed = {name: each.numpy() for name, each in zip(self.names, inputs, strict=True)}
        return torch.from_numpy(self.session.run([self.output], feed)[0])

    @property
    def batch(self) -> int | None:
        """Samples that each call takes; None if it takes any number."""
        shape = self.session.get_inputs()[0].shape
        first = shape[0] if shape else None
        return first if isinstance(first, int) else None


def opened(model: bytes | str, *, threads: int, optimized: str = "") -> OnnxSession:
    """A session with all optimizations, on one model at a time.

    Args:
        model: Its bytes, or the path of its file.
        threads: CPU threads within an operator; operators run one after the other.
        optimized: Where to write the model as it runs; empty writes none.

    Raises:
        Exception: Whatever ONNX Runtime raises for a model that it cannot run.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = (
        4  # only what is fatal: it says that the optimized file is for here
    )
    if optimized:
        options.optimized_model_filepath = optimized
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = tuple(each.name for each in session.get_inputs())
    return OnnxSession(session, names, session.get_outputs()[0].name)
