"""How small can a model get before its quality breaks?

Deep Compression's Figure 6 again: pruning alone, quantization alone, both together, each over its
levels, judged over all seeds and not timed. And Han's Figure 5: pruning without retraining, with
one retraining, and step by step.
"""

import pytest

from bench import Joules

pytestmark = pytest.mark.joules(profile="full")

WORKLOAD = "digits28-mlp"
DENSITIES = [0.3, 0.08, 0.05, 0.03]


@pytest.mark.parametrize("density", DENSITIES)
def test_pruning_alone(joules: Joules, density: float) -> None:
    joules.judge(joules.variant("deep_compression", WORKLOAD, stage="p", density=density))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_quantization_alone(joules: Joules, bits: int) -> None:
    joules.judge(joules.variant("weight_sharing", WORKLOAD, bits=bits))


@pytest.mark.parametrize("density", DENSITIES)
def test_both(joules: Joules, density: float) -> None:
    joules.judge(joules.variant("deep_compression", WORKLOAD, stage="pqh", density=density))


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("retrain", ["none", "once", "iterative"])
def test_retraining(joules: Joules, retrain: str, density: float) -> None:
    variant = joules.variant(
        "magnitude_pruning", WORKLOAD, density=density, form="csr", retrain=retrain
    )
    joules.judge(variant)
