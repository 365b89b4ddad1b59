"""Whole models masked, and every technique on them: it runs or refuses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from whole_models import (
    BUILDERS,
    Tokens,
    module,
    of_tokens,
    outputs,
    whole,
)

from bench import discover
from bench.model_facts import facts
from bench.refusal import Refusal
from bench.techniques import magnitude_pruning, whole_mask
from bench.workload import Workload

TECHNIQUES = discover.plugins("bench.techniques", "apply")[0]
NAMES = sorted(BUILDERS)


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
