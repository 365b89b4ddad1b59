"""Smart plugs that the machine hangs on: Shelly of both generations, and Tasmota, by HTTP.

``--meters plug:http://192.168.1.20`` names one; several are separated by semicolons. The setting
is ``JOULES_PLUG``, and it may hold a password: ``http://user:password@host``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.meter import Channel, Clock, Meter, MeterUnavailable, Reading, Status, Unusable
from bench.meters._plug_http import Network, PlugError, Transport, Web, addresses
from bench.meters._plug_kinds import DIALECTS, Dialect, Shown, held
from bench.quantities import Kind

OPT_IN = True  # it needs an address

_DEADLINE_S, _ALL_PLUGS_S = 2.0, 4.0  # a request; a read of all plugs, which has 5 s
_WATCH_S, _PAUSE_S, _CHANGES = 6.0, 0.1, 6
_NOMINAL_S = 1.0  # plugs average over about a second, and refresh as often
_P_MAX_W = 4000.0  # 16 A × 250 V, the largest that a household plug carries
_ACCURACY = (
    "its own accuracy, which no reading can show, is not in the bound (makers state about 1 %,"
    " Tasmota needs calibration)"
)


def open_meter(environment: Mapping[str, str]) -> Meter:
    """Opens the plugs that ``JOULES_PLUG`` names.

    Raises:
        MeterUnavailable: It names none, or one of them cannot be read.
    """
    return PlugMeter(environment.get("JOULES_PLUG", ""))


class _Look(NamedTuple):
    """One request to one plug."""

    t0_ns: int
    t1_ns: int
    shown: Shown | None
    error: PlugError | None


@dataclass
class _Plug:
    """One plug, and what it answered while it was watched."""

    number: int
    web: Web
    clock: Clock
    dialect: Dialect = DIALECTS[0]
    looks: list[_Look] = field(default_factory=list)
    channels: tuple[Channel, ...] = ()

    def look(self) -> _Look:
        """Asks it once."""
        t0 = self.clock()
        shown, failed = None, None
        try:
            shown = self.dialect.read(self.web.get(self.dialect.path))
        except PlugError as error:
            failed = error
        except ValueError as error:
            reason = f"{self.web.address} answered {self.dialect.path}: {error}"
            failed = PlugError(Status.ERROR, reason, "restart the plug if this goes on")
        return _Look(t0, self.clock(), shown, failed)

    def find_dialect(self) -> None:
        """Asks in each dialect until one is understood.

        Raises:
            PlugError: None is, or the plug does not answer, or wants a password.
        """
        refusals: list[str] = []
        statuses: set[Status] = set()
        for self.dialect in DIALECTS:
            look = self.look()
            if look.error is None:
                self._refuse_second_output()
                return
            if look.error.status not in {Status.NOT_SUPPORTED, Status.ERROR}:
                raise look.error
            statuses.add(look.error.status)
            refusals.append(look.error.reason)
        status = Status.ERROR if statuses == {Status.ERROR} else Status.NOT_SUPPORTED
        reason = f"{self.web.address} answers as no plug that is known: {'; '.join(refusals)}"
        fix = "it must be a Shelly or Tasmota plug with a power meter"
        raise PlugError(status, reason, fix)

    def _refuse_second_output(self) -> None:
        """Asks a Shelly that numbers its outputs whether it has another one.

        Raises:
            PlugError: It has, and nobody knows on which of them the machine hangs.
        """
        first, _, number = self.dialect.path.partition("?id=")
        if not number:
            return
        try:
            self.dialect.read(self.web.get(f"{first}?id=1"))
        except (PlugError, ValueError):
            return  # as a plug with one output answers
        reason = f"{self.web.address} has several outputs, and the machine may hang on any of them"
        raise PlugError(Status.NOT_SUPPORTED, reason, "the machine must hang on a plug with one")

    def seen(self, value: Callable[[Shown], float | None]) -> list[tuple[int, int, float]]:
        """The values of one quantity while it was watched, with the times around them."""
        return [
            (look.t0_ns, look.t1_ns, shown)
            for look in self.looks
            if look.shown is not None and (shown := value(look.shown)) is not None
        ]

    def has_moved(self) -> bool:
        """Whether both quantities have changed often enough to know their intervals."""
        both = (self.seen(_watts), self.seen(_joules))
        return all(held(seen).changes >= _CHANGES for seen in both if seen) and bool(both[0])


def _watts(shown: Shown) -> float | None:
    return shown.watts


def _joules(shown: Shown) -> float | None:
    return shown.joules


class PlugMeter:
    """The power of each plug, and its energy total where that moves fast enough to be of use.

    Args:
        text: Addresses, separated by semicolons.
        transport: Carries the requests; the network if None.
        clock: Monotonic time in ns.
        sleep: Lets time pass, s.
        deadline_s: Longest time that one request may take, s; less for many plugs.

    Raises:
        MeterUnavailable: No address is given, or one of the plugs cannot be read: a sum over
            some of them would pass for the machine.
    """

    name = "plug"

    def __init__(
        self,
        text: str,
        *,
        transport: Transport | None = None,
        clock: Clock = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        transport = transport or Network()
        found = addresses(text)
        if not found:
            raise MeterUnavailable(
                "no plug is named: JOULES_PLUG is not set",
                "name it: --meters plug:http://192.168.1.20 (several: separated by ;)",
            )
        deadline_s = min(deadline_s, _ALL_PLUGS_S / len(found))
        self._plugs = [
            _Plug(number, Web(address, transport, clock, deadline_s), clock)
            for number, address in enumerate(found)
        ]
        self._unusable: list[Unusable] = []
        try:
            _refuse_doubles(self._plugs, transport)
            for plug in self._plugs:
                plug.find_dialect()
            _watch(self._plugs, clock, sleep)
            for plug in self._plugs:
                plug.channels = tuple(self._channels_of(plug))
        except PlugError as error:
            status = Status.UNAVAILABLE if error.status is Status.LOST else error.status
            raise MeterUnavailable(error.reason, error.fix, status) from error

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The power of each plug, and energy totals that moved."""
        return tuple(channel for plug in self._plugs for channel in plug.channels)

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Energy totals that are too coarse."""
        return tuple(self._unusable)

    def read(self) -> tuple[Reading, ...]:
        """One reading of each channel; a plug that fails has a reason, and the others go on."""
        return tuple(
            _reading(channel, look)
            for plug in self._plugs
            for look in (plug.look(),)
            for channel in plug.channels
        )

    def close(self) -> None:
        """Nothing is held: each request has a connection of its own."""

    def _channels_of(self, plug: _Plug) -> list[Channel]:
        seen = plug.seen(_watts)
        if not seen:
            raise _why_no_power(plug)
        step = min(look.shown.watts_step for look in plug.looks if look.shown and look.shown.watts)
        interval_s, note = _interval(seen)
        power = Channel(
            id=f"wall/{plug.number}",
            domain="wall",
            kind=Kind.EXTERNAL,
            boundary="wall",
            resolution=step,
            update_interval_s=interval_s,
            wrap=None,
            p_max_w=_P_MAX_W,
            origin=f"plug:{plug.dialect.name}:{plug.web.address}",
            note=f"{note}; {_ACCURACY}" if note else _ACCURACY,
            unit="W",
            averaging_window_s=_NOMINAL_S,
            poll_s=_NOMINAL_S,
        )
        total = self._total_of(plug)
        return [power] if total is None else [power, total]

    def _total_of(self, plug: _Plug) -> Channel | None:
        """The plug's energy total as a second route, if it moves while it is watched."""
        seen, what = plug.seen(_joules), f"wall/{plug.number}#total"
        if not seen:
            return None
        step = min(look.shown.joules_step for look in plug.looks if look.shown)
        found = held(seen)
        if found.changes < 2:  # noqa: PLR2004 - one change shows no interval
            reason = (
                f"its energy total changed {found.changes} times in {found.longest_s:.2g} s:"
                f" its step of {step:g} J, or its refresh, is too coarse"
            )
            fix = f"nothing to do: wall/{plug.number} is read instead"
            self._unusable.append(Unusable(what, Status.STALE, reason, fix))
            return None
        return Channel(
            id=what,
            domain="wall",
            kind=Kind.EXTERNAL,
            boundary="wall",
            resolution=step,
            update_interval_s=found.longest_s,
            wrap=None,  # it counts since the plug began, or was switched on: a fall is a reset
            p_max_w=_P_MAX_W,
            origin=f"plug:{plug.dialect.name}:{plug.web.address}:total",
            note=f"the plug's own total, in steps of {step:g} J; {_ACCURACY}",
        )


def _interval(seen: Sequence[tuple[int, int, float]]) -> tuple[float, str]:
    """How long a gauge may hold its value, s, and a note if that is not known."""
    found = held(seen)
    if found.changes == 0:
        watched = f"it showed one value for {found.longest_s:.2g} s"
        return _NOMINAL_S, f"{watched}, so a refresh every {_NOMINAL_S:g} s is taken for granted"
    if found.changes == 1:
        return max(_NOMINAL_S, (seen[-1][1] - seen[0][0]) / 1e9), ""
    return max(_NOMINAL_S, found.longest_s), ""


def _refuse_doubles(plugs: Sequence[_Plug], transport: Transport) -> None:
    """Raises a `PlugError` if one plug is named twice: a sum would count it twice."""
    known: dict[str, _Plug] = {}
    for plug in plugs:
        for peer in transport.peers(plug.web.address):
            other = known.setdefault(peer, plug)
            if other is not plug:
                reason = f"{other.web.address} and {plug.web.address} are one plug ({peer})"
                raise PlugError(Status.NOT_SUPPORTED, reason, "name each plug once")


def _watch(plugs: Sequence[_Plug], clock: Clock, sleep: Callable[[float], None]) -> None:
    """Looks at the plugs in turn until all have moved often enough, or for a few seconds."""
    began = clock()
    while clock() - began < _WATCH_S * 1e9 and not all(plug.has_moved() for plug in plugs):
        for plug in plugs:
            plug.looks.append(plug.look())
        sleep(_PAUSE_S)


def _why_no_power(plug: _Plug) -> PlugError:
    """Why no look at a plug gave a power."""
    last = plug.looks[-1]
    if last.error is not None:
        return last.error
    reason = last.shown.reason if last.shown is not None else ""
    fix = "is the machine plugged into it, and is it switched on?"
    return PlugError(Status.NOT_SUPPORTED, f"{plug.web.address}: {reason}", fix)


def _reading(channel: Channel, look: _Look) -> Reading:
    """What a look says about one channel."""
    failed = look.error
    if failed is not None:
        return Reading(channel.id, look.t0_ns, look.t1_ns, None, failed.status, str(failed))
    assert look.shown is not None  # noqa: S101 - it is shown, or there is an error
    value = look.shown.watts if channel.unit == "W" else look.shown.joules
    reason = ""
    if value is None:
        reason = look.shown.reason or "the plug shows no energy total"
    elif channel.unit == "W" and value > channel.p_max_w:
        reason = f"it shows {value:g} W, more than the {channel.p_max_w:g} W that a plug carries"
    if reason:
        text = f"{channel.id}: {reason}; this reading is left out"
        return Reading(channel.id, look.t0_ns, look.t1_ns, None, Status.ERROR, text)
    return Reading(channel.id, look.t0_ns, look.t1_ns, value)
