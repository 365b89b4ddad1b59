"""AMD GPUs through the Python package amdsmi: the energy counter where it is sane, else the power.

A GPU is known by its PCI id. Its counter is believed only if, while it was watched, it rose by
about as much as the power beside it says; otherwise the power is sampled, and the counter is
listed with the reason. Source: shared/counters.md §3.1, and the package's own source.
"""

import io
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from types import ModuleType

from bench.meter import (
    Channel,
    Clock,
    Meter,
    MeterUnavailable,
    Probe,
    Reading,
    Status,
    Unusable,
    probe,
)
from bench.meters._amdsmi_gpu import Gpu, describe, load
from bench.meters._amdsmi_values import distrust, explain

PRECEDENCE = 10

_WATCH_S = (0.5, 1.0)  # as long as zeus does; again, and longer, if it hardly moved
_ALL_CHANGES = sys.maxsize  # to the end of the watch: the rise is held against power × time
_GAUGE_PROBE_S, _GAUGE_CHANGES = 1.0, 6
_STARTING = {Status.PERMISSION, Status.TIMEOUT}


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the AMD GPUs of this machine.

    Raises:
        MeterUnavailable: There is no package, no library, no driver, or no GPU that is read.
    """
    del environment
    return AmdsmiMeter(load())


@dataclass(frozen=True, slots=True)
class _Open:
    channel: Channel
    gpu: Gpu
    value: Callable[[], float]


class AmdsmiMeter:
    """One channel for each AMD GPU: its energy counter, or its power where that is not sane.

    Args:
        library: The module amdsmi, or what behaves like it.
        clock: Monotonic time in ns.

    Raises:
        MeterUnavailable: The library does not start, or no GPU can be read.
    """

    name = "amdsmi"

    def __init__(self, library: ModuleType, *, clock: Clock = time.monotonic_ns) -> None:
        self._smi, self._clock = library, clock
        self._open: list[_Open] = []
        self._unusable: list[Unusable] = []
        try:
            with redirect_stdout(io.StringIO()):
                library.amdsmi_init()
        except Exception as error:
            status, reason, fix = explain(error)
            status = status if status in _STARTING else Status.UNAVAILABLE
            raise MeterUnavailable(f"amdsmi does not start: {reason}", fix, status) from error
        self._started = True
        try:
            self._find()
        except BaseException:
            self.close()
            raise
        self._channels = tuple(found.channel for found in self._open)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The GPUs whose energy or power was read."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Counters that are not believed, and GPUs that are not read."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each GPU; one that fails has a reason, and the others go on."""
        return tuple(self._reading(found) for found in self._open)

    def flags(self) -> tuple[str, ...]:
        """The GPUs that are limited now, and by what."""
        # A call of 0.1 s would starve the sampling of a gauge.
        polled = any(found.channel.unit == "W" for found in self._open)
        found = ((each.channel.id, each.gpu.limited(quickly=polled)) for each in self._open)
        return tuple(f"throttled: {id_} ({', '.join(by)})" for id_, by in found if by)

    def close(self) -> None:
        """Ends the use of the library."""
        if self._started:
            self._started = False
            self._open.clear()
            with suppress(self._smi.AmdSmiException):  # a driver that is gone needs no goodbye
                self._smi.amdsmi_shut_down()

    def _reading(self, found: _Open) -> Reading:
        t0 = self._clock()
        try:
            value = found.value()
        except Exception as error:  # noqa: BLE001 - whatever it raises, the other GPUs go on
            status, reason, fix = explain(error)
            return Reading(found.channel.id, t0, self._clock(), None, status, f"{reason}; {fix}")
        return Reading(found.channel.id, t0, self._clock(), value)

    def _find(self) -> None:
        try:
            handles = self._smi.amdsmi_get_processor_handles()
        except Exception as error:
            status, reason, fix = explain(error)
            raise MeterUnavailable(f"the GPUs cannot be listed: {reason}", fix, status) from error
        for index, handle in enumerate(handles):
            self._take(index, handle)
        if self._open:
            return
        if not self._unusable:
            raise MeterUnavailable("amdsmi starts, and lists no GPU", "amd-smi list must show it")
        found = self._unusable[-1]  # the last word on a GPU is about its power
        for other in self._unusable:
            if other.status is Status.PERMISSION:
                found = other
                break
        raise MeterUnavailable(f"{found.what}: {found.reason}", found.fix, found.status)

    def _leave_out(self, what: str, status: Status, reason: str, fix: str) -> None:
        self._unusable.append(Unusable(what, status, reason, fix))

    def _take(self, index: int, handle: object) -> None:
        """Keeps one GPU by its counter or by its power, or says why not."""
        what = f"GPU {index}"
        try:
            pci = str(self._smi.amdsmi_get_gpu_device_bdf(handle)).lower()
            what = f"GPU {index} ({pci})"
            info = self._smi.amdsmi_get_power_info(handle)
        except Exception as error:  # noqa: BLE001 - see _reading
            self._leave_out(what, *explain(error))
            return
        if whole := self._whole_of(pci):
            reason = f"it is a partition of the GPU that {whole} reads as a whole"
            self._leave_out(what, Status.NOT_SUPPORTED, reason, f"use {whole}")
            return
        gpu = describe(self._smi, handle, pci, info)
        if self._stays_at_zero(gpu):
            self._leave_out(what, Status.NOT_SUPPORTED, *gpu.zero)
            return
        found = self._by_counter(gpu, what) or self._by_power(gpu, what)
        if found is not None:
            self._open.append(found)

    def _whole_of(self, pci: str) -> str:
        """The channel of the same device; its other PCI functions are partitions of it."""
        device = f"gpu/{pci.rpartition('.')[0]}."
        return next((o.channel.id for o in self._open if o.channel.id.startswith(device)), "")

    def _stays_at_zero(self, gpu: Gpu) -> bool:
        """Whether it goes on showing exactly 0 W; the first look may have woken it."""
        if gpu.drawn() == (0.0,):
            with suppress(Exception):
                probe(gpu.watts, longest_s=_WATCH_S[0], changes=1, clock=self._clock)
        return gpu.drawn() == (0.0,)

    def _by_counter(self, gpu: Gpu, what: str) -> _Open | None:
        what = f"{what}, energy counter"
        drawn = gpu.drawn()
        try:
            step_j = gpu.step_j()
            began, start = self._clock(), gpu.joules()
            seen = self._watch(gpu.joules)
            rise_j, seconds = gpu.joules() - start, (self._clock() - began) / 1e9
        except Exception as error:  # noqa: BLE001 - see _reading
            self._leave_out(what, *explain(error))
            return None
        doubt = distrust(rise_j, seconds, drawn + gpu.drawn())
        if doubt is None and seen is not None:
            return _Open(gpu.counter(step_j, seen.update_interval_s), gpu, gpu.joules)
        slow = (Status.STALE, f"its energy counter moved once in {seconds:.2g} s")
        self._leave_out(what, *(doubt or slow), "its power is sampled instead, if it shows one")
        return None

    def _watch(self, read: Callable[[], float]) -> Probe | None:
        for longest_s in _WATCH_S:
            seen = probe(read, longest_s=longest_s, changes=_ALL_CHANGES, clock=self._clock)
            if seen is not None:
                return seen
        return None

    def _by_power(self, gpu: Gpu, what: str) -> _Open | None:
        if gpu.key is None:
            reason, fix = "it shows no power", "amd-smi metric --power must show one"
            self._leave_out(what, Status.NOT_SUPPORTED, reason, fix)
            return None
        try:
            gpu.watts()
            seen = probe(
                gpu.watts, longest_s=_GAUGE_PROBE_S, changes=_GAUGE_CHANGES, clock=self._clock
            )
        except Exception as error:  # noqa: BLE001 - see _reading
            self._leave_out(f"{what}, power", *explain(error))
            return None
        return _Open(gpu.gauge(seen.update_interval_s if seen else None), gpu, gpu.watts)
