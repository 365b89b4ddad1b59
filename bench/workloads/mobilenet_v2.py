"""MobileNetV2, 3.5 M weights, 0.3 G multiply-accumulates: (n, 3, 224, 224) to logits (n, 1000)."""

import functools

from bench.refusal import installed
from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "mobilenet-v2"
HUB = "google/mobilenet_v2_1.0_224"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload: inverted residuals of depthwise convolutions, as Sandler et al. 2018.

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
    from bench.workloads._vision import HALF, Net, Shape, classifier

    net = Net(
        NAME,
        functools.partial(fresh, "MobileNetV2"),
        functools.partial(filled, "MobileNetV2"),
        full=Shape({"depth_multiplier": 1.0, "image_size": 224}),
        smallest=Shape(
            {"depth_multiplier": 0.25, "image_size": 32, "finegrained_output": False},
            side=32,
            classes=10,
        ),
        head="classifier.weight",
        hub=HUB,
        mean=HALF,
        deviation=HALF,
    )
    return classifier(net, seed=seed, which=which, sources=sources)
