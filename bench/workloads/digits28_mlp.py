"""LeNet-300-100 on digits scaled to 28×28: the 266,200 weights of the papers' network."""

import functools

from bench.workload import Workload
from bench.workloads._digits import digits_workload

NAME = "digits28-mlp"
PIXELS = 28 * 28


def load(*, seed: int = 0) -> Workload:
    """The workload, trained in a few seconds at the first call and read from the cache after.

    The images hold no more than those of 8×8, interpolated bilinearly: what is real is the size of
    the network, whose sparsity and compression can then stand beside the papers' MNIST figures.

    Args:
        seed: Of the initial weights and of the order of the images.

    Raises:
        RuntimeError: The trained model stays below 97 % on the test images.
    """
    from bench.workloads._digits_models import LeNet300100

    return digits_workload(
        NAME,
        functools.partial(LeNet300100, pixels=PIXELS),
        shape=(PIXELS,),
        widths=(300, 100),
        student=(32, 16),
        epochs=30,
        seed=seed,
    )
