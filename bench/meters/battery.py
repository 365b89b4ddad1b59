"""The battery that a machine runs on, through the kernel's power_supply class.

It is measured only while it feeds the machine: on the charger it shows what flows into it. Set
``JOULES_SYSFS_ROOT`` where the host's ``/sys`` is mounted elsewhere.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable, probe
from bench.meters._power_supply import (
    P_MAX_W,
    Battery,
    Read,
    energy_step_j,
    explain,
    feeds,
    is_of_machine,
    refusal,
    status_of,
    used_j,
)
from bench.quantities import Kind

PRECEDENCE = 60

_WATCH_S, _PAUSE_S = 2.0, 0.05
_SHORTEST_S, _NOMINAL_S = 1.0, 30.0  # gauges of batteries refresh every 1 to 30 s
_AVERAGED_S = 1.0
_POLL_S = 5.0  # so that a visit to the charger is seen
_POWER_STEP_W = 0.05  # 1 mA at 20 V and 1 mV at 20 A make 0.04 W
_UNPLUG = "on the charger: it shows what flows into the battery"


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the batteries that feed this machine.

    Raises:
        MeterUnavailable: It has none, or is on the charger.
    """
    return BatteryMeter(Path(environment.get("JOULES_SYSFS_ROOT") or "/sys"))


def _read_text(path: Path) -> str:
    return path.read_text(encoding="ascii")


@dataclass(frozen=True, slots=True)
class _Route:
    """A way to read one battery: the channel, and what gives its value."""

    channel: Channel
    value: Callable[[], float]


class BatteryMeter:
    """The power of each battery that feeds the machine, and the energy that it has given.

    Args:
        root: Where sysfs is.
        read: Gives the text of a file.
        clock: Monotonic time in ns.
        sleep: Lets time pass, s.

    Raises:
        MeterUnavailable: There is no battery, none that feeds the machine, or no file to read.
    """

    name = "battery"

    def __init__(
        self,
        root: Path,
        *,
        read: Read = _read_text,
        clock: Clock = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._unusable: list[Unusable] = []
        batteries = self._find(root / "class" / "power_supply", read)
        self._feeding = [battery for battery in batteries if feeds(battery)]
        self._idle = [battery for battery in batteries if battery not in self._feeding]
        if not self._feeding:
            reason = "; ".join(f"{battery} is {status_of(battery)}" for battery in batteries)
            raise MeterUnavailable(f"{reason}: {_UNPLUG}", "unplug the charger", Status.INVALID)
        for battery in self._idle:
            reason = f"it is {status_of(battery)}, and another battery feeds the machine"
            fix = "nothing to do: if it begins to, the window is void"
            self._unusable.append(Unusable(str(battery), Status.INVALID, reason, fix))
        self._routes = self._open()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Power and energy of each battery that feeds the machine."""
        return tuple(route.channel for routes in self._routes.values() for route in routes)

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Batteries at rest, and files that are missing."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each channel; a battery that fails has a reason, and the others go on."""
        joined = next((battery for battery in self._idle if feeds(battery)), None)
        found: list[Reading] = []
        for battery in self._feeding:
            readings = [self._reading(battery, route) for route in self._routes[battery.number]]
            if (void := _why_void(battery, joined)) is not None:
                readings = [
                    Reading(channel, t0, t1, None, *void) for channel, t0, t1, *_ in readings
                ]
            found += readings
        return tuple(found)

    def close(self) -> None:
        """Nothing is held."""

    def _find(self, folder: Path, read: Read) -> list[Battery]:
        """The batteries of the machine, not those of a mouse, in the order of their names."""
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            paths = []
        found: list[Battery] = []
        for path in paths:
            try:
                battery = Battery(len(found), path, read)
                if is_of_machine(battery):
                    battery.status()
                    found.append(battery)
            except (OSError, ValueError) as error:
                self._unusable.append(Unusable(path.name, *explain(error)))
        if not found:
            if self._unusable:
                first = self._unusable[0]
                raise MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)
            raise MeterUnavailable(
                f"{folder} lists no battery",
                "a machine without one hangs on a plug: --meters plug:http://…",
            )
        return found

    def _open(self) -> dict[int, list[_Route]]:
        """The routes that all batteries have: a sum over two kinds of them would be none."""
        found = {battery.number: self._routes_of(battery) for battery in self._feeding}
        units = [{route.channel.unit for route in routes} for routes in found.values()]
        common = set.intersection(*units)
        if not common:  # a file that is there and fails tells more than one that is missing
            failing = [each for each in self._unusable if each.status is not Status.INVALID]
            failing.sort(key=lambda each: each.status is Status.NOT_SUPPORTED)
            first = failing[0]
            raise MeterUnavailable(f"{first.what}: {first.reason}", first.fix, first.status)
        for routes in found.values():
            for route in [route for route in routes if route.channel.unit not in common]:
                reason = "another battery has no such file, and a sum needs it of each"
                what = Unusable(route.channel.id, Status.NOT_SUPPORTED, reason, "nothing to do")
                self._unusable.append(what)
                routes.remove(route)
        return found

    def _routes_of(self, battery: Battery) -> list[_Route]:
        routes: list[_Route] = []
        refused: list[Unusable] = []
        for value, files in (
            (battery.power_now, ["power_now"]),
            (battery.product, ["current_now", "voltage_now"]),
        ):
            try:
                value()
                interval_s, note = self._interval(battery, files)
            except (OSError, ValueError) as error:
                refused.append(Unusable(f"{battery} {files[0]}", *refusal(error)))
            else:
                channel = _gauge(battery, " · ".join(files), interval_s, note)
                routes.append(_Route(channel, value))
                refused.clear()  # the other route serves as well
                break
        try:
            start = battery.count("energy_now")
            interval_s, note = self._interval(battery, ["energy_now"])
        except (OSError, ValueError) as error:
            refused.append(Unusable(f"{battery} energy_now", *refusal(error)))
        else:
            channel = _counter(battery, energy_step_j(battery, start), interval_s, note)
            routes.append(_Route(channel, partial(used_j, battery, start)))
        self._unusable += refused
        return routes

    def _interval(self, battery: Battery, files: Sequence[str]) -> tuple[float, str]:
        """How long the files may hold their values, s, and a note if that was not seen."""

        def look(name: str) -> float:
            self._sleep(_PAUSE_S)
            return float(battery.count(name))

        watch_s = _WATCH_S / (3 * len(self._feeding))  # there are three files at most
        longest = 0.0
        for name in files:
            seen = probe(partial(look, name), longest_s=watch_s, changes=5, clock=self._clock)
            if seen is None:
                note = f"its refresh was not seen in {watch_s:.2g} s, and is taken as every"
                return _NOMINAL_S, f"{note} {_NOMINAL_S:g} s"
            longest = max(longest, seen.update_interval_s)
        return max(_SHORTEST_S, longest), ""

    def _reading(self, battery: Battery, route: _Route) -> Reading:
        t0, channel = self._clock(), route.channel.id
        try:
            value = route.value()
        except (OSError, ValueError) as error:
            status, reason, fix = explain(error)
            text = f"{battery}: {reason}; {fix}" if fix else f"{battery}: {reason}"
            return Reading(channel, t0, self._clock(), None, status, text)
        return Reading(channel, t0, self._clock(), value)


def _why_void(battery: Battery, joined: Battery | None) -> tuple[Status, str] | None:
    """What makes a reading invalid, by the status just after it; None if nothing does."""
    if joined is not None:
        return Status.INVALID, f"{joined} feeds the machine too; open the meters again"
    try:
        shown = battery.status()
    except (OSError, ValueError) as error:
        status, reason, fix = explain(error)
        return status, f"{battery}: {reason}; {fix}"
    if shown == "Discharging":
        return None
    return Status.INVALID, f"{battery} is {shown}: {_UNPLUG}; unplug the charger"


def _gauge(battery: Battery, files: str, interval_s: float, note: str) -> Channel:
    return Channel(
        id=f"battery/{battery.number}",
        domain="battery",
        kind=Kind.SAMPLED,
        boundary="whole-device",
        resolution=_POWER_STEP_W,
        update_interval_s=interval_s,
        wrap=None,
        p_max_w=P_MAX_W,
        origin=f"power_supply:{battery.path.name}:{files}",
        note=note,
        unit="W",
        averaging_window_s=_AVERAGED_S,
        poll_s=_POLL_S,
    )


def _counter(battery: Battery, step_j: float, interval_s: float, note: str) -> Channel:
    return Channel(
        id=f"battery/{battery.number}#energy",
        domain="battery",
        kind=Kind.MEASURED,
        boundary="whole-device",
        resolution=step_j,
        update_interval_s=interval_s,
        wrap=None,  # it falls as the battery empties: what rises again was charged, or replaced
        p_max_w=P_MAX_W,
        origin=f"power_supply:{battery.path.name}:energy_now",
        note=note,
        poll_s=_POLL_S,
    )
