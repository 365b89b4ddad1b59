"""Runs whole sessions on a simulated device, kills them, and goes on with them: a program.

``python killed_session.py FOLDER TRIALS`` prints one JSON line for each trial. A trial is a forked
process that runs a session and kills itself with SIGKILL at a random point: in the middle of a
line, between two, or while a block runs. Another process goes on with it, and may be killed too.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import records
from bench.compare import compare
from bench.record import Window, from_json
from bench.run import Settings
from bench.schedule import Schedule
from bench.session import Session
from bench.simulated import DeviceModel, SimulatedDevice, SimulatedModel, Work
from bench.workload import Loop, Variant, Workload, level

SCHEDULE = Schedule(4, 0.5, 0.1, 0.5, margin=0.03, target=0.03, most_pairs=8)
UNRESOLVED = 1 / 1.03
"""A ratio at the edge of the margin: it is measured until the most pairs."""


class Deadly:
    """A device without noise or counter, whose process dies at a chosen point.

    Args:
        byte: After how many bytes of the journal, in the middle of a line if it falls there.
        run: At which run of a loop.
    """

    def __init__(self, byte: float = float("inf"), run: float = float("inf")) -> None:
        self.device = SimulatedDevice(DeviceModel(counters=()), seed=7)
        self.byte, self.runs, self.file = byte, run, None
        self.device.loop = self._loop(self.device.loop)  # type: ignore[method-assign,assignment]

    def _loop(self, make: Callable[[Work], Loop]) -> Callable[[Work], Loop]:
        def made(work: Work) -> Loop:
            inner = make(work)

            def run(calls: int) -> Sequence[float]:
                self.runs -= 1
                if self.runs < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return inner(calls)

            return run

        return made


@dataclass
class DeadlyFile:
    """A journal's file that takes a number of bytes, and then the process is gone."""

    file: Any
    left: float

    def write(self, data: memoryview) -> int:
        if len(data) > self.left:
            self.file.write(data[: int(self.left)])
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= len(data)
        return int(self.file.write(data))

    def fileno(self) -> int:
        return int(self.file.fileno())

    def close(self) -> None:
        self.file.close()


def session(folder: Path, deadly: Deadly, *, resume: bool) -> None:
    """A control and two variants of each of two workloads."""
    settings = Settings("test", SCHEDULE, results=folder, resume=resume, command="test")
    environment = {"JOULES_LOCK": str(folder / "lock")}
    opened = Session.start(settings, lambda _: None, environment, deadly.device.instruments())
    opened.ledger.writer._file = DeadlyFile(opened.ledger.writer._file, deadly.byte)
    for name, seconds in (("small", 0.004), ("large", 0.02)):
        models = {f: SimulatedModel(deadly.device, Work(seconds * f)) for f in (1, 0.8, UNRESOLVED)}
        workload = Workload(name, models[1], lambda _: None, version="1")
        for factor, model in models.items():
            technique = "baseline" if factor == 1 else "scaled"
            levels = () if factor == 1 else level(by=factor)
            variant = Variant(workload, technique, levels, model)
            opened.measure(variant, None, 1, runtime="simulated")
    opened.finish(0)


def forked(run: Callable[[], None]) -> bool:
    """Runs it in a process of its own; whether that was killed."""
    pid = os.fork()
    if pid == 0:
        run()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "a session failed"
    return False


def windows(path: Path) -> list[Window]:
    """The windows whose lines are whole."""
    whole = path.read_bytes().rpartition(b"\n")[0].decode().split("\n")
    found = [from_json(line) for line in whole if line]
    return [record for record in found if isinstance(record, Window)]


def what(window: Window) -> tuple[object, ...]:
    """A window but for when it was measured, and what that makes of its number in the case."""
    seconds = round(window.seconds, 6)
    return window.case, window.role, window.pair, window.calls, window.samples, seconds


def rows(path: Path) -> list[str]:
    """The table of a journal, to its last digit that does not hang on when it began."""
    return [
        f"{row.case.case} {row.time_ratio} {row.time_verdict} {row.windows} {row.discards}"
        for table in compare([records.read(path)])
        for row in table.rows
    ]


def trials(folder: Path, number: int) -> Iterator[dict[str, object]]:
    (folder / "whole").mkdir(parents=True)
    forked(partial(session, folder / "whole", Deadly(), resume=False))
    (unbroken,) = records.journals(folder / "whole")
    wanted = sorted(map(what, _counted(unbroken)), key=str)
    size, runs = unbroken.stat().st_size, len(windows(unbroken))
    for trial in range(number):
        source = random.Random(trial)
        place = folder / str(trial)
        place.mkdir()
        kills = 0
        finished: set[tuple[int, tuple[object, ...]]] = set()
        while True:
            at = source.uniform(0, 0.9 if kills < 3 else 10)
            deadly = Deadly(byte=at * size) if source.random() < 0.7 else Deadly(run=at * runs)
            killed = forked(partial(session, place, deadly, resume=kills > 0))
            (path,) = records.journals(place)
            now = {(w.t0_ns, what(w)) for w in windows(path)}
            lost = finished - now
            finished = now
            if lost or not killed:
                break
            kills += 1
        found = sorted(map(what, _counted(path)), key=str)
        yield {
            "kills": kills,
            "lost": len(lost),
            "each_once": found == wanted,
            "same_table": rows(path) == rows(unbroken),
            "ended": records.read(path).end is not None,
            "idle": sum(w.role == "idle" for w in windows(path)),
        }


def _counted(path: Path) -> list[Window]:
    """What counts: the windows of the cases, without those that only warmed up."""
    return [w for w in records.read(path).windows if w.role not in {"idle", "warmup"}]


if __name__ == "__main__":
    for outcome in trials(Path(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(f"{json.dumps(outcome)}\n")
        sys.stdout.flush()  # before the next fork, or its children would write it again
