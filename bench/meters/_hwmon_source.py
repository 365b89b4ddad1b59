"""A sensor of the hwmon class that was found and not yet read: pure values."""

from dataclasses import dataclass
from pathlib import Path

from bench.meter import Channel
from bench.meters._hwmon_device import Device

SI = {"µJ": 1e-6, "µW": 1e-6, "mW": 1e-3, "mV·mA": 1e-6}
"""Joules or watts in one unit of an attribute; ``mV·mA`` is the product of two attributes."""

ASSUMED_S = 2.0
"""How often a gauge is refreshed of which nobody says it, s."""

P_MAX_W = 10_000.0
"""More than any device draws, W; firmware says 4294967295 mW for "unknown"."""

LIMIT_MARGIN = 1.5
"""A power limit holds on average, and is exceeded for milliseconds."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How a sensor makes its power from a voltage and a current.

    Args:
        volts: Where the voltage is, in mV.
        volts_step: Smallest step of the voltage, V.
        amps_step: Smallest step of the current, A; None if it has to be seen in *amps*.
        amps: Where the current is, in mA; None if that is not needed.
        most_amps: The largest current that is shown, A.
        power_step: Step of the power that is shown, W; 0 if the two are multiplied here.
        most_volts: The largest voltage for which the stated step must hold, V; None takes it
            from the voltage that is found, and the supply must then stay near that.
    """

    volts: Path
    volts_step: float
    amps_step: float | None
    amps: Path | None = None
    most_amps: float | None = None
    power_step: float = 0.0
    most_volts: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A sensor that was found and not yet read.

    Args:
        device: Whose it is.
        attribute: Such as ``power1``; ``in1`` for the product of a voltage and a current.
        label: What it calls itself, or its attribute.
        unit: A key of `SI`.
        paths: Its file; the voltage and the current where the unit is their product.
        channel: Its channel as far as it is known without reading: a resolution of 0 stands for
            one that has to be seen.
        steps: How a product of voltage and current is made.
        stated: Whether the driver says how often it is refreshed.
        step_share: Share of its value below which the step of an unknown gauge is not believed.
        needs: Ids that must be open too, or this one could pass for a total that it is not.
        alarms: Files that show 1 while something holds the device back, and what that is.
        modulus_uj: µJ after which the driver has lost count unless it was read; None if it
            counts by itself. The counter is then shown modulo this, so that whoever reads it too
            rarely is told, as for any counter that wraps.
    """

    device: Device
    attribute: str
    label: str
    unit: str
    paths: tuple[Path, ...]
    channel: Channel
    steps: Steps | None = None
    stated: bool = False
    step_share: float = 0.0
    needs: tuple[str, ...] = ()
    alarms: tuple[tuple[Path, str], ...] = ()
    modulus_uj: int | None = None

    def __str__(self) -> str:
        return f"{self.device} {self.label}"
