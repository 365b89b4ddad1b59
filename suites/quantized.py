"""Does a quantized model use less energy per inference than its fp32 baseline?

int8 runs on int8 kernels: scales fixed after training, found at run time, or trained with. bf16
halves the bytes. Shared and ternary weights save bytes on disk; what runs is their float32 value,
for no CPU multiplies codes.
"""

from typing import Any

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=2)

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "int8": ("int8_static", {}),
    "int8-dynamic": ("int8_dynamic", {}),
    "bf16": ("bf16", {}),
    "int8-trained": ("int8_qat", {}),
    "shared": ("weight_sharing", {"bits": 5}),
    "ternary": ("ternary", {"ends": "float"}),
    "ternary-all": ("ternary", {"ends": "ternary"}),
}
KERNELS = ("int8", "int8-dynamic", "bf16")
"""One for each kernel: the others run int8 like the first, or float32 like the baseline."""

CASES = [
    *(
        pytest.param("digits28-mlp", name, marks=BRIEF if name == "int8" else FULL)
        for name in VARIANTS
    ),
    *(pytest.param("digits-cnn", name, marks=FULL) for name in KERNELS),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("workload", "name"), CASES)
def test_quantized(joules: Joules, workload: str, name: str, batch: int) -> None:
    technique, level = VARIANTS[name]
    joules(joules.variant(technique, workload, **level), batch=batch)


@FULL
@pytest.mark.parametrize("name", ["int8-trained", "shared", "ternary"])
def test_quality(joules: Joules, name: str) -> None:
    technique, level = VARIANTS[name]
    joules.judge(joules.variant(technique, "digits-cnn", **level))
