"""What may disturb a block: the state of the machine at its two ends, and what that says.

Standard library and files of the kernel only; nothing is ever changed. What counts as a
disturbance was fixed before any result was seen: shared/benchmark-tools.md §3.3, point 9.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench import children

FOREIGN_LOAD = 0.1
"""Busy CPUs beside ours above which a block is disturbed."""

LEAST_CLOCK = 0.95
"""Share of the clock at the start of a case below which a block is disturbed."""

MOST_CELSIUS = 5.0
"""Degrees from the temperature at the start of a case beyond which a block is disturbed."""

_CLOCK_TICKS_S = 0.03  # the kernel counts the load in ticks of 10 ms, some of which may be odd
_SENSORS = {"coretemp", "k10temp", "zenpower", "cpu_thermal"}
_ZONES = {"x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal"}


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU at one moment; None where it does not tell.

    Args:
        id: Its UUID.
        clock_hz: Clock of its multiprocessors.
        temperature_c: Of its die.
        power_limit_w: The power at which it holds its clock back.
    """

    id: str
    clock_hz: float | None = None
    temperature_c: float | None = None
    power_limit_w: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The machine at one moment; None or empty where the kernel does not tell.

    Args:
        clock_hz: Clock of the fastest CPU: the others may be waiting.
        temperature_c: Of the hottest CPU sensor.
        throttles: How often CPUs have held their clocks back for heat, since boot.
        power_limits_w: Limits of the CPU packages.
        governor: Frequency governor of the first CPU.
        on_battery: Whether the machine runs from its battery.
        foreign_cpu_s: CPU seconds that were busy beyond this process and its children, since
            boot; on a virtual machine with those that its host took away.
        gpus: The GPUs whose meters are open.
    """

    clock_hz: float | None = None
    temperature_c: float | None = None
    throttles: int | None = None
    power_limits_w: tuple[float, ...] = ()
    governor: str | None = None
    on_battery: bool | None = None
    foreign_cpu_s: float | None = None
    gpus: tuple[GpuState, ...] = ()


def read(root: Path = Path("/")) -> State:
    """The state of the machine whose file system starts at *root* (tests give their own)."""
    files = _files(root)
    clocks = [value for path in files.clocks if (value := _number(path))]
    temperatures = [value for path in files.temperatures if (value := _number(path)) is not None]
    throttles = [value for path in files.throttles if (value := _number(path)) is not None]
    limits = [value for path in files.limits if (value := _number(path))]
    return State(
        clock_hz=1e3 * max(clocks) if clocks else None,
        temperature_c=max(temperatures) / 1e3 if temperatures else None,
        throttles=int(sum(throttles)) if throttles else None,
        power_limits_w=tuple(value / 1e6 for value in limits),
        governor=_text(files.governor),
        on_battery=_on_battery(files.supplies),
        foreign_cpu_s=foreign_cpu_s(root),
    )


@dataclass(frozen=True, slots=True)
class _Files:
    clocks: tuple[Path, ...]
    temperatures: tuple[Path, ...]
    throttles: tuple[Path, ...]
    limits: tuple[Path, ...]
    governor: Path
    supplies: tuple[Path, ...]


@cache
def _files(root: Path) -> _Files:
    """What there is to read; it is looked for once, for a block has two reads."""
    cpus = root / "sys/devices/system/cpu"
    named = [
        path
        for folder in sorted((root / "sys/class/hwmon").glob("hwmon*"))
        if _text(folder / "name") in _SENSORS
        for path in sorted(folder.glob("temp*_input"))
    ]
    zones = [
        folder / "temp"
        for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        if _text(folder / "type") in _ZONES
    ]
    throttled = cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    packages = [
        folder
        for folder in sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
        if folder.name.count(":") == 1
    ]
    return _Files(
        clocks=tuple(sorted(cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))),
        temperatures=tuple(named or zones),
        throttles=(*sorted(throttled), *_package_throttles(cpus)),
        limits=tuple(
            path for each in packages for path in sorted(each.glob("constraint_*_limit_uw"))
        ),
        governor=cpus / "cpu0/cpufreq/scaling_governor",
        supplies=tuple(sorted((root / "sys/class/power_supply").glob("*"))),
    )


def _package_throttles(cpus: Path) -> Iterator[Path]:
    """The count of each package: all CPUs of one show the same."""
    seen: set[str | None] = set()
    for path in sorted(cpus.glob("cpu[0-9]*/thermal_throttle/package_throttle_count")):
        package = _text(path.parents[1] / "topology/physical_package_id")
        if package not in seen:
            seen.add(package)
            yield path


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


def _on_battery(supplies: Iterable[Path]) -> bool | None:
    """Whether no mains is there and a battery gives power; None if there is no supply to see."""
    mains = [_text(path / "online") for path in supplies if _text(path / "type") == "Mains"]
    if mains:
        return "1" not in mains
    states = [
        _text(path / "status")
        for path in supplies
        if _text(path / "type") == "Battery" and _text(path / "scope") != "Device"
    ]
    return "Discharging" in states if states else None


def foreign_cpu_s(root: Path = Path("/")) -> float | None:
    """CPU seconds that the whole machine spent busy beyond this process and its children.

    They count since boot: two values differ by the work of others in between. None where the
    kernel does not tell.
    """
    fields = (_text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(fields) < 9 or fields[0] != "cpu":  # noqa: PLR2004 - the nine columns of proc(5)
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in fields[1:9])
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    times = os.times()
    return busy - sum(times[:4]) - children.cpu_s()


def disturbances(before: State, after: State, start: State, seconds: float) -> tuple[str, ...]:
    """What disturbed a block, each as a sentence that begins with its sort.

    Args:
        before: The machine before the block.
        after: The machine after it.
        start: The machine when the case began, after its warm-up.
        seconds: Time from *before* to *after*.
    """
    return (
        *_load(before.foreign_cpu_s, after.foreign_cpu_s, seconds),
        *_throttled(before.throttles, after.throttles),
        *_slower("CPU", after.clock_hz, start.clock_hz),
        *_warmer("CPU", after.temperature_c, start.temperature_c),
        *_changed("CPU power limit", after.power_limits_w, start.power_limits_w),
        *_changed("CPU governor", after.governor, start.governor),
        *_changed("on battery", after.on_battery, start.on_battery),
        *_gpus(after.gpus, start.gpus),
    )


def _gpus(after: Sequence[GpuState], start: Sequence[GpuState]) -> Iterator[str]:
    began = {gpu.id: gpu for gpu in start}
    for gpu in after:
        was = began.get(gpu.id, gpu)
        yield from _slower(f"GPU {gpu.id}", gpu.clock_hz, was.clock_hz)
        yield from _warmer(f"GPU {gpu.id}", gpu.temperature_c, was.temperature_c)
        yield from _changed(f"GPU {gpu.id} power limit", gpu.power_limit_w, was.power_limit_w)


def _load(before_s: float | None, after_s: float | None, seconds: float) -> Iterator[str]:
    if before_s is None or after_s is None:
        return
    seconds = max(seconds, 1e-9)
    load = (after_s - before_s) / seconds
    if load > FOREIGN_LOAD + _CLOCK_TICKS_S / seconds:
        yield f"foreign load {load:.2f} CPU"


def _throttled(before: int | None, after: int | None) -> Iterator[str]:
    if before is not None and after is not None and after > before:
        yield f"throttled: CPUs held their clocks back for heat, {after - before} times"


def _slower(what: str, clock_hz: float | None, was_hz: float | None) -> Iterator[str]:
    if clock_hz is not None and was_hz is not None and clock_hz < LEAST_CLOCK * was_hz:
        yield f"clock of {what} {clock_hz / 1e9:.2f} GHz, at the start {was_hz / 1e9:.2f} GHz"


def _warmer(what: str, celsius: float | None, was: float | None) -> Iterator[str]:
    if celsius is not None and was is not None and abs(celsius - was) > MOST_CELSIUS:
        yield f"temperature of {what} {celsius:.0f} °C, at the start {was:.0f} °C"


def _changed(what: str, now: object, was: object) -> Iterator[str]:
    if now != was:
        yield f"changed: {what} was {_shown(was)}, is {_shown(now)}"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g} W"
    if isinstance(value, tuple):
        return " · ".join(map(_shown, value)) or "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "unknown" if value is None else str(value)


_SORT = re.compile(
    r"(foreign load|throttled: [^(,]*|clock of \S+|temperature of \S+|changed: [^,]* was|shared)"
)


def sort_of(flag: str) -> str:
    """What sort of disturbance a flag tells of, without its numbers; empty if it is none.

    >>> sort_of("foreign load 0.43 CPU"), sort_of("GPU was not read for too long")
    ('foreign load', '')
    """
    found = _SORT.match(flag)
    return found[0].strip() if found else ""


def repeatable(flags: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The flags for which a block is worth running again.

    Args:
        flags: Of a block.
        known: Sorts that this machine shows all the time: a repeat would show them too.
    """
    known = {*known, ""}
    return tuple(flag for flag in flags if sort_of(flag) not in known)
