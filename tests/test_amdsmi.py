"""AMD GPUs through amdsmi: by PCI id, by the counter where it is sane, and else by the power."""

from random import Random
from typing import Any

import pytest
from emulated_amdsmi import DRIVER_STEP_J, LIBRARY_STEP_UJ, Card, FakeAmdSmi, card
from emulators import VirtualClock, holds, joules, window
from known_power import KnownPower, assert_windows_hold, random_power

from bench.cover import cover
from bench.meter import MeterUnavailable, Status
from bench.meters.amdsmi import AmdsmiMeter
from bench.quantities import Kind
from bench.window import channel_energy

BOARD = "gpu/0000:03:00.0/board"
ENERGY, POWER = "amdsmi_get_energy_count", "amdsmi_get_power_info"
MI210: dict[str, Any] = {
    "name": "AMD Instinct MI210",
    "shows": ("average_socket_power", "socket_power"),
    "limit": 300,
}


def steady(watts: float) -> KnownPower:
    return KnownPower([watts], [1.0])


def opened(*cards: Card) -> tuple[AmdsmiMeter, FakeAmdSmi]:
    library = FakeAmdSmi(cards, VirtualClock(200_000))
    return AmdsmiMeter(library, clock=library.clock), library


def refused(*cards: Card, **errors: int) -> MeterUnavailable:
    library = FakeAmdSmi(cards, VirtualClock(200_000), errors)
    with pytest.raises(MeterUnavailable) as caught:
        AmdsmiMeter(library, clock=library.clock)
    assert library.open == 0
    return caught.value


def left_out(meter: AmdsmiMeter) -> dict[str, tuple[Status, str, str]]:
    return {found.what: (found.status, found.reason, found.fix) for found in meter.unusable}


# What is opened


@pytest.mark.failure_mode(14, "amdsmi")
@pytest.mark.failure_mode(21, "amdsmi")
def test_a_gpu_is_its_pci_id_in_lower_case_whatever_its_index() -> None:
    first, second = card(steady(300), "0000:C1:00.0"), card(steady(90), "0000:0a:00.0")
    meter, _ = opened(first, second)
    turned, _ = opened(second, first)
    ids = [channel.id for channel in meter.channels]
    assert ids == ["gpu/0000:c1:00.0/board", "gpu/0000:0a:00.0/board"]
    assert [channel.id for channel in turned.channels] == ids[::-1]
    assert cover(meter.channels, "cuda:0000:0a:00.0") == ("gpu/0000:0a:00.0/board",)


def test_a_sane_counter_is_a_measured_channel_of_the_board() -> None:
    meter, _ = opened(card(steady(300)))
    (channel,) = meter.channels
    assert (channel.id, channel.domain, channel.boundary) == (BOARD, "gpu", "gpu-board")
    assert (channel.kind, channel.unit, channel.wrap) == (Kind.MEASURED, "J", None)
    assert channel.origin == "amdsmi:0000:03:00.0:energy_count"
    assert channel.resolution == pytest.approx(15.3e-6, rel=1e-6)
    assert (channel.p_max_w, channel.poll_s) == (750 * 1.5, None)
    assert meter.unusable == ()


def test_counts_times_microjoules_are_joules() -> None:
    gpu = card(steady(300))
    meter, _ = opened(gpu)
    gpu.given = {"energy_accumulator": 2_000_000, "counter_resolution": 15.5}
    (reading,) = meter.read()
    assert reading.value == 31.0
    assert reading.t_device is None


def test_the_accumulator_of_older_releases_is_called_power() -> None:
    meter, library = opened(card(steady(300), counts_as="power"))
    energies, t0, t1 = window(meter, library.clock, 10)
    assert joules(energies[BOARD]) == pytest.approx(300 * (t1 - t0), rel=4e-3)


def test_the_interval_holds_the_drivers_step_and_the_librarys() -> None:
    """One says 2^-16 J a count, the other 15.3 µJ: 2.7 in 1,000 apart."""
    for step_j in (DRIVER_STEP_J, LIBRARY_STEP_UJ * 1e-6):
        meter, library = opened(card(steady(300), step_j=step_j))
        energies, t0, t1 = window(meter, library.clock, 100)
        assert holds(energies[BOARD], 300 * (t1 - t0))
        assert "2^-16 J" in meter.channels[0].note


def test_a_step_of_another_size_is_taken_at_its_word() -> None:
    meter, _ = opened(card(steady(300), step_j=1e-3, resolution_uj=1000.0))
    assert meter.channels[0].range == (1.0, 1.0)
    assert meter.channels[0].note == ""


@pytest.mark.parametrize(
    ("limit", "p_max"),
    [(300, 450.0), (560_000_000, 840.0), (0xFFFFFFFF, 1500.0), (0, 1500.0), (250_000, 1500.0)],
)
def test_the_power_of_a_gpu_is_bounded_by_its_limit_in_watts_or_microwatts(
    limit: int, p_max: float
) -> None:
    assert opened(card(steady(200), limit=limit))[0].channels[0].p_max_w == p_max


@pytest.mark.failure_mode(12, "amdsmi")
def test_the_update_interval_is_the_longest_that_was_seen() -> None:
    for hold_s in (0.001, 0.1, 0.45):
        (channel,) = opened(card(steady(300), hold_s=hold_s))[0].channels
        assert hold_s <= channel.update_interval_s <= hold_s + 0.001


def test_a_window_of_known_power_gives_the_true_energy() -> None:
    meter, library = opened(card(steady(300), hold_s=0.01))
    energies, t0, t1 = window(meter, library.clock, 10)
    assert joules(energies[BOARD]) == pytest.approx(300 * (t1 - t0), rel=4e-3)
    assert holds(energies[BOARD], 300 * (t1 - t0))


def test_the_first_die_of_two_says_that_it_contains_both() -> None:
    meter, _ = opened(card(steady(300), name="AMD Instinct MI250X"))
    assert "contain both dies" in meter.channels[0].note


# The power where the counter is not believed


@pytest.mark.failure_mode(17, "amdsmi")
def test_a_gpu_without_counter_is_sampled_by_its_power() -> None:
    gpu = card(steady(94), **MI210, errors={ENERGY: 2})
    meter, _ = opened(gpu)
    (channel,) = meter.channels
    assert (channel.id, channel.kind, channel.unit) == (BOARD, Kind.SAMPLED, "W")
    assert channel.origin == "amdsmi:0000:03:00.0:average_socket_power"
    assert (channel.resolution, channel.p_max_w, channel.averaging_window_s) == (1.0, 450.0, 1.0)
    assert "does not say over which time average_socket_power averages" in channel.note
    assert meter.read()[0].value == 94.0
    status, reason, fix = left_out(meter)["GPU 0 (0000:03:00.0), energy counter"]
    assert status is Status.NOT_SUPPORTED
    assert "AMDSMI_STATUS_NOT_SUPPORTED" in reason
    assert "virtual machines" in fix


@pytest.mark.parametrize(
    ("shows", "key"),
    [
        (("current_socket_power", "socket_power"), "current_socket_power"),
        (("average_socket_power", "socket_power"), "average_socket_power"),
        (("socket_power",), "socket_power"),
        (("current_socket_power", "average_socket_power"), "current_socket_power"),
    ],
)
@pytest.mark.parametrize("missing", [0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF])
def test_the_power_is_in_the_first_field_that_has_a_value(
    shows: tuple[str, ...], key: str, missing: int
) -> None:
    meter, _ = opened(card(steady(200), shows=shows, missing=missing, errors={ENERGY: 2}))
    assert meter.channels[0].origin == f"amdsmi:0000:03:00.0:{key}"
    assert meter.read()[0].value == 200.0


def test_a_field_that_shows_zero_gives_way_to_one_that_shows_power() -> None:
    gpu = card(steady(200), **MI210, errors={ENERGY: 2}, given={"current_socket_power": 0})
    assert opened(gpu)[0].channels[0].origin.endswith(":average_socket_power")


def test_the_interval_of_a_gauge_that_moves_is_probed_and_else_nominal() -> None:
    moving = KnownPower([100.0, 200.0], [0.05, 0.05])
    gpu = card(moving, refresh_s=0.05, phase_s=0.01, errors={ENERGY: 2})
    (probed,) = opened(gpu)[0].channels
    (nominal,) = opened(card(steady(100), errors={ENERGY: 2}))[0].channels
    assert 0.05 <= probed.update_interval_s <= 0.051
    assert probed.poll_s == probed.update_interval_s
    assert (nominal.update_interval_s, nominal.poll_s) == (0.1, 0.1)


def test_a_gauge_is_never_polled_faster_than_every_5_ms() -> None:
    fast = KnownPower([100.0, 200.0], [0.001, 0.001])
    (channel,) = opened(card(fast, errors={ENERGY: 2}))[0].channels
    assert channel.update_interval_s < 0.005
    assert channel.poll_s == 0.005


@pytest.mark.failure_mode(15, "amdsmi")
def test_a_gpu_is_read_by_its_counter_or_by_its_power_and_never_by_both() -> None:
    cards = [card(steady(300)), card(steady(90), "0000:0a:00.0", errors={ENERGY: 2})]
    meter, _ = opened(*cards)
    assert [channel.unit for channel in meter.channels] == ["J", "W"]
    assert cover(meter.channels, "") == (BOARD,), "kinds are never mixed in a sum"


# The truth lies in every interval


@pytest.mark.parametrize("seed", range(40))
def test_the_counter_holds_the_truth_of_any_window(seed: int) -> None:
    random = Random(seed)
    hold_s = random.choice([0.001, 0.001, 0.01, 0.1, 0.3])
    old = random.random() < 0.3
    gpu = Card(
        "0000:03:00.0",
        random_power(random, 750, random.choice([0.0005, 0.02, 0.5])),
        hold_s=hold_s,
        phase_s=random.uniform(0, hold_s),
        step_j=random.choice([DRIVER_STEP_J, LIBRARY_STEP_UJ * 1e-6]),
        start=random.choice([1, 3_000_000_000, 2**40, 2**50]),
        counts_as="power" if old else "energy_accumulator",
    )
    meter, library = opened(gpu)
    assert meter.channels[0].kind is Kind.MEASURED
    shortest = 1.2 * meter.channels[0].update_interval_s
    truth = {BOARD: gpu.power.energy}
    seconds = (shortest, random.choice([2 * shortest, 5.0, 20.0]) + shortest)
    checked = assert_windows_hold(meter, library.clock, truth, random, windows=25, seconds=seconds)
    assert checked == 25


@pytest.mark.parametrize("seed", range(40))
def test_the_sampled_power_holds_the_truth_of_any_window(seed: int) -> None:
    random = Random(1000 + seed)
    refresh_s = random.choice([0.02, 0.05, 0.1])
    shows, averaged_s = random.choice(
        [("current_socket_power", 0.1), ("average_socket_power", 1.0)]
    )
    gpu = Card(
        "0000:03:00.0",
        random_power(random, 700, averaged_s + 4 * refresh_s),
        shows=(shows,),
        refresh_s=refresh_s,
        phase_s=random.uniform(0, refresh_s),
        averaged_s=averaged_s * random.choice([0.0, 0.3, 1.0]),
        rounds=random.random() < 0.5,
        missing=random.choice([0xFFFF, 0xFFFFFFFF]),
        errors={ENERGY: random.choice([2, 40])},
    )
    meter, library = opened(gpu)
    (channel,) = meter.channels
    assert channel.averaging_window_s == averaged_s
    truth = {BOARD: gpu.power.energy}
    seconds = (1.1 * channel.lag_s, 1.1 * channel.lag_s + 4)
    checked = assert_windows_hold(meter, library.clock, truth, random, windows=25, seconds=seconds)
    assert checked == 25


def test_a_gauge_of_known_power_gives_the_true_energy() -> None:
    meter, library = opened(card(steady(94), **MI210, errors={ENERGY: 2}))
    energies, t0, t1 = window(meter, library.clock, 20, every_s=0.1)
    found = energies[BOARD]
    assert found.joules == pytest.approx(94 * (t1 - t0), rel=1e-9)
    assert holds(found, 94 * (t1 - t0))


# While it is open


def test_throttling_is_told_by_gpu_and_by_what_limits_it() -> None:
    hot = {"active_prochot_thrm": True, "active_ppt_pwr": True, "active_hbm_thrm": "N/A"}
    cool = dict.fromkeys(hot, False)
    cards = [
        card(steady(300), violates=hot),
        card(steady(300), "0000:0a:00.0", violates=cool),
    ]
    meter, _ = opened(*cards)
    assert meter.flags() == (f"throttled: {BOARD} (processor hot, power limit)",)


def test_closing_a_meter_twice_ends_the_library_once() -> None:
    meter, library = opened(card(steady(300)))
    assert library.open == 1
    meter.close()
    meter.close()
    assert (library.open, library.calls.count("amdsmi_shut_down")) == (0, 1)
    assert len(meter.channels) == 1
    assert meter.read() == ()


def test_a_library_that_cannot_end_ends_nothing_else() -> None:
    meter, library = opened(card(steady(300)))
    library.errors = {"amdsmi_shut_down": 34}
    meter.close()
    assert meter.read() == ()


def test_readings_of_two_ends_give_what_two_counters_drew() -> None:
    cards = [card(steady(300)), card(steady(100), "0000:0a:00.0")]
    meter, library = opened(*cards)
    before = meter.read()
    library.clock.pass_s(10)
    after = meter.read()
    t0, t1 = before[-1].t1_ns, after[0].t0_ns
    for index, watts in enumerate((300, 100)):
        pair = [before[index], after[index]]
        energy = channel_energy(meter.channels[index], pair, t0, t1)
        assert energy.joules == pytest.approx(watts * 10, rel=4e-3)
