"""What the fixture is given becomes a workload, its inputs, and the samples in them."""

from collections import UserDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.catalogue import adopt_subject, make_workload
from bench.workload import Variant, Workload, baseline_of


def adopt(subject: Any, inputs: Any = None, **others: Any) -> tuple[Variant, Any, int]:
    given: dict[str, Any] = {
        "baseline": None,
        "batch": None,
        "name": "",
        "node": "test_x.py::test_it",
        "quality": None,
        "unit": None,
        **others,
    }
    return adopt_subject(subject, inputs, **given)


@pytest.mark.parametrize(
    ("inputs", "samples"),
    [
        (np.zeros((64, 3)), 64),
        ((np.zeros((8, 3)), 1), 8),
        ({"x": np.zeros((4, 3))}, 4),
        (UserDict(x=np.zeros((16, 3))), 16),
        ((), 1),
        (5, 1),
        (np.zeros(()), 1),
    ],
)
def test_the_samples_are_the_first_dimension_of_the_first_array(inputs: Any, samples: int) -> None:
    assert adopt(sum, inputs)[2] == samples


def test_a_batch_that_is_given_wins_over_the_shape() -> None:
    assert adopt(sum, np.zeros((64, 3)), batch=2)[2] == 2


def test_a_callable_alone_is_the_baseline_of_its_own_workload() -> None:
    variant, inputs, _ = adopt(sum)

    assert variant.technique == "baseline"
    assert variant.workload.name == "test_x.py::test_it"
    assert inputs == ()


def test_a_callable_with_a_baseline_is_a_variant_of_that_ones_workload() -> None:
    variant, _, _ = adopt(sum, ([1],), baseline=max, name="int8")

    assert variant.workload.model is max
    assert (variant.technique, variant.model) == ("int8", sum)


@pytest.mark.parametrize(
    ("subject", "others", "message"),
    [
        (sum, {"baseline": max, "name": "baseline"}, "cannot be named baseline"),
        (3, {}, "found a int, wanted a variant"),
        (baseline_of(Workload("w", sum, lambda batch: batch)), {"baseline": max}, "leave both out"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_reason(
    subject: Any, others: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        adopt(subject, **others)


def test_a_variant_brings_the_inputs_of_its_workload_for_the_batch() -> None:
    inputs: Callable[[int], Any] = lambda batch: [0] * batch  # noqa: E731
    variant = baseline_of(Workload("w", sum, inputs))

    assert adopt(variant, batch=3)[1:] == ([0, 0, 0], 3)
    assert adopt(variant)[1:] == ([0], 1)


def test_a_workload_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"no workload is named mnist; choose from .*digits_mlp"):
        make_workload("mnist", 0)
