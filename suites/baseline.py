"""What does a workload as shipped cost, and how steady is this machine?

Each baseline is measured beside itself: its A/A ratio must be 1, and how far it is from 1 says
what a difference of the other suites is worth.
"""

import pytest

from bench import Joules

BRIEF = pytest.mark.joules(pairs=4)
FULL = pytest.mark.joules(profile="full", pairs=4)

WORKLOADS = [
    pytest.param("digits28-mlp", marks=BRIEF),
    pytest.param("digits-cnn", marks=FULL),
    pytest.param("digits-mlp", marks=FULL),
]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_baseline(joules: Joules, workload: str, batch: int) -> None:
    joules(joules.variant("baseline", workload), batch=batch)
