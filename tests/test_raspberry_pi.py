"""The rails of a Raspberry Pi 5: their sum, its bound, and what is never summed."""

from random import Random

import pytest
from emulated_raspberry_pi import EmulatedPi, opened, reads, steady
from emulators import holds, window
from known_power import assert_windows_hold, random_power

from bench.cover import cover
from bench.meter import Status
from bench.meters import raspberry_pi
from bench.meters._pmic import rails_w
from bench.meters.raspberry_pi import board_w
from bench.quantities import Kind
from bench.window import channel_energy

# What is shown


def test_the_rails_are_paired_by_name_and_never_by_number() -> None:
    lines = [
        "     VDD_CORE_A current(7)=2.00000000A",
        "   3V3_DAC_A current(17)=0.10000000A",
        "   0V8_AON_A current(16)=0.01000000A",
        "   0V8_AON_V volt(19)=0.80000000V",  # numbers of its neighbours, other way round
        "   3V3_DAC_V volt(20)=3.30000000V",
        "     VDD_CORE_V volt(15)=0.90000000V",
        "     EXT5V_V volt(24)=5.06788000V",
        "     BATT_V volt(25)=0.00000000V",
    ]
    rails = rails_w("\n".join(lines))
    assert rails == pytest.approx({"VDD_CORE": 1.8, "3V3_DAC": 0.33, "0V8_AON": 0.008})


def test_the_supply_is_never_added_to_what_it_feeds() -> None:
    text = "EXT5V_A current(26)=1.0A\nEXT5V_V volt(24)=5.0V\nHDMI_A current(22)=0.1A\n"
    assert rails_w(f"{text}HDMI_V volt(23)=5.0V\n") == {"HDMI": 0.5}


def test_five_watts_of_rails_are_shown_as_five_and_the_board_by_the_fit() -> None:
    pi = EmulatedPi(steady(5.0))
    meter = opened(pi)
    pmic, board = meter.channels
    assert (pmic.id, pmic.kind, pmic.boundary) == ("board/dc/pmic", Kind.SAMPLED, "pmic-outputs")
    assert (board.id, board.kind) == ("board/dc", Kind.ESTIMATED)
    assert "USB, HAT, fan" in pmic.note
    assert "1.1451 · board/dc/pmic + 0.5879 W" in board.note
    assert {channel.unit for channel in meter.channels} == {"W"}
    shown = {reading.channel: reading.value for reading in meter.read()}
    assert shown["board/dc/pmic"] == pytest.approx(5.0, abs=0.05)
    assert shown["board/dc"] == pytest.approx(1.1451 * 5.0 + 0.5879, abs=0.06)
    meter.close()


@pytest.mark.parametrize("watts", [0.5, 2.0, 8.0, 27.0])
def test_the_range_of_the_estimate_holds_both_published_fits(watts: float) -> None:
    low, high = opened(EmulatedPi(steady())).channels[1].range
    other = 1.1327 * watts + 0.6444
    assert low * board_w(watts) < other < high * board_w(watts)
    assert (low, high) == (0.85, 1.2)


def test_polls_are_so_rare_that_five_programs_run_a_second() -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    poll_s = meter.channels[0].poll_s
    assert poll_s is not None
    before = len(pi.calls)
    meter.read()
    meter.flags()
    assert (len(pi.calls) - before) / poll_s <= 5
    assert raspberry_pi.PRECEDENCE == 40


@pytest.mark.failure_mode(15, "raspberry_pi")
@pytest.mark.failure_mode(31, "raspberry_pi")
def test_the_estimate_is_in_no_total_and_is_marked_as_one() -> None:
    meter = opened(EmulatedPi(steady()))
    assert cover(meter.channels, "cpu") == ("board/dc/pmic",)
    assert meter.channels[1].kind is Kind.ESTIMATED


def test_a_rail_of_older_firmware_goes_by_its_newer_name() -> None:
    pi = EmulatedPi(steady())
    pi.edit = lambda lines: [line.replace("0V8_SW", "0V8_SYS") for line in lines]
    meter = opened(pi)
    assert len(meter.channels) == 2
    pi.edit = lambda lines: lines
    assert meter.read()[0].status is Status.OK


# Bounds


@pytest.mark.parametrize("seed", range(50))
def test_the_true_energy_lies_within_the_bound_of_every_window(seed: int) -> None:
    random = Random(seed)
    pi = EmulatedPi(
        random_power(random, 12.0, dwell_s=1.6),
        hold_s=random.choice([0.02, 0.047, 0.1, 0.2]),
        takes_s=random.choice([0.005, 0.024, 0.1]),
    )
    pi.phase_s = random.uniform(0, pi.hold_s)
    meter = opened(pi)

    def board(t0: float, t1: float) -> float:  # by the other published fit
        return 1.1327 * pi.power.energy(t0, t1) + 0.6444 * (t1 - t0)

    truth = {"board/dc/pmic": pi.power.energy, "board/dc": board}
    checked = assert_windows_hold(meter, pi.clock, truth, random, windows=22, seconds=(1.0, 12.0))
    assert checked == 44


@pytest.mark.failure_mode(12, "raspberry_pi")
def test_a_chip_that_refreshes_slowly_is_known_to() -> None:
    assert opened(EmulatedPi(steady(), hold_s=0.2)).channels[0].update_interval_s >= 0.2
    assert opened(EmulatedPi(steady(), hold_s=0.01)).channels[0].update_interval_s >= 0.05


def test_a_sum_at_rest_has_the_nominal_interval() -> None:
    pi = EmulatedPi(steady(), edit=lambda lines: [line for line in lines if "3V3_SYS" not in line])
    fixed = ["3V3_SYS_A current(1)=0.1A", "3V3_SYS_V volt(9)=3.3V"]
    plain = pi.edit
    pi.edit = lambda lines: [*plain(lines), *fixed]
    assert opened(pi).channels[0].update_interval_s == 0.05


@pytest.mark.failure_mode(26, "raspberry_pi")
def test_a_window_shorter_than_the_chip_resolves_has_no_energy() -> None:
    pi = EmulatedPi(steady())
    energies, _, _ = window(opened(pi), pi.clock, 0.02)
    assert {energy.status for energy in energies.values()} == {Status.TOO_SHORT}
    assert {energy.joules for energy in energies.values()} == {None}
    assert all("give it at least" in energy.reason for energy in energies.values())


@pytest.mark.failure_mode(23, "raspberry_pi")
def test_a_time_in_which_nobody_read_is_a_gap_that_widens_the_bound() -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    readings = reads(meter, pi, 4)
    t0 = pi.clock()
    pi.clock.pass_s(5.0)
    readings += reads(meter, pi, 4)
    t1 = readings[-2].t0_ns
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    assert energy.status is Status.GAP
    assert holds(energy, 5.0 * (t1 - t0) / 1e9)


@pytest.mark.failure_mode(16, "raspberry_pi")
def test_rails_that_all_show_zero_give_no_energy() -> None:
    pi = EmulatedPi(steady(0.0))
    energies, _, _ = window(opened(pi), pi.clock, 4.0, every_s=0.4)
    assert energies["board/dc/pmic"].status is Status.NOT_SUPPORTED
    assert energies["board/dc/pmic"].joules is None
    assert "exactly 0 W" in energies["board/dc/pmic"].reason
