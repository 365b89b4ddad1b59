"""Runs works of a simulated device, in its virtual time: for tests and `joulebench demo`."""

from collections.abc import Callable
from typing import Any

from bench.simulated import SimulatedModel
from bench.workload import Loop


def prepare(
    model: Callable[..., Any],
    inputs: Any,  # noqa: ANN401, ARG001 - a work takes no input
    *,
    device: str,  # noqa: ARG001 - it runs where it was made
    threads: int,  # noqa: ARG001
) -> Loop:
    """The loop of a simulated model.

    Raises:
        ValueError: It is another kind of model.
    """
    if not isinstance(model, SimulatedModel):
        raise ValueError(  # noqa: TRY004 - as every runtime says that it cannot run a model
            f"found {type(model).__name__}, wanted a SimulatedModel; use another runtime for it"
        )
    return model.device.loop(model.work)
