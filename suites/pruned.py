"""Does a pruned model use less energy per inference than its baseline?

Weights are removed one by one, by their magnitude (at once, with one retraining, or step by step),
by Optimal Brain Damage's saliency, or from the layer of most modelled energy first; a twelfth of
them stays. They run as a mask, where the dense kernel computes with zeros, and on sparse kernels.
Structured pruning removes units or channels; beside it the same small shape learns from scratch.
"""

from typing import Any

import pytest

from bench import Joules

FULL = pytest.mark.joules(profile="full", pairs=2)
DENSITY = 0.08

VARIANTS = [
    pytest.param("magnitude_pruning", {"density": DENSITY, "form": "mask"}, id="magnitude-mask"),
    pytest.param("magnitude_pruning", {"density": DENSITY, "form": "csr"}, id="magnitude-csr"),
    pytest.param(
        "magnitude_pruning",
        {"density": DENSITY, "form": "csr", "retrain": "none"},
        id="magnitude-one-shot",
        marks=FULL,
    ),
    pytest.param(
        "magnitude_pruning",
        {"density": DENSITY, "form": "csr", "retrain": "once"},
        id="magnitude-retrained-once",
        marks=FULL,
    ),
    pytest.param(
        "optimal_brain_damage",
        {"density": DENSITY, "form": "csr"},
        id="optimal-brain-damage",
        marks=FULL,
    ),
    pytest.param(
        "energy_aware_pruning", {"density": DENSITY, "form": "csr"}, id="energy-aware", marks=FULL
    ),
    pytest.param("structured_pruning", {"ratio": 0.5}, id="structured"),
    pytest.param(
        "structured_pruning",
        {"ratio": 0.5, "start": "scratch"},
        id="structured-from-scratch",
        marks=FULL,
    ),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("technique", "level"), VARIANTS)
@pytest.mark.parametrize("workload", ["digits28-mlp", "digits-cnn"])
def test_pruned(
    joules: Joules, workload: str, technique: str, level: dict[str, Any], batch: int
) -> None:
    joules(joules.variant(technique, workload, **level), batch=batch)
