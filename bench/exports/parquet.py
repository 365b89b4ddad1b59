"""Two Parquet files: every window and channel in long form, and one line for each case.

Their columns are the same in every journal: ``SELECT * FROM 'reports/*.cases.parquet'`` is a year.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.compare import Table
from bench.export_format import FileFormat, Rendered
from bench.exports._tables import cases, windows
from bench.refusal import installed

if TYPE_CHECKING:
    import pandas as pd


def _render(tables: Sequence[Table]) -> Rendered:
    installed("pyarrow", "parquet")
    if not any(table.rows for table in tables):
        return Rendered({})
    return Rendered({".windows": _bytes(windows(tables)), ".cases": _bytes(cases(tables))})


def _bytes(table: "pd.DataFrame") -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


export = FileFormat(
    "two Parquet tables: windows and channels in long form, and the cases",
    ".parquet",
    _render,
)
