"""An open meter and how it is read: at once or in its own thread, alone or while a window runs."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench import guard
from bench.meter import Channel, Clock, Meter, Reading, Status
from bench.protocol import require_reading
from bench.worker import Job, Worker

READ_DEADLINE_S = 5.0
"""Longest time that a reading may take, s."""

_SHORTEST_POLL_S = 0.005
_LONGEST_TICK_S = 1.0  # who refreshes more rarely is not waited for
_TICK_PAUSE = 0.02  # share of an interval between two looks, where a look is worth a sleep
_SPIN_BELOW_S = 0.005
_MOST_LOOKS = 5_000  # two intervals of 1 ms in reads of 1 µs take 2,000


@dataclass
class Polled:
    """What reading a meter again and again gave, and the CPU time it took, s."""

    readings: list[Reading] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    cpu_s: float = 0.0


class Source:
    """One open meter.

    Args:
        meter: What is read.
        ids: The ids of its channels in this session, by the meter's own ids.
        clock: Monotonic time in ns.
        worker: The thread that it lives in; a new one if None.
        sleep: Lets time pass, s.
        deadline_s: Longest time that a reading may take, s.
    """

    def __init__(
        self,
        meter: Meter,
        ids: Mapping[str, str],
        clock: Clock,
        worker: Worker | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        deadline_s: float = READ_DEADLINE_S,
    ) -> None:
        self.meter, self.ids, self._clock, self._sleep = meter, ids, clock, sleep
        self._renamed = any(own != name for own, name in ids.items())
        self.prompt: bool = getattr(meter, "prompt", False)
        self._worker = worker or Worker(meter.name)
        self._deadline_s = deadline_s
        self._turn = threading.Lock()  # readings of one meter never overlap, so they have an order
        self._is_late = False
        self._polling: tuple[Job, threading.Lock, Polled] | None = None

    @property
    def poll_s(self) -> float | None:
        """How often it must be read in a window, s; None if only the ends count."""
        wanted = [
            max(channel.poll_s or channel.update_interval_s, _SHORTEST_POLL_S)
            for channel in self.meter.channels
            if channel.unit == "W" or channel.poll_s is not None
        ]
        return min(wanted, default=None)

    def read(self) -> tuple[Reading, ...]:
        """Reads the meter; one that fails or does not answer in time gives readings that say so."""
        began = self._clock()
        try:
            if self.prompt:
                with self._in_turn():
                    return self._guarded()
            return self._worker.call(self._guarded, self._deadline_s)
        except TimeoutError as error:
            return self._silent(began, Status.TIMEOUT, str(error))

    def _guarded(self) -> tuple[Reading, ...]:
        """The readings of the meter; a fault of a plug-in costs its own numbers only."""
        began = self._clock()
        try:
            return self._named(self.meter.read())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
            return self._silent(began, Status.ERROR, _fault(self.meter, error))

    def mark(self) -> Callable[[], tuple[Reading, ...]]:
        """Reads the meter now, and gives what decodes the readings later."""
        if self.prompt and hasattr(self.meter, "capture") and hasattr(self.meter, "decode"):
            began = self._clock()
            try:
                with self._in_turn():
                    captured = self.meter.capture()
            except TimeoutError as error:
                silent = self._silent(began, Status.TIMEOUT, str(error))
                return lambda: silent
            except (Exception, SystemExit) as error:  # noqa: BLE001 - see read
                failed = self._silent(began, Status.ERROR, _fault(self.meter, error))
                return lambda: failed
            return lambda: self._decoded(began, captured)
        readings = self.read()
        return lambda: readings

    def _decoded(self, began_ns: int, captured: object) -> tuple[Reading, ...]:
        try:
            return self._named(self.meter.decode(captured))  # type: ignore[attr-defined]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see read
            return self._silent(began_ns, Status.ERROR, _fault(self.meter, error))

    def flags(self) -> tuple[str, ...]:
        """What spoils a window now, as the meter says."""
        if not hasattr(self.meter, "flags"):
            return ()
        try:
            return self._worker.call(self._own_flags, self._deadline_s)
        except TimeoutError:
            return ()  # its readings will say so

    def gpus(self) -> tuple[guard.GpuState, ...]:
        """The GPUs of the meter as they are now; none if it does not tell, or not in time."""
        if not hasattr(self.meter, "gpus"):
            return ()
        try:
            found: Sequence[guard.GpuState] = self._worker.call(self.meter.gpus, self._deadline_s)
        except Exception:  # noqa: BLE001 - a guard that fails guards nothing; readings tell why
            return ()
        return tuple(found)

    def _own_flags(self) -> tuple[str, ...]:
        try:
            found: Sequence[str] = getattr(self.meter, "flags", tuple)()
            return tuple(found)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see read
            return (f"{self.meter.name} cannot tell what spoils a window: {error}",)

    def interval_s(self, ids: set[str]) -> float:
        """The longest time between two ticks of the counters in *ids*, s; 0 if none is awaited."""
        channels = [c for c in self.meter.channels if self.ids[c.id] in ids]
        interval_s = max((c.update_interval_s for c in channels), default=0.0)
        return interval_s if interval_s <= _LONGEST_TICK_S else 0.0

    def until_tick(self, ids: set[str]) -> list[Reading]:
        """Reads until each of the counters in *ids* has moved, or two intervals have passed.

        Of readings that show the same only the first and the last are kept.
        """
        interval_s = self.interval_s(ids)
        if not interval_s:
            return []
        pause = 0.0 if interval_s < _SPIN_BELOW_S else interval_s * _TICK_PAUSE
        began = before = self._clock()
        rows = [self.read()]
        waiting = {reading.channel: reading.value for reading in rows[0] if reading.channel in ids}
        for _ in range(_MOST_LOOKS):
            now = self._clock()
            if not waiting or now - began >= 2e9 * interval_s:
                break
            if len(rows) > 1 and now == before:
                break  # this clock stands still: there is no tick to wait for
            before = now
            if pause:
                self._sleep(pause)
            row = self.read()
            if len(rows) > 1 and _values(row) == _values(rows[-1]) == _values(rows[-2]):
                rows[-1] = row
            else:
                rows.append(row)
            for reading in row:
                if reading.channel in waiting and reading.value != waiting[reading.channel]:
                    del waiting[reading.channel]
        return [reading for row in rows for reading in row]

    def start_polling(self) -> None:
        """Begins to read the meter again and again in its thread, if a channel asks for it.

        A look may fall into a call that is timed on the same CPU, so it does little; waiting for a
        lock takes less than waiting for an event.
        """
        if self.poll_s is None or self._worker.is_stuck:
            return
        period, polled, stop = self.poll_s, Polled(), threading.Lock()
        stop.acquire()  # its release ends the polling
        flagged = hasattr(self.meter, "flags")

        def poll() -> None:
            own = time.thread_time() + self.children_cpu_s
            while not stop.acquire(timeout=period):
                with self._turn:
                    polled.readings += self._guarded()
                if flagged:
                    polled.flags += self._own_flags()
                polled.cpu_s = time.thread_time() + self.children_cpu_s - own

        self._polling = (self._worker.submit(poll), stop, polled)

    def stop_polling(self) -> Polled:
        """Ends it, and gives what it read."""
        if self._polling is None:
            return Polled()
        (job, stop, polled), self._polling = self._polling, None
        stop.release()
        began = self._clock()
        if not job.done.wait(0 if self._is_late else self._deadline_s):
            reason = f"{self.meter.name} did not answer within {self._deadline_s:g} s"
            polled.readings += self._silent(began, Status.TIMEOUT, reason)
            self._is_late = True
        return polled

    @property
    def children_cpu_s(self) -> float:
        """CPU time of the programs that the meter has run, s."""
        seconds: float = getattr(self.meter, "children_cpu_s", 0.0)
        return seconds

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Waits for a reading that runs in the other thread, once as long as it may take."""
        if not self._turn.acquire(timeout=0 if self._is_late else self._deadline_s):
            self._is_late = True
            reason = f"{self.meter.name} did not answer within {self._deadline_s:g} s"
            raise TimeoutError(reason)
        self._is_late = False
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Closes the meter; one that hangs or fails is left behind, for the others to close."""
        self.stop_polling()
        try:
            self._worker.call(self.meter.close, self._deadline_s)
        except Exception:  # noqa: BLE001 - nothing is lost by a meter that does not close
            return
        finally:
            self._worker.end()

    def _named(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        known = tuple(map(require_reading, readings))
        if not self._renamed:
            return known
        return tuple(each._replace(channel=self.ids[each.channel]) for each in known)

    def _silent(self, began_ns: int, status: Status, reason: str) -> tuple[Reading, ...]:
        now = self._clock()
        text = f"{reason}; is the device still there? the other meters go on"
        return tuple(
            Reading(self.ids[channel.id], began_ns, now, None, status, text)
            for channel in self.meter.channels
        )


def _fault(meter: Meter, error: BaseException) -> str:
    return f"reading {meter.name} failed with {type(error).__name__}: {error}"


def _values(row: Sequence[Reading]) -> list[float | None]:
    return [reading.value for reading in row]


def tick_channels(channels: Sequence[Channel]) -> list[Channel]:
    """The counters at whose ticks a window opens and closes, the one with the widest edge last."""
    counters = [channel for channel in channels if channel.is_counter]
    return sorted(counters, key=lambda channel: channel.update_interval_s * channel.p_max_w)
