"""Does a GPU's energy counter see all of the time? Watched idle, loaded, and at its own refresh.

The power sensor behind some counters looks only part of the time, such as 25 ms of every 100 ms
(arXiv 2312.02741). A load that is on for half of each refresh then looks larger or smaller by
where in the refresh it lies. Here that load is shifted through the refresh in eight steps: a
counter that sees all of the time shows the same energy at each. See docs/gpu-counter.md.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

from bench.gpu_counter import (
    Change,
    GpuProbe,
    Phase,
    Refresh,
    is_loaded,
    ratio_to_gauge,
    refresh_of,
)
from bench.meter import Clock, MeterUnavailable, Status
from bench.meters._nvml import NOT_SUPPORTED, Device, NvmlError, call, explain, explain_start, text

Load = Callable[[float], None]
"""Keeps the GPU busy for so many seconds, and returns when it is idle again."""

SHIFTS = 8

# The shifts in an order that a slow drift, such as warming up, cannot imitate.
_ORDER = (0, 4, 2, 6, 1, 5, 3, 7, 7, 3, 5, 1, 6, 2, 4, 0)
_SETTLE_S = 1.2  # the slowest sensor averages over 1 s: around a load it must show idle again
_WATCH_CHANGES, _LONGEST_TICK_S = 30, 2.0
_FEWEST_PERIODS = 8
_LARGEST, _SMALLEST, _LONGEST_PRODUCT_NS = 8192, 512, 1_000_000


def probe_gpu(
    library: ModuleType,
    index_or_uuid: int | str,
    load: Load | None = None,
    *,
    clock: Clock = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
    seconds: float = 4.0,
) -> GpuProbe:
    """Probes the energy counter of one GPU; it takes about 20 times (*seconds* + 2.5 s).

    Args:
        library: The module pynvml.
        index_or_uuid: NVML's index, or the UUID.
        load: Keeps that GPU busy; products of matrices by torch if None.
        clock: Monotonic time in ns.
        sleep: Lets time pass, s.
        seconds: Length of each part of the probe.

    Raises:
        MeterUnavailable: There is no such GPU, it has no counter that moves, or no load runs.
    """
    try:
        call(library, "nvmlInit")
    except NvmlError as error:
        status, reason, fix = explain_start(error)
        raise MeterUnavailable(reason, fix, status) from error
    try:
        by = "Index" if isinstance(index_or_uuid, int) else "UUID"
        device = Device(library, call(library, f"nvmlDeviceGetHandleBy{by}", index_or_uuid))
        uuid = text(device.call("nvmlDeviceGetUUID"))
        driver = text(call(library, "nvmlSystemGetDriverVersion"))
        run = _Run(device, load or torch_load(uuid, clock=clock), clock, sleep, seconds)
        return run.probe(uuid, driver)
    except NvmlError as error:
        status, reason, fix = explain(error)
        raise MeterUnavailable(f"GPU {index_or_uuid}: {reason}", fix, status) from error
    finally:
        with contextlib.suppress(NvmlError):  # a GPU that is lost has its reason already
            call(library, "nvmlShutdown")


class _Span(NamedTuple):
    joules: float
    start_s: float
    end_s: float
    on_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class _Run:
    device: Device
    load: Load
    clock: Clock
    sleep: Callable[[float], None]
    seconds: float

    def probe(self, uuid: str, driver: str) -> GpuProbe:
        """Idle, full load, then the shifts."""
        self.load(self.seconds / 2)  # a GPU that was asleep has another idle, and colder clocks
        refresh = self._watch()
        idle = self._span(lambda _: self._idle())
        idle_w = idle.joules / idle.seconds
        gauge: list[tuple[float, float]] = []
        full = self._span(lambda _: self._full(refresh.period_s / 4, gauge))
        rise_w = (full.joules - idle_w * full.seconds) / full.on_s
        periods = max(_FEWEST_PERIODS, round(self.seconds / refresh.period_s))
        return GpuProbe(
            gpu=uuid,
            name=self.device.name(),
            driver=driver,
            refresh=refresh,
            idle_w=idle_w,
            full_w=idle_w + rise_w,
            gauge_ratio=ratio_to_gauge(full.joules, gauge, full.start_s, full.end_s),
            periods=periods,
            phases=tuple(
                self._phase(step / SHIFTS, refresh.period_s, periods, idle_w, rise_w)
                for step in (_ORDER if is_loaded(idle_w, rise_w) else ())
            ),
        )

    def _millijoules(self) -> int:
        return int(self.device.call("nvmlDeviceGetTotalEnergyConsumption"))

    def _tick(self) -> Change:
        """Waits until the counter moves."""
        began = before = self.clock()
        first = self._millijoules()
        while (now := self.clock()) - began < _LONGEST_TICK_S * 1e9:
            value = self._millijoules()
            if value != first:
                return Change(before, self.clock(), value)
            before = now
        raise MeterUnavailable(
            f"the energy counter stood still for {_LONGEST_TICK_S:g} s while it was watched",
            "nvidia-smi must show a power draw for it",
            Status.STALE,
        )

    def _watch(self) -> Refresh:
        try:
            return refresh_of([self._tick() for _ in range(_WATCH_CHANGES)])
        except ValueError as error:
            raise MeterUnavailable(str(error), "probe again", Status.RESET) from error

    def _span(self, work: Callable[[float], float]) -> _Span:
        """Energy from a tick in idle to a later one in idle, around work that takes that tick."""
        self.sleep(_SETTLE_S)
        start = self._tick()
        on_s = work(start.at_ns)
        self.sleep(_SETTLE_S)
        end = self._tick()
        joules = (end.millijoules - start.millijoules) / 1e3  # NVML counts millijoules
        return _Span(joules, start.at_ns / 1e9, end.at_ns / 1e9, on_s)

    def _busy(self, seconds: float) -> float:
        began = self.clock()
        self.load(seconds)
        return (self.clock() - began) / 1e9

    def _idle(self) -> float:
        self.sleep(self.seconds)
        return 0.0

    def _full(self, slice_s: float, gauge: list[tuple[float, float]]) -> float:
        """Idle, busy, idle: in slices, with a look at the gauge after each."""
        on_s = 0.0
        for seconds, pass_time in (
            (_SETTLE_S, self.sleep),
            (self.seconds, self.load),
            (_SETTLE_S, self.sleep),
        ):
            for _ in range(max(1, round(seconds / slice_s))):
                began = self.clock()
                pass_time(slice_s)
                if pass_time is self.load:
                    on_s += (self.clock() - began) / 1e9
                self._look_at(gauge)
        return on_s

    def _look_at(self, gauge: list[tuple[float, float]]) -> None:
        try:
            watts = self.device.instant_w()
        except NvmlError as error:
            if error.code not in NOT_SUPPORTED:
                raise
        else:
            gauge.append((self.clock() / 1e9, watts))

    def _phase(
        self, shift: float, period_s: float, periods: int, idle_w: float, rise_w: float
    ) -> Phase:
        def wave(tick_ns: float) -> float:
            on_s = 0.0
            for index in range(periods):
                start_ns = tick_ns + (1 + shift + index) * period_s * 1e9
                self.sleep(max(0.0, (start_ns - self.clock()) / 1e9))
                on_s += self._busy(period_s / 2)
            return on_s

        span = self._span(wave)
        above_idle = span.joules - idle_w * span.seconds
        expected = rise_w * span.on_s
        share = above_idle / expected
        total = idle_w * span.seconds + expected
        return Phase(shift, span.joules, span.seconds, span.on_s, total, share)


def torch_load(uuid: str, *, clock: Clock = time.monotonic_ns) -> Load:
    """Products of matrices on the GPU of that UUID, each of which takes 1 ms at most.

    Raises:
        MeterUnavailable: torch is not installed, or does not see that GPU.
    """
    try:
        import torch
    except ImportError as error:
        raise MeterUnavailable("torch is not installed", "pip install torch") from error
    gpu = torch.cuda
    uuids = [str(gpu.get_device_properties(index).uuid) for index in range(gpu.device_count())]
    index = next((i for i, each in enumerate(uuids) if each and uuid.endswith(each)), None)
    if index is None:
        raise MeterUnavailable(
            f"torch {torch.__version__} sees {uuids or 'no GPU'}, and not {uuid}",
            "install a torch for CUDA, and let CUDA_VISIBLE_DEVICES name that GPU",
        )
    device = torch.device("cuda", index)
    size = _LARGEST
    while True:
        matrix = torch.rand(size, size, device=device, dtype=torch.float16)
        product = torch.empty_like(matrix)
        times = []
        for _ in range(3):
            began = clock()
            torch.mm(matrix, matrix, out=product)
            gpu.synchronize(device)
            times.append(clock() - began)
        if min(times) <= _LONGEST_PRODUCT_NS or size <= _SMALLEST:
            break
        size //= 2

    def load(seconds: float) -> None:
        end = clock() + round(seconds * 1e9)
        while clock() < end:
            torch.mm(matrix, matrix, out=product)
            gpu.synchronize(device)

    return load
