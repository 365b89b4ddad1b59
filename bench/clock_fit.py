"""Puts readings that carry a meter's own time on our clock: pure functions.

The meter stamps a sample ``d`` when it has taken it, and the line reaches us ``delay >= 0`` later,
at ``r``. With ``o`` between the two clocks the sample was taken at ``d + o`` of our time, and

    r - d = o + delay >= o

so the lower envelope of ``r - d`` is the offset plus the least delay (Moon, Skelly, Towsley 1999,
"Estimation and removal of clock skew from network delay measurements"). The least delay cannot be
seen; it is taken to lie within the channel's ``clock_s``, and so is a sample whose stamp is cut to
whole steps. The clocks may drift apart by at most 500 ppm: an offset found at one line holds at
another to within that, and over a long piece the envelope itself limits the drift further.

A meter's clock may be set while it is watched. That shows where its stamps go back or leave their
usual spacing, and the envelope is then another one: each piece is fitted on its own. A piece of
which not three lines came at different times within ``clock_s`` of its envelope is not placed.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, takewhile
from math import ceil, floor
from statistics import median
from typing import NamedTuple

from bench.envelope import FEWEST_LINES, MAX_RATE, Line, envelope, prompt, rates, touches
from bench.meter import Channel, Reading, Status


class _Segment(NamedTuple):
    """Lines of the usual spacing; *follows* is whether lost lines explain the gap before them."""

    lines: list[Line]
    follows: bool


_Piece = list[_Segment]


def on_our_clock(channel: Channel, readings: Sequence[Reading]) -> Sequence[Reading]:
    """The readings with *t0_ns* and *t1_ns* around the time at which each was taken.

    Args:
        channel: What was read; its ``clock_s`` is the least delay that cannot be seen, s.
        readings: Its readings in the order in which they came. Where *t_device* is set, *t0_ns*
            is when the line was looked for and was not there yet, and *t1_ns* is when it was.

    Returns:
        The readings in order of time. One that carried a *t_device* has none any more: it has the
        time on our clock, or is left out as an error. The others are as they were.
    """
    readings = list(dict.fromkeys(readings))  # a trace shows its last sample until the next one
    stamped = [
        reading
        for reading in readings
        if reading.t_device is not None and reading.value is not None
    ]
    if not stamped:
        return readings
    others = [reading for reading in readings if reading.t_device is None or reading.value is None]
    lines = _lines(stamped)
    segments, doubt = _segments(lines, channel.clock_s)
    placed: dict[Reading, Reading] = {}
    for piece in _pieces(segments, doubt):
        placed.update(_placed(piece, doubt))
    ordered = _in_order([placed[reading] for reading in stamped])
    return sorted([*others, *ordered], key=lambda reading: reading.t0_ns + reading.t1_ns)


def _lines(readings: Sequence[Reading]) -> list[Line]:
    """The readings as lines, in seconds since the first: a float holds an epoch's only to 1 µs."""
    first, lines = readings[0], []
    for reading in readings:
        assert reading.t_device is not None  # noqa: S101 - the others have been left out
        assert first.t_device is not None  # noqa: S101
        d = reading.t_device - first.t_device
        lines.append(Line(reading, d, (reading.t1_ns - first.t1_ns) / 1e9 - d))
    return lines


def _segments(lines: Sequence[Line], clock_s: float) -> tuple[list[_Segment], float]:
    """Lines between which the meter's clock may have been set: where the spacing is unusual.

    Returns:
        The segments, and what cannot be seen, s: the least delay, or a step of the clock that is
        no larger than the meter's own irregularity.
    """
    spacing = [after.d - before.d for before, after in pairwise(lines)]
    usual = median([step for step in spacing if step > 0] or [0.0])
    off = [step - usual * max(1, round(step / usual) if usual else 1) for step in spacing]
    irregular = median([abs(value) for value in off] or [0.0])
    doubt = max(clock_s, 8 * irregular)
    segments = [_Segment([lines[0]], follows=False)]
    for step, beyond, line in zip(spacing, off, lines[1:], strict=True):
        if step < 0 or abs(step - usual) > doubt / 2:
            lost = step > usual and abs(beyond) <= doubt / 2
            segments.append(_Segment([], follows=lost))
        segments[-1].lines.append(line)
    return segments, doubt


def _pieces(segments: Sequence[_Segment], doubt: float) -> list[_Piece]:
    """Segments that one and the same offset explains, put together.

    A segment of too few prompt lines says nothing about its offset. It belongs to the piece on both
    sides, or to that from which only lost lines part it, if it agrees with it; else to none.
    """
    pieces: list[_Piece] = []
    alone: list[_Piece] = []
    short: list[_Segment] = []

    def end_piece(after: _Segment | None) -> list[_Segment]:
        before, between, leading = _shared(short, after, first=not pieces)
        if pieces:
            alone.extend(_join(pieces[-1], before, doubt))
        alone.extend([segment] for segment in between)
        return leading

    for segment in segments:
        high = envelope(segment.lines, -MAX_RATE, MAX_RATE).high
        if prompt(segment.lines, high, doubt) < FEWEST_LINES:
            short.append(segment)
            continue
        if pieces and _agree(pieces[-1][-1].lines, segment.lines, doubt):
            alone += _join(pieces[-1], short, doubt, segment)
        else:
            leading = end_piece(segment)
            pieces.append([])
            alone += _join(pieces[-1], leading, doubt, segment)
        short = []
    end_piece(None)
    return [*pieces, *alone]


def _join(
    piece: _Piece, short: Sequence[_Segment], doubt: float, after: _Segment | None = None
) -> list[_Piece]:
    """Adds short segments to a piece, then *after*; gives those that do not agree with it."""
    apart: list[_Piece] = []
    before = piece[-1] if piece else None
    for segment in short:
        agrees = (
            (before is None or _agree(before.lines, segment.lines, doubt))
            and (after is None or _agree(segment.lines, after.lines, doubt))
            and (not piece or piece[-1].lines[-1].d <= segment.lines[0].d)
        )
        if agrees:
            piece.append(segment)
        else:
            apart.append([segment])
    if after is not None:
        piece.append(after)
    return apart


def _shared(
    short: Sequence[_Segment], after: _Segment | None, *, first: bool
) -> tuple[list[_Segment], list[_Segment], list[_Segment]]:
    """Which of *short* belong to the piece before them, to none, and to *after*."""
    follows = [segment.follows for segment in short]
    leads = [*follows[1:], after.follows if after else False]
    forward = 0 if first else len(list(takewhile(bool, follows)))
    backward = len(list(takewhile(bool, reversed(leads))))
    if forward + backward > len(short):
        forward = backward = 0  # either may be right
    end = len(short) - backward
    return list(short[:forward]), list(short[forward:end]), list(short[end:])


def _agree(one: Sequence[Line], other: Sequence[Line], doubt: float) -> bool:
    """Whether lines of both come within *doubt* of the envelope of both."""
    if other[0].d < one[-1].d:
        return False
    high = envelope([*one, *other], -MAX_RATE, MAX_RATE).high
    return touches(one, high, doubt) and touches(other, high[len(one) :], doubt)


def _placed(piece: _Piece, doubt: float) -> Iterator[tuple[Reading, Reading]]:
    """Each reading of a piece, and what it is on our clock."""
    lines = [line for segment in piece for line in segment.lines]
    slow, fast = rates(lines, doubt)
    edges = envelope(lines, slow, fast)
    if prompt(lines, edges.high, doubt) < FEWEST_LINES:
        reason = _not_placed(len(lines), doubt)
        yield from ((line.reading, _left_out(line.reading, reason)) for line in lines)
        return
    # A stamp may be cut to its step. In a piece of several segments a clock that was set by less
    # than *doubt* is not told from a delay, and then both are in it.
    span = lines[-1].d - lines[0].d
    margin = doubt if len(piece) == 1 else 2 * doubt + (fast - slow) * span
    start = 0
    for segment in piece:
        part = slice(start, start + len(segment.lines))
        start = part.stop
        low, high = edges.low[part], edges.high[part]
        clear = touches(segment.lines, high, doubt)
        for line, least, most in zip(segment.lines, low, high, strict=True):
            reading = line.reading
            if not clear:
                yield reading, _left_out(reading, _not_placed(len(segment.lines), doubt))
                continue
            received_less_taken = line.late - most - margin
            t1 = reading.t1_ns - max(0, floor(received_less_taken * 1e9))
            t0 = reading.t1_ns - ceil((line.late - least + doubt) * 1e9)
            yield reading, reading._replace(t0_ns=t0, t1_ns=t1, t_device=None)


def _in_order(readings: Sequence[Reading]) -> list[Reading]:
    """Readings in the order in which they were taken: none before the one that came before it."""
    usable = [reading for reading in readings if reading.value is not None]
    starts = list(accumulate((reading.t0_ns for reading in usable), max))
    ends = list(accumulate((reading.t1_ns for reading in reversed(usable)), min))[::-1]
    narrowed = []
    for reading, start, end in zip(usable, starts, ends, strict=True):
        if start > end:
            reason = "its time stamp contradicts the lines around it; give a larger clock_s"
            narrowed.append(_left_out(reading, reason))
        else:
            narrowed.append(reading._replace(t0_ns=start, t1_ns=end))
    return [*narrowed, *(reading for reading in readings if reading.value is None)]


def _left_out(reading: Reading, reason: str) -> Reading:
    return reading._replace(value=None, status=Status.ERROR, reason=reason, t_device=None)


def _not_placed(lines: int, doubt: float) -> str:
    noun = "line has" if lines == 1 else "lines have"
    return (
        f"{lines} {noun} the time of a clock that cannot be put on ours: it was set, or they came"
        f" late, and fewer than {FEWEST_LINES} came within {doubt:g} s of each other's delay; let"
        " the logger write each line at once (stdbuf -oL), measure longer, or give a larger clock_s"
    )
