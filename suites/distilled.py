"""Does a distilled student use less energy per inference, and does the teacher help its quality?

The same small student is trained from its teacher's soft targets (soft=0.9) and alone (soft=0):
same shape, same seed, same steps.
"""

import pytest

from bench import Joules


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("soft", [0.9, 0.0])
@pytest.mark.parametrize("workload", ["digits-mlp", "digits-cnn"])
def test_student(joules: Joules, workload: str, soft: float, batch: int) -> None:
    joules(joules.variant("distillation", workload, temperature=4.0, soft=soft), batch=batch)
