"""Image classifiers of the transformers library as modules that give one tensor; imports it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import transformers
from torch import Tensor, nn
from transformers.utils import logging

from bench.workloads._checkpoint import require_whole

RESIDUAL = 0.1
"""Scale of the last batch norm of each residual branch of random weights.

Training begins with 0 and ends with little: a block changes what it gets only somewhat. At 1, each
of ResNet-50's blocks multiplies the rounding of those before, and bfloat16 gives other answers.

Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1.
"""


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
    made, configuration = _parts(kind, options, classes)
    model = Classifier(made(configuration))
    for norm in _last_norms(model):
        nn.init.constant_(norm.weight, RESIDUAL)
    return model


def filled(
    kind: str, options: Mapping[str, Any], classes: int, state: Mapping[str, Tensor]
) -> Classifier:
    """A classifier with the weights of a checkpoint, older names of tensors included.

    Args:
        kind: As for `fresh`.
        options: As for `fresh`.
        classes: As for `fresh`.
        state: The checkpoint's tensors by their names there.

    Raises:
        ValueError: Tensors are missing, not wanted, or of another shape.
    """
    made, configuration = _parts(kind, options, classes)
    with _quiet():
        model, found = made.from_pretrained(
            None,
            config=configuration,
            state_dict=dict(state),
            ignore_mismatched_sizes=True,  # they are told below, with their shapes
            output_loading_info=True,
        )
    require_whole(found["missing_keys"], found["unexpected_keys"], found["mismatched_keys"])
    return Classifier(model)


def _last_norms(model: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """The last batch norm of each residual branch."""
    for module in model.modules():
        parts: Any = module
        if hasattr(module, "shortcut"):  # of ResNet
            yield parts.layer[-1].normalization
        elif getattr(module, "use_residual", False):  # of MobileNetV2
            yield parts.reduce_1x1.normalization


def _parts(kind: str, options: Mapping[str, Any], classes: int) -> tuple[Any, Any]:
    """The class of a model, and its configuration."""
    configuration = getattr(transformers, f"{kind}Config")(**options, num_labels=classes)
    return getattr(transformers, f"{kind}ForImageClassification"), configuration


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no report of what was loaded: a `Refusal` says it."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
