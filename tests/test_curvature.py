"""The Hessian's diagonal: exact where it can be, and through any layers."""

from typing import Any

import torch
from torch import Tensor, nn

from bench.techniques._curvature import hessian_diagonal


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_curvature_of_one_layer_is_the_exact_hessian_of_cross_entropy() -> None:
    layer, images = nn.Linear(3, 4), drawn(5, 3)
    labels = torch.tensor([0, 1, 2, 3, 0])

    def loss(flat: Tensor) -> Tensor:
        logits = nn.functional.linear(images, flat.view(4, 3), layer.bias.detach())
        return nn.functional.cross_entropy(logits, labels)

    hessian: Any = torch.autograd.functional.hessian(loss, layer.weight.detach().flatten())  # type: ignore[no-untyped-call]
    found = hessian_diagonal(layer, images)[layer.weight]
    torch.testing.assert_close(found.flatten(), hessian.diagonal())


def test_curvature_sees_through_activations_in_place_and_convolutions() -> None:
    convolution, linear = nn.Conv2d(1, 2, 3, padding="same"), nn.Linear(32, 3)
    features = nn.Sequential(convolution, nn.ReLU(inplace=True), nn.Flatten())
    images = drawn(2, 1, 4, 4)
    found = hessian_diagonal(nn.Sequential(features, linear), images)
    alone = hessian_diagonal(linear, features(images).detach())
    torch.testing.assert_close(found[linear.weight], alone[linear.weight])
    assert found[convolution.weight].shape == (2, 1, 3, 3)


def test_curvature_of_a_convolution_over_the_whole_image_is_that_of_a_linear_layer() -> None:
    convolution, linear = nn.Conv2d(2, 3, 4, bias=False), nn.Linear(32, 3, bias=False)
    linear.weight.data.copy_(convolution.weight.data.flatten(1))
    images = drawn(6, 2, 4, 4)
    found = hessian_diagonal(nn.Sequential(convolution, nn.Flatten()), images)[convolution.weight]
    same = hessian_diagonal(linear, images.flatten(1))[linear.weight]
    torch.testing.assert_close(found.flatten(1), same)
