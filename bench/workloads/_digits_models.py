"""The digit classifiers as torch modules; imports torch, so import it where a model is built."""

from torch import nn


class LeNet300100(nn.Sequential):
    """Two hidden layers, fully connected: (n, pixels) to logits (n, 10).

    Args:
        widths: Units of the hidden layers.
        pixels: Of an image: 64, or 784 for those of 28×28.

    Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition".
    """

    def __init__(self, widths: tuple[int, ...] = (300, 100), pixels: int = 64) -> None:
        first, second = widths
        super().__init__(
            nn.Linear(pixels, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, 10),
        )


class LeNet5(nn.Sequential):
    """LeNet-5 in Caffe's shape, for 8×8 images: (n, 1, 8, 8) to logits (n, 10).

    The second pooling is left out, so that 4×4 maps reach the fully connected layers as in Caffe's
    net for 28×28 images.

    Args:
        widths: Channels of both convolutions, units of the hidden layer.

    Source: LeCun et al. 1998; the widths are those of Caffe's ``lenet.prototxt``, which Han et al.
    2015 prune too.
    """

    def __init__(self, widths: tuple[int, ...] = (20, 50, 500)) -> None:
        first, second, hidden = widths
        super().__init__(
            nn.Conv2d(1, first, 5, padding=2),  # (n, first, 8, 8)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (n, first, 4, 4)
            nn.Conv2d(first, second, 5, padding=2),  # (n, second, 4, 4)
            nn.ReLU(),
            nn.Flatten(),  # (n, 16 * second)
            nn.Linear(16 * second, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )
