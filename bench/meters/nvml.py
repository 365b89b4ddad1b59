"""Energy counters of NVIDIA GPUs through NVML, one per board, by UUID; else their power gauges.

The energy counter comes first; where a board has none, its power is read: field 186 (instant),
else 185 (1 s average), else ``nvmlDeviceGetPowerUsage``. Source: shared/counters.md §2.
"""

import time
from collections.abc import Mapping
from types import ModuleType

from bench.guard import GpuState
from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.meters._nvml import NvmlError, call, explain, explain_start
from bench.meters._nvml_flags import Processes, shared, state, throttles
from bench.meters._nvml_open import Gpus, Look

PRECEDENCE = 10


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the energy counters of all GPUs, or the power gauges of those that have none.

    Raises:
        MeterUnavailable: There is no library, no driver, no GPU that tells its power, or the
            programs of this session see a slice of a GPU only.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES", "")
    if any(entry.strip().startswith("MIG-") for entry in visible.split(",")):
        raise MeterUnavailable(
            f"CUDA_VISIBLE_DEVICES={visible} is a MIG slice, and no slice has an energy counter"
            " of its own",
            "measure on a whole GPU: sudo nvidia-smi -mig 0, and unset CUDA_VISIBLE_DEVICES",
            Status.NOT_SUPPORTED,
        )
    try:
        import pynvml
    except ImportError as error:
        raise MeterUnavailable("pynvml is not installed", "pip install nvidia-ml-py") from error
    return NvmlMeter(pynvml)


class NvmlMeter:
    """The total-energy counter of each GPU, or its power, proved by reading it.

    Args:
        library: The module pynvml, or what behaves like it.
        clock: Monotonic time in ns.
        processes: The processes of this machine; its ``/proc`` if None.

    Raises:
        MeterUnavailable: NVML does not start, or no GPU tells its energy or power.
    """

    name = "nvml"

    def __init__(
        self,
        library: ModuleType,
        *,
        clock: Clock = time.monotonic_ns,
        processes: Processes | None = None,
    ) -> None:
        self._nvml, self._clock, self._processes = library, clock, processes or Processes()
        self._gpus = Gpus(library, clock, self._processes.note)
        try:
            call(library, "nvmlInit")
        except NvmlError as error:
            status, reason, fix = explain_start(error)
            raise MeterUnavailable(reason, fix, status) from error
        self._started = True
        try:
            self._find_gpus()
        except BaseException:
            self.close()
            raise
        self._channels = tuple(channel for channel, _ in self._gpus.open)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The counters that moved, and the gauges that showed a power."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """GPUs that tell neither energy nor power of their own."""
        return tuple(self._gpus.unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each channel; one that fails has a reason, and the others go on."""
        return tuple(self._reading(channel, look) for channel, look in self._gpus.open)

    def flags(self) -> tuple[str, ...]:
        """Clocks that are held back now, and GPUs that other processes compute on."""
        return tuple(
            flag
            for uuid, device in self._gpus.devices.items()
            for flag in (*throttles(device, uuid), *shared(device, uuid, self._processes))
        )

    def gpus(self) -> tuple[GpuState, ...]:
        """Clock, temperature and power limit of each GPU now."""
        return tuple(state(device, uuid) for uuid, device in self._gpus.devices.items())

    def close(self) -> None:
        """Ends the use of NVML."""
        if self._started:
            self._started = False
            self._gpus.open.clear()
            self._gpus.devices.clear()
            try:
                call(self._nvml, "nvmlShutdown")
            except NvmlError:
                return  # a driver that is gone holds nothing of ours

    def _reading(self, channel: Channel, look: Look) -> Reading:
        t0 = self._clock()
        try:
            value = look()
        except NvmlError as error:
            status, reason, fix = explain(error)
            return Reading(channel.id, t0, self._clock(), None, status, f"{reason}; {fix}")
        if channel.unit == "W" and not 0 <= value <= channel.p_max_w:
            reason = f"{channel.id} shows {value:.6g} W, and can draw 0 to {channel.p_max_w:g} W"
            fix = "this reading is dropped; if it stays so, update the driver"
            return Reading(channel.id, t0, self._clock(), None, Status.ERROR, f"{reason}; {fix}")
        return Reading(channel.id, t0, self._clock(), value)

    def _find_gpus(self) -> None:
        try:
            self._gpus.find()
        except NvmlError as error:
            status, reason, fix = explain(error)
            raise MeterUnavailable(f"the GPUs cannot be counted: {reason}", fix, status) from error
        if self._gpus.open:
            return
        if not self.unusable:
            raise MeterUnavailable("NVML starts, and lists no GPU", "nvidia-smi -L must list it")
        first = self.unusable[0]
        raise MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)
