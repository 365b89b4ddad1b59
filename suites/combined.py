"""Do methods that save each alone save more together?

Deep Compression prunes, shares weights and codes them after Huffman; every stage is a level, and
its size that of a file which can be read back. Pruned and distilled models run in int8 as well.
"""

from typing import Any

import pytest

from bench import Joules

FULL = pytest.mark.joules(profile="full", pairs=2)

VARIANTS = [
    pytest.param("deep_compression", {"stage": "p"}, id="pruned", marks=FULL),
    pytest.param("deep_compression", {"stage": "pq"}, id="pruned-shared", marks=FULL),
    pytest.param("deep_compression", {"stage": "pqh"}, id="pruned-shared-huffman"),
    pytest.param("pruned_int8", {"ratio": 0.5}, id="pruned-int8", marks=FULL),
    pytest.param("distilled_int8", {}, id="distilled-int8", marks=FULL),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize(("technique", "level"), VARIANTS)
@pytest.mark.parametrize("workload", ["digits28-mlp", "digits-cnn"])
def test_combined(
    joules: Joules, workload: str, technique: str, level: dict[str, Any], batch: int
) -> None:
    joules(joules.variant(technique, workload, **level), batch=batch)
