"""LeNet-300-100 on scikit-learn's handwritten digits: 50,200 weights, fully connected."""

from bench.workload import Workload
from bench.workloads._digits import digits_workload

NAME = "digits-mlp"


def load(*, seed: int = 0) -> Workload:
    """The workload, trained in about a second at the first call and read from the cache after.

    Args:
        seed: Of the initial weights and of the order of the images.

    Raises:
        RuntimeError: The trained model stays below 97 % on the test images.
    """
    from bench.workloads._digits_models import LeNet300100

    return digits_workload(
        NAME,
        LeNet300100,
        shape=(64,),
        widths=(300, 100),
        student=(32, 16),
        epochs=30,
        seed=seed,
    )
