"""Smart plugs: what they show, and the bound of it."""

from random import Random
from typing import Any

import pytest
from emulated_plug import EmulatedPlug, Lan, emulated, eventful, jittering, opened, reads, settle
from emulators import VirtualClock, holds, window
from known_power import KnownPower, assert_windows_hold

from bench.cover import cover, total
from bench.meter import Status
from bench.meters.plug import PlugMeter
from bench.quantities import Kind, Quantity
from bench.window import channel_energy

# What is shown


@pytest.mark.parametrize(
    ("kind", "resolution", "origin"),
    [
        ("gen2", 0.1, "plug:shelly-gen2:http://plug.lan"),
        ("pm1", 0.1, "plug:shelly-pm1:http://plug.lan"),
        ("em1", 0.1, "plug:shelly-em1:http://plug.lan"),
        ("gen1", 0.01, "plug:shelly-gen1:http://plug.lan"),
        ("tasmota", 1.0, "plug:tasmota:http://plug.lan"),
        ("tasmota10", 0.1, "plug:tasmota:http://plug.lan"),
    ],
)
def test_the_kind_of_a_plug_is_found_by_asking_it(
    kind: str, resolution: float, origin: str
) -> None:
    channel = opened(emulated(kind)).channels[0]
    assert (channel.id, channel.unit, channel.boundary) == ("wall/0", "W", "wall")
    assert (channel.kind, channel.origin) == (Kind.EXTERNAL, origin)
    assert channel.resolution == pytest.approx(resolution)
    assert channel.p_max_w == 16 * 250
    assert channel.averaging_window_s == 1.0
    assert channel.poll_s == 1.0
    assert "accuracy" in channel.note


@pytest.mark.parametrize(
    ("kind", "decimals", "step_j"),
    [("gen2", 3, 3.6), ("pm1", 2, 36.0), ("gen1", 0, 60.0), ("tasmota", 5, 36.0)],
)
def test_a_hundred_watts_for_a_minute_are_six_kilojoules_by_both_routes(
    kind: str, decimals: int, step_j: float
) -> None:
    plug = emulated(kind, jittering(100), total_decimals=decimals)
    meter = opened(plug)
    assert [channel.id for channel in meter.channels] == ["wall/0", "wall/0#total"]
    power, counted = meter.channels
    assert (counted.unit, counted.wrap, counted.kind) == ("J", None, Kind.EXTERNAL)
    assert counted.resolution == pytest.approx(step_j)
    assert f"steps of {step_j:g} J" in counted.note
    readings = [meter.read()]
    t0 = plug.clock()
    for _ in range(60):
        plug.clock.pass_s(1.0)
        readings.append(meter.read())
    t1 = plug.clock()
    for _ in range(4):
        plug.clock.pass_s(1.0)
        readings.append(meter.read())
    true_j = plug.power.energy(t0 / 1e9, t1 / 1e9)
    assert true_j == pytest.approx(100.5 * (t1 - t0) / 1e9, rel=0.01)
    for index, channel in enumerate((power, counted)):
        energy = channel_energy(channel, [row[index] for row in readings], t0, t1)
        assert energy.joules == pytest.approx(true_j, rel=0.05)
        assert holds(energy, true_j)


@pytest.mark.failure_mode(15, "plug")
def test_the_total_is_a_second_route_and_is_never_added() -> None:
    plug = emulated()
    meter = opened(plug)
    for device in ("", "cpu", "cuda:GPU-1"):
        assert cover(meter.channels, device) in {("wall/0",), ()}
    assert cover(meter.channels, "") == ("wall/0",)


def test_the_plugs_of_two_power_supplies_are_added() -> None:
    clock = VirtualClock(1_000_000)
    plugs = {
        "a": EmulatedPlug(jittering(100), clock),
        "b": EmulatedPlug(jittering(40), clock, "gen1", decimals=2),
    }
    meter = PlugMeter("http://a;http://b;", transport=Lan(plugs), clock=clock, sleep=clock.pass_s)
    assert [c.id for c in meter.channels if c.unit == "W"] == ["wall/0", "wall/1"]
    readings = [meter.read()]
    t0 = clock()
    for _ in range(20):
        clock.pass_s(1.0)
        readings.append(meter.read())
    t1 = clock.now_ns - 4_000_000_000
    rows = [reading for row in readings for reading in row]
    energies = [
        channel_energy(c, [reading for reading in rows if reading.channel == c.id], t0, t1)
        for c in meter.channels
    ]
    whole = total(energies, cover(meter.channels, "cpu"))
    assert isinstance(whole, Quantity)
    assert whole.channels == ("wall/0", "wall/1")
    assert whole.value == pytest.approx(1.005 * 140 * (t1 - t0) / 1e9, rel=0.03)
    meter.close()


@pytest.mark.failure_mode(17, "plug")
def test_a_meter_without_a_total_has_its_power_alone() -> None:
    meter = opened(emulated("em1"))
    assert [channel.id for channel in meter.channels] == ["wall/0"]
    assert meter.unusable == ()


@pytest.mark.failure_mode(11, "plug")
@pytest.mark.parametrize(
    ("kind", "changes", "step"),
    [
        ("tasmota", {"total_decimals": 3}, "3600 J"),  # 1 Wh
        ("gen1", {"total_hold_s": 60.0}, "60 J"),  # Shelly's counts once a minute
    ],
)
def test_a_total_that_stands_still_while_it_is_watched_is_left_out(
    kind: str, changes: dict[str, Any], step: str
) -> None:
    meter = opened(emulated(kind, **changes))
    assert [channel.id for channel in meter.channels] == ["wall/0"]
    (left_out,) = meter.unusable
    assert (left_out.what, left_out.status) == ("wall/0#total", Status.STALE)
    assert f"its step of {step}" in left_out.reason
    assert "wall/0 is read instead" in left_out.fix


# Bounds


VARIANTS = [
    (kind, hold, averaged)
    for kind in ("gen2", "pm1", "em1", "gen1", "tasmota")
    for hold, averaged in ((0.3, 0.0), (0.5, 1.0), (1.0, 0.5), (1.0, 1.0), (3.0, 1.0))
]


@pytest.mark.parametrize("seed", range(50))
def test_the_true_energy_lies_within_the_bound_of_every_window(seed: int) -> None:
    random = Random(seed)
    kind, hold_s, averaged_s = VARIANTS[seed % len(VARIANTS)]
    plug = emulated(
        kind,
        eventful(random, random.choice([60, 400, 2000]), dwell_s=9.0),
        hold_s=hold_s,
        window_s=averaged_s,
        phase_s=random.uniform(0, hold_s),
        decimals=random.choice([0, 1, 2]) if kind == "tasmota" else 2 if kind == "gen1" else 1,
        total_hold_s=random.choice([0.5, 1.0, 1.5]),
        total_decimals=5 if kind == "tasmota" else 3,
        latency_s=random.uniform(0.005, 0.2),
    )
    meter = opened(plug)
    settle(plug)
    truth = {channel.id: plug.power.energy for channel in meter.channels}
    checked = assert_windows_hold(meter, plug.clock, truth, random, windows=24, seconds=(8.0, 60.0))
    assert checked >= 24


@pytest.mark.failure_mode(12, "plug")
def test_a_plug_that_holds_its_value_for_three_seconds_is_known_to() -> None:
    plug = emulated(power=eventful(Random(1), 300, dwell_s=9.0), hold_s=3.0, phase_s=1.3)
    meter = opened(plug)
    channel = meter.channels[0]
    assert 3.0 <= channel.update_interval_s < 3.5
    settle(plug)
    truth = {channel.id: plug.power.energy for channel in meter.channels}
    assert_windows_hold(meter, plug.clock, truth, Random(1), windows=5, seconds=(20.0, 40.0))


def test_a_plug_that_is_faster_than_a_second_gets_no_narrower_bound() -> None:
    assert opened(emulated(hold_s=0.2)).channels[0].update_interval_s == 1.0


def test_a_power_that_changed_once_may_be_held_for_the_whole_time_it_was_watched() -> None:
    changed = emulated(power=KnownPower([100.0, 120.0], [4.0, 1e6]))
    assert opened(changed).channels[0].update_interval_s == pytest.approx(6.0, rel=0.05)


def test_a_power_at_rest_has_the_nominal_interval_and_says_so() -> None:
    channel = opened(emulated(power=KnownPower([100.0], [1.0]))).channels[0]
    assert channel.update_interval_s == 1.0
    assert "one value for 6" in channel.note
    assert "every 1 s is taken for granted" in channel.note


def test_a_request_is_stamped_before_and_after_so_that_its_middle_counts() -> None:
    plug = emulated(latency_s=0.4)
    reading = opened(plug).read()[0]
    assert (reading.t1_ns - reading.t0_ns) / 1e9 == pytest.approx(0.4, abs=0.01)


@pytest.mark.failure_mode(26, "plug")
def test_a_window_shorter_than_a_plug_can_resolve_has_no_energy() -> None:
    plug = emulated()
    energies, _, _ = window(opened(plug), plug.clock, 1.0)
    assert energies["wall/0"].status is Status.TOO_SHORT
    assert energies["wall/0"].joules is None
    assert "give it at least" in energies["wall/0"].reason


@pytest.mark.failure_mode(23, "plug")
def test_a_time_in_which_nobody_read_is_a_gap_that_widens_the_bound() -> None:
    plug = emulated()
    meter = opened(plug)
    readings = reads(meter, plug, 5)
    t0 = plug.clock()
    plug.clock.pass_s(60.0)  # the reader got no processor time
    readings += reads(meter, plug, 4)
    t1 = plug.clock.now_ns - 3_000_000_000
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    assert energy.status is Status.GAP
    assert holds(energy, plug.power.energy(t0 / 1e9, t1 / 1e9))
    assert energy.high is not None
    assert energy.high > 59 * 4000


@pytest.mark.failure_mode(24, "plug")
def test_a_step_of_the_plugs_own_clock_changes_nothing() -> None:
    plug = emulated("tasmota")
    meter = opened(plug)

    def set_back(reply: dict[str, object]) -> None:
        sensors = reply["StatusSNS"]
        assert isinstance(sensors, dict)
        sensors["Time"] = "1970-01-01T00:00:00"

    readings = reads(meter, plug, 6)
    plug.edit = set_back
    readings += reads(meter, plug, 6)
    t0, t1 = readings[1].t0_ns, readings[-3].t1_ns
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    assert all(reading.t_device is None for reading in readings)
    assert energy.status is Status.OK
    assert holds(energy, plug.power.energy(t0 / 1e9, t1 / 1e9))
