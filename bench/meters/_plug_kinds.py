"""What the plugs answer: their requests, their fields and their units, as pure functions.

Source: shared/counters.md §7.4; the steps are those that published replies show.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

_SHOWN = 40  # characters of somebody else's text in a message of ours
_WH, _W_MIN, _KWH = 3600.0, 60.0, 3.6e6  # J


class Shown(NamedTuple):
    """One reply, in SI.

    Args:
        watts: Power, W; None if the plug shows none that can be believed.
        reason: Why there is no power.
        joules: Energy since the plug began to count, J; None if it shows none.
        watts_step: Step of *watts* as the digits show it, W.
        joules_step: Step of *joules* as the digits show it, J.
    """

    watts: float | None
    reason: str
    joules: float | None
    watts_step: float = 1.0
    joules_step: float = 1.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """A way to ask a plug, and to read what it answers.

    Args:
        name: Which plugs speak it.
        path: What is asked for.
        parse: Reads a reply; a `ValueError` says that it is no reply of this kind.
        watts_step: Finest step of the power that these plugs have, W.
        joules_step: Finest step of the energy total that they have, J.
    """

    name: str
    path: str
    parse: Callable[[Mapping[str, Any]], Shown]
    watts_step: float
    joules_step: float

    def read(self, body: bytes) -> Shown:
        """What a reply shows.

        Raises:
            ValueError: It is no JSON, or no reply of this kind.
        """
        try:
            # the digits of a decimal tell its step; NaN and Infinity stay words
            reply = json.loads(body, parse_float=Decimal, parse_constant=str)
        except (ValueError, ArithmeticError, RecursionError) as error:
            found = ascii(body[:_SHOWN].decode("latin-1")) if body else "nothing"
            raise ValueError(f"found {found}, wanted JSON") from error
        if not isinstance(reply, dict):
            raise ValueError(f"found {_text(reply)}, wanted a JSON object")  # noqa: TRY004
        shown = self.parse(reply)
        return shown._replace(
            watts_step=max(shown.watts_step, self.watts_step),
            joules_step=max(shown.joules_step, self.joules_step),
        )


def _shelly_gen2(reply: Mapping[str, Any]) -> Shown:
    """Switch, PM1: apower and aenergy.total in Wh; EM1: act_power and no total."""
    name = next((name for name in ("apower", "act_power") if name in reply), None)
    if name is None:
        raise ValueError("it has no power meter")
    faults = reply.get("errors")
    if faults:
        return Shown(None, f"the plug reports {_text(faults)}", None)
    energy = reply.get("aenergy")
    total = energy.get("total") if isinstance(energy, dict) else None
    return _shown(reply[name], name, total, _WH)  # aenergy.total counts Wh


def _shelly_gen1(reply: Mapping[str, Any]) -> Shown:
    meters = reply.get("meters")
    meter = meters[0] if isinstance(meters, list) and meters else None
    if not isinstance(meter, dict) or "power" not in meter:
        raise ValueError("it has no meters[0].power")
    if len(reply["meters"]) > 1:  # a Shelly 2.5 or 4Pro: the machine may hang on any of them
        reason = f"it has {len(reply['meters'])} meters; the machine must hang on a plug with one"
        return Shown(None, reason, None)
    if meter.get("is_valid") is not True:
        reason = f"is_valid is {_text(meter.get('is_valid'))}: the plug's own check of it failed"
        return Shown(None, reason, None)
    return _shown(meter["power"], "power", meter.get("total"), _W_MIN)  # total counts W·min


def _tasmota(reply: Mapping[str, Any]) -> Shown:
    sensors = reply.get("StatusSNS")
    energy = sensors.get("ENERGY") if isinstance(sensors, dict) else None
    if not isinstance(energy, dict) or "Power" not in energy:
        raise ValueError("it has no StatusSNS.ENERGY.Power")
    # Its Time is the plug's local clock, which may step: readings carry our time alone.
    return _shown(energy["Power"], "Power", energy.get("Total"), _KWH)  # Total counts kWh


DIALECTS = (
    Dialect("shelly-gen2", "/rpc/Switch.GetStatus?id=0", _shelly_gen2, 0.1, 0.001 * _WH),
    Dialect("shelly-pm1", "/rpc/PM1.GetStatus?id=0", _shelly_gen2, 0.1, 0.001 * _WH),
    Dialect("shelly-em1", "/rpc/EM1.GetStatus?id=0", _shelly_gen2, 0.1, 0.001 * _WH),
    Dialect("shelly-gen1", "/status", _shelly_gen1, 0.01, _W_MIN),
    Dialect("tasmota", "/cm?cmnd=Status%208", _tasmota, 0.001, 0.00001 * _KWH),
    Dialect("tasmota", "/cm?cmnd=Status%2010", _tasmota, 0.001, 0.00001 * _KWH),
)


def _shown(power: object, name: str, total: object, total_j: float) -> Shown:
    watts, reason = _number(power, name)
    joules, _ = _number(total, "total")
    if watts == 0:
        # A running machine draws power: 0 W is what a plug shows that is off, or too coarse.
        watts, reason = None, f"{name} is exactly 0 W, which stands for no value"
    return Shown(
        None if watts is None else float(watts),
        reason,
        None if joules is None else float(joules) * total_j,
        _step(watts),
        _step(joules) * total_j,
    )


def _number(value: object, name: str) -> tuple[Decimal | None, str]:
    """A number that may be believed, or why it may not."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None, f"{name} is {_text(value)}, no number"
    if value < 0:
        return None, f"{name} is {_text(value)}, below zero"
    return Decimal(value), ""


def _step(value: Decimal | None) -> float:
    """The step that the digits of a number show.

    >>> [_step(Decimal(text)) for text in ("31", "31.40", "0.000")]
    [1.0, 0.01, 0.001]
    """
    exponent = value.as_tuple().exponent if value is not None else 0
    return 10.0 ** min(0, exponent) if isinstance(exponent, int) else 1.0


def _text(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class Held(NamedTuple):
    """What watching a quantity showed.

    Args:
        longest_s: Longest time for which it may have held one value, s.
        changes: How often it changed.
    """

    longest_s: float
    changes: int


def held(seen: Sequence[tuple[int, int, float]]) -> Held:
    """How long a quantity may have held a value, from looks at it as (start, end, value), in ns.

    As in `bench.meter.probe`, a change lies between the start of the look before it and the end
    of the look that shows it. The times before the first and after the last change count too: a
    plug that changed twice at once and then stood for five seconds may do so again.

    >>> second = 10**9
    >>> held([(0, 0, 5.0), (second, second, 6.0), (3 * second, 3 * second, 7.0)])
    Held(longest_s=3.0, changes=2)
    """
    if not seen:
        return Held(0.0, 0)
    longest, changes, since = 0, 0, seen[0][0]
    for before, after in pairwise(seen):
        longest = max(longest, after[1] - since)
        if after[2] != before[2]:
            changes, since = changes + 1, before[0]
    return Held(longest / 1e9, changes)
