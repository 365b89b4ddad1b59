"""The fresh processes of ours that are alive, and the CPU time that they have used.

`os.times` and ``getrusage`` know children only once they have ended and were waited for. The work
of a measured process that still lives would be nobody's, or that of others.
"""

import time

_ALIVE: dict[int, float] = {}  # the CPU seconds of each that were seen last
_SCHEDULED = 2  # CPUCLOCK_SCHED of Linux' posix-timers.h: what the scheduler counts, in ns


def born(pid: int) -> None:
    """Counts a child as ours from now on."""
    _ALIVE[pid] = 0.0


def gone(pid: int) -> None:
    """Leaves a child to the kernel's count of ended ones, once it was waited for."""
    _ALIVE.pop(pid, None)


def alive() -> tuple[int, ...]:
    """The children that count now."""
    return tuple(_ALIVE)


def cpu_s() -> float:
    """CPU seconds of all threads of the living children so far; 0 where there is none.

    Of what they started it has nothing: that joins with them when they have ended.
    """
    for pid in alive():
        _ALIVE[pid] = max(_ALIVE[pid], _process_clock_s(pid))
    return sum(_ALIVE.values())


def _process_clock_s(pid: int) -> float:
    """The CPU clock of another process, s; 0 if it was waited for.

    Its number is ``(~pid << 3) | CPUCLOCK_SCHED``: what clock_getcpuclockid(3) of glibc makes of
    it, which Python does not offer.
    """
    try:
        return time.clock_gettime_ns(~pid << 3 | _SCHEDULED) / 1e9
    except OSError:
        return 0.0
