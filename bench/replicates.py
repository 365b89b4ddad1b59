"""What counts as one replicate: a window or a pair of windows, or the process that they ran in.

Rounds in one process share its memory layout, its allocator and its threads; another process has
other ones. Where several were measured, each gives one value: pooling their windows would claim a
certainty that is not there (shared/benchmark-tools.md §3.1).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def are_processes(processes: Iterable[int]) -> bool:
    """Whether windows come from several fresh processes, so that these are the replicates."""
    return len(set(processes)) > 1


def replicates(
    values: Sequence[T], processes: Sequence[int], typical: Callable[[list[T]], T]
) -> list[T]:
    """One value for each process in order; where there is only one, the values as they are.

    Args:
        values: One of each window or pair.
        processes: The process of each.
        typical: What stands for the values of one process.

    >>> replicates([1.0, 3.0, 5.0, 5.0], [0, 0, 1, 1], max)
    [3.0, 5.0]
    >>> replicates([1.0, 3.0], [0, 0], max)
    [1.0, 3.0]
    """
    if not are_processes(processes):
        return list(values)
    return [
        typical([value for value, each in zip(values, processes, strict=True) if each == process])
        for process in sorted(set(processes))
    ]


def by_source(
    bounds: Sequence[Mapping[str, float]], of: Callable[[list[float]], float]
) -> dict[str, float]:
    """What *of* makes of several bounds, source by source.

    >>> by_source([{"edges": 1.0}, {"edges": 3.0}], max)
    {'edges': 3.0}
    """
    sources = dict.fromkeys(source for each in bounds for source in each)
    return {source: of([each.get(source, 0.0) for each in bounds]) for source in sources}


def uncertainty_of_median(uncertainties: Sequence[float]) -> float:
    """Standard uncertainty of the median of values that have these, independently of each other.

    That of many is √(π/2) times as uncertain as their mean; that of few is less, so this is on
    the safe side.
    """
    n = len(uncertainties)
    return math.sqrt(math.pi / 2 * math.fsum(u * u for u in uncertainties)) / n
