"""Do methods that save each alone save more together?

Deep Compression prunes, shares weights and codes them after Huffman; every stage is a level, and
its size that of a file which can be read back. Pruned and distilled models run in int8 as well.
"""

from typing import Any

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=2)

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "deep-compression": ("deep_compression", {"stage": "pqh"}),
    "pruned-shared": ("deep_compression", {"stage": "pq"}),
    "pruned": ("deep_compression", {"stage": "p"}),
    "pruned-int8": ("pruned_int8", {"ratio": 0.5}),
    "distilled-int8": ("distilled_int8", {}),
}

CASES = [
    *(
        pytest.param("digits28-mlp", name, marks=BRIEF if name == "deep-compression" else FULL)
        for name in VARIANTS
    ),
    *(
        pytest.param("digits-cnn", name, marks=FULL)
        for name in ("deep-compression", "pruned-int8", "distilled-int8")
    ),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("workload", "name"), CASES)
def test_combined(joules: Joules, workload: str, name: str, batch: int) -> None:
    technique, level = VARIANTS[name]
    joules(joules.variant(technique, workload, **level), batch=batch)


@FULL
@pytest.mark.parametrize("workload", ["digits-mlp", "digits-cnn"])
def test_shared_with_four_bits(joules: Joules, workload: str) -> None:
    joules.judge(joules.variant("deep_compression", workload, stage="pqh", bits=4))
