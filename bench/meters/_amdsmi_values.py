"""What AMD's management library says, in SI units and in words: pure functions.

Names, codes and sentinels are those of the Python package amdsmi 7.0.2, read in its source.
"""

import math
from collections.abc import Mapping
from typing import Any

from bench.meter import Status

POWER_KEYS = ("current_socket_power", "average_socket_power", "socket_power")
"""Where a GPU's power may be: MI300 and later, older and Navi, either."""

P_MAX_W = 1500.0
"""Above every board and module that is sold; used where no limit can be read."""

AVERAGED_OVER_S = {"current_socket_power": 0.1}
"""Time over which a gauge averages, s; AMD documents it for none, so it is taken large."""

AVERAGED_OVER_DEFAULT_S = 1.0

_LIMIT_MARGIN = 1.5  # the limit holds on average; boards exceed it for milliseconds
_PLAUSIBLE_LIMIT_W = (10.0, 3000.0)
# 0xFFFF becomes "N/A" in the package; the wider fields are passed on as they are.
_MISSING = {0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}
_DRIVER_STEP_J = 2.0**-16  # "15.259uJ (2^-16) units", amdgpu's kgd_pp_interface.h
_STEP_DOUBT = 0.01
_SANE = (0.1, 10.0)  # rise over power × time; source: zeus device/gpu/amd.py

_STATUS = {
    2: Status.NOT_SUPPORTED,
    3: Status.NOT_SUPPORTED,  # not yet implemented
    8: Status.TIMEOUT,
    10: Status.PERMISSION,
    31: Status.LOST,  # device not found
    32: Status.LOST,  # no longer initialised
    34: Status.UNAVAILABLE,  # the driver is not loaded
    51: Status.UNAVAILABLE,
    52: Status.LOST,  # its file is gone
    54: Status.LOST,  # the driver did not restart
}
_FIXES = {
    Status.NOT_SUPPORTED: (
        "virtual machines and older GPUs have no such counter: measure on bare metal,"
        " or outside with a wall meter"
    ),
    Status.TIMEOUT: "see dmesg for amdgpu messages; the GPU may be in reset",
    Status.PERMISSION: (
        "add this user to the groups that own /dev/kfd and /dev/dri:"
        ' sudo usermod -aG video,render "$USER"; then log in again;'
        " in a container: --device /dev/kfd --device /dev/dri --group-add video"
    ),
    Status.LOST: "see dmesg for amdgpu messages; a lost GPU needs a reset or a reboot",
    Status.UNAVAILABLE: "load the driver: sudo modprobe amdgpu; amd-smi list must show the GPU",
    Status.ERROR: "see dmesg for amdgpu messages; amd-smi metric must work first",
}
_VIOLATIONS = {
    "active_prochot_thrm": "processor hot",
    "active_ppt_pwr": "power limit",
    "active_socket_thrm": "socket temperature",
    "active_vr_thrm": "voltage regulator temperature",
    "active_hbm_thrm": "memory temperature",
}


def number(value: object) -> float | None:
    """A field as a number, or None where the library says that it has none.

    >>> number(94), number("N/A"), number(0xFFFF), number(0xFFFFFFFF), number(None)
    (94.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value in _MISSING:
        return None
    return float(value) if math.isfinite(value) else None


def power_key(info: Mapping[str, Any]) -> str | None:
    """The field of ``amdsmi_get_power_info`` that holds this GPU's power; None if none does.

    One that is not zero goes first, for some releases show 0 where a field has no value.

    >>> power_key({"current_socket_power": "N/A", "average_socket_power": 94})
    'average_socket_power'
    >>> power_key({"current_socket_power": 0, "average_socket_power": 94})
    'average_socket_power'
    """
    found = {key: number(info.get(key)) for key in POWER_KEYS}
    for key, value in found.items():
        if value:
            return key
    return next((key for key, value in found.items() if value is not None), None)


def watts(info: Mapping[str, Any], key: str, most_w: float) -> float:
    """Power of one field of ``amdsmi_get_power_info``, which gives whole W.

    Raises:
        ValueError: It has no value, or one that the GPU cannot draw.
    """
    value = number(info.get(key))
    if value is None:
        raise ValueError(f"{key} shows {info.get(key)!r}, which stands for no value")
    if not 0 <= value <= most_w:
        raise ValueError(f"{key} shows {value:g} W, and the GPU can draw 0 to {most_w:g} W")
    return value


def step_j(count: Mapping[str, Any]) -> float:
    """Joules of one count of the energy accumulator, as the library gives them.

    Raises:
        ValueError: There is no resolution, or none that a counter can have.
    """
    resolution_uj = number(count.get("counter_resolution"))  # a float in µJ, 15.3 so far
    if resolution_uj is None or resolution_uj <= 0:
        raise ValueError(f"counter_resolution is {count.get('counter_resolution')!r}")
    return resolution_uj * 1e-6


def energy_j(count: Mapping[str, Any]) -> float:
    """Joules of an answer of ``amdsmi_get_energy_count``: counts × µJ a count.

    The accumulator was called ``power`` before release 6.2.1.

    Raises:
        ValueError: It has no value.

    >>> energy_j({"energy_accumulator": 2_000_000, "counter_resolution": 15.5, "timestamp": 1})
    31.0
    """
    counts = count.get("energy_accumulator", count.get("power"))
    if number(counts) is None or counts < 0:
        raise ValueError(f"the energy accumulator shows {counts!r}, which stands for no value")
    return int(counts) * step_j(count)


def true_range(joules_a_step: float) -> tuple[float, float]:
    """Factors within which the truth lies, for the library's step and the driver's differ.

    The library multiplies by 15.3 µJ (its ``kEnergyCounterResolution``), the driver's table says
    2^-16 J = 15.259 µJ. Where the two are that close, either may be right.

    >>> low, high = true_range(15.3e-6)
    >>> round(low, 4), high
    (0.9973, 1.0)
    >>> true_range(1e-3)
    (1.0, 1.0)
    """
    factor = _DRIVER_STEP_J / joules_a_step
    if abs(factor - 1) > _STEP_DOUBT:
        return 1.0, 1.0
    return min(factor, 1.0), max(factor, 1.0)


def p_max_w(limit: object) -> float:
    """Power that the GPU cannot exceed, W, from ``power_limit``: W, µW in some releases.

    >>> p_max_w(750), p_max_w(560_000_000), p_max_w("N/A"), p_max_w(0)
    (1125.0, 840.0, 1500.0, 1500.0)
    """
    value = number(limit)
    low, high = _PLAUSIBLE_LIMIT_W
    for limit_w in () if value is None else (value, value / 1e6):
        if low <= limit_w <= high:
            return _LIMIT_MARGIN * limit_w
    return P_MAX_W


def distrust(
    rise_j: float, seconds: float, drawn_w: tuple[float, ...]
) -> tuple[Status, str] | None:
    """Why a counter that rose so much is not believed, or None if it is.

    Args:
        rise_j: How much it rose while it was watched, J.
        seconds: How long that was.
        drawn_w: The power that the GPU showed then, W.

    Source: ROCm/amdsmi#38 (implausible), ROCm/rocm_smi_lib#180 (stuck); the limits are zeus's.
    """
    if not any(drawn_w):
        reason = "its energy counter cannot be checked: the GPU shows no power beside it"
        return Status.INVALID, reason
    shown = (
        f"{min(drawn_w):g} to {max(drawn_w):g} W" if len(set(drawn_w)) > 1 else f"{drawn_w[0]:g} W"
    )
    if rise_j == 0:
        reason = f"its energy counter stood still for {seconds:.2g} s while it drew {shown}"
        return Status.STALE, reason
    least, most = (
        factor * watts * seconds
        for factor, watts in zip(_SANE, (min(drawn_w), max(drawn_w)), strict=True)
    )
    if least <= rise_j <= most:
        return None
    reason = (
        f"its energy counter moved by {rise_j:.4g} J in {seconds:.2g} s while it drew {shown}:"
        " it is wrong on some boards (ROCm/amdsmi#38)"
    )
    return Status.INVALID, reason


def explain(error: Exception) -> tuple[Status, str, str]:
    """Status, reason and fix of what the library raised, by its code where it has one."""
    code = getattr(error, "err_code", None)
    if code is None:
        text = " ".join(str(error).split()) or type(error).__name__
        return Status.ERROR, f"amdsmi gave no value ({text})", _FIXES[Status.ERROR]
    status = _STATUS.get(code, Status.ERROR)
    said = getattr(error, "err_info", "") or type(error).__name__
    return status, f"amdsmi says {said} (code {code})", _FIXES[status]


def violations(status: Mapping[str, Any]) -> tuple[str, ...]:
    """What an answer of ``amdsmi_get_violation_status`` says is limited now.

    A field is True, False or ``"N/A"``.

    >>> violations({"active_ppt_pwr": True, "active_hbm_thrm": "N/A", "active_vr_thrm": False})
    ('power limit',)
    """
    return tuple(text for field, text in _VIOLATIONS.items() if status.get(field) is True)
