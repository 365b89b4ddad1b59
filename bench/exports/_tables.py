"""The windows and the cases of journals as data frames, for table formats; SI units."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.compare import Table
from bench.export_format import utf8_text
from bench.exports._rows import each, facts
from bench.records import lines
from bench.report import findings

if TYPE_CHECKING:
    import pandas as pd


def windows(tables: Sequence[Table]) -> "pd.DataFrame":
    """One line for each window and channel, with its run, its machine and its case's id.

    Windows of cases that are in no table are left out; idle windows, which have no case, are in.
    """
    import pandas as pd

    found = []
    for journal in findings.journals(tables):
        kept = {row.case.case for table, row in each(tables) if table.journal is journal} | {""}
        run = journal.run
        whence = {"run_id": run.run_id, "started": run.started, "machine": run.machine.get("id")}
        found += [{**whence, **line} for line in lines(journal) if line["case"] in kept]
    return pd.DataFrame([_clean(line) for line in found])


def _clean(line: dict[str, Any]) -> dict[str, Any]:
    return {name: utf8_text(v) if isinstance(v, str) else v for name, v in line.items()}


def cases(tables: Sequence[Table]) -> "pd.DataFrame":
    """One line for each case with all that `facts` says; what is unknown everywhere is a column."""
    import pandas as pd

    return pd.DataFrame([facts(table, row) for table, row in each(tables)])
