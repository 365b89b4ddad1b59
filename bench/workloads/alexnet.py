"""AlexNet, 61 M weights, nearly all of them in fully connected layers: (n, 3, 224, 224)."""

import functools

from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "alexnet"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload, as one column of Krizhevsky 2014 in torchvision's shape.

    Args:
        seed: Of random weights.
        which: Empty, or ``smallest``, ``2t``, ``smallest-2t``.
        sources: Of weights and of labelled data. The hub has none as safetensors; a file of the
            state dict of torchvision's, saved as safetensors, fits.

    Raises:
        ValueError: There is no such form.
        Refusal: It does not fit into memory, or its weights or data cannot be had.
    """
    from bench.workloads._conv_nets import AlexNet, filled, fresh
    from bench.workloads._vision import Net, Shape, classifier

    net = Net(
        NAME,
        functools.partial(fresh, AlexNet),
        functools.partial(filled, AlexNet),
        full=Shape({"widths": (64, 192, 384, 256, 256), "hidden": 4096, "side": 6}),
        smallest=Shape({"widths": (16,) * 5, "hidden": 32, "side": 1}, side=64, classes=10),
        head="classifier.6.weight",
    )
    return classifier(net, seed=seed, which=which, sources=sources)
