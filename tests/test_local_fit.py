"""Cuts within a layer, and what is left of it fitted to its outputs before."""

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.techniques import _local_fit


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 9))
def test_a_cut_leaves_exactly_as_many_weights_as_asked(count: int, seed: int) -> None:
    inputs = drawn(20, 8, seed=seed)
    weight = drawn(5, 8, seed=seed + 1)
    kept = _local_fit.kept_of(weight, inputs.T @ inputs, count)
    assert int(kept.sum()) == count


def test_a_cut_gives_back_the_small_weight_of_a_large_input() -> None:
    weight = torch.linspace(1.0, 0.1, 10)[None]  # the last is the smallest
    products = torch.diag(torch.tensor([1.0] * 9 + [1e6]))
    kept = _local_fit.kept_of(weight, products, 1)
    assert kept.tolist() == [[False] * 9 + [True]]


def test_fitted_layer_gives_what_it_gave_where_its_inputs_depend_on_each_other() -> None:
    images = drawn(50, 1)
    images = torch.cat([images, 2 * images], 1)  # (50, 2), the second twice the first
    before, model = nn.Linear(2, 3), nn.Linear(2, 3)
    model.load_state_dict(before.state_dict())
    model.weight.data[:, 0] = 0
    outer, kept = nn.Sequential(model), nn.Sequential(before)
    _local_fit.fit(outer, {"0": kept(images).detach()}, images)
    assert not model.weight[:, 0].any()
    with torch.inference_mode():
        torch.testing.assert_close(outer(images), kept(images), rtol=0.02, atol=0.02)


def test_fitted_convolution_without_bias_is_nearer_to_what_it_gave_than_the_cut_one() -> None:
    images = drawn(30, 2, 6, 6)
    images[:, 1] = images[:, 0]
    whole = nn.Conv2d(2, 3, 3, padding=1, stride=2, bias=False)
    part = copy.deepcopy(whole)
    part.weight.data[:, 1] = 0
    before, cut = nn.Sequential(whole), nn.Sequential(part)
    with torch.inference_mode():
        far = (cut(images) - before(images)).square().mean()
        outputs = before(images).flatten(2).transpose(1, 2).flatten(0, 1)  # (rows, out)
        _local_fit.fit(cut, {"0": outputs}, images)
        near = (cut(images) - before(images)).square().mean()
    assert near < 0.01 * far
