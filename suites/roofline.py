"""What can this machine do at most: per byte copied, per multiplication, in time and in energy?

Each ceiling is measured beside itself. The report shows every other case of the same run as a
multiple of its floor.
"""

import pytest

from bench import Joules

pytestmark = pytest.mark.joules(pairs=4)


@pytest.mark.parametrize(
    "which", ["copy-dram", "copy-cache", "gemm-fp32", "gemm-bf16", "gemm-int8"]
)
def test_ceiling(joules: Joules, which: str) -> None:
    joules(joules.variant("baseline", f"roofline:{which}"))
