"""Whether the figures beside the Markdown page show what the journal says."""

from collections.abc import Iterator, Sequence

from page_chart_rules import short, stairs, times, unit_of
from page_figures import Drawing, Line, Panel, Places
from recompute import Number
from recompute_points import Plane

NEAR = 2e-4
"""Points of the page: its places have six digits behind the point, but its ends are floats."""
GREY, INK, TARGET, WHITE = "#8a8a8a", "#222222", "#d55e00", "#ffffff"
_FLOOR = -6.0
_SIZE = "size on disk, % of the dense float32 model   (left is smaller)"


def pareto_drawing_faults(found: Drawing, planes: Sequence[Plane]) -> Iterator[str]:
    """What of the figure of quality against cost is not what the journal says."""
    spots = [spot for plane in planes for spot in plane.spots]
    names = ["baseline"] if any(spot.baseline for spot in spots) else []
    names += [short(name, 30) for name in sorted({s.group for s in spots if not s.baseline})]
    names += [] if all(spot.holds for spot in spots) else ["hollow: breaks quality"]
    names += ["Pareto front"]
    names += ["quality target"] if any(plane.target is not None for plane in planes) else []
    yield from _frame_faults(found, _heading(planes), [*names, "95 % interval"], planes, 56)
    colours = dict(found.legend)
    for panel, plane in zip(found.panels, planes, strict=True):
        yield from _plane_faults(panel, plane, colours, found.width)


def sweep_drawing_faults(found: Drawing, planes: Sequence[Plane]) -> Iterator[str]:
    """What of the figure of quality against size is not what the journal says."""
    names = sorted({spot.group for plane in planes for spot in plane.spots})
    rest = ["95 % interval over seeds", "loses more than 6 points"]
    wanted = [*(short(name, 44) for name in names), *rest]
    yield from _frame_faults(found, "Quality against size on disk", wanted, planes, 60)
    colours = dict(found.legend)
    for panel, plane in zip(found.panels, planes, strict=True):
        yield from _sweep_faults(panel, plane, colours, found.width)


def _heading(planes: Sequence[Plane]) -> str:
    if all(plane.energy for plane in planes):
        return "Quality against energy per sample"
    if any(plane.energy for plane in planes):
        return "Quality against energy; where energy was not measured: time ÷ baseline"
    return "Energy was not measured: time relative to the baseline instead"


def _frame_faults(
    found: Drawing, title: str, legend: Sequence[str], planes: Sequence[Plane], most: int
) -> Iterator[str]:
    if found.title != title or [words for words, _ in found.legend] != list(legend):
        yield f"the figure is called {found.title!r}, its legend says {found.legend}"
    if [each.title for each in found.panels] != [short(plane.title, most) for plane in planes]:
        yield f"the panels are {[each.title for each in found.panels]}"
    for panel in found.panels:
        if not (panel.x.agrees(NEAR) and panel.y.agrees(NEAR)):
            yield f"the ticks of {panel.title!r} stand apart"


def _plane_faults(
    panel: Panel, plane: Plane, colours: dict[str, str], width: float
) -> Iterator[str]:
    unit, metric = 100.0 if plane.share else 1.0, short(plane.metric, 30)
    factor = unit_of(panel.x_title.replace("   (left", " (left"), plane)
    if panel.y_title != f"{metric}{', %' if plane.share else ''}" or panel.percent:
        yield f"the axis is called {panel.y_title!r}"
    wanted = sorted(short(s.label.partition("@")[2] or s.label, 26) for s in plane.spots)
    if sorted(panel.labels) != wanted:
        yield f"the labels are {panel.labels}"
    best = [(panel.x.at(s.x.value / factor), panel.y.at(unit * s.quality)) for s in plane.front]
    left, right, top, bottom = panel.frame
    lines = [Line(stairs(best), (), GREY, "", faint=False, dashed=False)]
    if plane.target is not None:
        y = panel.y.at(unit * plane.target)
        lines.append(Line(((left, y), (right, y)), (), TARGET, "", faint=False, dashed=True))
    for spot in plane.spots:
        colour = colours["baseline" if spot.baseline else short(spot.group, 30)]
        low = max(spot.x.low or 0.0, spot.x.value / 1000)  # a logarithmic axis has no zero
        x = times(Number(spot.x.value, low, spot.x.high), 1 / factor)
        if spot.baseline:
            ends = ((panel.x.at(x.value), bottom), (panel.x.at(x.value), top))
            lines.append(Line(ends, (), GREY, "", faint=False, dashed=True))
        lines += _marks(panel, x, times(spot.y, unit), colour, holds=spot.holds)
    yield from _line_faults(panel, lines, width)


def _marks(panel: Panel, x: Number, y: Number, colour: str, *, holds: bool) -> list[Line]:
    """The two bars of a point, and its mark."""
    at = panel.x.at(x.value), panel.y.at(y.value)
    low, high = (panel.y.at(y.value if end is None else end) for end in (y.low, y.high))
    ends = tuple((panel.x.at(x.value if e is None else e), at[1]) for e in (x.low, x.high))
    edge, fill = (WHITE, colour) if holds else (colour, WHITE)
    return [
        Line(((at[0], low), (at[0], high)), (), colour, "", faint=True, dashed=False),
        Line(ends, ends, colour, colour, faint=False, dashed=False),
        Line((), (at,), edge, fill, faint=False, dashed=False),
    ]


def _sweep_faults(
    panel: Panel, plane: Plane, colours: dict[str, str], width: float
) -> Iterator[str]:
    unit, floor = (100.0, _FLOOR) if plane.share else (1.0, float("-inf"))
    seeds = f", mean of {plane.seeds} seeds" if plane.seeds > 1 else ""
    title = f"change of {short(plane.metric, 30)}{', points' if plane.share else ''}{seeds}"
    if (panel.x_title, panel.y_title) != (_SIZE, title) or not panel.percent or panel.labels:
        yield f"the titles are {panel.x_title!r}, {panel.y_title!r}"
    left, right, _, _ = panel.frame
    zero = panel.y.at(0.0)
    lines = [Line(((left, zero), (right, zero)), (), GREY, "", faint=False, dashed=True)]
    for group in sorted({spot.group for spot in plane.spots}):
        colour = colours[short(group, 44)]
        own = [spot for spot in plane.spots if spot.group == group]
        own = sorted(own, key=lambda spot: (spot.x.value, spot.label))
        places = []
        for spot in own:
            y = times(spot.y, unit)
            at = panel.x.at(100 * spot.x.value), panel.y.at(max(y.value, floor))
            places.append(at)
            lines += _step(panel, y, at, colour, floor)
        if len({spot.x.value for spot in own}) > 1:
            lines.append(Line(tuple(places), (), colour, "", faint=True, dashed=False))
    yield from _line_faults(panel, lines, width)


def _step(
    panel: Panel, y: Number, at: tuple[float, float], colour: str, floor: float
) -> Iterator[Line]:
    """The bar and the mark of a step; what loses too much has a mark at the edge alone."""
    if y.value >= floor:
        low, high = (panel.y.at(max(end or 0.0, floor)) for end in (y.low, y.high))
        yield Line(((at[0], low), (at[0], high)), (), colour, "", faint=True, dashed=False)
    yield Line((), (at,), colour, colour, faint=False, dashed=False)


def _line_faults(panel: Panel, wanted: Sequence[Line], width: float) -> Iterator[str]:
    """Every line that is drawn is one that the journal asks for, and the other way round."""
    waiting = list(wanted)
    left, right, top, bottom = panel.frame
    for line in panel.lines:
        shown = line.path if line.faint else () if line.path else line.marks
        if not all(left <= x <= right and top <= y <= bottom for x, y in shown):
            yield f"{line} of {panel.title!r} stands outside of its frame"
        same = next((each for each in waiting if _same(line, each, width)), None)
        if same is None:
            yield f"{panel.title!r} has {line}, which nothing asks for"
        else:
            waiting.remove(same)
    yield from (f"{panel.title!r} lacks {line}" for line in waiting)


def _same(one: Line, other: Line, width: float) -> bool:
    """Whether two lines are one; bars across are drawn no further than the page goes."""
    looks = [(each.colour, each.fill, each.faint, each.dashed) for each in (one, other)]
    paths, marks = (one.path, other.path), (one.marks, other.marks)
    if one.path and one.marks:
        paths = (_cut(one.path, width), _cut(other.path, width))
        within = [(x, y) for x, y in other.marks if 0 <= x <= width]
        marks = (one.marks, tuple(within))
    return looks[0] == looks[1] and _near(*paths) and _near(*marks)


def _cut(places: Places, width: float) -> Places:
    return tuple((min(max(x, 0.0), width), y) for x, y in places)


def _near(one: Places, other: Places) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= NEAR
        for place, wanted in zip(one, other, strict=True)
        for a, b in zip(place, wanted, strict=True)
    )
