"""What a meter gives, held against what `bench.meter` asks: so that a plug-in's fault has a name.

A number that is none would spread: a NaN passes every comparison and ends as 0 J with a status of
ok, and a text ends the program far from the meter that gave it.
"""

import math
from numbers import Real

from bench.meter import Channel, Meter, Reading, Status, Unusable
from bench.quantities import Kind

_ABOVE_0 = ("p_max_w",)
_ABOVE_0_OR_NONE = ("wrap", "poll_s")
_FROM_0 = ("resolution", "update_interval_s", "averaging_window_s", "clock_s")
_TEXTS = ("id", "domain", "boundary", "origin", "note")
_SHOWN = 60  # characters of somebody else's value in a message of ours


def require_meter(meter: Meter) -> tuple[Unusable, ...]:
    """What an opened meter leaves out, if it is a meter.

    Raises:
        ValueError: It is none, or one of its channels is none; the message names the field.
        AttributeError: It lacks a name, channels, or what it leaves out.
    """
    _require(isinstance(meter.name, str), "name", meter.name, "a text")
    channels, unusable = meter.channels, meter.unusable
    _require(isinstance(channels, tuple | list), "channels", channels, "a tuple")
    _require(isinstance(unusable, tuple | list), "unusable", unusable, "a tuple")
    for channel in channels:
        _require(isinstance(channel, Channel), "channels", channel, "a tuple of Channel")
        _require_channel(channel)
    for each in unusable:
        _require(isinstance(each, Unusable), "unusable", each, "a tuple of Unusable")
    ids = [channel.id for channel in channels]
    if len(set(ids)) < len(ids):
        raise ValueError(f"its channels are {', '.join(ids)}, and each id must be there once")
    cpu_s = getattr(meter, "children_cpu_s", 0.0)
    _require(_is_finite(cpu_s), "children_cpu_s", cpu_s, "a number of seconds")
    return tuple(unusable)


def _require_channel(channel: Channel) -> None:
    wrong = [(name, "a text") for name in _TEXTS if not isinstance(getattr(channel, name), str)]
    for names, least, wanted in (
        (_ABOVE_0, math.ulp(0), "a finite number above 0"),
        (_ABOVE_0_OR_NONE, math.ulp(0), "a finite number above 0, or None"),
        (_FROM_0, 0.0, "a finite number of 0 or more"),
    ):
        for name in names:
            value = getattr(channel, name)
            absent = value is None and names is _ABOVE_0_OR_NONE
            if not absent and not (_is_finite(value) and value >= least):
                wrong.append((name, wanted))
    if not channel.id:
        wrong.append(("id", "a text such as wall/0"))
    if not isinstance(channel.kind, Kind):
        wrong.append(("kind", "a Kind"))
    if channel.unit not in {"J", "W"}:
        wrong.append(("unit", "J or W"))
    if not _is_range(channel.range):
        wrong.append(("range", "two factors, the first of 0 to 1, the second of 1 or more"))
    for name, wanted in wrong:
        _require(False, f"{name} of the channel {channel.id}", getattr(channel, name), wanted)  # noqa: FBT003


def require_reading(reading: Reading) -> Reading:
    """A reading, its value a float.

    Raises:
        ValueError: Its times, its value or its status are not what a reading's are.
    """
    _, t0_ns, t1_ns, value, status, _, t_device = reading
    if not (isinstance(t0_ns, int) and isinstance(t1_ns, int) and t0_ns <= t1_ns):
        found = f"{t0_ns!r:.{_SHOWN}} to {t1_ns!r:.{_SHOWN}}"
        raise ValueError(f"found the times {found}, wanted two of time.monotonic_ns() in order")
    if (value is None) == (status == Status.OK):
        found = f"the value {value!r:.{_SHOWN}} with the status {status!s:.{_SHOWN}}"
        raise ValueError(f"found {found}, wanted a value if it is ok, and None if it is not")
    if t_device is not None:
        _require(_is_finite(t_device), "t_device", t_device, "a finite number of seconds, or None")
    if value is None or type(value) is float:
        return reading
    _require(isinstance(value, Real), "value", value, "a number")
    return reading._replace(value=float(value))


def _require(fits: bool, name: str, value: object, wanted: str) -> None:  # noqa: FBT001
    if not fits:
        raise ValueError(f"found {value!r:.{_SHOWN}} as {name}, wanted {wanted}")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _is_range(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:  # noqa: PLR2004 - low and high
        return False
    low, high = value
    return _is_finite(low) and _is_finite(high) and 0 <= low <= 1 <= high
