"""BERT's published distilled form, DistilBERT, beside BERT itself: the same sequences."""

from bench.model_facts import float_size, stored_bytes
from bench.refusal import Refusal
from bench.techniques._precision import requested
from bench.workload import Variant, Workload

NAME = "distilbert"


def apply(workload: Workload, *, seed: int = 0, dtype: str = "fp32") -> Variant:  # noqa: ARG001
    """DistilBERT, with weights from where the workload has those of BERT.

    Random weights of both have nothing to do with each other: what is measured is the speed, the
    size and the energy of the shape, which was published as 40 % smaller and 60 % faster.

    Args:
        workload: ``bert-base``.
        seed: Not used: the workload's own seed draws random weights.
        dtype: ``fp32``, or what the runtime is to make of it: ``bf16``, ``fp16``, ``int8``,
            ``fp8``.

    Raises:
        ValueError: There is no such *dtype*.
        Refusal: The workload has no distilled form, or its weights cannot be had.

    Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT".
    """
    form, load = (getattr(workload.context, name, None) for name in ("name", "load"))
    if form is None or load is None:
        raise Refusal(
            f"{workload.name} has no published distilled form here",
            "take bert-base, or the technique layer_dropping",
        )
    student = load()
    size, sizes = stored_bytes(student.model), float_size(workload.model)
    note = f"{form}, {student.origin}"
    return requested(Variant(workload, NAME, (), student.model, size, note, sizes), dtype)
