"""The windows and the cases of journals as data frames, for table formats; SI units."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.compare import Table
from bench.export_format import utf8_text
from bench.exports._rows import each, facts
from bench.records import frame
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
        lines = frame(journal)
        lines = lines[lines["case"].isin(kept)]
        lines.insert(0, "run_id", journal.run.run_id)
        lines.insert(1, "started", journal.run.started)
        lines.insert(2, "machine", journal.run.machine.get("id"))
        found.append(lines)
    whole = pd.concat(found, ignore_index=True)
    for name in whole.select_dtypes(exclude=["number", "bool"]).columns:
        whole[name] = [utf8_text(v) if isinstance(v, str) else None for v in whole[name]]
    return whole


def cases(tables: Sequence[Table]) -> "pd.DataFrame":
    """One line for each case with all that `facts` says; what is unknown everywhere is a column."""
    import pandas as pd

    return pd.DataFrame([facts(table, row) for table, row in each(tables)])
