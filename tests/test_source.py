"""How one open meter is read: in its turn, within its time, with its flags and its costs."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from virtual import Clock, KnownMeter, steady

from bench.block import Place, measure_window
from bench.instruments import Instruments
from bench.meter import Channel, Reading, Status, Unusable
from bench.quantities import Kind
from bench.schedule import Schedule
from bench.source import Source

GAUGE = Channel(
    "board/0", "board", Kind.SAMPLED, "board-dc", 0.01, 0.1, None, 100.0, "a test",
    unit="W", poll_s=0.005,
)  # fmt: skip
COUNTER = replace(GAUGE, id="cpu/0/package", unit="J", kind=Kind.MEASURED, poll_s=None)


@dataclass
class Scripted:
    reads: Callable[[], tuple[Reading, ...]]
    channels: tuple[Channel, ...] = (GAUGE,)
    name: str = "scripted"
    unusable: tuple[Unusable, ...] = ()
    closed: list[str] = field(default_factory=list)

    def read(self) -> tuple[Reading, ...]:
        return self.reads()

    def close(self) -> None:
        self.closed.append(threading.current_thread().name)


def source_of(meter: Scripted, **how: float) -> Source:
    return Source(meter, {c.id: c.id for c in meter.channels}, time.monotonic_ns, **how)  # type: ignore[arg-type]


def shown(value: float = 50.0) -> tuple[Reading, ...]:
    now = time.monotonic_ns()
    return (Reading(GAUGE.id, now, now, value),)


@pytest.mark.failure_mode(22, "any")
def test_a_meter_that_hangs_while_it_is_polled_ends_with_a_reading_that_says_so() -> None:
    never, began = threading.Event(), threading.Event()

    def read() -> tuple[Reading, ...]:
        began.set()
        never.wait()
        return ()

    source = source_of(Scripted(read), deadline_s=0.05)
    source.start_polling()
    began.wait(60)

    polled = source.stop_polling()

    (reading,) = polled.readings
    assert (reading.value, reading.status) == (None, Status.TIMEOUT)
    never.set()


def test_a_meter_that_raises_once_while_it_is_polled_is_read_again() -> None:
    class Fragile(Scripted):
        def flags(self) -> tuple[str, ...]:
            if len(looked) == 2:
                raise RuntimeError("no flags")
            return ()

    looked: list[int] = []
    enough = threading.Event()

    def read() -> tuple[Reading, ...]:
        looked.append(1)
        if len(looked) == 1:
            raise OSError("the bus was busy")
        if len(looked) > 4:
            enough.set()
        return shown()

    source = source_of(Fragile(read))
    source.start_polling()
    enough.wait(60)

    polled = source.stop_polling()

    first, *others = polled.readings
    assert (first.value, first.status) == (None, Status.ERROR)
    assert "the bus was busy" in first.reason
    assert len(others) >= 4
    assert all(reading.value == 50 for reading in others)
    assert polled.flags == ["scripted cannot tell what spoils a window: no flags"]


def test_flags_that_are_raised_while_a_meter_is_polled_belong_to_the_window() -> None:
    class Hot(Scripted):
        def flags(self) -> tuple[str, ...]:
            return ("throttled: now",) if threading.active_count() and looked else ()

    looked: list[int] = []
    enough = threading.Event()

    def read() -> tuple[Reading, ...]:
        looked.append(1)
        if len(looked) > 3:
            enough.set()
        return shown()

    source = source_of(Hot(read))
    assert source.flags() == ()
    source.start_polling()
    enough.wait(60)

    assert "throttled: now" in source.stop_polling().flags


def test_a_meter_is_polled_as_often_as_its_most_demanding_channel_asks() -> None:
    slow = replace(COUNTER, id="cpu/0/dram", poll_s=80.0)

    assert source_of(Scripted(shown, (slow, GAUGE, COUNTER))).poll_s == 0.005
    assert source_of(Scripted(shown, (COUNTER, slow))).poll_s == 80.0
    assert source_of(Scripted(shown, (COUNTER,))).poll_s is None


def test_readings_of_a_prompt_meter_never_overlap() -> None:
    inside, overlaps, enough = [0], [0], threading.Event()

    class Prompt(Scripted):
        prompt = True

    def read() -> tuple[Reading, ...]:
        inside[0] += 1
        overlaps[0] += inside[0] > 1
        time.sleep(0.002)
        inside[0] -= 1
        if threading.current_thread().name.startswith("joulebench"):
            enough.set()
        return shown()

    source = source_of(Prompt(read))
    source.start_polling()
    while not enough.is_set():
        source.read()
    for _ in range(20):
        source.read()
    source.stop_polling()

    assert overlaps == [0]


def test_of_a_long_wait_for_a_tick_the_first_and_the_last_of_each_value_are_kept() -> None:
    clock = Clock()
    values = iter([7.0] * 10 + [8.0] * 100)

    def read() -> tuple[Reading, ...]:
        clock.sleep(0.001)
        return (Reading(COUNTER.id, clock.now_ns - 500, clock.now_ns, next(values)),)

    meter = Scripted(read, (COUNTER,))
    source = Source(meter, {COUNTER.id: COUNTER.id}, clock, sleep=clock.sleep)

    readings = source.until_tick({COUNTER.id})

    assert [reading.value for reading in readings] == [7, 7, 8]
    assert readings[1].t1_ns - readings[0].t1_ns > 8 * 3e6


def test_a_tick_is_awaited_for_two_intervals_and_no_longer() -> None:
    clock = Clock(0)

    def read() -> tuple[Reading, ...]:
        clock.sleep(0.001)
        return (Reading(COUNTER.id, clock.now_ns, clock.now_ns, 7.0),)

    source = Source(Scripted(read, (COUNTER,)), {COUNTER.id: COUNTER.id}, clock, sleep=clock.sleep)
    source.until_tick({COUNTER.id})

    assert 0.2 <= clock.now_ns / 1e9 < 0.21


def test_a_counter_that_moves_once_in_a_minute_is_not_waited_for() -> None:
    rare = replace(COUNTER, update_interval_s=60.0)

    assert source_of(Scripted(shown, (rare,))).until_tick({rare.id}) == []


def test_a_failed_first_reading_is_taken_again() -> None:
    first = [Reading(GAUGE.id, 0, 1, None, Status.ERROR, "the bus was busy")]
    rarely = replace(GAUGE, poll_s=3600.0)
    meter = Scripted(lambda: (first.pop(),) if first else shown(), (rarely,))
    instruments = Instruments((meter,), sleep=lambda _: None)

    with instruments.recording() as recording:
        began = time.monotonic_ns()

    failed, again, *_ = recording.of(GAUGE.id)
    assert failed.value is None
    assert again.value == 50
    assert again.t1_ns <= began


def test_readings_are_in_the_order_of_time_whoever_took_them() -> None:
    clock = Clock()
    times = iter([30, 10, 20, 40, 50, 60])

    def read() -> tuple[Reading, ...]:
        at = next(times, 99)
        return (Reading(COUNTER.id, at, at, float(at)),)

    instruments = Instruments((Scripted(read, (COUNTER,)),), clock=clock, sleep=clock.sleep)

    with instruments.recording() as recording:
        pass

    taken = [reading.t0_ns for reading in recording.of(COUNTER.id)]
    assert taken == sorted(taken)
    assert len(taken) > 2


def test_what_answers_at_once_is_read_nearest_to_the_window() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[], tuple[Reading, ...]]:
        return lambda: order.append(name) or ()  # type: ignore[func-returns-value]

    class Prompt(Scripted):
        prompt = True

    rare = replace(COUNTER, update_interval_s=60.0)
    prompt = Prompt(named("prompt"), (replace(rare, id="a"),), "prompt")
    slow = Scripted(named("slow"), (replace(rare, id="b"),), "slow")
    instruments = Instruments((prompt, slow))

    with instruments.recording():
        order.append("window")

    middle = order.index("window")
    assert (order[middle - 1], order[middle + 1]) == ("prompt", "prompt")
    assert "slow" in order[: middle - 1]
    assert "slow" in order[middle + 2 :]


def test_a_meter_is_closed_in_the_thread_that_read_it() -> None:
    meter = Scripted(shown, name="library")
    source = source_of(meter)
    source.read()

    source.close()

    assert meter.closed == ["joulebench-library"]
    assert not [t for t in threading.enumerate() if t.name == "joulebench-library"]


def test_reading_that_takes_much_of_a_window_is_flagged() -> None:
    class Costly(Scripted):
        children_cpu_s = 0.0

    enough = threading.Event()

    def read() -> tuple[Reading, ...]:
        meter.children_cpu_s += 100.0
        if threading.current_thread().name == "joulebench-scripted" and meter.children_cpu_s > 500:
            enough.set()
        return shown()

    meter = Costly(read)
    window = measure_window(
        Instruments((meter,)),
        lambda: [1.0] if enough.wait(60) else [],
        Place("case", "variant", 0, 0),
        calls=1,
        samples=1,
    )

    assert window.observer_cpu_s >= 100
    assert any("reading the meters took" in flag for flag in window.flags)


def test_blocks_are_as_long_as_the_total_asks_and_not_what_stands_beside_it() -> None:
    clock = Clock()
    package = KnownMeter(clock, {"cpu/0/package": steady(9)}, update_s=0.001)
    battery = KnownMeter(clock, {"battery/0": steady(9)}, name="battery", update_s=30.0)
    instruments = Instruments((package, battery), clock=clock, sleep=clock.sleep)
    schedule = Schedule(pairs=2, block_s=0.5, warmup_s=0.1, idle_s=0.5, margin=0.03)

    assert schedule.fit(instruments.summed).least_s == 0.5
    assert schedule.fit(instruments.channels).least_s == 1500


def test_an_interrupt_after_the_window_ends_the_polling_too() -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    quick = replace(GAUGE, update_interval_s=0.001)
    meter = Scripted(shown, (quick,), name="polled")
    instruments = Instruments((meter,), sleep=interrupted)

    with pytest.raises(KeyboardInterrupt), instruments.recording():
        time.sleep(0.01)
    instruments.close()

    assert meter.closed == ["joulebench-polled"]


def test_a_meter_that_fails_to_close_leaves_the_others_to_be_closed() -> None:
    class Unwilling(Scripted):
        def close(self) -> None:
            raise OSError("device gone")

    second = Scripted(shown, name="second")

    Instruments((Unwilling(shown), second)).close()

    assert second.closed == ["joulebench-second"]


def test_a_capture_that_raises_costs_its_own_meter_only() -> None:
    class Split(Scripted):
        prompt = True

        def capture(self) -> object:
            raise RuntimeError("capture failed")

        def decode(self, captured: object) -> tuple[Reading, ...]:
            return ()

    (reading,) = source_of(Split(shown)).mark()()

    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "capture failed" in reading.reason


def test_what_takes_longest_is_read_farthest_from_the_window() -> None:
    order: list[str] = []

    def slowly(name: str, seconds: float) -> Callable[[], tuple[Reading, ...]]:
        def read() -> tuple[Reading, ...]:
            order.append(name)
            clock.sleep(seconds)
            return ()

        return read

    clock = Clock()
    rare = replace(COUNTER, update_interval_s=60.0)
    meters = [
        Scripted(slowly(name, seconds), (replace(rare, id=name),), name)
        for name, seconds in (("quick", 0.001), ("slow", 2.0), ("middle", 0.1))
    ]
    instruments = Instruments(tuple(meters), clock=clock, sleep=clock.sleep)

    with instruments.recording():
        order.append("window")

    middle = order.index("window")
    assert order[middle - 3 : middle] == ["slow", "middle", "quick"]
    assert order[middle + 1 : middle + 4] == ["quick", "middle", "slow"]


def test_the_device_decides_which_channels_a_window_must_suit() -> None:
    package = replace(COUNTER, id="cpu/0/package")
    board = replace(GAUGE, id="gpu/GPU-1/board")
    instruments = Instruments((Scripted(shown, (package, board)),))

    assert [channel.id for channel in instruments.summed] == ["cpu/0/package"]
    instruments.device = "cuda:GPU-1"
    assert [channel.id for channel in instruments.summed] == ["gpu/GPU-1/board"]


def test_routes_of_meters_of_one_name_have_names_of_their_own() -> None:
    meters = [Scripted(shown, (COUNTER,), "same") for _ in range(3)]

    ids = [channel.id for channel in Instruments(tuple(meters)).channels]

    assert len(set(ids)) == 3
    assert ids[0] == COUNTER.id


def test_a_meter_that_is_stuck_is_not_waited_for_again() -> None:
    never = threading.Event()

    def read() -> tuple[Reading, ...]:
        never.wait()
        return ()

    source = source_of(Scripted(read), deadline_s=0.05)
    source.read()

    source.start_polling()

    assert source.stop_polling().readings == []
    assert source.read()[0].status is Status.TIMEOUT
    never.set()


def test_a_decode_that_raises_costs_its_own_meter_only() -> None:
    class Split(Scripted):
        prompt = True

        def capture(self) -> object:
            return ()

        def decode(self, captured: object) -> tuple[Reading, ...]:
            raise RuntimeError("cannot decode")

    rare = replace(COUNTER, update_interval_s=60.0)
    sound = Scripted(lambda: (Reading("b", 0, 1, 7.0),), (replace(rare, id="b"),), "sound")
    instruments = Instruments((Split(shown, (rare,)), sound))

    with instruments.recording() as recording:
        pass

    assert "cannot decode" in recording.of(rare.id)[-1].reason
    assert recording.of("b")[-1].value == 7


def test_a_prompt_meter_that_hangs_in_a_poll_is_waited_for_once() -> None:
    class Prompt(Scripted):
        prompt = True

    never, began = threading.Event(), threading.Event()

    def read() -> tuple[Reading, ...]:
        if threading.current_thread().name.startswith("joulebench"):
            began.set()
            never.wait()
        return shown()

    source = source_of(Prompt(read), deadline_s=0.3)
    source.start_polling()
    began.wait(60)

    at = time.monotonic()
    statuses = [source.read()[0].status for _ in range(50)]
    polled = source.stop_polling()

    assert set(statuses) == {Status.TIMEOUT}
    assert polled.readings[-1].status is Status.TIMEOUT
    assert time.monotonic() - at < 50 * 0.3 / 2
    never.set()


@pytest.mark.failure_mode(22, "any")
def test_a_meter_that_hangs_leaves_the_readings_of_the_others_in_the_window_whole() -> None:
    never = threading.Event()

    def hang() -> tuple[Reading, ...]:
        never.wait()
        return ()

    sound = Scripted(
        lambda: shown_of(COUNTER.id), (replace(COUNTER, update_interval_s=60.0),), "ok"
    )
    instruments = Instruments((Scripted(hang), sound), deadline_s=0.05)

    with instruments.recording() as recording:
        pass

    assert {r.status for r in recording.of(GAUGE.id)} == {Status.TIMEOUT}
    assert {r.value for r in recording.of(COUNTER.id)} == {50.0}
    never.set()


def shown_of(channel: str) -> tuple[Reading, ...]:
    now = time.monotonic_ns()
    return (Reading(channel, now, now, 50.0),)
