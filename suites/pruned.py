"""Does a pruned model use less energy per inference than its baseline?

Magnitude pruning to a tenth of the weights runs twice: as a mask (the dense kernel computes with
zeros) and as real sparse kernels. Structured pruning removes units or channels.
"""

import pytest

from bench import Joules

pytestmark = [
    pytest.mark.parametrize("batch", [1, 64]),
    pytest.mark.parametrize("workload", ["digits-mlp", "digits-cnn"]),
]


@pytest.mark.parametrize("form", ["mask", "csr"])
def test_magnitude_pruning(joules: Joules, workload: str, batch: int, form: str) -> None:
    joules(joules.variant("magnitude_pruning", workload, density=0.1, form=form), batch=batch)


def test_structured_pruning(joules: Joules, workload: str, batch: int) -> None:
    joules(joules.variant("structured_pruning", workload, ratio=0.5), batch=batch)
