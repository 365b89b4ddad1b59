"""Exports for receivers without a published schema fit what they take, restated as one."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from export_journals import of_cpu, of_gpu, rendered
from export_schemas import AI_ENERGY_SCORE, GITHUB_ACTION_BENCHMARK, MLENERGY

from bench.records import Journal

CASES = [
    ("github_action_benchmark", GITHUB_ACTION_BENCHMARK, of_cpu()),
    ("github_action_benchmark", GITHUB_ACTION_BENCHMARK, of_gpu()),
    ("mlenergy", MLENERGY, of_gpu()),
    ("mlenergy", MLENERGY, of_gpu("request", "some")),
    ("mlenergy", MLENERGY, of_gpu("image", "some")),
    ("ai_energy_score", AI_ENERGY_SCORE, of_gpu()),
]


def documents(name: str, journal: Journal) -> list[Any]:
    return [json.loads(text) for text in rendered(name, journal).files.values()]


@pytest.mark.parametrize(("name", "schema", "journal"), CASES)
def test_an_export_fits_what_its_receiver_takes(
    name: str, schema: dict[str, Any], journal: Journal
) -> None:
    found = documents(name, journal)

    assert found
    for each in found:
        jsonschema.Draft202012Validator(schema).validate(each)


def records(document: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        document["configurations"] if isinstance(document, dict) else document
    )
    return found


def damaged(document: Any) -> Iterator[Any]:
    """The document without a field that is asked for, with a wrong unit, and with one too many."""
    first = records(document)[0]
    for name in ("name", "gpu_model", "kind"):
        if name in first:
            yield {key: value for key, value in first.items() if key != name}
    yield {**first, "stars": 5}
    yield {**first, "unit": "J"}


@pytest.mark.parametrize(("name", "schema", "journal"), CASES)
def test_the_schema_refuses_what_its_receiver_does_not_take(
    name: str, schema: dict[str, Any], journal: Journal
) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    (document,) = documents(name, journal)

    for wrong in damaged(document):
        whole = {"configurations": [wrong]} if isinstance(document, dict) else [wrong]
        assert not validator.is_valid(whole)
