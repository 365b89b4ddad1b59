"""What may spoil a run and can be seen before it: said, with what would help, and never changed.

Source: the preconditions of shared/benchmark-tools.md §3.3 and §7.12, after pyperf's checks.
"""

from collections.abc import Iterable, Iterator

from bench import guard

WARM_C = 75.0
"""Temperature of a waiting CPU above which little is left before it holds its clocks back, °C."""

_STEADY_GOVERNORS = {None, "performance", "userspace"}


def preconditions(
    state: guard.State, idle_flags: Iterable[str], channels: Iterable[str]
) -> Iterator[str]:
    """What is not as it should be before the run, each with what to do.

    Args:
        state: The machine before the first case.
        idle_flags: Flags of the window in which it should have waited.
        channels: Ids of the channels in the total.
    """
    if state.governor not in _STEADY_GOVERNORS:
        yield (
            f"the CPU frequency governor is {state.governor}: clocks follow the load;"
            " cpupower frequency-set -g performance would hold them"
        )
    if state.on_battery and not any(each.startswith("battery/") for each in channels):
        yield "the machine runs from its battery, which may lower its clocks; plug it in"
    if state.temperature_c is not None and state.temperature_c > WARM_C:
        yield (
            f"the CPU is at {state.temperature_c:.0f} °C before it has begun:"
            " let it cool, or it will hold its clocks back"
        )
    for flag in idle_flags:
        sort = guard.sort_of(flag)
        if sort == "foreign load":
            yield f"{flag} while the machine should have waited; end what else runs here"
        elif sort:
            yield f"{flag}, before the run; its blocks will carry the same flag"
