"""What the NVML meter and the GPU probe share: calls, field values, errors, kinds of power gauge.

`bench.meters.nvml` and `bench.gpu_probe` both take the module pynvml, or what behaves like it.
Source of codes, fields and semantics: shared/counters.md §2.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from types import ModuleType
from typing import Any, NamedTuple

from bench.meter import Status

MILLI = 1e-3  # NVML counts energy in mJ, and shows power in mW
NOT_SUPPORTED = {3, 13}  # 13: this driver or this nvidia-ml-py does not have the function
_FUNCTION_MISSING = 13
_LOST = {1, 15, 16, 28, 999}
_NO_PERMISSION = {4, 17}
_ENERGY, _POWER_AVERAGE, _POWER_INSTANT = 83, 185, 186  # field ids
_VALUE_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")  # by value type
_KEPLER, _TURING, _AMPERE, _UNKNOWN_ARCHITECTURE = 2, 6, 7, 0xFFFFFFFF
# "A30" must not be found in "RTX A3000". The default is the longer average, which is safe.
_GA100 = re.compile(r"\b(A100|A30|A800)X?\b|\b170HX\b")
# Fields and functions that show "the instant" average over 10 to 100 ms (SC'24 artefact of
# arXiv 2312.02741), and need up to 300 ms to show a step; their refresh is 100 ms of that.
_INSTANT_S, _AVERAGE_S = 0.2, 1.0
_FERMI_KEPLER = (1 / 1.05, 1 / 0.95)  # nvml.h: accurate to ±5 % there

POWER_FIX = (
    "update the driver; a Jetson has no energy in NVML: use the module's power rails, which the"
    " hwmon meter reads; any other board without it needs a wall meter"
)
INIT_FIXES = {
    4: "let this user open /dev/nvidiactl and /dev/nvidia*",
    9: "load the driver: sudo modprobe nvidia; then nvidia-smi must work",
    12: (
        "install the NVIDIA driver, which brings libnvidia-ml.so.1; in a container:"
        " --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    ),
    13: "update the NVIDIA driver: its library is older than nvidia-ml-py",
    18: "the driver was updated while it ran: reboot, or reload the nvidia kernel modules",
}


class Scope(IntEnum):
    """What a power or energy field is about; the driver's ``scopeId``."""

    GPU = 0
    MODULE = 1
    MEMORY = 2


class NvmlError(Exception):
    """A call that failed, by NVML's code; -1 if what it gave is not understood."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def call(library: ModuleType, function: str, *arguments: object) -> Any:  # noqa: ANN401 - NVML's
    """Calls a function of the library.

    Raises:
        NvmlError: It failed, or this release of the library or of the driver does not have it.
    """
    found = getattr(library, function, None)
    if found is None:
        raise NvmlError(_FUNCTION_MISSING, f"this nvidia-ml-py has no {function}")
    # a newer library raises this of its own where the driver has only an older version of a call
    mismatch = getattr(library, "NVMLLibraryMismatchError", library.NVMLError)
    try:
        return found(*arguments)
    except library.NVMLError as error:
        raise NvmlError(int(getattr(error, "value", -1)), str(error)) from error
    except mismatch as error:
        raise NvmlError(_FUNCTION_MISSING, str(error)) from error


def _drawn_w(milliwatts: float) -> float:
    """Milliwatts as watts; a GPU that can answer draws some."""
    if milliwatts == 0:
        raise NvmlError(3, "it shows exactly 0 W, which stands for no value")
    return milliwatts * MILLI


def text(value: str | bytes) -> str:
    """Text as text: older releases of the library give bytes."""
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU.

    Args:
        library: The module pynvml.
        handle: What it calls this GPU.
    """

    library: ModuleType
    handle: object

    def call(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 - NVML's
        """Calls a function about this GPU; raises `NvmlError`."""
        return call(self.library, function, self.handle, *arguments)

    def first_of(self, *functions: str) -> Any:  # noqa: ANN401 - NVML's
        """Calls the first function that this driver has; raises `NvmlError`."""
        for function in functions[:-1]:
            try:
                return self.call(function)
            except NvmlError as error:
                if error.code not in NOT_SUPPORTED:
                    raise
        return self.call(functions[-1])

    def energy_j(self) -> float:
        """The total-energy counter, J since the driver was loaded."""
        return int(self.call("nvmlDeviceGetTotalEnergyConsumption")) * MILLI

    def scope_energy_j(self, scope: Scope) -> float:
        """The same through a field, of a scope of its own, J."""
        return int(self.field(_ENERGY, scope)) * MILLI

    def field(self, field: int, scope: Scope = Scope.GPU) -> float:
        """One field value in the driver's unit.

        The call succeeds while a field fails: each has a return code of its own.
        """
        (value,) = self.call("nvmlDeviceGetFieldValues", [(field, int(scope))])
        if value.nvmlReturn != 0:
            reason = str(self.library.NVMLError(value.nvmlReturn))
            raise NvmlError(value.nvmlReturn, f"field {field}: {reason}")
        if not 0 <= value.valueType < len(_VALUE_MEMBERS):
            raise NvmlError(-1, f"field {field} has the unknown value type {value.valueType}")
        return float(getattr(value.value, _VALUE_MEMBERS[value.valueType]))

    def field_power_w(self, field: int) -> float:
        """One power field, W."""
        return _drawn_w(self.field(field))

    def usage_w(self) -> float:
        """What ``nvmlDeviceGetPowerUsage`` shows, W."""
        return _drawn_w(int(self.call("nvmlDeviceGetPowerUsage")))

    def instant_w(self) -> float:
        """The field of instant power, W."""
        return self.field_power_w(_POWER_INSTANT)

    def name(self) -> str:
        """The board's name, or an empty string."""
        try:
            return text(self.call("nvmlDeviceGetName"))
        except NvmlError:
            return ""

    def architecture(self) -> int | None:
        """NVML's number of the architecture, or None if it is not known."""
        try:
            found = int(self.call("nvmlDeviceGetArchitecture"))
        except NvmlError:
            return None
        return None if found == _UNKNOWN_ARCHITECTURE else found


class Gauge(NamedTuple):
    """One way to read a GPU's power.

    Args:
        origin: What is read, for the channel.
        watts: Reads it.
        averaging_s: Time over which it averages at most, s.
        range: Factors within which the truth lies.
        note: What it shows, for a person.
    """

    origin: str
    watts: Callable[[], float]
    averaging_s: float
    range: tuple[float, float]
    note: str


def gauges(device: Device, *, of_gpu_alone: bool) -> Iterator[Gauge]:
    """The ways to read a GPU's power, the best first; not all exist on every board.

    Args:
        device: The GPU.
        of_gpu_alone: Whether it sits on a module: only fields say that they leave the rest out.
    """
    exact = (1.0, 1.0)
    yield Gauge(
        "field_186_instant",
        device.instant_w,
        _INSTANT_S,
        exact,
        "power of the instant: an average of up to 0.1 s, which on A100 and H100 covers only a"
        " quarter of the time (arXiv 2312.02741)",
    )
    yield Gauge(
        "field_185_average",
        lambda: device.field_power_w(_POWER_AVERAGE),
        _AVERAGE_S,
        exact,
        "power averaged over 1 s",
    )
    if of_gpu_alone:
        return
    architecture = device.architecture()
    if usage_is_instant(architecture, device.name()):
        kepler = architecture is not None and architecture <= _KEPLER
        yield Gauge(
            "power_usage_instant",
            device.usage_w,
            _INSTANT_S,
            _FERMI_KEPLER if kepler else exact,
            "power of the instant, as this architecture shows it"
            + (", accurate to ±5 %" if kepler else ""),
        )
    else:
        yield Gauge(
            "power_usage_average",
            device.usage_w,
            _AVERAGE_S,
            exact,
            "power averaged over 1 s, as this architecture shows it",
        )


def usage_is_instant(architecture: int | None, name: str) -> bool:
    """Whether ``nvmlDeviceGetPowerUsage`` shows the instant, and not the mean of the last second.

    nvml.h: the mean on Ampere (except GA100) and newer; where the board is not known it is taken
    for the mean, whose wider interval holds both.

    >>> usage_is_instant(7, "NVIDIA A100-SXM4-80GB"), usage_is_instant(7, "NVIDIA RTX A3000")
    (True, False)
    """
    if architecture is None:
        return False
    return architecture <= _TURING or (architecture == _AMPERE and bool(_GA100.search(name)))


def explain(error: NvmlError) -> tuple[Status, str, str]:
    """Status, reason and fix of an error, by its code."""
    if error.code in NOT_SUPPORTED:
        return Status.NOT_SUPPORTED, f"it does not support this ({error})", POWER_FIX
    if error.code in _NO_PERMISSION:
        fix = "let this user, or this container's cgroup, open /dev/nvidia*"
        return Status.PERMISSION, f"this process may not use it ({error})", fix
    if error.code in _LOST:
        fix = "see dmesg for Xid errors; a lost GPU needs a reset or a reboot"
        return Status.LOST, f"the GPU does not answer ({error})", fix
    if error.code in INIT_FIXES:
        return Status.UNAVAILABLE, f"the driver does not answer ({error})", INIT_FIXES[error.code]
    return Status.ERROR, f"NVML failed ({error})", "nvidia-smi must work first"


def explain_start(error: NvmlError) -> tuple[Status, str, str]:
    """The same for an NVML that does not start at all."""
    status, _, _ = explain(error)
    if status not in {Status.PERMISSION, Status.LOST}:
        status = Status.UNAVAILABLE
    fix = INIT_FIXES.get(error.code, "nvidia-smi must work first")
    return status, f"NVML does not start: {error}", fix
