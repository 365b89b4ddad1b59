"""What a night runs, and in which order: groups of tests, pairs of processes, canaries. Pure.

    pair 1:  group 2  A B │ canary 1  A A' │ group 1  B A
    pair 2:  group 1  A B │ group 2  B A   │ canary 1  A' A

Both processes of a pair follow each other at once. Which side begins alternates from pair to pair
of a group (ABBA), from a start that the seed decides; so does the order of groups and of tests.
"""

import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

CANARY_SHARE = 0.05
"""Share of the tests that run against themselves too (shared/benchmark-tools.md §3.3, point 8)."""

LEAST_CANARIES = 5
"""With two, a night whose second side costs 2 % more was at times trusted (reports/nights.md)."""

BASE, HEAD, AGAIN = "base", "head", "again"
"""Sides; ``again`` is the baseline once more, where a canary has the head."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a night is run.

    Args:
        together: Most tests of one process.
        blocks: Of each case in each process.
        canaries: How many tests run against themselves too; None for 5 %, at least five.
        seed: Of every order.
        timeout_s: Longest time of a process, s; None for what its tests may need.
        require_measured: Give up where no instrument can be read.
    """

    together: int = 8
    blocks: int = 3
    canaries: int | None = None
    seed: int = 0
    timeout_s: float | None = None
    require_measured: bool = False

    def __post_init__(self) -> None:
        for name, least in (("together", 1), ("blocks", 1), ("canaries", 0)):
            found = getattr(self, name)
            if found is not None and found < least:
                raise ValueError(f"found {name} = {found}, wanted at least {least}")


class Job(NamedTuple):
    """Tests that share processes.

    Args:
        number: Of the group, from 1.
        tests: Ids of pytest.
        canary: Whether both sides are the baseline.
    """

    number: int
    tests: tuple[str, ...]
    canary: bool = False


class Name(NamedTuple):
    """What the name of a process says; its journal has the same name, with ``.jsonl``.

    Args:
        canary: Whether both sides are the baseline.
        stage: 1 for the pairs that all have, 2 for the fresh ones of candidates.
        pair: Its number in the stage, from 1.
        group: Number of its job.
        place: ``a`` if it ran first, else ``b``.
        side: ``base``, ``head`` or ``again``.
        attempt: 2 for what was repeated.
    """

    canary: bool
    stage: int
    pair: int
    group: int
    place: str
    side: str
    attempt: int = 1

    def __str__(self) -> str:
        kind = f"{'canary-' if self.canary else ''}{'pair' if self.stage == 1 else 'fresh'}"
        again = f"-{self.attempt}" if self.attempt > 1 else ""
        return f"{kind}-{self.pair:02d}-g{self.group:02d}-{self.place}-{self.side}{again}"


_NAME = re.compile(r"(canary-)?(pair|fresh)-(\d+)-g(\d+)-([ab])-(base|head|again)(?:-(\d+))?")


def name_of(text: str) -> Name | None:
    """What a name says; None if it is none of ours.

    >>> str(name_of("canary-fresh-07-g01-b-again-2"))
    'canary-fresh-07-g01-b-again-2'
    """
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    canary, stage, pair, group, place, side, attempt = found.groups()
    number = 1 if stage == "pair" else 2
    return Name(bool(canary), number, int(pair), int(group), place, side, int(attempt or 1))


def canaries_of(tests: Sequence[str], plan: Plan) -> tuple[str, ...]:
    """The tests that run against themselves too, drawn by the seed."""
    number = plan.canaries
    if number is None:
        number = max(LEAST_CANARIES, math.ceil(CANARY_SHARE * len(tests)))
    drawn = random.Random(f"{plan.seed}/canaries")  # noqa: S311 - an order, no secret
    chosen = set(drawn.sample(list(tests), min(number, len(tests))))
    return tuple(test for test in tests if test in chosen)


def jobs(tests: Iterable[str], canaries: Iterable[str], together: int) -> tuple[Job, ...]:
    """The tests in groups: those of one file, at most so many *together*; canaries apart."""
    found: list[Job] = []
    for canary, chosen in ((False, tests), (True, canaries)):
        files: dict[str, list[str]] = {}
        for test in chosen:
            files.setdefault(test.partition("::")[0], []).append(test)
        found += (
            Job(0, tuple(each[start : start + together]), canary)
            for each in files.values()
            for start in range(0, len(each), together)
        )
    return tuple(job._replace(number=number) for number, job in enumerate(found, start=1))


def processes(
    stage: int, pair: int, all_jobs: Sequence[Job], seed: int
) -> Iterator[tuple[Job, tuple[Name, Name], tuple[str, ...]]]:
    """The pairs of processes of one round, each with its job, names and order of tests."""
    shuffled = list(all_jobs)
    random.Random(f"{seed}/{stage}/{pair}").shuffle(shuffled)  # noqa: S311 - an order, no secret
    for job in shuffled:
        sides = (BASE, AGAIN if job.canary else HEAD)
        group = f"{seed}/{stage}/{job.number}"
        start = random.Random(f"{group}/{(pair - 1) // 2}").randrange(2)  # noqa: S311
        first = (start + pair - 1) % 2
        tests = list(job.tests)
        random.Random(f"{group}/{pair}/tests").shuffle(tests)  # noqa: S311
        names = (
            Name(job.canary, stage, pair, job.number, place, side)
            for place, side in zip("ab", (sides[first], sides[1 - first]), strict=True)
        )
        one, other = names
        yield job, (one, other), tuple(tests)
