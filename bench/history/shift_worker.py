"""Shifts of many series, found in a process beside this one.

The library that cuts series takes as long to import as a year's index takes to read. On two cores
both go on at once.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.history.shifts import Shift, shifts, unavailable
from bench.statistics import t_quantile

Find = Callable[[Sequence[Sequence[float]]], list[tuple[Shift, ...]]]
"""Gives the confirmed shifts of each series, as `bench.history.shifts.shifts` does."""


def here(series: Sequence[Sequence[float]]) -> list[tuple[Shift, ...]]:
    """The shifts of each series, found in this process; none without the library."""
    if unavailable() is not None:
        return [() for _ in series]
    return [shifts(values) for values in series]


@contextlib.contextmanager
def beside() -> Iterator[Find]:
    """A way to find shifts in a process that has loaded the library meanwhile."""
    if unavailable() is not None:
        yield here
        return
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(_load)

        def find(series: Sequence[Sequence[float]]) -> list[tuple[Shift, ...]]:
            found = pool.submit(here, series)
            t_quantile(0.95, 1)  # whoever shows shifts needs it next: it loads while we wait
            return found.result()

        yield find


def _load() -> None:
    import ruptures  # noqa: F401 - so that it is there when the series are
