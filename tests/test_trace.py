"""A trace as a meter: what it is a channel of, when its samples were taken, how its lines come."""

import time
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from emulated_trace import (
    EPOCH_S,
    LiveClock,
    Memory,
    Room,
    Wattmeter,
    in_file,
    in_memory,
    iso,
    ptd,
    trace_window,
)
from emulators import VirtualClock
from known_power import KnownPower, random_power

from bench.clock_fit import on_our_clock
from bench.cover import cover
from bench.meter import Channel, MeterUnavailable, Reading, Status
from bench.meters import trace
from bench.meters._trace_stream import FileStream
from bench.meters._trace_wanted import wanted
from bench.meters.trace import TraceMeter
from bench.quantities import Kind
from bench.window import channel_energy

STEADY = KnownPower([31.4], [10.0])


def logged(line: object = None, **more: object) -> Wattmeter:
    return Wattmeter(STEADY, Random(5), line or ptd, **more)  # type: ignore[arg-type]


def watts(readings: tuple[Reading, ...]) -> list[float]:
    return [reading.value for reading in readings if reading.value is not None]


def test_a_ptdaemon_log_is_a_wall_meter_of_mean_watts(tmp_path: Path) -> None:
    emulated = in_file(logged(), tmp_path / "spl.txt", ["06-30-2025 09:15:00 Notice: started"])

    meter = emulated.open()

    (channel,) = meter.channels
    meter.close()
    assert (channel.id, channel.domain, channel.boundary) == ("wall/0", "wall", "wall")
    assert (channel.kind, channel.unit, channel.wrap) == (Kind.EXTERNAL, "W", None)
    assert channel.update_interval_s == pytest.approx(1.0, abs=0.002)
    assert channel.averaging_window_s == channel.update_interval_s
    assert channel.resolution == pytest.approx(0.1)
    assert channel.clock_s == pytest.approx(0.101)
    assert channel.p_max_w == 3680
    assert channel.origin == f"trace:{tmp_path}/spl.txt"
    assert "PTDaemon" in channel.note
    assert "UTC" in channel.note
    assert trace.OPT_IN


def test_what_is_asked_goes_before_what_was_seen() -> None:
    asked = "channel=module/vdd_in&boundary=module-dc&average_s=0.5&interval_s=2&p_max_w=60"

    (channel,) = in_memory(logged()).open(f"{asked}&clock_s=0.3").channels

    assert (channel.id, channel.domain) == ("module/vdd_in", "module")
    assert channel.boundary == "module-dc"
    assert (channel.averaging_window_s, channel.update_interval_s) == (0.5, 2)
    assert (channel.p_max_w, channel.clock_s) == (60, 0.3)


def test_a_read_gives_all_that_is_new_after_the_last_few_of_before() -> None:
    emulated = in_memory(logged(lambda t, _: ptd(t, round(t - EPOCH_S))))
    meter = emulated.open()

    first = watts(meter.read())
    emulated.clock.pass_s(30.0)
    second = watts(meter.read())
    third = watts(meter.read())

    assert first == [1, 2, 3]
    assert second[: len(first)] == first
    assert [after - before for before, after in pairwise(second)] == [1] * (len(second) - 1)
    assert second[-1] >= 33
    assert third == second[-len(third) :]
    assert 5 <= len(third) <= 6


@pytest.mark.parametrize(
    ("line", "query", "offset_s", "drift"),
    [
        (ptd, "", EPOCH_S, 0.0),
        (lambda t, w: f"{t:.3f} {w:.1f}", "", 77.0, 3e-4),
        (lambda t, w: f"{iso(t)} {w:.1f}", "clock=device", 1e9, -3e-4),
        (lambda t, w: f"{1e3 * t:.0f} {w:.1f}", "", EPOCH_S, 0.0),
        (lambda t, w: f"{t:.4f} {w:.1f}", "clock=monotonic", 0.0, 0.0),
        (lambda _, w: f"{w:.1f}", "", 0.0, 0.0),
    ],
)
def test_a_readings_times_are_around_the_end_of_what_it_is_the_mean_of(
    line: object, query: str, offset_s: float, drift: float
) -> None:
    source = logged(line, offset_s=offset_s, drift=drift, jitter_s=0.02)
    emulated = in_memory(source)
    meter = emulated.open(query)
    (channel,) = meter.channels
    readings: list[Reading] = []
    for _ in range(20):
        emulated.clock.pass_s(1.5)
        readings += meter.read()

    placed = [r for r in on_our_clock(channel, readings) if r.value is not None]

    assert len(placed) >= 30
    for reading, taken in zip(reversed(placed), reversed(source.taken), strict=False):
        assert reading.t0_ns <= taken * 1e9 <= reading.t1_ns
        assert reading.t1_ns - reading.t0_ns < 0.6e9


def test_a_steady_power_gives_its_joules() -> None:
    emulated = in_memory(logged())
    meter = emulated.open("p_max_w=40")
    (channel,) = meter.channels

    t0, t1, readings = trace_window(meter, emulated.clock, 20.0)
    energy = channel_energy(channel, readings, t0, t1)

    assert energy.status is Status.OK
    assert energy.joules == pytest.approx(31.4 * 20, rel=1e-6)
    assert energy.low == pytest.approx(31.3 * 20, rel=1e-6)
    assert energy.high == pytest.approx(31.5 * 20, rel=1e-6)


def test_a_stamp_ends_the_interval_it_is_the_mean_of() -> None:
    step = KnownPower([10.0, 90.0], [20.0, 20.0])
    emulated = in_memory(Wattmeter(step, Random(3), ptd, since_s=-0.5))
    meter = emulated.open()
    emulated.clock.pass_s(24.0)

    placed = [r for r in on_our_clock(meter.channels[0], meter.read()) if r.value is not None]

    rise = next(reading for reading in placed if reading.value and reading.value > 11)
    end = (rise.t0_ns + rise.t1_ns) / 2e9
    assert rise.value == pytest.approx(step.mean(end - 1, end), abs=8)
    assert rise.value != pytest.approx(step.mean(end - 0.5, end + 0.5), abs=8)


def test_an_accumulator_is_a_counter_and_goes_without_integration() -> None:
    source = logged(
        lambda t, j: f"{t:.4f},{j:.6f}", counts=True, interval_s=0.5, offset_s=0.0, average_s=0.0
    )
    emulated = in_memory(source, ["time,energy (J)"])
    meter = emulated.open("p_max_w=45")
    (channel,) = meter.channels

    t0, t1, readings = trace_window(meter, emulated.clock, 10.0)
    energy = channel_energy(channel, readings, t0, t1)

    assert (channel.unit, channel.averaging_window_s) == ("J", 0)
    assert channel.resolution == pytest.approx(2e-6)
    assert energy.status is Status.OK
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low <= 314.0 <= energy.high
    assert energy.high - energy.low < 31.4 * 2 * (2 * 0.5 + 0.5)


def test_a_wall_meter_is_the_total_and_what_is_inside_it_is_not_added() -> None:
    (wall,) = in_memory(logged()).open().channels
    package = Channel(
        "cpu/0/package", "package", Kind.MEASURED, "cpu-package", 1e-3, 1e-3, None, 100, "a test"
    )

    assert cover([package, wall], "cpu") == ("wall/0",)


def test_a_file_with_history_gives_what_its_clock_still_agrees_with(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    before = [ptd(EPOCH_S - 900 + i, 7.0) for i in range(20)]  # then the clock was set back
    source = logged()
    emulated = in_file(source, path, [*before, *(ptd(EPOCH_S - 1800 + i, 9.0) for i in range(20))])

    meter = emulated.open()

    values = watts(meter.read())
    meter.close()
    assert values[:18] == [9.0] * 18  # two lines show that a clock was set, and no garbled stamp
    assert set(values[18:]) == {31.4}


def test_a_file_that_is_complete_gives_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    rows = [f"{iso(EPOCH_S + 10 + i)},{i}" for i in range(50)]
    path.write_text("\n".join(["time,power (W)", *rows, ""]))
    clock = LiveClock()
    clock.pass_s(100)
    room = Room(logged(silent_from_s=0.0), FileStream(path), lambda _: None, clock=clock)

    meter = room.open()
    readings = meter.read()

    meter.close()
    assert watts(readings) == list(range(50))
    assert [round((r.t0_ns + r.t1_ns) / 2e9) for r in readings if r.value is not None] == [
        10 + i for i in range(50)
    ]


def test_the_setting_names_the_source(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"{iso(time.time() - 10 + i)},{i}" for i in range(9)]
    path.write_text("\n".join(["time,power (W)", *rows, ""]))

    meter = trace.open_meter({"JOULES_TRACE": f"{path}?channel=wall/3"})

    try:
        assert meter.name == "trace"
        assert [channel.id for channel in meter.channels] == ["wall/3"]
        assert watts(meter.read()) == list(range(9))
    finally:
        meter.close()
    with pytest.raises(MeterUnavailable, match="JOULES_TRACE is not set"):
        trace.open_meter({})


def test_closing_closes_the_stream_and_so_does_a_meter_that_does_not_open() -> None:
    emulated = in_memory(logged())
    meter = emulated.open()
    meter.close()
    nothing = Memory()
    clock = VirtualClock()

    with pytest.raises(MeterUnavailable):
        TraceMeter(wanted("x"), nothing, clock=clock, wall=clock, sleep=clock.pass_s)

    assert isinstance(emulated.stream, Memory)
    assert emulated.stream.closed
    assert nothing.closed


@pytest.mark.failure_mode(12, "trace")
def test_a_plug_that_is_logged_more_often_than_it_refreshes_has_its_own_interval() -> None:
    random = Random(8)
    source = Wattmeter(
        random_power(random, 90.0, 0.7),
        random,
        lambda t, w: f"{t:.3f} {w:.2f}",
        interval_s=0.2,
        hold=5,
    )

    (channel,) = in_memory(source).open().channels

    assert channel.update_interval_s == pytest.approx(1.0, rel=0.01)
    assert channel.averaging_window_s == channel.update_interval_s


def test_a_power_that_does_not_change_says_nothing_about_how_long_it_is_held() -> None:
    fast = logged(lambda t, w: f"{t:.3f} {w:.2f}", interval_s=0.2)

    (channel,) = in_memory(fast).open().channels
    (given,) = in_memory(logged(fast.line, interval_s=0.2)).open("interval_s=0.2").channels

    assert channel.update_interval_s == 1.0  # what plugs refresh in
    assert given.update_interval_s == 0.2
