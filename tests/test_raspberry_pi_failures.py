"""The rails of a Raspberry Pi 5: answers that are none, throttling, and programs that hang."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from emulated_raspberry_pi import EmulatedPi, opened, reads, refusal, shim, steady, without
from emulated_raspberry_pi import says as says_
from emulators import VirtualClock, holds

from bench.meter import MeterUnavailable, Status
from bench.meters._pmic import LateError, Ran, answer, run_within
from bench.meters.raspberry_pi import open_meter
from bench.window import channel_energy

LATE = LateError("did not end within 2 s", 0.5)


# Answers


@pytest.mark.failure_mode(17, "raspberry_pi")
@pytest.mark.parametrize(
    ("gone", "status", "said"),
    [
        (("HDMI",), Status.NOT_SUPPORTED, "does not tell the rail HDMI"),
        (("HDMI_V",), Status.ERROR, "does not tell HDMI_V"),
        (("VDD_CORE_A",), Status.ERROR, "does not tell VDD_CORE_A"),
        (("VDD_CORE_A", "HDMI_V"), Status.ERROR, "HDMI_V, VDD_CORE_A"),
    ],
)
def test_a_missing_rail_is_named_and_nothing_is_summed_without_it(
    gone: tuple[str, ...], status: Status, said: str
) -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    pi.edit = without(*gone)
    for reading in meter.read():
        assert (reading.value, reading.status) == (None, Status.ERROR)
        assert gone[0] in reading.reason
        assert "would be too small" in reading.reason
    found = refusal(pi)
    assert found.status is status
    assert said in found.absent.reason
    assert "rpi-eeprom-update" in found.absent.fix


def test_a_rail_that_appears_after_opening_is_no_part_of_the_sum() -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    pi.edit = lambda lines: [*lines, "NEW_A current(30)=1.0A", "NEW_V volt(31)=5.0V"]
    assert {reading.status for reading in meter.read()} == {Status.ERROR}
    assert "a rail more than when it was opened: NEW" in meter.read()[0].reason


def test_a_renamed_rail_is_summed_and_the_fit_for_other_rails_is_not_used() -> None:
    pi = EmulatedPi(steady())
    pi.edit = lambda lines: [line.replace("HDMI", "HDMI_5V") for line in lines]
    meter = opened(pi)
    assert [channel.id for channel in meter.channels] == ["board/dc/pmic"]
    assert meter.unusable[0].what == "board/dc"
    assert "HDMI_5V is new" in meter.unusable[0].reason
    assert meter.read()[0].value == pytest.approx(5.0, abs=0.05)


@pytest.mark.failure_mode(17, "raspberry_pi")
@pytest.mark.parametrize(
    "answered",
    [
        'error=1 error_msg="Command not registered"',
        "  VDD_CORE_V volt(0)=0.85V\n  EXT5V_V volt(1)=5.1V",
    ],
)
def test_an_older_board_has_no_currents_and_is_not_supported(answered: str) -> None:
    found = refusal(EmulatedPi(steady(), fault=lambda _: Ran(0, answered, 0.0)))
    assert found.status is Status.NOT_SUPPORTED
    assert "only the Raspberry Pi 5 measures its rails" in found.absent.fix


FAULTS: list[tuple[Ran | Exception, Status, str]] = [
    (Ran(0, "", 0.0), Status.ERROR, "said nothing"),
    (Ran(0, "garbage\n", 0.0), Status.ERROR, "said 'garbage'"),
    (Ran(0, "VDD_CORE_A current(7)=nanA\n", 0.0), Status.ERROR, "nanA"),
    (Ran(0, "VDD_CORE_A volt(7)=1.0V\n", 0.0), Status.ERROR, "VDD_CORE_A volt(7)=1.0V"),
    (Ran(0, "VDD_CORE_A current(7)=1.0A\n" * 2, 0.0), Status.ERROR, "VDD_CORE_A twice"),
    (Ran(0, "VDD_CORE_A current(7)=1.5", 0.0), Status.ERROR, "current(7)=1.5"),
    (Ran(3, "\N{BELL}x" * 99, 0.0), Status.ERROR, "ended with code 3"),
    (Ran(-9, "", 0.0), Status.ERROR, "ended with code -9"),
    (Ran(1, "VCHI initialization failed\n", 0.0), Status.PERMISSION, "may not use the firmware"),
    (Ran(0, "Can't open device file: /dev/vcio\n", 0.0), Status.PERMISSION, "/dev/vcio"),
    (PermissionError(13, "Permission denied"), Status.PERMISSION, "may not be run"),
    (LATE, Status.TIMEOUT, "did not end within 2 s"),
    (OSError(8, "Exec format error"), Status.ERROR, "Exec format error"),
]


@pytest.mark.failure_mode(2, "raspberry_pi")
@pytest.mark.failure_mode(5, "raspberry_pi")
@pytest.mark.failure_mode(7, "raspberry_pi")
@pytest.mark.failure_mode(22, "raspberry_pi")
@pytest.mark.parametrize(("fault", "status", "said"), FAULTS)
def test_an_answer_that_is_none_has_a_reason_when_opened_and_when_read(
    fault: Ran | Exception, status: Status, said: str
) -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    pi.fault = lambda _: fault
    for reading in meter.read():
        assert (reading.value, reading.status) == (None, status)
        assert said in reading.reason
    found = refusal(pi)
    assert found.status is status
    assert said in found.absent.reason
    pi.fault = lambda _: None
    assert meter.read()[0].status is Status.OK


def test_a_sum_that_is_impossible_is_left_out() -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    for value in ("99.0", "-9.0"):
        pi.edit = lambda lines, value=value: [  # type: ignore[misc]
            f"VDD_CORE_A current(7)={value}A" if "VDD_CORE_A" in line else line for line in lines
        ]
        reading = meter.read()[0]
        assert (reading.value, reading.status) == (None, Status.ERROR)
        assert "0 to 27 W are possible" in reading.reason


def test_empty_lines_and_the_end_of_a_c_string_are_no_garbage() -> None:
    pi = EmulatedPi(steady())
    pi.edit = lambda lines: ["", *lines, "\0"]
    assert opened(pi).read()[0].status is Status.OK


def test_a_small_negative_current_of_a_converter_is_believed() -> None:
    pi = EmulatedPi(steady())
    pi.edit = lambda lines: [
        "HDMI_A current(22)=-0.00006105A" if "HDMI_A" in line else line for line in lines
    ]
    assert opened(pi).read()[0].status is Status.OK


@pytest.mark.failure_mode(1, "raspberry_pi")
def test_a_machine_without_vcgencmd_is_told_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        open_meter({"PATH": str(tmp_path)})
    assert caught.value.status is Status.UNAVAILABLE
    assert caught.value.absent.reason == "there is no vcgencmd here"
    assert "apt install raspi-utils" in caught.value.absent.fix


@pytest.mark.failure_mode(18, "raspberry_pi")
def test_a_program_that_is_gone_after_opening_is_lost() -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    readings = reads(meter, pi, 5)
    pi.fault = lambda _: FileNotFoundError()
    readings += reads(meter, pi, 2)
    energy = channel_energy(meter.channels[0], readings, readings[1].t0_ns, readings[-1].t1_ns)
    assert (energy.status, energy.joules) == (Status.LOST, None)
    assert "there is no vcgencmd here" in energy.reason
    assert "sudo apt install raspi-utils" in energy.reason


@pytest.mark.failure_mode(5, "raspberry_pi")
@pytest.mark.failure_mode(22, "raspberry_pi")
@pytest.mark.parametrize("fault", [Ran(1, "mailbox error", 0.0), LATE])
def test_every_fifth_answer_that_fails_is_left_out_and_the_energy_is_right(
    fault: Ran | Exception,
) -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    pi.fault = lambda number: fault if number % 5 == 0 else None
    readings = reads(meter, pi, 30)
    usable = [reading for reading in readings if reading.value is not None]
    assert len(usable) < 30
    t0, t1 = usable[1].t1_ns, usable[-2].t0_ns
    energy = channel_energy(meter.channels[0], readings, t0, t1)
    assert energy.status is Status.OK
    assert holds(energy, 5.0 * (t1 - t0) / 1e9)


# Throttling


@pytest.mark.failure_mode(25, "raspberry_pi")
@pytest.mark.parametrize(
    ("at_open", "now", "said"),
    [
        (0x0, 0x0, []),
        (0x0, 0x1, ["throttled: under-voltage;"]),
        (0x0, 0x4, ["throttled: the clock is lowered;"]),
        (0x0, 0x8, ["throttled: the soft temperature limit;"]),
        (0x0, 0x2, []),  # a cap on the clock is a setting
        (0x0, 0x10000, ["throttled: under-voltage since the meter was opened;"]),
        (0x0, 0x40000, ["throttled: a lowered clock since"]),
        (0x0, 0x80000, ["throttled: the soft temperature limit since"]),
        (0x50000, 0x50000, []),  # it happened before
        (0x50000, 0xD0000, ["throttled: the soft temperature limit since"]),
        (0x50000, 0x50005, ["throttled: under-voltage;", "throttled: the clock is lowered;"]),
    ],
)
def test_what_slows_the_board_now_or_has_since_it_was_opened_is_flagged(
    at_open: int, now: int, said: list[str]
) -> None:
    pi = EmulatedPi(steady(), bits=at_open)
    meter = opened(pi)
    pi.bits = now
    flags = meter.flags()
    assert len(flags) == len(said)
    assert all(flag.startswith(start) for flag, start in zip(flags, said, strict=True))
    assert all("27 W supply" in flag for flag in flags)


@pytest.mark.failure_mode(25, "raspberry_pi")
@pytest.mark.parametrize("fault", [Ran(0, "throttled=0xzz", 0.0), Ran(1, "", 0.0), LATE])
def test_throttling_that_is_not_known_is_flagged_and_raises_nothing(fault: Ran | Exception) -> None:
    pi = EmulatedPi(steady())
    meter = opened(pi)
    pi.fault = lambda _: fault
    (flag,) = meter.flags()
    assert flag.startswith("whether the board is throttled is not known: ")


def test_firmware_without_throttling_bits_is_used_and_said_to_have_none() -> None:
    pi = EmulatedPi(steady())
    pi.fault = lambda _: (
        Ran(0, "error=2 unknown command", 0.0) if pi.calls[-1] == "get_throttled" else None
    )
    meter = opened(pi)
    assert meter.unusable[0].what == "vcgencmd get_throttled"
    assert len(meter.channels) == 2


# Cost


@pytest.mark.failure_mode(30, "raspberry_pi")
def test_the_cpu_time_of_its_programs_is_counted_those_that_fail_included() -> None:
    pi = EmulatedPi(steady(), cpu_s=0.01)
    meter = opened(pi)
    assert meter.children_cpu_s == pytest.approx(0.01 * len(pi.calls))
    before = meter.children_cpu_s
    meter.read()
    meter.flags()
    assert meter.children_cpu_s - before == pytest.approx(0.02)
    pi.fault = lambda _: LATE
    meter.read()
    assert meter.children_cpu_s - before == pytest.approx(0.52)


# Real programs

LINES = "\n".join(EmulatedPi(steady(), VirtualClock(1, 10**9)).lines())


def state(pid: int) -> str:
    """A process's state, or nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_real_program_is_opened_and_read(tmp_path: Path) -> None:
    script = f"""case $1 in
pmic_read_adc) {says_(LINES)} | sed "s/ HDMI_A .*/ HDMI_A current(22)=0.01$(date +%N)A/" ;;
get_throttled) echo throttled=0x0 ;;
esac"""
    meter = open_meter(shim(tmp_path, script))
    assert [reading.status for reading in meter.read()] == [Status.OK] * 2
    assert meter.read()[0].value == pytest.approx(5.0, abs=0.1)
    assert meter.children_cpu_s > 0  # type: ignore[attr-defined]
    meter.close()


@pytest.mark.failure_mode(22, "raspberry_pi")
@pytest.mark.parametrize("script", ["sleep 600", "sleep 600 & echo $! > child; wait", "exec >&-"])
def test_a_real_program_that_hangs_is_ended_with_its_children(tmp_path: Path, script: str) -> None:
    last = "; exec sleep 600" if script == "exec >&-" else ""
    path = shim(tmp_path / "bin", f"cd {tmp_path}; echo $$ > own; {script}{last}")
    run = run_within(1.0, path)
    with pytest.raises(LateError, match=r"did not end within 1 s"):
        run(("vcgencmd", "pmic_read_adc"))
    pids = [int(file.read_text()) for file in tmp_path.iterdir() if file.is_file()]
    assert pids
    for pid in pids:
        for _ in range(500):  # who ends a child is not who buries it
            if state(pid) in {"", "Z"}:
                break
            time.sleep(0.01)
        assert state(pid) in {"", "Z"}


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        (
            "echo VCHI initialization failed; exit 1",
            Status.PERMISSION,
            "udev/rules.d/99-vcio.rules",
        ),
        ("echo 'permission denied' >&2; exit 255", Status.PERMISSION, 'KERNEL=="vcio"'),
        ("echo boom >&2; exit 3", Status.ERROR, "ended with code 3 and said 'boom'"),
        ("kill -9 $$", Status.ERROR, "ended with code -9"),
        ("printf '\\377\\376'", Status.ERROR, "vcgencmd said"),
        ("yes | head -c 100000", Status.ERROR, "vcgencmd said 'y'"),
    ],
)
@pytest.mark.failure_mode(2, "raspberry_pi")
@pytest.mark.failure_mode(7, "raspberry_pi")
def test_a_real_program_that_fails_is_quoted(
    tmp_path: Path, script: str, status: Status, said: str
) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        open_meter(shim(tmp_path, script))
    assert caught.value.status is status
    assert said in str(caught.value)


def test_a_file_that_is_no_program_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = shim(tmp_path, "")
    (tmp_path / "vcgencmd").write_bytes(b"\x7fELF")
    with pytest.raises(MeterUnavailable, match="did not start") as caught:
        open_meter(path)
    assert caught.value.status is Status.ERROR


def test_a_program_that_lets_a_child_keep_its_output_is_not_waited_for(tmp_path: Path) -> None:
    path = shim(tmp_path, f"{says_('throttled=0x0')}; sleep 600 &")
    with pytest.raises(LateError):
        run_within(0.5, path)(("vcgencmd", "get_throttled"))


@pytest.mark.failure_mode(30, "raspberry_pi")
def test_only_its_own_cpu_time_is_counted_and_not_that_of_what_is_measured(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = shim(tmp_path / "bin", f"read line < {pipe}; {says_('throttled=0x0')}")
    burn = "import time\nwhile time.process_time() < 0.4: pass"

    def measured() -> None:
        subprocess.run([sys.executable, "-I", "-S", "-c", burn], check=True)  # and is waited for
        pipe.write_text("go\n")

    other = threading.Thread(target=measured)
    other.start()
    ran = run_within(60.0, path)(("vcgencmd", "get_throttled"))
    other.join()
    assert ran.text == "throttled=0x0\n"
    assert 0 < ran.cpu_s < 0.3


def test_an_answer_is_found_by_the_path_that_is_given(tmp_path: Path) -> None:
    path = shim(tmp_path, says_("throttled=0x4"))
    assert shutil.which("vcgencmd") is None
    assert answer(run_within(30.0, path), "get_throttled") == "throttled=0x4\n"
