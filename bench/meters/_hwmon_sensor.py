"""An open sensor of the hwmon class, and how it is read."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.meters._hwmon_device import Attribute, PRead, WentBackError, opened
from bench.meters._hwmon_source import SI, Source

_ATTEMPTS = 3  # a voltage that moved is read again so often


class Supply(NamedTuple):
    """What a sensor was found to be fed with.

    Args:
        lowest: Least voltage for which the stated step holds, V.
        highest: Largest voltage for which it holds, V.
        skew: How far two readings of the voltage may be apart, V.
        amps_step: Smallest step of the current, A.
    """

    lowest: float = 0.0
    highest: float = math.inf
    skew: float = math.inf
    amps_step: float = 0.0


class Sensor:
    """An open source.

    Args:
        source: What is opened.
        opener: Opens a path for reading, as `os.open` does.
        pread: Reads from a descriptor at an offset, as `os.pread` does.

    Raises:
        OSError: A file of it cannot be opened.
    """

    def __init__(self, source: Source, opener: Callable[[str, int], int], pread: PRead) -> None:
        self.source, self.channel, self.supply = source, source.channel, Supply()
        self._opener, self._pread, self._count = opener, pread, 0
        units = source.unit.split("·")
        self._files = opened(zip(source.paths, units, strict=True), opener, pread)
        self._alarms = [
            (alarm, what) for path, what in source.alarms for alarm in self.aside(path, "")
        ]

    def close(self) -> None:
        """Closes its files."""
        for attribute in (*self._files, *(alarm for alarm, _ in self._alarms)):
            os.close(attribute.fd)

    def aside(self, path: Path | None, unit: str) -> tuple[Attribute, ...]:
        """A further file of it, open; none where it cannot be opened."""
        try:
            return opened([(path, unit)] if path else [], self._opener, self._pread)
        except OSError:
            return ()

    def alarms(self) -> tuple[str, ...]:
        """What holds the device back now; an alarm that cannot be read is none."""
        found: list[str] = []
        for alarm, what in self._alarms:
            try:
                if alarm.number():
                    found.append(what)
            except (OSError, ValueError):
                continue
        return tuple(found)

    @property
    def is_product(self) -> bool:
        """Whether its power is a voltage times a current, read one after the other."""
        return len(self._files) > 1

    def value(self) -> float:
        """What it shows now, J or W.

        Raises:
            OSError: The driver could not read it.
            ValueError: The text is no number, or no plausible one.
        """
        if self.is_product:
            value = self._volts_times_amps()
        else:
            value = self._shown(self._files[0].number()) * SI[self.source.unit]
            if value == 0 and self.supply.amps_step:
                value = self.supply.lowest * self.supply.amps_step / 2  # see _volts_times_amps
        power = self.channel.unit == "W"
        if value < 0 or (power and value > self.channel.p_max_w):
            most = f"{self.channel.p_max_w:g} W" if power else "more"
            unit = self.channel.unit
            raise ValueError(f"it showed {value:.6g} {unit}, and 0 to {most} is plausible")
        return value

    def _shown(self, count: int) -> int:
        """A count as it is shown: modulo what its driver can tell apart."""
        if self.source.modulus_uj is None or count < 0:
            return count
        before, self._count = self._count, count
        if count < before:
            raise WentBackError(f"the counter went back from {before} to {count} µJ")
        return count % self.source.modulus_uj

    def _volts_times_amps(self) -> float:
        """Power of a rail, W: voltage, current, and the voltage again, which must be the same.

        The driver waits for a conversion at each read, so that they are from three of them.
        """
        volts, amps = self._files
        earlier = before = volts.number()
        for _ in range(_ATTEMPTS):
            milliamperes, after = amps.number(), volts.number()
            if abs(after - before) <= 1e3 * self.supply.skew:
                break
            earlier, before = before, after
        else:
            raise ValueError(
                f"its voltage moved from {earlier} to {after} mV while the current was read;"
                " is the supply strong enough?"
            )
        millivolts = (before + after) / 2
        if not self.supply.lowest <= millivolts / 1e3 <= self.supply.highest:
            raise ValueError(
                f"its voltage is {millivolts:g} mV, and {self.supply.lowest:.3g} to"
                f" {self.supply.highest:.3g} V is near what it was at opening; open it again"
            )
        step_ma = 1e3 * self.supply.amps_step
        if -step_ma <= milliamperes <= 0:
            # Less than a step flows, and half of one is the middle of what that may be. An exact
            # 0 would stand for no value at all, while this rail is only at rest.
            return millivolts * step_ma / 2 * SI["mV·mA"]
        return millivolts * milliamperes * SI["mV·mA"]
