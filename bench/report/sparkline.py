"""A series of numbers as one line of text: eight heights, and marks where it is cut."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
CUT, SHIFT = "┊", "│"
_FLAT = 1e-9  # relative: below it a series is one number


def sparkline(parts: Sequence[Sequence[float]], most: int = 60, mark: str = CUT) -> str:
    """Parts of a series on one scale, each separated from the next by a mark.

    Args:
        parts: Positive numbers in the order of time; each part is one that is compared in itself.
        most: How many numbers are shown; the last ones are.
        mark: What stands between two parts.

    >>> sparkline([[1.0, 2.0, 3.0], [8.0]])
    '▁▂▃┊█'
    """
    kept: list[list[float]] = []
    room = most
    for part in reversed(parts):
        if room <= 0:
            break
        kept.append(list(part[-room:]))
        room -= len(kept[-1])
    kept.reverse()
    shown = [value for part in kept for value in part]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    return mark.join("".join(_bar(value, low, high) for value in part) for part in kept)


def _bar(value: float, low: float, high: float) -> str:
    if high - low <= _FLAT * abs(high):
        return BARS[len(BARS) // 2 - 1]
    return BARS[min(len(BARS) - 1, int(len(BARS) * (value - low) / (high - low)))]
