"""Every window and channel in long form, SI units, for what reads nothing but CSV.

The numbers of a report stand in the CSV beside its page.
"""

from collections.abc import Sequence

from bench.compare import Table
from bench.export_format import FileFormat, Rendered
from bench.exports._tables import windows


def _render(tables: Sequence[Table]) -> Rendered:
    if not any(table.rows for table in tables):
        return Rendered({})
    return Rendered({"": str(windows(tables).to_csv(index=False, lineterminator="\n"))})


export = FileFormat(
    "CSV: windows and channels in long form, SI units",
    ".windows.csv",
    _render,
)
