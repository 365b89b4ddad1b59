"""A chart as SVG that a page can theme: points with intervals, lines, labels; pure functions.

Colours are classes, so that the page's style sheet decides them in light and dark. Each point is an
element that the keyboard reaches and that says its own values. Coordinates have two decimals: the
same chart gives the same bytes.
"""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.figures import nice_ticks
from bench.report.labels import CHARACTER, FAR, SIZE, Box, Segment, chosen
from bench.report.text import fixed

WIDTH, HEIGHT = 560, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 52
_PER_POINT = 1.5  # units of the drawing in one point of a label
_MOST_TICKS = 6
_SHAPES = (
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
    "M-4.5,-4.5h9v9h-9z",
    "M0,-5.5L5.2,4H-5.2z",
    "M0,-6L5.5,0L0,6L-5.5,0z",
    "M0,5.5L5.2,-4H-5.2z",
    "M-1.8,-5.5h3.6v3.7h3.7v3.6h-3.7v3.7h-3.6v-3.7h-3.7v-3.6h3.7z",
    "M-5,-3L-3,-5L0,-2L3,-5L5,-3L2,0L5,3L3,5L0,2L-3,5L-5,3L-2,0z",
    "M-5.5,0L4,-5.2V5.2z",
    "M5.5,0L-4,-5.2V5.2z",
    "M-5.4,0L-2.7,-4.7H2.7L5.4,0L2.7,4.7H-2.7z",
)
_STAR = "M0,-8L1.9,-2.6L7.6,-2.5L3.1,1L4.7,6.5L0,3.2L-4.7,6.5L-3.1,1L-7.6,-2.5L-1.9,-2.6z"
_ARROW = "M-5,-4H5L0,5z"
COLOURS = 7
"""How many colours the style sheet has, as classes ``c0`` to ``c6``."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One point.

    Args:
        x: Where it stands, in the axis' unit; so are all of these.
        y: Where it stands.
        x_ends: Ends of its interval across, or twice *x*.
        y_ends: Ends of its interval upwards, or twice *y*.
        label: What stands beside it, if anything.
        said: What it says when it is pointed at or focused.
        look: Number of its marker and colour; None for the baseline's star.
        hollow: Whether it is drawn hollow.
        beyond: Whether it lies below the axis: an arrow stands at the edge for it.
    """

    x: float
    y: float
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    label: str
    said: str
    look: int | None
    hollow: bool = False
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel of a figure.

    Args:
        title: Above it.
        summary: What a reader who does not see it is told.
        x_title: Of the axis across, which is logarithmic.
        y_title: Of the axis upwards.
        x_range: Ends of the axis across.
        y_range: Ends of the axis upwards.
        dots: The points.
        stairs: Corners of the Pareto front.
        lines: For each line the look and the points that it goes through.
        level: Where the target stands, or None.
        upright: Where the baseline stands, or None.
        percent: Whether the ticks across are per cent.
    """

    title: str
    summary: str
    x_title: str
    y_title: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    dots: tuple[Dot, ...]
    stairs: tuple[tuple[float, float], ...] = ()
    lines: tuple[tuple[int, tuple[tuple[float, float], ...]], ...] = ()
    level: float | None = None
    upright: float | None = None
    percent: bool = False


At = Callable[[float], float]


def svg(chart: Chart, name: str) -> str:
    """The chart as an ``svg`` element.

    Args:
        chart: What to draw.
        name: An id that no other element of the page begins with.
    """
    across, up = _axes(chart)
    title, summary = html.escape(chart.title), html.escape(chart.summary)
    head = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="group"'
        f' aria-labelledby="{name}-t" aria-describedby="{name}-d">'
    )
    said = f'<title id="{name}-t">{title}</title><desc id="{name}-d">{summary}</desc>'
    still = f"{_grid(chart, across, up)}{_lines(chart, across, up)}{_labels(chart, across, up)}"
    dots = [_dot(dot, across, up) for dot in chart.dots]
    return "\n".join((head, said, f'<g aria-hidden="true">{still}</g>', *dots, "</svg>"))


def marker(look: int | None, *, hollow: bool = False) -> str:
    """A marker alone, for a legend."""
    return (
        f'<svg class="key" viewBox="-9 -9 18 18" width="16" height="16" aria-hidden="true">'
        f"{_shape(look, hollow=hollow)}</svg>"
    )


def _axes(chart: Chart) -> tuple[At, At]:
    """Where a value stands in the drawing: logarithmic across, linear upwards."""
    low, high = map(math.log, chart.x_range)
    least, most = chart.y_range
    wide, tall = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    return (
        lambda x: _LEFT + wide * (math.log(x) - low) / (high - low),
        lambda y: _TOP + tall * (most - y) / (most - least),
    )


def even_ticks(low: float, high: float) -> list[float]:
    """Round numbers at equal distances, six or seven at most.

    >>> even_ticks(0.0, 1.0), even_ticks(96.8, 99.4)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [97.0, 97.5, 98.0, 98.5, 99.0])
    """
    span = (high - low) / (_MOST_TICKS - 1)
    decade = math.floor(math.log10(span))
    step = next(s for s in (1, 2, 2.5, 5, 10) if s * 10.0**decade >= span * (1 - 1e-9))
    step *= 10.0**decade
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _grid(chart: Chart, across: At, up: At) -> str:
    parts = []
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for x in nice_ticks(*chart.x_range) or even_ticks(*chart.x_range):
        if x > 0:
            at, unit = across(x), " %" if chart.percent else ""
            parts.append(f'<path class="grid" d="M{at:.2f},{_TOP}V{bottom}"/>')
            parts.append(_text(at, bottom + 16, f"{_tick(x)}{unit}", "middle"))
    for y in even_ticks(*chart.y_range):
        parts.append(f'<path class="grid" d="M{_LEFT},{up(y):.2f}H{right}"/>')
        parts.append(_text(_LEFT - 6, up(y) + 4, _tick(y), "end"))
    parts.append(f'<path class="axis" d="M{_LEFT},{_TOP}V{bottom}H{right}"/>')
    parts.append(_text((_LEFT + right) / 2, HEIGHT - 10, chart.x_title, "middle"))
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(14,{middle:.2f}) rotate(-90)" text-anchor="middle">'
        f"{html.escape(chart.y_title)}</text>"
    )
    return "".join(parts)


def _tick(value: float) -> str:
    decimals = next((d for d in range(7) if math.isclose(round(value, d), value, abs_tol=1e-12)), 7)
    return fixed(value, decimals)


def _text(x: float, y: float, said: str, anchor: str, class_: str = "") -> str:
    marked = f' class="{class_}"' if class_ else ""
    return (
        f'<text{marked} x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{html.escape(said)}</text>'
    )


def _lines(chart: Chart, across: At, up: At) -> str:
    """The front's stairs, the target, where the baseline stands, and lines through points."""
    parts = []
    if chart.upright is not None:
        parts.append(
            f'<path class="upright" d="M{across(chart.upright):.2f},{_TOP}V{HEIGHT - _BOTTOM}"/>'
        )
    if chart.level is not None:
        kind = "zero" if chart.percent else "level"
        parts.append(f'<path class="{kind}" d="M{_LEFT},{up(chart.level):.2f}H{WIDTH - _RIGHT}"/>')
    if chart.stairs:
        first, *rest = [(across(x), up(y)) for x, y in chart.stairs]
        steps = "".join(f"H{x:.2f}V{y:.2f}" for x, y in rest)
        parts.append(f'<path class="front" d="M{first[0]:.2f},{first[1]:.2f}{steps}"/>')
    for look, points in chart.lines:
        path = "L".join(f"{across(x):.2f},{up(y):.2f}" for x, y in points)
        parts.append(f'<path class="line c{look % COLOURS}" d="M{path}"/>')
    return "".join(parts)


def _labels(chart: Chart, across: At, up: At) -> str:
    """The labels where they cover least; a thin line leads to one that stands away."""
    named = [dot for dot in chart.dots if dot.label]

    def on_page(x: float, y: float) -> tuple[float, float]:
        return across(x) / _PER_POINT, -up(y) / _PER_POINT

    inside = Box(
        _LEFT / _PER_POINT, -(HEIGHT - _BOTTOM) / _PER_POINT,
        (WIDTH - _RIGHT) / _PER_POINT, -_TOP / _PER_POINT,
    )  # fmt: skip
    placed = chosen(
        [(*on_page(dot.x, dot.y), dot.label) for dot in named], _bars(chart, on_page), inside
    )
    parts = []
    for dot, (dx, dy) in zip(named, placed, strict=True):
        x, y = across(dot.x) + dx * _PER_POINT, up(dot.y) - dy * _PER_POINT
        if abs(dy) > FAR:
            near = min(max(across(dot.x), x), x + CHARACTER * SIZE * _PER_POINT * len(dot.label))
            start = f"{across(dot.x):.2f},{up(dot.y):.2f}"
            parts.append(f'<path class="lead" d="M{start}L{near:.2f},{y:.2f}"/>')
        baseline = " base" if dot.look is None else ""
        parts.append(_text(x, y + SIZE * _PER_POINT * 0.35, dot.label, "start", f"label{baseline}"))
    return "".join(parts)


def _bars(
    chart: Chart, on_page: Callable[[float, float], tuple[float, float]]
) -> Sequence[Segment]:
    """What a label had better not cover: the bars, the front, the target."""
    ends = [((dot.x, dot.y_ends[0]), (dot.x, dot.y_ends[1])) for dot in chart.dots]
    ends += [((dot.x_ends[0], dot.y), (dot.x_ends[1], dot.y)) for dot in chart.dots]
    for (x, y), (next_x, next_y) in pairwise(chart.stairs):
        ends += [((x, y), (next_x, y)), ((next_x, y), (next_x, next_y))]
    if chart.level is not None:
        ends.append(((chart.x_range[0], chart.level), (chart.x_range[1], chart.level)))
    return [(*on_page(*one), *on_page(*other)) for one, other in ends]


def _dot(dot: Dot, across: At, up: At) -> str:
    """A point with its two bars, which says its values to a mouse, a keyboard, a screen reader."""
    x, y, said = across(dot.x), up(dot.y), html.escape(dot.said)
    left, right = (min(max(across(end), _LEFT), WIDTH - _RIGHT) for end in dot.x_ends)
    low, high = (min(max(up(end), _TOP), HEIGHT - _BOTTOM) for end in dot.y_ends)
    colour = "cb" if dot.look is None else f"c{dot.look % COLOURS}"
    return (
        f'<g class="dot {colour}" role="img" tabindex="0" aria-label="{said}"><title>{said}</title>'
        f'<path class="span" d="M{x:.2f},{low:.2f}V{high:.2f}M{left:.2f},{y:.2f}H{right:.2f}"/>'
        f'<circle class="reach" cx="{x:.2f}" cy="{y:.2f}" r="12"/>'
        f'<g transform="translate({x:.2f},{y:.2f})">'
        f"{_shape(dot.look, hollow=dot.hollow, beyond=dot.beyond)}</g></g>"
    )


def _shape(look: int | None, *, hollow: bool = False, beyond: bool = False) -> str:
    shape = _STAR if look is None else _SHAPES[look % len(_SHAPES)]
    colour = "cb" if look is None else f"c{look % COLOURS}"
    filled = " hollow" if hollow else ""
    return f'<path class="mark {colour}{filled}" d="{_ARROW if beyond else shape}"/>'
