"""The figure of quality against size, after Deep Compression's Figure 6, as SVG."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bench.compare import Table
from bench.report.figures import COLOURS, GREY, INK, MARKERS, Look, nice_ticks, saved, short
from bench.report.sweep import Series, Sweep, sweeps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 7.2, 4.2  # inches of one panel
_FLOOR = 6.0
"""Points of loss at which the axis ends; what loses more stands at its edge, as an arrow."""

_BEYOND: Final = 7  # matplotlib's CARETDOWN


def svg(tables: Sequence[Table]) -> str | None:
    """The figure of some tables as SVG text, or None if no sweep was judged."""
    data = render(sweeps(tables), "svg")
    return None if data is None else data.decode()


def render(found: Sequence[Sweep], form: str, dpi: float = 100) -> bytes | None:
    """The figure as ``svg`` or ``png``, or None if there is nothing to draw."""
    return saved(lambda: draw(found), form, dpi) if found else None


def draw(found: Sequence[Sweep]) -> "Figure":
    """One panel for each workload, one under the other, above one legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(found) + 1.6), facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.08, w_pad=0.1, hspace=0.06)
    names = sorted({series.name for sweep in found for series in sweep.series})
    looks = {
        name: (MARKERS[index % len(MARKERS)], COLOURS[index % len(COLOURS)])
        for index, name in enumerate(names)
    }
    grid = figure.subplots(len(found), 1, squeeze=False)
    for axes, sweep in zip(grid.flat, found, strict=True):
        _panel(axes, sweep, looks)
    figure.suptitle("Quality against size on disk", fontweight="bold", fontsize=11)
    _legend(figure, looks)
    return figure


def _panel(axes: "Axes", sweep: Sweep, looks: Mapping[str, Look]) -> None:
    from matplotlib import ticker

    unit = 100.0 if sweep.share else 1.0
    axes.set_xscale("log")
    axes.axhline(0, color=GREY, linewidth=1.0, linestyle=(0, (1, 2)))
    for series in sweep.series:
        _series(axes, series, looks[series.name], unit, share=sweep.share)
    sizes = [100 * step.size for series in sweep.series for step in series.steps]
    axes.set_xlim(min(sizes) / 1.2, max(sizes) * 1.2)
    ticks = nice_ticks(min(sizes) / 1.2, max(sizes) * 1.2)
    if ticks:
        axes.xaxis.set_major_locator(ticker.FixedLocator(ticks))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g} %"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    if sweep.share:
        highest = max(unit * step.high for series in sweep.series for step in series.steps)
        axes.set_ylim(-_FLOOR * 1.06, max(1.5, 1.06 * highest))
    seeds = f", mean of {sweep.seeds} seeds" if sweep.seeds > 1 else ""
    axes.set_title(short(sweep.title, 60), loc="left", fontsize=9.5)
    axes.set_xlabel("size on disk, % of the dense float32 model   (left is smaller)")
    axes.set_ylabel(
        f"change of {short(sweep.metric, 30)}{', points' if sweep.share else ''}{seeds}"
    )
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def _series(axes: "Axes", series: Series, look: Look, unit: float, *, share: bool) -> None:
    """A line through the steps; bars are the intervals, an arrow a loss beyond the axis."""
    marker, colour = look
    floor = -_FLOOR if share else float("-inf")
    xs = [100 * step.size for step in series.steps]
    ys = [max(unit * step.change, floor) for step in series.steps]
    if len(set(xs)) > 1:  # steps of one size are no curve
        axes.plot(xs, ys, color=colour, linewidth=1.2, alpha=0.8, zorder=2)
    for x, y, step in zip(xs, ys, series.steps, strict=True):
        beyond = unit * step.change < floor
        if not beyond:
            axes.plot([x, x], [max(unit * step.low, floor), unit * step.high], color=colour,
                      linewidth=0.9, alpha=0.5, zorder=3)  # fmt: skip
        axes.plot([x], [y], marker=_BEYOND if beyond else marker, markersize=8 if beyond else 6,
                  color=colour, linestyle="none", zorder=4)  # fmt: skip


def _legend(figure: "Figure", looks: Mapping[str, Look]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=marker, color=colour, linewidth=1.2, markersize=6,
               label=short(name, 44))
        for name, (marker, colour) in looks.items()
    ]  # fmt: skip
    handles.append(Line2D([], [], color=INK, linewidth=0.9, label="95 % interval over seeds"))
    handles.append(Line2D([], [], color=INK, marker=_BEYOND, linestyle="none",
                          label=f"loses more than {_FLOOR:g} points"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
