"""What a GPU runs of a model: which types, on which GPUs, with which weights, and 2:4 masks."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.model_facts import disk_bytes
from bench.refusal import Refusal
from bench.runtimes import _cuda, compile, eager  # noqa: A004
from bench.runtimes._narrowed import Narrowed
from bench.techniques import semi_structured
from bench.two_of_four import is_two_of_four, mask, sparsifiable
from bench.workload import Request, Variant, Workload, baseline_of

HAS_TORCHAO = importlib.util.find_spec("torchao") is not None
needs_torchao = pytest.mark.skipif(not HAS_TORCHAO, reason="torchao is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
CPU = torch.device("cpu")
AMPERE, ADA, HOPPER, TURING = (8, 0), (8, 9), (9, 0), (7, 5)
STAND_IN = _cuda.Gpu(CPU, HOPPER)
"""A CPU that passes for a GPU: what runs of the same code does so on both."""
ALL = ("float32", *_cuda.HALVES, *_cuda.EIGHT_BITS)


def linear_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)).eval()


def rows(samples: int = 32) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(samples, 128)


@torch.inference_mode()
def difference(model: Callable[..., Tensor], reference: Callable[..., Tensor]) -> float:
    """Largest difference of what they give, as a share of the largest value."""
    found, expected = model(rows()).cpu(), reference(rows())
    return float((found - expected).abs().max() / expected.abs().max())


def workload_of(model: Any) -> Workload:
    return Workload("tiny", model, rows)


def variant_of(dtype: str = "") -> Variant:
    shipped = baseline_of(workload_of(linear_net()))
    return replace(shipped, request=Request(dtype)) if dtype else shipped


@pytest.mark.parametrize(
    ("dtype", "form"),
    [
        ("", _cuda.Form("float32")),
        ("float8", _cuda.Form("float8")),
        ("bfloat16 2:4", _cuda.Form("bfloat16", sparse=True)),
    ],
)
def test_form_is_what_the_variant_asks_for(dtype: str, form: _cuda.Form) -> None:
    assert _cuda.Form.of(variant_of(dtype)) == form
    assert form.name == dtype or (form.name, dtype) == ("float32", "")


@pytest.mark.parametrize(
    ("form", "capability", "least"),
    [
        (_cuda.Form("float8"), AMPERE, "float8 needs compute capability 8.9, this GPU has 8.0"),
        (_cuda.Form("bfloat16"), TURING, "bfloat16 needs compute capability 8.0"),
        (_cuda.Form("float16", sparse=True), TURING, "2:4 needs compute capability 8.0"),
        (_cuda.Form("int8"), (7, 0), "int8 needs compute capability 7.5"),
    ],
)
def test_gpu_without_tensor_cores_for_a_type_is_refused(
    form: _cuda.Form, capability: tuple[int, int], least: str
) -> None:
    with pytest.raises(Refusal, match=least):
        form.require(capability, ALL)


@pytest.mark.parametrize(
    ("dtype", "capability"),
    [
        ("float8", ADA),
        ("float8", HOPPER),
        ("bfloat16", AMPERE),
        ("int8", TURING),
        ("float16", TURING),
    ],
)
def test_gpu_with_tensor_cores_for_a_type_is_accepted(
    dtype: str, capability: tuple[int, int]
) -> None:
    _cuda.Form(dtype).require(capability, ALL)


@pytest.mark.parametrize("form", [_cuda.Form("int8"), _cuda.Form("int8", sparse=True)])
def test_form_that_a_runtime_has_not_is_refused_with_those_that_it_has(form: _cuda.Form) -> None:
    told = f"runs bfloat16, float16 on a GPU, not {form.name}; choose one of these"
    with pytest.raises(Refusal, match=told):
        form.require(HOPPER, _cuda.HALVES)


def test_only_weights_of_torchs_own_kind_are_frozen_and_all_are_recorded() -> None:
    forms = [_cuda.Form(dtype) for dtype in ALL] + [_cuda.Form("bfloat16", sparse=True)]
    frozen = [bool(_cuda.options(form).get("freezing")) for form in forms]
    assert frozen == [True, True, True, False, False, False]
    assert _cuda.options(_cuda.Form("int8"))["force_fuse_int_mm_with_mul"]
    assert all(_cuda.options(form)["triton.cudagraphs"] for form in forms)


def test_options_are_ones_that_inductor_knows() -> None:
    known = set(torch._inductor.list_options())
    assert all(set(_cuda.options(_cuda.Form(dtype))) <= known for dtype in ALL)


@needs_torchao
@pytest.mark.parametrize("dtype", _cuda.EIGHT_BITS)
def test_torchao_takes_the_config_of_each_type(dtype: str) -> None:
    assert type(_cuda.torchao_config(dtype)).__name__.lower().startswith(dtype)


@needs_torchao
def test_int8_replaces_the_weights_of_linear_layers_and_keeps_what_they_compute() -> None:
    model = _cuda.prepared(variant_of("int8"), _cuda.Form("int8"), CPU)
    assert isinstance(model, Narrowed)
    kinds = {type(each.weight) for each in model.modules() if isinstance(each, nn.Linear)}
    assert not kinds & {Tensor, nn.Parameter}
    assert difference(model, linear_net()) < 0.05


@needs_torchao
def test_bytes_of_int8_weights_are_those_of_the_tensors_inside() -> None:
    model = _cuda.prepared(variant_of("int8"), _cuda.Form("int8"), CPU)
    size = disk_bytes(_cuda.open_tensors(model.state_dict()))
    weights = 128 * 64 + 64 * 10
    assert weights < size < 1.5 * weights


@needs_torchao
def test_model_without_linear_layers_is_refused() -> None:
    with pytest.raises(Refusal, match="torchao quantized none of the 0 linear layers to int8"):
        _cuda.quantize(nn.Sequential(nn.Conv2d(3, 8, 3)).bfloat16(), "int8")


def test_missing_torchao_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    absent = lambda name: None if name == "torchao" else find(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(Refusal, match=r"pip install 'joulebench\[models\]'"):
        _cuda.quantize(linear_net(), "int8")


@pytest.mark.parametrize(
    ("form", "dtype"), [("float32", torch.float32), ("float16", torch.float16)]
)
def test_float_forms_are_copies_in_that_type(form: str, dtype: torch.dtype) -> None:
    variant = variant_of()
    model = _cuda.prepared(variant, _cuda.Form(form), CPU)
    assert {each.dtype for each in model.parameters()} == {dtype}
    assert isinstance(variant.model, nn.Module)
    assert not {id(each) for each in model.parameters()} & set(map(id, variant.model.parameters()))


def test_what_lies_on_a_device_gets_its_inputs_there() -> None:
    seen: list[str] = []

    def run(values: Tensor) -> Tensor:
        seen.append(values.device.type)
        return values

    _cuda.OnDevice(run, torch.device("meta"))(rows())
    assert seen == ["meta"]


@pytest.mark.parametrize("runtime", [eager, compile])
def test_gpu_that_is_not_there_is_told_with_the_device(runtime: Any) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match=r"device is 'cuda:0', but torch .* finds no GPU"):
        runtime.lower(variant_of("bfloat16"), rows(), device="cuda:0")


@pytest.mark.parametrize("runtime", [eager, compile])
def test_two_of_four_on_a_cpu_is_refused(runtime: Any) -> None:
    with pytest.raises(Refusal, match="bfloat16 2:4"):
        runtime.lower(variant_of("bfloat16 2:4"), rows(), device="cpu")


@given(st.lists(st.floats(-8, 8, width=32), min_size=8, max_size=64), st.integers(1, 4))
@settings(max_examples=40)
def test_mask_keeps_the_two_largest_of_each_four(values: list[float], width: int) -> None:
    columns = 4 * width
    weight = torch.tensor(values * 8)[: 8 * (len(values) // 8) * columns]
    weight = weight[: len(weight) // columns * columns].view(-1, columns)
    kept = mask(weight)
    groups, chosen = weight.abs().view(-1, 4), kept.view(-1, 4)
    assert (chosen.sum(dim=1) == 2).all()
    least = groups.masked_fill(~chosen, torch.inf).min(dim=1).values
    most = groups.masked_fill(chosen, -torch.inf).max(dim=1).values
    assert (least >= most).all()
    assert is_two_of_four(weight * kept)


@pytest.mark.parametrize(
    ("weight", "is_sparse"),
    [([1.0, 0, 2, 0], True), ([1.0, 2, 3, 0], False), ([0.0, 0, 0, 0], True), ([0.0, 0, 0], False)],
)
def test_two_of_four_is_two_zeros_in_each_four(weight: list[float], is_sparse: bool) -> None:
    assert is_two_of_four(torch.tensor([weight])) is is_sparse


def test_layers_of_other_shapes_stay_dense() -> None:
    layers = [nn.Linear(64, 32), nn.Linear(64, 33), nn.Linear(66, 32), nn.Conv2d(64, 32, 1)]
    assert sparsifiable(nn.Sequential(*layers)) == layers[:1]


def test_technique_makes_eligible_layers_two_of_four_and_asks_for_kernels_that_skip() -> None:
    shipped = workload_of(linear_net())
    variant = semi_structured.apply(shipped)
    assert isinstance(variant.model, nn.Sequential)
    first, last = variant.model[0], variant.model[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    assert is_two_of_four(first.weight)
    assert not is_two_of_four(last.weight)
    assert variant.request == Request("bfloat16 2:4")
    assert variant.label == "semi_structured@dtype=bf16"
    assert "1 linear layer" in variant.note
    assert isinstance(shipped.model, nn.Sequential)
    assert not is_two_of_four(shipped.model[0].weight)  # type: ignore[arg-type]


def test_technique_refuses_a_model_without_such_layers_and_a_type_without_kernels() -> None:
    with pytest.raises(Refusal, match="tiny has no linear layer with multiples of 32 outputs"):
        semi_structured.apply(workload_of(nn.Linear(3, 3)))
    with pytest.raises(ValueError, match="dtype is int8, wanted one of bf16, fp16; choose"):
        semi_structured.apply(workload_of(linear_net()), dtype="int8")


def test_dense_weights_are_not_stored_as_sparse() -> None:
    with pytest.raises(Refusal, match="tiny has no linear layer with 2:4 weights; use the tech"):
        _cuda.to_sparse(linear_net(), "tiny")


def test_torch_without_sparse_kernels_is_refused_with_its_own_words() -> None:
    model = semi_structured.apply(workload_of(linear_net())).model
    assert isinstance(model, nn.Module)
    with pytest.raises(Refusal, match=r"tiny: RuntimeError: .*Only CUDA tensors.*; take a GPU"):
        _cuda.to_sparse(model.bfloat16(), "tiny")


@pytest.mark.parametrize("compiles", [False, True])
def test_half_type_runs_in_it_and_keeps_the_source_and_the_bytes(*, compiles: bool) -> None:
    variant = variant_of("bfloat16")
    made = (
        _cuda.compiled(variant, (rows(),), STAND_IN) if compiles else _cuda.eager(variant, STAND_IN)
    )
    assert isinstance(made.model, _cuda.OnDevice)
    assert made.lowered is not None
    assert (made.lowered.dtype, dict(made.lowered.kernels)) == ("bfloat16", {"bfloat16": 2})
    assert made.lowered.source is variant.model
    assert made.size_disk is not None
    assert made.size_disk < 0.6 * disk_bytes(linear_net().state_dict())
    assert difference(made.model, linear_net()) < 0.03


def test_float32_is_compiled_of_a_copy() -> None:
    made = _cuda.compiled(variant_of(), (rows(),), STAND_IN)
    assert made.lowered is not None
    assert made.lowered.kernels == {"float32": 2}
    assert difference(made.model, linear_net()) < 1e-5


@needs_torchao
def test_int8_is_compiled_to_products_of_integers() -> None:
    made = _cuda.compiled(variant_of("int8"), (rows(),), STAND_IN)
    assert made.lowered is not None
    assert (made.lowered.dtype, dict(made.lowered.kernels)) == ("int8", {"int8": 2})
    assert difference(made.model, linear_net()) < 0.05


def stay_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores weights as they are, for no CPU has sparse ones."""
    real = _cuda.to_sparse
    monkeypatch.setattr(_cuda, "to_sparse", lambda model, name: real(model, name, torch.clone))


def test_two_of_four_layers_are_counted_apart_from_dense_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stay_dense(monkeypatch)
    made = _cuda.eager(semi_structured.apply(workload_of(linear_net())), STAND_IN)
    assert made.lowered is not None
    assert dict(made.lowered.kernels) == {"bfloat16 2:4": 1, "bfloat16": 1}
    assert made.lowered.dtype == "bfloat16 2:4"
    assert made.note.endswith("1 of 2 operators with weights in bfloat16 2:4")


def test_two_of_four_that_is_compiled_to_dense_kernels_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stay_dense(monkeypatch)
    variant = semi_structured.apply(workload_of(linear_net()))
    with pytest.raises(Refusal, match="runs in bfloat16 2:4 here: 2 in bfloat16"):
        _cuda.compiled(variant, (rows(),), STAND_IN)


@needs_gpu
@pytest.mark.parametrize("runtime", [eager, compile])
def test_gpu_runs_bfloat16_and_agrees_with_float32(runtime: Any) -> None:
    made = runtime.lower(variant_of("bfloat16"), rows(), device="cuda:0")
    assert made.model(rows()).is_cuda
    assert difference(made.model, linear_net()) < 0.03
    assert dict(made.lowered.kernels) == {"bfloat16": 2}
    assert len(runtime.prepare(made.model, rows(), device="cuda:0")(4)) == 4


@needs_gpu
@needs_torchao
@pytest.mark.parametrize("dtype", _cuda.EIGHT_BITS)
def test_gpu_runs_eight_bits_on_kernels_of_theirs(dtype: str) -> None:
    if dtype == "float8" and torch.cuda.get_device_capability() < ADA:
        pytest.skip("this GPU has no float8")
    made = compile.lower(variant_of(dtype), rows(), device="cuda:0")
    assert made.lowered is not None
    assert made.lowered.kernels[dtype] >= 1
    assert difference(made.model, linear_net()) < 0.1


@needs_gpu
@pytest.mark.parametrize("runtime", [eager, compile])
def test_gpu_runs_two_of_four_and_agrees_with_the_masked_model(runtime: Any) -> None:
    if torch.cuda.get_device_capability() < AMPERE:
        pytest.skip("this GPU has no 2:4")
    variant = semi_structured.apply(workload_of(linear_net()))
    made = runtime.lower(variant, rows(), device="cuda:0")
    assert difference(made.model, variant.model) < 0.03
    assert made.lowered.kernels == {"bfloat16 2:4": 1, "bfloat16": 1}
