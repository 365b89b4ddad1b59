"""Does an int8 model, on int8 kernels, use less energy per inference than its fp32 baseline?"""

import pytest

from bench import Joules


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("workload", ["digits-mlp", "digits-cnn"])
def test_int8_static(joules: Joules, workload: str, batch: int) -> None:
    joules(joules.variant("int8_static", workload), batch=batch)
