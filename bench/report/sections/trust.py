"""How far the numbers can be trusted, in a few lines."""

import re
from collections import Counter
from collections.abc import Iterable

from bench.compare import Table
from bench.quantities import Absent, Quantity
from bench.report import findings, text
from bench.report.blocks import bullets
from bench.report.markdown import Report

ORDER = 20
_APART = {"warmup", "training"}
_LOAD = re.compile(r"foreign load ([0-9.]+) CPU")


def section(report: Report) -> str:
    """A trust box for each device."""
    several = len(report.tables) > 1
    boxes = []
    for table in report.tables:
        name = f": {findings.heading(table, report.tables)}" if several else ""
        boxes.append(f"**Trust box{name}**\n\n{bullets(_lines(table))}")
    return "\n\n".join(boxes)


def _lines(table: Table) -> list[str]:
    replayed = findings.replayed(table.journal.run.channels)
    loud = []
    if replayed:
        origins = text.escape(", ".join(dict.fromkeys(c.origin for c in replayed)))
        loud = [f"⚠️ **REPLAYED TRACE, NOT THIS MACHINE:** the joules come from {origins}."]
    if findings.is_simulated(table.journal):
        loud.append(f"⚠️ **{findings.SIMULATED}**")
    inside = [f"Not included: {_outside(table)}."] if table.cover else []
    fresh = [_replication(number)] if (number := findings.processes(table)) else []
    return [*loud, _kinds(table), *inside, _idle(table), _control(table), *fresh, _windows(table)]


def _kinds(table: Table) -> str:
    """Share of the energy values by kind."""
    found: Counter[str] = Counter()
    for row in table.rows:
        value = row.energy if isinstance(row.energy, Quantity) else row.estimate
        found[str(value.kind) if value else "absent"] += 1
    shares = ", ".join(
        f"{_share(count, len(table.rows))} {kind}"
        + (f" ({findings.how(kind)})" if kind != "absent" else "")
        for kind, count in found.most_common()
    )
    estimates = any(row.estimate and isinstance(row.energy, Absent) for row in table.rows)
    never = "; estimates are ranges, never ranked or plotted" if estimates else ""
    inside = findings.boundary(table)
    where = f"; boundary {text.escape(inside)} ({text.escape(' + '.join(table.cover))})"
    return f"Energy values: {shares}{where if inside else ''}{never}."


def _outside(table: Table) -> str:
    """What the joules leave out, by what the meters contain."""
    families = {channel.partition("/")[0] for channel in table.cover}
    if "wall" in families:
        return "cooling of the room and losses before the socket"
    domains = {channel.domain for channel in findings.covering(table)}
    if families & {"board", "module", "battery"} or "psys" in domains:
        return "power supply losses and cooling of the room"
    left = []
    if "gpu" not in families:
        left.append("GPU")
    if "cpu" not in families:
        left.append("CPU")
    if "dram" not in domains:
        left.append("DRAM")
    return ", ".join((*left, "disk, network, fans, power supply losses"))


def _idle(table: Table) -> str:
    if isinstance(table.idle, Absent):
        return f"Idle power: not measured ({text.escape(table.idle.reason)})."
    scale = text.prefix([table.idle.value])
    watts = f"{text.quantity(table.idle, scale)} {scale.symbol}W"
    return (
        f"Idle power: {watts}, included in the energies; net of it under *Where the energy goes*."
    )


def _control(table: Table) -> str:
    found = findings.control_deviation(table)
    what = "energy" if findings.is_measured(table) else "time"
    if found is None:
        return f"A/A control: none was run, so the noise floor of the {what} is unknown."
    deviation, n = found
    controls = "control" if n == 1 else "controls"
    margins = " to ".join(dict.fromkeys(map(_percent, table.margins)))
    judgement = f"margin of the verdicts {margins}"
    raised = ""
    if table.margin > table.asked_margin:
        raised = (
            f" (asked for: {_percent(table.asked_margin)};"
            " raised to twice what the controls differ)"
        )
    return (
        f"A/A control: a baseline against itself differs by at most {_percent(deviation)} in {what}"
        f" ({n} {controls}); {judgement}{raised}."
    )


def _percent(share: float) -> str:
    """Two digits, and never a power of ten.

    >>> _percent(0.0123), _percent(1.234), _percent(0.00001)
    ('1.2 %', '123 %', '< 0.01 %')
    """
    if share < 1e-4:  # noqa: PLR2004 - what no reader tells from nothing
        return "< 0.01 %"
    percent = 100 * share
    return f"{percent:.2g} %" if percent < 99.5 else f"{text.fixed(percent, 0)} %"  # noqa: PLR2004


def _share(count: int, every: int) -> str:
    """A whole number of per cent: what is there is not 0, and what is not all is not 100.

    >>> _share(1, 300), _share(299, 300), _share(300, 300)
    ('< 1 %', '> 99 %', '100 %')
    """
    percent = 100 * count / every
    if percent < 0.5:  # noqa: PLR2004 - half of the last digit
        return "< 1 %"
    return "> 99 %" if 99.5 <= percent < 100 else f"{percent:.0f} %"  # noqa: PLR2004


def _replication(number: int) -> str:
    return f"Each side ran in {number} fresh processes: the intervals are over these."


def _windows(table: Table) -> str:
    cases = {row.case.case for row in table.rows}
    windows = [w for w in table.journal.windows if w.case in cases and w.role not in _APART]
    discards = sum(row.discards for row in table.rows)
    flagged = [window for window in windows if window.flags]
    flags = (flag for window in flagged for flag in window.flags)
    load = largest_load(flags)
    heavy = f" (foreign load, up to {text.significant(load, 2)} CPU)" if load else ""
    return (
        f"Windows: {text.count(len(windows))} kept, {discards} discarded,"
        f" {len(flagged)} flagged{heavy}."
    )


def largest_load(flags: Iterable[str]) -> float | None:
    """The most CPUs that others kept busy, by the flags of windows; None if no flag says so."""
    return max((float(m[1]) for flag in flags if (m := _LOAD.fullmatch(flag))), default=None)
