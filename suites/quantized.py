"""Does a quantized model use less energy per inference than its fp32 baseline?

int8 runs on int8 kernels: scales fixed after training, found at run time, or trained with. bf16
halves the bytes. Shared and ternary weights save bytes on disk; what runs is their float32 value,
for no CPU multiplies codes.
"""

from typing import Any

import pytest

from bench import Joules

FULL = pytest.mark.joules(profile="full", pairs=2)

VARIANTS = [
    pytest.param("int8_static", {}, id="int8-static"),
    pytest.param("int8_dynamic", {}, id="int8-dynamic", marks=FULL),
    pytest.param("int8_qat", {}, id="int8-qat", marks=FULL),
    pytest.param("bf16", {}, id="bf16", marks=FULL),
    pytest.param("weight_sharing", {"bits": 5}, id="shared-5-bits", marks=FULL),
    pytest.param("ternary", {"ends": "float"}, id="ternary", marks=FULL),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("technique", "level"), VARIANTS)
@pytest.mark.parametrize("workload", ["digits28-mlp", "digits-cnn"])
def test_quantized(
    joules: Joules, workload: str, technique: str, level: dict[str, Any], batch: int
) -> None:
    joules(joules.variant(technique, workload, **level), batch=batch)
