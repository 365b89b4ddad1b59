"""The page of read costs is what the program writes from the committed run."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
RUNS = sorted((ROOT / "results" / "read-cost").glob("*.json"))


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("read_cost", ROOT / "benchmarks/read_cost.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["read_cost"] = module
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_follows_from_the_newest_committed_run(program: ModuleType) -> None:
    page = program.page(json.loads(RUNS[-1].read_text(encoding="utf-8")))

    assert (ROOT / "reports" / "read-cost.md").read_text(encoding="utf-8") == page


def test_in_the_committed_run_a_reading_costs_at_most_half_more_than_its_system_calls(
    program: ModuleType,
) -> None:
    run = json.loads(RUNS[-1].read_text(encoding="utf-8"))

    assert program.over_raw(run, program.BESIDE).high <= 1.5
    assert {"pyrapl", "pyjoules", "zeus", "codecarbon"} <= set(run["seconds"])


def test_a_limit_that_does_not_hold_is_said_on_the_page(program: ModuleType) -> None:
    run = json.loads(RUNS[-1].read_text(encoding="utf-8"))
    run["seconds"][program.BESIDE] = [2 * each for each in run["seconds"][program.RAW]]

    assert "DOES NOT HOLD" in program.page(run)
