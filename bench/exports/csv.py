"""Every window and channel in long form, SI units, for what reads nothing but CSV.

The numbers of a report stand in the CSV beside its page. No text is a formula to a spreadsheet.
"""

from collections.abc import Sequence

from bench.compare import Table
from bench.export_format import FileFormat, Rendered
from bench.exports._tables import windows
from bench.report.text import cell


def _render(tables: Sequence[Table]) -> Rendered:
    if not any(table.rows for table in tables):
        return Rendered({})
    found = windows(tables)
    texts: list[str] = list(found.select_dtypes("string").columns)
    found[texts] = found[texts].map(cell, na_action="ignore")
    return Rendered({"": str(found.to_csv(index=False, lineterminator="\n"))})


export = FileFormat(
    "CSV: windows and channels in long form, SI units",
    ".windows.csv",
    _render,
)
