"""ACPI power meters: of a server, and of NVIDIA Grace and Grace Hopper.

The firmware of Grace says in ``power1_oem_info`` what a meter measures. A module holds its socket
and its GPU, and a socket its rails and its DRAM; so parts are never added to their total, and
never stand for it. Source: shared/counters.md §6.2, and NVIDIA's own classification of the texts.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.meter import Channel, Status, Unusable
from bench.meters._hwmon_device import Device, slug
from bench.meters._hwmon_source import ASSUMED_S, P_MAX_W, Source
from bench.quantities import Kind


@dataclass(frozen=True, slots=True)
class _Part:
    """What a text of the firmware stands for.

    Args:
        text: Pattern of the whole text, in any case.
        id: The channel, with the socket's number to put in.
        domain: The channel's.
        boundary: The channel's.
        p_max_w: Power that it never exceeds, W.
    """

    text: str
    id: str
    domain: str
    boundary: str
    p_max_w: float


_POWER = r"(?: input)? power(?: in uw)? socket (\d+)"
_PARTS = (
    _Part(rf"module{_POWER}", "module/{}", "module", "grace-hopper-module", 3000.0),
    _Part(rf"(?:grace|total){_POWER}", "cpu/{}/socket", "socket", "cpu-socket", 1500.0),
    _Part(rf"cpu(?: rail)?{_POWER}", "cpu/{}/socket/cpu", "rail", "cpu-rail", 1500.0),
    _Part(rf"(?:sysio|soc rail){_POWER}", "cpu/{}/socket/sysio", "rail", "sysio-rail", 1500.0),
    _Part(rf"dram{_POWER}", "cpu/{}/socket/dram", "dram", "dram", 1500.0),
)
_PLAIN = _Part("", "board/acpi0", "board", "platform", P_MAX_W)
_REFUSALS = (
    (r"\benergy\b", "it holds an energy in a file for powers"),
    (r"\boutput power\b", "it is a second view of a rail whose input is measured"),
    (r"^chipthrot\b", "it counts throttling and no power"),
)


def acpi_meters(devices: Iterable[Device]) -> Iterator[Source | Unusable]:
    """The ACPI power meters among *devices*, by what their firmware calls them.

    One meter without a text is that of the whole machine. Of several nobody knows which of them
    contain which, so they are shown and never added.
    """
    meters = [device for device in devices if device.name == "power_meter"]
    texts = [" ".join(device.text("power1_oem_info").split()) for device in meters]
    for device, text in zip(meters, texts, strict=True):
        refusal = next((why for rule, why in _REFUSALS if re.search(rule, text, re.IGNORECASE)), "")
        path = device.find("power1_average") or device.find("power1_input")
        if refusal:
            reason = f"{refusal} ({text})"
            yield Unusable(str(device), Status.NOT_SUPPORTED, reason, "nothing to do")
        elif path is not None:
            yield _source(device, text, path, alone=texts.count("") == 1)


def part_of(text: str) -> tuple[_Part, str] | None:
    """What a text of Grace's firmware stands for, with its channel id; None if it is unknown.

    >>> part_of("Grace Power Socket 0")[1], part_of("SoC Rail Input Power in uW socket 1")[1]
    ('cpu/0/socket', 'cpu/1/socket/sysio')
    """
    for part in _PARTS:
        if match := re.fullmatch(part.text, text, re.IGNORECASE):
            return part, part.id.format(int(match[1]))
    return None


def _source(device: Device, text: str, path: Path, *, alone: bool) -> Source:
    milliseconds = device.number("power1_average_interval")
    window_s = milliseconds / 1e3 if milliseconds and milliseconds > 0 else None
    found = part_of(text) or ((_PLAIN, _PLAIN.id) if alone and not text else None)
    place, boundary = (
        f"sensor/{device.key}/{slug(text) or 'power1'}",
        f"unknown: {text or 'power1'}",
    )
    notes = (
        [] if window_s else [f"it does not say over what it averages; {ASSUMED_S:g} s is assumed"]
    )
    if found is None:
        notes.append(
            f"nobody knows what {text!r} contains"
            if text
            else "several meters, and nobody knows which of them contain which"
        )
    part = found[0] if found else _Part("", "", "sensor", boundary, P_MAX_W)
    channel = Channel(
        id=found[1] if found else place,
        domain=part.domain,
        kind=Kind.SAMPLED,
        boundary=part.boundary,
        resolution=0.0,
        update_interval_s=ASSUMED_S,  # Grace asks every 50 ms: it is seen where its load moves
        wrap=None,
        p_max_w=part.p_max_w,
        origin=f"hwmon:{device.key}/{path.name}",
        note="; ".join(notes),
        unit="W",
        averaging_window_s=window_s or ASSUMED_S,
    )
    return Source(
        device,
        "power1",
        text or "power1",
        "µW",
        (path,),
        channel,
        needs=_needs(channel.id),
        alarms=_alarms(device, text),
    )


def _needs(place: str) -> tuple[str, ...]:
    """A rail's socket: where that cannot be read, its rails must not pass for it."""
    return (place.rpartition("/")[0],) if place.count("/") > 2 else ()  # noqa: PLR2004


def _alarms(device: Device, text: str) -> tuple[tuple[Path, str], ...]:
    path = device.find("power1_alarm")
    return ((path, f"power-cap alarm {text or device.key}"),) if path else ()
