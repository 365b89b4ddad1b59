"""Nights for tests: journals of a folder, and indexes made of numbers alone."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from journals import MACHINE, Cost, Pairs, a_case, a_journal, a_run, save

from bench.history.index import CASES, RUNS, UNREADABLE, Index
from bench.history.summary import digest
from bench.history.table import joined
from bench.meter import Channel
from bench.record import CaseRecord, Run
from bench.records import Journal

WOBBLE = (0.998, 1.002, 1.0, 1.001, 0.999, 1.0)
"""By how much the windows of one side differ from its cost."""


def started(night: int) -> str:
    """The start of a night, one a day."""
    month, day = divmod(night, 28)
    return f"2026-{1 + month % 12:02d}-{1 + day:02d}T02:00:{month // 12:02d}Z"


def night_run(night: int, **changes: Any) -> Run:
    fields = {
        "run_id": f"n{night:04d}",
        "started": started(night),
        "git": {"commit": f"{night:04x}" * 10, "dirty": False},
        **changes,
    }
    return a_run(**fields)


def pairs(energy: float, time: float, factor: float = 1.0, channel: str = "cpu/0/package") -> Pairs:
    """Six pairs: the baseline costs so much, the other side *factor* times that."""
    return [
        (
            Cost({channel: energy * w}, time * w),
            Cost({channel: energy * factor * v}, time * factor * v),
        )
        for w, v in zip(WOBBLE, reversed(WOBBLE), strict=True)
    ]


def night(
    number: int,
    cases: Sequence[tuple[CaseRecord, Pairs]] | None = None,
    *,
    scale: float = 1.0,
    **run: Any,
) -> Journal:
    """One night: a baseline beside itself, and a student of half its cost."""
    made = night_run(number, **run)
    usual = [
        (a_case(), pairs(0.010 * scale, 0.001 * scale)),
        (a_case("student"), pairs(0.010 * scale, 0.001 * scale, 0.5)),
    ]
    stamp = made.started.replace("-", "").replace(":", "")
    path = f"{stamp}-{made.machine.get('id')}-{made.run_id}.jsonl"
    return a_journal(usual if cases is None else cases, run=made, path=path)


def nights(folder: Path, count: int, **run: Any) -> list[Path]:
    """So many nights as files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [save(night(number, **run), folder) for number in range(count)]


Number = Callable[[str, int], float]
"""A case's number in a night."""


def noisy(seed: int, sigma: float = 0.01, level: float = 0.01) -> Number:
    """Normal logarithms around one level, the same for one seed, case and night."""
    return lambda case, night_: (
        level * math.exp(random.Random(f"{seed}/{case}/{night_}").gauss(0.0, sigma))
    )


def index_of_numbers(
    cases: Sequence[str],
    count: int,
    energy: Number | None = None,
    time: Number | None = None,
    *,
    of_night: Callable[[int], Mapping[str, Any]] = lambda _: {},
    control: float = 1.0,
) -> Index:
    """An index of nights of which only the numbers count; every baseline ran beside itself.

    Args:
        cases: Their ids.
        count: How many nights.
        energy: J/sample; absent if None.
        time: s/sample.
        of_night: Columns of a night that are not the usual ones.
        control: What the A/A controls give.
    """
    time = time or (lambda _case, _night: 0.001)
    parts, runs = [], []
    for number in range(count):
        changes = dict(of_night(number))
        facts = changes.pop("facts", "{}")
        journal = f"{started(number)}-m-n{number:04d}.jsonl"
        shared = {
            "journal": journal,
            "run": f"n{number:04d}",
            "started": started(number),
            "machine": "m",
            "commit": f"{number:04x}" * 10,
            "environment": digest({"facts": facts}),
            "device": "cpu",
            "device_id": "cpu",
            "runtime": "eager",
            "unit": "image",
            "workload_version": "v1",
            "kind": "measured" if energy else "",
            "boundary": "cpu-package" if energy else "",
            "channels": "cpu/0/package" if energy else "",
            "absent": "" if energy else "no power source can be read here",
            "is_control": 1,
            "energy_step": 1e-7,
            **changes,
        }
        its = [
            {
                **shared,
                "case": case,
                "workload": case.partition("/")[0],
                "energy": energy(case, number) if energy else math.nan,
                "time": time(case, number),
                **{
                    f"{quantity}_ratio{end}": control * factor
                    for quantity in ("energy", "time")
                    for end, factor in (("", 1.0), ("_low", 0.999), ("_high", 1.001))
                },
                **changes,
            }
            for case in cases
        ]
        parts.append(_columns(its, CASES))
        fields = {**shared, "cases": len(cases), "cpu": "a CPU", "facts": facts, "key": "k"}
        runs.append(_columns([fields], RUNS))
    return Index(joined(parts, CASES), joined(runs, RUNS), joined([], UNREADABLE))


def _columns(rows: Sequence[Mapping[str, Any]], columns: Any) -> dict[str, list[Any]]:
    return {
        **{name: [row.get(name, "") for row in rows] for name in columns.texts},
        **{name: [row.get(name, 0) for row in rows] for name in columns.counts},
        **{name: [row.get(name, math.nan) for row in rows] for name in columns.numbers},
    }


def other_machine(id_: str) -> dict[str, Any]:
    return {**MACHINE, "id": id_}


def with_kind(channel: Channel, **changes: Any) -> Channel:
    return replace(channel, **changes)
