"""ResNet-50, 25.6 M weights, 4.1 G multiply-accumulates: (n, 3, 224, 224) to logits (n, 1000)."""

import functools

from bench.refusal import installed
from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "resnet50"
HUB = "microsoft/resnet-50"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload: bottleneck blocks, as He et al. 2016, "Deep Residual Learning", Table 1.

    Args:
        seed: Of random weights.
        which: Empty, or ``smallest``, ``2t``, ``smallest-2t``.
        sources: Of weights, such as those of `HUB`, and of labelled data.

    Raises:
        ValueError: There is no such form.
        Refusal: transformers is not installed, it does not fit into memory, or its weights or data
            cannot be had.
    """
    installed("transformers", "models")
    from bench.workloads._transformers_nets import filled, fresh
    from bench.workloads._vision import Net, Shape, classifier

    net = Net(
        NAME,
        functools.partial(fresh, "ResNet"),
        functools.partial(filled, "ResNet"),
        full=Shape(
            {
                "layer_type": "bottleneck",
                "depths": [3, 4, 6, 3],
                "hidden_sizes": [256, 512, 1024, 2048],
            }
        ),
        smallest=Shape(
            {
                "layer_type": "bottleneck",
                "depths": [1, 1],
                "hidden_sizes": [64, 128],
                "embedding_size": 16,
            },
            side=32,
            classes=10,
        ),
        head="classifier.1.weight",
        hub=HUB,
    )
    return classifier(net, seed=seed, which=which, sources=sources)
