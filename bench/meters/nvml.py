"""Energy counters of NVIDIA GPUs through NVML, one per board, by UUID."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable, probe
from bench.quantities import Kind

# The counter moves every 10 to 100 ms: two seconds show 20 changes of the slowest, and six are
# enough to know its interval without making a machine of eight GPUs wait.
_PROBE_S, _PROBE_CHANGES = 2.0, 6
_LIMIT_MARGIN = 1.5  # the enforced limit holds on average; boards exceed it for milliseconds
_P_MAX_W = 1500.0  # above every board sold; used where no limit can be read
_GPU_ENERGY_J = 1e-3  # NVML counts millijoules
_NOT_SUPPORTED, _LOST = {3, 13}, {1, 15, 16, 28, 999}
_NO_PERMISSION = {4, 17}
_GRACE = re.compile(r"\bG[HB]\d+")  # Grace Hopper, Grace Blackwell; source: zeus PR 172
_UNSUPPORTED_FIX = "needs a Volta or later board; a Jetson is read through its power rails instead"
_INIT_FIXES = {
    4: "let this user open /dev/nvidiactl and /dev/nvidia*",
    9: "load the driver: sudo modprobe nvidia; then nvidia-smi must work",
    12: (
        "install the NVIDIA driver, which brings libnvidia-ml.so.1; in a container:"
        " --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    ),
    13: "update the NVIDIA driver: its library is older than nvidia-ml-py",
    18: "the driver was updated while it ran: reboot, or reload the nvidia kernel modules",
}


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the energy counters of all GPUs.

    Raises:
        MeterUnavailable: There is no library, no driver, or no GPU with an energy counter.
    """
    del environment
    try:
        import pynvml
    except ImportError as error:
        raise MeterUnavailable("pynvml is not installed", "pip install nvidia-ml-py") from error
    return NvmlMeter(pynvml)


@dataclass(frozen=True, slots=True)
class _Board:
    library: ModuleType
    handle: object

    def joules(self) -> float:
        millijoules = self.library.nvmlDeviceGetTotalEnergyConsumption(self.handle)
        return int(millijoules) * _GPU_ENERGY_J


class NvmlMeter:
    """The total-energy counter of each GPU, proved by watching it move.

    Args:
        library: The module pynvml, or what behaves like it.
        clock: Monotonic time in ns.

    Raises:
        MeterUnavailable: NVML does not start, or no GPU has a counter that moves.
    """

    name = "nvml"

    def __init__(self, library: ModuleType, *, clock: Clock = time.monotonic_ns) -> None:
        self._nvml, self._clock = library, clock
        self._boards: list[tuple[Channel, _Board]] = []
        self._unusable: list[Unusable] = []
        try:
            library.nvmlInit()
        except library.NVMLError as error:
            fix = _INIT_FIXES.get(error.value, "nvidia-smi must work first")
            raise MeterUnavailable(f"NVML does not start: {error}", fix) from error
        self._started = True
        try:
            self._find_boards()
        except BaseException:
            self.close()
            raise
        self._channels = tuple(channel for channel, _ in self._boards)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The boards whose counter moved."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """GPUs without a counter of their own."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each board; one that fails has a reason, and the others go on."""
        return tuple(self._reading(channel.id, board) for channel, board in self._boards)

    def close(self) -> None:
        """Ends the use of NVML."""
        if self._started:
            self._started = False
            self._boards.clear()
            self._nvml.nvmlShutdown()

    def _reading(self, channel: str, board: _Board) -> Reading:
        t0 = self._clock()
        try:
            joules = board.joules()
        except self._nvml.NVMLError as error:
            status, reason, fix = _explain(error)
            return Reading(channel, t0, self._clock(), None, status, f"{reason}; {fix}")
        return Reading(channel, t0, self._clock(), joules)

    def _find_boards(self) -> None:
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            status, reason, fix = _explain(error)
            raise MeterUnavailable(f"the GPUs cannot be counted: {reason}", fix, status) from error
        for index in range(count):
            try:
                self._take(index)
            except self._nvml.NVMLError as error:
                # NVML counts GPUs that this process may not open.
                self._unusable.append(Unusable(f"GPU {index}", *_explain(error)))
        if not self._boards:
            if not self._unusable:
                raise MeterUnavailable(
                    "NVML starts, and lists no GPU", "nvidia-smi -L must list it"
                )
            first = self._unusable[0]
            raise MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)

    def _take(self, index: int) -> None:
        """Keeps one GPU, or says why not."""
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        uuid = _text(self._nvml.nvmlDeviceGetUUID(handle))
        what = f"GPU {index} ({uuid})"
        if self._is_sliced(handle):
            reason = "MIG slices it, and its counter covers the whole board"
            fix = f"measure on an unsliced GPU: sudo nvidia-smi -i {uuid} -mig 0"
            self._unusable.append(Unusable(what, Status.NOT_SUPPORTED, reason, fix))
            return
        board = _Board(self._nvml, handle)
        try:
            seen = probe(
                board.joules, longest_s=_PROBE_S, changes=_PROBE_CHANGES, clock=self._clock
            )
        except self._nvml.NVMLError as error:
            self._unusable.append(Unusable(what, *_explain(error)))
            return
        if seen is None:
            reason = f"its energy counter stood still for {_PROBE_S:g} s while it was watched"
            fix = "nvidia-smi must show a power draw for it"
            self._unusable.append(Unusable(what, Status.STALE, reason, fix))
            return
        channel = Channel(
            id=f"gpu/{uuid}/board",
            domain="gpu",
            kind=Kind.MEASURED,
            boundary="gpu-board",
            resolution=_GPU_ENERGY_J,
            update_interval_s=seen.update_interval_s,
            wrap=None,  # 64 bits, counted since the driver was loaded: a decrease is a reset
            p_max_w=self._p_max_w(handle),
            origin=f"nvml:{uuid}:total_energy",
            note=self._note(handle),
        )
        self._boards.append((channel, board))

    def _is_sliced(self, handle: object) -> bool:
        try:
            current, _ = self._nvml.nvmlDeviceGetMigMode(handle)
        except self._nvml.NVMLError as error:
            if error.value in _NOT_SUPPORTED:
                return False
            raise
        return bool(current)

    def _p_max_w(self, handle: object) -> float:
        try:
            milliwatts = int(self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
        except self._nvml.NVMLError:
            return _P_MAX_W
        limit_w = milliwatts / 1000  # NVML gives milliwatts
        return _LIMIT_MARGIN * limit_w if 1 <= limit_w <= 2 * _P_MAX_W else _P_MAX_W

    def _note(self, handle: object) -> str:
        try:
            name = _text(self._nvml.nvmlDeviceGetName(handle))
        except self._nvml.NVMLError:
            return ""
        if _GRACE.search(name):
            return (
                f"on {name} the counter may cover the module, the Grace CPU and its DRAM included"
            )
        return ""


def _text(value: str | bytes) -> str:
    """Text as text: older releases of the library give bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _explain(error: Exception) -> tuple[Status, str, str]:
    """Status, reason and fix of an NVML error, by its code."""
    code = getattr(error, "value", None)
    if code in _NOT_SUPPORTED:
        return Status.NOT_SUPPORTED, f"it has no energy counter ({error})", _UNSUPPORTED_FIX
    if code in _NO_PERMISSION:
        fix = "let this user, or this container's cgroup, open /dev/nvidia*"
        return Status.PERMISSION, f"this process may not use it ({error})", fix
    if code in _LOST:
        fix = "see dmesg for Xid errors; a lost GPU needs a reset or a reboot"
        return Status.LOST, f"the GPU does not answer ({error})", fix
    return Status.ERROR, f"NVML failed ({error})", "nvidia-smi must work first"
