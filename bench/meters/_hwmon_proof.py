"""How a sensor is proved: it is read and watched, which completes what its channel states."""

import math
import os
from collections.abc import Collection
from dataclasses import replace

from bench.meter import Channel, Clock, MeterUnavailable, Probe, Status, probe
from bench.meters._hwmon_device import Attribute, explain
from bench.meters._hwmon_sensor import Sensor, Supply
from bench.meters._hwmon_source import Source, Steps

_SHORTEST_POLL_S = 0.005
_ATTEMPTS = 3  # a bus that fails once is no reason to leave a sensor out
_SHORTEST_WATCH_S, _LONGEST_WATCH_S, _COUNTER_WATCH_S = 0.25, 2.0, 3.0
_CHANGES = 12
_ENOUGH_CHANGES = 6  # a gauge that moves less often may just have a steady load
_ENOUGH_VALUES = 3  # of which the greatest common divisor says something
_LARGEST_STEP_UW = 1_000_000
_UNKNOWN_SHARE = 0.01
_VOLTS_MARGIN = 0.15  # how far a supply may move from what it is at opening
_SKEW_STEPS, _SKEW_SHARE = 2, 0.01
_AMPS_ROUNDING = 0.0005  # the driver rounds to whole mA
_AMPS_STEPS = (0.002, 0.04)  # of shunts of 20 to 1 mOhm; the second where none was seen


def prove(sensor: Sensor, clock: Clock, longest_s: float = math.inf) -> None:
    """Reads a sensor, watches it, and completes its channel.

    Args:
        sensor: What is proved; its channel is replaced.
        clock: Monotonic time in ns.
        longest_s: How long it may be watched at most, s.

    Raises:
        MeterUnavailable: It shows nothing that can be used.
        OSError: The driver could not read it.
        ValueError: It shows no number.
    """
    steps = sensor.source.steps
    if steps is not None:
        volts = _volts(sensor, steps)
        _settle(sensor, steps, volts, steps.amps_step or _AMPS_STEPS[1])
    watch = _Watch(sensor, clock)
    watch.first()
    complete = _as_counter if sensor.channel.unit == "J" else _as_gauge
    sensor.channel = complete(sensor.channel, watch, longest_s, sensor.source)
    if steps is not None and steps.amps_step is None:
        _settle(sensor, steps, volts, watch.amps_step())


class _Watch:
    """A sensor that is looked at again and again."""

    def __init__(self, sensor: Sensor, clock: Clock) -> None:
        self._sensor, self._clock = sensor, clock
        self._milliamperes: set[int] = set()
        self._amps: tuple[Attribute, ...] = ()
        self.last = 0.0
        self.values: set[float] = set()
        self.trouble: OSError | ValueError | None = None

    def first(self) -> None:
        """Reads it once, with a few attempts."""
        for attempt in range(_ATTEMPTS):
            try:
                self.last = self._sensor.value()
            except (OSError, ValueError) as error:
                if attempt == _ATTEMPTS - 1 or not self._passes(error):
                    raise
            else:
                self.values.add(self.last)
                break

    def watch(self, seconds: float) -> Probe | None:
        """What watching it showed, and its current beside it, where that tells its steps."""
        steps = self._sensor.source.steps
        self._amps = self._sensor.aside(steps.amps if steps else None, "mA")
        try:
            return probe(self._look, longest_s=seconds, changes=_CHANGES, clock=self._clock)
        finally:
            for attribute in self._amps:
                os.close(attribute.fd)

    def amps_step(self) -> float:
        """The step in which its current was seen to move, A; a large one where it did not."""
        least, largest = _AMPS_STEPS
        seen = self._milliamperes - {0}
        step = math.gcd(*seen) / 1e3 if len(seen) >= _ENOUGH_VALUES else 0.0
        return step if least <= step < largest else largest

    def _passes(self, error: OSError | ValueError) -> bool:
        source = self._sensor.source
        return explain(error, source.device, source.paths[0])[0] is Status.ERROR

    def _look(self) -> float:
        """What it shows, or what it showed before where a single read fails."""
        try:
            self.last = self._sensor.value()
            self._milliamperes |= {attribute.number() for attribute in self._amps}
        except (OSError, ValueError) as error:
            if not self._passes(error):
                raise
            self.trouble = error
        else:
            self.values.add(self.last)
        return self.last


def _as_counter(channel: Channel, watch: _Watch, longest_s: float, source: Source) -> Channel:
    del source  # no driver says how often it refreshes a counter
    seconds = min(_COUNTER_WATCH_S, longest_s)
    seen = watch.watch(seconds)
    if seen is None and watch.trouble is not None:
        raise watch.trouble
    if seen is None:
        reason = f"its counter stood still for {seconds:.2g} s while it was watched"
        fix = "nothing to do if the device is off; else see dmesg for its driver"
        raise MeterUnavailable(reason, fix, Status.STALE)
    resolution = max(channel.resolution, counter_step(watch.values))
    return replace(channel, resolution=resolution, update_interval_s=seen.update_interval_s)


def _as_gauge(channel: Channel, watch: _Watch, longest_s: float, source: Source) -> Channel:
    interval_s = channel.update_interval_s
    seconds = min(max(_SHORTEST_WATCH_S, 10 * interval_s), _LONGEST_WATCH_S, longest_s)
    seen = watch.watch(seconds)
    if not any(watch.values):
        reason = "it shows exactly 0 W, which stands for no value"
        fix = "nothing to do if the device is off; else its firmware does not measure"
        raise MeterUnavailable(reason, fix, Status.NOT_SUPPORTED)
    seen_s = seen.update_interval_s if seen else 0.0
    if seen is not None and seen.changes >= _ENOUGH_CHANGES:
        interval_s = max(interval_s, seen_s) if source.stated else seen_s
    elif not source.stated:
        # a steady load tells little, and a mean may be refreshed as rarely as it is taken
        interval_s = max(interval_s, seen_s, channel.averaging_window_s)
    return replace(
        channel,
        resolution=channel.resolution or gauge_step(watch.values, source.step_share),
        update_interval_s=interval_s,
        poll_s=max(interval_s, _SHORTEST_POLL_S),
    )


def counter_step(joules: Collection[float]) -> float:
    """The step of a counter that showed these values, J; 0 if they are too few to tell.

    All values are multiples of it, so their greatest common divisor is no smaller.

    >>> counter_step([3.0, 5.0, 9.0]), counter_step([3.0, 9.0])
    (1.0, 0.0)
    """
    micro = {round(value * 1e6) for value in joules} - {0}
    return math.gcd(*micro) / 1e6 if len(micro) >= _ENOUGH_VALUES else 0.0


def gauge_step(watts: Collection[float], share: float) -> float:
    """A step that is no smaller than that of a gauge that showed these values, W.

    As for a counter; of too few values the trailing zeros have to do, up to 1 W, and one percent.
    It is at least *share* of the largest value, for gauges whose step grows with what they show.

    >>> gauge_step([95.25, 96.5, 97.0], 0.0), gauge_step([95.0], 0.0), gauge_step([97.0], 0.02)
    (0.25, 1.0, 1.94)
    """
    micro = {round(value * 1e6) for value in watts} - {0}
    step = math.gcd(*micro)
    if len(micro) < _ENOUGH_VALUES:
        step, share = 1, max(share, _UNKNOWN_SHARE)
        while step < _LARGEST_STEP_UW and all(value % (10 * step) == 0 for value in micro):
            step *= 10
    return max(step, share * max(micro, default=0)) / 1e6


def _settle(sensor: Sensor, steps: Steps, volts: float, amps_step: float) -> None:
    """States what a step of voltage and current is in W, so that it holds under any load.

    With V off by at most dV, and I by at most dI, the true power lies between
    (P - V·dI)·(1 - dV/V) and (P + V·dI)·(1 + dV/V): a resolution and a range.
    """
    lowest, highest = volts * (1 - _VOLTS_MARGIN), volts * (1 + _VOLTS_MARGIN)
    skew = max(_SKEW_STEPS * steps.volts_step, _SKEW_SHARE * volts) if sensor.is_product else 0.0
    p_max_w = sensor.channel.p_max_w
    if steps.most_amps is not None:
        p_max_w = min(p_max_w, highest * steps.most_amps)
    step_w = (steps.most_volts or highest) * (amps_step + _AMPS_ROUNDING) + steps.power_step
    share = (steps.volts_step + skew / 2) / lowest
    sensor.supply = Supply(lowest, highest, skew, 0.0 if steps.most_volts else amps_step)
    sensor.channel = replace(
        sensor.channel, resolution=step_w, range=(1 - share, 1 + share), p_max_w=p_max_w
    )


def _volts(sensor: Sensor, steps: Steps) -> float:
    """The voltage that is there now, V."""
    millivolts = 0
    for attribute in sensor.aside(steps.volts, "mV"):
        try:
            millivolts = attribute.number()
        finally:
            os.close(attribute.fd)
    if millivolts <= 0:
        reason = "the rail has no voltage, so that its power cannot be told from no value"
        raise MeterUnavailable(reason, "nothing to do if it is off", Status.NOT_SUPPORTED)
    return millivolts / 1e3  # hwmon shows millivolts
