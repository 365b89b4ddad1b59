"""Layers as workloads, and the techniques that need no training, on layers and on small models."""

import copy
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.catalogue import make_variant, make_workload
from bench.model_facts import facts
from bench.techniques import bf16, block_sparse, neuron_pruning, shared_sparse
from bench.techniques._block_modules import BlockSparseLinear
from bench.techniques._csr_modules import SparseLinear, to_csr
from bench.techniques._narrow_modules import NarrowLinear, strongest
from bench.techniques._sharing import clusters_of
from bench.techniques.shared_sparse import largest
from bench.workload import Variant, Workload
from bench.workloads import layer as layers
from bench.workloads.layer import LAYERS

TINY = "layer:tiny-fc"
SPARSE = ("block_sparse", "neuron_pruning", "shared_sparse")


def suite() -> Any:
    path = Path(__file__).parents[1] / "suites" / "layers.py"
    spec = importlib.util.spec_from_file_location("layers_suite", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(made: Workload | Variant, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        output: Tensor = made.model(inputs)
    return output


def weight_of(workload: Workload) -> Tensor:
    assert isinstance(workload.model, nn.Sequential)
    (linear,) = workload.model
    assert isinstance(linear, nn.Linear)
    return linear.weight.detach()


def mine(*modules: nn.Module) -> Workload:
    return Workload("mine", nn.Sequential(*modules).eval(), lambda batch: torch.ones(batch, 50))


def test_a_layer_runs_on_as_many_threads_as_its_name_says() -> None:
    one, two = layers.load(which="tiny-fc"), layers.load(which="tiny-fc-2t")
    assert (one.threads, two.threads) == (1, 2)
    assert two.name == "layer:tiny-fc-2t"
    assert torch.equal(weight_of(one), weight_of(two))
    with pytest.raises(ValueError, match=r"no layer is named tiny-fc-0t; choose from"):
        layers.load(which="tiny-fc-0t")


def test_layer_has_its_published_size_and_one_name() -> None:
    workload = layers.load(which="neuraltalk-we", seed=3)
    assert workload.name == "layer:neuraltalk-we"
    assert weight_of(workload).shape == (600, 4096)
    assert workload.inputs(5).shape == (5, 4096)
    assert outputs(workload, workload.inputs(2)).shape == (2, 600)
    assert (workload.unit, workload.quality, workload.context.density) == ("input", None, 0.10)


def test_layer_is_the_same_for_a_seed_and_another_for_another_seed() -> None:
    one, again, other = (layers.load(which="tiny-fc", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(weight_of(one), weight_of(again))
    assert torch.equal(one.inputs(4), again.inputs(4))
    assert not torch.equal(weight_of(one), weight_of(other))
    assert one.version == again.version != other.version


def test_outputs_of_a_layer_are_as_large_as_its_inputs() -> None:
    workload = layers.load(which="neuraltalk-lstm")
    assert float(outputs(workload, workload.inputs(8)).std()) == pytest.approx(1, abs=0.05)


def test_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="no layer is named fc9; choose from alexnet-fc6,"):
        make_workload("layer:fc9", 0)


@pytest.mark.parametrize("form", sorted(suite().FORMS))
def test_every_form_of_the_suite_runs_a_small_layer(form: str) -> None:
    technique, level = suite().FORMS[form]
    if form not in suite().DENSE:
        level = {**level, "density": LAYERS["tiny-fc"].density}
    variant = make_variant(technique, TINY, **level)
    for batch in (1, 3):
        inputs = variant.workload.inputs(batch)
        assert outputs(variant, inputs).shape == (batch, 48)
        assert outputs(variant, inputs).dtype is torch.float32
        assert facts(variant.model, inputs).macs is not None


def test_every_published_layer_is_measured_sparse_and_the_largest_in_every_form() -> None:
    cases = [case.values for case in suite().CASES]
    assert len(set(cases)) == len(cases)
    for name in set(LAYERS) - {"tiny-fc"}:
        assert {(name, "csr"), (name, "shared")} <= set(cases)
    for name in ("alexnet-fc6", "vgg16-fc6"):
        assert {(name, form) for form in suite().FORMS} <= set(cases)
    for number in (7, 8):
        forms = [
            {form for name, form in cases if name == f"{net}-fc{number}"}
            for net in ("alexnet", "vgg16")
        ]
        assert {"block-sparse", "structured"} < forms[1] < forms[0]
        assert forms[0] - forms[1] == {"bf16", "int8"}
        alexnet, vgg = (LAYERS[f"{net}-fc{number}"] for net in ("alexnet", "vgg16"))
        assert (alexnet.inputs, alexnet.outputs) == (vgg.inputs, vgg.outputs)


@pytest.mark.parametrize("technique", SPARSE)
def test_density_of_one_leaves_the_outputs_as_they_were(technique: str) -> None:
    level: dict[str, Any] = {"bits": 8} if technique == "shared_sparse" else {}
    variant = make_variant(technique, TINY, density=1.0, **level)
    inputs = variant.workload.inputs(6)
    error = outputs(variant, inputs) - outputs(variant.workload, inputs)
    assert float(error.abs().max()) < (0.05 if technique == "shared_sparse" else 1e-5)


@pytest.mark.parametrize("technique", SPARSE)
@pytest.mark.parametrize("density", [0.0, -0.1, 1.1])
def test_density_out_of_its_range_is_refused(technique: str, density: float) -> None:
    with pytest.raises(ValueError, match="wanted above 0 and at most 1"):
        make_variant(technique, TINY, density=density)


def test_bits_and_blocks_out_of_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="bits is 9, wanted 1 to 8"):
        make_variant("shared_sparse", TINY, bits=9)
    with pytest.raises(ValueError, match="block is 8, wanted one of"):
        make_variant("block_sparse", TINY, block=8)


@pytest.mark.parametrize("technique", [block_sparse, neuron_pruning, shared_sparse])
def test_model_without_linear_layers_is_refused(technique: Any) -> None:
    with pytest.raises(TypeError, match="its model is a Sequential, wanted a torch module with"):
        technique.apply(mine(nn.ReLU()))
    with pytest.raises(TypeError, match="its model is a builtin_function"):
        technique.apply(Workload("mine", abs, lambda batch: batch))


def test_all_linear_layers_of_a_model_change_and_the_model_stays() -> None:
    workload = mine(nn.Linear(50, 40), nn.ReLU(), nn.Linear(40, 7))
    before = copy.deepcopy(workload.model)
    inputs = torch.randn(5, 50)
    for technique in (block_sparse, neuron_pruning, shared_sparse):
        variant = technique.apply(workload, density=0.5)
        assert isinstance(variant.model, nn.Sequential)
        kinds = {type(variant.model[0]), type(variant.model[2])}
        assert len(kinds) == 1
        assert not kinds & {nn.Linear}
        assert outputs(variant, inputs).shape == (5, 7)
    assert torch.equal(before(inputs), workload.model(inputs))


def test_model_that_is_one_linear_layer_is_exchanged_as_a_whole() -> None:
    workload = Workload("mine", nn.Linear(50, 7), lambda batch: torch.ones(batch, 50))
    for technique in (block_sparse, neuron_pruning, shared_sparse):
        variant = technique.apply(workload)
        assert outputs(variant, workload.inputs(2)).shape == (2, 7)
        assert not isinstance(variant.model, nn.Linear)
    sparse, _ = to_csr(nn.Linear(50, 7))
    assert isinstance(sparse, SparseLinear)


def test_bf16_is_as_the_model_but_for_the_rounding_of_bfloat16() -> None:
    variant = make_variant("bf16", TINY)
    inputs = variant.workload.inputs(9)
    wanted, found = outputs(variant.workload, inputs), outputs(variant, inputs)
    assert found.dtype is torch.float32
    assert float((found - wanted).norm() / wanted.norm()) < 2**-6
    assert facts(variant.model, inputs).dtype == "bfloat16"
    dense = make_variant("baseline", TINY)
    assert variant.size_disk is not None
    assert facts(variant.model, inputs).size_nominal == (64 + 1) * 48 * 2
    assert facts(dense.model, inputs).macs == facts(variant.model, inputs).macs


def test_bf16_leaves_inputs_that_are_no_floats_as_they_are() -> None:
    words = Workload("words", nn.Embedding(5, 3), lambda batch: torch.zeros(batch, dtype=torch.int))
    assert outputs(bf16.apply(words), words.inputs(2)).shape == (2, 3)


def test_bf16_refuses_a_callable_that_is_no_module() -> None:
    with pytest.raises(
        TypeError, match="its model is a builtin_function_or_method, wanted a torch"
    ):
        bf16.apply(Workload("mine", abs, lambda batch: batch))


@pytest.mark.parametrize("block", [16, 32])
@pytest.mark.parametrize(("columns", "rows"), [(64, 96), (50, 41), (7, 3)])
def test_block_sparse_layer_is_the_dense_one_with_zeros(
    columns: int, rows: int, block: int
) -> None:
    linear = nn.Linear(columns, rows).requires_grad_(requires_grad=False)
    sparse = BlockSparseLinear(linear, 0.4, block)
    rows_of, columns_of = (-(-side // block) for side in (rows, columns))
    kept = max(1, round(0.4 * rows_of * columns_of))
    assert len(sparse.values) == kept
    dense = sparse.matrix().to_dense()[:rows, :columns]
    assert torch.equal(dense[dense != 0], linear.weight[dense != 0])
    for batch in (1, 5):
        inputs = torch.randn(batch, columns)
        torch.testing.assert_close(sparse(inputs), inputs @ dense.T + linear.bias)
        known = facts(nn.Sequential(sparse), inputs)
        assert known.macs == kept * block**2 * batch
        assert known.parameters is not None


def test_strongest_blocks_stay() -> None:
    linear = nn.Linear(48, 32, bias=False).requires_grad_(requires_grad=False)
    linear.weight.fill_(0.1)
    linear.weight[16:, 16:32] = 3.0
    sparse = BlockSparseLinear(linear, 1 / 6, 16)
    assert sparse.columns.tolist() == [1]
    assert sparse.pointers.tolist() == [0, 0, 1]
    assert torch.equal(sparse.values, torch.full((1, 16, 16), 3.0))


def test_copy_of_a_block_sparse_layer_reads_its_own_weights() -> None:
    linear = nn.Linear(32, 32, bias=False).requires_grad_(requires_grad=False)
    one = BlockSparseLinear(linear, 1.0, 16)
    inputs = torch.randn(2, 32)
    before = one(inputs)
    other = copy.deepcopy(one)
    one.values.zero_()
    assert not one(inputs).any()
    assert torch.equal(other(inputs), before)
    assert one.double()(inputs.double()).dtype is torch.float64


def test_narrow_layer_keeps_the_strongest_inputs_and_outputs() -> None:
    linear = nn.Linear(4, 3).requires_grad_(requires_grad=False)
    linear.weight.copy_(torch.tensor([[1.0, 0, 9, 0], [0, 0.1, 0.1, 0], [5, 0, 7, 0.2]]))
    linear.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    narrow = NarrowLinear(linear, 0.6)
    assert narrow.inputs.tolist() == [0, 2]
    assert narrow.outputs.tolist() == [0, 2]
    assert narrow(torch.ones(2, 4)).tolist() == [[11.0, 2.0, 15.0]] * 2
    assert facts(narrow, torch.ones(2, 4)).macs == 2 * 4
    assert strongest(torch.tensor([1.0, 2.0]), 0.01).tolist() == [1]


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 300), density=st.floats(0.01, 1), seed=st.integers(0, 2**31))
def test_largest_keeps_that_many_of_the_largest_magnitudes(
    size: int, density: float, seed: int
) -> None:
    weight = torch.rand(1, size, generator=torch.Generator().manual_seed(seed)) + 0.5
    kept = largest(weight, density)
    count = int(kept.count_nonzero())
    assert count >= min(
        size, max(1, round(density * size)) - (size - len(np.unique(weight.numpy())))
    )
    assert count <= max(1, round(density * size))
    if count < size:
        assert kept[kept != 0].min() > weight[kept == 0].max()


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 400), bits=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_each_weight_has_the_nearest_of_few_values_that_are_the_means_of_theirs(
    size: int, bits: int, seed: int
) -> None:
    weight = torch.randn(2, size, generator=torch.Generator().manual_seed(seed))
    weight[:, ::3] = 0
    shared = clusters_of(weight, bits).decoded()
    values = torch.from_numpy(np.unique(shared[shared != 0].numpy()))
    assert len(values) <= 1 << bits
    assert torch.equal(shared == 0, weight == 0)
    for value in values:
        assert float(weight[shared == value].mean()) == pytest.approx(float(value), abs=1e-5)
    if len(values):
        own = (weight - shared)[weight != 0].abs()
        nearest = (weight[weight != 0][:, None] - values).abs().min(1).values
        assert torch.allclose(own, nearest, atol=1e-6)


def test_shared_sparse_layer_has_its_density_and_its_number_of_values() -> None:
    variant = make_variant("shared_sparse", "layer:neuraltalk-we", density=0.1, bits=5)
    known = facts(variant.model, variant.workload.inputs(1))
    assert known.nonzero == 245760 + 600
    assert known.parameters == 4096 * 600 + 600
    assert variant.label == "shared_sparse@bits=5,density=0.1"
    assert variant.size_disk is not None
    assert variant.size_disk < 245760 * 3.1
