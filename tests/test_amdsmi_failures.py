"""What becomes of AMD GPUs in each of the ways in which they fail: shared/counters.md §8."""

import sys
import threading
from pathlib import Path

import pytest
from emulated_amdsmi import AmdSmiParameterException, Card, FakeAmdSmi, card
from emulators import VirtualClock, holds, window
from known_power import KnownPower
from test_amdsmi import BOARD, ENERGY, MI210, POWER, left_out, opened, refused, steady

from bench.meter import MeterUnavailable, Reading, Status
from bench.meters import amdsmi
from bench.meters.amdsmi import AmdsmiMeter
from bench.source import Source
from bench.window import ChannelEnergy, channel_energy

PRINTS_AND_RAISES = """
print("libamd_smi.so: cannot open shared object file")
print("Unable to find libamd_smi.so library")
raise KeyError("libamd_smi.so")
"""
COUNTER = "GPU 0 (0000:03:00.0), energy counter"


def around(meter: AmdsmiMeter, library: FakeAmdSmi, gpu: Card, fault: object) -> ChannelEnergy:
    """A window of 10 s in which the third of five readings of its GPU meets *fault*."""
    readings: list[Reading] = []
    function = ENERGY if meter.channels[0].unit == "J" else POWER
    for index in range(5):
        gpu.errors = {function: fault} if index == 2 and isinstance(fault, int) else {}
        gpu.given = fault if index == 2 and isinstance(fault, dict) else {}
        readings += [reading for reading in meter.read() if reading.channel == BOARD]
        library.clock.pass_s(2.5)
    return channel_energy(meter.channels[0], readings, readings[0].t1_ns, readings[-1].t0_ns)


# Nothing to open


@pytest.mark.failure_mode(1, "amdsmi")
def test_a_package_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    with pytest.raises(MeterUnavailable) as caught:
        amdsmi.open_meter({})
    assert caught.value.status is Status.UNAVAILABLE
    assert caught.value.absent.reason == "amdsmi is not installed"
    assert "pip install amdsmi in the release of your ROCm" in caught.value.absent.fix


@pytest.mark.failure_mode(1, "amdsmi")
def test_a_driver_that_lists_no_gpu_is_unavailable() -> None:
    error = refused()
    assert error.status is Status.UNAVAILABLE
    assert str(error) == "amdsmi starts, and lists no GPU; amd-smi list must show it"


@pytest.mark.failure_mode(19, "amdsmi")
@pytest.mark.parametrize(
    ("source", "reason", "fix"),
    [
        (
            PRINTS_AND_RAISES,
            "does not load: libamd_smi.so: cannot open shared object file",
            "ROCM_PATH",
        ),
        ("raise KeyError('libamd_smi.so')\n", "KeyError: 'libamd_smi.so'", "apt install"),
        (
            "raise AttributeError('undefined symbol: amdsmi_get_violation_status')\n",
            "of another release than the package amdsmi (undefined symbol",
            "in the release of your ROCm",
        ),
        ("raise OSError('wrong ELF class')\n", "OSError: wrong ELF class", "apt install"),
    ],
)
def test_a_package_that_does_not_load_is_unavailable_and_prints_nothing(  # noqa: PLR0917 - a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    reason: str,
    fix: str,
) -> None:
    (tmp_path / "amdsmi").mkdir()
    (tmp_path / "amdsmi" / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    with pytest.raises(MeterUnavailable) as caught:
        amdsmi.open_meter({})
    assert caught.value.status is Status.UNAVAILABLE
    assert reason in caught.value.absent.reason
    assert fix in caught.value.absent.fix
    assert capsys.readouterr().out == ""


@pytest.mark.failure_mode(19, "amdsmi")
@pytest.mark.parametrize(
    ("code", "status", "fix"),
    [
        (34, Status.UNAVAILABLE, "sudo modprobe amdgpu"),
        (32, Status.UNAVAILABLE, "dmesg"),
        (18, Status.UNAVAILABLE, "amd-smi metric must work first"),
        (0xFFFFFFFF, Status.UNAVAILABLE, "amd-smi metric must work first"),
        (8, Status.TIMEOUT, "reset"),
    ],
)
def test_a_library_that_does_not_start_names_its_cause_and_fix(
    code: int, status: Status, fix: str
) -> None:
    error = refused(amdsmi_init=code)
    assert error.status is status
    assert error.absent.reason.startswith("amdsmi does not start: amdsmi says AMDSMI_STATUS_")
    assert f"(code {code})" in error.absent.reason
    assert fix in error.absent.fix


@pytest.mark.failure_mode(2, "amdsmi")
@pytest.mark.parametrize("function", ["amdsmi_init", "amdsmi_get_processor_handles"])
def test_a_user_without_rights_is_told_the_groups(function: str) -> None:
    error = refused(card(steady(300)), **{function: 10})
    assert error.status is Status.PERMISSION
    assert "usermod -aG video,render" in error.absent.fix


def test_the_plug_in_opens_whatever_library_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeAmdSmi([], VirtualClock(), {"amdsmi_init": 34})
    monkeypatch.setitem(sys.modules, "amdsmi", library)
    with pytest.raises(MeterUnavailable, match="modprobe amdgpu"):
        amdsmi.open_meter({})


# A GPU that is left out


@pytest.mark.failure_mode(20, "amdsmi")
@pytest.mark.parametrize("function", ["amdsmi_get_gpu_device_bdf", POWER])
def test_a_gpu_that_this_user_may_not_read_is_left_out_and_others_go_on(function: str) -> None:
    hidden = card(steady(300), errors={function: 10})
    meter, _ = opened(hidden, card(steady(300), "0000:0a:00.0"))
    assert [channel.id for channel in meter.channels] == ["gpu/0000:0a:00.0/board"]
    ((status, reason, fix),) = left_out(meter).values()
    assert status is Status.PERMISSION
    assert "AMDSMI_STATUS_NO_PERM - Permission Denied (code 10)" in reason
    assert "video,render" in fix


@pytest.mark.failure_mode(20, "amdsmi")
def test_of_several_reasons_the_missing_right_is_told_first() -> None:
    dead = card(steady(300), "0000:0a:00.0", errors={ENERGY: 2}, shows=())
    assert refused(card(steady(300), errors={POWER: 10}), dead).status is Status.PERMISSION


@pytest.mark.failure_mode(11, "amdsmi")
def test_a_counter_that_stands_still_while_power_is_drawn_is_stale() -> None:
    meter, library = opened(card(steady(94), **MI210, stuck_at=65_628))
    status, reason, fix = left_out(meter)[COUNTER]
    assert status is Status.STALE
    assert reason == "its energy counter stood still for 1.5 s while it drew 94 W"
    assert "its power is sampled instead" in fix
    energies, t0, t1 = window(meter, library.clock, 20, every_s=0.1)
    assert holds(energies[BOARD], 94 * (t1 - t0))


@pytest.mark.parametrize("insane", [0.01, 0.09, 10.5, 1000.0])
def test_a_counter_that_does_not_fit_the_power_is_not_believed(insane: float) -> None:
    meter, _ = opened(card(steady(94), **MI210, insane=insane))
    status, reason, _ = left_out(meter)[COUNTER]
    assert status is Status.INVALID
    assert "while it drew 94 W: it is wrong on some boards (ROCm/amdsmi#38)" in reason
    assert meter.channels[0].unit == "W"


@pytest.mark.parametrize("insane", [0.12, 1.0, 9.0])
def test_a_counter_that_fits_the_power_roughly_is_believed(insane: float) -> None:
    meter, _ = opened(card(steady(94), **MI210, insane=insane))
    assert meter.channels[0].unit == "J"


def test_a_counter_without_any_power_beside_it_is_not_believed() -> None:
    error = refused(card(steady(300), shows=()))
    assert error.status is Status.NOT_SUPPORTED
    assert error.absent.reason == "GPU 0 (0000:03:00.0): it shows no power"


def test_a_counter_that_moves_too_rarely_to_know_how_often_is_not_used() -> None:
    meter, _ = opened(card(steady(94), **MI210, hold_s=1.2))
    status, reason, _ = left_out(meter)[COUNTER]
    assert status is Status.STALE
    assert reason == "its energy counter moved once in 1.5 s"


@pytest.mark.failure_mode(16, "amdsmi")
def test_zero_on_the_second_die_of_a_pair_is_no_power_and_no_energy() -> None:
    both: dict[str, object] = {"name": "AMD Instinct MI250X", "shows": ("average_socket_power",)}
    first, second = card(steady(380), **both), card(steady(0), "0000:0a:00.0", **both)
    meter, _ = opened(first, second)
    assert [channel.id for channel in meter.channels] == [BOARD]
    status, reason, fix = left_out(meter)["GPU 1 (0000:0a:00.0)"]
    assert status is Status.NOT_SUPPORTED
    assert reason == "it shows exactly 0 W: the second die of an MI250, whose first reports both"
    assert "contain those of this one" in fix


@pytest.mark.failure_mode(16, "amdsmi")
def test_exactly_zero_watts_on_any_gpu_are_no_value() -> None:
    error = refused(card(steady(0)))
    assert error.status is Status.NOT_SUPPORTED
    assert "it shows exactly 0 W, which stands for no value" in error.absent.reason


def test_a_gpu_that_wakes_when_it_is_looked_at_is_read() -> None:
    meter, _ = opened(card(KnownPower([0.0, 90.0], [0.2, 1e6])))
    assert meter.channels[0].kind == "measured"


@pytest.mark.failure_mode(13, "amdsmi")
def test_partitions_of_a_gpu_are_not_summed_on_top_of_it() -> None:
    parts = [card(steady(300), f"0000:03:00.{n}") for n in range(4)]
    meter, _ = opened(*parts, card(steady(300), "0000:13:00.0"))
    assert [channel.id for channel in meter.channels] == [BOARD, "gpu/0000:13:00.0/board"]
    status, reason, _ = left_out(meter)["GPU 1 (0000:03:00.1)"]
    assert status is Status.NOT_SUPPORTED
    assert reason == f"it is a partition of the GPU that {BOARD} reads as a whole"


@pytest.mark.failure_mode(17, "amdsmi")
@pytest.mark.failure_mode(31, "amdsmi")
def test_a_gpu_of_a_virtual_machine_is_refused_for_it_has_neither() -> None:
    error = refused(card(steady(300), errors={ENERGY: 2, POWER: 2}))
    assert error.status is Status.NOT_SUPPORTED
    assert "measure on bare metal" in error.absent.fix


@pytest.mark.parametrize(
    "fault",
    [{"counter_resolution": 0.0}, {"counter_resolution": "N/A"}, {"energy_accumulator": -1}],
)
def test_a_counter_that_gives_no_number_is_left_out(fault: dict[str, object]) -> None:
    meter, _ = opened(card(steady(94), **MI210, given=fault))
    assert left_out(meter)[COUNTER][0] is Status.ERROR
    assert meter.channels[0].unit == "W"


def test_a_power_that_a_gpu_cannot_draw_is_not_sampled() -> None:
    error = refused(card(steady(94), errors={ENERGY: 2}, given={"current_socket_power": 60_000}))
    assert "power: amdsmi gave no value (current_socket_power shows 60000 W" in error.absent.reason


# A reading that fails


@pytest.mark.failure_mode(5, "amdsmi")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        (12, Status.ERROR),
        (30, Status.ERROR),
        (9, Status.ERROR),
        (40, Status.ERROR),
        (8, Status.TIMEOUT),
        (0xFFFFFFFF, Status.ERROR),
    ],
)
def test_a_reading_that_fails_is_dropped_and_the_window_stays_right(
    code: int, status: Status
) -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu, card(steady(300), "0000:0a:00.0"))
    gpu.errors = {ENERGY: code}
    failed, alive = meter.read()
    assert (failed.value, failed.status) == (None, status)
    assert f"(code {code}); see dmesg for amdgpu messages" in failed.reason
    assert alive.value is not None
    energy = around(meter, library, gpu, code)
    assert holds(energy, 300 * 10)
    assert energy.joules == pytest.approx(3000, rel=4e-3)


@pytest.mark.failure_mode(7, "amdsmi")
@pytest.mark.parametrize("garbage", [0xFFFFFFFF, "N/A", -1, None, "94 W", 0xFFFFFFFFFFFFFFFF])
def test_an_accumulator_without_value_is_dropped(garbage: object) -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu)
    gpu.given = {"energy_accumulator": garbage}
    (reading,) = meter.read()
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "which stands for no value" in reading.reason
    assert holds(around(meter, library, gpu, dict(gpu.given)), 300 * 10)


@pytest.mark.failure_mode(7, "amdsmi")
@pytest.mark.parametrize("garbage", [0xFFFF, 0xFFFFFFFF, "N/A", -5, 451, float("nan"), None, True])
def test_a_power_that_is_none_or_implausible_is_dropped(garbage: object) -> None:
    gpu = card(steady(94), **MI210, errors={ENERGY: 2})
    meter, _ = opened(gpu)
    gpu.given = {"average_socket_power": garbage}
    (reading,) = meter.read()
    assert (reading.value, reading.status) == (None, Status.ERROR)
    assert "average_socket_power shows" in reading.reason


def test_an_answer_without_its_field_is_dropped() -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu)
    gpu.counts_as = "joules"
    (reading,) = meter.read()
    assert (reading.value, reading.status) == (None, Status.ERROR)
    library.cards[0].errors = {ENERGY: AmdSmiParameterException(gpu, "handle")}
    assert "Invalid parameter: Actual type" in meter.read()[0].reason


@pytest.mark.failure_mode(10, "amdsmi")
def test_a_counter_that_falls_is_a_reset_and_no_wrap() -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu)
    (before,) = meter.read()
    gpu.start = -gpu.counts(library.clock.now_ns / 1e9) + gpu.start  # the GPU was reset
    library.clock.pass_s(1)
    (after,) = meter.read()
    energy = channel_energy(meter.channels[0], [before, after], before.t1_ns, after.t0_ns)
    assert (energy.joules, energy.status) == (None, Status.RESET)
    assert "was the driver reloaded" in energy.reason


@pytest.mark.failure_mode(11, "amdsmi")
def test_a_counter_that_stops_after_it_was_opened_ends_its_window() -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu)
    gpu.stuck_at = 5_000_000_000
    energies, _, _ = window(meter, library.clock, 10)
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.STALE)
    assert "the counter stood still for" in energies[BOARD].reason
    assert "is the driver alive?" in energies[BOARD].reason


@pytest.mark.failure_mode(12, "amdsmi")
def test_a_counter_that_holds_longer_than_when_probed_has_a_wider_interval() -> None:
    gpu = card(steady(300), hold_s=0.01)
    meter, library = opened(gpu)
    gpu.hold_s = 0.1
    energies, t0, t1 = window(meter, library.clock, 10, every_s=0.03)
    assert energies[BOARD].status is Status.HELD
    assert holds(energies[BOARD], 300 * (t1 - t0))


@pytest.mark.failure_mode(18, "amdsmi")
@pytest.mark.failure_mode(29, "amdsmi")
@pytest.mark.parametrize(
    ("code", "status"),
    [(31, Status.LOST), (32, Status.LOST), (34, Status.UNAVAILABLE), (10, Status.PERMISSION)],
)
def test_a_gpu_that_is_lost_ends_its_window_and_the_others_go_on(code: int, status: Status) -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu, card(steady(300), "0000:0a:00.0"))
    gpu.errors = {ENERGY: code}
    lost, alive = meter.read()
    assert (lost.value, lost.status) == (None, status)
    assert alive.value is not None
    energy = around(meter, library, gpu, code)
    assert (energy.joules, energy.status) == (None, status)
    assert energy.reason.startswith("amdsmi says AMDSMI_STATUS_")
    assert "; " in energy.reason


@pytest.mark.failure_mode(22, "amdsmi")
def test_a_library_that_hangs_is_given_up_on() -> None:
    gpu = card(steady(300))
    meter, library = opened(gpu)
    stuck, released = threading.Event(), threading.Event()

    def hang(handle: Card) -> dict[str, object]:
        stuck.set()
        released.wait()
        return {}

    library.amdsmi_get_energy_count = hang  # type: ignore[method-assign]
    source = Source(meter, {BOARD: BOARD}, library.clock, deadline_s=0.05)
    (reading,) = source.read()
    assert stuck.is_set()
    assert (reading.value, reading.status) == (None, Status.TIMEOUT)
    assert "did not answer within 0.05 s" in reading.reason
    released.set()


@pytest.mark.failure_mode(23, "amdsmi")
def test_a_gauge_that_was_not_read_for_long_says_so_and_spans_what_it_may_have_drawn() -> None:
    power = KnownPower([94.0, 250.0], [3.0, 3.0])
    meter, library = opened(card(power, **MI210, errors={ENERGY: 2}))
    energies, t0, t1 = window(meter, library.clock, 12, every_s=2.9)
    assert energies[BOARD].status is Status.GAP
    assert holds(energies[BOARD], power.energy(t0, t1))


@pytest.mark.failure_mode(25, "amdsmi")
def test_an_older_gpu_says_that_its_driver_throttles_it() -> None:
    gpu = card(steady(94), **MI210)
    meter, library = opened(gpu)
    assert meter.flags() == ()
    gpu.given = {"throttle_status": True}
    assert meter.flags() == (f"throttled: {BOARD} (its driver says so)",)
    library.errors = {"amdsmi_get_gpu_metrics_info": 2}
    assert meter.flags() == ()


@pytest.mark.failure_mode(25, "amdsmi")
def test_a_slow_question_about_throttling_never_starves_a_gauge() -> None:
    hot = {"active_socket_thrm": True}
    meter, library = opened(card(steady(300), errors={ENERGY: 2}, violates=hot))
    library.calls.clear()
    meter.flags()
    assert "amdsmi_get_violation_status" not in library.calls


@pytest.mark.failure_mode(26, "amdsmi")
@pytest.mark.parametrize("route", ["counter", "power"])
def test_a_window_shorter_than_the_device_resolves_is_refused(route: str) -> None:
    errors = {ENERGY: 2} if route == "power" else {}
    meter, library = opened(card(steady(300), hold_s=0.1, errors=errors))
    energies, _, _ = window(meter, library.clock, 0.05)
    assert (energies[BOARD].joules, energies[BOARD].status) == (None, Status.TOO_SHORT)
    assert "give it at least 5" in energies[BOARD].reason
