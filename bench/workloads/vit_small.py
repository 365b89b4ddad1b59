"""ViT-small of 16-pixel patches, 22 M weights, 4.6 G multiply-accumulates, 197 tokens a picture."""

import functools

from bench.refusal import installed
from bench.workload import Sources, Workload
from bench.workloads._whole import SHIPPED

NAME = "vit-small"
HUB = "WinKawaks/vit-small-patch16-224"


def load(*, seed: int = 0, which: str = "", sources: Sources = SHIPPED) -> Workload:
    """The workload: a vision transformer of width 384 with 6 heads, as Touvron et al. 2021, "DeiT".

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
        functools.partial(fresh, "ViT"),
        functools.partial(filled, "ViT"),
        full=Shape(
            {
                "hidden_size": 384,
                "num_hidden_layers": 12,
                "num_attention_heads": 6,
                "intermediate_size": 1536,
                "image_size": 224,
                "patch_size": 16,
            }
        ),
        smallest=Shape(
            {
                "hidden_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "intermediate_size": 128,
                "image_size": 32,
                "patch_size": 8,
            },
            side=32,
            classes=10,
        ),
        head="classifier.weight",
        hub=HUB,
        mean=HALF,
        deviation=HALF,
    )
    return classifier(net, seed=seed, which=which, sources=sources)
