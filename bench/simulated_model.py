"""What a simulated device is made of: its counters, its noise and heat, and the work on it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.meter import Channel
from bench.quantities import Kind

ORIGIN = "simulated"
"""What the origin of every channel here begins with."""

PACKAGE = "cpu/0/package"


@dataclass(frozen=True, slots=True)
class Counter:
    """What reads one channel, and how well.

    Args:
        id: The channel's id.
        idle_w: Power of the waiting device, W.
        update_s: Time between two refreshes, s.
        resolution: Step that is shown, J or W.
        unit: ``J`` for a counter, ``W`` for a gauge.
        wrap: Modulus of a counter, J; None if it does not wrap.
        seen_s: How much of the time before each refresh the sensor sees, s; None for all of it.
            NVIDIA's sees 25 ms of every 100 ms on some GPUs (Yang et al. 2024).
        p_max_w: Power that it cannot exceed, W.
    """

    id: str = PACKAGE
    idle_w: float = 10.0
    update_s: float = 0.001
    resolution: float = 6.1e-5
    unit: str = "J"
    wrap: float | None = None
    seen_s: float | None = None
    p_max_w: float = 500.0

    def channel(self) -> Channel:
        """As a meter's channel."""
        domain = self.id.rpartition("/")[2]
        return Channel(
            id=self.id,
            domain=domain,
            kind=Kind.MEASURED if self.unit == "J" else Kind.SAMPLED,
            boundary=f"simulated-{domain}",
            resolution=self.resolution,
            update_interval_s=self.update_s,
            wrap=self.wrap,
            p_max_w=self.p_max_w,
            origin=f"{ORIGIN}:{self.id}",
            note="a simulated device, no machine's power",
            unit="J" if self.unit == "J" else "W",
            averaging_window_s=(self.seen_s or self.update_s) if self.unit == "W" else 0.0,
        )


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """How a simulated device behaves; every share is of one, such as 0.01.

    Args:
        counters: What reads it.
        noise: Spread of the time of a run of calls.
        power_noise: Spread of the power of a run.
        correlation: Of the noise of a run with that of the next.
        process_effect: Spread of the luck that one work has in one process, in time.
        night_effect: Spread of what all works of one device have in common, in time.
        spikes: How likely a run is hit by a spike.
        spike: Least and most by which a spike lengthens a run.
        drift: By how much power grows in each second.
        ambient_c: Temperature of the waiting device, °C.
        kelvin_per_watt: By how much each watt beyond the idle power warms it in the end.
        warms_in_s: Time constant of that, s.
        leakage: Growth of the power with each degree above *ambient_c*.
        throttles_at_c: Temperature above which calls take a quarter longer; None for never.
        throttled_power: Power above the idle one of such calls, as a share of what it was.
        neighbours: How likely others use one CPU during a run.
        neighbour_w: What they draw, W.
    """

    counters: tuple[Counter, ...] = (Counter(),)
    noise: float = 0.0
    power_noise: float = 0.0
    correlation: float = 0.0
    process_effect: float = 0.0
    night_effect: float = 0.0
    spikes: float = 0.0
    spike: tuple[float, float] = (0.02, 0.10)
    drift: float = 0.0
    ambient_c: float = 40.0
    kelvin_per_watt: float = 0.0
    warms_in_s: float = 20.0
    leakage: float = 0.0
    throttles_at_c: float | None = None
    throttled_power: float = 1.0
    neighbours: float = 0.0
    neighbour_w: float = 15.0


@dataclass(frozen=True, slots=True)
class Work:
    """One call.

    Args:
        seconds: How long it takes.
        watts: Power above the idle one, W, by channel; a number is the first channel's.
        shape: Pieces (seconds, watts above idle) of the first channel within the call, instead.
    """

    seconds: float
    watts: float | Mapping[str, float] = 30.0
    shape: tuple[tuple[float, float], ...] = ()
