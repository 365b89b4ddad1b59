"""The channel that a watched trace is: how finely, how often and how late it shows its power."""

from bench.meter import Channel, MeterUnavailable, Status
from bench.meters._trace_format import Format
from bench.meters._trace_stream import Stream
from bench.meters._trace_wanted import Wanted
from bench.meters._trace_watch import Watch
from bench.quantities import Kind

_OTHERS_CLOCK_S, _OWN_CLOCK_S, _TRANSPORT_S = 0.1, 0.001, 0.1
_HELD_S = 1.0  # what plugs refresh in
_SHORTEST_POLL_S = 0.02  # nothing is lost meanwhile
_WORDS = {
    "utc": "its times are UTC, by a clock that agrees with this machine's to {:.3g} s",
    "unix": "its times are unix times, by a clock that agrees with this machine's to {:.3g} s",
    "monotonic": "its times are this machine's monotonic times to {:.3g} s",
    "device": "its times are put on our clock by when they come, to {:.3g} s and what is seen",
    None: "its lines have no time: they are taken at most {:.3g} s before they come",
}


def channel_of(asked: Wanted, stream: Stream, watch: Watch, form: Format) -> Channel:
    """The channel of what was watched.

    Args:
        asked: How the trace is to be read; what it says goes before what was seen.
        stream: Where its lines come from.
        watch: What was seen of it.
        form: How its lines are read.

    Raises:
        MeterUnavailable: It shows an energy that does not move.
    """
    family = asked.channel.partition("/")[0]
    stamp_step = max(sample.stamp_step for sample, _, _ in watch.samples)
    update = _update_interval_s(asked, stream, watch, form)
    averaging = 0.0 if form.is_energy else asked.average_s
    clock_s = asked.clock_s
    if clock_s is None:
        own = {"monotonic": _OWN_CLOCK_S, "utc": _OTHERS_CLOCK_S, "unix": _OTHERS_CLOCK_S}
        transport = _TRANSPORT_S + stream.period_s
        clock_s = stamp_step + own.get(form.clock or "", transport)
    clock_s = max(clock_s, _OWN_CLOCK_S)
    step = min(sample.step for sample, _, _ in watch.samples)
    if form.is_energy:
        step *= 2  # a counter shows no more than it has counted; a printed one may be rounded up
    note = f"{form.what}; {_WORDS[form.clock].format(clock_s)}"
    return Channel(
        id=asked.channel,
        domain=family,
        kind=Kind.EXTERNAL,
        boundary=asked.boundary or family,
        resolution=step,
        update_interval_s=update,
        wrap=None,
        p_max_w=asked.p_max_w,
        origin=f"trace:{stream.what}",
        note=note,
        unit="J" if form.is_energy else "W",
        averaging_window_s=update if averaging is None else averaging,
        poll_s=max(update, _SHORTEST_POLL_S),
        clock_s=clock_s,
    )


def _update_interval_s(asked: Wanted, stream: Stream, watch: Watch, form: Format) -> float:
    """The longest time for which the meter holds a value, s, as far as it was seen.

    Raises:
        MeterUnavailable: A running total of energy did not move.
    """
    known = asked.interval_s or stream.interval_s
    if known is not None:
        return known
    if not form.is_energy:
        # A power that stays the same does not show how long the meter holds it; plugs do for 1 s.
        return watch.held_s or max(watch.interval_s or 0.0, _HELD_S)
    if len({sample.value for sample, _, _ in watch.samples}) == 1:
        raise MeterUnavailable(
            f"the energy in {stream.what} stood still for {watch.longest_hold_s:.3g} s",
            "its steps are too coarse, or nothing feeds it: name its column of power instead",
            Status.STALE,
        )
    return watch.held_s or watch.longest_hold_s
