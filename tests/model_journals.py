"""Journals of whole models in several runtimes, each case beside the same eager baseline."""

from collections.abc import Iterable, Mapping
from typing import Any

from journals import LOCKED, PACKAGE, Cost, Pairs, a_case, a_journal, a_run

from bench.compare import Table, compare
from bench.record import CaseRecord, Note
from bench.records import Journal
from bench.row import Row

WOBBLE = ((1.0, 1.0), (1.01, 1.0), (1.0, 1.01), (1.01, 1.01))
"""By how much the baseline and the other side of each pair differ from their cost."""
GIGA = 10**9
INT8: Mapping[str, str] = {"dtype": "int8"}
BF16: Mapping[str, str] = {"dtype": "bf16"}
Case = tuple[CaseRecord, Pairs]


def model(
    runtime: str,
    ratio: float,
    technique: str = "baseline",
    *,
    eager: float = 0.020,
    joules: float | None = None,
    agreement: float | None = 1.0,
    **changes: Any,
) -> Case:
    """A case of a model: its time as a multiple of eager float32's, and its energy if measured.

    Args:
        runtime: What runs it.
        ratio: Its time, and energy, over those of the baseline.
        technique: What was done to it.
        eager: Time of the baseline, s/sample.
        joules: Energy of the baseline, J/sample; None if nothing measures.
        agreement: Its quality, of which 0.95 is wanted; None if it is not judged.
        **changes: Other fields of the record.
    """
    level = changes.get("level", {})
    dtype = {"int8": "int8", "bf16": "bfloat16"}.get(level.get("dtype", ""), "float32")
    fields = {"workload": "resnet18", "batch": 1, "macs": 2 * GIGA, "dtype": dtype, **changes}
    fields["baseline"] = f"{fields['workload']}/baseline/eager/cpu/b{fields['batch']}"
    judged = None
    if agreement is not None:
        judged = {"metric": "top-1 agreement", "value": agreement, "target": 0.95, "n": 64}
    shipped = None if judged is None else {**judged, "value": 1.0}
    fields = {"quality": judged, "baseline_quality": shipped, **fields}
    case = a_case(technique, runtime=runtime, **fields)
    pairs = [(_cost(eager * a, joules, a), _cost(eager * ratio * b, joules, ratio * b))
             for a, b in WOBBLE]  # fmt: skip
    return case, pairs


def _cost(seconds: float, joules: float | None, factor: float) -> Cost:
    return Cost({} if joules is None else {PACKAGE.id: joules * factor}, seconds)


def gemm(dtype: str, rate: float) -> Case:
    """A ceiling of the roofline: so many GMAC/s."""
    name = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8"}[dtype]
    case = a_case(
        workload=f"roofline:gemm-{name}", dtype=dtype, macs=GIGA, quality=None,
        baseline_quality=None, unit="product",
    )  # fmt: skip
    cost = Cost({}, 1 / rate)
    return case, [(cost, cost)] * 3


def crossed(**others: Any) -> tuple[Case, ...]:
    """A model in eager, onnxruntime and OpenVINO: bf16 saves, int8 breaks quality, pruned saves."""
    return (
        model("eager", 1.0, **others),
        model("onnxruntime", 0.7, **others),
        model("openvino", 0.5, kernels={"float32": 21}, **others),
        model("openvino", 0.2, "precision", level=BF16, kernels={"bfloat16": 21}, **others),
        model(
            "openvino", 0.1, "precision", level=INT8, agreement=0.6,
            kernels={"int8": 20, "float32": 1}, **others,
        ),
        model(
            "openvino", 0.08, "whole_pruning", level={**INT8, "ratio": "0.5"}, parameters=300,
            nonzero=300, macs=GIGA // 2, agreement=0.97, **others,
        ),
        model("eager", 1.0, "whole_mask", level={"density": "0.1"}, nonzero=100, **others),
    )  # fmt: skip


def unmeasured(cases: Iterable[Case], notes: Iterable[Note] = (), **run: Any) -> Journal:
    """The journal of a machine without any energy meter."""
    channels = run.pop("channels", ())
    return a_journal(
        cases, run=a_run(channels=channels, unusable=(LOCKED,), **run), notes=tuple(notes)
    )


def table_of(cases: Iterable[Case]) -> Table:
    """The one table of a journal without energy."""
    (table,) = compare([unmeasured(cases)])
    return table


def rows_of(table: Table) -> dict[str, Row]:
    """The rows by runtime and variant, such as ``openvino precision@dtype=int8``."""
    return {f"{row.case.runtime} {row.case.label}": row for row in table.rows}
