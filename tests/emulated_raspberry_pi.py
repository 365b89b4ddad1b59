"""A Raspberry Pi 5 that is not here: what its ``vcgencmd`` says, driven by a known power.

The lines, their order, their numbers and their steps are those of a published answer of a board;
the shares of the rails in its power are made up. See shared/counters.md §5.
"""

import math
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import MeterUnavailable, Reading
from bench.meters._pmic import Ran
from bench.meters.raspberry_pi import RaspberryPiMeter

VOLT_STEP = 0.0003663


class Rail(NamedTuple):
    """A rail: its numbers in the answer, its voltage, its share of the power, its step in A."""

    name: str
    ampere_number: int
    volt_number: int
    volts: float
    share: float
    step_a: float


RAILS = (
    Rail("3V7_WL_SW", 0, 8, 3.70, 0.04, 0.00097593),
    Rail("3V3_SYS", 1, 9, 3.31, 0.06, 0.00097593),
    Rail("1V8_SYS", 2, 10, 1.81, 0.07, 0.00097593),
    Rail("DDR_VDD2", 3, 11, 1.10, 0.06, 0.00097593),
    Rail("DDR_VDDQ", 4, 12, 0.60, 0.01, 0.00097593),
    Rail("1V1_SYS", 5, 13, 1.10, 0.06, 0.00097593),
    Rail("0V8_SW", 6, 14, 0.80, 0.08, 0.00097593),
    Rail("VDD_CORE", 7, 15, 0.90, 0.60, 0.02679),
    Rail("3V3_DAC", 17, 20, 3.30, 0.002, 0.00006105),
    Rail("3V3_ADC", 18, 21, 3.30, 0.003, 0.00006105),
    Rail("0V8_AON", 16, 19, 0.80, 0.002, 0.00006105),
    Rail("HDMI", 22, 23, 4.92, 0.013, 0.00006105),
)
DROOP = 0.01  # of the core's voltage at full load, as a share
FULL_W = 12.0


@dataclass
class EmulatedPi:
    """One board, whose rails draw *power* together.

    Args:
        power: What the rails draw, W.
        clock: Virtual time.
        hold_s: Time between two conversions of one quantity; each has its own phase.
        takes_s: Time that an answer takes.
        cpu_s: CPU time that an answer takes.
        bits: Answer to ``get_throttled`` at a time.
        edit: Changes the lines of ``pmic_read_adc``.
        fault: What happens instead of an answer, by the number of the call.
    """

    power: KnownPower
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(1_000))
    hold_s: float = 0.047
    phase_s: float = 0.0
    takes_s: float = 0.024
    cpu_s: float = 0.003
    bits: int = 0
    edit: Callable[[list[str]], list[str]] = field(default=lambda lines: lines)
    fault: Callable[[int], Ran | Exception | None] = field(default=lambda _: None)
    calls: list[str] = field(default_factory=list)

    def run(self, command: Sequence[str]) -> Ran:
        """Stands for running a program."""
        program, argument = command
        assert program == "vcgencmd"
        self.calls.append(argument)
        fault = self.fault(len(self.calls))
        self.clock.pass_s(self.takes_s / 2)
        if isinstance(fault, Exception):
            raise fault
        text = f"throttled=0x{self.bits:x}\n"
        if argument == "pmic_read_adc":
            text = "\n".join([*self.edit(self.lines()), ""])
        self.clock.pass_s(self.takes_s / 2)
        return fault or Ran(0, text, self.cpu_s)

    def lines(self) -> list[str]:
        """The answer to ``pmic_read_adc`` now."""
        amperes = [
            _line(f"{rail.name}_A", "current", rail.ampere_number, self._amperes(rail), "A")
            for rail in RAILS
        ]
        volts = [
            _line(f"{rail.name}_V", "volt", rail.volt_number, self._shown_volts(rail), "V")
            for rail in RAILS
        ]
        supplies = [_line("EXT5V_V", "volt", 24, 5.0782, "V"), _line("BATT_V", "volt", 25, 0, "V")]
        return [*amperes, *volts, *supplies]

    def _converted_s(self, number: int) -> float:
        """When the converter last measured the quantity of this number."""
        phase = self.phase_s + self.hold_s * number / 26
        now_s = self.clock.now_ns / 1e9
        return max(0.0, math.floor((now_s - phase) / self.hold_s) * self.hold_s + phase)

    def _volts(self, rail: Rail, t_s: float) -> float:
        droop = DROOP * self.power.at(t_s) / FULL_W if rail.name == "VDD_CORE" else 0.0
        return rail.volts * (1 - droop)

    def _shown_volts(self, rail: Rail) -> float:
        t_s = self._converted_s(rail.volt_number)
        steps = math.floor(self._volts(rail, t_s) / VOLT_STEP)
        if rail.name == "3V3_SYS":  # converters are never at rest
            steps -= round(t_s / self.hold_s) % 2
        return steps * VOLT_STEP

    def _amperes(self, rail: Rail) -> float:
        t_s = self._converted_s(rail.ampere_number)
        amperes = rail.share * self.power.at(t_s) / self._volts(rail, t_s)
        return math.floor(amperes / rail.step_a) * rail.step_a


def _line(name: str, what: str, number: int, value: float, unit: str) -> str:
    return f"{name:>16} {what}({number})={value:.8f}{unit}"


def without(*names: str) -> Callable[[list[str]], list[str]]:
    """Leaves out the lines that begin with one of these."""
    return lambda lines: [line for line in lines if not line.split()[0].startswith(names)]


def shim(folder: Path, script: str) -> dict[str, str]:
    """A real program ``vcgencmd`` that does *script*, and the environment that finds it."""
    folder.mkdir(exist_ok=True)
    program = folder / "vcgencmd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def says(text: str) -> str:
    """A script that says this."""
    return f"printf '%s\\n' {shlex.quote(text)}"


def steady(watts: float = 5.0) -> KnownPower:
    return KnownPower([watts], [1.0])


def opened(pi: EmulatedPi) -> RaspberryPiMeter:
    return RaspberryPiMeter(pi.run, clock=pi.clock)


def reads(meter: RaspberryPiMeter, pi: EmulatedPi, count: int) -> list[Reading]:
    """Readings of the first channel, as often as it asks for."""
    found = [meter.read()[0]]
    for _ in range(count - 1):
        pi.clock.pass_s(0.4)
        found.append(meter.read()[0])
    return found


def refusal(pi: EmulatedPi) -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        opened(pi)
    return caught.value
