"""Image classifiers of the transformers library as modules that give one tensor; imports both."""

from collections.abc import Mapping
from typing import Any

import transformers
from torch import Tensor, nn


class Classifier(nn.Module):
    """Pictures (n, 3, side, side), scaled as the model wants them, to logits (n, classes).

    Args:
        model: Of transformers, with ``pixel_values`` as its input and ``logits`` as its output.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, side, side) to (n, classes)."""
        logits: Tensor = self.model(pixel_values=pixels).logits
        return logits


def fresh(kind: str, options: Mapping[str, Any], classes: int) -> Classifier:
    """A classifier with weights from torch's global seed.

    Args:
        kind: ``ResNet``, ``MobileNetV2`` or ``ViT``.
        options: Of its configuration.
        classes: Logits.
    """
    configuration = getattr(transformers, f"{kind}Config")(**options, num_labels=classes)
    return Classifier(getattr(transformers, f"{kind}ForImageClassification")(configuration))
