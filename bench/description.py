"""What a case is, as its record says it: its size, its quality, and what surrounds it."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from bench.device import device_id
from bench.layer_counts import layer_counts
from bench.model_facts import facts, stored_bytes
from bench.record import CaseRecord
from bench.workload import Case, Quality, Variant, baseline_of


@dataclass
class Judge:
    """Judges the quality of variants, each once in a session: it does not depend on the batch."""

    _judged: list[tuple[Variant, Quality]] = field(default_factory=list)

    def __call__(self, variant: Variant) -> Quality | None:
        """A variant's quality; None if its workload has nothing to judge by."""
        if variant.workload.quality is None:
            return None
        for known, quality in self._judged:
            if known.model is variant.model and known.workload.name == variant.workload.name:
                return quality
        quality = variant.workload.quality(variant.model)
        self._judged.append((variant, quality))
        return quality


def describe(
    variant: Variant,
    case: Case,
    inputs: Any,  # noqa: ANN401 - a model's input may be anything
    nodeid: str,
    judge: Judge,
) -> CaseRecord:
    """The record of a case.

    Args:
        variant: What is measured.
        case: Its case.
        inputs: What it is called with.
        nodeid: The test that asks.
        judge: Of its quality, and of its baseline's.
    """
    known = facts(variant.model, inputs)
    disk = variant.size_disk
    if disk is None:
        disk = stored_bytes(variant.model)
    quality = judge(variant)
    baseline = judge(baseline_of(variant.workload))
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
        quality=dataclasses.asdict(quality) if quality else None,
        baseline_quality=dataclasses.asdict(baseline) if baseline else None,
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
