"""Quality against size: the figure after Deep Compression's Figure 6, and its numbers."""

from bench.report import blocks, text
from bench.report.markdown import Report
from bench.report.sweep import Sweep, sweeps

ORDER = 45
_HEADER = ("variant", "level", "on disk", "% of dense", "smaller", "quality", "change")


def section(report: Report) -> str:
    """The figure with alternative text, and its data; nothing where no sweep was judged."""
    found = sweeps(report.tables)
    if not found:
        return ""
    parts = []
    if report.sweep_figure is not None:
        alt = "Change of quality against size on disk, a line for each technique"
        parts.append(f"![{alt}]({text.address(report.sweep_figure)})")
    data = "\n\n".join(_data(sweep) for sweep in found)
    parts.append(blocks.details("Quality against size: every level, timed or not", data))
    return "\n\n".join(parts)


def _data(sweep: Sweep) -> str:
    unit, decimals = (100.0, 1) if sweep.share else (1.0, 3)
    rows = []
    for series in sweep.series:
        for step in series.steps:
            half = f" ± {text.fixed(unit * (step.high - step.low) / 2, decimals)}"
            rows.append(
                (
                    text.escape(series.name),
                    text.escape(step.level) or "—",
                    text.size(step.bytes),
                    f"{text.significant(100 * step.size)} %",
                    f"{text.significant(1 / step.size)}×",
                    text.fixed(unit * step.quality, decimals),
                    text.signed(unit * step.change, decimals) + (half if sweep.seeds > 1 else ""),
                )
            )
    over = f", mean of {sweep.seeds} seeds ± 95 %" if sweep.seeds > 1 else ""
    unit_name = " in % and points" if sweep.share else ""
    caption = f"**{text.escape(sweep.title)}** · {text.escape(sweep.metric)}{unit_name}{over}"
    return f"{caption}\n\n{blocks.table(_HEADER, rows, left=2)}"
