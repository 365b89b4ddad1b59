"""What `joulebench demo` measures: a simulated device in some noise, and a model in seven forms.

What each form truly uses is put into it, so that an answer can be held against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.report import text
from bench.simulated import Counter, DeviceModel, SimulatedDevice, SimulatedModel, Work
from bench.workload import BASELINE, Quality, Variant, Workload

COUNTERS: Mapping[str, tuple[Counter, ...]] = {
    "rapl": (Counter(wrap=262_144.0, p_max_w=80),),
    "nvml-100ms": (Counter(update_s=0.1, resolution=0.001, seen_s=0.025, p_max_w=80),),
    "gauge": (Counter(unit="W", update_s=0.1, resolution=0.1, p_max_w=80),),
    "none": (),
}
"""What reads the device: a fast counter, one that sees a quarter of the time, a gauge, nothing."""

_STEADY = DeviceModel(noise=0.003, power_noise=0.003, correlation=0.5)
NOISES: Mapping[str, DeviceModel] = {
    "quiet": _STEADY,
    "laptop": replace(
        _STEADY,
        noise=0.006,
        drift=1e-5,
        kelvin_per_watt=1.2,
        warms_in_s=10.0,
        leakage=0.002,
        throttles_at_c=86.0,
        throttled_power=0.74,  # a call then takes a quarter longer and about as much energy
    ),
    "shared-host": replace(_STEADY, noise=0.01, power_noise=0.01, spikes=0.05, neighbours=0.1),
}
"""What disturbs it: hardly anything; heat that throttles; neighbours, spikes and more noise."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the simulated model, and what is true of it.

    Args:
        name: What the table calls it.
        seconds: Time of a call, as a share of the baseline's.
        joules: Energy of a call, as a share of the baseline's.
        quality: Its accuracy.
    """

    name: str
    seconds: float = 1.0
    joules: float = 1.0
    quality: float = 0.99

    def work(self) -> Work:
        """One call: of the baseline, 4 ms at 30 W above the 10 W of the waiting device."""
        seconds = 0.004 * self.seconds
        return Work(seconds, 0.160 * self.joules / seconds - 10.0)


FORMS = (
    Form(BASELINE),
    Form("distilled", 0.80, 0.80),
    Form("masked"),
    Form("int8", 1.12, 1.12),
    Form("pruned", 0.971, 0.971),
    Form("tiny", 0.50, 0.50, quality=0.95),
    Form("parallel", 0.70, 1.00),
)
"""One for each answer: A/A, saves, no gain, costs, at the edge, breaks quality, only faster."""

TARGET = 0.98
"""The least accuracy that counts here."""


def variants(device: SimulatedDevice) -> tuple[Variant, ...]:
    """All forms on a device, the baseline first."""
    models = {f.name: SimulatedModel(device, f.work(), f.quality) for f in FORMS}
    workload = Workload(
        "simulated-model", models[BASELINE], lambda _: None, quality=_quality, version="1"
    )
    return tuple(Variant(workload, name, (), model) for name, model in models.items())


def _quality(model: object) -> Quality:
    assert isinstance(model, SimulatedModel)  # noqa: S101 - it judges nothing else
    assert model.quality is not None  # noqa: S101
    return Quality("accuracy", model.quality, 10_000, TARGET)


def counter_in_words(counter: Counter) -> str:
    """What reads the device, for people."""
    what = "an energy counter" if counter.unit == "J" else "a power gauge"
    scale = text.prefix([counter.resolution])
    step = f"{text.significant(counter.resolution / scale.factor)} {scale.symbol}{counter.unit}"
    seen = f", which sees {1e3 * counter.seen_s:g} ms of each" if counter.seen_s else ""
    return f"{what} in steps of {step} every {1e3 * counter.update_s:g} ms{seen}"


def noise_in_words(model: DeviceModel) -> str:
    """What disturbs the device, for people."""
    parts = [f"runs spread by {100 * model.noise:g} %"]
    if model.kelvin_per_watt:
        parts.append("it warms up and leaks")
    if model.throttles_at_c is not None:
        parts.append(f"throttles at {model.throttles_at_c:g} °C")
    if model.spikes:
        parts.append(f"spikes hit {100 * model.spikes:g} % of them")
    if model.neighbours:
        parts.append(f"neighbours compute beside {100 * model.neighbours:g} %")
    return ", ".join(parts)
