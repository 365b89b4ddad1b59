"""AlexNet and VGG-16 in torchvision's shapes and names of tensors; imports torch.

Weights are drawn after He et al. 2015, which keeps the size of activations from layer to layer:
with torch's own draw, logits of deep nets without batch norm no longer depend on the picture.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.workloads._checkpoint import require_whole


class _Conv(nn.Module):
    """Convolutions, pooling to a fixed side, three fully connected layers.

    Args:
        features: (n, 3, height, width) to (n, channels, …).
        inputs: Channels × side² that the first fully connected layer takes.
        hidden: Units of the two hidden layers.
        classes: Logits.
        side: Pixels of a side of the maps that the first fully connected layer sees.
        dropout_first: Whether dropout stands before each hidden layer, as in AlexNet, or after.
    """

    def __init__(
        self,
        features: Sequence[nn.Module],
        inputs: int,
        hidden: int,
        classes: int,
        side: int,
        *,
        dropout_first: bool,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        layers: list[nn.Module] = []
        for columns in (inputs, hidden):
            layer = [nn.Linear(columns, hidden), nn.ReLU(inplace=True)]
            layers += [nn.Dropout(), *layer] if dropout_first else [*layer, nn.Dropout()]
        self.classifier = nn.Sequential(*layers, nn.Linear(hidden, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) to logits (n, classes)."""
        maps: Tensor = self.avgpool(self.features(pixels))
        logits: Tensor = self.classifier(maps.flatten(1))
        return logits


class AlexNet(_Conv):
    """Five convolutions and three fully connected layers, as one column.

    Args:
        widths: Channels of the convolutions.
        hidden: Units of the hidden layers.
        classes: Logits.
        side: Of the maps before the fully connected layers: 6 for pictures of 224 pixels.

    Source: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks", as
    torchvision has it; the two-column one of 2012 has 96, 256, 384, 384 and 256 channels.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 192, 384, 256, 256),
        hidden: int = 4096,
        classes: int = 1000,
        side: int = 6,
    ) -> None:
        one, two, three, four, five = widths
        features = [
            nn.Conv2d(3, one, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(one, two, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(two, three, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(three, four, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(four, five, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        ]
        super().__init__(features, five * side**2, hidden, classes, side, dropout_first=True)


class Vgg16(_Conv):
    """Thirteen convolutions in five blocks, and three fully connected layers.

    Args:
        widths: Channels of the blocks' convolutions.
        hidden: Units of the hidden layers.
        classes: Logits.
        side: Of the maps before the fully connected layers: 7 for pictures of 224 pixels.

    Source: Simonyan and Zisserman 2015, "Very Deep Convolutional Networks", configuration D.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        hidden: int = 4096,
        classes: int = 1000,
        side: int = 7,
    ) -> None:
        features: list[nn.Module] = []
        before = 3
        for width, layers in zip(widths, (2, 2, 3, 3, 3), strict=True):
            for _ in range(layers):
                features += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            features.append(nn.MaxPool2d(2, stride=2))
        super().__init__(features, before * side**2, hidden, classes, side, dropout_first=False)


def fresh(kind: type[AlexNet | Vgg16], options: Mapping[str, Any], classes: int) -> nn.Module:
    """A net with weights from torch's global seed."""
    return kind(**options, classes=classes)


def filled(
    kind: type[AlexNet | Vgg16],
    options: Mapping[str, Any],
    classes: int,
    state: Mapping[str, Tensor],
) -> nn.Module:
    """A net with the weights of a checkpoint.

    Raises:
        ValueError: Tensors are missing, not wanted, or of another shape.
    """
    with torch.device("meta"):
        net = fresh(kind, options, classes)
    wanted = net.state_dict()
    require_whole(
        wanted.keys() - state.keys(),
        state.keys() - wanted.keys(),
        [
            (name, state[name].shape, wanted[name].shape)
            for name in wanted.keys() & state.keys()
            if state[name].shape != wanted[name].shape
        ],
    )
    net.load_state_dict(state, assign=True)
    return net
