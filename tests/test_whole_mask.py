"""Whole models masked or with fewer layers, and every technique on them: it runs or refuses."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from whole_models import (
    BUILDERS,
    TEXTS,
    Tokens,
    module,
    of_images,
    of_tokens,
    outputs,
    parameters,
    whole,
)

from bench import discover
from bench.model_facts import facts
from bench.refusal import Refusal
from bench.techniques import layer_dropping, magnitude_pruning, whole_mask
from bench.workload import Workload

TECHNIQUES = discover.plugins("bench.techniques", "apply")[0]
NAMES = sorted(BUILDERS)
ENCODERS = [build.__name__ for build in TEXTS]


@pytest.mark.parametrize("name", NAMES)
def test_mask_keeps_the_largest_of_each_layer_and_every_embedding(name: str) -> None:
    workload = whole(name)
    variant = whole_mask.apply(workload, density=0.25)
    layers = (nn.Linear, nn.Conv2d)
    old = {key: each for key, each in module(workload).named_modules() if isinstance(each, layers)}
    assert old
    tied = {id(m.weight) for m in module(workload).modules() if isinstance(m, nn.Embedding)}
    for key, layer in old.items():
        weight, before = module(variant).get_submodule(key).weight, layer.weight
        assert isinstance(weight, Tensor)
        if id(before) in tied:
            continue
        assert int(weight.count_nonzero()) == max(1, round(0.25 * weight.numel()))
        kept = weight != 0
        assert torch.equal(weight[kept], before[kept])
        assert before[kept].abs().min() >= before[~kept].abs().max()
    rest = {key for key in module(workload).state_dict() if key.rpartition(".")[0] not in old}
    state, shipped = module(variant).state_dict(), module(workload).state_dict()
    assert all(torch.equal(state[key], shipped[key]) for key in rest)
    inputs = workload.inputs(1)
    assert facts(variant.model, inputs).macs == facts(workload.model, inputs).macs
    assert variant.note == "masked: zeros in dense kernels; not retrained"


def test_mask_leaves_a_weight_that_an_embedding_shares() -> None:
    model = Tokens()
    model.head.weight = model.embedding.weight
    variant = whole_mask.apply(Workload("tied", model, lambda n: torch.zeros(n, 5).long()))
    assert int(module(variant).get_parameter("embedding.weight").count_nonzero()) == 240


@pytest.mark.parametrize("model", [abs, nn.ReLU(), nn.Embedding(3, 3)])
def test_mask_refuses_a_model_without_layers_to_mask(model: Any) -> None:
    with pytest.raises(Refusal, match="wanted a torch module with linear or convolutional layers"):
        whole_mask.apply(Workload("mine", model, lambda batch: torch.zeros(batch, 3)))


@pytest.mark.parametrize("density", [0.0, 1.5])
def test_density_out_of_its_range_is_refused(density: float) -> None:
    with pytest.raises(ValueError, match=f"density is {density}, wanted above 0 and at most 1"):
        whole_mask.apply(of_tokens(), density=density)


@pytest.mark.parametrize("name", ["vit", *ENCODERS])
def test_dropped_layers_leave_the_others_as_they_were(name: str) -> None:
    workload = whole(name)
    variant = layer_dropping.apply(workload, depth=0.5)
    inputs = workload.inputs(3)
    assert outputs(variant.model, inputs).shape == outputs(workload.model, inputs).shape
    assert variant.note == "1 of 2 layers; not distilled"
    assert parameters(variant) < parameters(workload)
    state, shipped = module(variant).state_dict(), module(workload).state_dict()
    assert set(state) < set(shipped)
    assert all(torch.equal(value, shipped[key]) for key, value in state.items())


class Layer(nn.Linear):
    """One of a stack that knows its place."""

    def __init__(self, place: int) -> None:
        super().__init__(2, 2)
        self.was = self.layer_idx = place


class Stack(nn.Module):
    """Layers of one kind, one after the other."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(place) for place in range(total))

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.layers:
            values = layer(values)
        return values


@settings(max_examples=50, deadline=None)
@given(total=st.integers(2, 24), depth=st.floats(0.01, 0.99))
def test_layers_that_stay_are_evenly_spread(total: int, depth: float) -> None:
    model = Stack(total)
    kept_layers = max(1, round(depth * total))
    workload = Workload("m", model, lambda batch: torch.zeros(batch, 2))
    if kept_layers == total:
        with pytest.raises(Refusal, match="nothing could be removed"):
            layer_dropping.apply(workload, depth=depth)
        return
    small: Any = layer_dropping.apply(workload, depth=depth).model
    kept = [layer.was for layer in small.layers]
    assert len(kept) == kept_layers
    gaps = [after - before for before, after in zip(kept, [*kept[1:], total], strict=True)]
    assert kept[0] == 0
    assert max(gaps) - min(gaps) <= 1
    assert [layer.layer_idx for layer in small.layers] == list(range(len(kept)))


def test_model_without_a_stack_of_layers_is_refused() -> None:
    with pytest.raises(Refusal, match="wanted a stack of two or more layers"):
        layer_dropping.apply(of_images())
    with pytest.raises(Refusal, match="its model is a builtin_function_or_method"):
        layer_dropping.apply(Workload("mine", abs, torch.zeros))
    with pytest.raises(ValueError, match="depth is 1, wanted above 0 and below 1"):
        layer_dropping.apply(of_tokens(), depth=1)


@pytest.mark.parametrize("name", ["bert", "resnet"])
@pytest.mark.parametrize("technique", sorted(TECHNIQUES))
def test_every_technique_takes_a_whole_model_or_refuses_it(technique: str, name: str) -> None:
    workload = whole(name)
    try:
        variant = TECHNIQUES[technique].target(workload)
    except Refusal as refusal:
        assert refusal.fix  # noqa: PT017 - either is right
    else:
        for batch in (1, 3):
            inputs = workload.inputs(batch)
            found = outputs(variant.model, inputs)
            assert found.shape == outputs(workload.model, inputs).shape
            assert found.isfinite().all()


def test_sparse_kernels_take_tokens_as_the_dense_ones_do() -> None:
    workload = whole("bert")
    variant = magnitude_pruning.apply(workload, density=0.3, form="csr", retrain="none")
    mask = magnitude_pruning.apply(workload, density=0.3, retrain="none")
    for batch in (1, 3):
        inputs = workload.inputs(batch)
        torch.testing.assert_close(
            outputs(variant.model, inputs), outputs(mask.model, inputs), rtol=1e-4, atol=1e-5
        )
