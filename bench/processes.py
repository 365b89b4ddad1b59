"""Fresh processes as the unit of replication: each side of each pair of processes in its own.

    process 0: start both, warm both up, A B B A B A A B, end both │ process 1: the same anew │ …

Layout, allocator and threads are the luck of a process, the same for all of its windows. So each
pair of processes gives one value, and the interval is that of these: `bench.replicates`.
"""

import contextlib
import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace

from bench.block import Side
from bench.child import Child
from bench.instruments import Instruments
from bench.measure import measure_case
from bench.meter import Channel
from bench.record import Discard, Window
from bench.schedule import PAIRS_PER_PROCESS, Schedule

Start = Callable[[str], Child]
"""Starts a fresh process for a role."""


def measure_processes(
    case: str,
    roles: tuple[str, str],
    schedule: Schedule,
    instruments: Instruments,
    seed: int,
    *,
    samples: int,
    number: int,
    start: Start,
    version: str = "",
    done: Sequence[Window] = (),
) -> Generator[Window | Discard]:
    """Measures two sides in *number* pairs of fresh processes; as `measure_case` otherwise.

    Close it where it is not run to its end: its processes end with it.

    Args:
        case: The case's id.
        roles: ``baseline``, and ``variant`` or ``control``.
        schedule: How long; there are no looks, just so many pairs of blocks in each process.
        instruments: What is read.
        seed: Decides the order of blocks, and which side starts first.
        samples: Of one call.
        number: How many pairs of processes.
        start: Starts a process for a role.
        version: Of the workload, which they must have too.
        done: Windows measured before. Of a pair of processes that was cut off the missing ones
            are measured, in another pair of processes.

    Raises:
        ChildError: A process could not run its side.
    """
    measured = list(done)
    for process in range(number):
        if _is_complete(measured, process, roles):
            continue
        source = random.Random(f"{seed}/{case}/{process}/start")  # noqa: S311 - an order, no secret
        with _started(roles, start, source, version) as both:
            one, other = (Side(role, both[role].loop, samples) for role in roles)
            for block in measure_case(
                case,
                (one, other),
                schedule,
                instruments,
                seed,
                done=measured[:],
                process=process,
            ):
                if isinstance(block, Discard):
                    yield block
                    continue
                window = replace(block, process=process)
                measured.append(window)
                yield window


@contextlib.contextmanager
def _started(
    roles: tuple[str, str], start: Start, source: random.Random, version: str
) -> Iterator[dict[str, Child]]:
    """Two fresh processes that have reached their case; they come up side by side."""
    with contextlib.ExitStack() as stack:
        found = {
            role: stack.enter_context(start(role)) for role in source.sample(roles, len(roles))
        }
        for child in found.values():
            child.up(version)
        yield found


def _is_complete(windows: Iterable[Window], process: int, roles: tuple[str, str]) -> bool:
    kept = [w for w in windows if w.process == process and w.role in roles]
    return len(kept) >= 2 * PAIRS_PER_PROCESS


def seconds_per_case(schedule: Schedule, channels: Iterable[Channel], number: int) -> float:
    """About how long a case takes, s, without the start of its processes."""
    blocks = schedule.in_process(channels)
    return number * 2 * (schedule.warmup_s + blocks.pairs * blocks.aim_s)
