"""ONNX Runtime: what float32 answers, static and dynamic int8, and each thing that is refused."""

import pytest
import small_models
import torch
from torch import Tensor, nn

from bench.refusal import Refusal
from bench.runtimes import onnxruntime as runtime
from bench.techniques._precision import requested
from bench.workload import Variant, Workload, baseline_of

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def lowered(variant: Variant, batch: int = 2) -> Variant:
    return runtime.lower(variant, variant.workload.inputs(batch), device="cpu")


def answers(variant: Variant, samples: int) -> tuple[Tensor, Tensor]:
    """What the variant answers, and what its workload's model does."""
    inputs = variant.workload.inputs(samples)
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    with torch.inference_mode():
        return variant.model(*given), variant.workload.model(*given)


@pytest.fixture(scope="module")
def net() -> Variant:
    return lowered(small_models.net())


@pytest.fixture(scope="module")
def net_int8() -> Variant:
    return lowered(requested(small_models.net(), "int8"))


@pytest.fixture(scope="module")
def encoder_int8() -> Variant:
    return lowered(requested(small_models.encoder(), "int8"))


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_float32_answers_as_eager_does_for_batches_of_any_size(net: Variant, samples: int) -> None:
    found, expected = answers(net, samples)

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_answers_stay_when_the_session_runs_again(net: Variant) -> None:
    first = net.model(small_models.images(2, 1))
    kept = first.clone()
    net.model(small_models.images(2, 2))

    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_every_operator_with_weights_is_counted_by_the_type_it_runs_in(net: Variant) -> None:
    assert net.lowered is not None
    assert net.lowered.kernels == {"float32": 4}  # three convolutions and the classifier
    assert net.lowered.dtype == "float32"
    assert net.lowered.source is net.workload.model
    assert net.note == ""


def test_an_encoder_of_two_inputs_answers_as_eager_does() -> None:
    made = lowered(small_models.encoder())
    found, expected = answers(made, 3)

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert made.lowered is not None
    assert made.lowered.kernels == {"float32": 4}  # attention's own products have no weights


def test_a_net_of_convolutions_is_quantized_statically_near_to_float32(net_int8: Variant) -> None:
    found, expected = answers(net_int8, 4)

    assert (found - expected).norm() < 0.1 * expected.norm()
    assert net_int8.lowered is not None
    assert net_int8.lowered.dtype == "int8"
    assert net_int8.lowered.kernels == {"int8": 4}
    assert net_int8.note == "static int8 of convolutions and matrices"


def test_a_net_of_matrices_is_quantized_dynamically_without_calibration(
    encoder_int8: Variant,
) -> None:
    found, expected = answers(encoder_int8, 4)

    assert (found - expected).norm() < 0.1 * expected.norm()
    assert encoder_int8.lowered is not None
    assert encoder_int8.lowered.kernels == {"int8": 4}
    assert encoder_int8.note == "dynamic int8 of matrices"


def test_a_file_of_int8_is_smaller_than_one_of_float32(net: Variant, net_int8: Variant) -> None:
    weights = sum(each.numel() for each in net.workload.model.parameters())  # type: ignore[attr-defined]

    assert net.size_disk is not None
    assert net_int8.size_disk is not None
    assert 4 * weights < net.size_disk < 4 * weights + 20_000
    assert weights < net_int8.size_disk < weights + 30_000 < net.size_disk


@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp8"])
def test_a_type_without_kernels_is_refused(dtype: str) -> None:
    with pytest.raises(Refusal, match=r"onnxruntime has no .* kernels for the CPU"):
        lowered(requested(small_models.net(), dtype))


def test_static_int8_without_calibration_inputs_is_refused() -> None:
    with pytest.raises(Refusal, match=r"net has none; give Workload\.calibration"):
        lowered(requested(small_models.net(calibration=()), "int8"))


def test_a_gpu_is_refused() -> None:
    with pytest.raises(Refusal, match="onnxruntime runs on cpu here, not on cuda:0"):
        runtime.lower(small_models.net(), small_models.images(1), device="cuda:0")


@pytest.mark.parametrize("library", ["onnxruntime", "onnx"])
def test_a_library_that_is_not_installed_is_refused_with_what_to_install(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == library else 1)

    with pytest.raises(Refusal, match=rf"{library} is not installed; pip install 'joulebench\["):
        lowered(small_models.net())


def test_a_model_that_does_not_export_is_refused_in_one_line() -> None:
    class Branching(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values * 2 if float(values.sum()) > 0 else values

    shipped = baseline_of(Workload("branching", Branching(), lambda n: torch.rand(n, 4)))
    with pytest.raises(Refusal, match="Branching does not export to ONNX: ") as refused:
        lowered(shipped)
    assert "\n" not in str(refused.value)


def test_what_is_no_module_is_refused() -> None:
    shipped = baseline_of(Workload("function", torch.relu, lambda n: torch.rand(n, 4)))

    with pytest.raises(Refusal, match="runs torch modules and ONNX files, not a builtin_function"):
        lowered(shipped)


def test_inputs_that_are_no_tensors_are_refused() -> None:
    shipped = baseline_of(Workload("words", small_models.fixed(small_models.Residual), str))

    with pytest.raises(Refusal, match="the model takes str, wanted tensors"):
        lowered(shipped)
