"""The windows and the cases of a journal as data frames, for table formats; SI units.

A column has the same name and type in every journal, whatever was measured, so that the files of a
year are one table.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.compare import Table
from bench.export_format import utf8_text
from bench.exports._rows import each, facts
from bench.records import lines
from bench.report import findings

if TYPE_CHECKING:
    import pandas as pd

_WINDOW = (
    "run_id", "started", "machine", "case", "role", "process", "pair", "order", "seconds", "calls",
    "samples", "p50_s", "p99_s", "channel", "joules", "low", "high", "kind", "boundary", "status",
    "reason",
)  # fmt: skip
_TEXTS = {
    "run_id", "started", "machine", "commit", "device", "case", "baseline", "workload",
    "workload_version", "technique", "level", "runtime", "dtype", "sample", "quality_metric",
    "not_of_this_machine", "role", "channel", "kind", "boundary", "status", "reason",
}  # fmt: skip
_TEXT_ENDS = ("_kind", "_boundary", "_reason", "_verdict")
_COUNTS = {
    "process", "pair", "order", "calls", "samples", "batch", "threads", "windows", "discards",
    "parameters", "nonzero", "macs",
}  # fmt: skip
_COUNT_ENDS = ("_n", "_bytes")


def windows(tables: Sequence[Table]) -> "pd.DataFrame":
    """One line for each window and channel, with its run, its machine and its case's id.

    Windows of cases that are in no table are left out; idle windows, which have no case, are in.
    """
    found = []
    for journal in findings.journals(tables):
        kept = {row.case.case for table, row in each(tables) if table.journal is journal} | {""}
        run = journal.run
        whence = {"run_id": run.run_id, "started": run.started, "machine": run.machine.get("id")}
        found += [{**whence, **line} for line in lines(journal) if line["case"] in kept]
    return _typed(found, _WINDOW)


def cases(tables: Sequence[Table]) -> "pd.DataFrame":
    """One line for each case with all that `facts` says; what is unknown everywhere is a column."""
    found = [facts(table, row) for table, row in each(tables)]
    return _typed(found, tuple(found[0]))


def _typed(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    array: Any = pd.array  # its types list every kind of array, and none by a computed name
    return pd.DataFrame(
        {name: array([_cell(line.get(name)) for line in found], _type(name)) for name in columns}
    )


def _type(column: str) -> str:
    if column in _TEXTS or column.endswith(_TEXT_ENDS):
        return "string"
    return "Int64" if column in _COUNTS or column.endswith(_COUNT_ENDS) else "Float64"


def _cell(value: object) -> object:
    return utf8_text(value) if isinstance(value, str) else value
