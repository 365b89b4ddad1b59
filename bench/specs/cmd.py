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
    return Own(
        name=f"cmd:{Path(command[0]).stem}",
        model=program,
        unit="run",
        runtime=PROGRAM,
        version=program.version,
        note=_tried(program),
        threads=_cpus(),
        least_calls=1,  # a run may be the work of many calls
    )


def _tried(program: Program) -> str:
    """Runs it once; says so where what it used of the CPU is not what its work took."""
    began, used = time.monotonic(), _children_cpu_s()
    program()
    share = (_children_cpu_s() - used) / (time.monotonic() - began)
    if share >= _BUSY:
        return ""
    return (
        f"it used a CPU for {share:.0%} of its time: what others do for it, such as a GPU or a"
        " server, is in no estimate"
    )


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _cpus() -> int:
    """The CPUs that this process and its children may use: how many threads it runs is unknown."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
