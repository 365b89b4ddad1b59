"""Other sensors of the hwmon class: AMD's energy driver, and those of which nobody says more.

What a bare sensor contains only the person knows who soldered it in. It is shown and never added,
unless ``JOULES_HWMON`` says what it is: ``ina226/power1=board/dc``, several divided by ``;``.
Source: shared/counters.md §6.1.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bench.meter import Channel, MeterUnavailable, Status, Unusable
from bench.meters._hwmon_device import Device, slug
from bench.meters._hwmon_source import ASSUMED_S, LIMIT_MARGIN, P_MAX_W, Source, Steps
from bench.quantities import Kind

_ENERGY = re.compile(r"energy(\d+)_input")
_POWER = re.compile(r"power(\d+)_(input|average)")
_SOCKET = re.compile(r"Esocket(\d+)")
_CORE = re.compile(r"Ecore\d+")
_FAMILIES = ("battery", "board", "cpu", "gpu", "module", "wall")
_CPU_P_MAX_W = 750.0  # the largest sockets are sold with 500 W
_STEP_J = 1e-3  # larger than the unit of every counter in the field
_STEP_SHARE = 0.01  # a PMBus chip shows 10 bits of it, so that its step grows with the power
_PLAUSIBLE_LIMIT_W = (0.1, P_MAX_W)
# Step and end of the shunt voltage, V; step and end of the bus voltage, V; steps of current in
# one step of power. Source: the kernel's ina2xx.c, and the data sheets of TI.
_INA2XX = {
    **dict.fromkeys(("ina219", "ina220"), (10e-6, 0.32, 4e-3, 32.0, 20)),
    **dict.fromkeys(("ina226", "ina230", "ina231"), (2.5e-6, 0.08192, 1.25e-3, 36.0, 25)),
}


def cpu_counters(device: Device) -> Iterator[Source | Unusable]:
    """The sockets of AMD's driver ``amd_energy``; its cores are inside them."""
    cores: list[str] = []
    for match in device.matching(_ENERGY):
        label = device.text(f"energy{match[1]}_label")
        socket = _SOCKET.fullmatch(label)
        if socket is None:
            cores += [label] if _CORE.fullmatch(label) else []
            continue
        place = f"cpu/{int(socket[1])}/package"
        note = "AMD derives this counter from an activity model inside the processor"
        yield _counter(device, match, label, (place, "package", "cpu-package"), note)
    if cores:
        reason = f"{len(cores)} cores ({cores[0]} to {cores[-1]}) are inside their sockets"
        yield Unusable(str(device), Status.NOT_SUPPORTED, reason, "nothing to do")


def other_sensors(device: Device) -> Iterator[Source]:
    """Every counter and every gauge of a device that is not known."""
    names: set[str] = set()
    for match in (*device.matching(_ENERGY), *_gauges(device)):
        attribute = match[0].rpartition("_")[0]
        label = device.text(f"{attribute}_label") or attribute
        name = slug(label) if slug(label) not in names else f"{slug(label)}-{attribute}"
        names.add(name)
        place = f"sensor/{device.key}/{name}", "sensor", f"unknown: {label}"
        if match.re is _ENERGY:
            yield _counter(device, match, label, place, "")
        else:
            yield _gauge(device, match, label, place)


def _gauges(device: Device) -> Iterator[re.Match[str]]:
    """One attribute of each power: what it shows now, or else its mean."""
    taken: set[str] = set()
    for match in sorted(device.matching(_POWER), key=lambda match: match[2] == "average"):
        if match[1] not in taken:
            taken.add(match[1])
            yield match


def _counter(
    device: Device, match: re.Match[str], label: str, place: tuple[str, str, str], note: str
) -> Source:
    path = device.find(match[0]) or device.path / match[0]
    channel = Channel(
        id=place[0],
        domain=place[1],
        kind=Kind.MEASURED,
        boundary=place[2],
        resolution=_STEP_J,
        update_interval_s=0.0,
        wrap=None,
        p_max_w=_CPU_P_MAX_W if place[1] == "package" else P_MAX_W,
        origin=f"hwmon:{device.key}/{match[0]}",
        note=note,
    )
    return Source(device, f"energy{match[1]}", label, "µJ", (path,), channel)


def _gauge(device: Device, match: re.Match[str], label: str, place: tuple[str, str, str]) -> Source:
    path = device.find(match[0]) or device.path / match[0]
    update_ms = device.number("update_interval")
    window_ms = (
        device.number(f"power{match[1]}_average_interval") if match[2] == "average" else None
    )
    stated = update_ms is not None and update_ms > 0
    interval_s = (update_ms + 0.5) / 1e3 if update_ms and stated else ASSUMED_S
    window_s = window_ms / 1e3 if window_ms and window_ms > 0 else interval_s
    limits = [
        (device.number(f"power{match[1]}_{limit}") or 0) / 1e6  # µW
        for limit in ("max", "crit", "cap_max", "rated_max")
    ]
    low, high = _PLAUSIBLE_LIMIT_W
    plausible = [LIMIT_MARGIN * limit for limit in limits if low <= limit <= high]
    steps = _ina2xx_steps(device)
    channel = Channel(
        id=place[0],
        domain=place[1],
        kind=Kind.SAMPLED,
        boundary=place[2],
        resolution=1e-6 if steps else 0.0,
        update_interval_s=interval_s,
        wrap=None,
        p_max_w=max(plausible, default=P_MAX_W),
        origin=f"hwmon:{device.key}/{match[0]}",
        note=""
        if stated
        else f"how often it is refreshed is not told; {interval_s:g} s is assumed",
        unit="W",
        averaging_window_s=window_s,
    )
    return Source(
        device,
        f"power{match[1]}",
        label,
        "µW",
        (path,),
        channel,
        steps=steps,
        stated=stated,
        step_share=_STEP_SHARE,
    )


def _ina2xx_steps(device: Device) -> Steps | None:
    """The steps of a TI chip that multiplies volts and amperes itself."""
    known, volts = _INA2XX.get(device.name), device.find("in1_input")
    ohms_u = device.number("shunt_resistor")
    if known is None or volts is None or not ohms_u or ohms_u < 0:
        return None
    shunt_step, shunt_end, volts_step, volts_end, factor = known
    amps_step = shunt_step / (ohms_u / 1e6)
    return Steps(
        volts,
        volts_step,
        amps_step,
        most_amps=shunt_end / (ohms_u / 1e6),
        power_step=factor * amps_step,
        most_volts=volts_end,
    )


def wanted_places(text: str) -> Mapping[str, str]:
    """What ``JOULES_HWMON`` says: channel id by sensor.

    >>> wanted_places("ina226/power1=board/dc; ina226-1-0041/power1 = module/soc")
    {'ina226/power1': 'board/dc', 'ina226-1-0041/power1': 'module/soc'}

    Raises:
        MeterUnavailable: It cannot be understood.
    """
    wanted: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        sensor, equals, place = (piece.strip() for piece in part.partition("="))
        family, slash, rest = place.partition("/")
        fits = equals and "/" in sensor and slash and rest and family in _FAMILIES
        if not fits or re.search(r"[#\s]|//|/$", place) or sensor in wanted:
            families = ", ".join(_FAMILIES)
            raise MeterUnavailable(
                f"JOULES_HWMON says {part!r}, wanted each sensor once, as in"
                " ina226/power1=board/dc",
                f"name the sensor as NAME/ATTRIBUTE, and a channel that begins with {families}",
                Status.INVALID,
            )
        wanted[sensor] = place
    return wanted


def placed(sources: Iterable[Source], wanted: Mapping[str, str]) -> tuple[Source, ...]:
    """The sources, those that the user knows in the places that he gives them.

    Raises:
        MeterUnavailable: A sensor is not there, or several have that name.
    """
    result = list(sources)
    for sensor, place in wanted.items():
        found = [index for index, source in enumerate(result) if sensor in _names(source)]
        if len(found) != 1:
            there = [_names(source)[2] for source in result]
            several = [_names(result[index])[2] for index in found]
            count = "several sensors are" if several else "no sensor is"
            raise MeterUnavailable(
                f"JOULES_HWMON names {sensor}, and {count} called that",
                f"choose from {', '.join(several or there) or 'none: there is no sensor'}",
                Status.INVALID,
            )
        source = result[found[0]]
        family = place.partition("/")[0]
        channel = replace(
            source.channel,
            id=place,
            domain=family,
            boundary=place.rpartition("/")[2],
            note="; ".join(filter(None, ("placed by JOULES_HWMON", source.channel.note))),
        )
        result[found[0]] = replace(source, channel=channel, needs=())
    return tuple(result)


def _names(source: Source) -> tuple[str, ...]:
    """What a user may call a sensor; the third is the same at each boot, and its own."""
    device = source.device
    return (
        f"{device.name}/{source.attribute}",
        f"{device.name}/{source.label}",
        f"{device.key}/{source.attribute}",
        f"{device.key}/{source.label}",
    )
