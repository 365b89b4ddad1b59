"""The package amdsmi 7.0.2 over GPUs that are not here, driven by powers that are known exactly.

Names, fields, codes and sentinels are those of the package's own source; AMD's library behind it
is stood for. Time passes on a `VirtualClock`, also with every call.
"""

# ruff: noqa: N818 - the names are those of the library that is stood for

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from emulators import VirtualClock
from known_power import KnownPower

DRIVER_STEP_J = 2.0**-16  # amdgpu's kgd_pp_interface.h
LIBRARY_STEP_UJ = ctypes.c_float(15.3).value  # kEnergyCounterResolution, through a C float

_NAMES = {
    2: "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported",
    8: "AMDSMI_STATUS_TIMEOUT - Timeout in API call",
    9: "AMDSMI_STATUS_RETRY - Retry operation",
    10: "AMDSMI_STATUS_NO_PERM - Permission Denied",
    12: "AMDSMI_STATUS_IO - I/O Error",
    30: "AMDSMI_STATUS_BUSY - Device busy",
    31: "AMDSMI_STATUS_NOT_FOUND - Device Not found",
    32: "AMDSMI_STATUS_NOT_INIT - Device not initialized",
    34: "AMDSMI_STATUS_DRIVER_NOT_LOADED - Driver not loaded",
    40: "AMDSMI_STATUS_NO_DATA - No data was found for given input",
}


class AmdSmiException(Exception):
    pass


class AmdSmiLibraryException(AmdSmiException):
    def __init__(self, err_code: int) -> None:
        super().__init__(abs(err_code))
        self.err_code = abs(err_code)
        self.err_info = _NAMES.get(
            self.err_code, "AMDSMI_STATUS_UNKNOWN_ERROR - An unknown error occurred"
        )

    def __str__(self) -> str:
        return f"Error code:\n\t{self.err_code} | {self.err_info}"

    def get_error_code(self) -> int:
        return self.err_code

    def get_error_info(self, detailed: bool = True) -> str:
        return self.err_info if detailed else self.err_info.split(" - ")[0]


class AmdSmiRetryException(AmdSmiLibraryException):
    def __init__(self) -> None:
        super().__init__(9)


class AmdSmiTimeoutException(AmdSmiLibraryException):
    def __init__(self) -> None:
        super().__init__(8)


class AmdSmiParameterException(AmdSmiException):
    def __init__(self, received: object, expected: str) -> None:
        super().__init__()
        self.err_code = None
        self.err_msg = (
            f"Invalid parameter:\nActual type: {type(received)}\nExpected type: {expected}"
        )

    def __str__(self) -> str:
        return self.err_msg


def _checked(code: int) -> None:
    """As the package's ``_check_res``."""
    if code == 9:
        raise AmdSmiRetryException
    if code == 8:
        raise AmdSmiTimeoutException
    if code:
        raise AmdSmiLibraryException(code)


@dataclass(eq=False)
class Card:
    """One GPU of `FakeAmdSmi`.

    Its accumulator counts steps of *step_j* and is refreshed every *hold_s*; its power, a mean
    over *averaged_s* in whole watts, every *refresh_s* in the field *shows*. What is in *given*
    stands in the answers of its functions instead of what they would be.
    """

    bdf: str
    power: KnownPower
    name: str = "AMD Instinct MI300X"
    hold_s: float = 0.001
    phase_s: float = 0.0
    step_j: float = DRIVER_STEP_J
    resolution_uj: float = LIBRARY_STEP_UJ
    start: int = 3_000_000_000
    counts_as: str = "energy_accumulator"
    insane: float = 1.0
    stuck_at: int | None = None
    shows: Sequence[str] = ("current_socket_power", "socket_power")
    refresh_s: float = 0.001
    averaged_s: float = 0.0
    rounds: bool = True
    missing: int = 0xFFFF
    limit: int = 750
    errors: dict[str, int | Exception] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    violates: Mapping[str, Any] | None = None

    def tick(self, now_s: float, hold_s: float) -> float:
        return max(0.0, (now_s - self.phase_s) // hold_s * hold_s + self.phase_s)

    def counts(self, now_s: float) -> int:
        if self.stuck_at is not None:
            return self.stuck_at
        joules = self.power.energy(0, self.tick(now_s, self.hold_s))
        return self.start + int(joules * self.insane / self.step_j)

    def watts(self, now_s: float) -> int:
        now = self.tick(now_s, self.refresh_s)
        mean = self.power.mean(max(0.0, now - self.averaged_s), now)
        return round(mean) if self.rounds else int(mean)


def card(power: KnownPower, bdf: str = "0000:03:00.0", /, **how: Any) -> Card:
    return Card(bdf, power, **how)


class FakeAmdSmi(ModuleType):
    """What the meter uses of amdsmi; *errors* by function, for all GPUs, or a card's own."""

    AmdSmiException = AmdSmiException
    AmdSmiLibraryException = AmdSmiLibraryException

    def __init__(
        self,
        cards: Sequence[Card],
        clock: VirtualClock,
        errors: Mapping[str, int | Exception] | None = None,
    ) -> None:
        super().__init__("amdsmi")
        self.cards, self.clock, self.errors = list(cards), clock, dict(errors or {})
        self.open = 0
        self.calls: list[str] = []

    def _call(self, function: str, handle: object = None) -> float:
        """Raises what it is told to, and gives the time, s."""
        self.calls.append(function)
        if handle is not None and not isinstance(handle, Card):
            raise AmdSmiParameterException(handle, "amdsmi_processor_handle")
        fault = self.errors.get(function)
        if fault is None and isinstance(handle, Card):
            fault = handle.errors.get(function)
        if isinstance(fault, Exception):
            raise fault
        _checked(fault or 0)
        if function != "amdsmi_init" and not self.open:
            raise AmdSmiLibraryException(32)
        self.clock.now_ns += self.clock.step_ns // 2
        return self.clock.now_ns / 1e9

    def amdsmi_init(self) -> None:
        self._call("amdsmi_init")
        self.open += 1

    def amdsmi_shut_down(self) -> None:
        self._call("amdsmi_shut_down")
        self.open -= 1

    def amdsmi_get_processor_handles(self) -> list[Card]:
        self._call("amdsmi_get_processor_handles")
        return list(self.cards)

    def amdsmi_get_gpu_device_bdf(self, handle: Card) -> str:
        self._call("amdsmi_get_gpu_device_bdf", handle)
        return handle.bdf

    def amdsmi_get_gpu_asic_info(self, handle: Card) -> dict[str, Any]:
        self._call("amdsmi_get_gpu_asic_info", handle)
        return {"market_name": handle.name, "vendor_id": "0x1002"}

    def amdsmi_get_energy_count(self, handle: Card) -> dict[str, Any]:
        now_s = self._call("amdsmi_get_energy_count", handle)
        found: dict[str, Any] = {
            handle.counts_as: handle.counts(now_s),
            "counter_resolution": handle.resolution_uj,
            "timestamp": round(now_s * 1e9),
        }
        return found | {key: handle.given[key] for key in found if key in handle.given}

    def amdsmi_get_power_info(self, handle: Card) -> dict[str, Any]:
        now_s = self._call("amdsmi_get_power_info", handle)
        found: dict[str, Any] = {
            "socket_power": handle.missing,
            "current_socket_power": handle.missing,
            "average_socket_power": handle.missing,
            "gfx_voltage": 780,
            "soc_voltage": 0xFFFF,
            "mem_voltage": 0xFFFF,
            "power_limit": handle.limit,
        }
        found |= dict.fromkeys(handle.shows, handle.watts(now_s))
        found |= {key: handle.given[key] for key in found if key in handle.given}
        return {key: "N/A" if value == 0xFFFF else value for key, value in found.items()}

    def amdsmi_get_violation_status(self, handle: Card) -> dict[str, Any]:
        self._call("amdsmi_get_violation_status", handle)
        if handle.violates is None:
            raise AmdSmiLibraryException(2)
        self.clock.pass_s(0.1)  # the library takes two samples 100 ms apart
        return dict(handle.violates)

    def amdsmi_get_gpu_metrics_info(self, handle: Card) -> dict[str, Any]:
        self._call("amdsmi_get_gpu_metrics_info", handle)
        return {"throttle_status": handle.given.get("throttle_status", "N/A")}
