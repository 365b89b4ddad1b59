"""A chart of the HTML page as values: what its ticks claim, and where its marks stand."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import linear_regression

from page_html import Node, tidy
from shown_numbers import number

LEFT, RIGHT, TOP, BOTTOM = 62.0, 546.0, 12.0, 308.0
"""The frame of a chart, in units of its drawing."""
WRITTEN = 0.0051
"""Half of the last digit that a place is written with, and rounding."""
NEAR = 0.03
"""How far a mark may stand from where the ticks claim: theirs and its own places are rounded."""
AT = r"(-?\d+\.\d\d)"


def same(one: float, other: float, near: float = NEAR) -> bool:
    return abs(one - other) <= near


@dataclass(frozen=True)
class Tick:
    """A line of the grid with the number beside it."""

    at: float
    value: float
    shown: str


@dataclass(frozen=True)
class Axis:
    """Where a value stands, by what the ticks claim.

    Args:
        ticks: At least two.
        logarithmic: Whether equal distances are equal ratios.
    """

    ticks: tuple[Tick, ...]
    logarithmic: bool

    def __post_init__(self) -> None:
        if len(self.ticks) < 2:
            raise ValueError("one tick alone is no axis")

    def scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value

    def at(self, value: float) -> float:
        slope, offset = linear_regression(
            [self.scaled(tick.value) for tick in self.ticks], [tick.at for tick in self.ticks]
        )
        return slope * self.scaled(value) + offset

    def agrees(self, near: float = 2 * WRITTEN) -> bool:
        """Whether every tick stands where the others claim."""
        return all(same(self.at(tick.value), tick.at, near) for tick in self.ticks)


@dataclass(frozen=True)
class Mark:
    """A point of a chart.

    Args:
        said: Its words.
        x: Where it stands across.
        y: Where it stands, downwards.
        across: Ends of its bar across.
        upwards: Ends of its bar upwards, the lower value first.
        look: Colour and shape.
        hollow: Whether it is drawn hollow.
    """

    said: str
    x: float
    y: float
    across: tuple[float, float]
    upwards: tuple[float, float]
    look: tuple[str, str]
    hollow: bool


@dataclass(frozen=True)
class Chart:
    """One panel.

    Args:
        title: Above it, and for who does not see it.
        summary: For who does not see it.
        x: The axis across; ``percent`` where its ticks say so.
        y: The axis upwards.
        x_title: Below it.
        y_title: Beside it.
        labels: Beside the points, in order; those of the baseline apart.
        marks: The points.
        lines: Of each class of path its corners, but for the grid and the leads of labels.
    """

    title: str
    summary: str
    x: Axis
    y: Axis
    percent: bool
    x_title: str
    y_title: str
    labels: tuple[tuple[str, bool], ...]
    marks: tuple[Mark, ...]
    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]


def chart(panel: Node) -> Chart:
    """The chart of a panel.

    Raises:
        ValueError: An element stands in it that is not known here.
        LookupError: One that belongs there is missing.
    """
    (titled, drawing) = panel.nodes
    title, summary, still, *dots = drawing.nodes
    if drawing["viewbox"] != "0 0 560 360" or title.text() != titled.text():
        raise ValueError(f"found the title {title.text()!r} below {titled.text()!r}")
    parts = still.nodes
    ticks = list(_ticks(parts))
    rest = parts[2 * len(ticks) :]
    axis, below, beside = rest[:3]
    if axis["d"] != "M62,12V308H546" or (below["x"], below["y"]) != ("304.00", "350.00"):
        raise ValueError("the frame stands elsewhere")
    if beside["transform"] != "translate(14,160.00) rotate(-90)":
        raise ValueError("the title of the axis stands elsewhere")
    others = [each for each in rest[3:] if each.tag == "path" and each["class"] != "lead"]
    labels = [each for each in rest[3:] if each.tag == "text"]
    return Chart(
        title.text(),
        summary.text(),
        Axis(tuple(tick for upright, tick, _ in ticks if upright), logarithmic=True),
        Axis(tuple(tick for upright, tick, _ in ticks if not upright), logarithmic=False),
        any(percent for *_, percent in ticks),
        below.text(),
        beside.text(),
        tuple((each.text(), _is_of_baseline(each)) for each in labels),
        tuple(_mark(dot) for dot in dots),
        tuple((each["class"], corners(each["d"])) for each in others),
    )


def _is_of_baseline(label: Node) -> bool:
    return {"label": False, "label base": True}[label["class"]]


def _ticks(parts: Sequence[Node]) -> Iterator[tuple[bool, Tick, bool]]:
    """Each line of the grid: whether it is upright, the tick, whether it is one of per cent."""
    for line, label in pairwise(parts):
        if line["class"] != "grid":
            continue
        upright = re.fullmatch(rf"M{AT},12V308", line["d"])
        level = re.fullmatch(rf"M62,{AT}H546", line["d"])
        at = float((upright or level or ("", ""))[1])
        x, y = float(label["x"]), float(label["y"])
        wanted = (at, BOTTOM + 16) if upright else (LEFT - 6, at + 4)
        if not (same(x, wanted[0], WRITTEN) and same(y, wanted[1], WRITTEN)):
            raise ValueError(f"the number {label.text()!r} stands beside another line")
        shown = label.text()
        yield (
            bool(upright),
            Tick(at, number(shown.removesuffix(" %")), shown.removesuffix(" %")),
            shown.endswith(" %"),
        )


def corners(path: str) -> tuple[tuple[float, float], ...]:
    """The corners of a path of absolute moves and lines."""
    found, x, y = [], math.nan, math.nan
    if not re.fullmatch(r"(?:[ML]-?[\d.]+,-?[\d.]+|[HV]-?[\d.]+)+", path):
        raise ValueError(f"found the path {path!r}")
    for step, numbers in re.findall(r"([MLHV])([^MLHV]+)", path):
        if step in "ML":
            x, y = map(float, numbers.split(","))
        elif step == "H":
            x = float(numbers)
        else:
            y = float(numbers)
        found.append((x, y))
    return tuple(found)


def _mark(dot: Node) -> Mark:
    said, span, reach, moved = dot.nodes
    if said.text() != dot["aria-label"] or (dot["role"], dot["tabindex"]) != ("img", "0"):
        raise ValueError(f"the point says {dot['aria-label']!r} and {said.text()!r}")
    if (span["class"], reach["class"], reach["r"]) != ("span", "reach", "12"):
        raise ValueError("a point is drawn in another way")
    x, y = float(reach["cx"]), float(reach["cy"])
    (low, high, left, right) = corners(span["d"])
    at = re.fullmatch(rf"translate\({AT},{AT}\)", moved["transform"])
    places = {low[0], high[0], float(at[1]) if at else math.nan}
    heights = {left[1], right[1], float(at[2]) if at else math.nan}
    if places != {x} or heights != {y}:
        raise ValueError(f"the parts of {said.text()!r} stand apart")
    shape = moved.one("path")
    colour = next(iter(shape.classes - {"mark", "hollow"}))
    if dot.classes != {"dot", colour}:
        raise ValueError(f"the point {said.text()!r} has two colours")
    look, hollow = (colour, shape["d"]), "hollow" in shape.classes
    return Mark(said.text(), x, y, (left[0], right[0]), (low[1], high[1]), look, hollow)


def legend(figure: Node) -> list[tuple[str, str, str]]:
    """Of each line of a legend its words, and the class and the path of its mark."""
    return [
        (tidy(line.text()), line.one("path")["class"], line.one("path")["d"])
        for line in figure.one("ul").nodes
    ]
