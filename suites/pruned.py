"""Does a pruned model use less energy per inference than its baseline?

Weights are removed one by one, by their magnitude (at once, with one retraining, or step by step),
by Optimal Brain Damage's saliency, or from the layer of most modelled energy first; a twelfth of
them stays. They run as a mask, where the dense kernel computes with zeros, and on sparse kernels.
Structured pruning removes units or channels; beside it the same small shape learns from scratch.
"""

from typing import Any

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=2)
DENSITY = 0.08

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "mask": ("magnitude_pruning", {"density": DENSITY, "form": "mask"}),
    "csr": ("magnitude_pruning", {"density": DENSITY, "form": "csr"}),
    "structured": ("structured_pruning", {"ratio": 0.5}),
    "one-shot": ("magnitude_pruning", {"density": DENSITY, "form": "csr", "retrain": "none"}),
    "once": ("magnitude_pruning", {"density": DENSITY, "form": "csr", "retrain": "once"}),
    "brain-damage": ("optimal_brain_damage", {"density": DENSITY, "form": "csr"}),
    "energy-aware": ("energy_aware_pruning", {"density": DENSITY, "form": "csr"}),
    "scratch": ("structured_pruning", {"ratio": 0.5, "start": "scratch"}),
}
KERNELS = ("mask", "csr", "structured")
"""One for each kernel: what else is pruned to the same density runs as these do."""

CASES = [
    *(
        pytest.param("digits28-mlp", name, marks=BRIEF if name in KERNELS else FULL)
        for name in VARIANTS
        if name != "scratch"
    ),
    *(pytest.param("digits-cnn", name, marks=FULL) for name in KERNELS),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("workload", "name"), CASES)
def test_pruned(joules: Joules, workload: str, name: str, batch: int) -> None:
    technique, level = VARIANTS[name]
    joules(joules.variant(technique, workload, **level), batch=batch)


@FULL
@pytest.mark.parametrize(
    ("workload", "name"),
    [
        *(("digits-cnn", name) for name in ("one-shot", "once", "brain-damage", "scratch")),
        ("digits28-mlp", "scratch"),
    ],
)
def test_quality(joules: Joules, workload: str, name: str) -> None:
    technique, level = VARIANTS[name]
    joules.judge(joules.variant(technique, workload, **level))
