"""Variants that another process can make: found by name, so in a module of their own."""

import functools
import os

from bench.workload import Quality, Variant, Workload


def judged(seed: int, _model: object) -> Quality:
    return Quality("process", float(os.getpid()), seed)


def work() -> int:
    return 1


def again(seed: int) -> Variant:
    workload = Workload("mine", work, lambda batch: batch, functools.partial(judged, seed))
    return Variant(workload, "t", (), work)


def breaks(seed: int) -> Variant:
    raise RuntimeError(f"seed {seed} breaks")
