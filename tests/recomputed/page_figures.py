"""A figure that stands beside the Markdown page, read from its SVG.

Its words are drawn as outlines of a font, one for each sign, and a comment before them says the
words again. Which outline is which sign only the font knows; but within a file one sign must be
one outline, and the outlines of the digits must be neighbours, as they are in the font.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from page_charts import Axis, Tick
from page_html import Node
from shown_numbers import number

Places = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Line:
    """A line of a panel, or a mark.

    Args:
        path: Its corners; empty for a mark alone.
        marks: Where marks stand on it.
        colour: Of the line, or of the marks.
        fill: Of the marks.
        faint: Whether it is half transparent.
        dashed: Whether it is broken.
    """

    path: Places
    marks: Places
    colour: str
    fill: str
    faint: bool
    dashed: bool


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        title: Above it.
        frame: Its left, right, upper and lower edge, downwards.
        x: The axis across, logarithmic.
        y: The axis upwards.
        percent: Whether the ticks across are per cent.
        x_title: Below it.
        y_title: Beside it.
        labels: Beside the points.
        lines: In the order in which they are drawn.
    """

    title: str
    frame: tuple[float, float, float, float]
    x: Axis
    y: Axis
    percent: bool
    x_title: str
    y_title: str
    labels: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Drawing:
    """A whole figure.

    Args:
        title: Above all.
        panels: In order.
        width: Of the page.
        legend: Of each line of the legend the words and the colour.
    """

    title: str
    width: float
    panels: tuple[Panel, ...]
    legend: tuple[tuple[str, str], ...]


def drawing(root: Node) -> Drawing:
    """The figure of a file.

    Raises:
        ValueError: Words and outlines differ, or a part is not known here.
        LookupError: A part is missing.
    """
    page = root.one("svg")
    (figure,) = (each for each in page.nodes if each["id"] == "figure_1")
    _check_outlines(figure)
    panels, keys, title = [], [], ""
    for each in figure.nodes:
        if each["id"].startswith("axes_"):
            panels += [_panel(each)] if len(_axes(each)) > 1 else []
        elif each["id"] == "legend_1":
            keys = [part for part in each.nodes if part["id"].startswith(("line2d", "text"))]
        elif each["id"].startswith("text_"):
            title = words(each)
        elif each["id"] != "patch_1":
            raise ValueError(f"found the part {each['id']}")
    legend = tuple(
        (words(said), _line(mark).fill if _line(mark).marks else _line(mark).colour)
        for mark, said in zip(keys[::2], keys[1::2], strict=True)
    )
    return Drawing(title, float(page["width"].removesuffix("pt")), tuple(panels), legend)


def _axes(node: Node) -> list[Node]:
    """The two axes of a panel; a place that no panel needed has none."""
    return [each for each in node.nodes if each["id"].startswith("matplotlib.axis_")]


def words(text: Node) -> str:
    """The words of a text, of which each sign must have its outline."""
    (said,) = (each.text().strip(" ") for each in text.all("!"))
    _signs(said, len(_outlines(text)))
    return said


def _signs(said: str, count: int) -> list[str]:
    """The signs of some words; a font may draw two or three letters as one."""
    for joined in ("", "f[il]|", "ff[il]|f[fil]|"):
        signs = re.findall(f"{joined}.", said)
        if len(signs) == count:
            return signs
    raise ValueError(f"found {count} outlines for {said!r}")


def _outlines(text: Node) -> list[tuple[str, int]]:
    """Font and number of each outline of a text."""
    names = [each["xlink:href"].rpartition("-") for each in text.all("use")]
    return [(font, int(place, 16)) for font, _, place in names]


def _check_outlines(figure: Node) -> None:
    """One sign of a font has one outline and the other way round; digits are neighbours."""
    signs: dict[tuple[str, str], int] = {}
    defined = {f"#{each['id']}" for each in figure.all("path")}
    for text in figure.all("g"):
        if text["id"].startswith("text_"):
            outlines = _outlines(text)
            if not {each["xlink:href"] for each in text.all("use")} <= defined:
                raise ValueError(f"an outline of {words(text)!r} is missing")
            for sign, (font, place) in zip(
                _signs(words(text), len(outlines)), outlines, strict=True
            ):
                if signs.setdefault((font, sign), place) != place:
                    raise ValueError(f"{sign!r} in {words(text)!r} is drawn as another sign")
    first = {(font, place - int(sign)) for (font, sign), place in signs.items() if sign.isdigit()}
    different = {(font, place) for (font, _), place in signs.items()}
    if len(first) > len({font for font, _ in first}) or len(different) < len(signs):
        raise ValueError("two signs have one outline, or a digit that of another")


def _panel(node: Node) -> Panel:
    across, upwards = _axes(node)
    edges = corners(node.nodes[0].one("path")["d"])
    xs, ys = sorted({x for x, _ in edges}), sorted({y for _, y in edges})
    said = [words(each) for each in node.nodes if each["id"].startswith("text_")]
    frame = (xs[0], xs[-1], ys[0], ys[-1])
    ticks = list(_ticks(across, 0, frame))
    return Panel(
        said[0],
        frame,
        Axis(tuple(tick for tick, _ in ticks), logarithmic=True),
        Axis(tuple(tick for tick, _ in _ticks(upwards, 1, frame)), logarithmic=False),
        any(percent for _, percent in ticks),
        _title(across),
        _title(upwards),
        tuple(said[1:]),
        tuple(_line(each) for each in node.nodes if each["id"].startswith("line2d")),
    )


def _title(axis: Node) -> str:
    (title,) = (each for each in axis.nodes if each["id"].startswith("text_"))
    return words(title)


def _ticks(
    axis: Node, side: int, frame: tuple[float, float, float, float]
) -> Iterator[tuple[Tick, bool]]:
    """Each tick of an axis, whose line goes through the whole frame."""
    left, right, top, bottom = frame
    for each in axis.nodes:
        if re.fullmatch(r"[xy]tick_\d+", each["id"]):
            grid, step, said = each.nodes
            at = _line(grid).path[0][side]
            ends = ((left, at), (right, at)) if side else ((at, bottom), (at, top))
            if _line(grid).path != ends or _line(step).marks != ends[:1]:
                raise ValueError(f"the line of {words(said)!r} stands aside")
            shown = words(said).removesuffix(" %")
            yield Tick(at, number(shown), shown), words(said).endswith(" %")


def corners(path: str) -> Places:
    """The corners of a path of moves and straight lines."""
    steps = path.split()
    places = [
        (float(x), float(y))
        for move, x, y in zip(steps, steps[1:], steps[2:], strict=False)
        if move in {"M", "L"}
    ]
    if len(steps) - (steps[-1] == "z") != 3 * len(places):
        raise ValueError(f"found the path {path!r}")
    return tuple(places)


def _line(node: Node) -> Line:
    paths = [each for each in node.nodes if each.tag == "path"]
    uses = [each for each in node.walk() if each.tag == "use"]
    style = (paths or uses)[0]["style"]
    rules = dict(re.findall(r"([\w-]+): ([^;]+)", style))
    fills = dict(re.findall(r"([\w-]+): ([^;]+)", uses[0]["style"])) if uses else {}
    return Line(
        corners(paths[0]["d"]) if paths else (),
        tuple((float(each["x"]), float(each["y"])) for each in uses),
        rules["stroke"],
        fills.get("fill", ""),
        "stroke-opacity" in rules,
        "stroke-dasharray" in rules,
    )
