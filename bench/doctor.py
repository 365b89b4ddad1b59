"""What can be measured here, and for each thing that cannot: why, and the exact fix.

It reads only; nothing on the machine is ever changed.
"""

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.cover import cover
from bench.discover import plugins
from bench.instruments import Instruments
from bench.machine import Machine
from bench.meter import Channel
from bench.quantities import join_boundaries
from bench.window import shortest_block_s


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Args:
        machine: The fingerprint.
        instruments: Meters that opened, and what stands in the way of the others.
        cover: The channels whose sum is the energy; empty if nothing is measured.
        on_request: Meters that open only when named.
        noise: What makes results of this machine less steady.
    """

    machine: Machine
    instruments: Instruments
    cover: tuple[str, ...]
    on_request: tuple[str, ...]
    noise: tuple[str, ...]

    @property
    def measured(self) -> bool:
        """Whether an instrument can be read."""
        return bool(self.cover)

    @property
    def gpu_measured(self) -> bool:
        """Whether an instrument of a GPU's own can be read."""
        channels = self.instruments.channels
        return any(c.kind.is_reading and c.id.startswith("gpu/") for c in channels)

    def as_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {
            "measured": self.measured,
            "gpu_measured": self.gpu_measured,
            "boundary": self._boundary() or None,
            "cover": list(self.cover),
            "shortest_block_s": shortest_block_s(self.instruments.summed),
            "machine": dataclasses.asdict(self.machine),
            "channels": [
                {**dataclasses.asdict(channel), "in_total": channel.id in self.cover}
                for channel in self.instruments.channels
            ],
            "unusable": [dataclasses.asdict(each) for each in self.instruments.unusable],
            "on_request": list(self.on_request),
            "noise": list(self.noise),
        }

    def _boundary(self) -> str:
        channels = {channel.id: channel for channel in self.instruments.channels}
        return join_boundaries(channels[id_].boundary for id_ in self.cover)

    def lines(self) -> Iterator[str]:
        """The same as a tree of text for a person."""
        m = self.machine
        yield f"{m.cpu} · {m.cpus} CPUs · {m.kernel} · {m.virtualised or 'bare metal'}"
        if self.measured:
            shortest = shortest_block_s(self.instruments.summed)
            yield f"energy: MEASURED, {self._boundary()}; shortest block {shortest:.3g} s"
        else:
            yield "energy: NOT MEASURED here; times are measured, estimates are marked as such"
        for channel in self.instruments.channels:
            yield from self._channel(channel)
        for each in self.instruments.unusable:
            yield f"├─ {each.what:<24} {each.status}: {each.reason}"
            if each.fix:
                yield f"│    fix: {each.fix}"
        for name in self.on_request:
            yield f"├─ {name:<24} on request: --joules-meters {name}"
        yield f"└─ noise: {'; '.join(self.noise) or 'nothing found'}"

    def _channel(self, channel: Channel) -> Iterator[str]:
        role = ""
        if channel.kind.is_reading:
            role = "in the total" if channel.id in self.cover else "beside the total, never added"
        details = [str(channel.kind), channel.boundary, role]
        if channel.kind.is_reading:
            details.append(f"moves every {channel.update_interval_s * 1e3:.3g} ms")
            details.append(f"steps of {channel.resolution:.3g} {channel.unit}")
        if channel.averaging_window_s:
            details.append(f"mean of {channel.averaging_window_s:.3g} s")
        details.append(channel.origin)
        yield f"├─ {channel.id:<24} {' · '.join(part for part in details if part)}"
        if channel.note:
            yield f"│    {channel.note}"


def diagnose(machine: Machine, instruments: Instruments) -> Diagnosis:
    """What the opened meters and the machine's fingerprint add up to."""
    found, _ = plugins("bench.meters", "open_meter")
    opened = {meter.name for meter in instruments.meters}
    return Diagnosis(
        machine,
        instruments,
        cover(instruments.channels, ""),
        tuple(name for name, plugin in found.items() if plugin.opt_in and name not in opened),
        tuple(_noise(machine)),
    )


def _noise(machine: Machine) -> Iterator[str]:
    if machine.virtualised:
        yield f"{machine.virtualised}: neighbours share the clock and the caches"
    if machine.governor is None:
        yield "the CPU governor cannot be seen"
    elif machine.governor != "performance":
        yield f"CPU governor {machine.governor}: clocks move; cpupower frequency-set -g performance"
    if machine.turbo:
        yield "turbo is on: clocks follow the temperature"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > machine.cpus / 4:
        yield f"load average {load:.2f}: something else is running"
