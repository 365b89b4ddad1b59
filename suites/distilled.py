"""Does a distilled student use less energy per inference, and does the teacher help its quality?

The same small student learns alone (soft=0) and from its teacher's soft targets, in two settings:
all training images have labels, or 100 do and the teacher answers for the rest.
"""

from typing import Any

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=2)

STUDENTS = [
    pytest.param({"soft": 0.9, "labels": 100}, id="distilled-100-labels", marks=BRIEF),
    pytest.param({"soft": 0.9}, id="distilled", marks=FULL),
]
"""All students are of one shape: what else they learn from changes their quality alone."""

LEVELS: list[dict[str, Any]] = [
    {"soft": 0.0},
    {"soft": 0.0, "labels": "all"},
    {"temperature": 1.0},
    {"temperature": 20.0},
    {"soft": 0.5},
    {"teacher": "wide"},
    {"teacher": "narrow"},
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("level", STUDENTS)
def test_student(joules: Joules, level: dict[str, Any], batch: int) -> None:
    joules(joules.variant("distillation", "digits28-mlp", temperature=4.0, **level), batch=batch)


@FULL
@pytest.mark.parametrize("labels", ["all", 100])
@pytest.mark.parametrize("soft", [0.9, 0.0])
def test_convolutional_student(joules: Joules, soft: float, labels: int | str) -> None:
    level = {"temperature": 4.0, "soft": soft, "labels": labels}
    joules.judge(joules.variant("distillation", "digits-cnn", **level))


@FULL
@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_what_the_teacher_adds(joules: Joules, level: dict[str, Any]) -> None:
    chosen = {"temperature": 4.0, "soft": 0.9, "labels": 100, **level}
    joules.judge(joules.variant("distillation", "digits28-mlp", **chosen))
