"""Lists of github-action-benchmark's ``customSmallerIsBetter``: joules of an instrument, in mJ.

The action draws one chart for each name and converts no unit of energy, so the unit is always mJ
and a name holds the kind and the boundary: another meter starts another chart. Estimates are
never drawn. For times, give it the export ``pytest-benchmark`` as its tool ``pytest``.
"""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.export_format import FileFormat, Rendered, json_text
from bench.exports._rows import foreign, measured
from bench.quantities import Quantity
from bench.report import text

_MILLI = 1e-3


def _render(tables: Sequence[Table]) -> Rendered:
    found, left = measured(tables)
    entries = [_entry(table, row, energy) for table, row, energy in found]
    return Rendered({"": json_text(entries)} if entries else {}, tuple(left))


def _entry(table: Table, row: Row, energy: Quantity) -> dict[str, object]:
    case = row.case
    half = max(energy.high - energy.value, energy.value - energy.low)
    kind = f"{'simulated or replayed, ' if foreign(table) else ''}{energy.kind}"
    git = table.journal.run.git or {}
    about = (
        f"95 % CI {energy.low / _MILLI:.6g} to {energy.high / _MILLI:.6g} mJ",
        f"per {case.unit}, idle included",
        f"kind: {energy.kind}",
        f"boundary: {energy.boundary}",
        f"windows: {row.windows}",
        f"verdict: {'baseline' if row.is_baseline else row.energy_verdict}",
        f"machine: {table.journal.run.machine.get('id')}",
        f"commit: {git.get('commit', 'none')}",
    )
    return {
        "name": text.plain(f"{case.case} energy per {case.unit} ({kind}, {energy.boundary})"),
        "unit": "mJ",
        "value": energy.value / _MILLI,
        "range": f"± {half / _MILLI:.3g}",
        "extra": "\n".join(text.plain(line) for line in about),
    }


export = FileFormat(
    "list for github-action-benchmark (customSmallerIsBetter): measured energy, always mJ",
    ".github-action-benchmark.json",
    _render,
)
