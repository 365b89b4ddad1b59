"""An estimate of the CPU's energy from CPU time and codecarbon's table of CPU powers.

It is a model, never a reading: its kind is `estimated`, it has a range, and no ranking uses it.
No tracker is made, nothing is logged, and no network is used.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from bench import children
from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable, probe
from bench.meters._cpu import Cpu, this_cpu
from bench.quantities import Kind

_PROBE_S = 0.5
_CHANNEL = "process/cpu"
_CPU_TABLE = "codecarbon:data/hardware/cpu_power.csv"
_GRID_TABLE = "codecarbon:data/private_infra/global_energy_mix.json"
# What surrounds a model name in /proc/cpuinfo and not in the table.
_MODEL_NOISE = re.compile(
    r"\((?:r|tm)\)|\bcpu\b|@.*$|\b\d+-core processor\b|\bprocessor\b|\b\d+th gen\b"
    r"|\bwith radeon.*$",
    re.IGNORECASE,
)


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the estimate for this process and its children.

    Raises:
        MeterUnavailable: codecarbon is not installed, or this system tells no CPU time.
    """
    del environment
    try:
        with _silence():
            from codecarbon.core.cpu import DEFAULT_POWER_PER_CORE
            from codecarbon.input import DataSource
    except ImportError as error:
        raise MeterUnavailable("codecarbon is not installed", "pip install codecarbon") from error
    with _silence():
        table = DataSource().get_cpu_power_data()
    rows = zip(table["Name"].astype(str), table["TDP"].astype(str), strict=True)
    model = power_model(this_cpu(), known_powers(rows), float(DEFAULT_POWER_PER_CORE))
    return CodecarbonMeter(model, _cpu_clock())


def known_powers(rows: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Thermal design power by plain model name, W, of what a table says without contradiction.

    Rows that are no number (``27.29.5``) and names with several powers are left out.

    >>> known_powers([("Core A", "15"), ("Core B", "27.29.5"), ("C", "9"), ("C CPU", "12")])
    {'core a': 15.0}
    """
    powers: dict[str, set[str]] = {}
    for name, text in rows:
        powers.setdefault(plain_model(name), set()).add(text)
    single = {name: next(iter(texts)) for name, texts in powers.items() if len(texts) == 1}
    return {
        name: float(text)
        for name, text in single.items()
        if name and re.fullmatch(r"[1-9]\d*(\.\d*)?", text)
    }


@dataclass(frozen=True, slots=True)
class PowerModel:
    """Watts for each busy logical CPU.

    Args:
        watts: Power of one busy logical CPU, W.
        threads: Number of logical CPUs.
        range: Factors (low, high) within which the truth lies.
        source: Where the watts come from, in words.
    """

    watts: float
    threads: int
    range: tuple[float, float]
    source: str


def power_model(cpu: Cpu, table: Mapping[str, float], default_w: float) -> PowerModel:
    """The power of one busy CPU: from the table if the processor is known and real.

    A virtual CPU's share of its host is unknown, and the model name that it shows may be made up.
    A table entry is one socket's thermal design power. Busy silicon draws from a third of it
    (scalar code) to above it (turbo), and a thread that has a core to itself draws what its
    neighbours leave; an unknown processor may be a phone's or a server's.

    Args:
        cpu: The processor.
        table: Thermal design power by plain model name, W.
        default_w: Power per thread where nothing is known, W.
    """
    tdp = table.get(plain_model(cpu.model))
    release = f"codecarbon {version('codecarbon')}"
    if tdp is None or cpu.virtual:
        why = "a virtual machine" if cpu.virtual else "a processor that its table does not know"
        source = f"{release}'s default per thread for {why}"
        return PowerModel(default_w, cpu.threads, (0.25, 4.0), source)
    source = (
        f"{tdp:g} W of {cpu.model} in {release}'s cpu_power.csv ×"
        f" {cpu.sockets} socket(s) / {cpu.threads} logical CPUs"
    )
    return PowerModel(
        tdp * cpu.sockets / cpu.threads, cpu.threads, (0.3, 1.3 * cpu.threads_per_core), source
    )


def plain_model(model: str) -> str:
    """A processor's name without what its maker wraps around it.

    >>> plain_model("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz")
    'intel xeon gold 6248r'
    >>> plain_model("AMD EPYC 7763 64-Core Processor")
    'amd epyc 7763'
    """
    return " ".join(_MODEL_NOISE.sub(" ", model).lower().split())


class CodecarbonMeter:
    """CPU seconds of this process and of its children, times watts per busy CPU.

    That of the fresh processes of a measurement counts as they run. Another child's appears when
    it has ended and was waited for.

    Args:
        model: The power of one busy CPU.
        cpu_seconds: CPU seconds used so far.
        clock: Monotonic time in ns.

    Raises:
        MeterUnavailable: The CPU time stands still.
    """

    name = "codecarbon"

    def __init__(
        self,
        model: PowerModel,
        cpu_seconds: Callable[[], float],
        *,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self._watts, self._cpu_seconds, self._clock = model.watts, cpu_seconds, clock
        seen = probe(self._joules, longest_s=_PROBE_S, clock=clock)  # reading it uses CPU time
        if seen is None:
            raise MeterUnavailable(
                "this process's CPU time stands still", "report it, with your kernel", Status.STALE
            )
        low, high = model.range
        self._channel = Channel(
            id=_CHANNEL,
            domain="process",
            kind=Kind.ESTIMATED,
            boundary="process-cpu",
            resolution=model.watts * 1e-6,  # getrusage counts microseconds
            update_interval_s=seen.update_interval_s,
            wrap=None,
            p_max_w=model.watts * model.threads,
            origin=_CPU_TABLE,
            range=model.range,
            note=(
                "CPU seconds of this process, its fresh processes and its ended children"
                f" × {model.watts:.3g} W"
                f" ({model.source}); the truth may lie between {low:g} and {high:g} times this"
            ),
        )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The one estimate."""
        return (self._channel,)

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Nothing: there is no more to be found."""
        return ()

    def read(self) -> tuple[Reading, ...]:
        """The estimate up to now."""
        t0 = self._clock()
        joules = self._joules()
        return (Reading(_CHANNEL, t0, self._clock(), joules),)

    def close(self) -> None:
        """Nothing is held."""

    def _joules(self) -> float:
        return self._cpu_seconds() * self._watts


def grid_factor(country_iso: str) -> tuple[float, str]:
    """Carbon intensity of a country's electricity.

    Args:
        country_iso: Three letters of ISO 3166-1, such as ``FRA``.

    Returns:
        Grams of CO2 equivalent per kWh, and the source of the number.

    Raises:
        ValueError: The table has no such country, or no number for it.
    """
    with _silence():
        from codecarbon.input import DataSource

        mix: Mapping[str, Mapping[str, Any]] = DataSource().get_global_energy_mix_data()
    row = mix.get(country_iso.upper())
    if row is None:
        raise ValueError(
            f"found country {country_iso!r}, wanted a three-letter code of ISO 3166-1"
            f" that codecarbon {version('codecarbon')} knows, such as FRA, POL or USA"
        )
    grams = row.get("carbon_intensity")  # g/kWh: codecarbon reads it by from_g_per_kWh
    if not grams:
        raise ValueError(
            f"codecarbon {version('codecarbon')} has no carbon intensity for"
            f" {row['country_name']}; give a factor in g/kWh instead"
        )
    source = f"{_GRID_TABLE} {version('codecarbon')}, {row['country_name']}, {row['year']}"
    return float(grams), source


def _cpu_clock() -> Callable[[], float]:
    """A function that gives the CPU seconds of this process and of its children."""
    try:
        import resource
    except ImportError as error:
        raise MeterUnavailable(
            "this system does not tell the CPU time of children", "use Linux or macOS"
        ) from error

    def cpu_seconds() -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        own_s = time.process_time_ns() / 1e9
        return own_s + ended.ru_utime + ended.ru_stime + children.cpu_s()

    return cpu_seconds


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps codecarbon's logger quiet while it is used, and restores it."""
    logger = logging.getLogger("codecarbon")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
