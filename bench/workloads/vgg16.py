"""VGG-16, 138 M weights and 15.5 G multiply-accumulates: (n, 3, 224, 224) to logits (n, 1000)."""

import functools

from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "vgg16"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload: configuration D of Simonyan and Zisserman 2015, without batch norms.

    Args:
        seed: Of random weights.
        which: Empty, or ``smallest``, ``2t``, ``smallest-2t``.
        sources: Of weights and of labelled data. The hub has none as safetensors; a file of the
            state dict of torchvision's, saved as safetensors, fits.

    Raises:
        ValueError: There is no such form.
        Refusal: It does not fit into memory, or its weights or data cannot be had.
    """
    from bench.workloads._conv_nets import Vgg16, filled, fresh
    from bench.workloads._vision import Net, Shape, classifier

    net = Net(
        NAME,
        functools.partial(fresh, Vgg16),
        functools.partial(filled, Vgg16),
        full=Shape({"widths": (64, 128, 256, 512, 512), "hidden": 4096, "side": 7}),
        smallest=Shape({"widths": (16,) * 5, "hidden": 32, "side": 1}, side=32, classes=10),
        head="classifier.6.weight",
    )
    return classifier(net, seed=seed, which=which, sources=sources)
