"""Layers that take uint8 and run oneDNN's int8 kernels; imports torch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.refusal import Refusal, Unfit

WEIGHT_MAX = 127
ACTIVATION_MAX = 255

PASSED_ON = (nn.MaxPool2d, nn.Flatten, nn.Dropout, nn.Identity)
"""Layers that do to uint8 what they do to float32."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How uint8 stands for a float: value = step · (q − zero)."""

    step: float
    zero: int = 0

    @classmethod
    def of(cls, least: float, largest: float) -> "Scale":
        """The finest that reaches from *least* or 0 to *largest* or 0, with 0 exact."""
        least, largest = min(least, 0.0), max(largest, 0.0)
        step = (largest - least) / ACTIVATION_MAX or 1.0
        return cls(step, round(-least / step))


class Quantize(nn.Module):
    """Float32 to uint8, rounded, values beyond the calibrated range held at its ends."""

    offset: Tensor

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.per_step = 1 / scale.step
        self.register_buffer("offset", torch.tensor(scale.zero + 0.5))  # cutting off then rounds

    def forward(self, inputs: Tensor) -> Tensor:
        steps = torch.add(self.offset, inputs, alpha=self.per_step)
        return steps.clamp_(0, ACTIVATION_MAX).to(torch.uint8)


class _Int8Layer(nn.Module):
    """What both kinds of layer keep: int8 weight, its scales, and the scales around the layer.

    Args:
        layer: The float layer.
        source: Scale of its inputs.
        result: Scale of its outputs, after ReLU; None for float32.
        relu: Whether float32 outputs pass ReLU; uint8 ones always do.
    """

    weight: Tensor
    weight_scale: Tensor
    weight_zero: Tensor
    bias: Tensor

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        source: Scale,
        result: Scale | None,
        *,
        relu: bool = False,
    ) -> None:
        super().__init__()
        rows = layer.weight.detach().flatten(1)  # (out, rest)
        scale = rows.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / WEIGHT_MAX
        quantized = (rows / scale[:, None]).round().to(torch.int8)  # (out, rest)
        bias = torch.zeros(len(rows)) if layer.bias is None else layer.bias.detach().clone()
        self.register_buffer("weight", quantized.view_as(layer.weight))
        self.register_buffer("weight_scale", scale)
        self.register_buffer("weight_zero", torch.zeros(len(rows), dtype=torch.int64))
        self.register_buffer("bias", bias)
        self.source = source
        self.result = result or Scale(1.0)
        self.dtype = torch.float32 if result is None else torch.uint8
        self.after = "none" if result is None and not relu else "relu"


class Int8Linear(_Int8Layer):
    """uint8 (n, in) to uint8 (n, out) after ReLU, or to float32 (n, out).

    A call may bring its own scale of the inputs.
    """

    def __init__(
        self, linear: nn.Linear, source: Scale, result: Scale | None, *, relu: bool = False
    ) -> None:
        super().__init__(linear, source, result, relu=relu)
        self.packed = torch.ops.onednn.qlinear_prepack(self.weight, None)

    def forward(self, inputs: Tensor, source: Scale | None = None) -> Tensor:
        source = source or self.source
        output: Tensor = torch.ops.onednn.qlinear_pointwise(
            inputs,
            source.step,
            source.zero,
            self.packed,
            self.weight_scale,
            self.weight_zero,
            self.bias,
            self.result.step,
            self.result.zero,
            self.dtype,
            self.after,
            [],
            "",
        )
        return output


class Int8Conv2d(_Int8Layer):
    """uint8 (n, in, height, width) to uint8 (n, out, …) after ReLU, or to float32.

    A call may bring its own scale of the inputs.
    """

    def __init__(
        self, convolution: nn.Conv2d, source: Scale, result: Scale | None, *, relu: bool = False
    ) -> None:
        super().__init__(convolution, source, result, relu=relu)
        if isinstance(convolution.padding, str) or convolution.padding_mode != "zeros":
            raise Unfit(
                f"cannot quantize {convolution}, wanted padding in pixels, with zeros", "replace it"
            )
        self.kernel_size, self.stride = convolution.kernel_size, convolution.stride
        self.padding, self.dilation = convolution.padding, convolution.dilation
        self.places = (
            list(convolution.stride),
            list(convolution.padding),
            list(convolution.dilation),
            convolution.groups,
        )
        self.packed = torch.ops.onednn.qconv_prepack(
            self.weight, self.weight_scale, source.step, source.zero, *self.places
        )

    def forward(self, inputs: Tensor, source: Scale | None = None) -> Tensor:
        source = source or self.source
        output: Tensor = torch.ops.onednn.qconv_pointwise(
            inputs.contiguous(memory_format=torch.channels_last),
            source.step,
            source.zero,
            self.packed,
            self.weight_scale,
            self.weight_zero,
            self.bias,
            *self.places,
            self.result.step,
            self.result.zero,
            self.dtype,
            self.after,
            [],
            "",
        )
        return output


def to_int8(model: object, inputs: Tensor) -> nn.Sequential:
    """*model* on int8 kernels, activation scales from the least to the largest value on *inputs*.

    Raises:
        TypeError: *model* is no `nn.Sequential`, or has a layer without an int8 form.
        RuntimeError: This torch has no int8 kernels of oneDNN.
    """
    sequence = quantizable(model)
    with torch.inference_mode():
        layers = list(_int8_layers(list(sequence.eval()), inputs))
    with torch.inference_mode(mode=False):
        return nn.Sequential(*layers).eval()


def quantizable(model: object) -> nn.Sequential:
    """*model* itself, if it can be looked at layer by layer and int8 kernels are there.

    Raises:
        TypeError: *model* is no `nn.Sequential`.
        RuntimeError: This torch has no int8 kernels of oneDNN.
    """
    if not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        raise Refusal(
            f"torch {torch.__version__} has no operator onednn::qlinear_pointwise, wanted for int8",
            "run on an x86 CPU with a torch that is built with oneDNN",
        )
    if not isinstance(model, nn.Sequential):
        raise Unfit(
            f"cannot quantize {type(model).__name__}, wanted an nn.Sequential",
            "write the model as one, or quantize it yourself and measure it against its baseline",
        )
    return model


def _int8_layers(layers: list[nn.Module], values: Tensor) -> Iterator[nn.Module]:
    """The int8 form of each layer in turn, while *values* run through the float ones."""
    scale = Scale.of(float(values.min()), float(values.max()))
    yield Quantize(scale)
    for index, layer in enumerate(layers):
        values = layer(values)
        if isinstance(layer, nn.Linear | nn.Conv2d):
            last = index == len(layers) - 1
            if not last and not isinstance(layers[index + 1], nn.ReLU):
                raise Unfit(
                    f"cannot quantize {layer} at {index}, wanted nn.ReLU after it", "add it"
                )
            result = None if last else Scale.of(0.0, float(values.max()))
            kind = Int8Linear if isinstance(layer, nn.Linear) else Int8Conv2d
            yield kind(layer, scale, result)  # type: ignore[arg-type]
            scale = result or scale
        elif isinstance(layer, PASSED_ON):
            yield layer
        elif not isinstance(layer, nn.ReLU):
            raise Unfit(
                f"cannot quantize {layer} at {index}, wanted linear, convolutional, ReLU, "
                "max-pooling or flatten layers",
                "quantize this model yourself",
            )
