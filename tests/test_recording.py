"""Reading around a window: ticks, polling, time limits, and faults of one meter among others."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from emulators import VirtualClock
from known_power import KnownPower, random_power
from virtual import Clock, KnownMeter, steady

from bench.instruments import Instruments
from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Kind
from bench.source import Source
from bench.worker import Worker

PACKAGE = "cpu/0/package"


def gauge(name: str = "board/0", **changes: object) -> Channel:
    plain = Channel(
        id=name,
        domain="board",
        kind=Kind.SAMPLED,
        boundary="board-dc",
        resolution=0.01,
        update_interval_s=0.1,
        wrap=None,
        p_max_w=100.0,
        origin="a test",
        unit="W",
        poll_s=0.02,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@dataclass
class Scripted:
    """A meter whose read is given."""

    reads: Callable[[], tuple[Reading, ...]]
    channels: tuple[Channel, ...]
    name: str = "scripted"
    unusable: tuple[Unusable, ...] = ()
    closed: threading.Event = field(default_factory=threading.Event)

    def read(self) -> tuple[Reading, ...]:
        return self.reads()

    def close(self) -> None:
        self.closed.set()


@dataclass
class Ticking:
    """A prompt counter on a clock that passes when it is looked at."""

    clock: VirtualClock
    power: KnownPower
    hold_s: float
    step_j: float = 1e-4
    name: str = "ticking"
    prompt: bool = True
    unusable: tuple[Unusable, ...] = ()

    @property
    def channels(self) -> tuple[Channel, ...]:
        wrap, most_w = None, 1.2 * max(self.power.watts)
        return (
            Channel(
                PACKAGE, "package", Kind.MEASURED, "cpu-package", self.step_j, self.hold_s, wrap,
                most_w, "a test",
            ),
        )  # fmt: skip

    def read(self) -> tuple[Reading, ...]:
        t0 = self.clock()
        held = self.clock.now_ns / 1e9 // self.hold_s * self.hold_s
        joules = self.power.energy(0, held) // self.step_j * self.step_j
        return (Reading(PACKAGE, t0, self.clock(), joules),)

    def close(self) -> None:
        """Nothing is held."""


def recorded(instruments: Instruments, run: Callable[[], object]) -> tuple[int, int, list[Reading]]:
    with instruments.recording() as recording:
        t0 = instruments.clock()
        run()
        t1 = instruments.clock()
    return t0, t1, recording.of(instruments.channels[0].id)


@pytest.mark.parametrize("hold_s", [0.001, 0.02, 0.1])
def test_a_window_between_ticks_is_bounded_by_what_was_drawn_and_not_by_the_most(
    hold_s: float,
) -> None:
    random, widths = Random(str(hold_s)), []
    clock = VirtualClock(2_000)
    meter = Ticking(clock, random_power(random, 100.0, hold_s), hold_s)
    instruments = Instruments((meter,), clock=clock, sleep=clock.pass_s)
    for _ in range(40):
        clock.pass_s(random.uniform(0, 3 * hold_s))
        with instruments.recording() as recording:
            t0 = clock()
            clock.pass_s(random.uniform(5, 60) * hold_s)
            t1 = clock()
        (energy,) = instruments.energy(recording, t0, t1)
        true_j = meter.power.energy(t0 / 1e9, t1 / 1e9)
        assert energy.low is not None
        assert energy.high is not None
        assert energy.low <= true_j <= energy.high
        widths.append((energy.high - energy.low) / (hold_s * meter.channels[0].p_max_w))
    # without ticks the interval is two full edges wide, whatever is drawn
    assert max(widths) < 1.5
    assert sum(widths) / len(widths) < 1.0


def test_a_counter_on_a_clock_that_stands_still_is_not_waited_for() -> None:
    meter = KnownMeter(Clock(), {PACKAGE: steady(10)})
    instruments = Instruments((meter,), clock=meter.clock, sleep=meter.clock.sleep)

    recorded(instruments, lambda: meter.clock.sleep(1))

    assert meter.reads < 20


def test_a_gauge_is_read_in_the_window_and_until_it_has_shown_its_end() -> None:
    enough = threading.Event()
    seen: list[int] = []
    meter: Scripted

    def read() -> tuple[Reading, ...]:
        seen.append(len(seen))
        if len(seen) > 5:
            enough.set()
        now = instruments.clock()
        return (Reading("board/0", now, instruments.clock(), 50.0),)

    meter = Scripted(read, (gauge(),))
    instruments = Instruments((meter,))

    t0, t1, readings = recorded(instruments, lambda: enough.wait(60))

    assert len(readings) == len(seen)
    assert readings[0].t1_ns <= t0
    assert readings[-1].t0_ns >= t1 + 0.2e9  # its age of 0.1 s, and one more look
    assert sum(t0 < reading.t0_ns < t1 for reading in readings) >= 4


def test_polling_ends_when_the_window_comes_to_nothing() -> None:
    meter = Scripted(lambda: (Reading("board/0", 0, 1, 50.0),), (gauge(),))
    instruments = Instruments((meter,))

    with pytest.raises(KeyboardInterrupt), instruments.recording():
        raise KeyboardInterrupt
    instruments.close()

    assert meter.closed.is_set()


@pytest.mark.failure_mode(22, "any")
def test_a_meter_that_does_not_answer_says_so_and_is_not_asked_again() -> None:
    never = threading.Event()

    def hang() -> tuple[Reading, ...]:
        never.wait()
        return ()

    source = Source(
        Scripted(hang, (gauge("wall/0"),), "hangs"), {"wall/0": "wall/0"}, Clock(), deadline_s=0.05
    )

    (first,), (second,) = source.read(), source.read()

    assert (first.value, first.status) == (None, Status.TIMEOUT)
    assert "hangs did not answer within 0.05 s" in first.reason
    assert "the other meters go on" in first.reason
    assert "still does not answer" in second.reason
    never.set()


def test_a_meter_that_raises_gives_readings_that_say_so() -> None:
    def broken() -> tuple[Reading, ...]:
        raise ZeroDivisionError("division by zero")

    source = Source(Scripted(broken, (gauge(),)), {"board/0": "board/0"}, Clock())

    (reading,) = source.read()

    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "reading scripted failed with ZeroDivisionError" in reading.reason


def test_a_counter_goes_before_a_gauge_and_then_the_meter_that_is_first() -> None:
    def meter(name: str, *channels: Channel) -> Scripted:
        return Scripted(lambda: (), channels, name)

    counter = gauge("gpu/0/board", unit="J", kind=Kind.MEASURED)
    shown = gauge("gpu/0/board")
    instruments = Instruments((meter("one", shown), meter("two", counter), meter("three", counter)))

    assert [(c.id, c.unit) for c in instruments.channels] == [
        ("gpu/0/board#one", "W"),
        ("gpu/0/board", "J"),
        ("gpu/0/board#three", "J"),
    ]
    assert [c.id for c in instruments.summed] == ["gpu/0/board"]


def test_flags_of_a_meter_are_those_of_its_window() -> None:
    class Hot(Scripted):
        def flags(self) -> tuple[str, ...]:
            return ("throttled: HW thermal",)

    instruments = Instruments((Hot(lambda: (), (gauge(unit="J", poll_s=None),)),))

    with instruments.recording() as recording:
        pass

    assert recording.flags == ("throttled: HW thermal",)


def test_what_a_worker_runs_stays_in_one_thread_and_raises_where_it_was_called() -> None:
    worker = Worker("library")

    names = {worker.call(lambda: threading.current_thread().name, 60) for _ in range(3)}
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, 60)
    worker.end()

    assert names == {"joulebench-library"}


@pytest.mark.failure_mode(30, "any")
def test_the_cost_of_reading_is_that_of_the_window_and_not_of_the_wait_after_it() -> None:
    class Spawning(Scripted):
        children_cpu_s = 0.0

    clock = Clock()
    polled = threading.Event()

    def read() -> tuple[Reading, ...]:
        if threading.current_thread().name == "joulebench-scripted" and polls:
            meter.children_cpu_s = 8.0
            polled.set()
        return (Reading("board/0", clock(), clock(), 50.0),)

    polls: list[int] = []
    meter = Spawning(read, (gauge(update_interval_s=1.0, averaging_window_s=1.0),))
    instruments = Instruments((meter,), clock=clock, sleep=clock.sleep)

    with instruments.recording() as recording:
        polls.append(1)
        polled.wait(60)
        clock.sleep(9.0)

    # 9 s of window and 3 s until it has been shown: 9/12 of what was spent
    assert recording.observer_cpu_s == pytest.approx(6, abs=0.5)


def test_a_window_is_not_prolonged_by_how_rarely_another_meter_needs_reading() -> None:
    slept: list[float] = []
    power = Scripted(
        lambda: (Reading("board/0", 0, 1, 50.0),),
        (gauge("board/0", update_interval_s=0.001),),
        "wall",
    )
    wraps = gauge("board/0/cpu", unit="J", poll_s=170.0)
    counter = Scripted(lambda: (Reading("board/0/cpu", 0, 1, 50.0),), (wraps,), "counter")
    instruments = Instruments((power, counter), sleep=slept.append)

    with instruments.recording():
        time.sleep(0.01)

    assert 0 < max(slept) < 1


def test_programs_that_a_meter_ran_before_the_window_are_not_its_cost() -> None:
    class Spawning(Scripted):
        children_cpu_s = 7.0

    looked = threading.Event()
    meter = Spawning(lambda: looked.set() or (), (gauge(),))  # type: ignore[func-returns-value]
    instruments = Instruments((meter,))

    with instruments.recording() as recording:
        looked.clear()
        looked.wait(60)

    assert recording.observer_cpu_s < 5


def test_a_window_too_short_for_a_gauge_does_not_wait_for_it() -> None:
    slept: list[float] = []
    slow = gauge(update_interval_s=30.0, poll_s=1.0)
    meter = Scripted(lambda: (Reading("board/0", 0, 1, 50.0),), (slow,))
    instruments = Instruments((meter,), sleep=slept.append)

    with instruments.recording():
        pass

    assert slept == []


def test_a_meter_with_a_clock_of_its_own_is_awaited_longer() -> None:
    clock = Clock()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.sleep(seconds)

    def awaited(clock_s: float) -> float:
        channel = gauge(update_interval_s=1.0, poll_s=1.0, clock_s=clock_s)
        read = lambda: (Reading("board/0", clock(), clock(), 50.0),)  # noqa: E731
        slept.clear()
        with Instruments((Scripted(read, (channel,)),), clock=clock, sleep=sleep).recording():
            clock.sleep(5)
        return sum(slept)

    assert awaited(0.0) == pytest.approx(2)
    assert awaited(0.2) == pytest.approx(3)


def test_the_last_look_at_a_gauge_is_taken_after_the_wait() -> None:
    clock = Clock()
    read = lambda: (Reading("board/0", clock(), clock(), 50.0),)  # noqa: E731
    rare = gauge(update_interval_s=1.0, poll_s=3600.0)
    instruments = Instruments((Scripted(read, (rare,)),), clock=clock, sleep=clock.sleep)

    t0, t1, readings = recorded(instruments, lambda: clock.sleep(5))

    assert readings[0].t1_ns <= t0
    assert readings[-1].t0_ns > t1 + 3600e9


def test_flags_from_within_the_window_are_kept() -> None:
    inside = threading.Event()
    seen = threading.Event()

    class Hot(Scripted):
        def flags(self) -> tuple[str, ...]:
            if not inside.is_set() or seen.is_set():
                return ()
            seen.set()
            return ("throttled: for a moment",)

    read = lambda: (Reading("board/0", 0, 1, 50.0),)  # noqa: E731
    instruments = Instruments((Hot(read, (gauge(),)),))

    with instruments.recording() as recording:
        inside.set()
        seen.wait(60)

    assert recording.flags == ("throttled: for a moment",)


def test_a_window_opens_at_the_tick_of_the_counter_with_the_widest_edge() -> None:
    clock = Clock(0)

    def held(interval: float) -> float:
        return clock.now_ns / 1e9 // interval * interval

    def read() -> tuple[Reading, ...]:
        clock.sleep(0.001)
        now = clock()
        return (
            Reading("cpu/0/package", now, now, held(0.02)),
            Reading("cpu/0/dram", now, now, held(0.5)),
        )

    package = gauge("cpu/0/package", unit="J", update_interval_s=0.02, poll_s=None)
    dram = replace(package, id="cpu/0/dram", update_interval_s=0.5)
    instruments = Instruments((Scripted(read, (package, dram)),), clock=clock, sleep=clock.sleep)

    with instruments.recording():
        opened_s = clock.now_ns / 1e9

    assert opened_s % 0.5 < 0.02


def test_the_end_tick_of_what_answers_at_once_is_awaited_before_that_of_what_does_not() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[], tuple[Reading, ...]]:
        def read() -> tuple[Reading, ...]:
            clock.sleep(0.001)
            order.append(name)
            return (Reading(f"cpu/{name}/package", clock(), clock(), clock.now_ns / 1e9),)

        return read

    class Prompt(Scripted):
        prompt = True

    clock = Clock()
    channels = {
        n: gauge(f"cpu/{n}/package", unit="J", update_interval_s=0.02, poll_s=None) for n in "01"
    }
    prompt = Prompt(named("0"), (channels["0"],), "prompt")
    slow = Scripted(named("1"), (channels["1"],), "slow")
    instruments = Instruments((slow, prompt), clock=clock, sleep=clock.sleep)

    with instruments.recording():
        order.append("window")

    after = order[order.index("window") + 1 :]
    assert after[:2] == ["0", "1"]  # both at once, then the ticks
    assert after.index("1", 2) > after.index("0", 2)


def test_closing_the_instruments_in_a_window_ends_the_polling() -> None:
    looked = threading.Event()

    def read() -> tuple[Reading, ...]:
        looked.set()
        return (Reading("board/0", 0, 1, 50.0),)

    meter = Scripted(read, (gauge(),), "interrupted")
    instruments = Instruments((meter,))
    window = instruments.recording()
    window.__enter__()

    instruments.close()

    assert meter.closed.is_set()
