"""``cmd:"PROGRAM ARGS"``: a program of any language, from its start to its end."""

import os
import resource
import shlex
import shutil
import time
from pathlib import Path

from bench.own import PROGRAM, Own, Wish
from bench.program import Program

_BUSY = 0.1
"""Share of its time that a program must use a CPU, or the reader is told that it does not."""


def load(what: str, wish: Wish) -> Own:  # noqa: ARG001 - a program brings its own inputs
    """The program, after one run that shows whether it works.

    Raises:
        ValueError: There is no such program, or the words cannot be split as a shell does.
        Refusal: It fails.
    """
    command = tuple(shlex.split(what))
    if not command or shutil.which(command[0]) is None:
        raise ValueError(f"cmd:{what}: no program {' '.join(command[:1])!r}; is it on the PATH?")
    program = Program(command)
    seconds, share = _tried(program)
    return Own(
        name=f"cmd:{Path(command[0]).stem}",
        model=program,
        unit="run",
        runtime=PROGRAM,
        version=program.version,
        note="" if share >= _BUSY else _elsewhere(share),
        threads=_cpus(),
        least_calls=1,  # a run may be the work of many calls
        seconds=seconds,
    )


def _tried(program: Program) -> tuple[float, float]:
    """Runs it once: how long that took, s, and for which share of that it used a CPU."""
    began, used = time.monotonic(), _children_cpu_s()
    program()
    seconds = time.monotonic() - began
    return seconds, (_children_cpu_s() - used) / seconds


def _elsewhere(share: float) -> str:
    return (
        f"it used a CPU for {share:.0%} of its time: what others do for it, such as a GPU or a"
        " server, is in no estimate"
    )


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _cpus() -> int:
    """The CPUs that this process and its children may use: how many threads it runs is unknown."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
