"""Exports torch modules to ONNX, the weights inside, and makes no sound about it."""

import contextlib
import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

LIBRARIES = ("onnx", "onnxscript")
"""What an export needs besides torch."""


def exported(model: Any, inputs: Any) -> Any:  # noqa: ANN401 - a torch module, what it takes, a model of onnx
    """A torch module as a model of onnx, for batches of the one size that *inputs* has.

    Args:
        model: It is not changed.
        inputs: A tuple for positional arguments, a dict for keywords, anything else as it is.

    Raises:
        Exception: Whatever the exporter raises for a module that it cannot export.
    """
    import torch

    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    named: Any = inputs if isinstance(inputs, Mapping) else None
    with silence(), torch.no_grad():
        program: Any = torch.onnx.export(
            copy.deepcopy(model).eval(),
            () if named else arguments,
            kwargs=named,
            dynamo=True,
            verbose=False,
        )
        return program.model_proto


def is_installed(name: str) -> bool:
    """Whether a library can be imported; it is not imported to see."""
    return importlib.util.find_spec(name) is not None


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No warning and no line of a log: exporters and quantizers have many, none about the model."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
