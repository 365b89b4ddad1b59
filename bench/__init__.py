"""Joules per inference for baseline against pruned, quantized and distilled models.

Under pytest use the fixture ``joules``. These names are for meters, workloads, techniques and
notebooks of your own; everything else is private. They are imported when they are asked for:
every pytest run pays for the import of this package.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.fixture import Joules
    from bench.meter import Channel, MeterUnavailable, Reading, Status
    from bench.quantities import Kind
    from bench.suite import Suite
    from bench.workload import Quality, Variant, Workload

__all__ = [
    "Channel",
    "Joules",
    "Kind",
    "MeterUnavailable",
    "Quality",
    "Reading",
    "Status",
    "Suite",
    "Variant",
    "Workload",
]

_HOMES = {
    "fixture": ("Joules",),
    "meter": ("Channel", "MeterUnavailable", "Reading", "Status"),
    "quantities": ("Kind",),
    "suite": ("Suite",),
    "workload": ("Quality", "Variant", "Workload"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"bench.{home}"), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
