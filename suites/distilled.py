"""Does a distilled student use less energy per inference, and does the teacher help its quality?

The same small student learns alone (soft=0) and from its teacher's soft targets, in two settings:
all training images have labels, or 100 do and the teacher answers for the rest.
"""

from typing import Any

import pytest

from bench import Joules

FULL = pytest.mark.joules(profile="full", pairs=2)

STUDENTS = [
    pytest.param({"soft": 0.9}, id="distilled", marks=FULL),
    pytest.param({"soft": 0.0}, id="alone", marks=FULL),
    pytest.param({"soft": 0.9, "labels": 100}, id="distilled-100-labels"),
    pytest.param({"soft": 0.0, "labels": 100}, id="alone-100-labels", marks=FULL),
]
SWEEP = [
    {"temperature": 1.0},
    {"temperature": 20.0},
    {"soft": 0.5},
    {"teacher": "wide"},
    {"teacher": "narrow"},
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("level", STUDENTS)
@pytest.mark.parametrize("workload", ["digits28-mlp", pytest.param("digits-cnn", marks=FULL)])
def test_student(joules: Joules, workload: str, level: dict[str, Any], batch: int) -> None:
    joules(joules.variant("distillation", workload, temperature=4.0, **level), batch=batch)


@FULL
@pytest.mark.parametrize("level", SWEEP, ids=str)
def test_what_the_teacher_adds(joules: Joules, level: dict[str, Any]) -> None:
    chosen: dict[str, Any] = {"temperature": 4.0, "soft": 0.9, "labels": 100, **level}
    joules.judge(joules.variant("distillation", "digits28-mlp", **chosen))
