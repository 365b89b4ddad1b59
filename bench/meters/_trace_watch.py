"""What a trace shows while it is opened: its form, its samples, and how often they come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from bench.meter import Clock, MeterUnavailable, Status
from bench.meters._trace_format import PLAIN_LINES, Format, Sample, recognise
from bench.meters._trace_numbers import BadLineError
from bench.meters._trace_stream import Arrival, Receiver, Stream
from bench.meters._trace_time import interval_s, samples_per_value
from bench.meters._trace_wanted import Wanted

_PAUSE_S = 0.02
_SAMPLES = 3  # two gaps
_QUOTED = 60


@dataclass
class Lines:
    """From lines to samples of a form that is known, and a count of those that are none.

    Args:
        form: How they are read.
        p_max_w: Power that cannot be exceeded, W.
    """

    form: Format
    p_max_w: float
    count: int = 0
    bad: int = 0
    last_bad: str = ""

    def sample(self, line: str) -> Sample | None:
        """A line's sample, or None for a line that is none.

        Raises:
            BadLineError: It gives no value that can be right.
        """
        if not line.strip():
            return None
        self.count += 1
        try:
            sample = self.form.parse(line)
            if sample is not None:
                self._check(sample.value)
        except BadLineError as error:
            raise self.refused(line, str(error)) from error
        return sample

    def refused(self, line: str, reason: str) -> BadLineError:
        """Counts a line that gives no value; its error quotes it."""
        self.bad += 1
        self.last_bad = f"the line {line.strip()[:_QUOTED]!r} gives no value: {reason}"
        return BadLineError(self.last_bad)

    def _check(self, value: float) -> None:
        unit = "J" if self.form.is_energy else "W"
        if value < 0:
            raise BadLineError(f"{value:g} {unit} is negative; is the meter's current reversed?")
        if not self.form.is_energy and value > self.p_max_w:
            raise BadLineError(
                f"{value:g} W is more than p_max_w={self.p_max_w:g}; see the unit, or raise it"
            )


@dataclass
class Watch:
    """Watches a stream until its form and its interval are known.

    Args:
        asked: How it is to be read.
        stream: Where its lines come from.
        receiver: Who looks at it.
        clock: Monotonic time in ns.
    """

    asked: Wanted
    stream: Stream
    receiver: Receiver
    clock: Clock
    lines: Lines | None = None
    samples: list[tuple[Sample, Arrival, str]] = field(default_factory=list)
    was_set: Arrival | None = None
    _raw: list[tuple[str, Arrival]] = field(default_factory=list)
    _first: Arrival | None = None

    def until_known(self, watch_s: float, sleep: Callable[[float], None]) -> Lines:
        """Looks until there are samples enough, or for *watch_s*.

        Raises:
            MeterUnavailable: They are not enough, or of no form that is known.
        """
        began = self.clock()
        while True:
            late = self.clock() - began >= watch_s * 1e9
            for arrival in self.receiver.take():
                self._add(arrival)
            if self.lines is None and self._raw:
                self._recognise(must=late)
            if self.lines is not None and (self._enough() or (late and self._enough(held=False))):
                return self.lines
            if late:
                raise self._too_little(watch_s)
            sleep(_PAUSE_S)

    @property
    def live(self) -> list[tuple[Sample, Arrival, str]]:
        """The samples that came while we watched: what a file held before may be of any age."""
        old = self._first if self.stream.is_file or self._untimed else None
        return [seen for seen in self.samples if seen[1] is not old]

    @property
    def interval_s(self) -> float | None:
        """The time between two samples, s, if it is known."""
        known = self.asked.interval_s or self.stream.interval_s
        if known is not None:
            return known
        if self._untimed:
            return interval_s([arrival.t1_ns / 1e9 for _, arrival, _ in self.live])
        return interval_s([sample.stamp or 0.0 for sample, _, _ in self._counted])

    @property
    def held_s(self) -> float | None:
        """How long the meter holds a value, s; None if that was not seen."""
        if self.interval_s is None or self.samples_per_value is None:
            return None
        return self.interval_s * self.samples_per_value

    @property
    def longest_hold_s(self) -> float:
        """The longest time for which one value was seen, s."""
        runs = [
            len(list(run)) for _, run in groupby(sample.value for sample, _, _ in self._counted)
        ]
        return max(runs) * (self.interval_s or 0.0)

    @property
    def samples_per_value(self) -> int | None:
        """For how many samples the meter holds a value; None if that is not seen yet."""
        return samples_per_value([sample.value for sample, _, _ in self._counted])

    @property
    def _untimed(self) -> bool:
        return self.lines is not None and self.lines.form.clock is None

    @property
    def _counted(self) -> list[tuple[Sample, Arrival, str]]:
        """The samples that show what will come: of a clock without an epoch, those that came."""
        only_live = self.lines is not None and self.lines.form.clock in {None, "device"}
        return self.live if only_live else self.samples

    def _add(self, arrival: Arrival) -> None:
        if arrival.error is not None:
            status = Status.TIMEOUT if isinstance(arrival.error, TimeoutError) else Status.ERROR
            reason = f"{self.stream.what} cannot be read ({arrival.error})"
            raise MeterUnavailable(reason, "see whether its device and its logger are on", status)
        if self._first is None:
            self._first = arrival
        if arrival.set_ns:
            self.was_set = arrival
        for line in arrival.lines:
            self._raw.append((line, arrival))
            if self.lines is not None:
                self._parse(line, arrival)

    def _recognise(self, *, must: bool) -> None:
        texts = [line for line, _ in self._raw]
        try:
            form = recognise(texts, self.asked, must=must)
        except MeterUnavailable:
            if must or len([text for text in texts if text.strip()]) > PLAIN_LINES:
                raise
            return
        if form is not None:
            self.lines = Lines(form, self.asked.p_max_w)
            for line, arrival in self._raw:
                self._parse(line, arrival)

    def _parse(self, line: str, arrival: Arrival) -> None:
        assert self.lines is not None  # noqa: S101 - it is called when the form is known
        try:
            sample = self.lines.sample(line)
        except BadLineError:
            return
        if sample is not None:
            self.samples.append((sample, arrival, line))

    def _enough(self, *, held: bool = True) -> bool:
        """Whether interval and, with *held*, the time for which values are held are known."""
        found = self._counted
        if not found or self.interval_s is None:
            return False
        if self.asked.interval_s is not None or self.stream.interval_s is not None:
            return True
        moments = {sample.stamp for sample, _, _ in found}
        if self._untimed:
            moments = {arrival.t1_ns / 1e9 for _, arrival, _ in found}
        return len(moments) >= _SAMPLES and (not held or self.samples_per_value is not None)

    def _too_little(self, watch_s: float) -> MeterUnavailable:
        what = self.stream.what
        if self.lines is None:
            reason = f"no line of a known form came from {what} within {watch_s:g} s"
            fix = "is its logger running, and does it write each line at once (stdbuf -oL)?"
            if self.stream.ended:
                reason, fix = f"{reason}: {self.stream.ended}", "start the logger that writes it"
            return MeterUnavailable(reason, fix, Status.TIMEOUT)
        if not self.samples and self.lines.bad:
            reason = (
                f"none of {self.lines.bad} lines of {what} gives a value; {self.lines.last_bad}"
            )
            return MeterUnavailable(reason, "see what the meter writes", Status.ERROR)
        if self.lines.form.clock == "device" and self.stream.is_file:
            return MeterUnavailable(
                f"the times in {what} count from nobody knows when, and too few lines came within"
                f" {watch_s:g} s to see when they are written",
                "let the logger run while you measure; or give clock=utc, unix or monotonic if"
                " that is what they are",
                Status.TIMEOUT,
            )
        found = len(self._counted)
        noun = "sample" if found == 1 else "samples"
        return MeterUnavailable(
            f"{what} gave {found} {noun} within {watch_s:g} s, too few to see how often they come",
            "is its logger running? if it is that slow, give interval_s= (s)",
            Status.TIMEOUT,
        )
