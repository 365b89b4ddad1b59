"""A side is warmed up until it is steady, in time and in power, or it is said that it is not."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual import Clock, KnownMeter, Steps, busy_loop, steady

from bench.block import Side
from bench.guard import State
from bench.instruments import Instruments
from bench.quantities import Kind
from bench.record import Window
from bench.schedule import Schedule
from bench.warm_up import NOT_STEADY, is_steady, warm_up

PACKAGE = "cpu/0/package"
SCHEDULE = Schedule(pairs=6, block_s=0.5, warmup_s=0.5, idle_s=2.0, margin=0.03)


def warmed(
    call_s: Callable[[float], float],
    power: Steps | None = None,
    *,
    update_s: float = 0.001,
    kind: Kind = Kind.MEASURED,
    celsius: Callable[[float], float] | None = None,
) -> tuple[Window, float]:
    """The window of a warm-up whose calls take what *call_s* says of the time, and its length."""
    clock = Clock(0)
    meter = KnownMeter(clock, {PACKAGE: power or steady(50)}, update_s=update_s, kind=kind)

    def state() -> State:
        return State(temperature_c=celsius(clock() / 1e9) if celsius else None)

    instruments = Instruments((meter,), clock=clock, sleep=clock.sleep, watch=state)
    loop = busy_loop(clock, lambda: call_s(clock() / 1e9))
    return warm_up("case", Side("variant", loop, 1), SCHEDULE, instruments), clock() / 1e9


def why(window: Window) -> list[str]:
    return [flag for flag in window.flags if flag.startswith(NOT_STEADY)]


@given(st.lists(st.floats(0.5, 2), max_size=5))
def test_fewer_than_six_bursts_show_nothing(values: list[float]) -> None:
    assert not is_steady(values)


@given(st.floats(1e-6, 1e3), st.lists(st.floats(-0.004, 0.004), min_size=6, max_size=6))
def test_what_stays_within_one_per_cent_is_steady(level: float, changes: list[float]) -> None:
    assert is_steady([level * (1 + change) for change in changes])


@given(st.floats(1e-6, 1e3), st.floats(0.01, 0.5), st.booleans())
def test_what_falls_or_rises_from_burst_to_burst_is_not(
    level: float, step: float, falls: bool
) -> None:
    ramp = [level * (1 + step) ** i for i in range(6)]
    assert not is_steady(ramp[::-1] if falls else ramp)


def test_only_the_last_six_bursts_count() -> None:
    assert is_steady([100.0, 50.0, 2.0, *[1.0] * 6])


def test_a_steady_side_is_warm_soon() -> None:
    window, seconds = warmed(lambda _: 1e-3)

    assert why(window) == []
    assert (window.role, window.case) == ("warmup", "case")
    assert seconds < 2 * SCHEDULE.warmup_s
    assert window.calls >= 50


def test_the_warm_up_goes_on_until_the_time_per_call_has_settled() -> None:
    window, seconds = warmed(lambda t: 1e-3 * (1 + max(0.0, 2 - t)))

    assert why(window) == []
    assert seconds > 2
    assert window.seconds / window.calls == pytest.approx(1e-3, rel=0.01)


def test_the_warm_up_goes_on_until_the_power_has_settled() -> None:
    rising = Steps([0.05 * i for i in range(61)], [40 + i for i in range(61)])

    window, seconds = warmed(lambda _: 1e-3, rising)

    assert why(window) == []
    assert seconds > 3


def test_the_power_is_left_out_where_no_instrument_can_show_it() -> None:
    rising = Steps([0.05 * i for i in range(200)], [40 + i for i in range(200)])

    window, seconds = warmed(lambda _: 1e-3, rising, kind=Kind.ESTIMATED)

    assert why(window) == []
    assert seconds < 2 * SCHEDULE.warmup_s


def test_a_slow_counter_gets_bursts_that_it_can_show() -> None:
    window, _ = warmed(lambda _: 1e-3, update_s=0.1)

    assert why(window) == []
    assert window.seconds >= 1


@pytest.mark.parametrize(
    ("call_s", "power", "found"),
    [
        (lambda t: 1e-3 * (1 + t), steady(50), "the time per call still changed"),
        (
            lambda _: 1e-3,
            Steps([0.01 * i for i in range(3000)], [10 + 0.4 * i for i in range(3000)]),
            "the power still changed",
        ),
    ],
)
def test_what_never_settles_is_flagged_after_ten_times_the_warm_up(
    call_s: Callable[[float], float], power: Steps, found: str
) -> None:
    window, seconds = warmed(call_s, power)

    assert why(window) == [f"{NOT_STEADY}: {found}"]
    assert 10 * SCHEDULE.warmup_s <= seconds < 12 * SCHEDULE.warmup_s


def test_a_device_that_still_grows_warmer_is_not_steady() -> None:
    window, _ = warmed(lambda _: 1e-3, celsius=lambda t: 40 + 5 * t)

    assert why(window) == [f"{NOT_STEADY}: it still grew warmer"]


def test_a_temperature_that_stands_is_steady() -> None:
    window, _ = warmed(lambda _: 1e-3, celsius=lambda _: 71.0)

    assert why(window) == []


def test_noise_alone_does_not_keep_a_side_from_being_steady() -> None:
    source = random.Random(5)
    seconds = [warmed(lambda _: 1e-3 * source.lognormvariate(0, 0.3))[1] for _ in range(50)]

    assert sum(each < 3 * SCHEDULE.warmup_s for each in seconds) >= 45
