"""What a case is, as its record says it: its size, its quality, and what surrounds it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from bench.device import device_id
from bench.judge import Judge
from bench.layer_counts import layer_counts
from bench.model_facts import facts, stored_bytes
from bench.record import CaseRecord
from bench.workload import Case, Quality, Variant, baseline_of


def describe(
    variant: Variant,
    case: Case,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    nodeid: str,
    judge: Judge,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> CaseRecord:
    """The record of a case.

    Args:
        variant: What is measured.
        case: Its case.
        inputs: What it is called with.
        nodeid: The test that asks.
        judge: Of its quality, and of its baseline's.
        progress: Is told which seed is judged.
    """
    known = facts(variant.model, inputs)
    disk = variant.size_disk
    if disk is None:
        disk = stored_bytes(variant.model)
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
        size_bytes={"disk": disk, "nominal": known.size_nominal, **variant.sizes},
        parameters=known.parameters,
        nonzero=known.nonzero,
        macs=None if known.macs is None else known.macs // case.batch,
        workload_version=variant.workload.version,
        unit=variant.workload.unit,
        note=variant.note,
        device_id=device_id(case.device),
        nodeid=nodeid,
        layers=tuple(map(dataclasses.asdict, layer_counts(variant.model, inputs))),
    )


def _recorded(quality: Quality | None) -> dict[str, Any] | None:
    """A quality as its record; what several seeds gave only where there are several."""
    if quality is None:
        return None
    fields = dataclasses.asdict(quality)
    return fields if quality.seeds else {k: v for k, v in fields.items() if v != ()}
