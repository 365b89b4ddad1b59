"""Apple silicon's own estimate of its energy, through the package zeus-apple-silicon.

macOS counts the energy of CPU, DRAM, GPU and Neural Engine by a model (IOReport, group "Energy
Model"); no sudo is needed. The kind is `estimated`: shown, and never in a total, by design.
Source: shared/counters.md §6.4, and the package's own source, release 1.1.0.
"""

import importlib
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.quantities import Kind

PRECEDENCE = 10

_CHIP = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
_CHIP_DEADLINE_S = 2.0
_WATCH_S, _CHANGES = 5.0, 20
# Recent systems publish most counters in batches, twice in 2.1 s at uneven times: gaps of 0.3 to
# 1.7 s on an M1 Ultra, 2.03 to 2.23 s on an M5 Max. Source: lablup/all-smi#410 and #415.
_BATCH_S = 2.5
_STEP_J = 1e-3  # the package cuts to whole mJ
_RANGE = (0.5, 2.0)  # Apple states no accuracy; as wide as for other models that state none
_MODEL = (
    "Apple's model of the energy and no reading of a sensor: its powermetrics manual calls such"
    " values estimated, and not for comparing devices. It is shown, and never added to a total,"
    f" ranked or gated; the truth may lie between {_RANGE[0]:g} and {_RANGE[1]:g} times this"
)


class Part(NamedTuple):
    """A part of the chip: where its energy is, and what it becomes.

    No Mac with Apple silicon can draw more than its supply of 480 W, and each part far less.
    """

    field: str
    channel: str
    domain: str
    boundary: str
    p_max_w: float
    note: str = ""


PARTS = (
    Part("cpu_total_mj", "cpu/0/package", "package", "apple-cpu", 300.0),
    Part("dram_mj", "cpu/0/dram", "dram", "apple-dram", 100.0),
    Part(
        "gpu_mj",
        "gpu/apple/board",
        "gpu",
        "apple-gpu",
        300.0,
        "whether the GPU's SRAM, which Apple also counts apart, is in it is not documented; ",
    ),
    Part("ane_mj", "cpu/0/ane", "ane", "apple-ane", 100.0),
)


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the energy model of this Mac.

    Raises:
        MeterUnavailable: This is no Mac with Apple silicon, or the package is missing.
    """
    del environment
    system, machine = platform.system(), platform.machine()
    chip = chip_name() if system == "Darwin" else ""
    refuse_others(system, machine, chip)
    try:
        library = importlib.import_module("zeus_apple_silicon")
    except ModuleNotFoundError as error:
        reason, fix = "zeus-apple-silicon is not installed", "pip install zeus-apple-silicon"
        raise MeterUnavailable(reason, fix) from error
    except ImportError as error:
        raise MeterUnavailable(
            f"zeus-apple-silicon is installed and does not load: {error}",
            "pip install --force-reinstall zeus-apple-silicon",
        ) from error
    return AppleMeter(library, chip=chip)


def chip_name(run: Callable[..., Any] = subprocess.run) -> str:
    """The processor's name, such as ``Apple M2 Ultra``; empty where the system does not say."""
    try:
        done = run(_CHIP, capture_output=True, text=True, timeout=_CHIP_DEADLINE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return str(done.stdout).strip()


def refuse_others(system: str, machine: str, chip: str) -> None:
    """Says why a machine is no Mac with Apple silicon, before any library is touched.

    Raises:
        MeterUnavailable: It is another system, another processor, or a virtual machine.

    >>> refuse_others("Darwin", "arm64", "Apple M2 Ultra")
    """
    if system != "Darwin":
        raise MeterUnavailable(f"only on Apple silicon, and this is {system or 'another system'}")
    if machine != "arm64" and "Apple" in chip:
        raise MeterUnavailable(
            f"this Python is built for {machine} and runs translated (Rosetta)",
            "install a Python for arm64: file $(which python3) must say arm64",
        )
    if machine != "arm64":
        raise MeterUnavailable(
            f"only on Apple silicon, and this Mac is {machine}", "measure with a wall meter"
        )
    if "Virtual" in chip:  # the package would ask the length of a list that is not there
        raise MeterUnavailable(
            "a virtual machine has no energy model, and asking for it may end the process",
            "measure on the Mac itself",
            Status.NOT_SUPPORTED,
        )


@dataclass(slots=True)
class Watched:
    """What watching one part shows, as `bench.meter.probe` does for one counter at a time.

    Args:
        joules: What it showed last, J; None if it has shown nothing.
        changes: How often it moved.
        longest_ns: The longest time between two changes; 0 if there were not two.
    """

    joules: float | None = None
    changes: int = 0
    longest_ns: int = 0
    _seen_ns: int = 0
    _changed_ns: int | None = None

    def see(self, t0_ns: int, t1_ns: int, joules: float | None) -> None:
        """Takes in a reading from *t0_ns* to *t1_ns*; one without value is passed over.

        >>> part = Watched()
        >>> for second, joules in enumerate([5.0, 6.0, 6.0, 7.0]):
        ...     part.see(second * 10**9, second * 10**9 + 1, joules)
        >>> part.changes, part.longest_ns
        (2, 3000000001)
        """
        if joules is None:
            return
        if self.joules is not None and joules != self.joules:
            self.changes += 1
            if self._changed_ns is not None:
                self.longest_ns = max(self.longest_ns, t1_ns - self._changed_ns)
            self._changed_ns = self._seen_ns
        self.joules, self._seen_ns = joules, t0_ns

    @property
    def enough(self) -> bool:
        """Whether it need not be watched longer; what shows nothing, or 0, may never move."""
        return not self.joules or self.changes >= _CHANGES

    @property
    def interval_s(self) -> float:
        """Its update interval, s: as seen if it moved often, and else no less than a batch's."""
        seen_s = self.longest_ns / 1e9
        return seen_s if self.changes >= _CHANGES else max(seen_s, _BATCH_S)


class AppleMeter:
    """One channel for each part of the chip whose energy was seen to move.

    Args:
        library: The module zeus_apple_silicon, or what behaves like it.
        chip: The processor's name, such as ``Apple M2``; empty if it is not known.
        clock: Monotonic time in ns.

    Raises:
        MeterUnavailable: The system gives no energy model, or nothing in it moves.
    """

    name = "apple"

    def __init__(
        self, library: ModuleType, *, chip: str = "", clock: Clock = time.monotonic_ns
    ) -> None:
        self._clock = clock
        self._two_dies = "Ultra" in chip
        self._parts: list[tuple[Part, Channel]] = []
        self._unusable: list[Unusable] = []
        try:
            self._monitor: Any = library.AppleEnergyMonitor()
        except Exception as error:
            reason = f"macOS gives no energy model ({error})"
            raise MeterUnavailable(reason, "update macOS, or measure with a wall meter") from error
        seen = self._watch()
        for part in PARTS:
            self._take(part, seen[part.field])
        self._channels = tuple(channel for _, channel in self._parts)
        if not self._parts:
            first = self._unusable[0]
            raise MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The parts whose energy moved."""
        return self._channels

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """The parts without value, or that stood still."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each part, all taken at once."""
        if not self._parts:
            return ()
        t0 = self._clock()
        try:
            metrics = self._monitor.get_cumulative_energy()
        except Exception as error:  # noqa: BLE001 - whatever it raises, the other meters go on
            text = f"the energy model could not be read ({error}); restart the Mac if it stays so"
            failed = (t0, self._clock(), None, Status.ERROR, text)
            return tuple(Reading(channel.id, *failed) for channel in self._channels)
        t1 = self._clock()
        return tuple(_reading(part, metrics, t0, t1) for part, _ in self._parts)

    def close(self) -> None:
        """Lets the monitor go."""
        self._parts.clear()
        self._monitor = None

    def _watch(self) -> dict[str, Watched]:
        """Reads all parts until each that moves has done so often, or for `_WATCH_S`."""
        seen = {part.field: Watched() for part in PARTS}
        began = t1 = self._clock()
        while t1 - began < _WATCH_S * 1e9:
            t0 = self._clock()
            try:
                metrics = self._monitor.get_cumulative_energy()
            except Exception as error:
                raise MeterUnavailable(
                    f"the energy model could not be read ({error})",
                    "update macOS and zeus-apple-silicon",
                    Status.ERROR,
                ) from error
            t1 = self._clock()
            for field, part in seen.items():
                part.see(t0, t1, joules(metrics, field))
            if all(part.enough for part in seen.values()):
                break
        return seen

    def _take(self, part: Part, seen: Watched) -> None:
        """Keeps one part, or says why not."""
        what = f"{part.channel} ({part.field})"
        if seen.joules is None:
            reason = "this chip or this macOS does not count it"
            self._unusable.append(Unusable(what, Status.NOT_SUPPORTED, reason))
            return
        if part.domain == "package" and self._two_dies:
            # apple_energy.hpp keeps the last of "DIE_0_CPU Energy" and "DIE_1_CPU Energy"
            reason = "zeus-apple-silicon gives one of the two dies of an Ultra, and not their sum"
            fix = "use a wall meter, or a later release that adds them"
            self._unusable.append(Unusable(what, Status.NOT_SUPPORTED, reason, fix))
            return
        if seen.joules == 0:
            reason = (
                "it shows exactly 0 J since the Mac was started: it was never used, or this macOS"
                " gives it no value (macOS 27 betas did not)"
            )
            fix = "let it work once before joulebench opens, or update macOS"
            self._unusable.append(Unusable(what, Status.NOT_SUPPORTED, reason, fix))
            return
        if not seen.changes:
            reason = f"its counter stood still for {_WATCH_S:g} s while it was watched: is it idle?"
            fix = "let it work while joulebench opens"
            self._unusable.append(Unusable(what, Status.STALE, reason, fix))
            return
        self._parts.append((part, self._channel(part, seen)))

    def _channel(self, part: Part, seen: Watched) -> Channel:
        return Channel(
            id=part.channel,
            domain=part.domain,
            kind=Kind.ESTIMATED,
            boundary=part.boundary,
            resolution=_STEP_J * (2 if self._two_dies else 1),  # each die is cut to mJ
            update_interval_s=seen.interval_s,
            wrap=None,  # 64 bits in the package: a decrease is a reset
            p_max_w=part.p_max_w,
            origin=f"zeus_apple_silicon:{part.field}",
            range=_RANGE,
            note=part.note + _MODEL,
        )


def joules(metrics: object, field: str) -> float | None:
    """A field of the package's metrics, J; None where it is missing or no energy."""
    millijoules = getattr(metrics, field, None)
    if not isinstance(millijoules, int) or isinstance(millijoules, bool) or millijoules < 0:
        return None
    return millijoules / 1000  # the package gives mJ


def _reading(part: Part, metrics: object, t0: int, t1: int) -> Reading:
    found = joules(metrics, part.field)
    if found is not None:
        return Reading(part.channel, t0, t1, found)
    shown = getattr(metrics, part.field, None)
    text = f"{part.field} shows {shown!r}, which is no energy; restart the Mac if it stays so"
    return Reading(part.channel, t0, t1, None, Status.ERROR, text)
