"""What the trend page says of an index: series with their shifts and levels, worst first: pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.history.index import Index
from bench.history.noise import Nights
from bench.history.series import Line, Segment, lines
from bench.history.shifts import Shift, levels, shifts, unavailable
from bench.quantities import Absent


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of nights without a shift inside one segment.

    Args:
        segment: Where it lies.
        begin: Place of its first night in the segment.
        end: Place behind its last one.
        nights: Where its values lie.
        shift: The shift with which it begins; None for the first of a segment.
    """

    segment: Segment
    begin: int
    end: int
    nights: Nights
    shift: Shift | None = None

    @property
    def values(self) -> tuple[float, ...]:
        """Its values."""
        return self.segment.values[self.begin : self.end]


@dataclass(frozen=True, slots=True)
class Course:
    """One series with its levels, in the order of time."""

    line: Line
    levels: tuple[Level, ...]

    @property
    def shifts(self) -> tuple[tuple[Segment, Shift], ...]:
        """The confirmed shifts with the segment in which each lies."""
        return tuple((each.segment, each.shift) for each in self.levels if each.shift)


@dataclass(frozen=True, slots=True)
class Trend:
    """The series of an index.

    Args:
        index: Where they come from.
        courses: By machine, quantity and case.
        unavailable: Why no shifts were looked for; None if they were.
    """

    index: Index
    courses: tuple[Course, ...]
    unavailable: Absent | None


def trend(
    index: Index,
    *,
    control: str | None = None,
    part: str = "",
    machine: str = "",
) -> Trend:
    """The series of an index with their confirmed shifts.

    Args:
        index: Of a results folder.
        control: As in `bench.history.series.lines`.
        part: Only cases with this in their id.
        machine: Only this machine.

    Raises:
        ValueError: The control is in no run.
    """
    found = lines(index, control=control, part=part, machine=machine)
    why = unavailable()
    find = shifts if why is None else _none
    courses = tuple(Course(line, tuple(_levels(line.segments, find))) for line in found)
    return Trend(index, courses, why)


Find = Callable[[Sequence[float]], tuple[Shift, ...]]


def _none(_: Sequence[float]) -> tuple[Shift, ...]:
    """Without a library no shift is looked for."""
    return ()


def _levels(segments: Sequence[Segment], find: Find) -> list[Level]:
    """The levels of a case, segment by segment."""
    found = []
    for segment in segments:
        moved = find(segment.values)
        starts = (None, *moved)
        found += [
            Level(segment, begin, end, nights, shift)
            for (begin, end, nights), shift in zip(
                levels(segment.values, moved), starts, strict=True
            )
        ]
    return found
