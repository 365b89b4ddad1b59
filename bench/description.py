"""What a case is, as its record says it: its size, its quality, and what surrounds it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from bench.device import device_id
from bench.judge import Judge
from bench.layer_counts import layer_counts
from bench.model_facts import bytes_moved, dense_bytes, facts, stored_bytes
from bench.onnx_size import OnnxSizes
from bench.record import CaseRecord
from bench.workload import Case, Lowered, Quality, Variant, baseline_of


def describe(
    variant: Variant,
    case: Case,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    nodeid: str,
    judge: Judge,
    *,
    progress: Callable[[str], None] = lambda _: None,
    onnx: OnnxSizes | None = None,
) -> CaseRecord:
    """The record of a case.

    Args:
        variant: What is measured.
        case: Its case.
        inputs: What it is called with.
        nodeid: The test that asks.
        judge: Of its quality, and of its baseline's.
        progress: Is told which seed is judged.
        onnx: Exports models to ONNX for their size; None exports none.
    """
    lowered = variant.lowered or Lowered(variant.model)
    source = lowered.source
    known = facts(source, inputs)
    disk = variant.size_disk
    if disk is None:
        disk = stored_bytes(source)
    dense, moved = dense_bytes(source), bytes_moved(source, inputs)
    layers = layer_counts(source, inputs)
    if lowered.dtype not in {None, known.dtype}:  # what runs moves other bytes than its source
        known = dataclasses.replace(known, dtype=lowered.dtype, size_nominal=None)
        moved, layers = None, ()
    exported = onnx(variant.model, inputs) if onnx else None
    shipped = dense_bytes(variant.workload.model)
    others = {"dense": dense, "baseline": shipped, "onnx": exported}
    sizes = {k: v for k, v in others.items() if v is not None} | dict(variant.sizes)
    quality = judge(variant, progress)
    baseline = judge(baseline_of(variant.workload), progress)
    return CaseRecord(
        case=case.id,
        workload=case.workload,
        technique=variant.technique,
        level=dict(variant.level),
        runtime=case.runtime,
        device=case.device,
        batch=case.batch,
        threads=variant.workload.threads,
        dtype=known.dtype,
        baseline=case.baseline.id,
        quality=_recorded(quality),
        baseline_quality=_recorded(baseline),
        size_bytes={"disk": disk, "nominal": known.size_nominal, **sizes},
        parameters=known.parameters,
        nonzero=known.nonzero,
        macs=None if known.macs is None else known.macs // case.batch,
        workload_version=variant.workload.version,
        unit=variant.workload.unit,
        note="; ".join(filter(None, (variant.workload.note, variant.note))),
        device_id=device_id(case.device),
        nodeid=nodeid,
        bytes_moved=None if moved is None else moved // case.batch,
        layers=tuple(map(dataclasses.asdict, layers)),
        kernels=dict(lowered.kernels),
    )


def _recorded(quality: Quality | None) -> dict[str, Any] | None:
    """A quality as its record, without what it has none of: several seeds, other metrics."""
    if quality is None:
        return None
    return {k: v for k, v in dataclasses.asdict(quality).items() if v not in ((), {})}
