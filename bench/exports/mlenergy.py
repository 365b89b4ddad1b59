"""Records with the keys of The ML.ENERGY Leaderboard: joules of a GPU's board, and nothing else.

Its energies are of GPUs alone, so only that board's joules are given, even where the table adds the
CPU beside it. Its token is one that was written: reading a prompt is refused. Its image is one
that was drawn; where ours was looked at, ``task`` names the workload, so that nobody ranks both.

Source: keys as in github.com/ml-energy/leaderboard, public/data/tasks.
"""

from collections.abc import Sequence
from typing import Any

from bench.compare import Row, Table
from bench.export_format import FileFormat, LeftOut, Rendered, json_text
from bench.exports._gpu import Board, board
from bench.exports._rows import each, seconds

_KEYS = {
    "token": ("energy_per_token_joules", "output_throughput_tokens_per_sec"),
    "request": ("energy_per_request_joules", "request_throughput_req_per_sec"),
    "image": ("energy_per_image_joules", "throughput_images_per_sec"),
}
_BILLION = 1e9


def _render(tables: Sequence[Table]) -> Rendered:
    records, left = [], []
    for table, row in each(tables):
        found = _record(table, row)
        if isinstance(found, str):
            left.append(LeftOut(row.case.case, found))
        else:
            records.append(found)
    files = {"": json_text({"configurations": records})} if records else {}
    return Rendered(files, tuple(left))


def _record(table: Table, row: Row) -> dict[str, Any] | str:
    """The record of one case, or why the format has no place for it."""
    case = row.case
    if case.unit not in _KEYS:
        wanted = ", ".join(sorted(_KEYS))
        return f"it counts {case.unit}s, and the format has keys for {wanted} only"
    if case.unit == "token" and "prefill" in case.workload:
        return "its tokens are read, and the format's are those that are written"
    found = board(table, row)
    return found if isinstance(found, str) else _filled(row, found)


def _filled(row: Row, gpu: Board) -> dict[str, Any]:
    case, time = row.case, seconds(row)
    energy_key, speed_key = _KEYS[case.unit]
    record = {
        "task": case.workload,
        "model_id": f"{case.workload}/{case.label}",
        "nickname": f"{case.workload} {case.label} ({case.runtime})",
        "gpu_model": gpu.model,
        "num_gpus": 1,
        "total_params_billions": None if case.parameters is None else case.parameters / _BILLION,
        "weight_precision": case.dtype,
        "batch_size": case.batch,
        energy_key: gpu.energy.value,
        "avg_power_watts": gpu.power.value,
        "batch_latency_s": time.value * case.batch if time else None,
        speed_key: 1 / time.value if time else None,
        "joules": {
            "case": case.case,
            "kind": str(gpu.energy.kind),
            "boundary": gpu.energy.boundary,
            "ci95_j": [gpu.energy.low, gpu.energy.high],
            "windows": row.windows,
            "includes_idle": True,
        },
    }
    return {name: value for name, value in record.items() if value is not None}


export = FileFormat(
    "records with ML.ENERGY's keys: joules of the GPU's board per token, request or image",
    ".mlenergy.json",
    _render,
)
