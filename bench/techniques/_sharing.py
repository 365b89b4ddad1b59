"""Weights that share few values: k-means, and training of the shared values; imports torch."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ROUNDS = 50
"""Of k-means at most; in one dimension it stands still long before."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which of a tensor's elements share which value.

    Args:
        shape: Of the tensor.
        places: Flat places of its nonzero elements, shape (nonzero,).
        codes: The cluster of each of them, shape (nonzero,).
        centroids: The value of each cluster, shape (clusters,); none is empty.
    """

    shape: torch.Size
    places: Tensor
    codes: Tensor
    centroids: Tensor

    def decoded(self, centroids: Tensor | None = None) -> Tensor:
        """The dense tensor, with *centroids* (clusters,) in place of its own if given."""
        values = self.centroids if centroids is None else centroids
        dense = values.new_zeros(self.shape.numel())
        dense[self.places] = values[self.codes]
        return dense.view(self.shape)


def clusters_of(weight: Tensor, bits: int) -> Clusters:
    """The nonzero elements of *weight* in at most 2^bits clusters, by k-means.

    The centroids begin evenly spaced between the least and the largest weight: so the few large
    weights, which matter most, have centroids too. In one dimension a cluster is a stretch of the
    sorted weights, and a round costs a few differences of running sums. A cluster that ends empty
    is left out.

    Source: Han, Mao and Dally 2016, "Deep Compression", section 3.2.
    """
    flat = weight.detach().flatten()
    places = flat.nonzero()[:, 0]
    values, order = flat[places].double().sort()  # (nonzero,)
    if not len(values):
        return Clusters(weight.shape, places, places, flat[:0].clone())
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
    centroids = torch.linspace(float(values[0]), float(values[-1]), 1 << bits, dtype=values.dtype)
    ends = _ends(values, centroids)
    for _ in range(ROUNDS):
        counts = ends.diff()
        means = sums[ends].diff() / counts.clamp(min=1)
        centroids = torch.where(counts > 0, means, centroids)
        before, ends = ends, _ends(values, centroids)
        if torch.equal(before, ends):
            break
    counts = ends.diff()
    used = counts > 0
    ranks = torch.arange(int(used.sum())).repeat_interleave(counts[used])  # of the sorted weights
    codes = torch.empty_like(order).index_copy_(0, order, ranks)
    return Clusters(weight.shape, places, codes, centroids[used].to(weight.dtype))


def _ends(values: Tensor, centroids: Tensor) -> Tensor:
    """Where each centroid's stretch of the sorted *values* begins, and the end: (clusters + 1,)."""
    middles = torch.searchsorted(values, (centroids[1:] + centroids[:-1]) / 2)
    return torch.cat([middles.new_zeros(1), middles, middles.new_full((1,), len(values))])


class _Decode(torch.autograd.Function):
    """Centroids (clusters,) to the dense tensor; back, gradients summed per centroid.

    ∂L/∂C_k = Σ_ij ∂L/∂W_ij · 1(I_ij = k); a pruned weight has no gradient.

    Source: Han, Mao and Dally 2016, equation 3.
    """

    @staticmethod
    def forward(ctx: Any, centroids: Tensor, clusters: Clusters) -> Tensor:  # noqa: ANN401
        ctx.clusters = clusters
        return clusters.decoded(centroids)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        clusters = ctx.clusters
        single = gradient.flatten()[clusters.places]  # (nonzero,)
        summed = single.new_zeros(len(clusters.centroids))
        return summed.index_add_(0, clusters.codes, single), None


class Shared(nn.Module):
    """A weight given by its centroids alone, as a parametrization of torch."""

    def __init__(self, clusters: Clusters) -> None:
        super().__init__()
        self.clusters = clusters

    def forward(self, centroids: Tensor) -> Tensor:
        decoded: Tensor = _Decode.apply(centroids, self.clusters)  # type: ignore[no-untyped-call]
        return decoded

    def right_inverse(self, _weight: Tensor) -> Tensor:
        """The centroids that training begins with."""
        return self.clusters.centroids.clone()


def weighted_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers of *model* whose weight has two dimensions or more, with their names."""
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim > 1:
            yield name, module


def share(model: nn.Module, bits: int, tune: Callable[[nn.Module], object]) -> nn.Module:
    """A copy of *model* whose layers have at most 2^bits different nonzero weights each.

    Args:
        model: Any module; zeros stay zeros.
        bits: Of a code, 1 to 8.
        tune: Trains what it is given in place: the centroids and the biases.
    """
    shared = copy.deepcopy(model)
    for _, layer in list(weighted_layers(shared)):
        clusters = clusters_of(layer.weight, bits)  # type: ignore[arg-type]
        if len(clusters.centroids):
            parametrize.register_parametrization(layer, "weight", Shared(clusters), unsafe=True)
    tune(shared)
    return as_plain(shared, model)


def as_plain(parametrized: nn.Module, model: nn.Module) -> nn.Module:
    """A copy of *model* with the weights that *parametrized* computes, as plain parameters."""
    plain = copy.deepcopy(model)
    with torch.no_grad(), parametrize.cached():
        for name, parameter in plain.named_parameters():
            layer, _, leaf = name.rpartition(".")
            parameter.copy_(getattr(parametrized.get_submodule(layer), leaf))
    return plain.eval()
