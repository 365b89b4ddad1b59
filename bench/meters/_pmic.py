"""What ``vcgencmd`` says of a Raspberry Pi 5, and how it is run. Source: shared/counters.md §5."""

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.meter import Status

PAIRS = frozenset(
    {
        *("3V7_WL_SW", "3V3_SYS", "1V8_SYS", "DDR_VDD2", "DDR_VDDQ", "1V1_SYS", "0V8_SW"),
        *("VDD_CORE", "3V3_DAC", "3V3_ADC", "0V8_AON", "HDMI"),
    }
)
"""The rails of which the power chip tells voltage and current."""

_OLD_NAMES = {"0V8_SYS": "0V8_SW"}  # before 2024, firmware called it so
_WITHOUT_CURRENT = {"EXT5V", "BATT"}  # the supplies: what the rails are fed from
_LINE = re.compile(r"\s*(\S+)_([AV])\s+(current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)([AV])\s*")
_UNITS = {"A": ("current", "A"), "V": ("volt", "V")}
_MOST_BYTES = 65536
_SHOWN = 60  # characters of somebody else's text in a message of ours
_PATIENCE_S = 1.0  # for a killed program to go away
_NOT_ALLOWED = re.compile(r"VCHI initiali[sz]ation failed|/dev/vc|permission denied", re.IGNORECASE)
_UNKNOWN = re.compile(r"error=\d|not registered|unknown command", re.IGNORECASE)

PERMISSION_FIX = (
    'let the group video use the firmware\'s mailbox: sudo usermod -aG video "$USER" &&'
    ' echo \'KERNEL=="vcio", GROUP="video", MODE="0660"\''
    " | sudo tee /etc/udev/rules.d/99-vcio.rules && sudo udevadm control --reload &&"
    " sudo udevadm trigger; then log in again"
)
INSTALL_FIX = (
    "on a Raspberry Pi 5: sudo apt install raspi-utils (older systems: libraspberrypi-bin);"
    " other machines have none"
)
OLDER_FIX = (
    "only the Raspberry Pi 5 measures its rails: hang this one on a plug, --meters plug:http://…"
)


class Ran(NamedTuple):
    """A program that has ended: its exit code, what it wrote, the CPU time that it took, s."""

    code: int
    text: str
    cpu_s: float


class LateError(TimeoutError):
    """A program that did not end in time, and the CPU time that it took all the same, s."""

    def __init__(self, message: str, cpu_s: float = 0.0) -> None:
        super().__init__(message)
        self.cpu_s = cpu_s


Run = Callable[[Sequence[str]], Ran]
"""Runs a program to its end. `LateError`: it took too long; `OSError`: it did not start."""


class PmicError(Exception):
    """An answer without a number, with status, reason and fix."""

    def __init__(self, status: Status, reason: str, fix: str = "") -> None:
        super().__init__(f"{reason}; {fix}" if fix else reason)
        self.status, self.reason, self.fix = status, reason, fix


def rails_w(text: str) -> dict[str, float]:
    r"""The power of each rail in an answer to ``pmic_read_adc``, W: voltage × current.

    A voltage and a current belong together by their name; their numbers differ between rails.

    >>> rails_w("  1V8_SYS_A current(2)=0.5A\n  1V8_SYS_V volt(10)=1.8V\n")
    {'1V8_SYS': 0.9}

    Raises:
        PmicError: It is no such answer, or one of a pair is missing.
    """
    found: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for line in text.replace("\0", "\n").splitlines():
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None or match.group(3, 5) != _UNITS[match[2]]:
            raise _garbage(line)
        rail = _OLD_NAMES.get(match[1], match[1])
        if rail in found[match[2]]:
            raise PmicError(Status.ERROR, f"vcgencmd tells {match[1]}_{match[2]} twice")
        found[match[2]][rail] = float(match[4])
    amperes, volts = found["A"], found["V"]
    if volts and not amperes:
        reason = "this board's power chip tells voltages and no currents"
        raise PmicError(Status.NOT_SUPPORTED, reason, OLDER_FIX)
    alone = sorted((volts.keys() ^ amperes.keys()) - _WITHOUT_CURRENT)
    if alone:
        missing = [f"{rail}_{'A' if rail in volts else 'V'}" for rail in alone]
        raise _missing(missing)
    inside = (volts.keys() & amperes.keys()) - _WITHOUT_CURRENT
    return {rail: volts[rail] * amperes[rail] for rail in sorted(inside)}


def sum_w(rails: Mapping[str, float], wanted: frozenset[str]) -> float:
    """The power of all *wanted* rails, W: never of some of them.

    Raises:
        PmicError: The rails are not those.
    """
    if gone := sorted(wanted - rails.keys()):
        raise _missing(gone)
    if new := sorted(rails.keys() - wanted):
        reason = f"vcgencmd tells a rail more than when it was opened: {', '.join(new)}"
        raise PmicError(Status.ERROR, reason, "open the meter again")
    return sum(rails.values())


def _missing(rails: Sequence[str]) -> PmicError:
    reason = f"vcgencmd does not tell {', '.join(rails)}: a sum without it would be too small"
    return PmicError(Status.ERROR, reason, "update the firmware: sudo rpi-eeprom-update -a")


def _garbage(line: str) -> PmicError:
    found = ascii(line.strip()[:_SHOWN])
    reason = f"vcgencmd said {found}, and a rail's voltage or current was wanted"
    return PmicError(Status.ERROR, reason, "see what vcgencmd pmic_read_adc says")


def answer(run: Run, command: str) -> str:
    """What ``vcgencmd`` answers to a command.

    It may fail with exit code 0: what it says counts.

    Raises:
        PmicError: It could not be run, or says that it could not do it.
    """
    what = f"vcgencmd {command}"
    try:
        ran = run(("vcgencmd", command))
    except FileNotFoundError as error:
        raise PmicError(Status.UNAVAILABLE, "there is no vcgencmd here", INSTALL_FIX) from error
    except PermissionError as error:
        reason = "vcgencmd may not be run by this user"
        raise PmicError(Status.PERMISSION, reason, "see ls -l $(which vcgencmd)") from error
    except TimeoutError as error:
        fix = "the firmware may hang: reboot if this goes on"
        raise PmicError(Status.TIMEOUT, f"{what} {error}", fix) from error
    except OSError as error:
        raise PmicError(Status.ERROR, f"{what} did not start ({error})", "see dmesg") from error
    said = ascii(ran.text.strip()[:_SHOWN])
    if _NOT_ALLOWED.search(ran.text):
        reason = f"{what} may not use the firmware: it said {said}"
        raise PmicError(Status.PERMISSION, reason, PERMISSION_FIX)
    if _UNKNOWN.search(ran.text):
        reason = f"this board's firmware does not know {command}: it said {said}"
        raise PmicError(Status.NOT_SUPPORTED, reason, OLDER_FIX)
    if ran.code != 0:
        reason = f"{what} ended with code {ran.code} and said {said}"
        raise PmicError(Status.ERROR, reason, "run it by hand to see more")
    if not ran.text.strip():
        raise PmicError(Status.ERROR, f"{what} said nothing", "run it by hand to see more")
    return ran.text


def throttled_bits(text: str) -> int:
    """The bits of an answer to ``get_throttled``.

    >>> throttled_bits("throttled=0x50005") == 1 << 18 | 1 << 16 | 1 << 2 | 1
    True

    Raises:
        PmicError: It is no such answer.
    """
    match = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", text.strip("\0 \n"))
    if match is None:
        raise _garbage(text)
    return int(match[1], 16)


def run_within(seconds: float, environment: Mapping[str, str]) -> Run:
    """What runs a program for at most *seconds*, and ends it and its children if it takes longer.

    Args:
        seconds: Longest time, s.
        environment: Its environment variables; its ``PATH`` says where programs are found.
    """

    def run(command: Sequence[str]) -> Ran:
        end_s = time.monotonic() + seconds
        process = subprocess.Popen(  # noqa: S603 - a fixed program that the user's PATH decides
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,  # so that its children can be ended with it
        )
        try:
            text = _read_all(process, end_s)
            code, cpu_s = _ended(process, end_s)
        except TimeoutError:
            raise LateError(f"did not end within {seconds:g} s", _end(process)) from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
        return Ran(code, text, cpu_s)

    return run


def _end(process: "subprocess.Popen[bytes]") -> float:
    """Ends a program and its children; gives the CPU time that it took, s."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return _ended(process, time.monotonic() + _PATIENCE_S)[1]
    except TimeoutError:  # stuck in the kernel: no signal ends it
        process.returncode = -signal.SIGKILL
        return 0.0


def _read_all(process: "subprocess.Popen[bytes]", end_s: float) -> str:
    """What a program writes until it closes its output; a `TimeoutError` if it is late."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    fd, read, poller = process.stdout.fileno(), b"", select.poll()
    poller.register(fd, select.POLLIN)
    while len(read) < _MOST_BYTES:
        left_ms = max(0.0, end_s - time.monotonic()) * 1e3
        if not poller.poll(left_ms):
            raise TimeoutError
        piece = os.read(fd, _MOST_BYTES)
        if not piece:
            break
        read += piece
    return read.decode(errors="replace")


def _ended(process: "subprocess.Popen[bytes]", end_s: float) -> tuple[int, float]:
    """Exit code and CPU time of a program; a `TimeoutError` if it does not end in time.

    The CPU time is its own. A difference of ``RUSAGE_CHILDREN`` would take in whatever other
    child of ours was waited for meanwhile, such as the command that is measured.
    """
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_utime + usage.ru_stime
        if time.monotonic() >= end_s:
            raise TimeoutError
        time.sleep(0.0005)
