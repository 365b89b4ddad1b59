"""When a sample of a trace was taken, and how often they come: pure but for what was placed last.

The stamp of a sample is the end of the interval that it is the mean of. A reading's *t0_ns* and
*t1_ns* are around that end, whatever the clock:

    utc, unix    the stamp, less the difference of our two clocks then, give or take clock_s
    monotonic    the stamp, give or take clock_s
    device       left to `bench.clock_fit`: t_device is the stamp, and t0_ns..t1_ns when it came
    none         from when the line was not there yet, less clock_s, to when it was
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median

from bench.meter import Reading
from bench.meters._trace_format import Sample
from bench.meters._trace_numbers import BadLineError
from bench.meters._trace_stream import MAX_SLEW, Arrival

ON_WALL_CLOCK = {"utc", "unix"}
_PAUSE = 1.8  # a gap of more usual ones is a lost line, or a pause of the logger
_LATEST = 50
_LINES_BACK = 8  # so many lines that all come later than before tell a clock from a delay
_RUNS = 4  # as many changes show for how long a value is held


class SpoiledError(Exception):
    """The samples cannot be placed any more, and whatever window they are for is void."""


@dataclass
class Placer:
    """Turns samples into readings of one channel.

    Args:
        channel: The channel's id.
        clock: What the stamps count from; None if the lines have none.
        clock_s: How far they may be off, s.
    """

    channel: str
    clock: str | None
    clock_s: float
    _last: float | None = None
    _back: float | None = None
    _spoiled: str = ""
    _set_ns: int | None = None
    _taken_ns: int | None = None
    _late: deque[float] = field(default_factory=lambda: deque(maxlen=_LINES_BACK))
    _least_late: float | None = None

    def anew(self) -> "Placer":
        """One that has placed nothing yet."""
        return Placer(self.channel, self.clock, self.clock_s)

    def note_set(self, arrival: Arrival) -> None:
        """Notes that our wall clock was set, if the stamps are of a wall clock.

        Raises:
            SpoiledError: It was: what the trace says about this window is void.
        """
        if not arrival.set_ns or self.clock not in ON_WALL_CLOCK:
            return
        self._set_ns = arrival.t1_ns
        # a logger on this machine jumps with it, and agrees with our clock again
        self._last = self._back = self._least_late = None
        self._late.clear()
        raise SpoiledError(
            f"the wall clock of this machine was set by {arrival.set_ns / 1e9:+.3f} s, and the"
            " trace's times are wall-clock times; let NTP settle before measuring (chronyc"
            " waitsync), or give clock=device"
        )

    def place(self, sample: Sample, arrival: Arrival) -> Reading:
        """A sample as a reading.

        Raises:
            BadLineError: Its time cannot be right.
            SpoiledError: The clock of the trace was set back.
        """
        if sample.stamp is None:
            t0 = arrival.t0_ns - round(self.clock_s * 1e9)
            return Reading(self.channel, t0, arrival.t1_ns, sample.value)
        if self.clock == "device":
            t0, t1 = arrival.t0_ns, arrival.t1_ns
            return Reading(self.channel, t0, t1, sample.value, t_device=sample.stamp)
        offset_ns = arrival.wall_ns if self.clock in ON_WALL_CLOCK else 0
        taken = round(sample.stamp * 1e9) - offset_ns
        doubt = self.clock_s * 1e9
        if self.clock in ON_WALL_CLOCK:  # the offset is that of now
            doubt += MAX_SLEW * max(0, arrival.t1_ns - taken)
        t0, t1 = int(taken - doubt), int(taken + doubt) + 1
        if t0 > arrival.t1_ns:
            ahead = (taken - arrival.t1_ns) / 1e9
            raise BadLineError(
                f"its time is {ahead:.3g} s ahead of this machine's; set both clocks by NTP, see"
                " whether it is UTC, or give clock=device"
            )
        if self._set_ns is not None and t0 <= self._set_ns and self.clock in ON_WALL_CLOCK:
            raise BadLineError("it was stamped before this machine's wall clock was set")
        self._follow(sample.stamp)
        self._taken_ns = taken
        return Reading(self.channel, t0, min(t1, arrival.t1_ns), sample.value)

    def note_late(self, arrival: Arrival) -> None:
        """Notes how late the last line of an arrival came, where its stamp is of another clock.

        Raises:
            SpoiledError: All lines come later than they did: that clock was set back.
        """
        taken_ns, self._taken_ns = self._taken_ns, None
        if self.clock not in ON_WALL_CLOCK or taken_ns is None:
            return
        self._late.append((arrival.t1_ns - taken_ns) / 1e9)
        if len(self._late) < _LINES_BACK:
            return
        now = min(self._late)
        before = now if self._least_late is None else self._least_late
        self._least_late = min(before, now)
        if now - before > 2 * self.clock_s:
            self._spoil(f"all lines come {now - before:.3g} s later than before")

    def _follow(self, stamp: float) -> None:
        """Sees to it that stamps follow each other; one that does not may be garbled."""
        if self._spoiled:
            raise SpoiledError(self._spoiled)
        last = stamp if self._last is None else self._last
        if stamp >= last:
            self._last, self._back = stamp, None
            return
        if last - stamp > self.clock_s and self._back is not None and stamp >= self._back:
            self._spoil(f"the time stamps went back by {last - stamp:.3g} s")
        self._back = stamp
        raise BadLineError(f"its time is {last - stamp:.3g} s before that of the line before it")

    def _spoil(self, what: str) -> None:
        self._spoiled = (
            f"{what}: the trace's clock was set, and does not agree with ours any more; set it by"
            " NTP and open the meter again, or give clock=device"
        )
        raise SpoiledError(self._spoiled)


def interval_s(times: Sequence[float]) -> float | None:
    """The longest usual time between two samples, s; None if there is none.

    Lost lines and pauses are left out: where they are, the times of the readings show it.

    >>> interval_s([0, 1, 2, 3.2, 60, 61])
    1.2
    """
    gaps = [after - before for before, after in pairwise(times) if after > before][-_LATEST:]
    if not gaps:
        return None
    usual = median(gaps)
    return round(max(gap for gap in gaps if gap <= _PAUSE * usual), 9)


def samples_per_value(values: Sequence[float]) -> int | None:
    """For how many samples a value is held.

    A logger may look at a meter more often than that has something new: then no value is seen once
    only. A power that does not change makes a run longer, so of the runs up to twice the shortest
    the longest is taken.

    Returns:
        That many samples, or None if there are too few changes to tell.

    >>> samples_per_value([1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6])
    4
    >>> samples_per_value([1, 2, 3, 3, 3, 3, 4, 5, 6])
    1
    """
    runs = [len(list(run)) for _, run in groupby(values)]
    whole = runs[1:-1]
    if 1 in whole or max(runs, default=1) == 1:
        return 1
    if len(whole) < _RUNS:
        return None
    return max(run for run in whole if run <= 2 * min(whole))
