"""Techniques: what they make, that it is as good as promised, and that the baseline stays."""

import copy
import dataclasses
import importlib
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from bench import discover
from bench.model_facts import disk_bytes, facts
from bench.techniques import (
    _csr_modules,
    _int8_modules,
    int8_static,
    magnitude_pruning,
    structured_pruning,
)
from bench.workload import Variant, Workload
from bench.workloads import digits_cnn, digits_mlp

TECHNIQUES = discover.plugins("bench.techniques", "apply")[0]
MLP, CNN = digits_mlp.NAME, digits_cnn.NAME
NAMES = (MLP, CNN)

Make = Callable[..., Variant]


@pytest.fixture(scope="session")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workload]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOULES_CACHE", str(tmp_path_factory.getbasetemp() / "trained"))
        yield {MLP: digits_mlp.load(), CNN: digits_cnn.load()}


@pytest.fixture(scope="session")
def make(workloads: dict[str, Workload]) -> Make:
    """A technique's variant of a workload, made once."""
    made: dict[tuple[str, str, str], Variant] = {}

    def variant(technique: str, name: str, **level: object) -> Variant:
        key = (technique, name, repr(level))
        if key not in made:
            made[key] = importlib.import_module(f"bench.techniques.{technique}").apply(
                workloads[name], **level
            )
        return made[key]

    return variant


@pytest.fixture(scope="session", params=NAMES)
def workload(request: pytest.FixtureRequest, workloads: dict[str, Workload]) -> Workload:
    return workloads[request.param]


def module(made: Workload | Variant) -> nn.Module:
    assert isinstance(made.model, nn.Module)
    return made.model


def accuracy(variant: Variant) -> float:
    assert variant.workload.quality is not None
    return variant.workload.quality(variant.model).value


def baseline_accuracy(workload: Workload) -> float:
    assert workload.quality is not None
    return workload.quality(workload.model).value


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters() if parameter.ndim > 1]


def logits(made: Workload | Variant, images: Tensor) -> Tensor:
    with torch.inference_mode():
        output: Tensor = made.model(images)
    return output


@pytest.mark.parametrize("name", sorted(TECHNIQUES))
def test_every_technique_gives_the_same_bits_twice_and_keeps_the_baseline(
    name: str, workloads: dict[str, Workload]
) -> None:
    short = dataclasses.replace(workloads[MLP].context, epochs=2)
    workload = dataclasses.replace(workloads[MLP], name="once", context=short)
    before = copy.deepcopy(module(workload).state_dict())
    one = TECHNIQUES[name].target(workload, seed=1)
    other = TECHNIQUES[name].target(dataclasses.replace(workload, name="again"), seed=1)
    for made in (one, other):
        assert made.technique == name
        if made.request is None:  # else the runtime makes it
            assert made.model is not workload.model
            assert made.size_disk is not None
    pairs = zip(module(one).state_dict().values(), module(other).state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    after = module(workload).state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", sorted(TECHNIQUES))
def test_every_technique_compresses_a_model_without_training_or_says_that_it_cannot(
    name: str,
) -> None:
    mine = Workload("mine", nn.Linear(64, 10), lambda batch: torch.zeros(batch, 64))
    try:
        variant = TECHNIQUES[name].target(mine)
    except TypeError as error:
        assert f"{name} cannot be applied to mine: " in str(error)  # noqa: PT017
    else:
        assert logits(variant, torch.rand(3, 64)).shape == (3, 10)


def test_masked_density_is_a_tenth_of_all_weights_exactly(workload: Workload, make: Make) -> None:
    variant = make("magnitude_pruning", workload.name, form="mask")
    pruned = weights(module(variant))
    total = sum(weight.numel() for weight in pruned)
    assert sum(int(weight.count_nonzero()) for weight in pruned) == round(0.1 * total)
    assert variant.label == "magnitude_pruning@density=0.1,form=mask"
    assert variant.note == "masked: zeros in dense kernels"


def test_pruned_model_loses_at_most_one_point_of_accuracy(workload: Workload, make: Make) -> None:
    for form in ("mask", "csr"):
        variant = make("magnitude_pruning", workload.name, form=form)
        assert accuracy(variant) >= baseline_accuracy(workload) - 0.01


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_sparse_kernels_give_the_logits_of_the_masked_ones(
    batch: int, workload: Workload, make: Make
) -> None:
    images = workload.inputs(batch)
    masked = logits(make("magnitude_pruning", workload.name, form="mask"), images)
    sparse = logits(make("magnitude_pruning", workload.name, form="csr"), images)
    assert sparse.shape == (batch, 10)
    torch.testing.assert_close(sparse, masked, rtol=1e-5, atol=1e-5)


def test_sparse_form_multiplies_and_stores_less_than_the_masked_one(
    workload: Workload, make: Make
) -> None:
    mask, csr = (make("magnitude_pruning", workload.name, form=form) for form in ("mask", "csr"))
    images = workload.inputs(1)
    masked, sparse = facts(mask.model, images), facts(csr.model, images)
    assert (sparse.parameters, sparse.nonzero) == (masked.parameters, masked.nonzero)
    assert sparse.macs is not None
    assert masked.macs == facts(workload.model, images).macs
    assert sparse.macs < 0.2 * (masked.macs or 0)
    assert csr.size_disk is not None
    assert csr.size_disk < 0.3 * (mask.size_disk or 0)


def test_sparse_form_stores_int32_indices_and_float32_values(make: Make) -> None:
    for layer in module(make("magnitude_pruning", MLP, form="csr")).children():
        if isinstance(layer, _csr_modules.SparseLinear):
            assert layer.weight.layout is torch.sparse_csr
            assert layer.weight.col_indices().dtype == torch.int32
            assert layer.weight.values().dtype == torch.float32


def test_note_says_when_a_convolution_runs_dense_kernels(make: Make) -> None:
    assert "dense kernels with zeros above" in make("magnitude_pruning", CNN, form="csr").note
    assert "convolutions" not in make("magnitude_pruning", MLP, form="csr").note


def test_sparse_convolution_equals_torch_with_stride_dilation_and_odd_shapes() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dense = nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2), bias=False)
        image = torch.randn(1, 2, 9, 7)
    sparse = _csr_modules.SparseConv2d(dense)
    with torch.inference_mode():
        torch.testing.assert_close(sparse(image), dense(image), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(sparse(image)[0], sparse(image.repeat(2, 1, 1, 1))[1])


def test_grouped_convolution_is_refused_a_sparse_form() -> None:
    with pytest.raises(TypeError, match="wanted one group and padding in pixels; use form='mask'"):
        _csr_modules.SparseConv2d(nn.Conv2d(2, 2, 3, groups=2))


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"density": 0.0}, "density is 0.0, wanted above 0"),
        ({"density": 1.5}, "density is 1.5, wanted above 0"),
        ({"form": "coo"}, "form is 'coo', wanted one of mask, csr"),
    ],
)
def test_magnitude_pruning_names_the_level_it_cannot_take(
    level: dict[str, object], message: str, workloads: dict[str, Workload]
) -> None:
    with pytest.raises(ValueError, match=message):
        magnitude_pruning.apply(workloads[MLP], **level)  # type: ignore[arg-type]


def test_structured_pruning_halves_the_widths_and_keeps_the_outputs(
    workload: Workload, make: Make
) -> None:
    variant = make("structured_pruning", workload.name)
    before, after = weights(module(workload)), weights(module(variant))
    assert [len(weight) for weight in after[:-1]] == [len(weight) // 2 for weight in before[:-1]]
    assert len(after[-1]) == 10
    images = workload.inputs(1)
    small, large = facts(variant.model, images), facts(workload.model, images)
    assert small.parameters is not None
    assert small.macs is not None
    assert small.parameters < 0.4 * (large.parameters or 0)
    assert small.macs < 0.4 * (large.macs or 0)
    assert variant.label == "structured_pruning@ratio=0.5"


def test_structurally_pruned_model_loses_at_most_one_point(workload: Workload, make: Make) -> None:
    variant = make("structured_pruning", workload.name)
    assert accuracy(variant) >= baseline_accuracy(workload) - 0.01


@pytest.mark.parametrize("ratio", [-0.1, 1.0])
def test_structured_pruning_names_the_ratio_it_cannot_take(
    ratio: float, workloads: dict[str, Workload]
) -> None:
    with pytest.raises(ValueError, match=f"ratio is {ratio}, wanted 0 or more and below 1"):
        structured_pruning.apply(workloads[MLP], ratio=ratio)


def test_int8_model_stays_within_half_a_point_of_accuracy(workload: Workload, make: Make) -> None:
    assert accuracy(make("int8_static", workload.name)) >= baseline_accuracy(workload) - 0.005


def test_int8_and_float_agree_on_97_percent_of_the_test_images(
    workload: Workload, make: Make
) -> None:
    images = workload.inputs(540)
    quantized = logits(make("int8_static", workload.name), images)
    agree = quantized.argmax(1) == logits(workload, images).argmax(1)
    assert quantized.dtype == torch.float32
    assert agree.double().mean() >= 0.97


def test_int8_kernels_of_onednn_really_run(workload: Workload, make: Make) -> None:
    variant, images = make("int8_static", workload.name), workload.inputs(2)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        logits(variant, images)
    names = {event.key for event in profile.key_averages()}
    assert "onednn::qlinear_pointwise" in names
    assert ("onednn::qconv_pointwise" in names) == (workload.name == CNN)
    assert not names & {"aten::addmm", "aten::linear", "aten::conv2d"}


def test_int8_weights_count_as_the_parameters_they_stand_for(
    workload: Workload, make: Make
) -> None:
    images = workload.inputs(3)
    quantized = facts(make("int8_static", workload.name).model, images)
    float32 = facts(workload.model, images)
    assert (quantized.parameters, quantized.macs) == (float32.parameters, float32.macs)
    assert quantized.dtype == "int8"
    assert make("int8_static", workload.name).size_disk == pytest.approx(
        disk_bytes(module(workload).state_dict()) / 4, rel=0.2
    )


@pytest.mark.parametrize("batch", [1, 5])
def test_int8_convolution_with_negative_inputs_stays_near_float(batch: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, stride=2, bias=False), nn.ReLU(), nn.Flatten(),
            nn.Dropout(), nn.Linear(64, 3),
        )  # fmt: skip
        images = torch.randn(64, 2, 8, 8)
    quantized = _int8_modules.to_int8(model, images)
    with torch.inference_mode():
        exact, near = model(images[:batch]), quantized(images[:batch])
    assert (near - exact).abs().max() < 0.05 * exact.abs().max()


def test_values_beyond_the_calibrated_range_are_held_at_its_ends() -> None:
    quantize = _int8_modules.Quantize(_int8_modules.Scale.of(-1.0, 1.55))
    assert quantize(torch.tensor([-9.0, -1.0, 0.0, 0.014, 0.016, 9.0])).tolist() == [
        0, 0, 100, 101, 102, 255,
    ]  # fmt: skip


def test_scale_of_constant_zero_is_one_and_divides_nothing_by_zero() -> None:
    assert _int8_modules.Scale.of(0.0, 0.0) == _int8_modules.Scale(1.0, 0)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(2, 2), nn.Linear(2, 2)], "wanted nn.ReLU after it"),
        ([nn.Tanh()], "wanted linear, convolutional, ReLU"),
        ([nn.Conv2d(1, 1, 3, padding="same")], "wanted padding in pixels"),
    ],
)
def test_int8_names_the_layer_it_cannot_quantize(layers: list[nn.Module], message: str) -> None:
    shape = (4, 1, 2, 2) if isinstance(layers[0], nn.Conv2d) else (4, 2)
    with pytest.raises(TypeError, match=message):
        _int8_modules.to_int8(nn.Sequential(*layers), torch.rand(shape))


def test_int8_of_a_model_that_is_no_sequence_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"cannot quantize Linear, wanted an nn\.Sequential"):
        _int8_modules.to_int8(nn.Linear(2, 2), torch.rand(4, 2))


def test_torch_without_int8_operators_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.ops, "onednn", object())
    with pytest.raises(RuntimeError, match=r"no operator onednn::qlinear_pointwise.*x86 CPU"):
        _int8_modules.to_int8(nn.Sequential(nn.Linear(2, 2)), torch.rand(4, 2))


def test_int8_has_no_level_that_a_user_would_choose(make: Make) -> None:
    assert make("int8_static", MLP).label == "int8_static"
    assert TECHNIQUES["int8_static"].target is int8_static.apply
