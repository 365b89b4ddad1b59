"""Variants of other seeds are made in other processes, or here where they cannot be sent."""

import os

import pytest
from seed_variants import again, breaks

from bench.seed_workers import SeedWorkers, quality_of


def test_seeds_are_judged_in_other_processes_and_come_in_their_order() -> None:
    workers = SeedWorkers(2)
    try:
        found = workers.qualities(again, [3, 1, 2])
    finally:
        workers.close()
        workers.close()
    assert [quality.n for quality in found] == [3, 1, 2]
    assert os.getpid() not in {quality.value for quality in found}


def test_what_cannot_be_sent_is_made_here() -> None:
    workers = SeedWorkers(2)
    found = workers.qualities(lambda seed: again(seed), [1, 2])  # noqa: PLW0108 - no name to send
    assert [(quality.n, quality.value) for quality in found] == [(1, os.getpid()), (2, os.getpid())]


def test_one_cpu_or_one_seed_needs_no_other_process() -> None:
    for number, seeds in ((1, [1, 2]), (2, [1])):
        workers = SeedWorkers(number)
        assert {q.value for q in workers.qualities(again, seeds)} == {os.getpid()}


def test_an_error_shows_as_it_is_in_this_process() -> None:
    workers = SeedWorkers(2)
    with pytest.raises(RuntimeError, match="seed 1 breaks"):
        workers.qualities(breaks, [1, 2])
    assert workers.number == 1


def test_quality_of_makes_and_judges() -> None:
    assert quality_of(again, 5).n == 5
