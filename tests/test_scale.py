"""What a year of nights costs: the committed run, its page, and the year in small."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import scale
import shifts_found
from synthetic_year import TONIGHT, VARIANTS, Year, case_of, level_of, write_night

from bench.compare import compare
from bench.records import read

ROOT = Path(__file__).parent.parent


def newest() -> dict[str, Any]:
    path = max((ROOT / "results" / "scale").glob("*.json"))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_committed_page_follows_from_the_newest_committed_run() -> None:
    page = (ROOT / "reports" / "scale.md").read_text(encoding="utf-8")

    assert page == scale.page(newest())


def test_the_committed_run_is_of_a_year_of_more_than_a_million_windows() -> None:
    run = newest()
    largest = run["sizes"][-1]

    assert [each["nights"] for each in run["sizes"]] == [100, 200, 400]
    assert largest["nights"] * run["year"]["cases"] * run["year"]["windows"] == 1_200_000


def test_every_limit_of_a_year_holds_in_the_committed_run() -> None:
    assert [what for what, holds in scale.limits(newest()).items() if not holds] == []


def test_a_limit_that_does_not_hold_is_said_on_the_page() -> None:
    run = copy.deepcopy(newest())
    run["sizes"][-1]["gate"]["seconds"] = 2.5
    run["sizes"][-1]["trend"]["bytes"] = 2e9

    assert scale.page(run).count("**DOES NOT HOLD**") >= 2


SMALL = Year(nights=4, cases=2 * VARIANTS, windows=6)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_night(SMALL, tmp_path_factory.mktemp("year"), 3)


def test_a_synthetic_night_fits_the_schema_of_a_journal(night: Path) -> None:
    schema = json.loads((ROOT / "bench" / "schema" / "journal-1.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)

    for line in night.read_text(encoding="utf-8").splitlines():
        validator.validate(json.loads(line))


def test_every_case_of_a_synthetic_night_has_energy_and_a_ratio(night: Path) -> None:
    (table,) = compare([read(night)])

    assert len(table.rows) == SMALL.cases
    assert all(row.energy_ratio and row.time_ratio and row.windows for row in table.rows)


def test_the_same_night_is_written_each_time(night: Path, tmp_path: Path) -> None:
    assert write_night(SMALL, tmp_path, 3).read_bytes() == night.read_bytes()


def test_only_the_newest_night_has_the_change_that_the_gate_is_to_find() -> None:
    year, (number, factor) = Year(), TONIGHT

    assert level_of(year, number, year.nights - 1) == factor
    assert level_of(year, number, year.nights - 2) == 1.0
    assert case_of(year, number).technique == "magnitude_pruning"


def test_a_process_that_fails_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        scale.cost(["-c", "raise SystemExit(3)"])

    assert scale.cost(["-c", "pass"])["bytes"] > 1e6


def test_the_committed_page_of_found_shifts_follows_from_its_run() -> None:
    path = max((ROOT / "results" / "shifts-found").glob("*.json"))
    page = (ROOT / "reports" / "shifts-found.md").read_text(encoding="utf-8")

    assert page == shifts_found.page(json.loads(path.read_text(encoding="utf-8")))


def test_a_step_of_a_calm_series_is_found_and_a_series_without_one_is_quiet() -> None:
    pytest.importorskip("ruptures", reason="pip install joulebench[trend]")

    assert shifts_found.ours(shifts_found.series(1, 60, 1.1, 0.005, 0.0)) == [50]
    assert shifts_found.ours(shifts_found.series(1, 60, 1.0, 0.005, 0.0)) == []
