"""The series that shifted as one small SVG: written by hand, readable in light and dark."""

import html
import math
from collections.abc import Iterator, Sequence

from bench.report.text import plain, signed
from bench.report.trend import Course, Level

MOST = 12
"""Panels of one figure; more would be no overview."""

_WIDTH, _HEIGHT, _LEFT, _TOP = 760, 96, 12, 30
_STYLE = (
    ".t{font:600 12px sans-serif;fill:#1f2328}.s{font:11px sans-serif;fill:#59636e}"
    ".l{fill:none;stroke:#0072b2;stroke-width:1.5}.d{fill:#0072b2}.b{fill:#0072b2;opacity:.14}"
    ".x{stroke:#c14d00;stroke-width:1.5}.c{stroke:#59636e;stroke-dasharray:3 3}"
    ".n{font:600 11px sans-serif;fill:#c14d00}.p{fill:#fff}"
    "@media(prefers-color-scheme:dark){.t{fill:#f0f6fc}.s{fill:#9198a1}.l{stroke:#58a6ff}"
    ".d,.b{fill:#58a6ff}.b{opacity:.22}.x{stroke:#ff9e4a}.n{fill:#ff9e4a}.c{stroke:#9198a1}"
    ".p{fill:#0d1117}}"
)
_LONGEST = 84  # characters of a title


def svg(courses: Sequence[Course], title: str) -> str:
    """A panel for each series, at most `MOST`: the same series give the same bytes.

    Args:
        courses: Those to draw.
        title: What the figure shows, for those who hear it read out.
    """
    shown = courses[:MOST]
    height = _HEIGHT * len(shown) + 8
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{_safe(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="p" width="{_WIDTH}" height="{height}"/>',
    ]
    for place, course in enumerate(shown):
        lines.append(f'<g transform="translate(0 {_HEIGHT * place})">')
        lines += _panel(course)
        lines.append("</g>")
    return "\n".join((*lines, "</svg>", ""))


def _panel(course: Course) -> Iterator[str]:
    line, values = course.line, [v for level in course.levels for v in level.values]
    logs = [math.log(value) for value in values]
    low, high = min(logs), max(logs)
    span, count = max(high - low, 1e-6), len(values)

    def x(place: float) -> float:
        return _LEFT + (_WIDTH - 2 * _LEFT) * (place + 0.5) / count

    def y(log: float) -> float:
        inside = min(max((log - low) / span, 0.0), 1.0)
        return _HEIGHT - 8 - (_HEIGHT - _TOP - 12) * inside

    name = plain(line.case)
    name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    yield f'<text class="t" x="{_LEFT}" y="16">{_safe(name)} · {line.quantity}</text>'
    start = 0
    for number, level in enumerate(course.levels):
        size = level.end - level.begin
        yield from _level(level, start, (x, y), first=number == 0)
        start += size


def _level(level: Level, start: int, place: tuple, *, first: bool) -> Iterator[str]:  # type: ignore[type-arg]
    x, y = place
    size, nights = level.end - level.begin, level.nights
    left, right = x(start - 0.5), x(start + size - 0.5)
    top, bottom = (y(nights.middle + side * 2 * nights.spread) for side in (1, -1))
    yield (
        f'<rect class="b" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}"'
        f' height="{max(bottom - top, 1.0):.1f}"/>'
    )
    points = " ".join(
        f"{x(start + i):.1f},{y(math.log(value)):.1f}" for i, value in enumerate(level.values)
    )
    yield f'<polyline class="l" points="{points}"/>'
    if level.shift:
        yield _bar("x", left)
        size_ = f"{signed(100 * (level.shift.ratio.value - 1))} %"
        anchor = "end" if left > _WIDTH - 80 else "start"
        at = left - 4 if anchor == "end" else left + 4
        yield f'<text class="n" x="{at:.1f}" y="{_TOP}" text-anchor="{anchor}">{size_}</text>'
    elif not first:
        yield _bar("c", left)


def _bar(look: str, x: float) -> str:
    ends = f'y1="{_TOP - 8}" y2="{_HEIGHT - 6}"'
    return f'<line class="{look}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'


def _safe(text: str) -> str:
    return html.escape(plain(text))
