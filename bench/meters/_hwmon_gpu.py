"""GPUs in the hwmon class: AMD's power gauge, and Intel's energy counters.

Source: shared/counters.md §3.2 and §3.3, and the kernel's amdgpu_pm.c, i915_hwmon.c, xe_hwmon.c.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from bench.meter import Channel
from bench.meters._hwmon_device import Device, slug
from bench.meters._hwmon_source import LIMIT_MARGIN, Source
from bench.quantities import Kind

_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_I915 = re.compile(r"i915(?:_gt(\d+))?")
_ENERGY = re.compile(r"energy(\d+)_input")
_POWER = re.compile(r"power(\d+)_(?:average|input)")

_PLAUSIBLE_LIMIT_W = (1.0, 1500.0)
# More than any board draws, and less than the 4295 W of a negative error printed as unsigned.
_AMD_P_MAX_W, _INTEL_P_MAX_W = 2000.0, 1000.0
# Depending on the part the driver shows whole watts, or 1/256 W as if they were milliwatts.
_AMD_STEP_W = 1.0
_AMD_WINDOW_S = 1.0
_INTEL_STEP_J = 1e-3  # larger than the units in the field, 61 µJ
# Both drivers extend a register of 32 bits, and only when it is read. Its steps are 2**-14 J;
# this is what 2**-16 J would give, the finest of Intel's units.
_INTEL_MODULUS_UJ = 2**16 * 10**6
_INTEL_POLL_S = 60.0


def gpu_sensors(device: Device) -> Iterator[Source]:
    """The sensors of a GPU's hwmon device; none if it is no GPU."""
    if device.name == "amdgpu":
        yield from _amd(device)
    elif device.name == "xe" or _I915.fullmatch(device.name):
        for match in device.matching(_ENERGY):
            path = device.find(match[0])
            if path is not None:
                yield _intel(device, int(match[1]), path)


def _p_max_w(device: Device, attributes: tuple[str, ...], default: float) -> float:
    """Power that the device cannot exceed, W: from its limits, or the largest known."""
    low, high = _PLAUSIBLE_LIMIT_W
    limits = [(device.number(attribute) or 0) / 1e6 for attribute in attributes]  # µW
    plausible = [limit for limit in limits if low <= limit <= high]
    return LIMIT_MARGIN * max(plausible) if plausible else default


def _amd(device: Device) -> Iterator[Source]:
    """The board of a discrete GPU; the limits of an APU are of CPU and GPU together."""
    taken: set[str] = set()
    for match in device.matching(_POWER):  # the average before the instant
        path, number = device.find(match[0]), match[1]
        if number in taken or path is None:
            continue
        taken.add(number)
        label = device.text(f"power{number}_label") or f"power{number}"
        board = number == "1" and label in {"PPT", "power1"} and _PCI.fullmatch(device.home.name)
        notes = ["reading it wakes a GPU that sleeps"]
        place, domain = f"gpu/{device.home.name}/board", "gpu"
        boundary = "gpu-board"
        if not board or device.find("power1_cap") is None:
            # The driver shows no limit for APUs, and their PPT is of the whole socket.
            place, domain = f"sensor/{device.key}/{slug(label)}", "sensor"
            boundary = f"unknown: {label}"
            notes.append("it looks like an APU, whose reading contains its CPU cores")
        averages = match[0].endswith("average")
        if averages:
            notes.append(
                f"it averages over a time that is not told; {_AMD_WINDOW_S:g} s is assumed"
            )
        channel = Channel(
            id=place,
            domain=domain,
            kind=Kind.SAMPLED,
            boundary=boundary,
            resolution=_AMD_STEP_W,
            update_interval_s=_AMD_WINDOW_S,
            wrap=None,
            p_max_w=_p_max_w(device, ("power1_cap_max", "power1_cap"), _AMD_P_MAX_W),
            origin=f"hwmon:{device.key}/{match[0]}",
            note="; ".join(notes),
            unit="W",
            averaging_window_s=_AMD_WINDOW_S,
        )
        yield Source(device, f"power{number}", label, "µW", (path,), channel)


def _intel(device: Device, number: int, path: Path) -> Source:
    label = device.text(f"energy{number}_label") or f"energy{number}"
    part = _intel_part(device, number, label)
    address = device.home.name
    note = "reading it wakes a GPU that sleeps"
    place, domain, boundary = f"sensor/{device.key}/{slug(label)}", "sensor", f"unknown: {label}"
    if part is not None and _PCI.fullmatch(address):
        place, domain, boundary = f"gpu/{address}/{part[0]}", "gpu", part[1]
    if address.startswith("0000:00:"):
        place, domain = f"sensor/{device.key}/{slug(label)}", "sensor"
        note = "a GPU inside the processor: its energy is in the CPU package already"
    limits = tuple(f"power{n}_{limit}" for n in (1, 2) for limit in ("rated_max", "max"))
    p_max_w = _p_max_w(device, limits, _INTEL_P_MAX_W)
    channel = Channel(
        id=place,
        domain=domain,
        kind=Kind.MEASURED,
        boundary=boundary,
        resolution=_INTEL_STEP_J,
        update_interval_s=0.0,
        wrap=_INTEL_MODULUS_UJ / 1e6,
        p_max_w=p_max_w,
        origin=f"hwmon:{device.key}/{path.name}",
        note=note,
        poll_s=min(_INTEL_POLL_S, _INTEL_MODULUS_UJ / 1e6 / (2 * p_max_w)),
    )
    return Source(
        device,
        f"energy{number}",
        label,
        "µJ",
        (path,),
        channel,
        needs=(f"gpu/{address}/board",) if boundary == "gpu-tile" else (),
        modulus_uj=_INTEL_MODULUS_UJ,
    )


def _intel_part(device: Device, number: int, label: str) -> tuple[str, str] | None:
    """What a counter's id ends in, and its boundary; None if nobody knows."""
    if device.name != "xe":
        tile = _I915.fullmatch(device.name)
        if number != 1 or tile is None:
            return None
        return (f"board/gt{tile[1]}", "gpu-tile") if tile[1] else ("board", "gpu-board")
    known = {"card": ("board", "gpu-board"), "pkg": ("package", "gpu-package")}
    return known.get(label) or known.get({1: "card", 2: "pkg"}.get(number, ""))
