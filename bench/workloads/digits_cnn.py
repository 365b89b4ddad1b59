"""LeNet-5 in Caffe's shape on scikit-learn's handwritten digits: 430,500 weights, convolutional."""

from bench.workload import Workload
from bench.workloads._digits import digits_workload

NAME = "digits-cnn"


def load(*, seed: int = 0) -> Workload:
    """The workload, trained in a few seconds at the first call and read from the cache after.

    Args:
        seed: Of the initial weights and of the order of the images.

    Raises:
        RuntimeError: The trained model stays below 97 % on the test images.
    """
    from bench.workloads._digits_models import LeNet5

    return digits_workload(
        NAME,
        LeNet5,
        shape=(1, 8, 8),
        widths=(20, 50, 500),
        student=(10, 25, 64),
        epochs=15,
        seed=seed,
    )
