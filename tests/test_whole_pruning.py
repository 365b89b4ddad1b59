"""Whole models with parts cut out: what goes, that the rest runs, and what is refused."""

import copy
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

from bench.model_facts import facts, stored_bytes
from bench.refusal import Refusal
from bench.techniques import _whole_pruning, whole_mask, whole_pruning
from bench.workload import Workload

NAMES = sorted(BUILDERS)
ENCODERS = [build.__name__ for build in TEXTS]


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("name", NAMES)
def test_pruned_model_is_smaller_does_less_and_answers_in_the_same_shape(
    name: str, ratio: float
) -> None:
    workload = whole(name)
    before = copy.deepcopy(module(workload).state_dict())
    variant = whole_pruning.apply(workload, ratio=ratio)
    inputs = workload.inputs(3)
    assert outputs(variant.model, inputs).shape == outputs(workload.model, inputs).shape
    assert outputs(variant.model, inputs).isfinite().all()
    small, large = facts(variant.model, inputs), facts(workload.model, inputs)
    assert small.parameters is not None
    assert small.macs is not None
    assert small.parameters < (large.parameters or 0) * (1 - 0.1 * ratio)
    assert small.macs < (large.macs or 0) * (1 - 0.5 * ratio)
    assert variant.size_disk == stored_bytes(variant.model)
    assert variant.note.endswith("removed; not retrained") or "width kept; not" in variant.note
    assert variant.label == f"whole_pruning@ratio={ratio:g}"
    after = module(workload).state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", ENCODERS)
def test_width_of_the_embedding_stays_and_half_of_heads_and_units_go(name: str) -> None:
    workload = whole(name)
    small = module(whole_pruning.apply(workload))
    pairs = zip(module(workload).modules(), small.modules(), strict=True)
    for old, new in pairs:
        if isinstance(old, nn.Embedding) and isinstance(new, nn.Embedding):
            assert new.weight.shape == old.weight.shape
    for whole_one, cut_one in zip(
        _whole_pruning.attentions(module(workload)), _whole_pruning.attentions(small), strict=True
    ):
        assert 2 * cut_one.groups == whole_one.groups
        assert cut_one.size == whole_one.size
        assert 2 * cut_one.query.out_features == whole_one.query.out_features
    units = [
        [back.in_features for _, back in _whole_pruning.feed_forwards(model, found)]
        for model in (module(workload), small)
        if (found := list(_whole_pruning.attentions(model)))
    ]
    assert units[0][:2] == [96, 96]
    assert units[1][:2] == [48, 48]


@settings(max_examples=25, deadline=None)
@given(ratio=st.floats(0.3, 0.97), heads=st.sampled_from([2, 3, 8]), hidden=st.integers(2, 40))
def test_any_ratio_leaves_a_model_that_runs(ratio: float, heads: int, hidden: int) -> None:
    for workload in (of_tokens(heads=heads, groups=heads, hidden=hidden), of_images(hidden)):
        variant = whole_pruning.apply(workload, ratio=ratio)
        inputs = workload.inputs(2)
        assert outputs(variant.model, inputs).shape == outputs(workload.model, inputs).shape
        assert 0 < parameters(variant) < parameters(workload)


@settings(max_examples=200, deadline=None)
@given(width=st.integers(1, 5000), ratios=st.tuples(*[st.floats(0.01, 0.99)] * 2))
def test_more_goes_with_a_higher_ratio_and_never_all(
    width: int, ratios: tuple[float, float]
) -> None:
    most, least = (_whole_pruning.remaining(width, ratio) for ratio in sorted(ratios))
    assert 1 <= least <= most <= width
    assert most <= max(1.0, width * (1 - min(ratios)) + 1e-6)
    assert most < 8 or most % 8 == 0


def test_heads_and_units_without_weight_go_and_the_outputs_stay_the_same() -> None:
    workload = of_tokens()
    model: Any = workload.model
    attention, dead_groups, dead_units = model.attention, (0, 2), torch.arange(0, 32, 2)
    with torch.no_grad():
        for group in dead_groups:
            rows = slice(4 * group, 4 * group + 4)
            for linear in (attention.k_proj, attention.v_proj):
                linear.weight[rows], linear.bias[rows] = 0, 0
            rows = slice(8 * group, 8 * group + 8)  # two heads share a group
            attention.q_proj.weight[rows] = 0
            attention.o_proj.weight[:, rows] = 0
        for linear in (model.gate, model.up):
            linear.weight[dead_units] = 0
        model.down.weight[:, dead_units] = 0
    small: Any = whole_pruning.apply(workload, ratio=0.5).model
    inputs = workload.inputs(3)
    torch.testing.assert_close(outputs(small, inputs), outputs(model, inputs))
    assert (small.attention.num_heads, small.attention.num_key_value_heads) == (4, 2)
    assert torch.equal(small.down.weight, model.down.weight[:, 1::2])


def test_channels_without_weight_go_and_the_outputs_stay_the_same() -> None:
    workload = of_images(16)
    model: Any = workload.model
    dead = torch.arange(1, 16, 2)
    with torch.no_grad():
        for layer in (model.first[0], model.first[1], model.inner[0], model.inner[1]):
            layer.weight[dead] = 0
            if layer.bias is not None:
                layer.bias[dead] = 0
        last = model.inner[3]
        last.weight[dead], last.bias[dead], last.weight[:, dead] = 0, 0, 0
        model.head.weight[:, dead] = 0
    small: Any = whole_pruning.apply(workload, ratio=0.5).model
    images = torch.rand(3, 3, 8, 8)
    torch.testing.assert_close(outputs(small, images), outputs(model, images))
    assert small.inner[0].groups == 8


def test_a_cut_head_is_a_head_whose_output_is_zero() -> None:
    workload = of_tokens()
    model: Any = workload.model
    found = next(_whole_pruning.attentions(model))
    norms = found.output.weight.square().sum(0).view(4, -1).sum(1)
    for linear in found.inputs:
        norms = norms + linear.weight.square().sum(1).view(4, -1).sum(1)
    with torch.no_grad():
        model.attention.o_proj.weight.view(12, 4, 8)[:, int(norms.argmin())] = 0
    small = copy.deepcopy(workload.model)
    assert isinstance(small, Tokens)
    _whole_pruning.cut_heads(next(_whole_pruning.attentions(small)), 0.25)
    inputs = workload.inputs(3)
    torch.testing.assert_close(outputs(small, inputs), outputs(model, inputs))


@pytest.mark.parametrize("dtype", ["bf16", "int8"])
@pytest.mark.parametrize("technique", [whole_pruning, whole_mask])
def test_dtype_asks_the_runtime_and_brings_the_calibration(technique: Any, dtype: str) -> None:
    workload = whole("bert")
    variant = technique.apply(workload, dtype=dtype)
    assert variant.request is not None
    assert variant.request.dtype == {"bf16": "bfloat16", "int8": "int8"}[dtype]
    assert variant.request.calibration is workload.calibration
    assert f"dtype={dtype}" in variant.label
    assert parameters(variant) <= parameters(workload)


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.5])
def test_ratio_out_of_its_range_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"ratio is {ratio}, wanted above 0 and below 1; choose"):
        whole_pruning.apply(of_tokens(), ratio=ratio)


class FixedShape(nn.Module):
    """A model whose forward knows its inner width."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3), nn.Linear(16, 7)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.last(self.first(images).view(-1, 16, 36).mean(2))
        return output


class NoLast(nn.Module):
    """A model whose last layer with weights is not what gives its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other = nn.Conv2d(3, 16, 3), nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.first(images)
        return output


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (abs, "its model is a builtin_function_or_method, wanted a torch module; compress the"),
        (nn.Linear(64, 10), "nothing could be removed; choose another share"),
        (FixedShape(), r"cannot be applied to mine: .*; choose another share"),
        (NoLast(), r"found outputs of \(1, 8, 6, 6\), wanted \(1, 16, 6, 6\)"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_the_reason(model: Any, message: str) -> None:
    shape = (64,) if isinstance(model, nn.Linear) else (3, 8, 8)
    workload = Workload("mine", model, lambda batch: torch.zeros(batch, *shape))
    with pytest.raises(Refusal, match=message):
        whole_pruning.apply(workload)


def test_too_little_memory_is_said_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(_whole_pruning, "pruned", full)
    with pytest.raises(Refusal, match="there is not enough memory"):
        whole_pruning.apply(of_images())


def test_attention_that_does_not_tell_its_heads_is_left_whole() -> None:
    model = Tokens()
    del model.attention.head_dim, model.attention.num_heads
    assert list(_whole_pruning.attentions(model)) == []
    model.attention.n_heads = 8  # type: ignore[assignment]
    assert [each.size for each in _whole_pruning.attentions(model)] == [4]


def test_model_without_gradients_is_pruned_and_stays_without() -> None:
    workload = of_images()
    module(workload).requires_grad_(requires_grad=False)
    small = module(whole_pruning.apply(workload))
    assert not any(parameter.requires_grad for parameter in small.parameters())


class Holding(nn.Module):
    """A model that holds keys which its heads have read, and asks for four samples at least."""

    keys: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = Tokens()
        self.register_buffer("keys", None)
        self.refill()

    def refill(self) -> None:
        with torch.no_grad():
            self.keys = self.inner.attention.k_proj(torch.ones(12))

    def forward(self, ids: Tensor) -> Tensor:
        output: Tensor = self.inner(ids)
        return output


def test_keys_that_a_model_holds_are_read_again_with_the_heads_that_are_left() -> None:
    ids = torch.zeros(4, 5, dtype=torch.int64)

    def inputs(batch: int) -> Tensor:
        if batch % 4:
            raise ValueError("wanted a multiple of 4")
        return ids

    workload = Workload("holding", Holding(), inputs, calibration=lambda: [ids])
    small: Any = whole_pruning.apply(workload).model
    wanted = small.inner.attention.k_proj(torch.ones(12))
    assert len(small.keys) == 8
    torch.testing.assert_close(small.keys, wanted.detach())
