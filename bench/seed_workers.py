"""Processes that make variants of other seeds beside each other, and rest while we measure.

A seed's training runs on one CPU, for its bits not to depend on their number; so as many seeds
train at once as there are CPUs. What cannot be sent to another process is made in this one.
"""

import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from bench.workload import Quality, Variant

Again = Callable[[int], Variant]


@dataclass
class SeedWorkers:
    """Workers that are started when they are first needed, and kept until `close`.

    A seed is always made by the same one, which shares trained stages between its variants.

    Args:
        number: How many; the CPUs of this process by default.
    """

    number: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    _pools: list[ProcessPoolExecutor] = field(default_factory=list, repr=False)

    def qualities(self, again: Again, seeds: Sequence[int]) -> list[Quality]:
        """The quality of a variant for each of the seeds, in their order.

        Args:
            again: Makes the variant from a seed.
            seeds: Which ones.
        """
        if min(self.number, len(seeds)) > 1 and _can_be_sent(again):
            if not self._pools:
                context = get_context("spawn")  # a fork of threads may hang
                self._pools = [
                    ProcessPoolExecutor(1, mp_context=context) for _ in range(self.number)
                ]
            try:
                begun = [
                    self._pools[seed % self.number].submit(quality_of, again, seed)
                    for seed in seeds
                ]
                return [future.result() for future in begun]
            except Exception:  # noqa: BLE001 - whatever it was, here it shows as it is
                self.close()
                self.number = 1
        return [quality_of(again, seed) for seed in seeds]

    def close(self) -> None:
        """Ends the workers; a second call does nothing."""
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)
        self._pools = []


def quality_of(again: Again, seed: int) -> Quality:
    """Makes the variant of a seed, and judges it."""
    variant = again(seed)
    assert variant.workload.quality is not None  # noqa: S101 - it is the workload of another seed
    return variant.workload.quality(variant.model)


def _can_be_sent(again: Again) -> bool:
    try:
        pickle.dumps(again)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True
