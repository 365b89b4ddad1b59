"""What simulated sessions of known truth say, here in small and in the committed runs in full."""

import copy
import json
from collections import Counter
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
import simulations
import time_to_verdict
import trust

from bench.simulated import DeviceModel

# tracing doubles the time of many sessions of code that other tests cover
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parent.parent


def newest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        max((ROOT / "results" / name).glob("*.json")).read_text(encoding="utf-8")
    )
    return found


PROGRAMS = [(trust, "trust"), (time_to_verdict, "time-to-verdict")]


@pytest.mark.parametrize(("program", "name"), PROGRAMS, ids=lambda value: str(value)[:20])
def test_the_committed_page_follows_from_the_newest_committed_run(program: Any, name: str) -> None:
    page = (ROOT / "reports" / f"{name}.md").read_text(encoding="utf-8")

    assert page == program.page(newest(name))


@pytest.mark.parametrize(("program", "name"), PROGRAMS, ids=lambda value: str(value)[:20])
def test_every_limit_holds_in_the_committed_run(program: Any, name: str) -> None:
    assert all(program.limits(newest(name)).values())


def test_the_committed_run_has_as_many_sessions_as_were_asked_for() -> None:
    runs = newest("trust")["runs"]

    assert runs["coverage"] >= 2000
    assert runs["verdicts"] >= 1000


def test_a_limit_that_does_not_hold_is_said_on_the_page() -> None:
    run = copy.deepcopy(newest("trust"))
    run["sections"]["coverage"][0]["ratio_or_noisy"] = 0.92
    slow = copy.deepcopy(newest("time-to-verdict"))
    slow["rows"][0]["wall_s"] *= 100

    assert "**DOES NOT HOLD**" in trust.page(run)
    assert "**DOES NOT HOLD**" in time_to_verdict.page(slow)


@pytest.mark.parametrize("correlation", trust.CORRELATIONS)
def test_intervals_of_sessions_hold_the_truth_whatever_neighbours_have_in_common(
    correlation: float,
) -> None:
    model = DeviceModel(noise=0.01, power_noise=0.005, correlation=correlation)

    found = [simulations.coverage(model, "quick", seed) for seed in range(40)]

    assert sum(each["joules"] or each["noisy"] for each in found) >= 37
    assert sum(each["ratio"] or each["noisy"] for each in found) >= 37


def test_five_per_cent_of_drift_hardly_moves_the_ratio_of_pairs() -> None:
    found = simulations.drift(seed=1)

    assert found["pairs"] < 0.003
    assert found["in turn"] > 0.015


def said(ratio: float, pairs: int | None) -> Counter[str]:
    runs = (simulations.verdicts(ratio, "nightly", pairs, seed) for seed in range(30))
    return Counter(run["verdict"] for run in runs)


def test_two_builds_of_one_model_are_seldom_told_apart_and_a_true_five_per_cent_is_found() -> None:
    same, different = said(1.0, None), said(0.95, 12)

    assert same["saves"] + same["costs"] <= 1
    assert different["saves"] >= 28


def test_a_load_of_the_sensors_own_period_cannot_hide_where_pairs_begin_at_all_phases() -> None:
    shifted, still = (
        [simulations.phases(seed, shifted=shifted)["joules"] for seed in range(8)]
        for shifted in (True, False)
    )

    assert stdev(shifted) <= 0.05
    assert stdev(still) >= 0.20


def test_a_right_verdict_needs_both_a_difference_that_is_found_and_none_that_is_not() -> None:
    blind = [(0.0, 0.0)] * 40
    nervous = [(-0.1, -0.1)] * 40
    right = [(-0.05, 0.0)] * 40

    shares = [time_to_verdict.right_share(each, 4, -0.025) for each in (blind, nervous, right)]

    assert shares == [0, 0, 1]


def test_a_run_of_pytest_benchmark_takes_a_second_and_one_of_optimum_benchmark_twenty() -> None:
    still = DeviceModel()

    seconds, took_s = time_to_verdict.pytest_benchmark(still, 0.5, 0)
    joules, takes_s = time_to_verdict.optimum_benchmark(still, 1.0, 0)

    assert seconds == pytest.approx(0.005)
    assert took_s == pytest.approx(1.01, abs=0.01)
    assert joules == pytest.approx(0.4)
    assert takes_s == pytest.approx(20.11, abs=0.02)
