"""An external meter that writes a trace: a log file, a pipe, a serial port, or PTDaemon by TCP.

``--meters trace:SOURCE`` names it, ``--meters "trace:log.csv?time=Timestamp&watts=P&unit=mW"`` says
what is in it; the setting is ``JOULES_TRACE``. See docs/traces.md.
"""

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.meters._ptdaemon import PtdStream
from bench.meters._trace_channel import channel_of
from bench.meters._trace_format import Sample
from bench.meters._trace_numbers import BadLineError
from bench.meters._trace_stream import Arrival, FileStream, Receiver, Stream
from bench.meters._trace_time import Placer, SpoiledError
from bench.meters._trace_wanted import Wanted, wanted
from bench.meters._trace_watch import Watch

OPT_IN = True  # it needs to be told where

_WATCH_S, _LONGEST_WATCH_S = 10.0, 25.0
_QUIET_S, _QUIET_INTERVALS = 2.0, 5
_CROWD = 3
_AGAIN, _MOST_AGAIN = 5, 20
_GONE = {errno.ENODEV, errno.ENXIO, errno.ESTALE}


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the trace that ``JOULES_TRACE`` names.

    Raises:
        MeterUnavailable: It names none, or the trace cannot be read.
    """
    asked = wanted(environment.get("JOULES_TRACE", ""))
    if asked.source.startswith("ptd://"):
        # it stamps in local time unless its TZ is UTC, and by a clock of another machine
        asked = replace(asked, clock=asked.clock or "device")
        return TraceMeter(asked, PtdStream(asked.source))
    return TraceMeter(asked, FileStream(Path(asked.source).expanduser()))


class TraceMeter:
    """One channel: the power, or the running total of energy, that a trace shows.

    Args:
        asked: How it is to be read.
        stream: Where its lines come from; it is closed with the meter.
        clock: Monotonic time in ns.
        wall: Time since 1970 in ns.
        sleep: Lets time pass, s.
        watch_s: How long to wait for samples, s.
        threaded: Whether lines are received in a thread of their own; else when they are read.

    Raises:
        MeterUnavailable: No samples come, or their form or their time is not plain.
    """

    name = "trace"

    def __init__(
        self,
        asked: Wanted,
        stream: Stream,
        *,
        clock: Clock = time.monotonic_ns,
        wall: Clock = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
        watch_s: float = _WATCH_S,
        threaded: bool = True,
    ) -> None:
        self._stream, self._clock = stream, clock
        self._receiver = Receiver(stream, clock, wall)
        self._given: list[Reading] = []
        self._failed: Reading | None = None
        try:
            watch = Watch(asked, stream, self._receiver, clock)
            patience = max(watch_s, min(_LONGEST_WATCH_S, 4 * (asked.interval_s or 0.0)))
            self._lines = watch.until_known(patience, sleep)
            self._interval_s = watch.interval_s or 0.0
            self._channel = channel = channel_of(asked, stream, watch, self._lines.form)
            self._placer = Placer(channel.id, self._lines.form.clock, channel.clock_s)
            self._waiting = self._watched(watch)
        except BaseException:
            stream.close()
            raise
        if threaded:
            self._receiver.start(stream.period_s)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The one channel."""
        return (self._channel,)

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """How many lines gave no value, if some did."""
        lines = self._lines
        if not lines.bad:
            return ()
        reason = f"{lines.bad} of {lines.count} lines were dropped; the last: {lines.last_bad}"
        fix = "see what the meter writes; each one lost is a gap in its power"
        return (Unusable(f"lines of {self._stream.what}", Status.ERROR, reason, fix),)

    def read(self) -> tuple[Reading, ...]:
        """All samples that are new since the last call, after the last few of before it.

        A window begins between two samples: the one before it has often been given already.
        """
        readings, self._waiting = self._waiting, []
        for arrival in self._receiver.take():
            readings += self._readings(arrival)
        values = [reading for reading in readings if reading.value is not None]
        readings = [*self._given, *readings]
        self._given = self._again([*self._given, *values])
        if self._failed is not None:
            readings.append(self._failed._replace(t0_ns=self._clock(), t1_ns=self._clock()))
        elif (silence := self._silence()) is not None:
            readings.append(silence)
        return tuple(readings)

    def _again(self, given: list[Reading]) -> list[Reading]:
        """The last samples: enough to begin a window with, and to fit a clock by."""
        channel = self._channel
        longest_ns = 1e9 * max(_AGAIN * channel.update_interval_s, 2 * _AGAIN * channel.clock_s)
        newest_ns = max((reading.t1_ns for reading in given), default=0)
        recent = given[-_MOST_AGAIN:]
        return [reading for reading in recent if newest_ns - reading.t1_ns <= longest_ns]

    def receive(self) -> None:
        """Takes what has come, and notes when: what its thread does all the time."""
        self._receiver.look()

    def close(self) -> None:
        """Ends the receiving, and closes the stream."""
        self._receiver.close()
        self._stream.close()

    def _watched(self, watch: Watch) -> list[Reading]:
        """The samples that were seen while it was opened, as far as they can be placed.

        A file may hold days of history, over which its clock was set: only what came after that
        counts.
        """
        only_live = self._lines.form.clock in {None, "device"}
        reason = ""
        if watch.was_set is not None:
            try:
                self._placer.note_set(watch.was_set)
            except SpoiledError as error:
                raise MeterUnavailable(str(error), "open it again", Status.ERROR) from error
        readings: list[Reading] = []
        for sample, arrival, line in watch.live if only_live else watch.samples:
            try:
                readings.append(self._place(sample, arrival, line))
            except BadLineError as error:
                reason = str(error)
            except SpoiledError:
                self._placer, readings = self._placer.anew(), []
        if not readings:
            fix = "the other meters go on"
            raise MeterUnavailable(f"{self._stream.what}: {reason}", fix, Status.ERROR)
        return readings

    def _readings(self, arrival: Arrival) -> list[Reading]:
        """What came between two looks."""
        lines, t0, t1 = arrival.lines, arrival.t0_ns, arrival.t1_ns
        if arrival.error is not None:
            return [self._failure(arrival, arrival.error)]
        if reason := self._crowd(arrival):
            return [Reading(self._channel.id, t0, t1, None, Status.ERROR, reason)]
        readings: list[Reading] = []
        try:
            self._placer.note_set(arrival)
            for line in lines:
                try:
                    sample = self._lines.sample(line)
                    if sample is not None:
                        readings.append(self._place(sample, arrival, line))
                except BadLineError as error:
                    reason = str(error)
                    bad = Reading(self._channel.id, t0, t1, None, Status.ERROR, reason)
                    readings.append(bad)
            self._placer.note_late(arrival)
        except SpoiledError as error:
            self._given = []  # they were placed by what does not hold any more
            return [Reading(self._channel.id, t0, t1, None, Status.INVALID, str(error))]
        return readings

    def _place(self, sample: Sample, arrival: Arrival, line: str) -> Reading:
        try:
            return self._placer.place(sample, arrival)
        except BadLineError as error:
            raise self._lines.refused(line, str(error)) from error

    def _crowd(self, arrival: Arrival) -> str:
        """Why lines without a time that came together have none, or an empty string."""
        if self._lines.form.clock is not None:
            return ""
        seconds = (arrival.t1_ns - arrival.t0_ns) / 1e9 + self._channel.clock_s
        usual = _CROWD + 2 * seconds / self._interval_s
        if len(arrival.lines) <= usual:
            return ""
        return (
            f"{len(arrival.lines)} lines without a time came at once: when they were taken is not"
            " known; let the logger write each line at once (stdbuf -oL), or write the time too"
        )

    def _failure(self, arrival: Arrival, error: OSError) -> Reading:
        """A failed look; a stream that is lost for good stays so."""
        status = Status.ERROR
        if isinstance(error, TimeoutError):
            status = Status.TIMEOUT
        elif isinstance(error, ConnectionError) or error.errno in _GONE:
            status = Status.LOST
        reason = f"{self._stream.what}: {error}; see whether the meter is on, and open it again"
        failed = Reading(self._channel.id, arrival.t0_ns, arrival.t1_ns, None, status, reason)
        if status is not Status.ERROR:
            self._failed = failed
        return failed

    def _silence(self) -> Reading | None:
        """What is said when the newest sample is old."""
        if not self._given:
            return None
        now = self._clock()
        longest_s = max(_QUIET_S, _QUIET_INTERVALS * self._channel.update_interval_s)
        age_s = (now - max(reading.t1_ns for reading in self._given)) / 1e9
        if age_s <= longest_s:
            return None
        reason = f"the newest sample of {self._stream.what} is {age_s:.1f} s old"
        if self._stream.ended:
            reason = f"{reason}: {self._stream.ended}; start the logger, and open the meter again"
            return Reading(self._channel.id, now, now, None, Status.LOST, reason)
        why = "is the logger running, does it write each line at once (stdbuf -oL), and is its"
        reason = f"{reason}; {why} time UTC and set by NTP?"
        return Reading(self._channel.id, now, now, None, Status.TIMEOUT, reason)
