"""Wh per 1 000 queries of the GPU alone, as AI Energy Score counts; not one of its scores.

Its scores are of its own data sets on an H100: every record says that, and gives no stars.
"""

from collections.abc import Sequence
from typing import Any

from bench.compare import Row, Table
from bench.export_format import FileFormat, LeftOut, Rendered, json_text
from bench.exports._gpu import Board, board
from bench.exports._rows import each

_JOULES_PER_WH = 3600.0
_QUERIES = 1000
_NOTE = (
    "no AI Energy Score: those are of its own data sets on an NVIDIA H100 80GB; compare only what"
    " ran the same inputs on the same GPU"
)


def _render(tables: Sequence[Table]) -> Rendered:
    records, left = [], []
    for table, row in each(tables):
        found = board(table, row)
        if isinstance(found, str):
            left.append(LeftOut(row.case.case, found))
        else:
            records.append(_record(row, found))
    return Rendered({"": json_text(records)} if records else {}, tuple(left))


def _record(row: Row, gpu: Board) -> dict[str, Any]:
    wh = _QUERIES / _JOULES_PER_WH
    return {
        "task": row.case.workload,
        "model": f"{row.case.label} ({row.case.runtime})",
        "gpu": gpu.model,
        "batch_size": row.case.batch,
        "query": row.case.unit,
        "gpu_energy_wh_per_1000_queries": gpu.energy.value * wh,
        "ci95_wh_per_1000_queries": [gpu.energy.low * wh, gpu.energy.high * wh],
        "kind": str(gpu.energy.kind),
        "boundary": gpu.energy.boundary,
        "note": _NOTE,
    }


export = FileFormat(
    "Wh per 1 000 queries of the GPU alone, as AI Energy Score counts",
    ".ai-energy-score.json",
    _render,
)
