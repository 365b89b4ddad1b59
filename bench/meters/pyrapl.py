"""The RAPL counters once more, through the pyRAPL library: a cross-check of `powercap`.

It is used only when named, for it counts what powercap counts. pyRAPL reads ``/sys`` only, and
only packages and DRAM.
"""

import gc
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable, probe
from bench.meters._cpu import Cpu, this_cpu
from bench.meters._rapl import Scale, describe, probe_s, scale, stands_still
from bench.meters._rapl_counters import name_gaps, nothing_usable
from bench.meters._rapl_zones import Identity, Zone, explain, find_zones, identity, read_number

OPT_IN = True
PRECEDENCE = 70

_DOMAINS = ("package", "dram")  # the order of pyRAPL's flat list: socket by socket


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens pyRAPL's sensor on all sockets.

    Raises:
        MeterUnavailable: pyRAPL is not installed, or cannot open the counters.
    """
    del environment
    try:
        with _quiet():
            import pyRAPL
    except ImportError as error:
        raise MeterUnavailable("pyRAPL is not installed", "pip install pyRAPL") from error
    return PyraplMeter(pyRAPL)


class PyraplMeter:
    """Package and DRAM counters as pyRAPL reads them, proved by watching them move.

    Args:
        library: The module pyRAPL, or what behaves like it.
        root: Where sysfs is, for units and limits, which pyRAPL does not give.
        clock: Monotonic time in ns.
        cpu: The processor; this machine's if None.

    Raises:
        MeterUnavailable: pyRAPL cannot open the counters, or none of them moves.
    """

    name = "pyrapl"

    def __init__(
        self,
        library: ModuleType,
        *,
        root: Path = Path("/sys"),
        clock: Clock = time.monotonic_ns,
        cpu: Cpu | None = None,
    ) -> None:
        self._clock = clock
        self._sensor = _sensor(library)
        self._positions: list[tuple[Channel, int, Scale]] = []
        self._unusable: list[Unusable] = []
        zones: dict[str, tuple[Zone, Identity]] = {}
        for zone in find_zones(root / "class" / "powercap")[0]:
            if what := identity(zone):  # the first is that of the MSR, which pyRAPL reads
                zones.setdefault(what.channel, (zone, what))
        cpu = this_cpu() if cpu is None else cpu
        try:
            for position, value in enumerate(self._sensor.energy()):
                channel = f"cpu/{position // len(_DOMAINS)}/{_DOMAINS[position % len(_DOMAINS)]}"
                if value >= 0 and channel in zones:  # -1 stands for what pyRAPL does not have
                    self._take(position, *zones[channel], cpu)
        except (OSError, ValueError) as error:
            self._unusable.append(Unusable("pyRAPL", *explain(error)))
        if not self._positions:
            self.close()
            nothing = Unusable("pyRAPL", Status.UNAVAILABLE, "it found no package and no DRAM")
            raise nothing_usable(self._unusable or [nothing])
        opened = [channel for channel, _, _ in self._positions]
        self._channels = name_gaps(opened, zones)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The counters that moved when they were watched."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Counters that stand still."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each counter; pyRAPL reads them all at once, or none."""
        t0 = self._clock()
        try:
            values = self._sensor.energy()
        except (OSError, ValueError) as error:
            t1 = self._clock()
            status, reason, fix = explain(error)
            reason = f"pyRAPL: {reason}; {fix}" if fix else f"pyRAPL: {reason}"
            return tuple(
                Reading(channel.id, t0, t1, None, status, reason)
                for channel, _, _ in self._positions
            )
        t1 = self._clock()
        return tuple(
            _reading(channel.id, t0, t1, values[position], number_model)
            for channel, position, number_model in self._positions
        )

    def close(self) -> None:
        """Closes the files, which pyRAPL itself leaves open."""
        self._positions.clear()
        for device in self._sensor._device_api.values():  # noqa: SLF001 - it has no close
            for file in device._sys_files:  # noqa: SLF001
                file.close()

    def _take(self, position: int, zone: Zone, what: Identity, cpu: Cpu) -> None:
        number_model = scale(read_number(zone.path / "max_energy_range_uj"), what.domain)
        longest_s = probe_s(number_model, cpu)
        joules = self._joules(position)
        seen = probe(joules, longest_s=longest_s, clock=self._clock)
        if seen is None:
            self._unusable.append(Unusable(what.channel, *stands_still(joules(), longest_s)))
            return
        channel = describe(zone, what, number_model, seen=seen, origin="pyrapl", cpu=cpu)
        self._positions.append((channel, position, number_model))

    def _joules(self, position: int) -> Callable[[], float]:
        return lambda: float(self._sensor.energy()[position]) / 1e6  # pyRAPL gives µJ


def _reading(channel: str, t0: int, t1: int, microjoules: float, number_model: Scale) -> Reading:
    most_uj = math.inf if number_model.most_uj is None else number_model.most_uj
    if 0 <= microjoules <= most_uj:
        return Reading(channel, t0, t1, microjoules / 1e6)
    reason = f"pyRAPL gave {microjoules:g} µJ, which the counter cannot show"
    if microjoules == -1:
        reason = "pyRAPL gave -1, which stands for no value"
    return Reading(channel, t0, t1, None, Status.ERROR, f"{reason}; see its energy_uj with cat")


def _sensor(library: ModuleType) -> Any:  # noqa: ANN401 - the library has no types
    """Sensor of pyRAPL on all sockets.

    Raises:
        MeterUnavailable: It cannot be made.
    """
    with _quiet():
        try:
            return library.Sensor()
        except (OSError, ValueError) as error:
            status, reason, fix = explain(error)
        except library.PyRAPLException as error:
            status, reason = Status.UNAVAILABLE, f"it found no RAPL zone ({type(error).__name__})"
            fix = "it reads /sys only, and one package per socket; use the meter powercap"
        # Files that a failed sensor opened are closed here, where their warning is held back.
        gc.collect()
    raise MeterUnavailable(f"pyRAPL: {reason}", fix, status)


@contextmanager
def _quiet() -> Iterator[None]:
    """Holds back what pyRAPL warns and logs when it is imported, and removes its log handler."""
    root = logging.getLogger()
    handlers, disabled = root.handlers[:], logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes; files left to the collector
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
