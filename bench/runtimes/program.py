"""Runs programs of any language: a call is one run, from its start to its end."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.program import Program
from bench.runtimes.eager import timed_calls
from bench.workload import Loop


def prepare(
    model: Callable[..., Any],
    inputs: Any,  # noqa: ANN401, ARG001 - a program brings its own
    *,
    device: str,  # noqa: ARG001 - it chooses by itself
    threads: int,  # noqa: ARG001 - it chooses by itself
) -> Loop:
    """The loop that starts a program and waits for its end, again and again.

    Raises:
        ValueError: It is no program.
    """
    if not isinstance(model, Program):
        raise ValueError(  # noqa: TRY004 - as every runtime says that it cannot run a model
            f"found {type(model).__name__}, wanted a program: cmd:'PROGRAM ARGS';"
            " use another runtime for it"
        )
    return partial(timed_calls, model)
