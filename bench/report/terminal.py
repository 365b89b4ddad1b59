"""The table of a terminal, at most 100 columns wide."""

from collections.abc import Sequence

from bench.compare import Row, Table
from bench.quantities import Absent, Quantity
from bench.report import findings, text
from bench.report.main_table import quality

WIDTH = 100
_GAP = "  "
_LEAST_LABEL = 12


def lines(tables: Sequence[Table]) -> list[str]:
    """Each device's table: first, in words, whether energy was measured and how.

    Only printable characters leave here, whatever a case is called.
    """
    found: list[str] = []
    for table in tables:
        if found:
            found.append("")
        found += _head(table, tables)
        for name, rows in findings.workloads(table):
            found += ["", shorten(text.plain(name), WIDTH), *_grid(table, rows)]
    return found


def _head(table: Table, tables: Sequence[Table]) -> list[str]:
    """Whether energy is measured, by what; or why not, and what helps."""
    name = f"{findings.plain_heading(table, tables)}: " if len(tables) > 1 else ""
    loud = [findings.SIMULATED] if findings.is_simulated(table.journal) else []
    if not findings.is_measured(table):
        absent = findings.why_absent(table)
        fix = f"; fix: {absent.fix}" if absent.fix else ""
        return [*_wrapped(f"{name}energy: NOT MEASURED – {absent.reason}{fix}"), *loud]
    kinds = dict.fromkeys(r.energy.kind for r in table.rows if isinstance(r.energy, Quantity))
    said = " and ".join(f"{kind} ({findings.how(kind)})" for kind in kinds)
    head = _wrapped(f"{name}energy: {said}, {findings.boundary(table)}, idle included")
    replayed = findings.replayed(table.journal.run.channels)
    if replayed:
        origins = ", ".join(dict.fromkeys(channel.origin for channel in replayed))
        head += _wrapped(f"REPLAYED TRACE, NOT THIS MACHINE: {origins}")
    return head + loud


def _wrapped(line: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text.plain(line), WIDTH, subsequent_indent="        ")


def _grid(table: Table, rows: Sequence[Row]) -> list[str]:
    energy = findings.is_measured(table)
    share = all(findings.is_share(row) for row in rows if row.case.quality)
    scales = _scales(rows)
    header = [
        "variant",
        "batch",
        f"p50, {scales[0].symbol}s",
        f"energy, {scales[1].symbol}J",
        f"{'energy' if energy else 'time'} ratio",
        "quality",
        "verdict" if energy else "by time",
    ]
    cells = [_cells(table, row, scales, share=share) for row in rows]
    if len({row.case.batch for row in rows}) == 1 and rows[0].case.batch == 1:
        header, cells = _without(header, 1), [_without(line, 1) for line in cells]
    widths = [max(len(line[i]) for line in (header, *cells)) for i in range(len(header))]
    others = sum(widths[1:]) + len(_GAP) * (len(header) - 1) + 1
    widths[0] = max(_LEAST_LABEL, min(widths[0], WIDTH - others))
    return [_line(line, widths) for line in (header, *cells)]


def _without(cells: list[str], index: int) -> list[str]:
    return cells[:index] + cells[index + 1 :]


def _scales(rows: Sequence[Row]) -> tuple[text.Prefix, text.Prefix]:
    """The prefixes of the time and of the energy columns; estimates give theirs only alone."""
    measured = [row.energy.value for row in rows if isinstance(row.energy, Quantity)]
    guessed = [row.estimate.value for row in rows if row.estimate]
    times = [row.latency_p50_s for row in rows if row.latency_p50_s]
    return text.prefix(times), text.prefix(measured or guessed)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle, last = cells
    numbers = [cell.rjust(width) for cell, width in zip(middle, widths[1:-1], strict=True)]
    line = _GAP.join((shorten(first, widths[0]).ljust(widths[0]), *numbers, last))
    return shorten(f" {line}".rstrip(), WIDTH)


def _cells(
    table: Table, row: Row, scales: tuple[text.Prefix, text.Prefix], *, share: bool
) -> list[str]:
    energy = findings.is_measured(table)
    ratio = findings.ratio_of(row, energy=energy)
    verdict = findings.words(row)
    if not energy and not row.is_baseline:
        verdict = f"{row.time_verdict}{', noisy' if row.noisy else ''}"
    shown = quality(row, share=share).partition(" ")[0]
    p50 = row.latency_p50_s
    return [
        findings.short_label(row, table.rows),
        str(row.case.batch),
        text.significant(p50 / scales[0].factor) if p50 else "—",
        _energy(row, scales[1]),
        "1" if row.is_baseline else text.ratio(ratio) if ratio else "—",
        f"{shown} %" if share and shown != "—" else shown,
        verdict,
    ]


def _energy(row: Row, scale: text.Prefix) -> str:
    if isinstance(row.energy, Absent):
        return text.estimate(row.estimate, scale) if row.estimate else "—"
    return text.quantity(row.energy, scale)


def shorten(name: str, most: int) -> str:
    """A name cut in its middle; its end, which tells variants apart, keeps the larger part.

    >>> shorten("magnitude_pruning@density=0.09", 16)
    'magnit…sity=0.09'
    """
    if len(name) <= most:
        return name
    head = (most - 1) * 2 // 5
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"
