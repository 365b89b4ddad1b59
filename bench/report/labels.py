"""Labels beside the points of a figure, placed so that they do not cover each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 7.5  # pt
CHARACTER = 0.56  # mean width of a DejaVu Sans character, in font sizes
_NEAR, FAR = 7.0, 11.0  # pt from the point; beyond the second a line leads to it
_DISTANCE = 0.8  # square points of covering that one point of distance is worth

Mark = tuple[float, float, str, str]
"""x and y in data units, text, font weight."""


Segment = tuple[float, float, float, float]
"""A line from x, y to x, y in data units, upright or level."""


class Box(NamedTuple):
    """A rectangle in points of the page."""

    left: float
    bottom: float
    right: float
    top: float

    def covered(self, other: "Box") -> float:
        """The area that both share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)


def place(axes: "Axes", marks: Sequence[Mark], segments: Sequence[Segment] = ()) -> None:
    """Writes each label where it covers least: right, left, above, below, then farther away."""
    scale = 72 / axes.figure.dpi

    def on_page(x: float, y: float) -> tuple[float, float]:
        at = axes.transData.transform((x, y))
        return scale * float(at[0]), scale * float(at[1])

    frame = axes.get_window_extent()
    inside = Box(*(scale * end for end in (frame.x0, frame.y0, frame.x1, frame.y1)))
    placed = chosen(
        [(*on_page(x, y), text) for x, y, text, _ in marks],
        [(*on_page(x, y), *on_page(to_x, to_y)) for x, y, to_x, to_y in segments],
        inside,
    )
    for (x, y, text, weight), (dx, dy) in zip(marks, placed, strict=True):
        far = abs(dy) > FAR
        axes.annotate(
            text,
            (x, y),
            xytext=(dx, dy),
            textcoords="offset points",
            fontsize=SIZE,
            fontweight=weight,
            verticalalignment="center",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            arrowprops={"arrowstyle": "-", "color": "#b0b0b0", "linewidth": 0.6} if far else None,
        )


def chosen(
    marks: Sequence[tuple[float, float, str]], segments: Sequence[Segment], inside: Box
) -> list[tuple[float, float]]:
    """Where the left end of each label stands from its point, in points of a page, y upwards.

    Args:
        marks: Where the points are, and the label of each.
        segments: Lines that a label had better not cover.
        inside: The frame.
    """
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y, _ in marks]
    taken += [_around((x, y), (to_x, to_y)) for x, y, to_x, to_y in segments]
    placed = []
    for x, y, text in marks:
        dx, dy, box = _best((x, y), CHARACTER * SIZE * len(text), taken, inside)
        taken.append(Box(box.left - 3, box.bottom, box.right + 3, box.top))
        placed.append((dx, dy))
    return placed


def _around(one: tuple[float, float], other: tuple[float, float]) -> Box:
    """The thin box of a line."""
    (x, y), (to_x, to_y) = one, other
    return Box(min(x, to_x) - 0.7, min(y, to_y) - 0.7, max(x, to_x) + 0.7, max(y, to_y) + 0.7)


def _best(
    centre: tuple[float, float], width: float, taken: Sequence[Box], inside: Box
) -> tuple[float, float, Box]:
    """The offset, in points, of the place that covers least and is nearest."""
    x, y = centre
    found = []
    for dx, dy in _offsets(width):
        box = Box(x + dx, y + dy - SIZE * 0.65, x + dx + width, y + dy + SIZE * 0.65)
        outside = (box.right - box.left) * (box.top - box.bottom) - box.covered(inside)
        away = abs(dy) + max(0.0, dx, -dx - width)
        cost = sum(box.covered(other) for other in taken) + 3 * outside + _DISTANCE * away
        found.append((cost, dx, dy, box))
    _, dx, dy, box = min(found, key=lambda place: place[0])
    return dx, dy, box


def _offsets(width: float) -> list[tuple[float, float]]:
    """Where the left end of a label may stand from its point, best first."""
    right, left, middle = _NEAR, -_NEAR - width, -width / 2
    near = [(right, 0.0), (left, 0.0), (middle, 10.0), (middle, -10.0)]
    far = [
        (x, sign * y)
        for y in (12.0, 22.0, 32.0, 44.0, 58.0)
        for sign in (1, -1)
        for x in (right, left, middle)
    ]
    return near + far
