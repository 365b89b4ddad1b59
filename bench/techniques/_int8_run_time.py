"""Int8 layers whose activations are quantized by the range they turn out to have; imports torch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bench.refusal import Unfit
from bench.techniques._int8_modules import (
    ACTIVATION_MAX,
    PASSED_ON,
    Int8Conv2d,
    Int8Linear,
    Scale,
    quantizable,
)


class RunTimeScale(nn.Module):
    """float32 to float32 through an int8 layer: the inputs' range is looked up at each call."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, *, relu: bool) -> None:
        super().__init__()
        kind = Int8Linear if isinstance(layer, nn.Linear) else Int8Conv2d
        self.layer = kind(layer, Scale(1.0), None, relu=relu)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor) -> Tensor:
        least, largest = torch.aminmax(inputs)
        scale = Scale.of(float(least), float(largest))
        steps = (inputs * (1 / scale.step)).add_(scale.zero + 0.5)  # cutting off then rounds
        output: Tensor = self.layer(steps.clamp_(0, ACTIVATION_MAX).to(torch.uint8), scale)
        return output


def to_int8_at_run_time(model: object) -> nn.Sequential:
    """*model* with int8 weights and with activations that are quantized in front of each layer.

    Raises:
        TypeError: *model* is neither an `nn.Sequential` nor one linear or convolutional layer.
        RuntimeError: This torch has no int8 kernels of oneDNN.
    """
    single = nn.Sequential(model) if isinstance(model, nn.Linear | nn.Conv2d) else model
    layers = list(quantizable(single))
    with torch.no_grad():
        return nn.Sequential(*_layers(layers)).eval()


def _layers(layers: list[nn.Module]) -> Iterator[nn.Module]:
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            relu = index + 1 < len(layers) and isinstance(layers[index + 1], nn.ReLU)
            yield RunTimeScale(layer, relu=relu)
        elif isinstance(layer, PASSED_ON):
            yield layer
        elif not isinstance(layer, nn.ReLU):
            raise Unfit(
                f"cannot quantize {layer} at {index}, wanted linear, convolutional, ReLU, "
                "max-pooling or flatten layers",
                "quantize this model yourself",
            )
        elif not index or not isinstance(layers[index - 1], nn.Linear | nn.Conv2d):
            yield layer
