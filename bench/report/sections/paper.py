"""The paper beside here: published ratios next to ours, where both speak of the same thing."""

from collections.abc import Callable, Sequence

from bench.compare import Row, Table
from bench.layer_counts import recorded
from bench.quantities import Absent
from bench.record import CaseRecord
from bench.reference.directions import Direction, directions
from bench.reference.layers import PublishedRatio, layer_density, layer_ratios
from bench.reference.published import Confidence
from bench.report import blocks, findings, text
from bench.report.main_table import half_of
from bench.report.markdown import Report
from bench.statistics import Interval

ORDER = 64
_EVEN = 0.02  # a published ratio this near to 1 has no sign: it comes without an interval
_LAYERS = (
    "The published columns are sparse ÷ dense of the paper's device, from its times and powers;"
    " ours is variant ÷ baseline here, the same layer at the same batch and density with other"
    " weights. Comparable are the ratio and its sign (below 1 it pays, above 1 it costs), never"
    " microseconds or millijoules of another machine. The papers timed float32 CSR only: shared"
    " weights had no kernel, so their row stands beside the published CSR ratio."
)
_DIGITS = (
    "**MNIST there, digits here: direction only.** The data, the images' size and the training"
    " differ, so no number is comparable with its neighbour; rows of other data say so themselves."
    " Connections and size are baseline ÷ variant, accuracy is the change in points."
)


def section(report: Report) -> str:
    """A folded part for each device that has a case of which a paper speaks."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        body = "\n\n".join((*_layers(table), *_digits(table)))
        if body:
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            parts.append(blocks.details(f"The paper beside here{name}", body))
    return "\n\n".join(parts)


def grey(shown: str, confidence: Confidence) -> str:
    """A published value; what nobody has read anywhere is small, in italics, and says so."""
    return shown if confidence.is_read else f"<sub>*{shown} ({confidence})*</sub>"


def _layers(table: Table) -> list[str]:
    """The table of time, and that of energy where it was measured."""
    rows = [row for row in table.rows if _is_sparse(row) and _published(row)]
    if not rows:
        return []
    parts = [_LAYERS, _layer_table(rows, table, "time", lambda row: row.time_ratio)]
    measured = [row for row in rows if row.energy_ratio]
    if measured:
        parts.append(_layer_table(measured, table, "energy", lambda row: row.energy_ratio))
    else:
        parts.append(f"Energy ratios are not compared: {text.escape(_why(table, rows))}.")
    return parts


def _why(table: Table, rows: Sequence[Row]) -> str:
    """Why none of the rows has an energy ratio."""
    if not any(isinstance(row.energy, Absent) for row in rows):
        return "a ratio needs two pairs"
    return findings.why_absent(table).reason


def _is_sparse(row: Row) -> bool:
    """Whether zeros are skipped in the row's kernels: the form that the papers timed."""
    return row.case.level.get("form") == "csr" or row.case.technique.endswith("sparse")


def _published(row: Row) -> tuple[PublishedRatio, ...]:
    return layer_ratios(row.case.workload, row.case.batch)


def _layer_table(
    rows: Sequence[Row], table: Table, what: str, ratio: Callable[[Row], Interval | None]
) -> str:
    devices = dict.fromkeys(each.device for row in rows for each in _published(row))
    header = (
        "layer", "variant", "batch", "density here / paper, %", f"{what} ÷ dense, here [95 %]",
        *devices, "published in",
    )  # fmt: skip
    lines = []
    for row in rows:
        published = {each.device: each for each in _published(row)}
        ours = ratio(row)
        cells = [_layer_cell(published.get(device), what, ours) for device in devices]
        lines.append(
            (
                text.escape(row.case.workload.partition(":")[2]),
                text.escape(findings.label(row, table.rows)),
                str(row.case.batch),
                _densities(row),
                text.ratio(ours) if ours else "—",
                *cells,
                text.escape(next(iter(published.values())).table),
            )
        )
    return blocks.table(header, lines, left=2, last=1)


def _layer_cell(published: PublishedRatio | None, what: str, ours: Interval | None) -> str:
    value = None if published is None else getattr(published, what)
    if published is None or value is None:
        return "—"
    return grey(f"{text.significant(value, 2)}, {sign(value, ours)}", published.confidence)


def sign(published: float, ours: Interval | None) -> str:
    """Whether both sides pay or both cost; ours says neither while its interval holds 1."""
    if ours is None or ours.low <= 1 <= ours.high:
        return "ours unresolved"
    if abs(published - 1) < _EVEN:
        return "theirs even"
    return "sign agrees" if (ours.value < 1) == (published < 1) else "sign differs"


def _densities(row: Row) -> str:
    """The density of the variant and that of the paper, which should be the same."""
    published = layer_density(row.case.workload)
    known = row.case.nonzero is not None and row.case.parameters
    ours = row.case.level.get("density")
    if ours is None and known:
        ours = str((row.case.nonzero or 0) / (row.case.parameters or 1))
    here = text.significant(100 * float(ours), 2) if ours else "—"
    if published is None or published.value is None:
        return f"{here} / —"
    return f"{here} / {grey(text.significant(published.value, 2), published.confidence)}"


def _digits(table: Table) -> list[str]:
    """What papers found of the techniques that ran on digits, beside what they did here.

    Connections are counted by layer: a case of a journal that has no layers is left out.
    """
    lines: dict[tuple[str, str], tuple[str, ...]] = {}
    baselines = {row.case.case: row for row in table.rows}
    for row in table.rows:
        published = directions(row.case.technique, row.case.workload)
        if published and row.case.layers:
            cells = _digit_cells(row, baselines.get(row.case.baseline), published)
            lines.setdefault((row.case.workload, row.case.label), cells)
    if not lines:
        return []
    header = ("workload", "variant", "connections ÷", "size ÷", "accuracy, points", "published")
    return [_DIGITS, blocks.table(header, lines.values(), left=2, last=1)]


def _digit_cells(row: Row, baseline: Row | None, published: Sequence[Direction]) -> tuple[str, ...]:
    change, known = row.quality_change, findings.is_share(row)
    half = half_of(row.quality_change_interval, share=True)
    shown = f"{text.signed(100 * change)}{half}" if change is not None and known else "—"
    before = baseline.case if baseline else None
    return (
        text.escape(row.case.workload),
        text.escape(row.case.label),
        _times(connections(before) if before else None, connections(row.case)),
        _times(before.size_bytes.get("disk") if before else None, row.case.size_bytes.get("disk")),
        shown,
        "<br>".join(_direction(each) for each in published),
    )


def connections(case: CaseRecord) -> int:
    """Weights that are not zero, biases left out, as the papers count them."""
    return sum(round(layer.weights * layer.weight_density) for layer in recorded(case.layers))


def _times(before: int | None, after: int | None) -> str:
    return f"{text.significant(before / after, 2)}×" if before and after else "—"


def _direction(found: Direction) -> str:
    rate = f"{text.significant(found.rate, 2)}× {found.what}" if found.rate else ""
    change = found.accuracy_change
    points = "" if change is None else f"{text.signed(change, 2)} points"
    said = ", ".join(filter(None, (rate, points)))
    return grey(text.escape(f"{found.network}: {said} ({found.paper})"), found.confidence)
