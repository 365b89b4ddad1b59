"""The Pareto figure, with the numbers it is drawn from."""

from bench.report import blocks, text
from bench.report.figures import MOST_PANELS
from bench.report.markdown import Report
from bench.report.pareto import Panel, front, panels

ORDER = 40


def section(report: Report) -> str:
    """The figure with alternative text, and its data."""
    found = panels(report.tables)
    data = "\n\n".join(_data(panel) for panel in found)
    if len(found) > MOST_PANELS:
        said = (
            f"Quality against cost has {len(found)} panels here, one for each workload and batch:"
            f" more than {MOST_PANELS} are no overview, so there is no figure; its data are below."
        )
        return f"{said}\n\n{blocks.details('Quality against cost', data)}"
    if not found or report.figure is None:
        return ""
    what = " and ".join(dict.fromkeys(_axis(panel) for panel in found))
    alt = text.escape(f"Quality against {what}, one panel for each workload and batch")
    return (
        f"![{alt}]({text.address(report.figure)})\n\n{blocks.details('Data of the figure', data)}"
    )


def _axis(panel: Panel) -> str:
    return "energy per sample" if panel.energy else "time ÷ baseline (energy was not measured)"


def _data(panel: Panel) -> str:
    scale, unit = text.Prefix("", 1.0), "time ÷ baseline"
    if panel.energy:
        scale = text.prefix([point.x for point in panel.points])
        unit = f"{scale.symbol}J per {text.escape(panel.unit)}"
    best = front(panel.points)
    rows = [
        (
            text.escape(point.label),
            text.significant(point.x / scale.factor, 4),
            " to ".join(text.significant(x / scale.factor, 4) for x in (point.low, point.high)),
            text.fixed(100 * point.quality, 1)
            if panel.share
            else text.significant(point.quality, 4),
            "yes" if point.holds else "no",
            "yes" if point in best else "no",
        )
        for point in panel.points
    ]
    header = ("variant", unit, "95 %", "quality, %" if panel.share else "quality")
    return f"**{text.escape(panel.title)}**\n\n" + blocks.table(
        (*header, "holds target", "on the front"), rows, last=2
    )
