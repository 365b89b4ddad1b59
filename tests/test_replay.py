"""A power trace as a meter: exact, marked as a replay, and refused when it is malformed."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emulators import VirtualClock, holds, joules, window
from hypothesis import given
from hypothesis import strategies as st

from bench.discover import plugins
from bench.meter import MeterUnavailable, Status
from bench.meters import replay
from bench.meters.replay import PowerTrace, ReplayMeter
from bench.quantities import Kind

CHANNEL: dict[str, Any] = {
    "id": "cpu/0/package",
    "domain": "package",
    "kind": "measured",
    "boundary": "cpu-package",
    "resolution_j": 1,
    "update_interval_s": 0.5,
    "wrap_j": 100,
    "start_j": 90,
    "power": [[0, 10], [2, 30]],
}


def written(tmp_path: Path, *channels: Any) -> Path:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"description": "a test", "channels": channels}))
    return path


def test_energy_is_the_area_below_the_steps() -> None:
    trace = PowerTrace(((0, 10), (2, 30)))
    assert trace.energy(0, 2) == 20
    assert trace.energy(1, 4) == 10 + 60
    assert trace.peak_w == 30


def test_a_trace_with_a_period_begins_anew_after_it() -> None:
    trace = PowerTrace(((0, 10), (2, 30)), period_s=3)
    assert trace.energy(0, 3) == 50
    assert trace.energy(0, 7) == 50 + 50 + 10
    assert trace.energy(2.5, 3.5) == 15 + 5


@given(
    watts=st.lists(st.floats(0, 500), min_size=3, max_size=3),
    times=st.tuples(st.floats(0, 20), st.floats(0, 20), st.floats(0, 20)),
    period_s=st.sampled_from([None, 3.0]),
)
def test_the_energies_of_two_windows_add_up_to_that_of_both(
    watts: list[float], times: tuple[float, float, float], period_s: float | None
) -> None:
    trace = PowerTrace(tuple(zip((0.0, 1.0, 2.5), watts, strict=True)), period_s)
    a, b, c = sorted(times)
    whole = trace.energy(a, c)
    assert trace.energy(a, b) + trace.energy(b, c) == pytest.approx(whole, abs=1e-6)
    assert min(watts) * (c - a) - 1e-6 <= whole <= max(watts) * (c - a) + 1e-6


@pytest.mark.parametrize(
    ("steps", "period_s"),
    [
        ((), None),
        (((1, 10),), None),
        (((0, 10), (0, 20)), None),
        (((0, 10), (2, 20), (1, 30)), None),
        (((0, -1),), None),
        (((0, math.inf),), None),
        (((0, math.nan),), None),
        (((0, 10), (2, 20)), 2),
        (((0, 10),), math.inf),
    ],
)
def test_steps_that_are_no_function_of_time_are_refused(
    steps: tuple[tuple[float, float], ...], period_s: float | None
) -> None:
    with pytest.raises(ValueError, match=r"found .* wanted"):
        PowerTrace(steps, period_s)


def test_a_counter_is_held_quantised_and_wrapped_like_a_real_one(tmp_path: Path) -> None:
    clock = VirtualClock(step_ns=0)
    meter = ReplayMeter(written(tmp_path, CHANNEL), clock=clock)
    shown = []
    for _ in range(7):
        shown.append(meter.read()[0].value)
        clock.pass_s(0.25)
    # 10 W from 90 J, refreshed every half second, modulo 100 J
    assert shown == [90, 90, 95, 95, 0, 0, 5]


def test_a_window_of_the_shipped_trace_has_its_exact_energy_inside() -> None:
    clock = VirtualClock()
    meter = ReplayMeter(replay._SHIPPED, clock=clock)
    energies, t0, t1 = window(meter, clock, 5.0)
    shipped = json.loads(replay._SHIPPED.read_text())["channels"]
    for channel in shipped:
        steps = tuple((at, watts) for at, watts in channel["power"])
        truth = PowerTrace(steps, channel.get("period_s")).energy(t0, t1)
        assert holds(energies[channel["id"]], truth)
        assert joules(energies[channel["id"]]) == pytest.approx(truth, rel=2e-3)


def test_each_channel_says_that_it_is_a_replay(tmp_path: Path) -> None:
    meter = ReplayMeter(written(tmp_path, CHANNEL | {"kind": "sampled"}))
    (channel,) = meter.channels
    assert channel.origin == "replay:trace.json"
    assert channel.note == "a replayed trace, not this machine's power"
    assert channel.kind is Kind.SAMPLED
    assert (channel.wrap, channel.p_max_w) == (100, 45)
    assert meter.unusable == ()
    meter.close()


def test_the_shipped_trace_is_played_only_when_the_meter_is_named() -> None:
    assert plugins("bench.meters", "open_meter")[0]["replay"].opt_in
    meter = replay.open_meter({})
    assert [channel.id for channel in meter.channels] == ["cpu/0/package", "cpu/0/dram"]


def test_a_trace_of_ones_own_is_named_by_the_environment(tmp_path: Path) -> None:
    quiet = CHANNEL | {"id": "wall/0", "wrap_j": None, "p_max_w": 99, "range": [0.5, 2]}
    (channel,) = replay.open_meter({"JOULES_REPLAY": str(written(tmp_path, quiet))}).channels
    assert (channel.id, channel.wrap, channel.p_max_w) == ("wall/0", None, 99)
    assert channel.range == (0.5, 2.0)


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda channel: channel.__delitem__(key)


def having(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda channel: channel.__setitem__(key, value)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without("id"), "channel 0 has no 'id'; wanted it"),
        (without("power"), "channel 0 has no 'power'; wanted it"),
        (having("kind", "guessed"), "'guessed' is not a valid Kind"),
        (having("resolution_j", 0), "found resolution_j = 0.0, wanted a number above 0"),
        (having("update_interval_s", "soon"), "could not convert string to float"),
        (having("power", [[1, 10]]), "wanted times that ascend from 0"),
        (having("power", [[0, 0]]), "wanted a counter that moves"),
        (having("power", 40), "channel 0: "),
        (having("start_j", -1), "a start of -1 J"),
        (having("wrap_j", -5), "found wrap_j = -5"),
    ],
)
def test_a_malformed_channel_is_refused_with_what_was_wanted(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], reason: str
) -> None:
    channel = copy.deepcopy(CHANNEL)
    spoil(channel)
    path = written(tmp_path, channel)
    with pytest.raises(MeterUnavailable) as caught:
        ReplayMeter(path)
    assert caught.value.status is Status.INVALID
    assert caught.value.absent.reason.startswith(f"{path}: ")
    assert reason in caught.value.absent.reason
    assert "replay.json" in caught.value.absent.fix


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"channels": []}', '{"channels": 3}', "{", '{"channels": [4]}']
)
def test_a_file_that_is_no_trace_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(MeterUnavailable) as caught:
        ReplayMeter(path)
    assert caught.value.status is Status.INVALID


def test_one_channel_id_may_stand_in_a_trace_once(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable, match="wanted each id once"):
        ReplayMeter(written(tmp_path, CHANNEL, CHANNEL))


def test_a_trace_that_is_not_there_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable, match="set JOULES_REPLAY to the path of a trace"):
        replay.open_meter({"JOULES_REPLAY": str(tmp_path / "none.json")})
