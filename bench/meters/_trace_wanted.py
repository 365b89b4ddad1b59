"""What ``--meters trace:SOURCE?key=value&…`` asks for: pure functions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl

from bench.meter import MeterUnavailable

CLOCKS = ("utc", "unix", "monotonic", "device")
WATTS_PER = {"uW": 1e-6, "µW": 1e-6, "mW": 1e-3, "W": 1.0, "kW": 1e3}
JOULES_PER = {"uJ": 1e-6, "µJ": 1e-6, "mJ": 1e-3, "J": 1.0, "kJ": 1e3}
JOULES_PER |= {"uWh": 3.6e-3, "µWh": 3.6e-3, "mWh": 3.6, "Wh": 3.6e3, "kWh": 3.6e6}

P_MAX_W = 3680.0  # 16 A × 230 V: what one socket carries
EXAMPLE = "trace:log.csv?time=Timestamp&watts=Power&unit=mW&clock=utc"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a source is to be read; what is None is found out, or has a default.

    Args:
        source: A path, or ``ptd://host:port``.
        time: Name of the column of time.
        watts: Name of the column of power; ``Ch1`` and so on in PTDaemon's lines.
        joules: Name of the column of a running total of energy.
        volts: Name of the column of voltage, or a constant voltage in V.
        amps: Name of the column of current.
        unit: Unit of *watts* or *joules*.
        scale: Factor on the column, instead of the unit that its name gives.
        clock: What the time stamps count from: one of `CLOCKS`.
        channel: Id of the channel.
        boundary: What its joules contain; what the id begins with if None.
        average_s: Time over which the meter averages before each stamp, s.
        interval_s: Time between two samples, s.
        p_max_w: Power that cannot be exceeded, W.
        clock_s: How far the time stamps may be off, s.
    """

    source: str
    time: str | None = None
    watts: str | None = None
    joules: str | None = None
    volts: str | None = None
    amps: str | None = None
    unit: str | None = None
    scale: float | None = None
    clock: str | None = None
    channel: str = "wall/0"
    boundary: str | None = None
    average_s: float | None = None
    interval_s: float | None = None
    p_max_w: float = P_MAX_W
    clock_s: float | None = None

    @property
    def is_energy(self) -> bool | None:
        """Whether a running total of energy is asked for; None if it is not said."""
        if self.unit is not None:
            return self.unit in JOULES_PER
        if self.joules is not None:
            return True
        return None if self.watts is None and self.amps is None else False

    @property
    def factor(self) -> float | None:
        """What a number of the column is multiplied with to be W or J; None if it is not said."""
        if self.scale is None and self.unit is None:
            return None
        unit = {**WATTS_PER, **JOULES_PER}[self.unit] if self.unit is not None else 1.0
        return unit * (1.0 if self.scale is None else self.scale)


_KEYS = tuple(field.name for field in fields(Wanted) if field.name != "source")
_POSITIVE = ("scale", "interval_s", "p_max_w")
_NOT_NEGATIVE = ("average_s", "clock_s")


def wanted(text: str) -> Wanted:
    """Reads what the meter is given.

    Raises:
        MeterUnavailable: Nothing is given, a key or value is unknown, or two contradict.

    >>> wanted("log.csv?watts=P (mW)&unit=mW").factor
    0.001
    >>> wanted("ptd://10.0.0.5:8888").source
    'ptd://10.0.0.5:8888'
    """
    source, mark, query = text.partition("?")
    if not source:
        raise MeterUnavailable(
            "no trace is named: JOULES_TRACE is not set",
            f"name a file, a pipe, or ptd://host:port: --meters {EXAMPLE}",
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(mark))
    except ValueError as error:
        raise _refused(f"?{query} is no key=value&key=value ({error})") from error
    given: dict[str, str | float] = {}
    for key, value in pairs:
        if key not in _KEYS:
            raise _refused(f"{key!r} is no key; choose from {', '.join(_KEYS)}")
        if key in given:
            raise _refused(f"{key} is given twice")
        given[key] = _number(key, value) if key in {*_POSITIVE, *_NOT_NEGATIVE} else value
    _check(given)
    return Wanted(source, **given)  # type: ignore[arg-type]


def _number(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0 or (value == 0 and key in _POSITIVE):
        least = "above 0" if key in _POSITIVE else "of 0 or more"
        raise _refused(f"found {key}={text}, wanted a number {least}")
    return value


def _check(given: Mapping[str, str | float]) -> None:
    """Raises what cannot be meant."""
    unit, clock = given.get("unit"), given.get("clock")
    if unit is not None and unit not in {**WATTS_PER, **JOULES_PER}:
        raise _refused(f"found unit={unit}, wanted {', '.join({**WATTS_PER, **JOULES_PER})}")
    if clock is not None and clock not in CLOCKS:
        raise _refused(f"found clock={clock}, wanted {', '.join(CLOCKS)}")
    for key in given:
        if not given[key] and isinstance(given[key], str):
            raise _refused(f"{key} is empty")
    values = [key for key in ("watts", "joules", "amps") if key in given]
    if len(values) > 1:
        raise _refused(f"{' and '.join(values)} are both given, and one of them is measured")
    if ("volts" in given) != ("amps" in given):
        raise _refused("volts and amps are given together or not at all")
    if "amps" in given and unit is not None:
        raise _refused("a unit of volts × amps is given by their columns' names, or by scale=")
    wrong = ("watts" in given and unit in JOULES_PER) or ("joules" in given and unit in WATTS_PER)
    if wrong:
        raise _refused(f"unit={unit} is no unit of {values[0]}")
    channel = given.get("channel", "wall/0")
    if not all(str(channel).split("/")) or "#" in str(channel):
        raise _refused(f"found channel={channel}, wanted an id such as wall/0 or module/vdd_in")


def _refused(reason: str) -> MeterUnavailable:
    return MeterUnavailable(f"the trace cannot be read as asked: {reason}", f"e.g. {EXAMPLE}")
