"""Trained stages: made once, shared, and paid for by each variant that uses them."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.stages import costed, stage


def test_a_stage_is_made_once_and_shared() -> None:
    made: list[int] = []

    def make() -> list[int]:
        made.append(1)
        return [7]

    one, other = stage("shared", make), stage("shared", make)
    assert one is other
    assert made == [1]


def test_each_user_of_a_stage_has_its_cost_though_it_was_made_once() -> None:
    def measure(make: Callable[[], Any]) -> tuple[Any, str]:
        return make(), "3 J"

    with costed(measure) as first:
        assert stage("paid", lambda: "weights") == "weights"
    with costed(measure) as second:
        stage("paid", lambda: "other weights")
    with costed() as nothing:
        pass
    assert first == second == {"paid": "3 J"}
    assert nothing == {}


def test_a_stage_that_nothing_measured_has_no_cost() -> None:
    with costed() as used:
        stage("free", lambda: 1)
    assert used == {"free": None}


def test_a_stage_within_a_stage_is_refused_since_its_cost_would_count_twice() -> None:
    with pytest.raises(RuntimeError, match=r"the stage inner is asked for within outer"):
        stage("outer", lambda: stage("inner", lambda: 1))
    assert stage("outer", lambda: 2) == 2


def test_a_stage_that_failed_is_made_again() -> None:
    def fail() -> int:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        stage("failed", fail)
    assert stage("failed", lambda: 4) == 4
