"""What simulated nights of known truth say of the gate: in small here, in full as committed."""

import copy
import doctest
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nights
import nights_found
import nights_page
import numpy as np
import pytest
import simulated_nights
from simulated_nights import HARSH, MODELS, PLAIN, Noise

from bench.gate.answer import Word
from bench.gate.canary import DEFAULT_MARGIN, night
from bench.gate.decide import DEFAULT, chances

# tracing doubles the time of many nights of code that other tests cover
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parent.parent
RUNS = sorted((ROOT / "results" / "nights").glob("*.json"))
UNCHANGED = [0.0] * 300


def run() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RUNS[-1].read_text(encoding="utf-8"))
    return found


def test_the_committed_page_follows_from_the_newest_committed_run() -> None:
    page = (ROOT / "reports" / "nights.md").read_text(encoding="utf-8")

    assert page == nights_page.page(run())


def test_every_limit_holds_in_the_committed_run() -> None:
    assert all(nights_page.limits(run()).values())


def test_the_committed_run_is_of_the_rule_that_ships_and_of_as_many_nights_as_asked_for() -> None:
    found = run()

    assert found["rule"] == asdict(DEFAULT)
    assert found["margin"] == DEFAULT_MARGIN
    assert found["models"] == {name: asdict(noise) for name, noise in MODELS.items()}
    assert found["sizes"]["cases"] == 300
    assert found["sizes"]["nights"] >= 400


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("alarms", "regressed", 11),
        ("power", "found", [0.74, 1.0, 1.0]),
        ("power", "found", [1.0, 0.94, 1.0]),
        ("discovery", "false", 0.051),
        ("edge", "nights", 32),
        ("canaries", "untrusted", 0.026),
    ],
)
def test_a_limit_that_does_not_hold_is_said_on_the_page(
    section: str, key: str, value: object
) -> None:
    bad = copy.deepcopy(run())
    for row in bad["sections"][section]:
        row[key] = value

    assert "**DOES NOT HOLD**" in nights_page.page(bad)


@pytest.mark.parametrize("noise", MODELS.values(), ids=MODELS)
def test_nights_of_unchanged_cases_raise_no_alarm(noise: Noise) -> None:
    random = np.random.default_rng(1)

    for _ in range(10):
        series = simulated_nights.night(random, noise, UNCHANGED, DEFAULT_MARGIN, DEFAULT)
        assert not nights_found.flags(series)[0].any()


def test_a_whole_night_finds_what_changed_and_says_nothing_of_the_rest() -> None:
    changes = [0.10, 0.10, 0.10, -0.10, *UNCHANGED[:56]]
    series = simulated_nights.night(
        np.random.default_rng(2), HARSH, changes, DEFAULT_MARGIN, DEFAULT, canaries=5
    )

    found = night(series)

    assert found.untrusted == ""
    assert [each.series.case for each in found.having(Word.REGRESSED)] == ["0", "1", "2"]
    assert [each.series.case for each in found.having(Word.IMPROVED)] == ["3"]
    assert len(found.decisions) == 60
    assert len(found.canaries) == 5


def test_the_noise_is_that_of_the_model() -> None:
    random = np.random.default_rng(3)
    quiet = Noise(process=0.0, spikes=0.0, blocks=1)

    assert simulated_nights.processes(random, quiet, (40_000,)).std() == pytest.approx(
        0.01, rel=0.02
    )
    launches = Noise(process=0.0, block=0.0, spikes=0.0, disturbed=0.05)
    values = simulated_nights.processes(random, launches, (40_000,))
    assert (values > 0).mean() == pytest.approx(0.05, abs=0.005)
    assert values.max() <= np.log(1.10)
    earlier = simulated_nights.history(random, Noise(process=0.0, block=0.0, spikes=0.0), 4_000, 10)
    assert earlier.std() == pytest.approx(0.015, rel=0.02)


def test_fishers_combination_is_the_products_chi_square() -> None:
    series = simulated_nights.night(
        np.random.default_rng(4), PLAIN, [0.1], DEFAULT_MARGIN, DEFAULT
    )[0]

    fisher = nights_found.TOGETHER["Fisher's combination"](series, DEFAULT)

    assert 0 < fisher < 0.01
    assert nights_found.TOGETHER["all pairs"](series, DEFAULT) == chances(series)[0] < fisher


def test_two_runs_of_the_simulation_give_the_same_numbers() -> None:
    small = dict.fromkeys(nights.SIZES, 1) | {"alone": 15, "earlier nights": 12, "cases": 16}

    assert nights.simulate(small) == nights.simulate(small)


def test_the_examples_of_the_program_are_so() -> None:
    assert doctest.testmod(nights).failed == 0
    assert doctest.testmod(nights_page).failed == 0
