"""What limits the numbers: only what applies to them."""

from collections.abc import Iterator

from bench.compare import Table
from bench.quantities import Absent, Quantity
from bench.report import blocks, findings, text
from bench.report.markdown import Report
from bench.report.sections.trust import largest_load
from bench.warm_up import NOT_STEADY

ORDER = 80
_DRIFT = 0.1


def section(report: Report) -> str:
    """A folded list, each caveat once."""
    said = [caveat for table in report.tables for caveat in _caveats(table)]
    return blocks.details("Caveats", blocks.bullets(dict.fromkeys(said))) if said else ""


def _caveats(table: Table) -> Iterator[str]:
    if findings.is_simulated(table.journal):
        yield "The device and its models are simulated: the results hold for no machine at all."
    else:
        yield (
            "The results hold for this machine only;"
            " another CPU, driver or kernel is another result."
        )
        yield from _machine(table)
    yield from _noise(table)
    yield from _meters(table)
    counts = {
        row.case.quality["n"]
        for row in table.rows
        if row.case.quality and row.case.quality.get("n")
    }
    if counts:
        n = " or ".join(text.count(count) for count in sorted(counts))
        seeds = max(
            len(row.case.quality.get("seeds", ())) for row in table.rows if row.case.quality
        )
        over = (
            f", as the mean of models from {seeds} seeds; the timed one is that of the first"
            if seeds
            else ""
        )
        yield f"Quality comes from the workload's own function on {n} samples{over}."


def _machine(table: Table) -> Iterator[str]:
    machine = table.journal.run.machine
    if machine.get("virtualised"):
        yield (
            f"It ran in a {text.escape(machine['virtualised'])}: neighbours share the hardware,"
            " and clocks, counters and time may not be this guest's own."
        )
    governor = machine.get("governor")
    if governor is None:
        yield "The CPU frequency governor is unknown."
    elif governor != "performance":
        yield f"The CPU frequency governor was {text.escape(governor)}, not performance."
    if machine.get("turbo") is not False:
        yield "Clocks were not locked."


def _noise(table: Table) -> Iterator[str]:
    cases = {row.case.case for row in table.rows}
    windows = [w for w in table.journal.windows if w.case in cases and w.role != "training"]
    flags = [flag for window in windows for flag in window.flags]
    load = largest_load(flags)
    if load is not None:
        yield f"Other programs kept up to {text.significant(load, 2)} CPU busy in flagged windows."
    yield from _drift(table)
    yield from _unsteady(table)
    if table.margin > table.asked_margin:
        yield (
            f"**A/A controls of {findings.heading(table, [table])} differ by more than the margin"
            f" asked for: verdicts take up to {text.significant(100 * table.margin, 2)} % in its"
            " place; smaller differences mean nothing here.**"
        )


def _unsteady(table: Table) -> Iterator[str]:
    """The sides whose warm-up ended before they were steady."""
    cases = {row.case.case for row in table.rows}
    found = dict.fromkeys(
        window.case
        for window in table.journal.windows
        if window.case in cases and any(flag.startswith(NOT_STEADY) for flag in window.flags)
    )
    if found:
        names = ", ".join(text.code(case) for case in found)
        yield f"Not steady when its pairs began, after the longest warm-up: {names}."


def _drift(table: Table) -> Iterator[str]:
    """How far a baseline wandered while its variants were measured beside it."""
    for name, rows in findings.workloads(table):
        for batch in sorted({row.case.batch for row in rows}):
            cases = {row.case.case for row in rows if row.case.batch == batch}
            medians = sorted(
                window.latency_s.p50
                for window in table.journal.windows
                if window.case in cases and window.role == "baseline" and window.latency_s
            )
            if medians and medians[-1] > (1 + _DRIFT) * medians[0]:
                scale = text.prefix(medians)
                least, most = (
                    text.significant(end / scale.factor) for end in (medians[0], medians[-1])
                )
                yield (
                    f"The median latency of the {text.escape(name)} baseline at batch {batch}"
                    f" wandered between {least} and {most} {scale.symbol}s over the session: read"
                    " the ratios, which were taken in pairs, not the differences between rows."
                )


def _meters(table: Table) -> Iterator[str]:
    channels = table.journal.run.channels
    if findings.is_measured(table):
        yield (
            "± covers the spread between windows and the counter's bound (update interval and"
            " resolution), not the calibration of the sensor."
        )
    else:
        yield "Nothing here compares energy: the ratios are of time; ± is the spread of windows."
    for channel in findings.replayed(channels):
        yield f"{text.escape(channel.id)} was replayed from {text.escape(channel.origin)}."
    if any(row.estimate for row in table.rows):
        for channel in channels:
            if not channel.kind.is_reading:
                note = channel.note or "a power model, not a reading"
                yield f"Estimates of {text.escape(channel.id)}: {text.escape(note)}."
    kinds = {row.energy.kind for row in table.rows if isinstance(row.energy, Quantity)}
    if "sampled" in kinds:
        yield "Sampled power misses what happens between two samples."
    if kinds and any(isinstance(row.energy, Absent) for row in table.rows):
        yield "Some rows have no energy; the reason stands under the table."
