"""Trained stages that variants share, each made once in a process, and what making them costs.

A pruned model is trained once and run by dense and by sparse kernels; both owe the same training.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

Measure = Callable[[Callable[[], Any]], tuple[Any, Any]]
"""Runs what it is given; gives the result, and what measuring it gave."""


class _Stages:
    """What was made in this process, and what making each cost."""

    def __init__(self) -> None:
        self.made: dict[Hashable, tuple[Any, Any]] = {}


_STAGES = _Stages()
_measure: ContextVar[Measure | None] = ContextVar("measure", default=None)
_used: ContextVar[dict[Hashable, Any] | None] = ContextVar("used", default=None)
_busy: ContextVar[Hashable | None] = ContextVar("busy", default=None)


def stage(key: Hashable, make: Callable[[], T]) -> T:
    """What *make* gives, made at the first call with this *key*; others share it: copy it.

    Args:
        key: All that the result depends on: technique, workload and its version, seed, level.
        make: Trains it. It must not ask for another stage: what that cost would count twice.

    Raises:
        RuntimeError: A stage asks for a stage.
    """
    if (outer := _busy.get()) is not None:
        raise RuntimeError(
            f"the stage {key} is asked for within {outer}, wanted one after the other; "
            "make it before, and pass it in"
        )
    if key not in _STAGES.made:
        measure, token = _measure.get(), _busy.set(key)
        try:
            _STAGES.made[key] = measure(make) if measure else (make(), None)
        finally:
            _busy.reset(token)
    result, cost = _STAGES.made[key]
    used = _used.get()
    if used is not None:
        used[key] = cost
    made: T = result
    return made


@contextlib.contextmanager
def costed(measure: Measure | None = None) -> Iterator[dict[Hashable, Any]]:
    """Measures stages that are made inside; gives the cost of each one that is used, by its key.

    A stage that was made before has the cost of then; None if nothing measured it.
    """
    used: dict[Hashable, Any] = {}
    tokens = _measure.set(measure), _used.set(used)
    try:
        yield used
    finally:
        _measure.reset(tokens[0])
        _used.reset(tokens[1])
