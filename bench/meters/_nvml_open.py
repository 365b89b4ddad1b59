"""Finds the GPUs, and opens what of each tells energy or power: each channel proved by reading."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

from bench.meter import Channel, Clock, Status, Unusable, probe
from bench.meters._nvml import (
    MILLI,
    NOT_SUPPORTED,
    POWER_FIX,
    Device,
    Gauge,
    NvmlError,
    Scope,
    call,
    explain,
    gauges,
    text,
)
from bench.quantities import Kind

Look = Callable[[], float]
"""Reads a counter in J or a gauge in W; raises `NvmlError`."""

# The counter moves every 10 to 100 ms: two seconds show 20 changes of the slowest, and six are
# enough to know its interval without making a machine of eight GPUs wait.
_PROBE_S, _PROBE_CHANGES, _MEMORY_CHANGES = 2.0, 6, 3
_GAUGE_S = 0.1  # slowest refresh of a power gauge in the SC'24 artefact of arXiv 2312.02741
_SHORTEST_POLL_S = 0.005
_LIMIT_MARGIN = 1.5  # the enforced limit holds on average; boards exceed it for milliseconds
_P_MAX_W = 1500.0  # above every board sold; used where no limit can be read
_MODULE_P_MAX_W = 4500.0  # a GB200 superchip is sold with 2700 W
_GRACE = re.compile(r"\bG[HB]\d+")  # Grace Hopper, Grace Blackwell; source: zeus PR 172
_MAY_BE_MODULE = "on {} the counter may cover the module, the Grace CPU and its DRAM included"
_BOARD_HAS_IT = "nothing to do: the board's counter contains it"


@dataclass(frozen=True, slots=True)
class _Gpu:
    what: str
    uuid: str
    name: str
    device: Device
    p_max_w: float


@dataclass
class Gpus:
    """The channels of all GPUs of this machine.

    Args:
        library: The module pynvml, started.
        clock: Monotonic time in ns.
        note: A warning that belongs beside each board's numbers.
    """

    library: ModuleType
    clock: Clock
    note: str
    open: list[tuple[Channel, Look]] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    devices: dict[str, Device] = field(default_factory=dict)
    _modules: list[Look] = field(default_factory=list)

    def find(self) -> None:
        """Opens what can be used, and says of the rest why not.

        Raises:
            NvmlError: The GPUs cannot be counted.
        """
        for index in range(int(call(self.library, "nvmlDeviceGetCount"))):
            try:
                self._take(index)
            except NvmlError as error:
                # NVML counts GPUs that this process may not open.
                self._refuse(f"GPU {index}", *explain(error))

    def _refuse(self, what: str, status: Status, reason: str, fix: str) -> None:
        self.unusable.append(Unusable(what, status, reason, fix))

    def _take(self, index: int) -> None:
        """Opens the channels of one GPU, or says why not."""
        device = Device(self.library, call(self.library, "nvmlDeviceGetHandleByIndex", index))
        uuid = text(device.call("nvmlDeviceGetUUID"))
        gpu = _Gpu(f"GPU {index} ({uuid})", uuid, device.name(), device, _p_max_w(device))
        if _is_sliced(device):
            reason = "MIG slices it, and its counter covers the whole board"
            fix = f"measure on an unsliced GPU: sudo nvidia-smi -i {uuid} -mig 0"
            self._refuse(gpu.what, Status.NOT_SUPPORTED, reason, fix)
            return
        before = len(self.open)
        try:
            self._take_board(gpu, self._take_module(gpu))
        except NvmlError as error:
            self._refuse(gpu.what, *explain(error))
        if len(self.open) > before:
            self.devices[uuid] = device

    def _take_board(self, gpu: _Gpu, module: Look | None) -> None:
        """Opens the counter of the board, or its gauge where it has none."""
        missing: NvmlError | None = None
        for origin, counter in _board_counters(gpu, with_field=module is not None):
            try:
                _require_value(counter)
                if module is not None and self._shows_same(module, counter):
                    continue
            except NvmlError as error:
                if error.code not in NOT_SUPPORTED:
                    raise
                missing = error
                continue
            note = _MAY_BE_MODULE.format(gpu.name) if module is None and _is_grace(gpu) else ""
            if self._prove(
                gpu, counter, "board", origin, "; ".join(filter(None, (note, self.note)))
            ):
                self._take_memory(gpu, counter)
            return
        if missing is not None:
            self._take_gauge(gpu, missing, of_gpu_alone=module is not None)
        else:
            reason = "its counter shows what the module's shows: CPU, memory and GPU together"
            self._refuse(gpu.what, Status.NOT_SUPPORTED, reason, "use the channel of the module")

    def _take_module(self, gpu: _Gpu) -> Look | None:
        """The counter of the module that a Grace GPU sits on, which several GPUs may share."""
        if not _is_grace(gpu):
            return None
        module = partial(gpu.device.scope_energy_j, Scope.MODULE)
        try:
            if module() == 0:
                return None
        except NvmlError as error:
            if error.code not in NOT_SUPPORTED:
                raise
            return None  # GB10 knows only its GPU: zeus PR 242
        if any(self._shows_same(known, module) for known in self._modules):
            return module
        note = "CPU, memory and GPU of one module, numbered in the order of NVML"
        if not self._prove(gpu, module, "module", "field_83_module", note):
            return None
        self._modules.append(module)
        return module

    def _take_memory(self, gpu: _Gpu, board: Look) -> None:
        """The counter of the board's memory, where it has one of its own."""
        memory = partial(gpu.device.scope_energy_j, Scope.MEMORY)
        what = f"{gpu.what} memory"
        try:
            if memory() == 0:
                reason = "its counter of the memory reads 0, which stands for no value"
                self._refuse(what, Status.NOT_SUPPORTED, reason, _BOARD_HAS_IT)
            elif self._shows_same(board, memory):
                reason = "its counter of the memory shows what the board's shows"
                self._refuse(what, Status.NOT_SUPPORTED, reason, _BOARD_HAS_IT)
            else:
                self._prove(gpu, memory, "memory", "field_83_memory", "")
        except NvmlError as error:
            if error.code not in NOT_SUPPORTED:
                self._refuse(what, *explain(error))

    def _prove(self, gpu: _Gpu, counter: Look, part: str, origin: str, note: str) -> bool:
        """Keeps a counter that moves while it is watched."""
        changes = _MEMORY_CHANGES if part == "memory" else _PROBE_CHANGES
        seen = probe(counter, longest_s=_PROBE_S, changes=changes, clock=self.clock)
        if seen is None:
            reason = f"its energy counter stood still for {_PROBE_S:g} s while it was watched"
            what = gpu.what if part == "board" else f"{gpu.what} {part}"
            self._refuse(what, Status.STALE, reason, "nvidia-smi must show a power draw for it")
            return False
        id_, domain, boundary, p_max_w = {
            "board": (f"gpu/{gpu.uuid}/board", "gpu", "gpu-board", gpu.p_max_w),
            "memory": (f"gpu/{gpu.uuid}/memory", "gpu.memory", "gpu-memory", gpu.p_max_w),
            "module": (f"module/{len(self._modules)}", "module", "module", _MODULE_P_MAX_W),
        }[part]
        channel = Channel(
            id=id_,
            domain=domain,
            kind=Kind.MEASURED,
            boundary=boundary,
            resolution=MILLI,
            update_interval_s=seen.update_interval_s,
            wrap=None,  # 64 bits, counted since the driver was loaded: a decrease is a reset
            p_max_w=p_max_w,
            origin=f"nvml:{gpu.uuid}:{origin}",
            note=note,
        )
        self.open.append((channel, counter))
        return True

    def _take_gauge(self, gpu: _Gpu, no_counter: NvmlError, *, of_gpu_alone: bool) -> None:
        """Keeps the best gauge of a board without a counter, if one shows a power."""
        refusal = ""
        for gauge in gauges(gpu.device, of_gpu_alone=of_gpu_alone):
            try:
                watts = gauge.watts()
            except NvmlError as error:
                if error.code not in NOT_SUPPORTED:
                    raise
                refusal = f"{gauge.origin}: {error}"
                continue
            if 0 < watts <= gpu.p_max_w:
                self.open.append((self._gauge_channel(gpu, gauge, no_counter), gauge.watts))
                return
            refusal = f"{gauge.origin} shows {watts:.6g} W, which stands for no value"
        reason = f"it has no energy counter ({no_counter}) and shows no power ({refusal})"
        self._refuse(gpu.what, Status.NOT_SUPPORTED, reason, POWER_FIX)

    def _gauge_channel(self, gpu: _Gpu, gauge: Gauge, no_counter: NvmlError) -> Channel:
        seen = probe(gauge.watts, longest_s=_PROBE_S, changes=_PROBE_CHANGES, clock=self.clock)
        interval_s = seen.update_interval_s if seen else _GAUGE_S
        notes = (f"{gauge.note}; no energy counter ({no_counter})", self.note)
        return Channel(
            id=f"gpu/{gpu.uuid}/board",
            domain="gpu",
            kind=Kind.SAMPLED,
            boundary="gpu-board",
            resolution=MILLI,
            update_interval_s=interval_s,
            wrap=None,
            p_max_w=gpu.p_max_w,
            origin=f"nvml:{gpu.uuid}:{gauge.origin}",
            range=gauge.range,
            note="; ".join(filter(None, notes)),
            unit="W",
            averaging_window_s=gauge.averaging_s,
            # a power that kept its value may have been refreshed unseen: not read more rarely
            poll_s=max(_SHORTEST_POLL_S, min(interval_s, _GAUGE_S)),
        )

    def _shows_same(self, one: Look, other: Look) -> bool:
        """Whether two counters are one: the other, read between two reads of it, lies between.

        Counters of their own differ by what was drawn since the driver was loaded. Two views of
        one may be refreshed one after the other: hence the looks over some refreshes.
        """
        end = self.clock() + round(2.5e9 * _GAUGE_S)
        while True:
            first, between, last = one(), other(), one()
            if first <= between <= last:
                return True
            if self.clock() >= end:
                return False


def _board_counters(gpu: _Gpu, *, with_field: bool) -> Iterator[tuple[str, Look]]:
    """The routes to the board's energy; a module's function may count the module: zeus PR 172."""
    yield "total_energy", gpu.device.energy_j
    if with_field:
        yield "field_83_gpu", partial(gpu.device.scope_energy_j, Scope.GPU)


def _require_value(counter: Look) -> None:
    """Raises as if there were no counter if it shows 0: a driver counts from its first moment."""
    if counter() == 0:
        raise NvmlError(3, "it reads 0, which stands for no value")


def _is_grace(gpu: _Gpu) -> bool:
    return bool(_GRACE.search(gpu.name))


def _is_sliced(device: Device) -> bool:
    try:
        current, _ = device.call("nvmlDeviceGetMigMode")
    except NvmlError as error:
        if error.code in NOT_SUPPORTED:
            return False
        raise
    return bool(current)


def _p_max_w(device: Device) -> float:
    try:
        limit_w = int(device.call("nvmlDeviceGetEnforcedPowerLimit")) * MILLI
    except NvmlError:
        return _P_MAX_W
    return _LIMIT_MARGIN * limit_w if 1 <= limit_w <= 2 * _P_MAX_W else _P_MAX_W
