"""Where the energy goes by a model: memory levels, and layers; nothing here was measured."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.layer_counts import recorded
from bench.modelled import Level, Model, Modelled, eyeriss, horowitz, total
from bench.quantities import Quantity
from bench.reference.alexnet import alexnet
from bench.reference.published import load
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.statistics import Verdict

ORDER = 62
_SAID = (
    "*Modelled: operations and bytes × pJ, not measured.* Operations and bytes are those of the"
    " layers as they ran; what one costs is from Horowitz' table of a 45 nm chip: a multiplication"
    " at the weight's width and a 32-bit sum, both operands from SRAM (5 pJ for 32 bits), and the"
    " stored weights, inputs and outputs once a call from or to DRAM (640 pJ for 32 bits; up to"
    " twice that in the same table). Nothing stays in a cache between two calls: a model that fits"
    " into one spends less on DRAM than this. No ranking, figure or verdict uses these numbers."
    " Eyeriss is a chip that skips zeros: its column is the ratio to the baseline, by accesses × 1,"
    " 2, 6 and 200 for register file, network, buffer and DRAM, as Yang et al. 2017 weigh them."
)
_LEVELS = (Level.DRAM, Level.SRAM, Level.ARITHMETIC)
_CHECK_BATCH = 48
_FULL = 0.995


def section(report: Report) -> str:
    """A folded part for each device whose cases say what their layers did."""
    several = len(report.tables) > 1
    parts = []
    for table in report.tables:
        if any(findings.modelled(row) for row in table.rows):
            name = f" · {findings.heading(table, report.tables)}" if several else ""
            summary = f"Where the energy goes, modelled{name}"
            parts.append(blocks.details(summary, _body(table)))
    return "\n\n".join(parts)


def _body(table: Table) -> str:
    parts = [_SAID]
    for name, rows in findings.workloads(table):
        known = [row for row in rows if findings.modelled(row)]
        if known:
            parts += [f"**{text.escape(name)}**", _by_level(known), *_by_layer(known)]
    return "\n\n".join((*parts, _check()))


def _by_level(rows: list[Row]) -> str:
    """One line for each case: its energy, what share of it each level has, its ratios."""
    scale = text.prefix([value.value for row in rows if (value := findings.modelled(row))])
    unit = f"{scale.symbol}J per {text.escape(rows[0].case.unit or 'sample')}"
    header = (
        "variant", "batch", f"*modelled, {unit}*", *(f"{level}, %" for level in _LEVELS),
        "*÷ baseline*", "*÷ baseline, Eyeriss*",
    )  # fmt: skip
    baselines = {row.case.case: row for row in rows}
    lines = [_level_cells(row, baselines.get(row.case.baseline), rows, scale) for row in rows]
    return blocks.table(header, lines)


def _level_cells(
    row: Row, baseline: Row | None, rows: Sequence[Row], scale: text.Prefix
) -> tuple[str, ...]:
    layers = horowitz(recorded(row.case.layers))
    whole = total(layer.total for layer in layers)
    shares = (100 * _at(layers, level).over(whole) for level in _LEVELS)
    per_sample = whole.value / row.case.batch / scale.factor
    return (
        f"{text.escape(findings.label(row, rows))}{_coverage(row)}",
        str(row.case.batch),
        f"*{text.significant(per_sample)}*",
        *(text.fixed(share, 0) for share in shares),
        _ratio(row, baseline, energy=horowitz),
        _ratio(row, baseline, energy=eyeriss),
    )


def _coverage(row: Row) -> str:
    """A remark where the layers with weights are not all that the model multiplies."""
    macs = sum(layer.macs for layer in recorded(row.case.layers))
    if row.case.macs is None or macs >= _FULL * row.case.macs * row.case.batch:
        return ""
    share = 100 * macs / (row.case.macs * row.case.batch)
    return f" <sub>({text.fixed(share, 0)} % of its operations)</sub>"


def _ratio(row: Row, baseline: Row | None, *, energy: Model) -> str:
    if baseline is None or row.is_baseline:
        return "1" if row.is_baseline else "—"
    own, other = (total(m.total for m in energy(recorded(r.case.layers))) for r in (row, baseline))
    return f"*{text.significant(own.over(other), 2)}*"


def _at(layers: Sequence[Modelled], level: Level) -> Quantity:
    return total(layer.at(level) for layer in layers)


def _by_layer(rows: list[Row]) -> list[str]:
    """The layers of each baseline, and of the variant that won beside it."""
    chosen = [row for _, group in findings.settings(rows) for row in _chosen(group)]
    if not chosen:
        return []
    values = [layer.total.value for row in chosen for layer in horowitz(recorded(row.case.layers))]
    scale = text.prefix([value / chosen[0].case.batch for value in values])
    unit = f"{scale.symbol}J per {text.escape(rows[0].case.unit or 'sample')}"
    header = (
        "variant", "batch", "layer", "operations", "of two nonzeros, %", "weights",
        *(f"*{level}, {unit}*" for level in _LEVELS),
    )  # fmt: skip
    lines = [cells for row in chosen for cells in _layer_cells(row, rows, scale)]
    return [blocks.table(header, lines)]


def _chosen(rows: Sequence[Row]) -> list[Row]:
    """The baseline, and what saves most by measured energy, or else by time."""
    faster = [row for row in rows if row.time_verdict is Verdict.SAVES and row.time_ratio]
    fastest = min(
        faster, key=lambda row: row.time_ratio.value if row.time_ratio else 0, default=None
    )
    best = findings.best(rows) if any(map(_is_measured, rows)) else fastest
    return [row for row in rows if row.is_baseline or row is best]


def _is_measured(row: Row) -> bool:
    return isinstance(row.energy, Quantity)


def _layer_cells(row: Row, rows: Sequence[Row], scale: text.Prefix) -> list[tuple[str, ...]]:
    counts = recorded(row.case.layers)
    found = []
    for count, layer in zip(counts, horowitz(counts), strict=True):
        share = 100 * count.macs_nonzero / count.macs if count.macs else 0.0
        energies = (layer.at(level).value / row.case.batch / scale.factor for level in _LEVELS)
        found.append(
            (
                text.escape(findings.label(row, rows)),
                str(row.case.batch),
                f"{text.escape(count.name)} {text.escape(count.kind)}",
                text.count(count.macs // row.case.batch),
                text.fixed(share, 0),
                text.size(count.weight_bytes),
                *(f"*{text.significant(value)}*" for value in energies),
            )
        )
    return found


def _check() -> str:
    """The same two models of pruned AlexNet, beside what was published of it."""
    ratios = []
    for energy in (horowitz, eyeriss):
        dense, pruned = (
            total(each.total for each in energy(alexnet(pruned=kept, batch=_CHECK_BATCH, bits=16)))
            for kept in (False, True)
        )
        ratios.append(text.significant(dense.over(pruned), 2))
    aware, than_magnitude = (_published(metric) for metric in ("", "_vs_magnitude_pruning"))
    return (
        f"The same models of AlexNet at the densities of Han et al. 2015, 16 bits, batch"
        f" {_CHECK_BATCH}: {ratios[0]}× less energy by Horowitz, {ratios[1]}× by Eyeriss. Published"
        f" for Yang's fuller model: {aware:g}× for energy-aware pruning, said to be"
        f" {than_magnitude:g}× better than magnitude pruning, so"
        f" {text.significant(aware / than_magnitude, 2)}× for that."
    )


def _published(metric: str) -> float:
    """Of AlexNet, by Yang et al. 2017."""
    return next(
        row.value
        for row in load("yang2017_energy_aware_pruning")
        if (row.network, row.metric) == ("AlexNet", f"energy_reduction{metric}") and row.value
    )
