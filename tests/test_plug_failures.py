"""Smart plugs: what becomes of every way in which one fails."""

import errno
import http.client
from collections.abc import Callable

import pytest
from emulated_plug import (
    PATHS,
    EmulatedPlug,
    Fault,
    Lan,
    emulated,
    jittering,
    opened,
    reads,
    refusal,
)
from emulators import VirtualClock, holds, window
from known_power import KnownPower

from bench.meter import MeterUnavailable, Status
from bench.meters import plug as plug_file
from bench.meters._plug_http import Reply
from bench.meters.plug import PlugMeter, open_meter
from bench.window import channel_energy


@pytest.mark.failure_mode(1, "plug")
@pytest.mark.parametrize("text", ["", " ; "])
def test_no_plug_is_used_unless_one_is_named(text: str) -> None:
    assert plug_file.OPT_IN is True
    with pytest.raises(MeterUnavailable) as caught:
        open_meter({"JOULES_PLUG": text} if text else {})
    assert caught.value.status is Status.UNAVAILABLE
    assert "JOULES_PLUG is not set" in caught.value.absent.reason
    assert "--meters plug:http://" in caught.value.absent.fix


@pytest.mark.failure_mode(14, "plug")
def test_one_plug_by_two_names_would_be_counted_twice_and_is_refused() -> None:
    plug = emulated()
    with pytest.raises(MeterUnavailable, match="are one plug") as caught:
        opened(plug, "http://plug.lan;http://other", other="plug.lan")
    assert caught.value.absent.fix == "name each plug once"
    assert opened(plug, "http://plug.lan").channels


@pytest.mark.failure_mode(16, "plug")
def test_a_plug_that_shows_exactly_nothing_is_refused_and_gives_no_zero() -> None:
    off = emulated(power=KnownPower([0.0], [1.0]))
    found = refusal(off)
    assert found.status is Status.NOT_SUPPORTED
    assert "exactly 0 W" in found.absent.reason
    assert "is the machine plugged into it" in found.absent.fix


def test_a_zero_between_other_values_is_left_out() -> None:
    plug = emulated()
    meter = opened(plug)
    plug.edit = lambda reply: reply.update(apower=0.0)
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "stands for no value" in reading.reason


FAULTS: list[tuple[Fault, Status, str]] = [
    (Reply(500, (), b"oops"), Status.ERROR, "code 500"),
    (Reply(200, (), b""), Status.ERROR, "found nothing, wanted JSON"),
    (Reply(200, (), b"<!DOCTYPE html><html>"), Status.ERROR, "<!DOCTYPE html>"),
    (Reply(200, (), b"[" * 50_000), Status.ERROR, "wanted JSON"),
    (Reply(200, (), b"[1, 2]"), Status.ERROR, "wanted a JSON object"),
    (Reply(200, (), b'{"id":0,"output":true}'), Status.ERROR, "no power meter"),
    (Reply(200, (), b"\xff\xfe"), Status.ERROR, "wanted JSON"),
    (Reply(200, (), b'{"apower": ' + b"9" * 5000 + b"}"), Status.ERROR, "wanted JSON"),
    (Reply(200, (), b'{"apower": 1e500}'), Status.ERROR, "more than the 4000 W"),
    (Reply(200, (), b'{"apower": 4000.1}'), Status.ERROR, "more than the 4000 W"),
    (Reply(200, (), b" " * 70_000), Status.ERROR, "more than 65536 bytes"),
    (Reply(302, (), b""), Status.ERROR, "code 302"),
    (Reply(404, (), b""), Status.NOT_SUPPORTED, "code 404"),
    (Reply(401, ("Digest realm=x",), b""), Status.PERMISSION, "wants a password"),
    (TimeoutError(), Status.TIMEOUT, "did not answer within 2 s"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Status.LOST, "cannot be reached"),
    (OSError(errno.EHOSTUNREACH, "No route to host"), Status.LOST, "No route to host"),
    (ConnectionResetError(errno.ECONNRESET, "reset"), Status.ERROR, "cannot be reached (reset"),
    (http.client.BadStatusLine("x"), Status.ERROR, "does not speak HTTP"),
    (http.client.IncompleteRead(b""), Status.ERROR, "does not speak HTTP"),
]


@pytest.mark.failure_mode(2, "plug")
@pytest.mark.failure_mode(5, "plug")
@pytest.mark.failure_mode(7, "plug")
@pytest.mark.failure_mode(18, "plug")
@pytest.mark.failure_mode(22, "plug")
@pytest.mark.parametrize(("fault", "status", "said"), FAULTS)
def test_a_request_that_fails_gives_a_reason_and_no_number(
    fault: Fault, status: Status, said: str
) -> None:
    plug = emulated()
    meter = opened(plug)
    plug.fault = lambda _: fault
    for reading in meter.read():
        if "W that a plug carries" in said and reading.channel.endswith("total"):
            continue
        assert (reading.value, reading.status) == (None, status)
        if reading.channel == "wall/0":
            assert said in reading.reason
            assert ";" in reading.reason  # the cause; what to do
    plug.fault = lambda _: None
    assert all(reading.status is Status.OK for reading in meter.read())


@pytest.mark.failure_mode(5, "plug")
@pytest.mark.parametrize("fault", [Reply(500, (), b""), TimeoutError()])
def test_every_fifth_request_that_fails_is_left_out_and_the_energy_is_right(fault: Fault) -> None:
    plug = emulated()
    meter = opened(plug)
    plug.fault = lambda number: fault if number % 5 == 0 else None
    readings = reads(meter, plug, 40)
    usable = [reading for reading in readings if reading.value is not None]
    assert len(usable) < len(readings)
    t0, t1 = usable[1].t1_ns, usable[-3].t0_ns
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    assert energy.status is Status.OK
    assert holds(energy, plug.power.energy(t0 / 1e9, t1 / 1e9))


@pytest.mark.failure_mode(18, "plug")
def test_a_plug_that_leaves_the_network_voids_the_window() -> None:
    plug = emulated()
    meter = opened(plug)
    readings = reads(meter, plug, 10)
    plug.fault = lambda _: OSError(errno.EHOSTUNREACH, "No route to host")
    readings += reads(meter, plug, 2)
    energy = channel_energy(meter.channels[0], readings, readings[1].t0_ns, readings[-1].t1_ns)
    assert (energy.status, energy.joules) == (Status.LOST, None)
    assert "is the plug on" in energy.reason


@pytest.mark.failure_mode(10, "plug")
@pytest.mark.parametrize("kind", ["gen2", "gen1"])
def test_a_total_that_begins_anew_at_a_reboot_is_a_reset(kind: str) -> None:
    plug = emulated(kind)
    meter = opened(plug)
    plug.rebooted_s = plug.clock.now_ns / 1e9 + 10
    energies, _, _ = window(meter, plug.clock, 20.0, every_s=1.0)
    assert (energies["wall/0#total"].status, energies["wall/0#total"].joules) == (
        Status.RESET,
        None,
    )
    assert "went back" in energies["wall/0#total"].reason


Edit = Callable[[dict[str, object]], None]


def meter_of(reply: dict[str, object]) -> dict[str, object]:
    """The part of a reply that holds the power."""
    meters, sensors = reply.get("meters"), reply.get("StatusSNS")
    found = meters[0] if isinstance(meters, list) else reply
    found = sensors["ENERGY"] if isinstance(sensors, dict) else found
    assert isinstance(found, dict)
    return found


@pytest.mark.failure_mode(27, "plug")
@pytest.mark.parametrize(
    ("kind", "edit", "said"),
    [
        ("gen2", lambda m: m.update(apower=None), "apower is None, no number"),
        ("gen2", lambda m: m.update(apower=float("nan")), "apower is 'NaN', no number"),
        ("gen2", lambda m: m.update(apower=float("inf")), "apower is 'Infinity', no number"),
        ("gen2", lambda m: m.update(apower=-3.5), "apower is -3.5, below zero"),
        ("gen2", lambda m: m.update(apower=True), "apower is True, no number"),
        ("gen2", lambda m: m.update(apower="31.4 W"), "no number"),
        ("gen2", lambda m: m.update(errors=["power_meter_failure"]), "power_meter_failure"),
        ("em1", lambda m: m.update(act_power="x" * 1000), "x…, no number"),
        ("gen1", lambda m: m.update(is_valid=False), "is_valid is False"),
        ("gen1", lambda m: m.pop("is_valid"), "is_valid is None"),
        ("gen1", lambda m: m.update(power=None), "power is None"),
        ("tasmota", lambda m: m.update(Power=[12, 13]), "Power is [12, 13], no number"),
        ("tasmota", lambda m: m.update(Power=-1), "Power is -1, below zero"),
    ],
)
def test_a_value_that_is_invalid_is_left_out_with_the_reason(
    kind: str, edit: Edit, said: str
) -> None:
    plug = emulated(kind)
    meter = opened(plug)
    plug.edit = lambda reply: edit(meter_of(reply))
    reading = meter.read()[0]
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert said in reading.reason
    assert reading.reason.endswith("this reading is left out")
    assert len(reading.reason) < 150
    plug.edit = lambda _: None
    assert meter.read()[0].status is Status.OK


def test_a_total_that_goes_missing_costs_its_own_reading_only() -> None:
    plug = emulated()
    meter = opened(plug)
    plug.edit = lambda reply: reply.update(aenergy=None)
    power, counted = meter.read()
    assert power.status is Status.OK
    assert (counted.value, counted.status) == (None, Status.ERROR)
    assert "shows no energy total" in counted.reason


def test_a_plug_that_never_shows_a_valid_power_is_refused_with_its_reason() -> None:
    plug = emulated("gen1", edit=lambda reply: meter_of(reply).update(is_valid=False))
    found = refusal(plug)
    assert found.status is Status.NOT_SUPPORTED
    assert "is_valid is False" in found.absent.reason


def test_a_device_with_two_meters_is_refused_for_the_machine_may_hang_on_either() -> None:
    def second(reply: dict[str, object]) -> None:
        reply["meters"] = [meter_of(reply), {"power": 200.0, "is_valid": True, "total": 9}]

    found = refusal(emulated("gen1", edit=second))
    assert found.status is Status.NOT_SUPPORTED
    assert "it has 2 meters; the machine must hang on a plug with one" in found.absent.reason


@pytest.mark.parametrize("kind", ["gen2", "pm1", "em1"])
def test_a_plug_with_a_second_output_is_refused_for_the_machine_may_hang_on_either(
    kind: str,
) -> None:
    found = refusal(emulated(kind, outputs=2))

    assert found.status is Status.NOT_SUPPORTED
    assert "has several outputs" in found.absent.reason
    assert "a plug with one" in found.absent.fix


def test_a_number_that_no_decimal_can_hold_is_an_error_of_that_plug_alone() -> None:
    plug = emulated()
    meter = opened(plug)
    absurd = Reply(200, (), b'{"apower": 1e9999999999999999999999}')
    plug.fault = lambda _: absurd
    power, total = meter.read()
    assert (power.value, power.status) == (total.value, total.status) == (None, Status.ERROR)
    assert "wanted JSON" in power.reason


def test_a_plug_that_fails_once_while_it_is_watched_is_opened_all_the_same() -> None:
    plug = emulated()
    plug.fault = lambda number: Reply(500, (), b"") if number in {5, 6} else None
    assert opened(plug).channels[0].id == "wall/0"


def test_a_plug_that_falls_silent_while_it_is_watched_is_refused() -> None:
    plug = emulated()
    plug.fault = lambda number: TimeoutError() if number > 1 else None
    found = refusal(plug)
    assert found.status is Status.TIMEOUT
    assert "did not answer within 2 s" in found.absent.reason


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (TimeoutError(), Status.TIMEOUT, "did not answer"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "no"), Status.UNAVAILABLE, "cannot be reached"),
        (Reply(404, (), b""), Status.NOT_SUPPORTED, "answers as no plug that is known"),
        (Reply(500, (), b""), Status.ERROR, "/status with code 500"),
        (Reply(200, (), b"<html>a router</html>"), Status.ERROR, "wanted JSON"),
        (Reply(403, (), b""), Status.PERMISSION, "wants a password"),
    ],
)
def test_what_is_no_plug_is_refused_with_what_it_answered(
    fault: Fault, status: Status, said: str
) -> None:
    found = refusal(emulated(fault=lambda _: fault))
    assert found.status is status
    assert said in found.absent.reason
    assert found.absent.fix


@pytest.mark.failure_mode(17, "plug")
def test_a_switch_without_a_power_meter_is_refused() -> None:
    plug = emulated(edit=lambda reply: reply.pop("apower"))
    found = refusal(plug)
    assert found.status is Status.NOT_SUPPORTED
    assert "it has no power meter" in found.absent.reason


def test_if_one_of_several_plugs_is_missing_none_is_read() -> None:
    clock = VirtualClock(1_000_000)
    plugs = {host: EmulatedPlug(jittering(), clock) for host in ("a", "b")}
    plugs["b"].fault = lambda _: ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    with pytest.raises(MeterUnavailable, match="http://b cannot be reached"):
        PlugMeter("http://a;http://b", transport=Lan(plugs), clock=clock, sleep=clock.pass_s)


def test_many_plugs_share_the_time_of_one_read() -> None:
    clock = VirtualClock(1_000_000)
    plugs = {f"p{n}": EmulatedPlug(jittering(), clock) for n in range(4)}
    text = ";".join(plugs)
    meter = PlugMeter(text, transport=Lan(plugs), clock=clock, sleep=clock.pass_s)
    for plug in plugs.values():
        plug.latency_s = 100.0
    began = clock()
    assert {reading.status for reading in meter.read()} == {Status.TIMEOUT}
    assert (clock() - began) / 1e9 < 5.0  # the longest that a read may take


def test_every_path_that_is_asked_for_is_one_of_a_known_plug() -> None:
    plug = emulated("tasmota10")
    opened(plug)
    assert set(plug.paths) == set(PATHS.values())
