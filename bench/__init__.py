"""Joules per inference for baseline against pruned, quantized and distilled models.

Under pytest use the fixture ``joules``. These names are for meters, workloads, techniques and
notebooks of your own; everything else is private.
"""

from bench.meter import Channel, MeterUnavailable, Reading, Status
from bench.quantities import Kind, Quantity
from bench.workload import Quality, Variant, Workload

__all__ = [
    "Channel",
    "Kind",
    "MeterUnavailable",
    "Quality",
    "Quantity",
    "Reading",
    "Status",
    "Variant",
    "Workload",
]
