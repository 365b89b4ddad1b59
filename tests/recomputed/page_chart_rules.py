"""Whether the charts of the HTML page show what the journal says; see `recompute_points`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from page_charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Mark, chart, legend, same
from page_html import Node, tidy
from recompute import Number
from recompute_points import Plane, Spot
from shown_numbers import NUMBER, PREFIX, rounds_to, significant

_CAPTION = (
    "{}. Bars are 95 % intervals. Point at a mark, or reach it with the Tab key, for its values;"
    " the table below holds them all."
)
_FLOOR = -6.0
_MOST_LABELS = 10
_ARROW = "M-5,-4H5L0,5z"
_SIGNS = {
    "hollow: breaks quality": ["mark c0 hollow", "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z"],
    "Pareto front": ["front", "M0,6H24"],
    "quality target": ["level", "M0,6H24"],
}
"""Class and path of what a legend explains beside the techniques."""


def short(text: str, most: int) -> str:
    """A text that is too long, with its middle left out."""
    keep = (most - 1) // 2
    return text if len(text) <= most else f"{text[:keep]}…{text[keep + 1 - most :]}"


def of_size(shown: str, count: int) -> bool:
    """``44.7 MiB`` or ``900 B``."""
    value, _, unit = shown.partition(" ")
    power = {"B": 0, "KiB": 1, "MiB": 2, "GiB": 3}[unit]
    if power == 0:
        return value == str(count)
    return count >= 1024**power and significant(value, count / 1024**power)


def pareto_faults(figure: Node, planes: Sequence[Plane]) -> Iterator[str]:
    """What of the figure of quality against cost is not what the journal says."""
    panels = [chart(panel) for panel in figure.all("div", "panel")]
    yield from _frame_faults(figure, "Quality against cost", panels, planes)
    spots = [spot for plane in planes for spot in plane.spots]
    keys, looks = legend(figure), _looks(figure)
    wanted = ["baseline"] if any(spot.baseline for spot in spots) else []
    wanted += [short(name, 30) for name in sorted({s.group for s in spots if not s.baseline})]
    wanted += [] if all(spot.holds for spot in spots) else ["hollow: breaks quality"]
    wanted += ["Pareto front"]
    wanted += ["quality target"] if any(plane.target is not None for plane in planes) else []
    if [words for words, *_ in keys] != wanted or any(
        look != _SIGNS.get(words, look) for words, *look in keys
    ):
        yield f"the legend says {keys}"
    for panel, plane in zip(panels, planes, strict=True):
        for mark, spot in _pairs(panel, plane):
            look = looks["baseline" if spot.baseline else short(spot.group, 30)]
            if mark.look != look or mark.hollow == spot.holds or not _says(mark, spot, plane):
                yield f"the mark says {mark.said!r} for {spot}"
        yield from _plane_faults(panel, plane)


def sweep_faults(figure: Node, planes: Sequence[Plane]) -> Iterator[str]:
    """What of the figure of quality against size is not what the journal says."""
    panels = [chart(panel) for panel in figure.all("div", "panel")]
    yield from _frame_faults(figure, "Quality against size on disk", panels, planes)
    names = sorted({spot.group for plane in planes for spot in plane.spots})
    keys, looks = legend(figure), _looks(figure)
    if [words for words, *_ in keys] != [short(name, 44) for name in names]:
        yield f"the legend says {keys}"
    for panel, plane in zip(panels, planes, strict=True):
        for mark, spot in _pairs(panel, plane, sweep=True):
            colour, shape = looks[short(spot.group, 44)]
            beyond = plane.share and 100 * spot.y.value < _FLOOR
            look = (colour, _ARROW if beyond else shape)
            if mark.look != look or mark.hollow or not _tells(mark, spot, plane):
                yield f"the mark says {mark.said!r} for {spot}"
        yield from _sweep_faults(panel, plane, looks)


def _frame_faults(
    figure: Node, title: str, panels: Sequence[Chart], planes: Sequence[Plane]
) -> Iterator[str]:
    if figure["aria-label"] != title or figure.one("figcaption").text() != _CAPTION.format(title):
        yield f"the figure is called {figure['aria-label']!r}"
    if {each.tag for each in figure.nodes} != {"div", "ul", "figcaption"}:
        yield "the figure has other parts"
    if [panel.title for panel in panels] != [plane.title for plane in planes]:
        yield f"the panels are {[panel.title for panel in panels]}"
    for panel in panels:
        if not (panel.x.agrees() and panel.y.agrees()):
            yield f"the ticks of {panel.title!r} stand apart: {panel.x.ticks} {panel.y.ticks}"


def _looks(figure: Node) -> dict[str, tuple[str, str]]:
    """Colour and shape of each name of the legend; hollow is no other colour."""
    return {
        words: (kind.removeprefix("mark ").removesuffix(" hollow"), shape)
        for words, kind, shape in legend(figure)
    }


def _name(spot: Spot, *, sweep: bool) -> str:
    return tidy(f"{spot.group} {spot.label}" if sweep else spot.label)


def _pairs(panel: Chart, plane: Plane, *, sweep: bool = False) -> list[tuple[Mark, Spot]]:
    """Each mark with what it stands for; both must have the same names."""
    marks = {tidy(mark.said.rpartition(": ")[0]): mark for mark in panel.marks}
    spots = {_name(spot, sweep=sweep): spot for spot in plane.spots}
    if set(marks) != set(spots) or len(marks) != len(panel.marks) or len(spots) < len(plane.spots):
        raise ValueError(f"found the marks {set(marks) ^ set(spots)} of one side only")
    return [(mark, spots[name]) for name, mark in marks.items()]


def unit_of(panel_title: str, plane: Plane) -> float:
    """What one unit of the axis across is in the unit itself; its title must name it."""
    found = re.fullmatch(
        rf"energy per {re.escape(short(plane.unit, 20))}, (?P<prefix>[kmµn]?)J|time ÷ baseline",
        panel_title.removesuffix(" (left is better)"),
    )
    if found is None or (found["prefix"] is not None) != plane.energy:
        raise ValueError(f"found the title {panel_title!r}")
    return PREFIX[found["prefix"] or ""]


def _says(mark: Mark, spot: Spot, plane: Plane) -> bool:
    """Value, interval, quality, target and front in the words of a mark."""
    what = (
        rf"([kmµn]?)J per {re.escape(plane.unit)}" if plane.energy else r"()× the baseline's time"
    )
    found = re.fullmatch(
        rf"{re.escape(spot.label)}: ({NUMBER}) {what} \(({NUMBER}) to ({NUMBER})\); quality"
        rf" ({NUMBER})( %)?, (holds|breaks) its target(; on the Pareto front)?",
        mark.said,
    )
    if found is None or spot.x.low is None or spot.x.high is None:
        return False
    factor, quality = PREFIX[found[2]], spot.quality
    fits = rounds_to(found[5], 100 * quality, 0.1) if plane.share else (
        significant(found[5], quality, 4)
    )  # fmt: skip
    return (
        significant(found[1], spot.x.value / factor, 4)
        and significant(found[3], spot.x.low / factor, 4)
        and significant(found[4], spot.x.high / factor, 4)
        and fits
        and bool(found[6]) == plane.share
        and (found[7] == "holds") == spot.holds
        and bool(found[8]) == (spot in plane.front)
    )


def _tells(mark: Mark, spot: Spot, plane: Plane) -> bool:
    """Size, bytes, quality and change in the words of a mark of a sweep."""
    name = re.escape(f"{spot.group} {spot.label}")
    found = re.fullmatch(
        rf"{name}: ({NUMBER}) % of the dense size \(([^)]*)\), quality ({NUMBER})"
        rf" \(([+]?)({NUMBER})\)",
        mark.said,
    )
    if found is None:
        return False
    unit, step = (100.0, 0.1) if plane.share else (1.0, 1e-3)
    change = unit * spot.y.value
    return (
        significant(found[1], 100 * spot.x.value)
        and of_size(found[2], spot.size)
        and rounds_to(found[3], unit * spot.quality, step)
        and rounds_to(found[5], change, step)
        and bool(found[4]) == (round(change / step) > 0)
    )


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


def stands(panel: Chart, mark: Mark, x: Number, y: Number) -> bool:
    """Whether a mark and its bars stand where the axes put their values."""
    ends = [panel.x.at(x.value if end is None else end) for end in (x.low, x.high)]
    sides = [panel.y.at(y.value if end is None else end) for end in (y.low, y.high)]
    wanted = (
        panel.x.at(x.value),
        panel.y.at(y.value),
        *(_within(end, LEFT, RIGHT) for end in ends),
        *(_within(end, TOP, BOTTOM) for end in sides),
    )
    return all(map(same, (mark.x, mark.y, *mark.across, *mark.upwards), wanted))


def times(value: Number, factor: float) -> Number:
    low, high = (None if end is None else factor * end for end in (value.low, value.high))
    return Number(factor * value.value, low, high)


def stairs(best: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The corners of a front: across at the old height, then to the new one."""
    corners = [((x, before), (x, y)) for (_, before), (x, y) in pairwise(best)]
    return (*best[:1], *(corner for both in corners for corner in both))


def _plane_faults(panel: Chart, plane: Plane) -> Iterator[str]:
    unit = 100.0 if plane.share else 1.0
    factor, cost = unit_of(panel.x_title, plane), panel.x_title.removesuffix(" (left is better)")
    metric = short(plane.metric, 30)
    if panel.y_title != f"{metric}{', %' if plane.share else ''}" or panel.percent:
        yield f"the axis is called {panel.y_title!r}"
    if panel.summary != (
        f"{metric} against {cost} of {len(plane.spots)} variants; less cost stands to the left."
    ):
        yield f"the summary says {panel.summary!r}"
    for mark, spot in _pairs(panel, plane):
        low = max(spot.x.low or 0.0, spot.x.value / 1000)  # a logarithmic axis has no zero
        x = times(Number(spot.x.value, low, spot.x.high), 1 / factor)
        if not stands(panel, mark, x, times(spot.y, unit)):
            yield f"{mark} stands elsewhere than {spot}"
    best = [(panel.x.at(s.x.value / factor), panel.y.at(unit * s.quality)) for s in plane.front]
    base = [panel.x.at(s.x.value / factor) for s in plane.spots if s.baseline][:1]
    wanted = [("upright", ((x, TOP), (x, BOTTOM))) for x in base]
    if plane.target is not None:
        y = panel.y.at(unit * plane.target)
        wanted.append(("level", ((LEFT, y), (RIGHT, y))))
    yield from _line_faults(panel, [*wanted, ("front", stairs(best))])
    few = len(plane.spots) <= _MOST_LABELS
    named = [s for s in plane.spots if few or s.baseline or s in plane.front]
    names = [(short(s.label.partition("@")[2] or s.label, 26), s.baseline) for s in named]
    if sorted(names) != sorted(panel.labels):
        yield f"the labels are {panel.labels}, wanted {names}"


def _sweep_faults(
    panel: Chart, plane: Plane, looks: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    unit, floor = (100.0, _FLOOR) if plane.share else (1.0, float("-inf"))
    groups = sorted({spot.group for spot in plane.spots})
    metric = short(plane.metric, 30)
    summary = (
        f"Change of {metric} against size on disk of {len(plane.spots)} variants in"
        f" {len(groups)} series; smaller stands to the left."
    )
    called = f"change of {metric}{', points' if plane.share else ''}"
    titles = ("size on disk, % of the dense float32 model", called, summary)
    if (panel.x_title, panel.y_title, panel.summary) != titles or not panel.percent or panel.labels:
        yield f"the titles are {panel.x_title!r}, {panel.y_title!r}, {panel.summary!r}"
    places = {}
    for mark, spot in _pairs(panel, plane, sweep=True):
        change = times(spot.y, unit)
        y = Number(max(change.value, floor), max(change.low or 0.0, floor), change.high)
        if change.value < floor:
            y = Number(floor, floor, floor)
        if not stands(panel, mark, times(spot.x, 100.0), y):
            yield f"{mark} stands elsewhere than {spot}"
        places[spot] = (panel.x.at(100 * spot.x.value), panel.y.at(y.value))
    zero = panel.y.at(0.0)
    wanted: Lines = [("zero", ((LEFT, zero), (RIGHT, zero)))]
    for group in groups:
        own = sorted((s for s in places if s.group == group), key=lambda s: (s.x.value, s.label))
        if len({spot.x.value for spot in own}) > 1:
            colour = looks[short(group, 44)][0]
            wanted = [*wanted, (f"line {colour}", tuple(places[spot] for spot in own))]
    yield from _line_faults(panel, wanted)


Lines = Sequence[tuple[str, tuple[tuple[float, float], ...]]]


def _line_faults(panel: Chart, wanted: Lines) -> Iterator[str]:
    if [kind for kind, _ in panel.lines] != [kind for kind, _ in wanted]:
        yield f"the lines are {[kind for kind, _ in panel.lines]}"
        return
    for (kind, found), (_, places) in zip(panel.lines, wanted, strict=True):
        flat, right = ([end for place in each for end in place] for each in (found, places))
        if len(flat) != len(right) or not all(map(same, flat, right)):
            yield f"the {kind} of {panel.title!r} goes through {found}, wanted {places}"
