"""The figures of the HTML page, from the same points as those of the Markdown page."""

import html
from collections.abc import Iterable, Mapping, Sequence

from bench.compare import Table
from bench.report import chart, text
from bench.report.chart import Chart, Dot
from bench.report.figures import short
from bench.report.pareto import Panel, Point, front, panels
from bench.report.sweep import Series, Step, Sweep, sweeps

_LABEL = 26
_MOST_LABELS = 10
"""Points that a chart has room to name; of more, it names the front and the baseline."""
_FLOOR = 6.0
"""Points of loss at which the axis of a sweep ends; what loses more stands at its edge."""


def pareto_figure(tables: Sequence[Table], name: str) -> str:
    """Quality against cost, one chart for each panel, or nothing if there is none.

    Args:
        tables: Of the report.
        name: Id of the figure.
    """
    found = panels(tables)
    if not found:
        return ""
    techniques = sorted({p.technique for panel in found for p in panel.points if not p.baseline})
    looks = {technique: index for index, technique in enumerate(techniques)}
    points = [point for panel in found for point in panel.points]
    keys = [(chart.marker(None), "baseline")] if any(p.baseline for p in points) else []
    keys += [(chart.marker(look), short(technique, 30)) for technique, look in looks.items()]
    if not all(point.holds for point in points):
        keys.append((chart.marker(0, hollow=True), "hollow: breaks quality"))
    keys.append((_stroke("front"), "Pareto front"))
    if any(panel.target is not None for panel in found):
        keys.append((_stroke("level"), "quality target"))
    drawn = [(_pareto(panel, looks), index) for index, panel in enumerate(found)]
    return _figure(name, "Quality against cost", drawn, keys)


def sweep_figure(tables: Sequence[Table], name: str) -> str:
    """Quality against size, one chart for each sweep, or nothing if none was judged."""
    found = sweeps(tables)
    if not found:
        return ""
    names = sorted({series.name for sweep in found for series in sweep.series})
    looks = {series: index for index, series in enumerate(names)}
    keys = [(chart.marker(look), short(series, 44)) for series, look in looks.items()]
    drawn = [(_sweep(sweep, looks), index) for index, sweep in enumerate(found)]
    return _figure(name, "Quality against size on disk", drawn, keys)


def _figure(
    name: str,
    title: str,
    drawn: Iterable[tuple[Chart, int]],
    keys: Iterable[tuple[str, str]],
) -> str:
    boxes = "".join(
        f'<div class="panel"><p class="panel-title">{html.escape(each.title)}</p>'
        f"{chart.svg(each, f'{name}-{index}')}</div>"
        for each, index in drawn
    )
    legend = "".join(f"<li>{mark} {html.escape(said)}</li>" for mark, said in keys)
    return (
        f'<figure id="{name}" aria-label="{html.escape(title)}"><div class="panels">{boxes}</div>'
        f'<ul class="legend" aria-label="Legend">{legend}</ul>'
        f"<figcaption>{html.escape(title)}. Bars are 95 % intervals. Point at a mark, or reach it"
        " with the Tab key, for its values; the table below holds them all.</figcaption></figure>"
    )


def _stroke(kind: str) -> str:
    return (
        '<svg class="key" viewBox="0 0 24 12" width="24" height="12" aria-hidden="true">'
        f'<path class="{kind}" d="M0,6H24"/></svg>'
    )


def _pareto(panel: Panel, looks: Mapping[str, int]) -> Chart:
    scale = text.prefix([p.x for p in panel.points]) if panel.energy else text.Prefix("", 1.0)
    unit = 100.0 if panel.share else 1.0
    best = front(panel.points)
    dots = tuple(
        _point(panel, point, scale, looks, on_front=point in best) for point in panel.points
    )
    cost = (
        f"energy per {short(panel.unit, 20)}, {scale.symbol}J"
        if panel.energy
        else "time ÷ baseline"
    )
    corners = tuple((p.x / scale.factor, unit * p.quality) for p in best)
    target = None if panel.target is None else unit * panel.target
    baseline = next((p.x / scale.factor for p in panel.points if p.baseline), None)
    xs, ends = [dot.x for dot in dots], [end for dot in dots for end in dot.y_ends]
    ends += [] if target is None else [target]
    room = max((max(xs) / min(xs)) ** 0.16, 1.05)
    span = max(max(ends) - min(ends), 1e-3 * abs(max(ends)), 1e-9)
    metric = short(panel.metric, 30)
    return Chart(
        text.plain(panel.title),
        f"{metric} against {cost} of {len(dots)} variants; less cost stands to the left.",
        f"{cost} (left is better)",
        f"{metric}{', %' if panel.share else ''}",
        (min(xs) / room / room, max(xs) * room * room),
        (min(ends) - 0.06 * span, max(ends) + 0.06 * span),
        dots,
        stairs=corners,
        level=target,
        upright=baseline,
    )


def _point(
    panel: Panel, point: Point, scale: text.Prefix, looks: Mapping[str, int], *, on_front: bool
) -> Dot:
    unit, few = 100.0 if panel.share else 1.0, len(panel.points) <= _MOST_LABELS
    x = point.x / scale.factor
    low = max(point.low, point.x * 1e-3) / scale.factor  # a log axis has no zero
    what = (
        f"{scale.symbol}J per {text.plain(panel.unit)}" if panel.energy else "× the baseline's time"
    )
    ends = " to ".join(text.significant(e / scale.factor, 4) for e in (point.low, point.high))
    shown = (
        f"{text.fixed(100 * point.quality, 1)} %"
        if panel.share
        else text.significant(point.quality, 4)
    )
    said = (
        f"{text.plain(point.label)}: {text.significant(x, 4)} {what} ({ends}); quality {shown},"
        f" {'holds' if point.holds else 'breaks'} its target"
        f"{'; on the Pareto front' if on_front else ''}"
    )
    return Dot(
        x,
        unit * point.quality,
        (low, point.high / scale.factor),
        (unit * point.quality_low, unit * point.quality_high),
        short(point.level, _LABEL) if few or on_front or point.baseline else "",
        said,
        None if point.baseline else looks[point.technique],
        hollow=not point.holds,
    )


def _sweep(sweep: Sweep, looks: Mapping[str, int]) -> Chart:
    unit, floor = (100.0, -_FLOOR) if sweep.share else (1.0, float("-inf"))
    steps = [(series, step) for series in sweep.series for step in series.steps]
    dots = tuple(_step(series, step, unit, floor, looks[series.name]) for series, step in steps)
    lines = tuple(
        (looks[series.name], tuple((dot.x, dot.y) for dot in own))
        for series in sweep.series
        if len({step.size for step in series.steps}) > 1
        and (own := [dot for (s, _), dot in zip(steps, dots, strict=True) if s is series])
    )
    xs, ends = [dot.x for dot in dots], [end for dot in dots for end in dot.y_ends]
    span = max(max(ends) - min(ends), 1e-9)
    around = (
        (-_FLOOR * 1.06, max(1.5, 1.06 * max(ends)))
        if sweep.share
        else (min(ends) - 0.06 * span, max(ends) + 0.06 * span)
    )
    metric = short(sweep.metric, 30)
    return Chart(
        text.plain(sweep.title),
        f"Change of {metric} against size on disk of {len(dots)} variants in"
        f" {len(sweep.series)} series; smaller stands to the left.",
        "size on disk, % of the dense float32 model",
        f"change of {metric}{', points' if sweep.share else ''}",
        (min(xs) / 1.2, max(xs) * 1.2),
        around,
        dots,
        lines=lines,
        level=0.0,
        percent=True,
    )


def _step(series: Series, step: Step, unit: float, floor: float, look: int) -> Dot:
    change = unit * step.change
    beyond = change < floor
    decimals = 1 if unit > 1 else 3
    said = (
        f"{text.plain(series.name)} {text.plain(step.level)}: {text.significant(100 * step.size)} %"
        f" of the dense size ({text.size(step.bytes)}), quality"
        f" {text.fixed(unit * step.quality, decimals)} ({text.signed(change, decimals)})"
    )
    x, y = 100 * step.size, max(change, floor)
    ends = (y, y) if beyond else (max(unit * step.low, floor), unit * step.high)
    return Dot(x, y, (x, x), ends, "", said, look, beyond=beyond)
