"""What stands above the rows of a workload: its quality, and what they are held against."""

from collections.abc import Sequence

from bench.compare import Row
from bench.quantities import Quantity
from bench.report import best_runtime, findings, text
from bench.report.winners import is_measured


def caption(name: str, rows: Sequence[Row]) -> str:
    """The workload, and the quality that counts for it, as Markdown."""
    held = _held_against(rows)
    quality = next((row.case.quality for row in rows if row.case.quality), None)
    if quality is None:
        return f"**{text.escape(name)}** · quality not judged{held}"
    share = findings.is_share(next(row for row in rows if row.case.quality))
    target = quality.get("target")
    wanted = "no target" if target is None else f"target ≥ {_level(target, share=share)}"
    count = f", n = {text.fixed(quality['n'], 0)}" if quality.get("n") else ""
    seeds = quality.get("seeds", ())
    over = f", mean of {len(seeds)} seeds ± 95 %" if seeds else ""
    metric = text.escape(quality["metric"])
    return f"**{text.escape(name)}** · {metric} ({wanted}{count}{over}){held}"


def _held_against(rows: Sequence[Row]) -> str:
    """What rows of several runtimes are held against."""
    if not best_runtime.crosses(rows):
        return ""
    energy = is_measured(rows)
    found = []
    for (_, batch), group in findings.settings(rows):
        first = next((row for row in group if isinstance(row.energy, Quantity)), group[0])
        best = best_runtime.best_fp32(first, group, energy=energy)
        at = text.ratio(best.log.ratio()) if best.log else "1"
        found.append(f"{text.escape(best.runtime)} at batch {batch} ({at} of the baseline)")
    baseline = text.escape(best_runtime.best_fp32(rows[0], (), energy=energy).runtime)
    what = "energy" if energy else "time"
    return f"<br>Baseline: {baseline}. Best float32 runtime by {what}: {'; '.join(found)}."


def _level(value: float, *, share: bool) -> str:
    return f"{text.fixed(100 * value, 1)} %" if share else text.significant(value, 4)
