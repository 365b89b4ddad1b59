"""The lower envelope of how late a meter's lines come, and how fast two clocks may drift.

Pure functions; what they are for, and their source, stand in `bench.clock_fit`.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import inf
from typing import NamedTuple

from bench.meter import Reading

FEWEST_LINES = 3
"""Lines that must have come promptly for a piece to be placed."""

MAX_RATE = 500e-6
"""Most by which two clocks drift apart, s per s: what NTP slews at most; quartz has 100e-6."""


class Line(NamedTuple):
    """A reading in seconds: *d* by the meter's clock, *late* = received less *d*."""

    reading: Reading
    d: float
    late: float


class Envelope(NamedTuple):
    """The least and the most that the offset can be at each line, s, the least delay left out."""

    low: list[float]
    high: list[float]


def touches(lines: Sequence[Line], high: Sequence[float], doubt: float) -> bool:
    """Whether a line came within *doubt* of the most that the offset can be there."""
    return any(line.late <= most + doubt for line, most in zip(lines, high, strict=False))


def envelope(lines: Sequence[Line], slow: float, fast: float) -> Envelope:
    """The envelope of lines in order of *d*, for any drift between *slow* and *fast*, s per s.

    Between a line j and another i the offset changes by a drift times d_i - d_j, so at i

        offset <= late_j + the largest such change,  whatever j:   high = the least of these
        offset >= late_j + the smallest such change - doubt,  for a j that came promptly,
                                                     and some did:   low  = the least of these
    """

    def from_before(rate: float) -> list[float]:
        least = accumulate((line.late - rate * line.d for line in lines), min)
        return [value + rate * line.d for value, line in zip(least, lines, strict=True)]

    def from_after(rate: float) -> list[float]:
        least = accumulate((line.late - rate * line.d for line in reversed(lines)), min)
        values = [value + rate * line.d for value, line in zip(least, reversed(lines), strict=True)]
        return values[::-1]

    return Envelope(
        low=[min(pair) for pair in zip(from_before(slow), from_after(fast), strict=True)],
        high=[min(pair) for pair in zip(from_before(fast), from_after(slow), strict=True)],
    )


def rates(lines: Sequence[Line], doubt: float) -> tuple[float, float]:
    """Least and largest drift that the envelope allows, s per s.

    The lines that support the envelope in the first and in the last third came within *doubt* of
    their times, so the two offsets that they give for one drift differ by no more than that. Their
    difference grows with the drift. Over a short span this says less than `MAX_RATE` does.
    """
    span = lines[-1].d - lines[0].d
    if span * MAX_RATE < 2 * doubt:
        return -MAX_RATE, MAX_RATE
    first = [line for line in lines if line.d <= lines[0].d + span / 3]
    last = [line for line in lines if line.d >= lines[-1].d - span / 3]

    def differ(rate: float) -> float:
        one = min(line.late - rate * line.d for line in first)
        return one - min(line.late - rate * line.d for line in last)

    if differ(-MAX_RATE) > doubt or differ(MAX_RATE) < -doubt:
        return -MAX_RATE, MAX_RATE  # one of the two has no prompt line
    slow, fast = _root(differ, -doubt), _root(differ, doubt)
    high = envelope(lines, slow, fast).high
    ends = (prompt(first, high, doubt), prompt(last, high[-len(last) :], doubt))
    return (slow, fast) if min(ends) >= FEWEST_LINES else (-MAX_RATE, MAX_RATE)


def _root(rising: Callable[[float], float], level: float) -> float:
    """Where *rising* reaches *level* within the rates that are possible, or the end nearest it."""
    low, high = -MAX_RATE, MAX_RATE
    for _ in range(24):  # to 1e-10, a microsecond in hours
        middle = (low + high) / 2
        if rising(middle) < level:
            low = middle
        else:
            high = middle
    return low if level < 0 else high


def prompt(lines: Sequence[Line], high: Sequence[float], doubt: float) -> int:
    """How many lines came within *doubt* of the envelope, at moments that are as far apart.

    What had waited comes all at once: it shows one delay, however many lines it is.
    """
    count, last = 0, -inf
    for line, most in zip(lines, high, strict=False):
        received = line.d + line.late
        if line.late <= most + doubt and received - last >= doubt:
            count, last = count + 1, received
    return count
