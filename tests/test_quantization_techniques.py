"""Techniques that store or multiply weights in fewer bits, and Deep Compression's pipeline."""

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.layer_counts import layer_counts
from bench.model_facts import disk_bytes, facts
from bench.techniques import (
    _codec,
    _fake_int8,
    _int8_run_time,
    _sharing,
    _ternary_modules,
    deep_compression,
    distilled_int8,
    int8_dynamic,
    int8_qat,
    int8_static,
    pruned_int8,
    ternary,
    weight_sharing,
)
from bench.workload import Variant, Workload
from bench.workloads import digits_cnn, digits_mlp
from bench.workloads._digits import Context, digits
from bench.workloads._digits import train as digits_train
from bench.workloads._digits_models import LeNet300100


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workload]]:
    """Digits workloads whose retrainings are a few epochs long: enough for facts of form."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULES_CACHE", str(tmp_path_factory.getbasetemp() / "trained"))
        yield {
            digits_mlp.NAME: shorter(digits_mlp.load(), epochs=4),
            digits_cnn.NAME: shorter(digits_cnn.load(), epochs=1),
        }


@pytest.fixture(scope="module", params=["digits-mlp", "digits-cnn"])
def workload(request: pytest.FixtureRequest, workloads: dict[str, Workload]) -> Workload:
    return workloads[request.param]


@pytest.fixture(scope="module")
def mlp(workloads: dict[str, Workload]) -> Workload:
    return workloads["digits-mlp"]


def shorter(workload: Workload, epochs: int) -> Workload:
    context = dataclasses.replace(workload.context, epochs=epochs)
    return dataclasses.replace(workload, context=context)


def module(made: Workload | Variant) -> nn.Module:
    assert isinstance(made.model, nn.Module)
    return made.model


def accuracy(made: Variant | Workload) -> float:
    workload = made.workload if isinstance(made, Variant) else made
    assert workload.quality is not None
    return workload.quality(made.model).value


def outputs(model: Callable[..., Tensor], inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        return model(inputs)


def matrices(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters() if parameter.ndim > 1]


def different(weight: Tensor) -> Tensor:
    """The different elements, ascending."""
    values: Tensor = torch.unique(weight)
    return values


def operators(variant: Variant) -> set[str]:
    """What a call on two images runs."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        outputs(variant.model, variant.workload.inputs(2))
    return {event.key for event in profile.key_averages()}


# weight sharing


def test_two_clusters_of_five_weights_are_their_means_and_zeros_stay_out() -> None:
    weight = torch.tensor([[1.0, 0.0, 1.5, 2.0], [9.0, 0.0, 10.0, 0.0]])
    clusters = _sharing.clusters_of(weight, bits=1)
    assert clusters.centroids.tolist() == [1.5, 9.5]
    assert clusters.codes.tolist() == [0, 0, 0, 1, 1]
    assert clusters.decoded().tolist() == [[1.5, 0.0, 1.5, 1.5], [9.5, 0.0, 9.5, 0.0]]


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_clusters_of_equal_weights_are_one_or_none(value: float) -> None:
    weight = torch.full((2, 3), value)
    clusters = _sharing.clusters_of(weight, bits=5)
    assert len(clusters.centroids) == (value != 0)
    assert torch.equal(clusters.decoded(), weight)


@settings(max_examples=40, deadline=None)
@given(
    bits=st.integers(1, 8),
    count=st.integers(1, 300),
    seed=st.integers(0, 2**31),
    spread=st.booleans(),
)
def test_each_weight_is_at_the_nearest_of_few_centroids_that_are_means(
    bits: int, count: int, seed: int, *, spread: bool
) -> None:
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(1, count, generator=random)
    if spread:
        weight = weight**3
    clusters = _sharing.clusters_of(weight, bits)
    centroids = clusters.centroids
    assert len(centroids) <= 2**bits
    distances = (weight.flatten()[:, None] - centroids).abs()
    own = distances.gather(1, clusters.codes[:, None])[:, 0]
    assert (own <= distances.amin(1) + 1e-5).all()
    for code, centroid in enumerate(centroids):
        assert float(weight.flatten()[clusters.codes == code].mean()) == pytest.approx(
            float(centroid), abs=1e-5
        )


def test_gradient_of_a_centroid_is_the_sum_over_its_weights() -> None:
    weight = torch.tensor([[1.0, 0.0], [1.0, 5.0]])
    shared = _sharing.Shared(_sharing.clusters_of(weight, bits=1))
    centroids = shared.right_inverse(weight).requires_grad_()
    dense = shared(centroids)
    dense.backward(torch.tensor([[1.0, 10.0], [100.0, 1000.0]]))
    assert centroids.grad is not None
    assert centroids.grad.tolist() == [101.0, 1000.0]  # the pruned weight's 10 goes nowhere


def test_shared_layers_have_at_most_2_to_the_bits_values_and_trained_ones(
    mlp: Workload,
) -> None:
    variant = weight_sharing.apply(mlp, bits=3)
    untrained = _sharing.share(module(mlp), 3, lambda model: model)
    for before, after in zip(matrices(untrained), matrices(module(variant)), strict=True):
        assert 4 < len(different(after)) <= 8
        assert not torch.equal(before, after)
        # an element's cluster stays; only the cluster's value moves
        assert torch.equal(
            torch.unique(before, return_inverse=True)[1],
            torch.unique(after, return_inverse=True)[1],
        )
    assert variant.label == "weight_sharing@bits=3"
    assert "dense float32 kernels" in variant.note


def test_size_of_shared_weights_is_bits_codebooks_biases_and_header(mlp: Workload) -> None:
    variant = weight_sharing.apply(mlp, bits=4)
    content = 50_200 * 4 / 8 + 3 * 16 * 4 + 410 * 4
    assert variant.size_disk == variant.sizes["shared"]
    assert content - 64 <= variant.sizes["shared"] <= content + 700
    assert variant.sizes["huffman"] < variant.sizes["shared"]
    assert variant.sizes["dense"] == disk_bytes(module(mlp).state_dict())


def test_five_bits_cost_at_most_one_point_of_accuracy(workload: Workload) -> None:
    assert accuracy(weight_sharing.apply(workload, bits=5)) >= accuracy(workload) - 0.01


@pytest.mark.parametrize("bits", [0, 9])
def test_codes_of_no_bits_or_more_than_eight_are_refused(bits: int, mlp: Workload) -> None:
    for technique in (weight_sharing, deep_compression):
        with pytest.raises(ValueError, match=f"bits is {bits}, wanted 1 to 8; choose such as 5"):
            technique.apply(mlp, bits=bits)


# ternary


def test_ternary_weights_and_gradients_are_those_of_the_paper() -> None:
    latent = torch.tensor([[10.0, 0.4, -0.4, -2.0]], requires_grad=True)  # Δ = 0.5
    positive = torch.tensor(3.0, requires_grad=True)
    negative = torch.tensor(4.0, requires_grad=True)
    weight = _ternary_modules.Ternary()(latent, positive, negative)
    assert weight.tolist() == [[3.0, 0.0, 0.0, -4.0]]
    weight.backward(torch.tensor([[1.0, 10.0, 100.0, 1000.0]]))
    assert latent.grad is not None
    assert latent.grad.tolist() == [[3.0, 10.0, 100.0, 4000.0]]
    assert (float(positive.grad or 0), float(negative.grad or 0)) == (1.0, -1000.0)


def test_ternary_scales_begin_as_the_mean_magnitude_of_each_side() -> None:
    weight = torch.tensor([[8.0, 4.0, 0.1, -3.0]])
    latent, positive, negative = _ternary_modules.Ternary().right_inverse(weight)
    assert torch.equal(latent, weight)
    assert (float(positive), float(negative)) == (6.0, 3.0)


@pytest.mark.parametrize("ends", ternary.ENDS)
def test_ternary_layers_have_three_values_with_two_scales(ends: str, mlp: Workload) -> None:
    variant = ternary.apply(mlp, ends=ends)
    found = matrices(module(variant))
    inner = found if ends == "ternary" else found[1:-1]
    for weight in inner:
        values = different(weight)
        assert len(values) == 3
        assert values[1] == 0
        assert values[0] < 0 < values[2] != -values[0]
    assert variant.note.startswith(f"{len(inner)} ternary layers")
    if ends == "float":
        assert min(len(different(found[0])), len(different(found[-1]))) > 100
    assert accuracy(variant) >= accuracy(mlp) - 0.02


def test_packed_ternary_weights_take_two_bits_and_can_be_unpacked() -> None:
    weight = torch.tensor([[0.5, 0.0, -0.25], [0.0, -0.25, 0.5]])
    parts = _ternary_modules.packed(weight)
    codes = _codec_unpack(parts["codes"], 6)
    values = torch.tensor([0.0, *parts["scales"].tolist()])
    assert len(parts["codes"]) == 2
    assert torch.equal(values[codes].view(2, 3), weight)


def _codec_unpack(stream: Tensor, count: int) -> Tensor:
    return torch.tensor([int(stream[i // 4]) >> (6 - 2 * (i % 4)) & 3 for i in range(count)])


def test_size_of_ternary_layers_is_a_sixteenth_of_float(mlp: Workload) -> None:
    variant = ternary.apply(mlp, ends="ternary")
    assert variant.size_disk is not None
    assert variant.size_disk == pytest.approx(50_200 / 4 + 410 * 4, abs=800)
    assert variant.sizes["huffman"] < variant.size_disk < variant.sizes["dense"] / 13


def test_ternary_names_the_ends_it_cannot_take(mlp: Workload) -> None:
    with pytest.raises(ValueError, match="ends is 'int8', wanted one of float, ternary"):
        ternary.apply(mlp, ends="int8")


# int8


@pytest.mark.parametrize("technique", [int8_dynamic, int8_qat, pruned_int8, distilled_int8])
def test_int8_variants_run_int8_kernels_and_no_others(
    technique: object, workload: Workload
) -> None:
    variant = technique.apply(workload)  # type: ignore[attr-defined]
    names = operators(variant)
    assert "onednn::qlinear_pointwise" in names
    assert ("onednn::qconv_pointwise" in names) == (workload.name == "digits-cnn")
    assert not names & {"aten::addmm", "aten::linear", "aten::conv2d"}
    found = facts(variant.model, workload.inputs(2))
    assert found.dtype == "int8"
    assert found.macs
    assert variant.size_disk is not None
    assert variant.size_disk < variant.sizes["dense"] / 2
    assert variant.sizes["dense"] <= disk_bytes(module(workload).state_dict())


@pytest.mark.parametrize("technique", [int8_dynamic, int8_qat])
def test_int8_costs_at_most_a_point_and_counts_as_the_whole_model(
    technique: object, workload: Workload
) -> None:
    variant = technique.apply(workload)  # type: ignore[attr-defined]
    assert accuracy(variant) >= accuracy(workload) - 0.01
    quantized, whole = (facts(made.model, workload.inputs(3)) for made in (variant, workload))
    assert (quantized.parameters, quantized.macs) == (whole.parameters, whole.macs)
    layers = layer_counts(variant.model, workload.inputs(3))
    assert sum(layer.macs for layer in layers) == whole.macs
    assert {(layer.weight_bits, layer.activation_bits) for layer in layers} == {(8, 8)}


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_range_of_each_call_is_found_anew(batch: int, scale: float) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(256, 8),
            nn.Dropout(), nn.ReLU(), nn.Linear(8, 3, bias=False),
        ).eval()  # fmt: skip
        model[3].bias.data.zero_()  # type: ignore[operator]
        images = scale * torch.randn(batch, 2, 8, 8)
    exact, near = (
        outputs(form, images) for form in (model, _int8_run_time.to_int8_at_run_time(model))
    )
    assert near.dtype == torch.float32
    assert (near - exact).abs().max() < 0.05 * exact.abs().max()


def test_single_layer_and_inputs_of_zero_are_quantized_too() -> None:
    layer = nn.Linear(4, 2)
    quantized = _int8_run_time.to_int8_at_run_time(layer)
    assert torch.allclose(outputs(quantized, torch.zeros(3, 4)), layer.bias.detach())


def test_dynamic_int8_names_the_layer_it_cannot_quantize() -> None:
    with pytest.raises(TypeError, match=r"cannot quantize Tanh\(\) at 0, wanted linear"):
        _int8_run_time.to_int8_at_run_time(nn.Sequential(nn.Tanh()))


def test_rounding_in_training_is_that_of_the_kernels_and_lets_gradients_pass() -> None:
    weight = torch.tensor([[127.0, 1.4, -0.6], [0.0, 0.0, 0.0]], requires_grad=True)
    rounded = _fake_int8.FakeWeight()(weight)
    assert rounded.tolist() == [[127.0, 1.0, -1.0], [0.0, 0.0, 0.0]]
    rounded.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1.0] * 3, [1.0] * 3]
    observe = _fake_int8.FakeActivation()
    rounded = observe(nn.Identity(), (torch.tensor([0.0, 1.4, 255.0]),))
    assert rounded.tolist() == [0.0, 1.0, 255.0]
    observe(nn.Identity(), (torch.tensor([0.0, 155.0]),))
    assert observe.largest == pytest.approx(254.0)


def test_fine_tuning_with_rounding_changes_the_weights_of_static_int8(mlp: Workload) -> None:
    static, trained = int8_static.apply(mlp), int8_qat.apply(mlp)
    assert static.size_disk == trained.size_disk
    pairs = zip(module(static).buffers(), module(trained).buffers(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_pruned_int8_is_half_as_wide_and_distilled_int8_is_the_student(mlp: Workload) -> None:
    half, small = pruned_int8.apply(mlp, ratio=0.5), distilled_int8.apply(mlp, soft=0.5)
    assert facts(half.model, mlp.inputs(1)).macs == 64 * 150 + 150 * 50 + 50 * 10
    assert facts(small.model, mlp.inputs(1)).macs == 64 * 32 + 32 * 16 + 16 * 10
    assert half.label == "pruned_int8@ratio=0.5"
    assert small.label == "distilled_int8@soft=0.5,temperature=4"
    assert "int8" in half.note
    assert "distilled" in small.note


# Deep Compression


def test_each_stage_of_deep_compression_is_smaller_and_its_file_is_read_back(
    workload: Workload,
) -> None:
    variants = {stage: deep_compression.apply(workload, stage=stage) for stage in _codec.STAGES}
    p, pq, pqh = (variants[stage].size_disk or 0 for stage in _codec.STAGES)
    assert p > 2 * pq > 2 * pqh
    assert pq == variants["pq"].sizes["shared"]
    assert pqh == variants["pqh"].sizes["huffman"]
    assert p < variants["p"].sizes["csr"] < variants["p"].sizes["dense"]
    assert variants["p"].label == "deep_compression@density=0.08,stage=p"
    assert variants["pqh"].label == "deep_compression@bits=5,density=0.08,stage=pqh"


def test_huffman_coding_changes_no_output(mlp: Workload) -> None:
    images = mlp.inputs(64)
    shared, coded = (deep_compression.apply(mlp, stage=stage).model for stage in ("pq", "pqh"))
    assert torch.equal(outputs(shared, images), outputs(coded, images))


def test_compressed_model_multiplies_only_the_weights_that_stay(mlp: Workload) -> None:
    pruned, shared = (deep_compression.apply(mlp, stage=stage) for stage in ("p", "pqh"))
    kept = round(0.08 * 50_200)
    found, coded = (facts(variant.model, mlp.inputs(1)) for variant in (pruned, shared))
    assert (found.macs, found.nonzero) == (kept, kept + 410)
    assert coded.nonzero == kept + 410
    assert (coded.macs or 0) < 0.2 * 50_200  # the kernel's rows are filled up
    assert "CSR" in pruned.note
    assert shared.note != pruned.note


def test_lenet_300_100_becomes_40_times_smaller_than_its_dense_file() -> None:
    model, data = LeNet300100(pixels=784), digits((784,))
    train = functools.partial(digits_train, data=data)
    train(model, seed=0, epochs=2)
    context = Context(data.train_inputs, data.train_labels, LeNet300100, train, 2, (300, 100), ())
    workload = Workload("lenet", model, lambda batch: data.test_inputs[:batch], context=context)
    before = copy.deepcopy(model.state_dict())
    variant = deep_compression.apply(workload)
    assert variant.size_disk is not None
    assert variant.sizes["dense"] == disk_bytes(before)
    assert variant.sizes["dense"] / variant.size_disk >= 40
    after = module(workload).state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"stage": "h"}, "stage is 'h', wanted one of p, pq, pqh; choose one"),
        ({"density": 0.0}, "density is 0.0, wanted above 0 and at most 1; choose such as 0.08"),
        ({"density": 1.01}, "density is 1.01, wanted above 0 and at most 1"),
    ],
)
def test_deep_compression_names_the_level_it_cannot_take(
    level: dict[str, object], message: str, mlp: Workload
) -> None:
    with pytest.raises(ValueError, match=message):
        deep_compression.apply(mlp, **level)  # type: ignore[arg-type]
