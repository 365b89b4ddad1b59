"""The Pareto figure: quality against energy per sample, as SVG with the same bytes every time.

Matplotlib is imported when a figure is drawn, and only its objects are used: no backend is chosen
and no state of a user's session is touched. Colours: Okabe and Ito 2008, safe for colour-blind
readers; each technique has its own marker besides, so colour never stands alone.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.compare import Table
from bench.report.labels import Segment, place
from bench.report.pareto import Panel, Point, front, panels
from bench.report.text import Prefix, plain, prefix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GREY, _TARGET = "#222222", "#8a8a8a", "#D55E00"
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#B07A00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
MOST_PANELS = 12
"""Workloads and batches of one figure: more are no overview, and each takes a quarter second."""

_WIDTH, _HEIGHT = 5.4, 4.0  # inches of one panel
_LEAST_TICKS, _MOST_TICKS = 3, 8
STYLE: dict[str, Any] = {
    "svg.hashsalt": "joulebench",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
}

Look = tuple[str, str]
"""Marker and colour."""


def svg(tables: Sequence[Table]) -> str | None:
    """The figure of some tables as SVG text; None if there is nothing to draw, or too much."""
    data = render(tables, "svg")
    return None if data is None else data.decode()


def render(tables: Sequence[Table], form: str, dpi: float = 100) -> bytes | None:
    """The figure as ``svg`` or ``png``; None if there is nothing to draw, or too much for one."""
    found = panels(tables)
    return saved(lambda: draw(found), form, dpi) if 0 < len(found) <= MOST_PANELS else None


def saved(make: Callable[[], "Figure"], form: str, dpi: float = 100) -> bytes:
    """A figure in our style as ``svg`` or ``png``: the same one gives the same bytes."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]):
        figure = make()
        target = io.BytesIO()
        metadata = {"Date": None, "Creator": "joulebench"} if form == "svg" else {}
        figure.savefig(target, format=form, dpi=dpi, metadata=metadata)
    return target.getvalue()


def draw(found: Sequence[Panel]) -> "Figure":
    """One panel for each workload and batch, under one title and above one legend."""
    from matplotlib.figure import Figure

    columns = 1 if len(found) == 1 else 2
    rows = math.ceil(len(found) / columns)
    figure = Figure(figsize=(_WIDTH * columns + 0.2, _HEIGHT * rows + 0.9), facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.1, hspace=0.06, wspace=0.06)
    grid = figure.subplots(rows, columns, squeeze=False)
    looks = _looks(found)
    for axes, panel in zip(grid.flat, found, strict=False):
        _panel(axes, panel, looks)
    for axes in grid.flat[len(found) :]:
        axes.set_axis_off()
    figure.suptitle(_title(found), fontweight="bold", fontsize=11)
    _legend(figure, found, looks)
    # labels are placed last: only now do the axes have their final size
    figure.draw_without_rendering()
    for axes, panel in zip(grid.flat, found, strict=False):
        place(axes, _marks(panel), _segments(panel))
    return figure


def _title(found: Sequence[Panel]) -> str:
    if all(panel.energy for panel in found):
        return "Quality against energy per sample"
    if any(panel.energy for panel in found):
        return "Quality against energy; where energy was not measured: time ÷ baseline"
    return "Energy was not measured: time relative to the baseline instead"


def _looks(found: Sequence[Panel]) -> dict[str, Look]:
    """Marker and colour of each technique, the same in all panels; the baseline is a black star."""
    techniques = sorted({p.technique for panel in found for p in panel.points if not p.baseline})
    return {
        name: (MARKERS[index % len(MARKERS)], COLOURS[index % len(COLOURS)])
        for index, name in enumerate(techniques)
    }


def _look(point: Point, looks: Mapping[str, Look]) -> Look:
    return ("*", INK) if point.baseline else looks[point.technique]


def _scales(panel: Panel) -> tuple[float, float, str]:
    """What to divide the cost by, what to multiply the quality with, and the cost's prefix."""
    scale = prefix([point.x for point in panel.points]) if panel.energy else Prefix("", 1.0)
    return scale.factor, 100.0 if panel.share else 1.0, scale.symbol


def _panel(axes: "Axes", panel: Panel, looks: Mapping[str, Look]) -> None:
    x_unit, y_unit, symbol = _scales(panel)
    axes.set_xscale("log")
    _lines(axes, panel)
    for point in panel.points:
        marker, colour = _look(point, looks)
        x, y = point.x / x_unit, point.quality * y_unit
        low = max(point.low, point.x * 1e-3) / x_unit  # a log axis has no zero
        axes.plot([x, x], [point.quality_low * y_unit, point.quality_high * y_unit], color=colour,
                  linewidth=0.9, alpha=0.4, zorder=2)  # fmt: skip
        axes.plot([low, point.high / x_unit], [y, y], color=colour, linewidth=1.6, zorder=3,
                  marker="|", markersize=5)  # fmt: skip
        axes.plot(
            [x],
            [y],
            marker=marker,
            markersize=11 if point.baseline else 7.5,
            markerfacecolor=colour if point.holds else "white",
            markeredgecolor=colour if not point.holds else "white",
            markeredgewidth=1.4 if not point.holds else 0.7,
            linestyle="none",
            zorder=5 if point.baseline else 4,
        )
    axes.set_title(short(panel.title, 56), loc="left", fontsize=9.5)
    cost = f"energy per {short(panel.unit, 20)}, {symbol}J" if panel.energy else "time ÷ baseline"
    axes.set_xlabel(f"{cost}   (left is better)")
    axes.set_ylabel(f"{short(panel.metric, 30)}{', %' if panel.share else ''}")
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    _ticks(axes, panel)


def _lines(axes: "Axes", panel: Panel) -> None:
    """The Pareto front as stairs, the quality target, and where the baseline stands."""
    x_unit, y_unit, _ = _scales(panel)
    best = front(panel.points)
    axes.step([p.x / x_unit for p in best], [p.quality * y_unit for p in best], where="post",
              color=GREY, linewidth=1.2, zorder=1)  # fmt: skip
    if panel.target is not None:
        axes.axhline(panel.target * y_unit, color=_TARGET, linewidth=1.1, linestyle=(0, (5, 3)))
    for point in panel.points:
        if point.baseline:
            axes.axvline(point.x / x_unit, color=GREY, linewidth=0.9, linestyle=(0, (1, 2)))


def _ticks(axes: "Axes", panel: Panel) -> None:
    """Plain numbers on both axes, and room around the points for their labels."""
    from matplotlib import ticker

    x_unit, y_unit, _ = _scales(panel)
    least = min(point.x for point in panel.points) / x_unit
    most = max(point.x for point in panel.points) / x_unit
    room = max((most / least) ** 0.16, 1.05)
    axes.set_xlim(least / room / room, most * room * room)
    ends = [end * y_unit for p in panel.points for end in (p.quality_low, p.quality_high)]
    ends += [] if panel.target is None else [panel.target * y_unit]
    span = max(max(ends) - min(ends), 1e-3 * abs(max(ends)), 1e-9)
    axes.set_ylim(min(ends) - 0.06 * span, max(ends) + 0.06 * span)
    ticks = nice_ticks(least / room / room, most * room * room)
    even = ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
    axes.xaxis.set_major_locator(ticker.FixedLocator(ticks) if ticks else even)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_locator(ticker.MaxNLocator(6))


def nice_ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis, three to eight; none where no set of them fits.

    >>> nice_ticks(13, 90)
    [15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    return ticks if len(ticks) >= _LEAST_TICKS else []


def _marks(panel: Panel) -> list[tuple[float, float, str, str]]:
    """Where each label belongs, its text, its weight."""
    x_unit, y_unit, _ = _scales(panel)
    return [
        (p.x / x_unit, p.quality * y_unit, short(p.level, 26), "bold" if p.baseline else "normal")
        for p in panel.points
    ]


def _segments(panel: Panel) -> list[Segment]:
    """The lines that a label had better not cover: the front's stairs, the target, the bars."""
    x_unit, y_unit, _ = _scales(panel)
    best = [(p.x / x_unit, p.quality * y_unit) for p in front(panel.points)]
    stairs: list[Segment] = []
    for (x, y), (next_x, next_y) in pairwise(best):
        stairs += [(x, y, next_x, y), (next_x, y, next_x, next_y)]
    bars = [
        (p.x / x_unit, p.quality_low * y_unit, p.x / x_unit, p.quality_high * y_unit)
        for p in panel.points
    ]
    ends = [p.x / x_unit for p in panel.points]
    target = (
        []
        if panel.target is None
        else [(min(ends), panel.target * y_unit, max(ends), panel.target * y_unit)]
    )
    return stairs + bars + target


def _legend(figure: "Figure", found: Sequence[Panel], looks: Mapping[str, Look]) -> None:
    from matplotlib.lines import Line2D

    def mark(marker: str, colour: str, label: str, face: str | None = None) -> Line2D:
        return Line2D([], [], marker=marker, color=colour, markerfacecolor=face or colour,
                      linestyle="none", markersize=7, label=label)  # fmt: skip

    points = [point for panel in found for point in panel.points]
    handles = [mark("*", INK, "baseline")] if any(p.baseline for p in points) else []
    handles += [mark(*look, short(name, 30)) for name, look in looks.items()]
    if not all(point.holds for point in points):
        handles.append(mark("o", INK, "hollow: breaks quality", face="white"))
    handles.append(Line2D([], [], color=GREY, label="Pareto front"))
    if any(panel.target is not None for panel in found):
        handles.append(Line2D([], [], color=_TARGET, linestyle=(0, (5, 3)), label="quality target"))
    handles.append(Line2D([], [], color=INK, marker="|", linewidth=1.6, label="95 % interval"))
    columns = min(len(handles), 3 if len(found) == 1 else 5)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def short(text: str, most: int) -> str:
    """One printable line, cut in its middle."""
    line = plain(text)
    keep = (most - 1) // 2
    return line if len(line) <= most else f"{line[:keep]}…{line[-(most - 1 - keep) :]}"
