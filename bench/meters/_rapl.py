"""What the RAPL meters share: units, limits, channels and readings. Source: counters.md §1."""

import re
from pathlib import Path
from typing import NamedTuple

from bench.meter import Channel, Probe, Status
from bench.meters._cpu import AMD_VENDORS, Cpu
from bench.meters._rapl_zones import BOUNDARIES, Identity, Zone, read_number
from bench.quantities import Kind

COUNTS = 2**32  # every RAPL energy register counts in 32 bits
# Powers that no domain exceeds, W: (where no limit is readable, least that is believed).
# The largest sockets are sold with 500 W; two terabytes of DRAM draw below 200 W; a platform
# counter covers two sockets. A limit may be lowered by the user while peaks stay: hence the floor.
_P_MAX_W = {
    "package": (750.0, 100.0),
    "core": (750.0, 100.0),
    "uncore": (300.0, 100.0),
    "dram": (200.0, 50.0),
    "psys": (2000.0, 200.0),
}
_LIMIT_MARGIN = 1.5  # a power limit holds over its time window, and is exceeded within it
_PLAUSIBLE_LIMIT_W = (1.0, 2000.0)  # unlocked parts say 4095 W, absent ones 0 W
_UNKNOWN_STEP_J = 1e-3  # larger than every unit in the field but that of psys
_SERVER_DRAM_NJ = 15_300  # fixed by the data sheets of Haswell to Ice Lake servers
_QEMU_INTERVAL_S = 0.5  # hardware refreshes every 1 ms, QEMU's emulation every 1 s
_PROBE_S, _VIRTUAL_PROBE_S = 0.25, 4.5  # both show several intervals
_COARSE_J, _COARSE_PROBE_S = 0.1, 2.0  # a psys in steps of 1 J moves a few times a second


class Scale(NamedTuple):
    """The number model of one counter.

    Args:
        resolution_j: Smallest visible step, J.
        wrap_j: Modulus, J; None if the driver does not tell it.
        most_uj: Largest value that the counter shows, µJ; None if the driver does not tell it.
        most_true: How much larger than what is shown the true energy may be, as a factor.
    """

    resolution_j: float
    wrap_j: float | None
    most_uj: int | None
    most_true: float = 1.0


def scale(most_uj: int | None, domain: str) -> Scale:
    """The number model that follows from ``max_energy_range_uj``.

    The driver prints ``floor(count · unit / 1000)`` µJ with a unit in whole nJ. The modulus is
    2^32 units, which is the largest value *plus one step*. Kernels that kept a fraction of a nJ
    fit no whole unit; for them the step is the largest value divided by 2^32 - 1.
    Broken old systems say 0: then there is no modulus, and a decrease is a reset.

    >>> scale(262143328850, "package").wrap_j
    262143.32891136
    """
    if not most_uj:
        return Scale(1.0 if domain == "psys" else _UNKNOWN_STEP_J, None, None)
    unit_nj = -(-most_uj * 1000 // (COUNTS - 1))
    exact = (COUNTS - 1) * unit_nj // 1000 == most_uj
    step_j = unit_nj / 1e9 if exact else most_uj / (COUNTS - 1) / 1e6
    # The text is cut to whole µJ, which adds up to one µJ to what a difference may be off.
    return Scale(step_j + 1e-6, COUNTS * step_j, most_uj, truncation(unit_nj) if exact else 1.0)


def truncation(unit_nj: int) -> float:
    """How much larger the hardware's unit may be than the whole nJ that the driver makes of it.

    The hardware counts in 2^-ESU J, and the driver in ``10^9 >> ESU`` nJ. Units that are given in
    µJ or nJ are not cut: those of server DRAM, of a psys in J, and of Atoms in 2^n µJ.

    >>> round(truncation(61035), 9), truncation(15300), truncation(10**9)
    (1.00000256, 1.0, 1.0)
    """
    if unit_nj == _SERVER_DRAM_NJ or unit_nj % 1000 == 0:
        return 1.0
    for esu in range(32):
        if 10**9 >> esu == unit_nj:
            return 1e9 / (1 << esu) / unit_nj
    return (unit_nj + 1) / unit_nj


def energy_j(text: bytes, most_uj: int | None) -> float:
    """Joules of an ``energy_uj`` text.

    Raises:
        ValueError: It is empty, cut short, no number, or larger than the counter can show.
    """
    if not re.fullmatch(rb"[0-9]+\n", text):
        found = "nothing" if not text else ascii(text.decode("latin-1"))
        raise ValueError(f"found {found}, wanted a line with a number of µJ")
    value_uj = int(text)
    if most_uj is not None and value_uj > most_uj:
        raise ValueError(f"found {value_uj} µJ, more than the counter can show ({most_uj} µJ)")
    return value_uj / 1e6  # powercap counts µJ


def p_max_w(zone: Path | None, domain: str) -> float:
    """Power that the domain cannot exceed, W: from its power limits, or the largest known."""
    default, least = _P_MAX_W[domain]
    if zone is None:
        return default
    low, high = _PLAUSIBLE_LIMIT_W
    found: dict[str, list[float]] = {"power_limit_uw": [], "max_power_uw": []}
    for constraint in range(3):  # long_term, short_term, peak_power
        for what, limits in found.items():
            number = read_number(zone / f"constraint_{constraint}_{what}")
            if number is not None:
                limits.append(number / 1e6)
    if any(limit > high for limit in found["power_limit_uw"]):
        return default  # the limit is switched off: the part may draw more than its nominal power
    plausible = [limit for limits in found.values() for limit in limits if low <= limit <= high]
    return max(least, _LIMIT_MARGIN * max(plausible)) if plausible else default


def describe(
    zone: Zone | None, what: Identity, number_model: Scale, *, seen: Probe, origin: str, cpu: Cpu
) -> Channel:
    """The channel of a counter that was seen to move.

    Args:
        zone: Where its power limits are read, if anywhere.
        what: Its channel id and domain.
        number_model: Its step and its modulus.
        seen: What probing it showed.
        origin: Where it is read, such as ``powercap:intel-rapl:0``.
        cpu: The processor, which decides what its joules are worth.
    """
    kind, factors, note = Kind.MEASURED, (1.0, number_model.most_true), ""
    if cpu.virtual and seen.update_interval_s >= _QEMU_INTERVAL_S:
        kind, factors = Kind.ESTIMATED, (0.5, 2.0)
        note = (
            "a hypervisor's share of the host's energy by CPU time (QEMU RAPL), updated every"
            f" {seen.update_interval_s:.2g} s; the truth may lie between 0.5 and 2 times this"
        )
    elif cpu.virtual:
        note = "read in a virtual machine: the host's counter, with the other guests in it"
    elif cpu.vendor in AMD_VENDORS:
        note = "AMD derives this counter from an activity model inside the processor"
    most_w, wrap = p_max_w(zone.path if zone else None, what.domain), number_model.wrap_j
    return Channel(
        id=what.channel,
        domain=what.domain,
        kind=kind,
        boundary=BOUNDARIES[what.domain],
        resolution=number_model.resolution_j,
        update_interval_s=seen.update_interval_s,
        wrap=wrap,
        p_max_w=most_w,
        origin=origin,
        range=factors,
        note=note,
        # more than one wrap between two readings cannot be told from one
        poll_s=None if wrap is None else wrap / (2 * most_w),
    )


def probe_s(number_model: Scale, cpu: Cpu) -> float:
    """How long a counter is watched at most before it counts as standing still, s."""
    if cpu.virtual:
        return _VIRTUAL_PROBE_S
    return _COARSE_PROBE_S if number_model.resolution_j >= _COARSE_J else _PROBE_S


def stands_still(joules: float, longest_s: float) -> tuple[Status, str, str]:
    """Status, reason and fix of a counter that showed the same *joules* while it was watched."""
    if joules == 0:
        reason = f"its counter showed exactly 0 J for {longest_s:g} s, which stands for no value"
        return Status.NOT_SUPPORTED, reason, "nothing to do: this part has no such counter"
    reason = f"its counter stood still for {longest_s:g} s while it was watched"
    return Status.STALE, reason, "nothing to do: this part does not feed it"
